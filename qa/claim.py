"""Claim: what the sources say to a statement: the sentences that come nearest, and what they have otherwise.

A statement is looked up by words and by vector; each sentence found is read against it word by word. Numbers, dates and
names must be met exactly, so that no likeness of wording hides a wrong one; opposites and denials are compared too. The
judge reads what passes all that, as the same words can be put so that they say another thing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import takewhile, zip_longest
from typing import Any

import numpy as np

from qa import sense, tokens
from qa.citation import Citation, cite
from qa.encoder import TextEncoder
from qa.generation import Generation
from qa.judge import Claim, TextJudge
from qa.lexicon import Ranges
from qa.matching import Match
from qa.names import Name, aliases, names, present
from qa.search import candidates
from qa.sense import Difference, Sense
from qa.source import Source
from qa.values import Mention, admits, mentions
from qa.words import FUNCTION_WORDS, Word, without_quotes, words

# Chosen on the tune split of evals/claims.jsonl.
SUPPORTED = 0.57  # share of a statement's words, by rarity, that a sentence must meet to support it
OPPOSED = 0.55  # and to contradict it
PARTLY = 0.45  # from here on, a part of it is met
# Chosen on that and on statements about the development passages of training/written.jsonl.
DOUBTED = 0.85  # a judge's probability of a contradiction from which a sentence doesn't count as support

_DEPTH = 40
_PASSAGES = 8
_SENTENCES = 6
# A sentence's first word that is a name rather than any noun: something is said of it at once.
_SUBJECT = re.compile(
    r"\w+(?<!tion)(?<!ment)(?<!ness)(?<!ity)(?<!ing)(?<!ly)(?<!ism)(?<!s)\s+(?:is|was|has|had|\w+ed)\b"
)
_LINKS = frozenset(("", *"in of on at for by to from and or the with as after before".split()))
_QUERY_CHARS = 1_500
_REPORTING = frozenset(
    "document author authors guide says say said according writes states yoho holds thinks notes".split()
)


@dataclass(frozen=True)
class Statement:
    """A statement read once: its words, values, names and the way it points."""

    text: str

    @cached_property
    def words(self) -> list[Word]:
        return [word for word in words(self.text) if word.text not in FUNCTION_WORDS]

    @cached_property
    def values(self) -> tuple[Mention, ...]:
        return mentions(self.text)

    @cached_property
    def names(self) -> tuple[Name, ...]:
        return names(self.text)


@dataclass(frozen=True, slots=True)
class Reading:
    """A sentence of a source beside a statement: how much of it is met, what differs, and what is nowhere."""

    source: Source
    start: int
    end: int
    met: float
    differences: tuple[Difference, ...] = ()
    unmet: tuple[str, ...] = ()
    judged: Claim | None = None

    @property
    def citation(self) -> Citation:
        return cite(self.source, self.start, self.end)

    @property
    def supports(self) -> bool:
        return self._meets and not self._denied

    @property
    def doubted(self) -> bool:
        """Whether it supports the statement by its words, and not as the judge reads it."""
        return self._meets and self._denied

    @property
    def _meets(self) -> bool:
        return self.met >= SUPPORTED and not self.differences and not self.unmet

    @property
    def contradicts(self) -> bool:
        return bool(self.differences) and self.met >= OPPOSED

    @property
    def _denied(self) -> bool:
        return self.judged is not None and self.judged.contradicts >= DOUBTED


def read(
    generation: Generation,
    encoder: TextEncoder,
    text: str,
    judge: TextJudge | None = None,
    within: Ranges | None = None,
) -> list[Reading]:
    """The sentences that come nearest to a statement, best first, each compared with it; none for no words.

    `within` are ranges of passage numbers to look among; all if None.
    """
    query = _query(text, encoder)
    statement = Statement(text)
    if not query or not statement.words:
        return []
    asked = encoder.encode(query, "question")
    chosen = candidates(generation, asked, query, _DEPTH, within)[:_PASSAGES]
    stored = [generation.token_codes(each.number) for each in chosen]
    question = tokens.rotate(asked.tokens, generation.vectors.rotation)
    matrices = tokens.similarities([codes for codes, _ in stored], question)
    match = _Match(generation, statement, query, asked.starts)
    readings = []
    for each, (_, parts), similarity in zip(chosen, stored, matrices, strict=True):
        source, passage = generation.texts.passage(each.number)
        around = " ".join(
            [source.text[passage.start : passage.end], *source.locate(passage.start, passage.end).sections]
        )
        whole = f"{around} {source.record.get('title', '')}"
        for part in parts:
            if part.first < part.last:
                met = match.met(source.text[part.start : part.end], similarity[part.first : part.last])
                readings.append((met, source, part.start, part.end, whole))
    readings.sort(key=lambda r: (-round(r[0], 9), r[1].id, r[2]))
    best = _distinct(readings)[:_SENTENCES]
    known = {short: long for _, source, _, _, whole in best for short, long in aliases(whole).items()}
    meeting = takewhile(lambda reading: reading[0] >= SUPPORTED, best)  # of the others it could take nothing away
    near = [(text, source.text[a:b]) for _, source, a, b, _ in meeting]
    judged = judge.weigh(near) if judge and near else []
    return [
        Reading(source, a, b, met, *_compare(statement, source.text[a:b], whole, known, match), judged=claim)
        for (met, source, a, b, whole), claim in zip_longest(best, judged)
    ]


def _distinct(readings: list[Any]) -> list[Any]:
    """Without the sentences that overlapping passages give twice."""
    seen: set[tuple[str, int]] = set()
    out = []
    for reading in readings:
        key = (reading[1].id, reading[2])
        if key not in seen:
            seen.add(key)
            out.append(reading)
    return out


def _query(text: str, encoder: TextEncoder) -> str:
    """A statement as the encoder can read it: without quotation marks, and cut where it is too long."""
    query = " ".join(without_quotes(text)[:_QUERY_CHARS].split()).replace('"', " ")
    query = "".join(" " if c in "“”„«»" or "\ud800" <= c <= "\udfff" else c for c in query)
    while query and encoder.count(query, "question") > encoder.spec.max_tokens:
        query = query[: len(query) * 3 // 4]
    return query


class _Match:
    """How much of a statement's words a sentence meets, weighed by their rarity, and which way both point."""

    def __init__(self, generation: Generation, statement: Statement, query: str, offsets: Any) -> None:
        content = [w for w in words(query) if w.text not in FUNCTION_WORDS and w.text not in _REPORTING]
        self._match = Match(generation.lexicon, content or list(words(query)), offsets)
        self._stem = lru_cache(maxsize=2**12)(lambda word: generation.lexicon.stems([word])[0])
        self.statement = self.sense(statement.text[:_QUERY_CHARS])

    def sense(self, text: str) -> Sense:
        """A text read for which way it points."""
        return Sense(text, self._stem)

    def met(self, sentence: str, similarity: Any) -> float:
        best = similarity.max(axis=0) if len(similarity) else np.zeros(1, dtype=np.float32)
        return self._match.share(self._match.met(sentence, best))


