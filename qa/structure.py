"""The structure of a text: headings, paragraphs, list items and glossary entries, each with its place."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from qa.source import Block, BlockKind

_BULLET = re.compile(r"[ \t]*(?:[•·▪◦‣*+–-]|\(?\d{1,3}[.)]|\[\d{1,3}\]|\(?[a-z][.)])[ \t]+\S")
_TERM = re.compile(r"[^\W_][^.:!?\n]{0,60}:[ \t]+\S")
_ATX = re.compile(r"(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_ENDS_A_SENTENCE = re.compile(r"[.!?:;,…。！？][\"'”’)\]]*$")
_WRAPPED = 100  # a line of running text longer than this was not wrapped by hand


@dataclass(frozen=True, slots=True)
class _Span:
    """A block before its section is known; `level` and `title` are a heading's."""

    start: int
    end: int
    kind: BlockKind
    level: int = 0
    title: str = ""


def outline(text: str, markdown: bool) -> tuple[tuple[Block, ...], str | None]:
    """The blocks of a text in order, and its title if it opens with one.

    Every non-blank line lies in exactly one block. The title's heading is no section.
    """
    spans = list(_markdown_spans(text) if markdown else _plain_spans(text))
    spans = list(_cover(text, spans))
    title = spans[0].title if spans and spans[0].kind == "heading" else None
    blocks: list[Block] = []
    above: list[tuple[int, str]] = []
    count = 0
    for number, span in enumerate(spans):
        if span.kind == "heading":
            while above and above[-1][0] >= span.level:
                above.pop()
            is_title = number == 0 or (title is not None and span.title == title and span.level == spans[0].level)
            if not is_title:
                above.append((span.level, span.title))
            count = 0
        else:
            count += 1
        sections = tuple(name for _, name in above)
        blocks.append(Block(span.start, span.end, span.kind, sections, None if span.kind == "heading" else count))
    return tuple(blocks), title


def _line_starts(text: str) -> list[int]:
    return [0, *(m.end() for m in re.finditer("\n", text))]


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))


def _cover(text: str, spans: Iterable[_Span]) -> Iterator[_Span]:
    """The spans, with paragraphs for whatever non-blank text lies between them (link definitions, say)."""
    at = 0
    for span in [*spans, _Span(len(text), len(text), "paragraph")]:
        start, end = _trim(text, at, span.start)
        if start < end:
            yield _Span(start, end, "paragraph")
        if span.start < span.end:
            yield span
        at = span.end


def _markdown_spans(text: str) -> Iterator[_Span]:
    """Leaf blocks as markdown-it-py (CommonMark) finds them, with their source lines turned into offsets."""
    from markdown_it import MarkdownIt

    starts = _line_starts(text)

    def offset(line: int) -> int:
        return starts[line] if line < len(starts) else len(text)

    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    item_starts: list[int] = []  # open list items that still wait for their first leaf block
    depth = 0
    done = 0
    for i, token in enumerate(tokens):
        if token.type == "list_item_open" and token.map:
            depth += 1
            item_starts.append(token.map[0])
        elif token.type == "list_item_close":
            depth -= 1
        leaf = token.type in ("heading_open", "paragraph_open", "table_open") or (
            token.nesting == 0 and token.type in ("fence", "code_block", "html_block", "hr")
        )
        if not leaf or token.map is None:
            continue
        first, last = token.map
        if item_starts:
            first = min(first, item_starts[0])
        item_starts.clear()
        start, end = _trim(text, max(offset(first), done), offset(last))
        if start >= end:
            continue
        done = end
        if token.type == "heading_open":
            yield _Span(start, end, "heading", int(token.tag[1]), tokens[i + 1].content.strip())
        else:
            yield _Span(start, end, "item" if depth else "paragraph")


def _plain_spans(text: str) -> Iterator[_Span]:
    """Blocks of plain text: blank lines part them; bullets, terms and short lines that stand alone are seen."""
    starts = _line_starts(text)
    lines = [_trim(text, a, b) for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
    groups: list[list[tuple[int, int]]] = [[]]
    for start, end in lines:
        if start >= end:
            groups.append([])
        else:
            groups[-1].append((start, end))
    filled = [group for group in groups if group]
    for number, group in enumerate(filled):
        yield from _plain_group(text, group, starts, last=number == len(filled) - 1)


def _plain_group(text: str, group: list[tuple[int, int]], starts: list[int], last: bool) -> Iterator[_Span]:
    def raw(start: int, end: int) -> str:
        return text[starts[bisect_right(starts, start) - 1] : end]

    first_start, first_end = group[0]
    atx = _ATX.match(text[first_start:first_end])
    if atx:
        yield _Span(first_start, first_end, "heading", len(atx[1]), atx[2])
        if group[1:]:
            yield from _plain_group(text, group[1:], starts, last)
        return
    if len(group) == 1 and not last and _is_title_line(text[first_start:first_end]):
        yield _Span(first_start, first_end, "heading", 1, text[first_start:first_end])
        return
    kind: BlockKind
    bullets = [bool(_BULLET.match(raw(a, b))) for a, b in group]
    terms = [bool(_TERM.match(text[a:b])) for a, b in group]
    if bullets[0] and (len(group) == 1 or any(bullets[1:]) or max(b - a for a, b in group) <= _WRAPPED):
        kind, begins = "item", bullets
    elif all(terms) and (len(group) > 1 or group[0][1] - group[0][0] > _WRAPPED):
        kind, begins = "entry", terms
    elif sum(b - a for a, b in group) / len(group) > _WRAPPED:
        # Lines too long to have been wrapped by hand: each is a block, and one with a term before a colon is an entry.
        for (a, b), term in zip(group, terms, strict=True):
            yield _Span(a, b, "entry" if term else "paragraph")
        return
    else:
        kind, begins = "paragraph", [False] * len(group)
    openings = [i for i, begin in enumerate(begins) if begin or i == 0]
    for a, b in zip(openings, [*openings[1:], len(group)], strict=True):
        yield _Span(group[a][0], group[b - 1][1], kind)


def _is_title_line(line: str) -> bool:
    words = line.split()
    return (
        len(line) <= 90
        and len(words) <= 14
        and (line[0].isupper() or line[0].isdigit() or line[0] in "\"“'‘")
        and not _BULLET.match(line)
        and not _ENDS_A_SENTENCE.search(line)
        and "://" not in line
    )
