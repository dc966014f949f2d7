"""Passage: a range of one source that is searched and cited as a unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile

from qa.errors import SourceError
from qa.source import Block, Source

Measure = Callable[[str], int]

_MOST_CHARS = 4_000  # whatever the tokenizer makes of it, no one wants to read more at once


@dataclass(frozen=True, slots=True)
class Passage:
    """The half-open range [start, end) of the source `source`; its text is that slice and nothing else."""

    source: str
    start: int
    end: int


def split_passages(source: Source, measure: Measure, limit: int, target: int) -> list[Passage]:
    """Cut a source into passages, in order, that together hold all its text.

    `measure` counts what the encoder would read of a text; no passage measures more than `limit`, and neighbouring
    blocks of a section are joined while they measure at most `target`. A heading stays with what follows it; list items
    and glossary entries are cut only when one alone is over the limit.
    """
    target = min(target, limit)
    passages: list[Passage] = []
    group: list[Block] = []
    for block in source.blocks:
        if group and not _joins(source, group, block, measure, limit, target):
            passages.extend(_cut(source, group, measure, limit, target))
            group = []
        group.append(block)
    if group:
        passages.extend(_cut(source, group, measure, limit, target))
    return passages


def _joins(source: Source, group: list[Block], block: Block, measure: Measure, limit: int, target: int) -> bool:
    """Whether a block shares a passage with those before it, or, after a heading, at least its beginning."""
    previous = group[-1]
    if not _belongs(previous, block):
        return False
    if previous.kind == "heading":
        return block.kind != "heading" or _fits(source.text[group[0].start : block.end], measure, limit)
    return _fits(source.text[group[0].start : block.end], measure, target)


def _belongs(previous: Block, block: Block) -> bool:
    """Whether two neighbouring blocks may share a passage."""
    if block.kind == "heading":
        return previous.kind == "heading"
    if previous.kind == "heading":
        return True
    return block.sections == previous.sections and "entry" not in (block.kind, previous.kind)


def _fits(text: str, measure: Measure, limit: int) -> bool:
    return len(text) <= _MOST_CHARS and measure(text) <= limit


def _cut(source: Source, group: list[Block], measure: Measure, limit: int, target: int) -> Iterator[Passage]:
    """One passage if the blocks fit the limit together, or several, the first of them with the headings."""
    start, end = group[0].start, group[-1].end
    if _fits(source.text[start:end], measure, limit):
        yield Passage(source.id, start, end)
        return
    headings = list(takewhile(lambda block: block.kind == "heading", group))
    if not headings or len(headings) == len(group):
        yield from _pieces(source, start, end, measure, target)
        return
    first, *others = _pieces(source, group[len(headings)].start, end, measure, target)
    if _fits(source.text[start : first.end], measure, limit):
        yield Passage(source.id, start, first.end)
    else:
        yield from _cut(source, headings, measure, limit, target)
        yield first
    yield from others


def _pieces(source: Source, start: int, end: int, measure: Measure, target: int) -> Iterator[Passage]:
    """[start, end) as passages of the target's size, each found again in the text by a cursor."""
    text = source.text[start:end]
    cursor = start
    for piece in _propose(text, measure, target, min(_MOST_CHARS, target * 4)):
        if not piece.strip():
            continue
        at = source.text.find(piece, cursor, end)
        if at < 0 or source.text[cursor:at].strip():
            raise SourceError(f"source '{source.id}': a proposed piece after character {cursor} can't be placed")
        cursor = at + len(piece)
        stripped = piece.strip()
        at += piece.index(stripped)
        yield Passage(source.id, at, at + len(stripped))
    if source.text[cursor:end].strip():
        raise SourceError(f"source '{source.id}': characters {cursor} to {end} are in no passage")


def _propose(text: str, measure: Measure, limit: int, chars: int) -> Iterator[str]:
    """Pieces of `text` within the limit, as langchain-text-splitters proposes them: lines, sentences, words."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(
        separators=[
            r"\n\n",
            r"\n",
            r"(?<=[^A-Z\s][.!?。！？])[\"'”’)\]]*\s+(?=[^\sa-z])",
            r"(?<=[。！？])",
            r"\s+",
            "",
        ],
        is_separator_regex=True,
        keep_separator="end",
        chunk_size=chars,
        chunk_overlap=0,
        strip_whitespace=False,
    )
    for piece in splitter.split_text(text):
        if _fits(piece, measure, limit) or chars == 1:
            yield piece
        else:
            parts = max(2, math.ceil(measure(piece) / limit))
            yield from _propose(piece, measure, limit, math.ceil(len(piece) / parts))
