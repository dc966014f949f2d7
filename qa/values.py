"""Values: the numbers and dates that a text states, each with its place, and which of them admit each other.

Offsets are half-open ranges of code points of the text given; a mention's text is the slice it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

TOLERANCE = 0.01  # what "approximately" lets a number differ by, as a share of the larger
HEADROOM = 1.25  # how far "over" and "under" reach, as a factor

_HEDGE_REACH = 24  # code points
ValueKind = Literal["number", "date"]

_ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen""".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SMALL = {word: n for n, word in enumerate(_ONES)} | {word: 10 * n for n, word in enumerate(_TENS, 2)}
_SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_ORDINALS = {
    word: n
    for n, word in enumerate(
        "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
        "sixteenth seventeenth eighteenth nineteenth twentieth".split(),
        3,
    )
}
_ROMANS = {
    roman: n
    for n, roman in enumerate(
        "i ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx xxi xxii xxiii xxiv xxv".split(), 1
    )
}
_MONTHS = {
    name: n
    for n, names in enumerate(
        "january jan|february feb|march mar|april apr|may|june jun|july jul|august aug|september sept sep|october oct|"
        "november nov|december dec".split("|"),
        1,
    )
    for name in names.split()
}
_FRACTIONS = {"half": 1 / 2, "third": 1 / 3, "quarter": 1 / 4}
_UNITS = {
    "percent": r"%|per\s?cent\b|percent\b|percentage\s+points?\b",
    "money": r"(?:US\s+)?(?:dollars?|euros?|pounds?|yen|won)\b",
    "year": r"years?\b|-year\b",
    "month": r"months?\b",
    "week": r"weeks?\b",
    "day": r"days?\b",
    "hour": r"hours?\b",
    "minute": r"minutes?\b",
    "kilometre": r"(?:km|kilomet(?:er|re)s?)\b",
    "metre": r"(?:m|met(?:er|re)s?)\b",
    "mile": r"miles?\b",
    "tonne": r"(?:tons?|tonnes?)\b",
}
_HEDGES = {
    "about": r"approximately|about|around|roughly|some|nearly|almost|circa|close\s+to|an\s+estimated|or\s+so",
    "over": r"over|more\s+than|above|at\s+least|upwards\s+of|exceed(?:s|ed|ing)?|no\s+fewer\s+than",
    "under": r"under|less\s+than|fewer\s+than|below|at\s+most|up\s+to|no\s+more\s+than",
}

