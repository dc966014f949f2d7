"""Source: one document of the library, and the bibliographic record it is cited by."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

Kind = Literal["original", "brief"]
BlockKind = Literal["heading", "paragraph", "item", "entry"]
Record = dict[str, Any]

# A year, and a month and a day if they are known.
_DATE = re.compile(r"[0-9]{1,4}(?:-(?:0?[1-9]|1[0-2])(?:-(?:0?[1-9]|[12][0-9]|3[01]))?)?")

# What a writer needs to cite a work; an alternative separated by "|" will do.
_WANTED = ("title", "author", "issued", "container-title|publisher", "URL")


@dataclass(frozen=True, slots=True)
class Locator:
    """Where in a document a passage stands; paragraphs count from 1 within the innermost section."""

    sections: tuple[str, ...] = ()
    paragraph: int | None = None
    page: int | None = None
    page_label: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "sections": list(self.sections),
            "paragraph": self.paragraph,
            "page": self.page,
            "page_label": self.page_label,
        }


@dataclass(frozen=True, slots=True)
class Block:
    """One element of a source's structure: the half-open range [start, end) of code points and what it is.

    `sections` are the headings above it, outermost first; `paragraph` is None for a heading; `pinpoint`
    is a brief's pointer to the paragraph of the original that the block digests.
    """

    start: int
    end: int
    kind: BlockKind
    sections: tuple[str, ...] = ()
    paragraph: int | None = None
    pinpoint: int | None = None


@dataclass(frozen=True, slots=True)
class Erratum:
    """Our note on a statement that the historical record contradicts: [start, end) anchors the statement."""

    start: int
    end: int
    says: str
    record: str

    def to_dict(self) -> dict[str, Any]:
        return {"start": self.start, "end": self.end, "says": self.says, "record": self.record}


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source without its text; `length` is in code points."""

    id: str
    kind: Kind
    record: Record
    sha256: str
    length: int
    original: str | None
    encoding: str

    @property
    def missing(self) -> tuple[str, ...]:
        """What a full citation would need and the record doesn't have."""
        return tuple(want for want in _WANTED if not any(self.record.get(name) for name in want.split("|")))

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "record": self.record,
            "sha256": self.sha256,
            "length": self.length,
            "missing": list(self.missing),
            "original": self.original,
            "encoding": self.encoding,
        }


@dataclass(frozen=True)
class Source:
    """A document: its normalised text, its record (CSL-JSON) and the map of its structure.

    Offsets everywhere are half-open ranges of Unicode code points of `text`.
    """

    id: str
    text: str
    kind: Kind = "original"
    record: Record = field(default_factory=dict)
    blocks: tuple[Block, ...] = ()
    errata: tuple[Erratum, ...] = ()
    original: str | None = None
    encoding: str = "utf-8"

    @cached_property
    def sha256(self) -> str:
        """Hex digest of the normalised text in UTF-8."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def info(self) -> SourceInfo:
        return SourceInfo(self.id, self.kind, self.record, self.sha256, len(self.text), self.original, self.encoding)

    @cached_property
    def _starts(self) -> list[int]:
        return [block.start for block in self.blocks]

    def block_at(self, start: int, end: int) -> Block | None:
        """The first block of running text that meets [start, end), or else the heading that does."""
        first = max(bisect_right(self._starts, start) - 1, 0)
        heading = None
        for number in range(first, len(self.blocks)):
            block = self.blocks[number]
            if block.start >= end:
                break
            if block.end > start:
                if block.kind != "heading":
                    return block
                heading = heading or block
        return heading

    def locate(self, start: int, end: int) -> Locator:
        """Section and paragraph of a range of this source."""
        block = self.block_at(start, end)
        return Locator(block.sections, block.paragraph) if block else Locator()

    def locate_original(self, start: int, end: int) -> Locator | None:
        """For a brief, section and paragraph of the original that a range of this source digests."""
        if self.kind != "brief":
            return None
        block = self.block_at(start, end)
        return Locator(block.sections, block.pinpoint) if block and block.pinpoint else None

    def errata_within(self, start: int, end: int) -> tuple[Erratum, ...]:
        """The errata whose statement meets [start, end)."""
        return tuple(e for e in self.errata if e.start < end and start < e.end)


def same_work(a: SourceInfo, b: SourceInfo) -> bool:
    """Whether two sources are one work, so that they count as one witness: a brief and its original."""
    if a.id == b.id:
        return True
    if a.kind == b.kind:
        return False
    brief, original = (a, b) if a.kind == "brief" else (b, a)
    if brief.original is not None:
        return brief.original == original.id
    titles = [title_key(source.record.get("title")) for source in (a, b)]
    return bool(titles[0]) and titles[0] == titles[1]


def count_works(sources: Iterable[SourceInfo]) -> int:
    """How many works a list of sources stands for."""
    works: list[SourceInfo] = []
    for source in sources:
        if not any(same_work(source, work) for work in works):
            works.append(source)
    return len(works)


def title_key(title: object) -> str:
    """A title's letters and digits, whatever their case: what two spellings of one title share."""
    return "".join(c for c in str(title or "").casefold() if c.isalnum())


