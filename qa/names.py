"""Names in a text: runs of capitalised words and acronyms, and the other names that the same bearer goes by.

Offsets are half-open ranges of code points of the text given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from qa.words import FUNCTION_WORDS, fold, words

# A state, its people and its capital are one bearer: writers say "Seoul" for the South Korean government.
_STATES = """
us|usa|united states|united states of america|america|american|americans|washington|white house
south korea|south korean|south koreans|rok|republic of korea|seoul
north korea|north korean|north koreans|dprk|pyongyang
korea|koreas|korean|koreans|korean peninsula
japan|japanese|tokyo|goj
china|chinese|prc|peoples republic of china|beijing
russia|russian|russians|moscow
soviet union|soviet|soviets|ussr
taiwan|taiwanese|taipei|republic of china
united kingdom|uk|britain|british|great britain|london
germany|german|germans|berlin
france|french|paris
philippines|philippine|filipino|manila
vietnam|vietnamese|hanoi
iran|iranian|tehran
india|indian|indians|new delhi
australia|australian|australians|canberra
united nations|un
wwii|ww2|world war ii|world war two|second world war
wwi|first world war|world war i
sdf|self defense forces|self defense force|self defence forces|self defence force
asia|asian|asians
"""
_CANON = {name: line.split("|")[0] for line in _STATES.split("\n") if line for name in line.split("|")}
CAPITALS = frozenset(
    "washington|seoul|pyongyang|tokyo|beijing|moscow|taipei|london|berlin|paris|manila|hanoi|tehran|new delhi|canberra"
    .split("|")
)  # fmt: skip
_TITLES = frozenset(
    "president prime minister mr mrs ms dr congressman senator general former late professor article treaty".split()
)
_NOT_NAMES = (
    frozenset(
        """january february march april may june july august september october november december monday tuesday wednesday
    thursday friday saturday sunday article section chapter footnote although while because since after before when
    under by in on at both most many some two three four five six seven eight nine ten until once thanks according
    despite during here there however no not nothing also yet still i ii iii iv v vi vii viii ix x xi xii xiii my eleven twelve
    thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety""".split()
    )
    | FUNCTION_WORDS
)

_CAP = r"(?:[A-Z]\.){2,}|[^\W\d_a-z][\w’'–-]*"
_RUN = re.compile(rf"(?:{_CAP})(?:(?:\s+(?:of|and|for|de|von|the)){{0,2}}\s+(?:{_CAP}))*")
_PARTS = re.compile(r"\s+(?:and|for)\s+|\s+(?:of\s+)?the\s+|[–-](?=[A-Z])|,\s+")
# ruff: noqa: E501
_ALIAS = re.compile(rf"(?P<long>{_CAP}(?:\s+(?:of\s+|and\s+|the\s+)?(?:{_CAP}))+)\s+\((?P<short>[A-Z][\w.-]{{1,9}})\)")


@dataclass(frozen=True, slots=True)
class Name:
    """A name, the form it is compared in, and whether it may only be a sentence's first word."""

    text: str
    start: int
    end: int
    key: str
    weak: bool = False


@lru_cache(maxsize=2**12)
def names(text: str) -> tuple[Name, ...]:
    """The names of a text in order."""
    out: list[Name] = []
    first = re.search(r"\w", text)
    opening = first.start() if first else 0
    for run in _RUN.finditer(text):
        at = run.start()
        for piece in [*_PARTS.split(run.group())]:
            start = text.index(piece, at) if piece else at
            at = start + len(piece)
            out.extend(_names_of(text, start, at, opening))
    return tuple(out)


def _names_of(text: str, start: int, end: int, opening: int) -> Iterable[Name]:
    found = [(w.text, start + w.start, start + w.end) for w in words(text[start:end])]
    initial = bool(found) and found[0][1] == opening
    while found and found[0][0] in _NOT_NAMES | _TITLES:
        found, initial = found[1:], False
    while found and found[-1][0] in _NOT_NAMES:
        found = found[:-1]
    if not found or not text[found[0][1]].isupper() or found[-1][2] - found[0][1] < 2:
        return
    a, b = found[0][1], found[-1][2]
    key = canon(" ".join(word for word, _, _ in found))
    weak = initial and len(found) == 1 and key not in _CANON.values() and not text[a:b].isupper()
    yield Name(text[a:b], a, b, key, weak)


@lru_cache(maxsize=2**14)
def canon(folded: str) -> str:
    """The one name that a bearer's names are compared by; `folded` words, parted by blanks."""
    bare = " ".join(fold(folded).replace("'", "").replace("’", "").split())
    return _CANON.get(bare, bare)


@lru_cache(maxsize=2**10)
def aliases(text: str) -> dict[str, str]:
    """Short names that a text itself gives to long ones, "Self-Defense Forces (SDF)", by their keys."""
    out = {}
    for match in _ALIAS.finditer(text):
        short = canon(match["short"].replace(".", ""))
        long = _ending_with_initials(match["long"], short)
        if long:
            out[short] = long
    return out


def _ending_with_initials(long: str, short: str) -> str:
    """The end of a run of words whose initials spell an acronym, folded; "" if there is none."""
    there = [word.text for word in words(long)]
    letters = [c for c in short if c.isalnum()]
    for first in range(len(there) - 1):
        tail = there[first:]
        initials = [word[0] for word in tail if word not in FUNCTION_WORDS]
        if initials and initials[0] == letters[0] and set(initials) <= set(letters):
            return canon(" ".join(tail))
    return ""


def stands(name: Name, text: str) -> bool:
    """Whether a name stands in a text as a place or person does: a capital by its own name, and not by its state's."""
    own = " ".join(word.text for word in words(name.text))
    if own in CAPITALS:
        return f" {own} " in f" {' '.join(word.text for word in words(text))} "
    return present(name, text)


def present(name: Name, text: str, known: dict[str, str] | None = None) -> bool:
    """Whether a name stands in a text, under this or another of its bearer's names."""
    there = bearers(text)
    other = {**aliases(text), **(known or {})}
    wanted = {name.key, other.get(name.key, name.key), *(s for s, long in other.items() if long == name.key)}
    if wanted & there:
        return True
    return any(all(canon(word) in there for word in key.split() if word not in FUNCTION_WORDS) for key in wanted)


@lru_cache(maxsize=2**12)
def bearers(text: str) -> frozenset[str]:
    """The keys of a text's names and of its single words."""
    return frozenset({canon(word.text) for word in words(text)} | {name.key for name in names(text)})
