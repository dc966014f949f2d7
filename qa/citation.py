"""Citation: a quote and all that is needed to find and check it without this program's memory."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from qa.errors import QueryError
from qa.source import Erratum, Kind, Locator, Record, Source

CONTEXT = 32  # code points of prefix and suffix, as in the W3C Web Annotation's TextQuoteSelector

_ID = re.compile(r"(?P<source>[^@\s]+)@(?P<sha>[0-9a-f]{16}):(?P<start>[0-9]{1,15})-(?P<end>[0-9]{1,15})")


@dataclass(frozen=True, slots=True)
class Citation:
    """The half-open range [start, end) of code points of one version of a source, with the words that stand there.

    `sha256` names the version: it is the digest of the source's normalised text in UTF-8.
    """

    source: str
    kind: Kind
    record: Record
    sha256: str
    start: int
    end: int
    quote: str
    prefix: str
    suffix: str
    locator: Locator
    original_locator: Locator | None = None
    errata: tuple[Erratum, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.source}@{self.sha256[:16]}:{self.start}-{self.end}"

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "source": self.source,
            "kind": self.kind,
            "record": self.record,
            "sha256": self.sha256,
            "start": self.start,
            "end": self.end,
            "quote": self.quote,
            "prefix": self.prefix,
            "suffix": self.suffix,
            "locator": self.locator.to_dict(),
            "original_locator": self.original_locator.to_dict() if self.original_locator else None,
            "errata": [erratum.to_dict() for erratum in self.errata],
        }


@dataclass(frozen=True, slots=True)
class CitationId:
    """The parts of a citation's id, SOURCE@SHA16:START-END."""

    source: str
    sha16: str
    start: int
    end: int

    @classmethod
    def parse(cls, text: str) -> CitationId:
        """Read an id; QueryError if it isn't one."""
        match = _ID.fullmatch(text.strip())
        if not match or int(match["start"]) >= int(match["end"]):
            raise QueryError(f"'{text}' is no citation id; one reads SOURCE@SHA16:START-END, as in an answer's JSON")
        return cls(match["source"], match["sha"], int(match["start"]), int(match["end"]))


def cite(source: Source, start: int, end: int) -> Citation:
    """Cite the characters [start, end) of a source; ValueError if they aren't there."""
    if not 0 <= start < end <= len(source.text):
        raise ValueError(f"source '{source.id}' has no characters {start} to {end}; it has {len(source.text)}")
    return Citation(
        source=source.id,
        kind=source.kind,
        record=source.record,
        sha256=source.sha256,
        start=start,
        end=end,
        quote=source.text[start:end],
        prefix=source.text[max(0, start - CONTEXT) : start],
        suffix=source.text[end : end + CONTEXT],
        locator=source.locate(start, end),
        original_locator=source.locate_original(start, end),
        errata=source.errata_within(start, end),
    )
