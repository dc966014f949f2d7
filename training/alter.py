"""Altered statements and questions: one number, date, name, negation or direction is changed, as writers do."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from qa.words import FUNCTION_WORDS, words

Kind = Literal["number", "date", "name", "negation", "direction"]
KINDS: tuple[Kind, ...] = ("number", "date", "name", "negation", "direction")

_MONTHS = "January February March April May June July August September October November December".split()
_MONTH = re.compile(rf"\b(?:{'|'.join(_MONTHS)})\b", re.IGNORECASE)
_YEAR = re.compile(r"\b(1[0-9]{3}|20[0-2][0-9])\b(?![,.]\d)")
_NUMBER = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\w.,])\d+(?:\.\d+)?(?![\w]*[A-Za-z])")
_WORDS = "two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty sixty".split()
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)
_NAME = re.compile(r"(?<![.!?]\s)(?<!^)(?<!^[\"“(])\b(?!I\b)[A-Z][\w’'-]+(?:\s+(?:of\s+(?:the\s+)?)?[A-Z][\w’'-]+)*")
_AUXILIARY = re.compile(
    r"\b(is|are|was|were|has|have|had|can|could|will|would|may|must|should|did|does|do)\b(?!\s+(?:not|never|no)\b)",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"\b(?:(is|are|was|were|has|have|had|can|could|will|would|may|must|should|did|does|do)\s+)(not|never)\s+"
)
_OPPOSITES = """
increase/decrease increased/decreased increases/decreases increasing/decreasing rise/fall rose/fell rising/falling
before/after north/south northern/southern east/west eastern/western first/last largest/smallest larger/smaller
highest/lowest higher/lower high/low more/less most/least early/late earlier/later earliest/latest major/minor
above/below over/under inside/outside win/lose won/lost best/worst better/worse strong/weak stronger/weaker
strongest/weakest support/oppose supported/opposed supports/opposes allow/prohibit allowed/prohibited
allows/prohibits accept/reject accepted/rejected include/exclude included/excluded includes/excludes begin/end
began/ended begins/ends start/finish started/finished old/new older/younger oldest/youngest longest/shortest
long/short longer/shorter public/private male/female men/women positive/negative success/failure
successful/unsuccessful possible/impossible rich/poor wealthy/poor majority/minority maximum/minimum
upper/lower left/right always/never all/none many/few common/rare usually/rarely enter/leave entered/left
gain/lose gained/lost create/destroy created/destroyed import/export imports/exports domestic/foreign
internal/external legal/illegal voluntary/compulsory superior/inferior advantage/disadvantage attack/defend
attacked/defended victory/defeat ally/enemy allies/enemies friend/enemy arrive/depart arrived/departed
strengthen/weaken strengthened/weakened strengthens/weakens expand/shrink expanded/shrank grow/shrink grew/shrank
encourage/discourage encouraged/discouraged approve/reject approved/rejected permanent/temporary
direct/indirect formal/informal active/passive raise/lower raised/lowered raises/lowers improve/worsen
improved/worsened far/near past/future with/without for/against up/down toward/away
""".split()
_OPPOSITE: dict[str, str] = {}
for _pair in _OPPOSITES:
    _a, _b = _pair.split("/")
    _OPPOSITE.setdefault(_a, _b)
    _OPPOSITE.setdefault(_b, _a)
_SAFE_FIRST = frozenset("with for over up left right all past far near down toward away without long".split())
_DIRECTION = re.compile(
    rf"\b(?:{'|'.join(sorted((w for w in _OPPOSITE if w not in _SAFE_FIRST), key=len, reverse=True))})\b", re.IGNORECASE
)


def alter(text: str, kind: Kind, names: Sequence[str], draw: random.Random) -> str | None:
    """The text with one thing of a kind changed, or None where it has none; `names` are others to put for a name."""
    return {
        "number": _alter_number,
        "date": _alter_date,
        "name": lambda text, draw: _alter_name(text, names, draw),
        "negation": _alter_negation,
        "direction": _alter_direction,
    }[kind](text, draw)


def names_in(text: str) -> list[str]:
    """Runs of capitalised words that don't open a sentence."""
    return [m.group() for m in _NAME.finditer(text) if m.group() not in _MONTHS]


# --- words of a like kind

_LIKE, _TOO_LIKE = 0.25, 0.5  # cosines of word vectors between which a word is of the same kind and yet another thing
_ENDINGS = ("ing", "ed", "s", "ly", "er", "est", "ian", "ese", "")


