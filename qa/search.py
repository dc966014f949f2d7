"""Search: candidates by vector and by words → fusion → Hits.

The two scores are joined by a convex combination (Bruch, Gai and Ingber, "An Analysis of Fusion Functions
for Hybrid Retrieval", 2023): a cosine says how near a passage's sense is, BM25, divided by the most that the question's
words could earn, how many of its words are met.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from qa.citation import Citation, cite
from qa.encoder import TextEncoder
from qa.errors import QueryError
from qa.index import Generation, Ranges, SourceEntry
from qa.settings import MAX_K, MAX_QUESTION_CHARS
from qa.source import authors_of
from qa.words import fold, sentences, words

DENSE_WEIGHT = 0.65  # the cosine's share of the fused score; chosen by `python -m evals.weights`, see DECISIONS.md
DEPTH = 100  # candidates taken from each side

_K1_PLUS_1 = 2.2  # a word's BM25 score stays below its idf times this (tantivy's k1 is 1.2)


@dataclass(frozen=True, slots=True)
class Highlight:
    """Where in the source the question is met: the half-open range [start, end) of code points."""

    start: int
    end: int

    def to_dict(self) -> dict[str, Any]:
        return {"start": self.start, "end": self.end}


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage as a citation of the whole of it, the scores that ranked it, and its highlights."""

    citation: Citation
    score: float
    scores: dict[str, float]
    highlights: tuple[Highlight, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "citation": self.citation.to_dict(),
            "score": round(self.score, 6),
            "scores": {name: round(score, 6) for name, score in self.scores.items()},
            "highlights": [highlight.to_dict() for highlight in self.highlights],
        }


@dataclass(frozen=True, slots=True)
class Filters:
    """Which sources to look in: ids, a part of an author's name, the dates between which they were issued, a kind.

    Dates are ISO (2018, 2018-06 or 2018-06-16), both ends included; a source without a date meets no date filter.
    """

    sources: tuple[str, ...] = ()
    author: str | None = None
    since: str | None = None
    until: str | None = None
    kind: str | None = None

    def admit(self, entries: Iterable[SourceEntry]) -> Ranges | None:
        """The passage numbers to look among; None means all. QueryError for an id or a date that can't be."""
        if self == Filters():
            return None
        entries = list(entries)
        unknown = sorted(set(self.sources) - {entry.info.id for entry in entries})
        if unknown:
            raise QueryError(f"there is no source '{unknown[0]}' in the index; `qa sources` lists them")
        if self.kind not in (None, "original", "brief"):
            raise QueryError(f"kind '{self.kind}' is neither original nor brief")
        since, until = _bounds(self.since, last=False), _bounds(self.until, last=True)
        return [(e.first, e.last) for e in entries if self._admits(e, since, until)]

    def _admits(self, entry: SourceEntry, since: dt.date | None, until: dt.date | None) -> bool:
        if self.sources and entry.info.id not in self.sources:
            return False
        if self.kind and entry.info.kind != self.kind:
            return False
        if self.author and not any(fold(self.author) in fold(name) for name in authors_of(entry.info.record)):
            return False
        if since or until:
            first, final = _issued(entry.info.record)
            if first is None or final is None or (since and final < since) or (until and first > until):
                return False
        return True


def search(
    generation: Generation,
    encoder: TextEncoder,
    question: str,
    k: int,
    filters: Filters = Filters(),
) -> list[Hit]:
    """The k passages that best meet a question, best first; equal ones by source id, then place.

    A phrase in quotation marks must stand in every passage found. QueryError when the question is empty or too long,
    or k is out of range.
    """
    check_question(question, encoder)
    if not 1 <= k <= MAX_K:
        raise QueryError(f"k is {k}; it can be 1 to {MAX_K}")
    within = filters.admit(generation.entries)
    ranked = rank(generation, encoder, question, max(DEPTH, k), within)[:k]
    met = met_words(generation, question)
    hits = []
    for number, scores in ranked:
        source, passage = generation.passage(number)
        ranges = best_sentences(generation, source.text, passage.start, passage.end, met)
        hits.append(
            Hit(
                citation=cite(source, passage.start, passage.end),
                score=scores["fused"],
                scores=scores,
                highlights=tuple(Highlight(a, b) for a, b in ranges),
            )
        )
    return hits


