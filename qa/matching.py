"""Matching: which of a question's or a statement's words a text meets, by stem, by name or by likeness."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from qa.lexicon import Lexicon
from qa.names import CAPITALS, bearers, canon
from qa.words import FUNCTION_WORDS, Word, words

_LIKE, _SAME = 0.35, 0.8  # cosines of token vectors: below, a word isn't met; above, it is

Floats = npt.NDArray[np.float32]


class Match:
    """Some words of a text, each with its rarity among the passages, to be met by other texts.

    `starts`, shape (tokens,), says at which code point each of the text's token vectors begins; with `metonyms` a
    capital may stand for its state.
    """

    def __init__(
        self, lexicon: Lexicon, found: Sequence[Word], starts: npt.NDArray[np.int64], metonyms: bool = True
    ) -> None:
        self._metonyms = metonyms
        self._lexicon = lexicon
        self.words = list(found)
        self._columns = [[i for i, at in enumerate(starts) if word.start <= at < word.end] for word in found]

    @cached_property
    def stems(self) -> list[str]:
        return self._lexicon.stems(word.text for word in self.words)

    @cached_property
    def rarity(self) -> Floats:
        """From 0, of a word in every passage, to 1, of the rarest here, shape (words,)."""
        told = self._lexicon.rarity(" ".join(word.text for word in self.words))
        most = max(told.values(), default=1.0) or 1.0
        return np.array([told.get(word.text, most) / most for word in self.words], dtype=np.float32)

    def met(self, text: str, similarity: Floats) -> Floats:
        """How well a text meets each word, 0 to 1, shape (words,).

        `similarity`, shape (tokens,), is each token's best cosine with the text's.
        """
        there = set(self._lexicon.stems(w.text for w in words(text) if w.text not in FUNCTION_WORDS))
        known = bearers(text)
        out = np.zeros(len(self.words), dtype=np.float32)
        for i, (word, stem, columns) in enumerate(zip(self.words, self.stems, self._columns, strict=True)):
            named = word.text not in CAPITALS or self._metonyms
            if stem in there or (named and canon(word.text) in known):
                out[i] = 1.0
            else:
                likeness = float(np.mean([similarity[c] for c in columns if c < len(similarity)] or [0.0]))
                out[i] = min(max((likeness - _LIKE) / (_SAME - _LIKE), 0.0), 1.0)
        return out

    def share(self, met: Floats) -> float:
        """How much of all words is met, rare ones weighing more: 0 to 1."""
        weight = 0.25 + self.rarity
        return float((weight * met).sum() / weight.sum())
