"""Sense: where two texts with the same words say the reverse of each other: opposites, denials, changed places.

Each is looked for where it is bound to words that both texts have, so that "A is open and B is secret" isn't taken for
"A is secret and B is open".
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from qa.names import names
from qa.polarity import ALLOWED, CONVERSE, Cue, cues, denied_base, scopes
from qa.relation import Relation, Stem, Token, relations, tokens
from qa.words import Word, words

# Chosen on the tune split of evals/claims.jsonl.
_BOUND = 0.05  # how closely opposites must be bound to a word in common: 1 beside it in both texts, 1/16 four words off
_APART = 4  # words that a break between clauses counts as
_CLEARLY = 1.5  # and how much more closely than words that point the same way

_BREAK = re.compile(r"[,;:()]|(?<![A-Z])\.(?=\s)|\b(?:and|but|while|whereas|although|because)\b", re.IGNORECASE)
_UNLESS = re.compile(r"\b(?:unless|without|until|except)\b", re.IGNORECASE)
_EXCEPT = re.compile(
    r"\b(?:except(?:\s+for)?|excepting|excluding|apart\s+from|but\s+for|with\s+the\s+exception\s+of"
    r"|exception\s+(?:being|is|was|of))\s+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Difference:
    """What the draft has, and what the source has in its place."""

    draft: str
    source: str

    def to_dict(self) -> dict[str, str]:
        return {"draft": self.draft, "source": self.source}


@dataclass(frozen=True)
class Sense:
    """A text read for which way it points; `stem` takes a folded word's ending off."""

    text: str
    stem: Stem

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        return tokens(self.text, self.stem)

    @cached_property
    def keys(self) -> frozenset[str]:
        return frozenset(token.key for token in self.tokens)

    @cached_property
    def names(self) -> frozenset[str]:
        """The keys of the names in the text."""
        spans = {name.start for name in names(self.text) if not name.weak}
        return frozenset(token.key for token in self.tokens if token.start in spans)

    @cached_property
    def cues(self) -> tuple[Cue, ...]:
        """The words that point somewhere; not those in a name, South Korea, which are compared as names."""
        spans = [name for name in names(self.text) if not name.weak]
        return tuple(cue for cue in cues(self.text) if not any(n.start <= cue.start < n.end for n in spans))

    @cached_property
    def relations(self) -> tuple[Relation, ...]:
        return relations(self.text, self.tokens, self.stem)

    @cached_property
    def scopes(self) -> tuple[tuple[int, int], ...]:
        return scopes(self.text)

    @cached_property
    def excepted(self) -> dict[str, str]:
        """What the text leaves out of what it says, by its key."""
        after = (next((t for t in self.tokens if t.start >= m.end()), None) for m in _EXCEPT.finditer(self.text))
        return {token.key: self.text[token.start : token.end] for token in after if token}

    @cached_property
    def denied(self) -> frozenset[str]:
        """The keys of the words that a denial reaches over."""
        return frozenset(token.key for scope in self.scopes for token in self.inside(scope))

    @cached_property
    def stems(self) -> dict[str, Word]:
        """The words of the text by their stems, names' too."""
        return {self.stem(word.text): word for word in words(self.text)}

    @cached_property
    def prefixed(self) -> dict[str, Word]:
        """Words that deny another by a prefix, by the other's stem."""
        found = ((denied_base(word.text), word) for word in words(self.text))
        return {self.stem(base): word for base, word in found if base}

    def is_denied(self, start: int) -> bool:
        """Whether a denial reaches over an offset."""
        return any(a <= start < b for a, b in self.scopes)

    @cached_property
    def _starts(self) -> list[int]:
        return [token.start for token in self.tokens]

    @cached_property
    def _breaks(self) -> list[int]:
        return [match.start() for match in _BREAK.finditer(self.text)]

    def inside(self, scope: tuple[int, int]) -> list[Token]:
        """The words that a denial reaches over, without its own."""
        return [token for token in self.tokens if scope[0] < token.start < scope[1] and not self._of_denial(token)]

    def _of_denial(self, token: Token) -> bool:
        return bool(scopes(f"{self.text[token.start : token.end]} x")) or self.text[token.start : token.end] == "longer"

    def said(self, start: int, end: int) -> str:
        """A stretch of the text with the word before and after it."""
        around = [t for t in self.tokens if t.end <= start][-1:] + [t for t in self.tokens if t.start >= end][:1]
        a, b = min([start, *(t.start for t in around)]), max([end, *(t.end for t in around)])
        return " ".join(self.text[a:b].split())

    def bound(self, start: int) -> dict[str, float]:
        """How closely each word is bound to the one at an offset: 1 beside it, less with all that stands between."""
        at = bisect_left(self._starts, start)
        itself = at < len(self.tokens) and self.tokens[at].start == start
        breaks = bisect_left(self._breaks, start)
        out: dict[str, float] = {}
        for i, token in enumerate(self.tokens):
            apart = at - i if i < at else i - at + (0 if itself else 1)
            if apart:
                between = abs(breaks - bisect_left(self._breaks, token.start))
                out[token.key] = max(out.get(token.key, 0.0), 1 / (apart + _APART * between))
        return out

    def on(self, axis: int) -> list[Cue]:
        """The words that point somewhere on an axis."""
        return [cue for cue in self.cues if cue.axis == axis]

    def leaning(self, both: Sequence[Cue]) -> dict[str, bool]:
        """For each word that is clearly bound more closely to the cues of one pole, whether it's the first pole."""
        near: dict[int, dict[str, float]] = {1: {}, -1: {}}
        for cue in both:
            for key, value in self.bound(cue.start).items():
                near[cue.pole][key] = max(near[cue.pole].get(key, 0.0), value)
        starts = {token.key for token in self.tokens if any(cue.start == token.start for cue in both)}
        pairs = {key: (near[1][key], near[-1].get(key, 0.0)) for key in near[1] if key not in starts}
        return {key: a > b for key, (a, b) in pairs.items() if max(a, b) > _CLEARLY * min(a, b)}

    def subject(self, start: int) -> str | None:
        """The key of the word before an offset, in its clause."""
        before = [token for token in self.tokens if token.end <= start]
        broken = before and any(before[-1].end <= at < start for at in self._breaks)
        return before[-1].key if before and not broken else None


