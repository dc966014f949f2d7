"""Reference: a citation finished for a writer, in a style, with its entry, its key and a link to the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from qa.answer import IndexRef
from qa.bibliography import Entry, in_style, pandoc_citation, works
from qa.citation import Citation, cite
from qa.generation import Generation
from qa.links import link, selectors
from qa.search import Hit
from qa.source import Locator, Source, SourceInfo
from qa.words import LIST_MARKER

CITED = 0.9  # sentences are cited from passages whose score is at least this share of the best one's; tune split

Use = Literal["quotation", "support"]

NOTES: dict[Use, str | None] = {
    "quotation": None,
    "support": "These are a brief's words, not the author's: cite the work as support, and quote from the original.",
}
NO_PINPOINT = " The brief doesn't say where in the original it stands."


@dataclass(frozen=True, slots=True)
class Reference:
    """A passage as a finished citation: the work's key, the words in the text, the link to the place.

    `use` is `support` for a passage of a brief, whose words aren't the author's; `locator` is then the original's.
    """

    citation: Citation
    entry: str
    in_text: str
    in_text_markdown: str
    pandoc: str
    link: str | None

    @property
    def use(self) -> Use:
        return "support" if self.citation.kind == "brief" else "quotation"

    @property
    def locator(self) -> Locator | None:
        """The place in the work that is cited."""
        return self.citation.original_locator if self.citation.kind == "brief" else self.citation.locator

    @property
    def note(self) -> str | None:
        """What the writer must know to use it rightly."""
        note = NOTES[self.use]
        return note + NO_PINPOINT if note and self.locator is None else note

    def to_dict(self) -> dict[str, Any]:
        return {
            "citation": self.citation.to_dict(),
            "entry": self.entry,
            "use": self.use,
            "note": self.note,
            "locator": self.locator.to_dict() if self.locator else None,
            "in_text": self.in_text,
            "in_text_markdown": self.in_text_markdown,
            "pandoc": self.pandoc,
            "link": self.link,
            "selectors": selectors(self.citation),
        }


@dataclass(frozen=True, slots=True)
class Cited:
    """What a claim can be cited from, best first, and the works' entries; several passages of a work share one.

    When the sources are silent there are neither, and the nearest passages are offered as `related`.
    """

    query: str
    style: str
    references: tuple[Reference, ...]
    entries: tuple[Entry, ...]
    related: tuple[Hit, ...]
    index: IndexRef

    @property
    def status(self) -> Literal["found", "not_found"]:
        return "found" if self.references else "not_found"

    def to_dict(self) -> dict[str, Any]:
        return {
            "query": self.query,
            "status": self.status,
            "style": self.style,
            "references": [reference.to_dict() for reference in self.references],
            "entries": [entry.to_dict() for entry in self.entries],
            "related": [hit.to_dict() for hit in self.related],
            "index": self.index.to_dict(),
        }


def without_marker(source: Source, start: int, end: int) -> tuple[int, int]:
    """A range without the bullet or number of a list item that it begins with, which a quotation leaves out."""
    marker = LIST_MARKER.match(source.text, start, end)
    return (marker.end() if marker and marker.end() < end else start), end


def finish(
    citations: Sequence[Citation], sources: Mapping[str, Source], infos: Sequence[SourceInfo], style: str | Path
) -> tuple[tuple[Reference, ...], tuple[Entry, ...]]:
    """Citations finished in a style, and the entries of their works; `infos` are all sources, to tell works by."""
    found = works(infos)
    key_of = {info.id: key for key, group in found.items() for info in group}
    drafts = [Reference(c, key_of[c.source], "", "", "", None) for c in citations]
    styled, entries = in_style(found, style, [(draft.entry, draft.locator) for draft in drafts])
    references = tuple(
        Reference(
            citation=draft.citation,
            entry=draft.entry,
            in_text=words.text,
            in_text_markdown=words.markdown,
            pandoc=pandoc_citation(draft.entry, draft.locator),
            link=link(sources[draft.citation.source], draft.citation.start, draft.citation.end),
        )
        for draft, words in zip(drafts, styled, strict=True)
    )
    return references, tuple(entries)


def best_sentences(generation: Generation, hits: Sequence[Hit]) -> list[Citation]:
    """The highlighted sentence of each of the best hits as a citation of its own."""
    found: list[Citation] = []
    for hit in (hit for hit in hits if hit.score >= CITED * hits[0].score):
        source = generation.texts.source(hit.citation.source)
        if source is not None:
            found.extend(cite(source, mark.start, mark.end) for mark in hit.highlights)
    return found
