"""Evidence: do the passages found carry what the question asks, or are the sources silent?"""

from __future__ import annotations

from collections.abc import Sequence

from qa.search import Hit

# Below this similarity of the best passage the sources are called silent. On the tune split 97 in 100 answerable
# questions lie above it, and questions about other things altogether below; it doesn't tell a near miss.
LEAST_SCORE = 0.32
# Below this probability of the judge's that any sentence answers they are too; see `python -m evals.judge
# --development`.
LEAST_PROBABILITY = 0.1


def is_silent(hits: Sequence[Hit]) -> bool:
    """Whether nothing found comes near enough to a question to answer it."""
    if not hits or max(hit.scores.get("similarity", hit.score) for hit in hits) < LEAST_SCORE:
        return True
    chance = confidence(hits)
    return chance is not None and chance < LEAST_PROBABILITY


def confidence(hits: Sequence[Hit]) -> float | None:
    """The judge's greatest probability that a sentence of the passages answers; None where nothing was judged."""
    judged = [hit.reading.answers for hit in hits if hit.reading]
    return max(judged) if judged else None
