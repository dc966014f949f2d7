"""Links that open at the words, and selectors that find them again.

A link is a URL with a text fragment (WICG, "URL Fragment Text Directives"): its terms are chosen so that only the
cited words meet them, and none reaches across a block. Selectors are those of the W3C's Web Annotation Data Model.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlsplit

from qa.citation import Citation
from qa.source import Source

_LONGEST = 200  # code points of a quotation that is given whole; a longer one by its first and last words
_WORDS = 5  # at first, of a long quotation's beginning and end
_CONTEXT = 12  # words of prefix and of suffix, at most
# Characters of Markdown that a reader of the page doesn't see: a term with one might not be on it.
_MARKUP = re.compile(r"[*_`\[\]<>\\|#]")
_MARKER = re.compile(r"(?:[-*+•]|\d{1,3}[.)]|#{1,6})\s+")
_WORD = re.compile(r"\S+")


def selectors(citation: Citation) -> list[dict[str, Any]]:
    """The cited words as W3C selectors of the source's normalised text: by quote, by position, by RFC 5147 fragment."""
    return [
        {
            "type": "TextQuoteSelector",
            "exact": citation.quote,
            "prefix": citation.prefix,
            "suffix": citation.suffix,
        },
        {"type": "TextPositionSelector", "start": citation.start, "end": citation.end},
        {
            "type": "FragmentSelector",
            "conformsTo": "http://tools.ietf.org/rfc/rfc5147",
            "value": f"char={citation.start},{citation.end}",
        },
    ]


def link(source: Source, start: int, end: int) -> str | None:
    """The address of an original, opening at its characters [start, end).

    None for a brief, whose words aren't on the page; without an address; and where no fragment would be unique.
    """
    url = source.record.get("URL")
    if source.kind != "original" or not isinstance(url, str) or not _is_web(url):
        return None
    directive = fragment(source, start, end)
    if directive is None:
        return None
    base = url.split(":~:")[0]
    return f"{base}{'' if '#' in base else '#'}:~:{directive}"


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not re.search(r"\s", url)


def fragment(source: Source, start: int, end: int) -> str | None:
    """The text directive that only the characters [start, end) of a source meet, or None if there is none."""
    text = source.text
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    page = _Page(source)
    start = max(start, page.body(start)) if start < end else start
    if start >= end or not _stands_free(text, start, end):
        return None
    for terms in _terms(page, start, end):
        if all(_sayable(text[a:b]) for a, b in terms if a < b) and page.only(terms):
            return f"text={_encoded(text, terms)}"
    return None


Range = tuple[int, int]
Terms = tuple[Range, Range, Range, Range]  # prefix, start, end, suffix: each a range of the source, empty if absent


def _terms(page: _Page, start: int, end: int) -> Iterator[Terms]:
    """Directives for a range from the shortest on: first without what stands around it, then with more and more."""
    text = page.source.text
    first, last = page.block(start, end), page.block(end - 1, end)
    none = (start, start)
    cores: list[tuple[Range, Range]] = []
    if end <= first[1] and end - start <= _LONGEST:
        cores.append(((start, end), none))
    heads = [m.end() for m in _WORD.finditer(text, start, min(end, first[1]))]
    tails = [m.start() for m in _WORD.finditer(text, max(start, last[0]), end)][::-1]
    for count in (_WORDS, 2 * _WORDS, 4 * _WORDS, 8 * _WORDS):
        head, tail = heads[min(count, len(heads)) - 1], tails[min(count, len(tails)) - 1]
        if head <= tail:
            cores.append(((start, head), (tail, end)))
    before, after = page.before(start), page.after(end)
    for count in range(_CONTEXT + 1):
        prefix = (before[min(count, len(before)) - 1], page.last_before(start)) if count and before else none
        suffix = (page.first_after(end), after[min(count, len(after)) - 1]) if count and after else none
        for begin, finish in cores:
            yield prefix, begin, finish, suffix


