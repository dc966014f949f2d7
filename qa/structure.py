"""The structure of a text: headings, paragraphs, list items and glossary entries, each with its place."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from qa.source import Block, BlockKind

_BULLET = re.compile(r"[ \t]*(?:[•·▪◦‣*+–-]|\(?\d{1,3}[.)]|\[\d{1,3}\]|\(?[a-z][.)])[ \t]+\S")
_TERM = re.compile(r"[^\W_][^.:!?\n]{0,60}:[ \t]+\S")
_ATX = re.compile(r"(#{1,6})[ \t]+(.*)")
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

    Every non-blank line lies in exactly one block. A title's heading of level 1 is no section.
    """
    spans = list(_cover(text, _markdown_spans(text) if markdown else _plain_spans(text)))
    title = spans[0].title if spans and spans[0].kind == "heading" else None
    blocks: list[Block] = []
    above: list[tuple[int, str]] = []
    count = 0
    for number, span in enumerate(spans):
        if span.kind == "heading":
            while above and above[-1][0] >= span.level:
                above.pop()
            is_title = span.level == 1 and (number == 0 or (span.title == title and spans[0].level == 1))
            if not is_title:
                above.append((span.level, span.title))
            count = 0
        else:
            count += 1
        sections = tuple(name for _, name in above if name)
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


def _markdown_spans(text: str) -> list[_Span]:
    """Leaf blocks as markdown-it-py (CommonMark) finds them, with their source lines turned into offsets.

    The paragraphs of a list item are one block; a heading in a list or a quotation heads nothing.
    """
    from markdown_it import MarkdownIt

    starts = _line_starts(text)

    def offset(line: int) -> int:
        return starts[line] if line < len(starts) else len(text)

    tokens = MarkdownIt("commonmark").enable("table").disable("inline").parse(text)
    spans: list[_Span] = []
    items: list[int] = []  # the open list items, innermost last, as numbers of their tokens
    item_starts: list[int] = []  # first lines of those that still wait for their first leaf block
    owner: int | None = None  # the item that the last span belongs to
    done = 0
    for i, token in enumerate(tokens):
        if token.type == "list_item_open" and token.map:
            items.append(i)
            item_starts.append(token.map[0])
        elif token.type == "list_item_close":
            items.pop()
            del item_starts[-1:]
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
        if items and items[-1] == owner:
            spans[-1] = replace(spans[-1], end=end)
        elif token.type == "heading_open" and token.level == 0:
            spans.append(_Span(start, end, "heading", int(token.tag[1]), tokens[i + 1].content.strip()))
        else:
            spans.append(_Span(start, end, "item" if items else "paragraph"))
        owner = items[-1] if items else None
    return spans


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

    headings = 0
    while headings < len(group) and (atx := _ATX.match(text, *group[headings])):
        yield _Span(*group[headings], "heading", len(atx[1]), _without_closing(atx[2]))
        headings += 1
    group = group[headings:]
    if not group:
        return
    first_start, first_end = group[0]
    if len(group) == 1 and not last and _is_title_line(text[first_start:first_end]):
        yield _Span(first_start, first_end, "heading", 1, text[first_start:first_end])
        return
    kind: BlockKind
    bullets = [bool(_BULLET.match(raw(a, b))) for a, b in group]
    announced = next((i for i in range(1, len(group)) if bullets[i] and text[group[i - 1][1] - 1] == ":"), 0)
    if announced and not bullets[0]:
        yield from _plain_group(text, group[:announced], starts, last=True)
        yield from _plain_group(text, group[announced:], starts, last)
        return
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


def _without_closing(title: str) -> str:
    """An ATX heading's title without the closing #s, if blanks part them from it."""
    bare = title.rstrip("#")
    return bare.rstrip() if bare[-1:] in ("", " ", "\t") else title


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
