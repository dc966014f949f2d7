"""Evidence: do the passages found carry what the question asks, or are the sources silent?"""

from __future__ import annotations

from collections.abc import Sequence

from qa.index import Generation
from qa.search import Hit, met_words
from qa.words import words

LEAST_SUPPORT = 0.5  # below it the answer is `not_found`; chosen on the tune split, see DECISIONS.md


def support(generation: Generation, question: str, hits: Sequence[Hit]) -> float:
    """How far the best passages meet a question, 0 to 1: the mean of the nearest one's cosine, and of the share
    of the question's words, weighed by rarity, that the best of them holds.
    """
    if not hits:
        return 0.0
    rarity = met_words(generation, question)
    total = sum(rarity.values()) or 1.0

    def share(hit: Hit) -> float:
        stems = set(generation.stems(word.text for word in words(hit.citation.quote)))
        return sum(weight for stem, weight in rarity.items() if stem in stems) / total

    nearest = max(hit.scores["dense"] for hit in hits)
    return (max(nearest, 0.0) + max(share(hit) for hit in hits)) / 2
