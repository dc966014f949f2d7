"""Texts: the sources of a generation and where their passages stand (sqlite), opened lazily however large."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import Any

from qa.errors import REBUILD, IndexDamaged
from qa.passage import Passage
from qa.source import Block, Erratum, Source, SourceInfo

_CACHED_SOURCES = 256


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """A source in the index, without its text; its passages are numbered [first, last)."""

    info: SourceInfo
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a passage: [start, end) in code points of the source, [first, last) in tokens of the passage."""

    start: int
    end: int
    first: int
    last: int

    @property
    def row(self) -> tuple[int, int, int, int]:
        """What is stored of it."""
        return self.start, self.end, self.first, self.last


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage as it is stored: [start, end) of the source with this number, its tokens the rows [first, last) of the
    codes, its sentences, and a checksum of all of it, its vector and those rows included (`Generation` checks it).
    """

    source: int
    start: int
    end: int
    first: int
    last: int
    sentences: tuple[Sentence, ...]
    crc: int = 0


def write_texts(path: Path, sources: Sequence[Source], passages: Sequence[StoredPassage]) -> None:
    """Write sources and their passages, each in the order of their numbers, into a new database."""
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(
            """
            CREATE TABLE source (number INTEGER PRIMARY KEY, id TEXT UNIQUE, kind TEXT, record TEXT, blocks TEXT,
                errata TEXT, original TEXT, encoding TEXT, sha256 TEXT, length INTEGER,
                first INTEGER, last INTEGER, text TEXT);
            CREATE TABLE passage (number INTEGER PRIMARY KEY, source INTEGER, start INTEGER, "end" INTEGER,
                first INTEGER, last INTEGER, sentences TEXT, crc INTEGER);
            """
        )
        owners = [passage.source for passage in passages]
        for number, source in enumerate(sources):
            db.execute(
                "INSERT INTO source VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    number,
                    source.id,
                    source.kind,
                    json.dumps(source.record, ensure_ascii=False),
                    json.dumps([block_row(block) for block in source.blocks], ensure_ascii=False),
                    json.dumps([e.to_dict() for e in source.errata], ensure_ascii=False),
                    source.original,
                    source.encoding,
                    source.sha256,
                    len(source.text),
                    bisect_left(owners, number),
                    bisect_left(owners, number + 1),
                    source.text,
                ),
            )
        db.executemany(
            "INSERT INTO passage VALUES (?,?,?,?,?,?,?,?)",
            ((number, *_columns(passage)) for number, passage in enumerate(passages)),
        )


def _columns(passage: StoredPassage) -> tuple[int | str, ...]:
    parts = json.dumps([sentence.row for sentence in passage.sentences])
    return passage.source, passage.start, passage.end, passage.first, passage.last, parts, passage.crc


def block_row(block: Block) -> list[Any]:
    """A block as JSON keeps it."""
    return [block.start, block.end, block.kind, list(block.sections), block.paragraph, block.pinpoint]


def digest(source: Source) -> str:
    """A sha256 over all that is kept of a source."""
    content = [source.info.to_dict(), [block_row(b) for b in source.blocks], [e.to_dict() for e in source.errata]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class Texts:
    """The open database of a generation: read-only, safe to use from several threads.

    Sources are checked against `digests`, one a source in order; what isn't whole is IndexDamaged.
    """

    def __init__(self, path: Path, digests: Sequence[str]) -> None:
        self._path = path
        self._digests = digests
        self._lock = RLock()
        self._sources: OrderedDict[int, Source] = OrderedDict()
        uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        try:
            self._texts = sqlite3.connect(uri, uri=True, check_same_thread=False)
        except sqlite3.Error as error:
            raise IndexDamaged(f"{path} can't be opened ({error}); {REBUILD}") from error

    @cached_property
    def entries(self) -> tuple[SourceEntry, ...]:
        """All sources without their texts, by id."""
        rows = self._rows(
            "SELECT id,kind,record,sha256,length,original,encoding,first,last FROM source ORDER BY number"
        )
        try:
            return tuple(
                SourceEntry(SourceInfo(id, kind, json.loads(record), *rest), first, last)
                for id, kind, record, *rest, first, last in rows
            )
        except (ValueError, TypeError) as error:
            raise IndexDamaged(f"the index is damaged: {self._path} ({error}); {REBUILD}") from error

    def source(self, key: int | str) -> Source | None:
        """A source by number or id, checked against the manifest; None if there is none."""
        if isinstance(key, str):
            numbers = self._rows("SELECT number FROM source WHERE id=?", key)
            return self.source(int(numbers[0][0])) if numbers else None
        with self._lock:
            if key in self._sources:
                self._sources.move_to_end(key)
                return self._sources[key]
            rows = self._rows(
                "SELECT id,text,kind,record,blocks,errata,original,encoding FROM source WHERE number=?", key
            )
            if not rows:
                return None
            id, text, kind, record, blocks, errata, original, encoding = rows[0]
            try:
                source = Source(
                    id=id,
                    text=text,
                    kind=kind,
                    record=json.loads(record),
                    blocks=tuple(Block(a, b, k, tuple(s), p, q) for a, b, k, s, p, q in json.loads(blocks)),
                    errata=tuple(Erratum(**e) for e in json.loads(errata)),
                    original=original,
                    encoding=encoding,
                )
                whole = digest(source) == self._digests[key]
            except (ValueError, TypeError, AttributeError, IndexError):
                whole = False
            if not whole:
                raise IndexDamaged(f"source '{id}' in {self._path} is not what was indexed; {REBUILD}")
            self._sources[key] = source
            while len(self._sources) > _CACHED_SOURCES:
                self._sources.popitem(last=False)
            return source

    def passage(self, number: int) -> tuple[Source, Passage]:
        """A passage by number, with its source."""
        source_number, start, end = self._passage_row('source,start,"end"', number)
        source = self.source(source_number)
        if source is None:
            raise IndexDamaged(f"{self._path} has no source {source_number}; {REBUILD}")
        return source, Passage(source.id, start, end)

    def digest_of(self, id: str) -> str | None:
        """The digest of the source with this id, or None if there is none."""
        return self._digest_by_id.get(id)

    @cached_property
    def _digest_by_id(self) -> dict[str, str]:
        return dict(zip((entry.info.id for entry in self.entries), self._digests, strict=True))

    def passages_of(self, source: Source) -> list[Passage]:
        """All passages of a source in order."""
        rows = self._rows(
            'SELECT start,"end" FROM passage WHERE source=(SELECT number FROM source WHERE id=?) ORDER BY number',
            source.id,
        )
        return [Passage(source.id, start, end) for start, end in rows]

    def passage_numbers(self) -> dict[tuple[str, int, int], int]:
        """Passage numbers by (sha256 of the source's text, start, end)."""
        rows = self._rows(
            'SELECT s.sha256, p.start, p."end", p.number FROM passage p JOIN source s ON s.number=p.source'
        )
        return {(sha, start, end): number for sha, start, end, number in rows}

    def _passage_row(self, columns: str, number: int) -> tuple[Any, ...]:
        rows = self._rows(f"SELECT {columns} FROM passage WHERE number=?", number)
        if not rows:
            raise IndexDamaged(f"{self._path} has no passage {number}; {REBUILD}")
        return rows[0]

    def _rows(self, query: str, *values: int | str) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._texts.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise IndexDamaged(f"the index is damaged: {self._path} ({error}); {REBUILD}") from error

    def stored(self, number: int) -> StoredPassage:
        """A passage by number, as it is stored."""
        source, start, end, first, last, parts, crc = self._passage_row(
            'source,start,"end",first,last,sentences,crc', number
        )
        try:
            return StoredPassage(
                source, start, end, first, last, tuple(Sentence(*part) for part in json.loads(parts)), crc
            )
        except (ValueError, TypeError) as error:
            raise IndexDamaged(f"the index is damaged: passage {number} in {self._path}; {REBUILD}") from error
