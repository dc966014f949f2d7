"""Question: what kind of value it asks for, and the parts that it has.

Offsets are half-open ranges of code points of the question.
"""

# ruff: noqa: E501
from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from qa.words import FUNCTION_WORDS, without_quotes, words

AskedKind = Literal[
    "number", "percent", "money", "duration", "date", "person", "place", "term", "definition", "reason", "manner",
    "yes_no", "list", "phrase",
]  # fmt: skip
NUMERIC: frozenset[str] = frozenset(("number", "percent", "money", "duration"))
WHOLE: frozenset[str] = frozenset(("definition", "reason", "manner", "yes_no"))  # answered by a sentence as it stands
MOST_PARTS = 4

_PERSON = (
    "presidents?|prime\\s+ministers?|ministers?|premiers?|chancellors?|leaders?|generals?|admirals?|kings?|queens?"
    "|emperors?|person|people|man|men|woman|women|officials?|authors?|scholars?|dictators?|congressm[ae]n|senators?"
    "|governors?|commanders?|politicians?|directors?|composers?|painters?|founders?|architects?|scientists?|writers?"
    "|players?|coach|bishop|pope|monarch|ruler|secretary|chairman|inventor|engineer"
)
_PLACE = (
    "countr(?:y|ies)|nations?|states?|cit(?:y|ies)|towns?|places?|islands?|provinces?|regions?|rivers?|continents?"
    "|prefectures?|ports?|districts?|villages?|counties|county|harbou?rs?|locations?"
)
_OF = r"(?:\s+(?!(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|must|may)\b)\w+){0,2}?\s+"
_KINDS: tuple[tuple[AskedKind, str], ...] = (
    ("percent", r"\b(?:what|which)\s+(?:percentage|percent|per\s+cent|share|proportion|fraction)\b|\bhow\s+large\s+a\s+share\b"
                r"|\bby\s+what\s+(?:percentage|share)\b"),
    ("money", r"\bhow\s+much\b.*\b(?:money|cost|costs|pay|pays|paid|spend|spends|spent|charged?|price|worth|earn|budget|fund"
              r"|dollars|yen|won|euros|pounds)\b|\bwhat\s+(?:\w+\s+){0,3}?(?:price|cost|dollar\s+amount|sum|budget)\b"),
    ("duration", r"\bhow\s+long\b(?!\s+(?:is|was|are)\s+the\s+(?:bridge|river|road|line|wall|tunnel|canal))"
                 r"|\bhow\s+(?:many|much)\s+(?:more\s+)?(?:years|months|weeks|days|hours|minutes|time)\b"),
    ("number", r"\bhow\s+(?:many|much|old|far|tall|high|deep|wide|large|big|heavy|fast|often|long)\b"
               r"|\b(?:what|which)(?:\s+\w+){0,2}?\s+(?:number|total|amount|size|height|length|depth|width|weight|age|speed|distance"
               r"|rank|population|count|area)\b"
               r"|^number\s+of\b|\bwhat\s+is\s+the\s+(?:total\s+)?number\b"),
    ("date", r"\bwhen\b|\b(?:what|which|whose)\s+(?:exact\s+)?(?:\w+\s+and\s+)?(?:years?|dates?|day|month|decade|century|period)\b"
             r"|^(?:year|date)\s+of\b|\bsince\s+when\b"),
    ("person", rf"\b(?:who|whom|whose)\b|\b(?:what|which){_OF}(?:{_PERSON})\b|\b(?:what|which)\s+(?:{_PERSON})\b"),
    ("place", rf"\bwhere\b|\b(?:what|which){_OF}(?:{_PLACE})\b|\b(?:what|which)\s+(?:{_PLACE})\b"),
    ("reason", r"\bwhy\b|\b(?:what|which|for\s+what)\s+(?:\w+\s+)?(?:reasons?|causes?|purpose|explanation)\b"
               r"|\bwhat\s+(?:caused|led\s+to|prompted|explains)\b|\bhow\s+come\b"),
    ("term", r"\b(?:what|which)\s+(?:\w+\s+)?(?:name|term|word|label|title|nickname|acronym|abbreviation)\b"),
    ("list", r"^\s*(?:list|name|enumerate)\b(?!\s+of)|\b(?:what|which)\s+(?:two|three|four|five|six|several|other)\b"),
    ("manner", r"\bhow\b(?!\s+(?:many|much|old|far|tall|long))|\bin\s+what\s+way\b|\bby\s+what\s+means\b"),
)  # fmt: skip
_ANYWHERE: tuple[tuple[AskedKind, str], ...] = (
    ("definition", r"^\s*define\b|\bdefinition\s+of\b|\bwhat\s+does\s+.+\s+mean\b|\bwhat\s+is\s+meant\s+by\b|\bmeaning\s+of\b"),
    ("term", r"\bstands?\s+for\b|\bcalled\b|\bknown\s+as\b|\bspelled\s+out\b|\banother\s+name\b|\bwhat['’]?s?\s+(?:is\s+)?the\s+"
             r"(?:word|name|term)\b"),
    ("person", rf"^\s*name\s+of\s+.*\b(?:{_PERSON})\b"),
)  # fmt: skip
_PATTERNS = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _KINDS)
_WHEREVER = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _ANYWHERE)
_AUX = "is|are|was|were|do|does|did|has|have|had|can|could|will|would|shall|should|may|might|must"
_AUXILIARY = re.compile(
    r"^\W*(?:is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|shall|should|may|might|must|isn['’]t|aren['’]t"
    r"|wasn['’]t|weren['’]t|don['’]t|doesn['’]t|didn['’]t|hasn['’]t|couldn['’]t|wouldn['’]t)\b",
    re.IGNORECASE,
)
_MANY = re.compile(
    r"\b(?:what|which|name|list)\s+(?:are\s+)?(?:the\s+)?(?:two|three|four|five|six|seven|several|other|both)\b|\b(?:what|who)\s+(?:are|were)\b"
    r"|\b(?:years|dates|countries|nations|states|cities|leaders|presidents|reasons|names|parties|treaties|wars|issues"
    r"|people|members|authors|founders|technologies|groups)\s+(?:\w+\s+){0,3}?(?:are|were|did|do|have|had)\b"
    r"|^\s*(?:list|name)\b",
    re.IGNORECASE,
)
# What these ask for is settled, whatever is "called" or "known as" something later on.
_PLAIN_ASK = re.compile(
    r"^\W*(?:in\s+)?(?:how\s+(?:many|much|old|long|tall|far|high|often|big|large)|when|(?:what|which)\s+(?:year|percentage|share))\b",
    re.IGNORECASE,
)
_WH = r"(?:who|whom|whose|what|when|where|which|why|how)\b"
_PREPOSITION = (
    r"(?:(?:in|on|at|by|for|from|to|with|of|under|as|since|until|against|through|over|along|between|within|during"
)
_PREPOSITION += r"|among|near|after|before|about|into|towards?)\s+)?"
_BREAK = re.compile(
    rf"(?:[,;]?\s+(?:and|or|but)(?:\s+(?:also|then|if\s+so))?,?|\?|;|,)\s+(?={_PREPOSITION}{_WH})"
    r"|,\s+and\s+(?=(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would)\s+\w)"
    r"|\?\s+(?=\S)",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"[\"“„«][^\"“”„«»]*[\"”»]")