@dataclass
class _Page:
    """A source's text as a browser searches it: folded, each run of blanks one space."""

    source: Source

    @cached_property
    def _folded(self) -> tuple[str, list[int], list[int]]:
        """The folded text, the place of each of its characters in the source, and of each source character in it."""
        out: list[str] = []
        places: list[int] = []
        index: list[int] = []
        blank = True
        hidden = {at for block in self.source.blocks for at in range(block.start, self.body(block.start))}
        for place, character in enumerate(self.source.text):
            index.append(len(out))
            if character.isspace() or place in hidden:
                folded = "" if blank else " "
                blank = True
            else:
                folded = _fold(character)
                blank = blank and not folded
            out += folded
            places += [place] * len(folded)
        index.append(len(out))
        return "".join(out), places, index

    @cached_property
    def _bounds(self) -> tuple[list[int], list[int]]:
        blocks = self.source.blocks
        return [block.start for block in blocks], [block.end for block in blocks]

    def block(self, at: int, otherwise: int) -> Range:
        """The block that a place stands in; outside all blocks, its line."""
        starts, ends = self._bounds
        number = bisect_right(starts, at) - 1
        if number >= 0 and at < ends[number]:
            return starts[number], ends[number]
        text = self.source.text
        start = text.rfind("\n", 0, at) + 1
        end = text.find("\n", at)
        return start, len(text) if end < 0 else max(end, min(otherwise, at + 1))

    def body(self, at: int) -> int:
        """Where the words of a block begin if it begins at a place: after a list's bullet or a heading's marks."""
        starts, ends = self._bounds
        number = bisect_right(starts, at) - 1
        marker = _MARKER.match(self.source.text, starts[number], ends[number]) if number >= 0 else None
        return marker.end() if marker and at < marker.end() < ends[number] else at

    def last_before(self, at: int) -> int:
        """Where the text before a place ends, the blanks and bullets left out."""
        last = len(self.source.text[:at].rstrip())
        if last and self.body(last - 1) > last - 1:
            start, _ = self.block(last - 1, last)
            return len(self.source.text[:start].rstrip())
        return last

    def first_after(self, at: int) -> int:
        """Where the text after a place begins, the blanks left out."""
        text = self.source.text
        return self.body(at + len(text[at:]) - len(text[at:].lstrip()))

    def before(self, at: int) -> list[int]:
        """Where the words before a place begin, nearest first, within one block."""
        last = self.last_before(at)
        if not last or (last == at and not _stands_free(self.source.text, at, at)):
            return []
        start = self.body(self.block(last - 1, last)[0])
        return [m.start() for m in _WORD.finditer(self.source.text, start, last)][::-1][:_CONTEXT]

    def after(self, at: int) -> list[int]:
        """Where the words after a place end, nearest first, within one block."""
        first = self.first_after(at)
        if first >= len(self.source.text):
            return []
        _, end = self.block(first, first + 1)
        return [m.end() for _, m in zip(range(_CONTEXT), _WORD.finditer(self.source.text, first, end), strict=False)]

    def only(self, terms: Terms) -> bool:
        """Whether a browser can take the directive for nothing but the range it was made from."""
        folded, _, index = self._folded
        _, begin, finish, _ = terms
        words = [self._term(part) for part in terms]
        places = [at for at in _occurrences(folded, words[1]) if _preceded(folded, at, words[0])]
        if not finish[0] < finish[1]:
            places = [at for at in places if _followed(folded, at + len(words[1]), words[3])]
            return places == [index[begin[0]]]
        if places != [index[begin[0]]]:
            return False
        behind = index[begin[0]] + len(words[1])
        ends = [at for at in _occurrences(folded, words[2], behind) if _followed(folded, at + len(words[2]), words[3])]
        return bool(ends) and ends[0] == index[finish[0]]

    def _term(self, part: Range) -> str:
        folded, _, index = self._folded
        return folded[index[part[0]] : index[part[1]]].strip()


def _fold(character: str) -> str:
    """A character as browsers compare it: without case and accents."""
    if character.isascii():
        return character.lower()
    return "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c)).casefold()


def _occurrences(text: str, term: str, start: int = 0) -> Iterator[int]:
    """Every place of a term in a text, overlapping ones too."""
    at = text.find(term, start)
    while at >= 0:
        yield at
        at = text.find(term, at + 1)


def _preceded(text: str, at: int, prefix: str) -> bool:
    return text[:at].rstrip().endswith(prefix) if prefix else True


def _followed(text: str, at: int, suffix: str) -> bool:
    return text[at : at + len(suffix) + 1].lstrip().startswith(suffix) if suffix else True


def _stands_free(text: str, start: int, end: int) -> bool:
    """Whether a range cuts no word in two."""
    cut = [at for at in {start, end} if 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()]
    return not cut


def _sayable(term: str) -> bool:
    said = term.strip()
    # A sign that is read as a blank, as "¨" is, would be left out at an end.
    return bool(said) and all(_fold(end).strip() for end in (said[0], said[-1])) and not _MARKUP.search(term)


def _encoded(text: str, terms: Terms) -> str:
    """The directive's value: terms percent-encoded, with the dash, comma and ampersand that would part them."""
    prefix, begin, finish, suffix = (
        quote(" ".join(text[a:b].split()), safe="", errors="replace").replace("-", "%2D") for a, b in terms
    )
    parts = [f"{prefix}-" if prefix else "", begin, finish, f"-{suffix}" if suffix else ""]
    return ",".join(part for part in parts if part)
