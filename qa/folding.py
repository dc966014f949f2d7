"""Folding: a text reduced to its letters, so that typographic variants meet, with a map back to every offset.

Letters are what tells words and numbers apart: letters, digits, symbols. All between two of them (blanks, punctuation,
quotes, dashes, marks of emphasis, soft hyphens) is a gap; gaps are compared on their own, by `same_gap`.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from functools import lru_cache

_CHUNK = 2048  # code points whose map is made at once, when it is first needed
_MANY = 150  # distinct characters in a chunk, as in Chinese
# Decompositions that are another form of the same characters; a superscript or a fraction is another number.
_SAME = ("<wide>", "<narrow>", "<compat>", "<noBreak>", "<font>", "<initial>", "<medial>", "<final>", "<isolated>")
_SINGLE = "'‘’‚‛‹›`´ʼʹ′＇"
_DOUBLE = '"“”„‟«»″＂〝〞'
_DASHES = "-‐‑‒–—―−﹘﹣－"
_BLANK = re.compile(r"\s+")
_QUOTE_BREAK = re.compile(r"\s*\n\s*(?:>\s*)+")
_BREAK_HYPHEN = re.compile(r"[-‐‑][ \t]*\n[\s>]*")
_BREAK_SOFT = re.compile(r"\u00ad+[ \t]*\n\s*")
_UNSPACED = re.compile(
    r"[\u0e00-\u0e7f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
_PUNCTUATION = str.maketrans(
    {**dict.fromkeys(_SINGLE, "'"), **dict.fromkeys(_DOUBLE, '"'), **dict.fromkeys(_DASHES, "-")}
)


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) == "Cf" or "\ufe00" <= char <= "\ufe0f" or char == "\u034f"


class _Letters(dict[int, str | None]):
    """What each character leaves in the folded text; None (quicker in `translate` than "") if it belongs to a gap."""

    def __missing__(self, code: int) -> str | None:
        char = chr(code)
        category = unicodedata.category(char)
        if category[0] in "PZ" or category == "Cc" or _is_invisible(char) or char in _SINGLE + _DOUBLE + _DASHES:
            self[code] = None
        else:
            plain = _same_form(char)
            if any(unicodedata.category(c)[0] in "PZC" or c in _SINGLE for c in plain):
                plain = char
            out = unicodedata.normalize("NFD", unicodedata.normalize("NFD", plain).casefold())
            # What comes out is left as it is by another round, so that the order of replacements is all one.
            self[code] = out if out == char else "".join((c if c == char else self[ord(c)]) or "" for c in out)
        return self[code]


def _same_form(char: str) -> str:
    kind = unicodedata.decomposition(char).partition(" ")[0]
    return unicodedata.normalize("NFKD", char) if kind in _SAME else char


_LETTERS = _Letters()


class Folded:
    """A text and its letters; `span(k)` is the half-open range of `text` that the k-th letter comes from."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._cuts = _cuts(text)
        pieces = [_letters(text[a:b]) for a, b in zip(self._cuts, [*self._cuts[1:], len(text)], strict=True)]
        self.letters = "".join(pieces)
        self._firsts = [0]
        for piece in pieces:
            self._firsts.append(self._firsts[-1] + len(piece))
        self._maps: dict[int, list[tuple[int, int]]] = {}

    def span(self, k: int) -> tuple[int, int]:
        """The range of code points of the text that letter k comes from, with the marks that belong to it."""
        chunk = bisect_right(self._firsts, k) - 1
        return self._map(chunk)[k - self._firsts[chunk]]

    def spans(self, low: int, high: int) -> list[tuple[int, int]]:
        """`span` of every letter from `low` up to `high`, some ten times as fast as one by one."""
        found: list[tuple[int, int]] = []
        chunk = bisect_right(self._firsts, low) - 1
        while low < high:
            first, after = self._firsts[chunk], self._firsts[chunk + 1]
            found += self._map(chunk)[low - first : high - first]
            low, chunk = max(low, after), chunk + 1
        return found

    def _map(self, chunk: int) -> list[tuple[int, int]]:
        if chunk not in self._maps:
            start = self._cuts[chunk]
            end = self._cuts[chunk + 1] if chunk + 1 < len(self._cuts) else len(self.text)
            self._maps[chunk] = _spans(self.text, start, end)
        return self._maps[chunk]

    def letter_at(self, offset: int) -> int:
        """The number of letters that end at or before an offset of the text."""
        chunk = max(bisect_right(self._cuts, offset) - 1, 0)
        k = self._firsts[chunk]
        while k < self._firsts[chunk + 1] and self.span(k)[1] <= offset:
            k += 1
        return k

    def gap(self, k: int) -> tuple[int, int]:
        """The range of the text between letter k - 1 and letter k (or the text's edge)."""
        start = self.span(k - 1)[1] if k else 0
        end = self.span(k)[0] if k < len(self.letters) else len(self.text)
        return start, max(start, end)

    def parts(self, k: int) -> bool:
        """Whether letters k - 1 and k come from different characters, so that the text can be cut between them."""
        return not 0 < k < len(self.letters) or self.span(k - 1) != self.span(k)


@lru_cache(maxsize=4096)
def folded(text: str) -> Folded:
    """A text, folded; kept, since the same sources are searched again and again."""
    return Folded(text)


