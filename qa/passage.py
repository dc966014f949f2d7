"""Passage: a range of one source that is searched and cited as a unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

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
    passages: list[Passage] = []
    text = source.text
    start: int | None = None
    end = 0
    previous: Block | None = None
    for block in source.blocks:
        joins = start is not None and previous is not None and _belongs(previous, block)
        if start is not None and joins:
            most = limit if previous is not None and previous.kind == "heading" else target
            joins = _fits(text[start : block.end], measure, most)
        if start is not None and not joins:
            passages.extend(_cut(source, start, end, measure, limit, target))
            start = None
        start = block.start if start is None else start
        end = block.end
        previous = block
    if start is not None:
        passages.extend(_cut(source, start, end, measure, limit, target))
    return passages


def _belongs(previous: Block, block: Block) -> bool:
    """Whether two neighbouring blocks may share a passage."""
    if block.kind == "heading":
        return previous.kind == "heading"
    if previous.kind == "heading":
        return True
    return block.sections == previous.sections and "entry" not in (block.kind, previous.kind)


def _fits(text: str, measure: Measure, limit: int) -> bool:
    return len(text) <= _MOST_CHARS and measure(text) <= limit


def _cut(source: Source, start: int, end: int, measure: Measure, limit: int, target: int) -> Iterator[Passage]:
    """One passage if [start, end) fits the limit, or several, each found again in the text by a cursor."""
    text = source.text[start:end]
    if _fits(text, measure, limit):
        yield Passage(source.id, start, end)
        return
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
    """Pieces of `text` within the limit, as langchain-text-splitters proposes them: lines, sentences, words, letters."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(
        separators=[r"\n\n", r"\n", r"(?<=[^A-Z\s][.!?。！？])\s+", r"(?<=[。！？])", r"\s+", ""],
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
            yield from _propose(piece, measure, limit, max(1, min(chars, len(piece)) // 2))