def rank(
    generation: Generation, encoder: TextEncoder, question: str, depth: int, within: Ranges | None
) -> list[tuple[int, dict[str, float]]]:
    """Candidate passages by number with the score of each stage: dense, bm25, fused; best first."""
    holding = generation.holding(question)
    if holding is not None:
        within = _intersect(holding, within)
    vector = encoder.encode(question, "question")
    lexical = dict(generation.matching(question, depth, within))
    numbers = sorted({*generation.nearest(vector, depth, within), *lexical})
    most = _K1_PLUS_1 * sum(generation.rarity(question).values()) or 1.0
    ranked = []
    for number, dense in zip(numbers, generation.cosines(vector, numbers), strict=True):
        bm25 = lexical.get(number, 0.0)
        fused = DENSE_WEIGHT * dense + (1 - DENSE_WEIGHT) * bm25 / most
        ranked.append((number, {"dense": dense, "bm25": bm25, "fused": fused}))
    ranked.sort(key=lambda pair: (-round(pair[1]["fused"], 9), pair[0]))
    return ranked


def check_question(question: str, encoder: TextEncoder) -> None:
    """QueryError unless the question has words and the encoder can read all of it."""
    if not any(True for _ in words(question)):
        raise QueryError('the question has no words; ask something like "When was the treaty signed?"')
    if len(question) > MAX_QUESTION_CHARS:
        raise QueryError(f"the question has {len(question)} characters; {MAX_QUESTION_CHARS} is the most")
    tokens, most = encoder.count(question), encoder.spec.max_tokens
    if tokens > most:
        raise QueryError(f"the question has {tokens} tokens and the model reads {most}; shorten it")


def met_words(generation: Generation, question: str) -> dict[str, float]:
    """The stems of a question's content words with their rarity (BM25 idf)."""
    rarity = generation.rarity(question)
    return dict(zip(generation.stems(rarity), rarity.values(), strict=True))


def best_sentences(
    generation: Generation, text: str, start: int, end: int, met: dict[str, float]
) -> list[tuple[int, int]]:
    """The sentence of text[start:end) that meets most of the question's rare words, as one range; none if none does."""
    best: tuple[float, int, int] | None = None
    for a, b in sentences(text, start, end):
        stems = set(generation.stems(word.text for word in words(text[a:b])))
        weight = sum(rarity for stem, rarity in met.items() if stem in stems)
        if weight > 0 and (best is None or weight > best[0]):
            best = (weight, a, b)
    return [(best[1], best[2])] if best else []


def _intersect(numbers: Sequence[int], ranges: Ranges | None) -> Ranges:
    return [(n, n + 1) for n in numbers if ranges is None or any(a <= n < b for a, b in ranges)]


def _bounds(text: str | None, last: bool) -> dt.date | None:
    if text is None:
        return None
    parts = text.split("-")
    try:
        if not 1 <= len(parts) <= 3:
            raise ValueError
        return _span([int(part) for part in parts])[last]
    except ValueError as error:
        raise QueryError(f"'{text}' is no date; write 2018, 2018-06 or 2018-06-16") from error


def _issued(record: dict[str, Any]) -> tuple[dt.date | None, dt.date | None]:
    try:
        parts = record["issued"]["date-parts"]
        return _span(parts[0])[0], _span(parts[-1])[1]
    except (KeyError, IndexError, TypeError, ValueError):
        return None, None


def _span(parts: Sequence[int]) -> tuple[dt.date, dt.date]:
    """First and last day of a year, a month or a day."""
    if len(parts) == 3:
        day = dt.date(*parts)
        return day, day
    if len(parts) == 2:
        year, month = parts
        after = dt.date(year + month // 12, month % 12 + 1, 1)
        return dt.date(year, month, 1), after - dt.timedelta(days=1)
    return dt.date(parts[0], 1, 1), dt.date(parts[0], 12, 31)
