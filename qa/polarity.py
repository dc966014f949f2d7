"""Polarity: which way a sentence points (more or less, before or after, allowed or banned), and what it denies.

Closed lists of opposites, as no model tells them reliably apart by likeness: opposites are used in the same company.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from qa.words import FUNCTION_WORDS, words

# One axis a line (an indented one goes on): words that point one way | words that point the other; * is any ending.
_AXES = """
increas* ris* rose rais* grow* grew widen* broaden* expand* exten* climb* enlarg* heighten* | decreas* fall* fell
    drop* declin* shrink* shrank narrow* lower* reduc* lessen* cut
more bigger larger stronger greater higher biggest largest most greatest highest | less smaller weaker lower fewer
    smallest least fewest lowest
faster quicker quickly rapidly | slower slowly
before ahead earlier prior | after later
allow* permit* let lets enabl* authoriz* authoris* entitl* free | prohibit* ban* bar bars barred forbid* forbad*
    forbidden outlaw* prevent*
win won wins victory defeated | lose lost loses
favorabl* favourabl* positive* | unfavorabl* unfavourabl* negative* dislike*
strong strength* robust close* warm* | weak weaken* tenuous frosty
militariz* militaris* rearm* remilitar* | demilitar* disarm*
common frequent | rare* seldom
open public | secret*
direct directly | indirect indirectly
support* back* endors* favor favour | oppos* reject*
includ* inside within | exclud* outside shut
north northern | south southern
east eastern | west western
import* | export*
begin* began start* found* | end ended ends ending ceas* stop* halt* clos*
accept* | refus* reject*
impress* succeed* success* | fail*
majority | minority
multilateral* | bilateral* unilateral*
abov* | below beneath
same | different differ*
"""
_NOT = re.compile(
    r"\b(?:not|no|never|neither|nor|none|nobody|nothing|without|cannot|hardly|scarcely|barely|lack(?:s|ed|ing)?)\b"
    r"|n['’]t\b|\brather\s+than\b|\binstead\s+of\b",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"[,;:.()]|\b(?:but|and|while|whereas|although|because|which|so)\b", re.IGNORECASE)
_SCOPE = 5  # content words that a "not" reaches over
_UNSURPASSED = re.compile(r"\s+.*\b(?:\w+er|more|less)\s+than\b", re.IGNORECASE)  # "no army is larger than"
_CORRELATIVE = re.compile(r"\bnot\s+only\b|\bno\s+fewer\b|\bno\s+more\s+than\b|\bno\s+doubt\b", re.I)


@dataclass(frozen=True, slots=True)
class Cue:
    """A word that points one way (+1) or the other (-1) on an axis; a denial in front of it turns it round."""

    axis: int
    pole: int
    text: str
    start: int
    end: int
    denied: bool = False


def _compiled() -> list[tuple[re.Pattern[str], re.Pattern[str]]]:
    out = []
    for line in re.sub(r"\n +", " ", _AXES.strip()).split("\n"):
        plus, minus = (
            re.compile("|".join(word.replace("*", r"\w*") for word in side.split())) for side in line.split("|")
        )
        out.append((plus, minus))
    return out


_POLES = _compiled()


@lru_cache(maxsize=512)
def cues(text: str) -> tuple[Cue, ...]:
    """The words of a text that point somewhere, in order."""
    denied = [range(a, b) for a, b in scopes(text)]
    out = []
    for word in words(text):
        for axis, poles in enumerate(_POLES):
            for pole, pattern in zip((1, -1), poles, strict=True):
                if pattern.fullmatch(word.text):
                    turned = any(word.start in scope for scope in denied)
                    out.append(
                        Cue(axis, -pole if turned else pole, text[word.start : word.end], word.start, word.end, turned)
                    )
    return tuple(out)


@lru_cache(maxsize=512)
def scopes(text: str) -> tuple[tuple[int, int], ...]:
    """The ranges that denials reach over: to the end of their clause, and a few content words at most."""
    out = []
    skip = [match.span() for match in _CORRELATIVE.finditer(text)]
    for match in _NOT.finditer(text):
        unsurpassed = match.group().casefold() in ("no", "none", "nothing") and _UNSURPASSED.match(text, match.end())
        if unsurpassed or any(a <= match.start() < b for a, b in skip):
            continue
        stop = _CLAUSE_END.search(text, match.end())
        end = stop.start() if stop else len(text)
        inside = [w for w in words(text[match.end() : end]) if w.text not in FUNCTION_WORDS]
        if len(inside) > _SCOPE:
            end = match.end() + inside[_SCOPE - 1].end
        out.append((match.start(), end))
    return tuple(out)
