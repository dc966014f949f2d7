"""Claim: what the sources say to a statement: the sentences that come nearest, and what they have otherwise.

A statement is looked up by words and by vector; each sentence found is read against it word by word. Numbers, dates and
names must be met exactly, so that no likeness of wording hides a wrong one; opposites and denials are compared too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from qa import tokens
from qa.citation import Citation, cite
from qa.encoder import TextEncoder
from qa.generation import Generation
from qa.judge import Claim, TextJudge
from qa.lexicon import Ranges
from qa.names import Name, aliases, bearers, canon, names, present
from qa.polarity import cues, scopes
from qa.search import candidates
from qa.source import Source
from qa.values import Mention, admits, mentions
from qa.words import FUNCTION_WORDS, Word, without_quotes, words

# Chosen on the tune split of evals/claims.jsonl.
SUPPORTED = 0.57  # share of a statement's words, by rarity, that a sentence must meet to support it
OPPOSED = 0.55  # and to contradict it
PARTLY = 0.45  # from here on, a part of it is met
JUDGED = 0.5  # a judge's probability that counts

_DEPTH = 40
_PASSAGES = 8
_SENTENCES = 6
_LIKE, _SAME = 0.35, 0.8  # cosines of token vectors: below, a word isn't met; above, it is
# A sentence's first word that is a name rather than any noun: something is said of it at once.
_SUBJECT = re.compile(
    r"\w+(?<!tion)(?<!ment)(?<!ness)(?<!ity)(?<!ing)(?<!ly)(?<!ism)(?<!s)\s+(?:is|was|has|had|\w+ed)\b"
)
_UNLESS = re.compile(r"\b(?:unless|without|until|except)\b", re.IGNORECASE)
_LINKS = frozenset(("", *"in of on at for by to from and or the with as after before".split()))
_ALLOWED = next(cue.axis for cue in cues("allowed"))
_QUERY_CHARS = 1_500
_REPORTING = frozenset(
    "document author authors guide says say said according writes states yoho holds thinks notes".split()
)


@dataclass(frozen=True, slots=True)
class Difference:
    """What the draft has, and what the source has in its place."""

    draft: str
    source: str

    def to_dict(self) -> dict[str, str]:
        return {"draft": self.draft, "source": self.source}


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
        if self.differences or self.unmet:
            return False
        if self.judged:
            return self.judged.supports >= JUDGED and self.judged.contradicts < JUDGED
        return self.met >= SUPPORTED

    @property
    def contradicts(self) -> bool:
        if self.judged and self.judged.contradicts >= JUDGED:
            return True
        return bool(self.differences) and self.met >= OPPOSED


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
    judged: Sequence[Claim | None] = [None] * len(best)
    if judge and best:
        judged = judge.weigh(text, [source.text[a:b] for _, source, a, b, _ in best])
    return [
        Reading(source, a, b, met, *_compare(statement, source.text[a:b], whole, known, match), judged=claim)
        for (met, source, a, b, whole), claim in zip(best, judged, strict=True)
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
    """How much of a statement's words a sentence meets, by stem, by name or by likeness, weighed by their rarity."""

    def __init__(self, generation: Generation, statement: Statement, query: str, offsets: Any) -> None:
        self._lexicon = generation.lexicon
        content = [w for w in words(query) if w.text not in FUNCTION_WORDS and w.text not in _REPORTING]
        self.words = content or list(words(query))
        self.stems = self._lexicon.stems(w.text for w in self.words)
        rarity = self._lexicon.rarity(" ".join(w.text for w in self.words))
        most = max(rarity.values(), default=1.0) or 1.0
        self._weights = np.array([0.25 + rarity.get(w.text, most) / most for w in self.words])
        self._columns = [[i for i, at in enumerate(offsets) if w.start <= at < w.end] for w in self.words]
        self._statement = statement

    def stemmed(self, text: str) -> set[str]:
        """The stems of a text's content words."""
        return set(self._lexicon.stems(w.text for w in words(text) if w.text not in FUNCTION_WORDS))

    def met(self, sentence: str, similarity: Any) -> float:
        there = self.stemmed(sentence)
        known = bearers(sentence)
        best = similarity.max(axis=0) if len(similarity) else np.zeros(1)
        total = 0.0
        for word, stem, columns, weight in zip(self.words, self.stems, self._columns, self._weights, strict=True):
            if stem in there or canon(word.text) in known:
                total += weight
                continue
            likeness = float(np.mean([best[i] for i in columns if i < len(best)] or [0.0]))
            total += weight * min(max((likeness - _LIKE) / (_SAME - _LIKE), 0.0), 1.0)
        return float(total / self._weights.sum())


