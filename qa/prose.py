"""Prose: what a draft says, without its markup: its sentences, quotations and references, each with its place.

Offsets are half-open ranges of code points of the draft as given; markup is blanked out, one for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from qa.structure import outline
from qa.words import sentences, words

_FRONT = re.compile(r"\A(?:\ufeff)?---[ \t]*\r?\n.*?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_MARKUP = re.compile(
    r"""
    <!--.*?-->                                 # comments
    | (?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)  # code in a line
    | (?<=\])\((?:[^()\s]|\([^()\s]*\))*(?:\s+"[^"\n]*")?\)  # a link's target
    | !?\[\^[^\]\s]+\]:?                       # a footnote's mark
    | <(?:https?|mailto):[^>\s]*> | https?://[^\s)>\]]+
    | </?[a-zA-Z][^<>\n]*>                     # HTML
    | ^[ \t]*(?:>[ \t]?)+                      # a block quotation's mark
    | ^[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+       # a list item's
    | \*{1,3}(?=\S)|(?<=\S)\*{1,3} | (?<!\w)_{1,3}(?=\S)|(?<=\S)_{1,3}(?!\w) | ~~
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
_KEYS = re.compile(r"\[[^\[\]@]{0,200}@[^\[\]]{1,500}\]|(?<![\w@])@[\w][\w:.#$%&+?<>~/-]*\w")
_KEY = re.compile(r"(?<![\w@])-?@(?P<key>[\w](?:[\w:.#$%&+?<>~/-]*\w)?)")
_NAME = r"[A-Z][\w’'-]+(?:(?:,\s+|\s+(?:and|&)\s+|,\s+(?:and|&)\s+)[A-Z][\w’'-]+){0,3}(?:\s+et\s+al\.?)?"
_AUTHOR_YEAR = re.compile(
    rf"\((?:see\s+|cf\.\s+)?(?P<inside>{_NAME}),?\s+(?P<y1>(?:1[5-9]|20)\d\d)[a-z]?(?:[,:]\s*[^()]{{1,60}})?\)"
    rf"|(?P<outside>{_NAME})(?:['’]s)?\s+\((?P<y2>(?:1[5-9]|20)\d\d)[a-z]?(?:[,:]\s*[^()]{{1,60}})?\)"
)
_QUOTES = re.compile(r"“[^“”]{1,20000}”|\"[^\"]{1,20000}\"|«[^«»]{1,20000}»|„[^„“”]{1,20000}[“”]")
_TABLE = re.compile(r"^[ \t]*\|.*\|[ \t]*\r?$|^[ \t]*:?-{3,}:?[ \t]*\|", re.MULTILINE)
_RULE = re.compile(r"[ \t|:-]*-[ \t|:-]*\r?")  # what parts a table's head from its rows
_CELL = re.compile(r"(?:\\.|`[^`\n]*`|[^|\\\n]|\\)+")
# What makes a cell more than a label: a stop, a verb, a quotation, a reference.
_SAYS = re.compile(
    r"[.!?…][\"'”’)\]]*\s*$|\b(?:is|are|was|were|has|have|had|does|did|do|can|could|may|might|must|cannot|\w{3,}ed)\b"
    r"|[“\"„«]|@\w",
    re.IGNORECASE,
)
_JOINER = "\u2060"  # a word joiner: neither a blank nor a letter
QUOTED_WORDS = 4  # fewer words between quotation marks are a term, not a quotation


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a draft; `clean` is as long as the piece, with blanks in place of its markup."""

    start: int
    end: int
    clean: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A citation that the draft already has: a Pandoc key, or authors and a year."""

    start: int
    end: int
    text: str
    key: str = ""
    authors: tuple[str, ...] = ()
    year: int | None = None


def paragraphs(draft: str) -> list[Span]:
    """The paragraphs, list items and telling table cells of a draft, without headings, code and front matter."""
    front = _FRONT.match(draft)
    body = " " * front.end() + draft[front.end() :] if front else draft
    return [Span(a, b, re.sub(r"[\r\n\x85\u2028\u2029]", " ", blank(body[a:b]))) for a, b in _paragraphs(body)]


def split(paragraph: Span) -> list[Span]:
    """The sentences of a paragraph that have words."""
    clean, at = paragraph.clean, paragraph.start
    return [
        Span(at + a, at + b, clean[a:b].replace(_JOINER, " "))
        for a, b in sentences(clean)
        if any(True for _ in words(clean[a:b]))
    ]


def _paragraphs(body: str) -> Iterator[tuple[int, int]]:
    blocks, _ = outline(body, markdown=True)
    for block in blocks:
        text = body[block.start : block.end]
        line = body.rfind("\n", 0, block.start) + 1
        indent = body[line : block.start].expandtabs(4)
        code = text.startswith(("```", "~~~", "<")) or (
            block.kind == "paragraph" and not indent.strip() and len(indent) >= 4
        )
        if block.kind == "heading" or code or re.match(r"\[[^\]^]+\]:\s", text):
            continue
        if _TABLE.search(text):
            yield from _cells(text, block.start)
            continue
        if re.search(r"\n[ \t]*(?:```|~~~)", text):
            text = text[: re.search(r"\n[ \t]*(?:```|~~~)", text).start()]  # type: ignore[union-attr]
        yield block.start, block.start + len(text)


def _cells(table: str, offset: int) -> Iterator[tuple[int, int]]:
    """Where the cells stand that say something; those of a table's head are labels."""
    at, rows = 0, list[tuple[int, str]]()
    for line in table.split("\n"):
        if _RULE.fullmatch(line):
            rows.clear()
        elif "|" in line:
            rows.append((at, line))
        at += len(line) + 1
    for start, line in rows:
        for cell in _CELL.finditer(line):
            inner = cell.group().strip()
            if len(inner.split()) > 2 and _SAYS.search(inner):
                begin = offset + start + cell.start() + cell.group().index(inner)
                yield begin, begin + len(inner)


def blank(text: str) -> str:
    """A text with blanks in place of its markup, one for one; within a line, blanks that end no sentence."""
    return _MARKUP.sub(
        lambda m: (" " if m.start() == 0 or text[m.start() - 1] == "\n" else _JOINER) * len(m.group()), text
    )


def unreferenced(clean: str) -> str:
    """A sentence with blanks in place of the references in it."""
    without = _KEYS.sub(lambda match: " " * len(match.group()), clean)
    return _AUTHOR_YEAR.sub(lambda m: (m["outside"] or "").ljust(len(m.group())), without)


def quotations(span: Span) -> Iterator[tuple[int, int]]:
    """Where quotations of some length stand in a paragraph, without their marks; offsets of the draft."""
    for match in _QUOTES.finditer(span.clean):
        inner = match.group()[1:-1]
        if sum(1 for _ in words(inner)) >= QUOTED_WORDS:
            yield span.start + match.start() + 1, span.start + match.end() - 1


def references(span: Span) -> Iterator[Reference]:
    """The references of a paragraph in order; a bracket with several keys gives one for each."""
    for group in _KEYS.finditer(span.clean):
        for key in _KEY.finditer(group.group()):
            start = span.start + group.start()
            yield Reference(start, start + len(group.group()), group.group(), key=key["key"])
    for match in _AUTHOR_YEAR.finditer(span.clean):
        people = re.split(r",\s+(?:and|&)\s+|,\s+|\s+(?:and|&)\s+|\s+et\s+al", match["inside"] or match["outside"])
        authors = tuple(re.sub(r"['’]s$", "", name) for name in people if name and name[0].isupper())
        year = int(match["y1"] or match["y2"])
        yield Reference(span.start + match.start(), span.start + match.end(), match.group(), authors=authors, year=year)
