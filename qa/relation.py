"""Relation: which of two things comes first, is more, acts on the other, or is left for it; and in what text.

"A before B" is "B after A", "A is larger than B" is "B is smaller than A", "A invaded B" is "B was invaded by A": two
texts say the same if their sides meet straight, and the reverse if they meet crosswise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from qa.names import names
from qa.polarity import axes_of, scopes
from qa.words import FUNCTION_WORDS, words

Stem = Callable[[str], str]

_ORDER = re.compile(
    r"\b(?P<before>before|prior\s+to|ahead\s+of|earlier\s+than|preced(?:es?|ed|ing)(?!\s+by)|followed\s+by)\b"
    r"|\b(?:after|follow(?:s|ed|ing)?(?!\s+by)|later\s+than|preceded\s+by)\b",
    re.I,
)
_THAN = re.compile(r"\bthan\b(?!\s+(?:\d|(?:one|two|three|four|five|six|seven|eight|nine|ten|half|usual)\b))", re.I)
_NONE = re.compile(r"\b(?:no|none|nothing|nobody|never|not)\b", re.I)
_COMPARATIVE = re.compile(r"\b(?:more|less|fewer|better|worse|\w{2,}er)\b", re.I)
_CHOICE = re.compile(r"\b(?:rather\s+than|instead\s+of)\b|,\s+(?:and\s+)?not\b(?!\s+only)", re.I)
_FROM = re.compile(r"\bfrom\b", re.I)
_TO = re.compile(r"\b(?:to|into)\b", re.I)
_POSSESSIVE = re.compile(r"['’]s?\s+(?P<noun>[a-z]{4,})\s+(?:of|on|against|over)\b")
_BE = re.compile(
    r"\b(?:am|is|are|was|were|be|been|being|got)\s+(?:\w+ly\s+|not\s+|never\s+|also\s+|first\s+|then\s+)*$"
)
_BY = re.compile(r"^[^,;:()]{0,40}?\bby\b")
_DETERMINED = re.compile(r"\s+(?:(?:the|an?|its|their|his|her|all|every)\b|[A-Z])")
# Verbs whose past isn't told by an ending: the past, and the participle if it is another.
_PAST = {
    form: forms.split()[0]
    for forms in (
        "beat beaten|won|left|led|gave given|sold|bought|built|taught|told|paid|sent|brought|caught|"
        "found|held|hit|kept|lent|lost|sank sunk|saw seen|shot|struck|took taken|overtook overtaken|"
        "overthrew overthrown|threw thrown|wrote written|chose chosen|drove driven|began begun|made|cut|"
        "fed|hid hidden|put|read|rode ridden|set|broke broken|stole stolen|ate eaten|drew drawn|wore "
        "worn|tore torn|forgave forgiven|bore borne|bound|burnt|dealt|dug|hung|sought"
    ).split("|")
    for form in forms.split()
}
# What one does with another, the other does too: who is named first says nothing.
_MUTUAL = re.compile(
    r"(?:met|fought|sign|agre|cooper|collabor|negoti|trad|talk|shar|normal|border|marri|separat|connect|link|join|unit|alli"
    r"|divid|differ|compar|exchang|resembl|match|equal|conclud|restor|establish|nam|call|document|base)\w*"
)
_SENTENCE = r"[;:()]|(?<![A-Z])\.(?=\s|$)"
_WIDE = re.compile(_SENTENCE)
_NARROW = re.compile(
    rf"{_SENTENCE}|,|\b(?:and|but|while|whereas|which|who|that|when|because|although|as|after|before|until|if|so)\b",
    re.I,
)
_PHRASE = re.compile(rf"{_NARROW.pattern}|\b(?:from|to|into|in|on|at|by|with|for|during|under)\b", re.I)


@dataclass(frozen=True, slots=True)
class Token:
    """A content word, or a whole name, in the form it is compared in, and the half-open range it stands in."""

    key: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Relation:
    """Two sides of a text by their words' keys: `first` is earlier, more, the actor, the start or what is chosen.

    [start, end) are the words that say so; `kind` is what holds between the sides.
    """

    kind: str
    first: frozenset[str]
    second: frozenset[str]
    start: int
    end: int

    def meets(self, other: Relation) -> int:
        """1 if the sides of another relation are the same ones, -1 if they have changed places, 0 if neither."""
        if not _same_kind(self.kind, other.kind):
            return 0
        straight = len(self.first & other.first) * len(self.second & other.second)
        crossed = len(self.first & other.second) * len(self.second & other.first)
        return (straight > crossed) - (crossed > straight)

    def is_deed(self, other: Relation) -> bool:
        """Whether both tell the same deed, whoever did it."""
        return self.kind.startswith("deed ") and _same_kind(self.kind, other.kind)


def tokens(text: str, stem: Stem) -> tuple[Token, ...]:
    """The content words of a text in order; a name is one token, whatever name its bearer goes by."""
    spans = [name for name in names(text) if not name.weak]
    out: list[Token] = []
    for word in words(text):
        name = next((each for each in spans if each.start <= word.start < each.end), None)
        if name and (not out or out[-1].start != name.start):
            out.append(Token(name.key if " " in name.key else stem(name.key), name.start, name.end))
        elif not name and word.text not in FUNCTION_WORDS:
            out.append(Token(stem(word.text), word.start, word.end))
    return tuple(out)


def relations(text: str, found: Sequence[Token], stem: Stem) -> tuple[Relation, ...]:
    """All relations of a text; a denied one is none."""
    denied = scopes(text)
    every = [*_orders(text, found), *_comparisons(text, found, stem), *_ways(text, found), *_deeds(text, found, stem)]
    kept = [each for each in every if not any(a <= each.start < b for a, b in denied)]
    return tuple(each for each in [*kept, *_choices(text, found)] if each.first and each.second)


def _same_kind(a: str, b: str) -> bool:
    """Whether two kinds are one; deeds are by their first letters, as "invasion" is what "invaded" tells."""
    if a == b or not (a.startswith("deed ") and b.startswith("deed ")):
        return a == b
    a, b = a[5:], b[5:]
    common = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return common >= max(4, max(len(a), len(b)) - 2)


def _left(text: str, found: Sequence[Token], at: int, most: int, stops: re.Pattern[str]) -> frozenset[str]:
    """The keys of the `most` tokens nearest before an offset, back to a stop."""
    stop = max((m.end() for m in stops.finditer(text, 0, at)), default=0)
    return frozenset(token.key for token in [t for t in found if stop <= t.start and t.end <= at][-most:])


def _right(text: str, found: Sequence[Token], at: int, most: int, stops: re.Pattern[str]) -> frozenset[str]:
    """The keys of the `most` tokens nearest after an offset, up to a stop."""
    match = stops.search(text, at)
    stop = match.start() if match else len(text)
    return frozenset(token.key for token in [t for t in found if at <= t.start < stop][:most])


def _orders(text: str, found: Sequence[Token]) -> Iterator[Relation]:
    for match in _ORDER.finditer(text):
        then = _right(text, found, match.end(), 5, _NARROW)
        main = _left(text, found, match.start(), 6, _WIDE)
        comma = text.find(",", match.end())
        if not main:  # "After B, A": the main clause follows; without a comma, where it starts can't be told
            main = _right(text, found, comma, 6, _WIDE) if comma > 0 else frozenset()
        sides = (main, then) if match["before"] else (then, main)
        yield Relation("order", *sides, match.start(), match.end())


def _comparisons(text: str, found: Sequence[Token], stem: Stem) -> Iterator[Relation]:
    for match in _THAN.finditer(text):
        stop = max((m.end() for m in _NARROW.finditer(text, 0, match.start())), default=0)
        words = list(_COMPARATIVE.finditer(text, stop, match.start()))
        known = [word for word in words if axes_of(word.group().casefold())] or words
        if not known or _NONE.search(text, stop, match.start()):  # "none is larger than this" is another thing
            continue
        word = known[-1]
        folded = word.group().casefold()
        axis, pole = next(iter(axes_of(folded)), (stem(folded), 1))
        one = frozenset(t.key for t in found if stop <= t.start < match.start() and t.start != word.start())
        other = _right(text, found, match.end(), 4, _NARROW)
        yield Relation(f"than {axis}", *((one, other) if pole > 0 else (other, one)), word.start(), match.end())


def _choices(text: str, found: Sequence[Token]) -> Iterator[Relation]:
    for match in _CHOICE.finditer(text):
        chosen = _left(text, found, match.start(), 3, _NARROW)
        yield Relation("choice", chosen, _right(text, found, match.end(), 3, _NARROW), match.start(), match.end())


def _ways(text: str, found: Sequence[Token]) -> Iterator[Relation]:
    for match in _FROM.finditer(text):
        before = list(_TO.finditer(text, max(0, match.start() - 60), match.start()))[-1:]
        after = list(_TO.finditer(text, match.end(), match.end() + 60))[:1]
        for to in [*before, *after]:
            a, b = sorted((match.start(), to.start()))
            if not _WIDE.search(text, a, b):
                start = _right(text, found, match.end(), 2, _PHRASE)
                yield Relation("way", start, _right(text, found, to.end(), 2, _PHRASE), a, b + 2)


def _deeds(text: str, found: Sequence[Token], stem: Stem) -> Iterator[Relation]:
    for token in found:
        word = text[token.start : token.end]
        present = word.endswith("s") and _DETERMINED.match(text, token.end)
        if not word.islower() or not (word in _PAST or (word.endswith("ed") and len(word) > 4) or present):
            continue
        if _MUTUAL.fullmatch(word):
            continue
        kind, one = f"deed {_PAST.get(word) or stem(word)}", _left(text, found, token.start, 3, _NARROW)
        by = _BY.match(text[token.end : token.end + 50])
        passive = _BE.search(text[max(0, token.start - 50) : token.start])
        if by and (passive or not by.group()[:-2].strip()):
            doer = _right(text, found, token.end + by.end(), 3, _NARROW)
            yield Relation(kind, doer, one, token.start, token.end)
        elif not passive:
            yield Relation(kind, one, _right(text, found, token.end, 3, _NARROW), token.start, token.end)
    for match in _POSSESSIVE.finditer(text):
        doer, done = _left(text, found, match.start(), 1, _NARROW), _right(text, found, match.end(), 2, _NARROW)
        if not _MUTUAL.fullmatch(match["noun"]):
            yield Relation(f"deed {stem(match['noun'])}", doer, done, *match.span("noun"))