def _compare(
    statement: Statement, sentence: str, around: str, known: dict[str, str], match: _Match
) -> tuple[tuple[Difference, ...], tuple[str, ...]]:
    """What a sentence has otherwise than a statement, and which of the statement's values and names it lacks."""
    differences, unmet = _values(statement, sentence, around)
    more, lacking = _names(statement, sentence, around, known)
    differences += more + _directions(statement.text, sentence) + _denials(statement.text, sentence, match)
    differences += _roles(statement, sentence)
    denied = scopes(statement.text)
    affirmed = not scopes(sentence) and not any(cue.pole < 0 for cue in cues(sentence))
    if denied and affirmed and not differences and not _UNLESS.search(statement.text):
        lacking = [*lacking, statement.text[slice(*denied[0])].strip()]
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


def _directions(text: str, sentence: str) -> list[Difference]:
    mine, theirs = cues(text), cues(sentence)
    out = []
    for cue in mine:
        same = [c for c in theirs if c.axis == cue.axis and c.pole == cue.pole]
        opposite = [c for c in theirs if c.axis == cue.axis and c.pole != cue.pole]
        both = any(c.axis == cue.axis and c.pole != cue.pole for c in mine)
        if opposite and not same and not both and (not (cue.denied or opposite[0].denied) or cue.axis == _ALLOWED):
            out.append(Difference(cue.text, opposite[0].text))
    return out


def _denials(text: str, sentence: str, match: _Match) -> list[Difference]:
    mine, theirs = scopes(text), scopes(sentence)
    if _UNLESS.search(text) or (cues(text) and any(cue.denied and cue.axis == _ALLOWED for cue in cues(sentence))):
        return []
    denied_here = set().union(*(match.stemmed(text[a:b]) for a, b in mine)) if mine else set()
    denied_there = set().union(*(match.stemmed(sentence[a:b]) for a, b in theirs)) if theirs else set()
    both = match.stemmed(text) & match.stemmed(sentence)
    if mine and not theirs and denied_here & both:
        a, b = mine[0]
        return [Difference(text[a:b].strip(), "")]
    if theirs and not mine and len(denied_there & both) >= 2:
        a, b = theirs[0]
        return [Difference("", sentence[a:b].strip())]
    return []


def _roles(statement: Statement, sentence: str) -> list[Difference]:
    """Two names that have changed places around a word that both sentences have: who did it to whom."""
    mine, theirs = _around(statement.text, statement.names), _around(sentence, names(sentence))
    for word in mine.keys() & theirs.keys():
        (a, b), (c, d) = mine[word], theirs[word]
        if a.key == d.key != b.key == c.key:
            return [Difference(f"{a.text} {word} {b.text}", f"{c.text} {word} {d.text}")]
    return []


def _around(text: str, found: Sequence[Name]) -> dict[str, tuple[Name, Name]]:
    """For each verb-like word, the nearest names before and after it; a passive turns them round."""
    out = {}
    for word in words(text):
        if not word.text.endswith(("ed", "to")) and word.text not in ("fought", "beat", "won", "overtook", "left"):
            continue
        before = [n for n in found if word.start - 40 <= n.end <= word.start]
        after = [n for n in found if word.end <= n.start <= word.end + 25]
        if before and after:
            pair = (before[-1], after[0])
            passive = text[word.end : after[0].start].split()[:1] == ["by"]
            out[word.text] = pair[::-1] if passive else pair
    return out