def _compare(
    statement: Statement, sentence: str, around: str, known: dict[str, str], match: _Match
) -> tuple[tuple[Difference, ...], tuple[str, ...]]:
    """What a sentence has otherwise than a statement, and which of the statement's values and names it lacks."""
    differences, unmet = _values(statement, sentence, around)
    more, lacking = _names(statement, sentence, around, known)
    theirs = match.sense(sentence)
    differences += more + sense.differences(match.statement, theirs)
    if not differences and (denied := sense.unaffirmed(match.statement, theirs)):
        lacking = [*lacking, denied]
    return tuple(dict.fromkeys(differences)), (*unmet, *lacking)


def _values(statement: Statement, sentence: str, around: str) -> tuple[list[Difference], list[str]]:
    there = mentions(sentence)
    free = [value for value in there if not any(admits(value, mine) for mine in statement.values)]
    years = [value.low for value in [*there, *mentions(around)] if value.kind == "date" and value.low]
    differences, unmet = [], []
    for mine in statement.values:
        if any(admits(mine, value) for value in there) or _derived(mine, years):
            continue
        others = [value for value in free if _rivals(mine, value)]
        if others:
            other = min(others, key=lambda value: (value.unit != mine.unit, abs(value.low - mine.low), value.start))
            differences.append(Difference(mine.text, other.text))
        elif not any(admits(mine, value) for value in mentions(around)):
            unmet.append(mine.text)
    return differences, unmet


def _rivals(a: Mention, b: Mention) -> bool:
    """Whether one value could stand in the other's place."""
    return a.kind == b.kind and (a.unit == b.unit or (not a.unit or not b.unit)) and (a.low > 0) == (b.low > 0)


def _derived(value: Mention, years: Sequence[float]) -> bool:
    """Whether a number of years lies between two dates of the source."""
    return value.unit == "year" and any(abs(a - b) == value.low for a in years for b in years)


def _names(
    statement: Statement, sentence: str, around: str, known: dict[str, str]
) -> tuple[list[Difference], list[str]]:
    theirs = [name for name in names(sentence) if not name.weak and not present(name, statement.text, known)]
    differences, unmet = [], []
    for name in statement.names:
        if present(name, sentence, known):
            continue
        rival = next((other for other in theirs if _alike(name, other)), theirs[0] if theirs else None)
        same_place = next((other for other in theirs if _same_next_word(statement.text, name, sentence, other)), None)
        if name.weak and not same_place:
            if _SUBJECT.match(statement.text, name.start) and name.text.casefold() not in around.casefold():
                differences += [Difference(name.text, rival.text)] if rival else []
                unmet += [] if rival else [name.text]
        elif same_place:
            differences.append(Difference(name.text, same_place.text))
        elif not present(name, around, known):
            differences += [Difference(name.text, rival.text)] if rival else []
            unmet += [] if rival else [name.text]
    return differences, unmet


def _alike(a: Name, b: Name) -> bool:
    """Whether two names share a word, as Fifth Fleet and Seventh Fleet do."""
    return bool(set(a.key.split()) & set(b.key.split()))


def _same_next_word(text: str, name: Name, sentence: str, other: Name) -> bool:
    def after(whole: str, at: int) -> str:
        return next((w.text for w in words(whole[at : at + 40])), "")

    return after(text, name.end) == after(sentence, other.end) not in _LINKS