def like_words(
    vocabulary: Sequence[str], vectors: npt.NDArray[np.float32], most: int = 12
) -> dict[str, tuple[str, ...]]:
    """For each word those that could stand in its place and mean something else: "troops" → "weapons", "battles".

    Neighbours among static word vectors, shape (words, width), but for the nearest, which may mean the same, and for
    other forms of the word; where enough have its ending, only those.
    """
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = {}
    for word, row in zip(vocabulary, unit, strict=True):
        near = unit @ row
        others = [vocabulary[i] for i in np.argsort(-near, kind="stable")[:80] if _LIKE <= near[i] < _TOO_LIKE]
        others = [other for other in others if other[:4] != word[:4]]
        ending = next(e for e in _ENDINGS if word.endswith(e))
        same = [other for other in others if next(e for e in _ENDINGS if other.endswith(e)) == ending]
        chosen = tuple((same if len(same) > 2 else others)[:most])
        if chosen:
            found[word] = chosen
    return found


def swap(
    one: str, other: str, like: Mapping[str, Sequence[str]], draw: random.Random
) -> tuple[str, str, tuple[str, str]] | None:
    """Two texts with a content word that both have put for one of its kind that neither has, and the two words."""
    both = {word.text for word in words(one)} & {word.text for word in words(other)} - FUNCTION_WORDS
    there = {word.text for word in words(f"{one} {other}")}
    choices = sorted((word, new) for word in both for new in like.get(word, ()) if new not in there)
    if not choices:
        return None
    old = draw.choice(sorted({word for word, _ in choices}))
    new = draw.choice([new for word, new in choices if word == old])
    put = re.compile(rf"\b{re.escape(old)}\b", re.IGNORECASE)
    changed = put.sub(new, one), put.sub(new, other)
    return None if changed[0] == one or changed[1] == other else (*changed, (old, new))


def _replace(text: str, match: re.Match[str], new: str) -> str:
    old = match.group()
    if old[:1].isupper() and new[:1].islower():
        new = new[0].upper() + new[1:]
    return text[: match.start()] + new + text[match.end() :]


def _pick(found: Sequence[re.Match[str]], draw: random.Random) -> re.Match[str] | None:
    return draw.choice(found) if found else None


def _alter_number(text: str, draw: random.Random) -> str | None:
    found = [m for m in _NUMBER.finditer(text) if not _YEAR.fullmatch(m.group())]
    found += list(_NUMBER_WORD.finditer(text))
    match = _pick(found, draw)
    if match is None:
        return None
    old = match.group()
    if old[0].isalpha():
        return _replace(text, match, draw.choice([w for w in _WORDS if w != old.lower()]))
    value = float(old.replace(",", ""))
    while True:
        new = draw.choice((value * draw.uniform(0.3, 0.95), value * draw.uniform(1.05, 3), value + draw.randint(1, 9)))
        if "." in old:
            shown = f"{new:.{len(old.rpartition('.')[2])}f}"
        else:
            digits = max(len(old.replace(",", "").rstrip("0")), 1)
            shown = str(int(float(f"{new:.{digits}g}")))
            shown = f"{int(shown):,}" if "," in old else shown
        if shown != old:
            return _replace(text, match, shown)


def _alter_date(text: str, draw: random.Random) -> str | None:
    match = _pick(
        [*_YEAR.finditer(text), *(m for m in _MONTH.finditer(text) if m.group() not in ("may", "march"))], draw
    )
    if match is None:
        return None
    old = match.group()
    if old.isdigit():
        step = draw.choice((1, 2, 3, 4, 5, 7, 10, 12, 20, 50)) * draw.choice((-1, 1))
        return _replace(text, match, str(int(old) + step))
    new = draw.choice([m for m in _MONTHS if m.lower() != old.lower()])
    return _replace(text, match, new if old[0].isupper() else new.lower())


def _alter_name(text: str, names: Sequence[str], draw: random.Random) -> str | None:
    match = _pick([m for m in _NAME.finditer(text) if m.group() not in _MONTHS], draw)
    if match is None:
        return None
    old = match.group()
    others = [n for n in names if n.lower() not in text.lower() and old.lower() not in n.lower()]
    alike = [n for n in others if len(n.split()) == len(old.split())] or others
    return _replace(text, match, draw.choice(alike)) if alike else None


def _alter_negation(text: str, draw: random.Random) -> str | None:
    negated = list(_NOT.finditer(text))
    if negated and draw.random() < 0.7:
        match = draw.choice(negated)
        return text[: match.start()] + match.group(1) + " " + text[match.end() :]
    match_ = _pick(list(_AUXILIARY.finditer(text)), draw)
    if match_ is None:
        return None
    word = draw.choice(("not", "not", "not", "never"))
    return text[: match_.end()] + f" {word}" + text[match_.end() :]


def _alter_direction(text: str, draw: random.Random) -> str | None:
    match = _pick(list(_DIRECTION.finditer(text)), draw)
    if match is None:
        return None
    return _replace(text, match, _OPPOSITE[match.group().lower()])
