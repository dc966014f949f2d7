"""Search: candidates by vector and by words → fusion → late interaction → (if asked) the judge → Hits.

Scores are joined by convex combination (Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval",
2023): a cosine says how near a passage's sense is; BM25, divided by the most that the question's words could earn, how
many of its words are met; late interaction, how well each of its tokens is met.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from qa import tokens
from qa.citation import Citation, cite
from qa.encoder import Encoding, TextEncoder
from qa.errors import QueryError
from qa.generation import Generation
from qa.judge import Reading, TextJudge
from qa.lexicon import Ranges
from qa.settings import MAX_K, MAX_QUESTION_CHARS
from qa.source import authors_of
from qa.texts import SourceEntry
from qa.tokens import Floats
from qa.words import fold, words

# Chosen on tuning questions by `python -m evals.weights`; DECISIONS.md has the figures.
FUSION_WEIGHTS = {"dense": 0.55, "bm25": 0.45}
FINAL_WEIGHTS = {"dense": 0.15, "bm25": 0.15, "late": 0.7}
DEPTH = 100  # candidates taken from each side
RERANKED = 20  # of the fused ones, how many late interaction looks at
READ = 15  # sentences that the judge reads
OF_A_PASSAGE = 2  # of them at most from one passage, so that it comes to read more passages
JUDGED = 0.15  # what its probability weighs beside the rest, chosen by `python -m evals.judge --development`

_K1_PLUS_1 = 2.2  # a word's BM25 score stays below its idf times this (tantivy's k1 is 1.2)


@dataclass(frozen=True, slots=True)
class Highlight:
    """Where in the source the question is met: the half-open range [start, end) of code points."""

    start: int
    end: int

    def to_dict(self) -> dict[str, Any]:
        return {"start": self.start, "end": self.end}


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """A sentence [start, end) of a source as a question meets it: by late interaction, by each of the question's tokens
    (best cosines, shape (question tokens,)), and what the judge says, if it read it.
    """

    start: int
    end: int
    score: float
    met: Floats
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage as a citation of the whole of it, the scores that ranked it, and its highlights."""

    citation: Citation
    score: float
    scores: dict[str, float]
    highlights: tuple[Highlight, ...]
    sights: tuple[Sight, ...] = field(default=(), compare=False, repr=False)  # the sentences to look at, best first

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

    def admit(self, entries: Sequence[SourceEntry]) -> Ranges:
        """The passage numbers to look among; QueryError for an id or a date that can't be."""
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
    judge: TextJudge | None = None,
) -> list[Hit]:
    """The k passages that best meet a question, best first; equal ones by source id, then place.

    With a judge, the sentences that come nearest are read together with the question, and ranked by that too. A phrase
    in quotation marks must stand in every passage found. QueryError when the question is empty or too long, or k is out
    of range.
    """
    return find(generation, encoder, question, k, filters, judge)[1]


def find(
    generation: Generation,
    encoder: TextEncoder,
    question: str,
    k: int,
    filters: Filters = Filters(),
    judge: TextJudge | None = None,
) -> tuple[Encoding, list[Hit]]:
    """As `search`, with the encoded question."""
    check_question(question, encoder)
    check_k(k)
    asked = encoder.encode(question, "question")
    within = None if filters == Filters() else filters.admit(generation.texts.entries)
    fused = candidates(generation, asked, question, max(DEPTH, k), within)
    found = rerank(generation, asked, fused, max(RERANKED, k))
    if judge is not None:
        found = judged(generation, judge, question, found)
    hits = []
    for ranked in found[:k]:
        source, passage = generation.texts.passage(ranked.number)
        best = ranked.sights[:1]
        hits.append(
            Hit(
                citation=cite(source, passage.start, passage.end),
                score=ranked.score,
                scores=ranked.scores,
                highlights=tuple(Highlight(sight.start, sight.end) for sight in best),
                sights=ranked.sights,
            )
        )
    return asked, hits


@dataclass(frozen=True, slots=True)
class Ranked:
    """A passage by number, its score, the stages' scores behind it, and its sentences, those that best meet the
    question first; after the judge, only those that it read, or the best one if it read none.
    """

    number: int
    score: float
    scores: dict[str, float]
    sights: tuple[Sight, ...] = ()


def candidates(
    generation: Generation, asked: Encoding, question: str, depth: int, within: Ranges | None
) -> list[Ranked]:
    """The passages nearest to a question by vector and by words, `depth` of each, ranked by fusion."""
    lexical = dict(generation.lexicon.matching(question, depth, within))
    holding = generation.lexicon.holding(question)
    if holding is not None:
        within = _intersect(holding, within)
    numbers = sorted({*generation.vectors.nearest(asked.vector, depth, within), *lexical})
    most = _K1_PLUS_1 * sum(generation.lexicon.rarity(question).values()) or 1.0
    ranked = []
    for number, dense in zip(numbers, generation.vectors.cosines(asked.vector, numbers), strict=True):
        scores = {"dense": dense, "bm25": lexical.get(number, 0.0) / most}
        fused = sum(weight * scores[stage] for stage, weight in FUSION_WEIGHTS.items())
        ranked.append(Ranked(number, fused, {**scores, "fused": fused}))
    return _best_first(ranked)