_word = "|".join(sorted((*_SMALL, *_SCALES), key=len, reverse=True))
_month = "|".join(sorted(_MONTHS, key=len, reverse=True))
_year = r"(?:1[1-9]|20)\d\d"
_HEDGE = "|".join(f"(?P<{name}>{pattern})" for name, pattern in _HEDGES.items())
_UNIT = "|".join(f"(?P<{name}>{pattern})" for name, pattern in _UNITS.items())
_digits = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_words = rf"(?:{_word})(?:(?:\s+and\s+|\s+|-)(?:{_word}))*"
_quantity = rf"(?:{_digits}(?:\s+(?:hundred|thousand|million|billion|trillion)\b)?|\b{_words}\b)"
_NUMBER = re.compile(
    rf"""
    \b(?P<label>Articles?|Art\.|Sections?|Chapters?|Footnotes?|Paragraphs?|paras?\.)\s+(?P<labelled>\d+|[IVX]+)\b
    | (?P<share>{_words}|\d+)\s+(?:in|out\s+of)\s+(?P<among>(?!one\b)(?:{_words}|\d+))\b(?!\s*{_year})
    | (?P<fraction>(?:\b(?:an?|one)\s+)?\b(?:half|third|quarter))\s+(?=of\b)
    | (?P<magnitude>\b(?:thousand|million|billion|trillion)s)\b
    | (?P<ordinal>(?<![\d.,])\d+(?:st|nd|rd|th)\b|\b(?:{"|".join(_ORDINALS)})\b|\bsecond(?=[-\s]+(?:largest|biggest))
        |\bnumber\s+two\b)
    | (?<![\w.,])(?P<money>[$€£¥]\s?)?(?P<from>{_quantity})
      (?:\s?(?:–|—|-|\s+to\s+|\s+and\s+)\s?(?P<to>{_digits}(?:\s+(?:hundred|thousand|million|billion)\b)?)(?!\w))?
      (?!\w)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_DATE = re.compile(
    rf"""
    (?<!\w)(?:
    (?P<d1>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<m1>{_month})\b\.?(?:,?\s+(?P<y1>{_year})\b)?
    | (?P<m2>{_month})\b\.?\s+(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(?P<y2>{_year})\b)?
    | (?P<m3>{_month})\b\.?,?\s+(?:of\s+)?(?P<y3>{_year})\b
    | (?P<y7>{_year})-(?P<m7>\d\d)-(?P<d7>\d\d)\b
    | (?P<decade>(?:(?:1[1-9]|20)\d|['’]?\d)0)['’]?s\b
    | (?P<y4>{_year})\s?[–—/-]\s?(?P<y5>{_year}|\d\d)(?!\w)
    | (?P<century>\d{{1,2}}(?:st|nd|rd|th)|{"|".join(_ORDINALS)}|twenty-first)[\s-]+century\b
    | (?:(?<=in\ )|(?<=since\ )|(?<=until\ )|(?<=by\ )|(?<=of\ ))(?P<y8>10\d\d)(?![\w%]|,\d|\.\d|\s[a-z]+s\b)
    | (?P<y6>{_year})(?![\w%]|,\d|\.\d|\s?(?:percent|per\s?cent|dollars))
    | (?:(?<=in\ )|(?<=of\ )|(?<=since\ )|(?<=by\ )|(?<=until\ )|(?<=mid-))(?P<m6>{_month})\b(?!\s+\d)
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Mention:
    """A value as a text states it: [low, high] is the number, or the years; a date may have a month and a day.

    `hedge` is "about", "over", "under" or "". A month without a year has low and high 0.
    """

    kind: ValueKind
    text: str
    start: int
    end: int
    low: float
    high: float
    unit: str = ""
    hedge: str = ""
    month: int | None = None
    day: int | None = None

    @property
    def normalized(self) -> str:
        """The form in which values of one kind are compared."""
        low, high = f"{self.low:.12g}", f"{self.high:.12g}"
        if self.kind == "date":
            span = "" if not self.low else low if low == high else f"{low}/{high}"
            return "-".join([span, *(f"{part:02}" for part in (self.month, self.day) if part)])
        number = low if low == high else f"{low}..{high}"
        return " ".join(filter(None, (self.hedge, number, self.unit)))


def admits(a: Mention, b: Mention) -> bool:
    """Whether two values can be the same: numbers whose ranges meet in one unit, dates of which one holds the other."""
    if a.kind != b.kind:
        return False
    if a.kind == "date":
        return _same_date(a, b)
    if a.unit != b.unit and a.unit and b.unit and {a.unit, b.unit} != {"ordinal", "article"}:
        return False
    (a_low, a_high), (b_low, b_high) = _bounds(a), _bounds(b)
    near = TOLERANCE * max(abs(a.high), abs(b.high)) if "about" in (a.hedge, b.hedge) else 0.0
    return a_low - near <= b_high and b_low - near <= a_high


@lru_cache(maxsize=2**12)
def mentions(text: str) -> tuple[Mention, ...]:
    """The numbers and dates of a text, in order; none overlaps another."""
    found = [*_dates(text)]
    taken = [(each.start, each.end) for each in found]
    found += [each for each in _numbers(text) if not any(a < each.end and each.start < b for a, b in taken)]
    return tuple(sorted(found, key=lambda each: each.start))


def spoken(text: str, mention: Mention) -> tuple[int, int]:
    """The range of a number with the hedge before it and the unit after it: "about 41 metres"; of a date, its own."""
    if mention.kind == "date":
        return mention.start, mention.end
    hedge = _hedge_match(text, mention.start)
    start = hedge.start() + max(0, mention.start - _HEDGE_REACH) if hedge else mention.start
    return start, _end_of_unit(text, mention.end) if mention.unit in _UNITS else mention.end


def _bounds(a: Mention) -> tuple[float, float]:
    """The range a number means: "over 80" speaks of a few more, and wouldn't be said of 180."""
    low = a.low / HEADROOM if a.hedge == "under" else a.low
    return low, a.high * HEADROOM if a.hedge == "over" else a.high


def _same_date(a: Mention, b: Mention) -> bool:
    for one, other in ((a.month, b.month), (a.day, b.day)):
        if one and other and one != other:
            return False
    if not (a.low and b.low):
        return bool(a.month and b.month)  # without a year, only months speak
    return (a.low <= b.low and b.high <= a.high) or (b.low <= a.low and a.high <= b.high)


def _dates(text: str) -> Iterator[Mention]:
    for match in _DATE.finditer(text):
        part = match.groupdict()
        month = _month_of(part["m1"] or part["m2"] or part["m3"] or part["m6"] or part["m7"])
        given_day = part["d1"] or part["d2"] or part["d7"]
        day = int(given_day) if given_day else None
        low = high = int(
            part["y1"] or part["y2"] or part["y3"] or part["y4"] or part["y6"] or part["y7"] or part["y8"] or 0
        )
        if part["y5"]:
            high = int(part["y5"]) if len(part["y5"]) == 4 else low // 100 * 100 + int(part["y5"])
        elif part["decade"]:
            digits = re.sub(r"\D", "", part["decade"])
            low = int(digits) if len(digits) == 4 else 1900 + int(digits)
            high = low + 9
        elif part["century"]:
            number = _ordinal(part["century"])
            low, high = 100 * (number - 1) + 1, 100 * number
        if high < low or (day and not 1 <= day <= 31) or (month and month > 12):
            continue
        yield Mention("date", match.group(), match.start(), match.end(), low, high, month=month, day=day)


def _month_of(name: str | None) -> int | None:
    if not name:
        return None
    return int(name) if name.isdigit() else _MONTHS[name.casefold()]


def _numbers(text: str) -> Iterator[Mention]:
    for match in _NUMBER.finditer(text):
        made = _number(text, match)
        if made:
            yield made


def _number(text: str, match: re.Match[str]) -> Mention | None:
    part, start, end, unit = match.groupdict(), match.start(), match.end(), ""
    if part["labelled"]:
        low = high = float(_ROMANS.get(part["labelled"].casefold(), 0) or _whole(part["labelled"]))
        unit = "article" if part["label"][:3].casefold() == "art" else part["label"].casefold().rstrip("s.")
    elif part["share"]:
        whole = _value(part["among"])
        if not whole:
            return None
        low = high = 100 * _value(part["share"]) / whole
        unit = "percent"
    elif part["fraction"]:
        low = high = 100 * _FRACTIONS[part["fraction"].split()[-1].casefold()]
        end, unit = match.end("fraction"), "percent"
    elif part["magnitude"]:
        low = _SCALES[part["magnitude"].casefold()[:-1]]
        high = low * 999
    elif part["ordinal"]:
        low = high = float(_ordinal(part["ordinal"]))
        unit = "ordinal"
    else:
        low = high = _value(part["from"])
        if part["from"].casefold() == "one":
            return None  # mostly a pronoun
        if part["from"].casefold() == "two" and re.search(
            r"\b(?:the|these|those)\s+$", text[max(0, start - 8) : start]
        ):
            return None  # both
        if part["to"]:
            high = _value(part["to"])
            if high <= low:
                high, end = low, match.end("from")
        unit = "money" if part["money"] else _unit_after(text, end)
        if unit in ("percent", "money") and not part["money"]:
            end = _end_of_unit(text, end)
    if low > 1e300 or high > 1e300:
        return None
    return Mention("number", text[start:end], start, end, low, high, unit, _hedge_before(text, start))


def _whole(digits: str) -> int:
    return int(digits[:300]) if digits.isdigit() else 0


def _value(text: str) -> float:
    """What a number in digits, in words or in both ("4.5 million") comes to."""
    total = current = 0.0
    for piece in re.findall(r"\d[\d,.]*\d|\d|[a-z]+", text.casefold()):
        if piece[0].isdigit():
            try:
                current += float(piece.replace(",", "")[:300])
            except ValueError:
                return 0.0
        elif piece == "hundred":
            current = (current or 1) * 100
        elif piece in _SCALES:
            total += (current or 1) * _SCALES[piece]
            current = 0.0
        else:
            current += _SMALL.get(piece, 0)
    return total + current


def _ordinal(text: str) -> int:
    folded = text.casefold()
    if folded == "twenty-first":
        return 21
    if folded.startswith(("second", "number")):
        return 2
    return _ORDINALS.get(folded) or _whole(re.sub(r"\D", "", folded))


def _unit_after(text: str, end: int) -> str:
    match = re.compile(rf"\s?-?(?:{_UNIT})", re.IGNORECASE).match(text, end)
    return match.lastgroup or "" if match else ""


def _end_of_unit(text: str, end: int) -> int:
    match = re.compile(rf"\s?-?(?:{_UNIT})", re.IGNORECASE).match(text, end)
    return match.end() if match else end


def _hedge_match(text: str, start: int) -> re.Match[str] | None:
    """The hedge right before a number, counted from `_HEDGE_REACH` code points before it."""
    pattern = rf"\b(?:{_HEDGE})\s+(?:the\s+)?(?:US)?$"
    return re.search(pattern, text[max(0, start - _HEDGE_REACH) : start], re.IGNORECASE)


def _hedge_before(text: str, start: int) -> str:
    match = _hedge_match(text, start)
    return match.lastgroup or "" if match else ""