_RELATIVE = re.compile(rf",\s+{_PREPOSITION}(?:which|who|whom|whose|where|when)\b", re.IGNORECASE)
# "when" and "where" ask if what they ask about is turned round after them; else they tell when.
_ASKS = re.compile(
    rf"\b(?:who|whom|whose|what|which|why|how)\b|\b(?:when|where)\s+(?:\w+\s+)?(?:{_AUX})\b|^\W*(?:when|where)\W*$"
    rf"|^\W*(?:when|where)\s+\w+(?:ed|en)\b",
    re.IGNORECASE,
)
_DEMANDS = re.compile(r"^\W*(?:name|list|define|number\s+of)\b", re.IGNORECASE)
_PRONOUN = re.compile(
    r"\b(?:it|its|they|them|their|theirs|he|him|his|she|her|hers|this|that|these|those|there|one|ones|another|each)\b",
    re.IGNORECASE,
)
# Words of a question's form: what is asked for, and not what it is asked about.
FORM_WORDS = FUNCTION_WORDS | frozenset(
    """year years date dates day month number percentage percent share name names named called term word many much when
    list define definition kind kinds type sort reason reasons exact exactly give given besides apart according also
    another which""".split()
)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a question: its words [start, end), the question that search and judge read for it, its own words, and
    its kind. `many` is whether it asks for several things at once.
    """

    start: int
    end: int
    text: str
    own: str
    kind: AskedKind
    many: bool = False


@lru_cache(maxsize=2**8)
def parts(question: str) -> tuple[Part, ...]:
    """The parts of a question, in order; one that asks a single thing has one, which reads as the whole.

    A part that leans on an earlier one ("and when was it revised?") is read with that one's words.
    """
    pieces = _pieces(question)
    if len(pieces) == 1:
        text = question.strip()
        text = text if text.endswith(("?", ".", "!")) else f"{text}?"
        return (Part(0, len(question), text, question, *_asked(question)),)
    out: list[Part] = []
    owns = [question[start:end].strip(" \t\n,;?") for start, end in pieces]
    for number, ((start, end), own) in enumerate(zip(pieces, owns, strict=True)):
        text = own
        if _is_bare(own):  # "When and where was it signed?": the words after it are its own too
            told = next((other for other in owns[number + 1 :] if not _is_bare(other)), owns[0])
            text = f"{own} {_after_asking(told)}"
        elif number and _leans(own):
            text = f"{own} ({without_quotes(_subject(owns[0]))})"
        out.append(Part(start, end, f"{text}?", own, *_asked(own)))
    return tuple(out)


def _asked(text: str) -> tuple[AskedKind, bool]:
    kind = kind_of(text)
    return kind, kind not in NUMERIC and bool(_MANY.search(text))


@lru_cache(maxsize=2**8)
def kind_of(question: str) -> AskedKind:
    """The kind of value that a question asks for."""
    if _AUXILIARY.match(question):
        inner = re.search(rf"\b(?:tell|know|say|explain)\b.*?\b({_WH}.*)", question, re.IGNORECASE)
        return kind_of(inner[1]) if inner else "yes_no"
    asked = _ASKS.search(question)
    if not _PLAIN_ASK.match(question):
        for kind, pattern in _WHEREVER:
            if pattern.search(question) and (not asked or asked.group().lower() in ("what", "which", "how")):
                return kind
    for kind, pattern in _PATTERNS:
        match = pattern.search(question)
        if match and (not asked or match.start() <= asked.start()):
            return kind
    return "phrase"


def _pieces(question: str) -> list[tuple[int, int]]:
    cuts, ends = [0], []
    quoted = [match.span() for match in _QUOTED.finditer(question)]
    for match in _BREAK.finditer(question):
        before = question[cuts[-1] : match.start()]
        after = question[match.end() :]
        if match.group().strip() == "," and _RELATIVE.match(question, match.start()) and not _is_bare(before):
            continue
        if any(a < match.start() < b for a, b in quoted):
            continue
        asks = _ASKS.search(before) or _DEMANDS.match(before) or _AUXILIARY.match(before)
        if asks and any(True for _ in words(after)) and len(cuts) < MOST_PARTS:
            cuts.append(match.end())
            ends.append(match.start())
    return list(zip(cuts, [*ends, len(question)], strict=True))


def _is_bare(text: str) -> bool:
    """Whether a part says only how it asks: "when", "in what year"."""
    return all(w.text in FORM_WORDS for w in words(text))


def _after_asking(text: str) -> str:
    return re.sub(rf"^\W*{_PREPOSITION}{_WH}\s*", "", text, count=1, flags=re.IGNORECASE)


def _leans(text: str) -> bool:
    """Whether a part can't be read by itself: it says "it", or hardly anything."""
    bare = [w.text for w in words(text) if w.text not in FORM_WORDS]
    return bool(_PRONOUN.search(text)) or len(bare) < 2


def _subject(first: str) -> str:
    """What a question is about: its words without the ones that ask."""
    bare = re.sub(rf"^\W*{_PREPOSITION}{_WH}\s*(?:(?:exact\s+)?(?:year|date|month|day|many|much)s?\s+)?"
                  r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would)?\s*", "", first,
                  count=1, flags=re.IGNORECASE)  # fmt: skip
    return bare.strip(" ,;?") or first