def rerank(generation: Generation, asked: Encoding, fused: Sequence[Ranked], depth: int) -> list[Ranked]:
    """The first `depth` candidates ranked anew with late interaction; the others are dropped."""
    chosen = fused[:depth]
    stored = [generation.token_codes(candidate.number) for candidate in chosen]
    question = tokens.rotate(asked.tokens, generation.vectors.rotation)
    matrices = tokens.similarities([codes for codes, _ in stored], question)
    ranked = []
    for candidate, (_, parts), similarity in zip(chosen, stored, matrices, strict=True):
        ranges = [(part.first, part.last) for part in parts]
        met = tokens.met(similarity, ranges)
        whole, single = tokens.late_scores(met, ranges)
        sights = [Sight(p.start, p.end, alone, row) for p, alone, row in zip(parts, single, met, strict=True)]
        sights.sort(key=lambda sight: (-sight.score, sight.start))
        late = (whole + sights[0].score) / 2 if sights else whole
        scores = {**candidate.scores, "late": late}
        score = sum(weight * scores[stage] for stage, weight in FINAL_WEIGHTS.items())
        ranked.append(Ranked(candidate.number, score, scores, tuple(sights)))
    return _best_first(ranked)


def judged(
    generation: Generation, judge: TextJudge, question: str, ranked: Sequence[Ranked], most: int = READ
) -> list[Ranked]:
    """Passages ranked anew by the judge too, which reads the `most` sentences that come nearest to the question, two of
    a passage.

    A passage none of whose sentences is read counts as one that doesn't answer.
    """
    near = [(one.score + sight.score, i, sight) for i, one in enumerate(ranked) for sight in one.sights[:OF_A_PASSAGE]]
    near = sorted(near, key=lambda n: (-round(n[0], 9), n[1], n[2].start))[:most]
    texts = {i: generation.texts.passage(ranked[i].number)[0].text for i in sorted({n[1] for n in near})}
    readings = judge.read(question, [texts[i][sight.start : sight.end] for _, i, sight in near])
    read: dict[int, list[tuple[float, Sight]]] = {}
    for (_, i, sight), reading in zip(near, readings, strict=True):
        joined = (1 - JUDGED) * sight.score + JUDGED * reading.answers
        read.setdefault(i, []).append((joined, replace(sight, reading=reading)))
    out = []
    for i, one in enumerate(ranked):
        mine = [sight for _, sight in sorted(read.get(i, ()), key=lambda r: (-r[0], r[1].start))]
        answers = mine[0].reading.answers if mine and mine[0].reading else 0.0
        score = (1 - JUDGED) * one.score + JUDGED * answers
        scores = {**one.scores, "similarity": one.score, "judge": answers}
        out.append(replace(one, score=score, scores=scores, sights=tuple(mine) or one.sights[:1]))
    return _best_first(out)


def _best_first(ranked: Sequence[Ranked]) -> list[Ranked]:
    return sorted(ranked, key=lambda one: (-round(one.score, 9), one.number))


def check_question(question: str, encoder: TextEncoder) -> None:
    """QueryError unless the question has words and the encoder can read all of it."""
    if any("\ud800" <= c <= "\udfff" for c in question):
        raise QueryError("the question isn't UTF-8 (it holds a lone surrogate); write it in that encoding")
    if not any(True for _ in words(question)):
        raise QueryError('the question has no words; ask something like "When was the treaty signed?"')
    if len(question) > MAX_QUESTION_CHARS:
        raise QueryError(f"the question has {len(question)} characters; {MAX_QUESTION_CHARS} is the most")
    tokens, most = encoder.count(question, "question"), encoder.spec.max_tokens
    if tokens > most:
        raise QueryError(f"the question has {tokens} tokens and the model reads {most}; shorten it")


def check_k(k: int) -> None:
    """QueryError unless so many passages can be asked for."""
    if not 1 <= k <= MAX_K:
        raise QueryError(f"k is {k}; it can be 1 to {MAX_K}")


def _intersect(numbers: Sequence[int], ranges: Ranges | None) -> Ranges:
    """Those of some passage numbers that lie in ranges, both in order, as few ranges as there can be."""
    out: list[tuple[int, int]] = []
    starts = [a for a, _ in ranges or ()]
    for n in numbers:
        i = bisect_right(starts, n) - 1
        if ranges is not None and (i < 0 or n >= ranges[i][1]):
            continue
        out.append((out.pop()[0] if out and out[-1][1] == n else n, n + 1))
    return out


def _bounds(text: str | None, last: bool) -> dt.date | None:
    if text is None:
        return None
    parts = text.split("-")
    try:
        if not 1 <= len(parts) <= 3:
            raise ValueError
        return _span([int(part) for part in parts])[last]
    except (ValueError, OverflowError) as error:
        raise QueryError(f"'{text}' is no date; write 2018, 2018-06 or 2018-06-16") from error


def _issued(record: dict[str, Any]) -> tuple[dt.date | None, dt.date | None]:
    try:
        parts = record["issued"]["date-parts"]
        return _span(parts[0])[0], _span(parts[-1])[1]
    except (KeyError, IndexError, TypeError, ValueError, OverflowError):
        return None, None


def _span(parts: Sequence[int]) -> tuple[dt.date, dt.date]:
    """First and last day of a year, a month or a day."""
    if len(parts) == 3:
        day = dt.date(parts[0], parts[1], parts[2])
        return day, day
    if len(parts) == 2:
        year, month = parts
        return dt.date(year, month, 1), dt.date(year, month, monthrange(year, month)[1])
    return dt.date(parts[0], 1, 1), dt.date(parts[0], 12, 31)