def record_from(front: Mapping[str, Any], id: str) -> Record:
    """A CSL-JSON record from front matter: its `record`, or else the usual flat keys of Markdown tools.

    Absent fields stay absent. Raises ValueError with what is wrong and where.
    """
    given = front.get("record")
    if given is None:
        names = {"title": "title", "author": "author", "authors": "author", "date": "issued", "issued": "issued",
                 "publisher": "publisher", "container-title": "container-title", "url": "URL", "URL": "URL",
                 "type": "type"}  # fmt: skip
        given = {names[key]: value for key, value in front.items() if key in names}
    if not isinstance(given, Mapping):
        raise ValueError("`record` must be a mapping of CSL-JSON fields")
    record: Record = {"id": id, "type": str(given.get("type") or "document")}
    for name, value in given.items():
        if value in (None, "", []) or name in ("id", "type"):
            continue
        if name in ("author", "editor", "translator"):
            record[name] = _names(value, name)
        elif name in ("issued", "accessed", "original-date"):
            record[name] = _date(value, name)
        else:
            record[str(name)] = _plain(value, name)
    return record


def _plain(value: object, name: str) -> Any:
    """A YAML value as one that JSON can hold; its dates become text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part, name) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part, name) for part in value]
    if isinstance(value, dt.date):
        return value.isoformat()
    if value is None or isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError(f"`{name}` has a value that CSL-JSON can't hold: {value!r}")


def _names(value: object, name: str) -> list[dict[str, str]]:
    people = value if isinstance(value, list) else [value]
    out = []
    for person in people:
        if isinstance(person, Mapping) and any(person.values()):
            out.append({str(key): str(part) for key, part in person.items() if part})
        elif isinstance(person, str) and person.strip():
            family, comma, given = person.partition(",")
            out.append({"family": family.strip(), "given": given.strip()} if comma else {"literal": person.strip()})
        else:
            raise ValueError(f"`{name}` needs names: a text, or a mapping with family and given")
    return out


def _date(value: object, name: str) -> dict[str, Any]:
    if isinstance(value, Mapping):
        parts = value.get("date-parts")
        if isinstance(parts, list) and parts and all(_DATE.fullmatch(_dashed(part)) for part in parts):
            return {"date-parts": [[int(n) for n in part] for part in parts]}
        if isinstance(value.get("literal"), str):
            return {"literal": value["literal"]}
        raise ValueError(f"`{name}` needs date-parts like [[2021, 1, 7]]")
    text = value.date().isoformat() if isinstance(value, dt.datetime) else str(value)
    if _DATE.fullmatch(text):
        return {"date-parts": [[int(piece) for piece in text.split("-")]]}
    return {"literal": text}


def _dashed(parts: object) -> str:
    return "-".join(str(part) for part in parts) if isinstance(parts, list) else ""


def year_of(record: Record) -> int | None:
    """The year a work was issued, or None where the record doesn't say."""
    try:
        return int(record["issued"]["date-parts"][0][0])
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def authors_of(record: Record) -> list[str]:
    """The authors' full names in the record's order."""
    people = record.get("author") or []
    return [p.get("literal") or " ".join(filter(None, (p.get("given"), p.get("family")))) for p in people]