def differences(mine: Sense, theirs: Sense) -> list[Difference]:
    """Where a statement (`mine`) and a sentence of a source say the reverse of each other."""
    changed, agreed = _relations(mine, theirs)
    out = [*changed, *_opposites(mine, theirs, agreed), *_prefixed(mine, theirs)]
    return [*out, *_denials(mine, theirs), *_exceptions(mine, theirs)]


def unaffirmed(mine: Sense, theirs: Sense) -> str | None:
    """What a statement denies and a sentence says nothing of, if it denies nothing itself; None if there is no such."""
    if not mine.scopes or theirs.scopes or any(cue.pole < 0 for cue in theirs.cues) or _UNLESS.search(mine.text):
        return None
    return mine.text[slice(*mine.scopes[0])].strip()


def _relations(mine: Sense, theirs: Sense) -> tuple[list[Difference], list[Relation]]:
    """Sides that have changed places, and the relations of the statement that the sentence has too."""
    changed, agreed = [], []
    for one in mine.relations:
        met = [(-1 if _by_another(one, other, mine, theirs) else one.meets(other), other) for other in theirs.relations]
        if any(way > 0 for way, _ in met):
            agreed.append(one)
        elif other := next((other for way, other in met if way < 0), None):
            changed.append(Difference(mine.said(one.start, one.end), theirs.said(other.start, other.end)))
    return changed, agreed


def _by_another(one: Relation, other: Relation, mine: Sense, theirs: Sense) -> bool:
    """Whether the sentence names another doer of the same deed, and nowhere the statement's."""
    if not one.is_deed(other) or not one.second & other.second or not other.first & theirs.names:
        return False
    doer = {part for key in one.first & mine.names for part in key.split()}
    return bool(doer) and not any(doer & set(key.split()) for key in theirs.keys)