def _letters(text: str) -> str:
    if text.isascii():
        return text.translate(_LETTERS)
    met = set(text)
    if len(met) > _MANY:
        return unicodedata.normalize("NFD", text.translate(_LETTERS))
    for char in met:  # `translate` is quick for ASCII only; this is some ten times as fast for Western texts
        if (out := _LETTERS[ord(char)]) != char:
            text = text.replace(char, out or "")
    return unicodedata.normalize("NFD", text)


def _cuts(text: str) -> list[int]:
    """Where the chunks begin: before a plain letter, so that no character and its marks are parted."""
    cuts = [0]
    while cuts[-1] + _CHUNK < len(text):
        at = cuts[-1] + _CHUNK
        while at < len(text) and (not text[at].isalnum() or unicodedata.combining(text[at])):
            at += 1
        if at < len(text):
            cuts.append(at)
        else:
            break
    return cuts


def _spans(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """For each letter of text[start:end] the range it comes from: a character, and the marks after it."""
    clusters: list[tuple[int, int, str]] = []
    for at in range(start, end):
        out = _LETTERS[ord(text[at])]
        if not out:
            continue
        if clusters and unicodedata.category(out[0])[0] == "M":
            first, _, before = clusters[-1]
            clusters[-1] = (first, at + 1, before + out)
        else:
            clusters.append((at, at + 1, out))
    return [(a, b) for a, b, out in clusters for _ in out]


def same_gap(draft: str, source: str, left: str, right: str) -> bool:
    """Whether two gaps between the letters `left` and `right` ("" at an edge) differ in typography at most."""
    if draft == source:
        return True
    return not _forms(draft, left, right).isdisjoint(_forms(source, left, right))


@lru_cache(maxsize=2**14)
def _forms(gap: str, left: str, right: str) -> frozenset[str]:
    """The forms that a gap may be read as; more than one only for a hyphen at a line's end."""
    within = left.isalpha() and right.isalpha()
    if within and _BREAK_SOFT.fullmatch(gap):
        return frozenset(("",))
    gap = "".join(c for c in gap if not _is_invisible(c))
    if within and _BREAK_HYPHEN.fullmatch(gap):
        return frozenset(("", "-"))
    gap = _QUOTE_BREAK.sub(" ", gap)
    gap = "".join(_same_form(c) if c not in _SINGLE else c for c in gap).translate(_PUNCTUATION)
    gap = _BLANK.sub(" ", re.sub(r"\\(?=[^\w\s])", "", gap))
    gap = _without_emphasis(gap, left, right)
    gap = re.sub(r"(?<=\.) (?=\.)", "", gap)
    gap = gap.replace("''", '"')
    if gap != "'" or not (left and right):  # else an apostrophe
        gap = gap.replace("'", '"')
    signed = bool(re.search(r"(?:^| )-$", gap)) and right.isdigit() and " " in gap
    gap = re.sub(r" ?-(?:-| )*", "-", gap)
    if signed:
        gap = gap.removesuffix("-") + " -"
    elif gap == " ":
        gap = "" if _UNSPACED.match(left) and _UNSPACED.match(right) else gap
    elif not (left.isdigit() and right.isdigit()):
        gap = gap.replace(" ", "")
    return frozenset((gap,))


def _without_emphasis(gap: str, left: str, right: str) -> str:
    """A gap without Markdown's marks of emphasis; between letters an underscore is none, between digits a star."""
    if left and right and gap and not gap.strip("*_"):
        return gap if "_" in gap or left.isdigit() or right.isdigit() else ""
    marks = re.sub(r"(?<! )[*_]+|[*_]+(?! )", "", f"{gap}")
    return _BLANK.sub(" ", marks)


def cuts_word(text: str, start: int, end: int) -> bool:
    """Whether a range begins or ends inside a word or a number: "28" in "28,500", "can" in "can't"."""
    return starts_inside(text, start) or ends_inside(text, end)


def _is_word(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char)[0] == "M"


def _joined(before: str, after: str) -> bool:
    return _is_word(before) and _is_word(after) and not (_UNSPACED.match(before) or _UNSPACED.match(after))


def starts_inside(text: str, start: int) -> bool:
    """Whether an offset lies inside a word or a number of the text, or behind a minus sign."""
    at = start - 1
    while at >= 0 and _is_invisible(text[at]):
        at -= 1
    if at < 0 or start >= len(text):
        return False
    last, first, before = text[at], text[start], text[at - 1] if at else " "
    if first.isdigit() and last in _DASHES and (before.isspace() or before in "(["):
        return True
    if last in _SINGLE and _is_word(before) and _is_word(first):
        return True
    return _joined(last, first) or (first.isdigit() and before.isdigit() and last in ".,\u00a0\u2009\u202f")


def ends_inside(text: str, end: int) -> bool:
    """Whether a word or a number of the text goes on at an offset."""
    at = end
    while at < len(text) and _is_invisible(text[at]):
        at += 1
    if at >= len(text) or not end:
        return False
    last, first, after = text[end - 1], text[at], text[at + 1 : at + 2]
    if first in _SINGLE and after in ("t", "T") and _is_word(last) and not text[at + 2 : at + 3].isalnum():
        return True
    return _joined(last, first) or (last.isdigit() and after.isdigit() and first in ".,\u00a0\u2009\u202f")