def _opposites(mine: Sense, theirs: Sense, agreed: Sequence[Relation]) -> Iterator[Difference]:
    """Words at two ends of an axis, bound to the same words."""
    for axis in dict.fromkeys(cue.axis for cue in mine.cues):
        here, there = mine.on(axis), theirs.on(axis)
        if all(len({cue.pole for cue in side}) == 2 for side in (here, there)):
            yield from _contrast(mine, theirs, here, there)
            continue
        for cue in here:
            if not any(each.start <= cue.start < each.end for each in agreed):
                yield from _opposite(mine, theirs, cue, there)


def _opposite(mine: Sense, theirs: Sense, cue: Cue, there: Sequence[Cue]) -> Iterator[Difference]:
    """The word that points the other way, if it is bound to the cue's words more closely than one that agrees."""
    here, best, against = mine.bound(cue.start), {1: 0.0, -1: 0.0}, None
    for other in there:
        way = 1 if other.pole == cue.pole else -1
        if way < 0 and (cue.denied or other.denied) and cue.axis != ALLOWED:
            continue  # a denied word isn't its opposite
        if cue.axis in CONVERSE and mine.subject(cue.start) != theirs.subject(other.start):
            continue
        near = _nearness(here, theirs.bound(other.start))
        if near > best[way]:
            best[way] = near
            against = other if way < 0 else against
    if against and best[-1] > _BOUND and best[-1] > _CLEARLY * best[1]:
        yield Difference(cue.text, against.text)


def _contrast(mine: Sense, theirs: Sense, here: Sequence[Cue], there: Sequence[Cue]) -> Iterator[Difference]:
    """Two things at two ends of an axis in both texts: words that go with one here and with the other there."""
    sides = mine.leaning(here), theirs.leaning(there)
    stay = [sides[0][key] == sides[1][key] for key in sides[0].keys() & sides[1].keys()]
    if stay.count(False) > _CLEARLY * stay.count(True):
        yield Difference(here[0].text, next(cue.text for cue in there if cue.pole != here[0].pole))


def _nearness(here: dict[str, float], there: dict[str, float]) -> float:
    return sum(here[key] * there[key] for key in here.keys() & there.keys())


def _prefixed(mine: Sense, theirs: Sense) -> Iterator[Difference]:
    """A word of one text that stands in the other with a prefix which denies it."""
    for one, other in ((mine, theirs), (theirs, mine)):
        for base, word in one.prefixed.items():
            against = other.stems.get(base)
            if against and base not in one.stems and one.is_denied(word.start) == other.is_denied(against.start):
                pair = one.text[word.start : word.end], other.text[against.start : against.end]
                yield Difference(*(pair if one is mine else pair[::-1]))


def _denials(mine: Sense, theirs: Sense) -> Iterator[Difference]:
    """What one text denies and the other says of the same words."""
    if mine.cues and any(cue.denied and cue.axis == ALLOWED for cue in theirs.cues):
        return
    if scope := _denied_alone(mine, theirs):
        yield Difference(mine.text[slice(*scope)].strip(), "")
    if scope := _denied_alone(theirs, mine):
        yield Difference("", theirs.text[slice(*scope)].strip())


def _denied_alone(one: Sense, other: Sense) -> tuple[int, int] | None:
    """The first denial of a text that the other text affirms: its words stand there and none of them is denied."""
    for scope in one.scopes:
        inside = [token.key for token in one.inside(scope)]
        shared = {key for key in inside if key in other.keys}
        turned = [cue for cue in one.cues if cue.denied and scope[0] <= cue.start < scope[1]]
        if any(c.axis == cue.axis and c.pole == cue.pole for cue in turned for c in other.cues):
            continue  # "not shut" is "open"
        if any(a < scope[0] < b for a, b in one.scopes) or _UNLESS.search(one.text, scope[0] + 1):
            continue  # "not without" is a condition
        if (len(shared) >= 2 or (shared and shared == set(inside))) and not shared & other.denied:
            return scope
    return None


def _exceptions(mine: Sense, theirs: Sense) -> Iterator[Difference]:
    """What a statement leaves out, and the sentence leaves something else out."""
    if mine.excepted and theirs.excepted and not mine.excepted.keys() & theirs.excepted.keys():
        yield Difference(next(iter(mine.excepted.values())), next(iter(theirs.excepted.values())))
