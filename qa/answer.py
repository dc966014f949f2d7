"""Question → Answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from qa.citation import Citation, cite
from qa.encoder import TextEncoder
from qa.evidence import confidence, is_silent
from qa.generation import Generation
from qa.judge import TextJudge
from qa.search import Filters, Hit, search
from qa.words import without_quotes

CITED = 0.9  # passages are quoted from whose score is at least this share of the best one's; chosen on the tune split

Status = Literal["answered", "disputed", "not_found"]


@dataclass(frozen=True, slots=True)
class Value:
    """A value found in the sources: its words, its kind, its normal form, and where each witness says it."""

    text: str
    kind: str
    normalized: str
    witnesses: tuple[Citation, ...]
    independent_sources: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "kind": self.kind,
            "normalized": self.normalized,
            "witnesses": [
                {"citation": c.to_dict(), "start": c.start, "end": c.end, "text": c.quote} for c in self.witnesses
            ],
            "independent_sources": self.independent_sources,
        }


@dataclass(frozen=True, slots=True)
class IndexRef:
    """Which index answered: its generation, its model, whether the sources have changed since, and which judge read."""

    generation: str
    model: str
    stale: bool = False
    judge: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {"generation": self.generation, "model": self.model, "stale": self.stale, "judge": self.judge}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sources say to a question, in their own words.

    `citations` quote the sentences that answer; `passages` are those they stand in, best first. When nothing answers,
    the status is `not_found`, both are empty, and the nearest passages are offered as `related`.
    """

    question: str
    status: Status
    citations: tuple[Citation, ...]
    passages: tuple[Hit, ...]
    related: tuple[Hit, ...]
    index: IndexRef
    values: tuple[Value, ...] = ()
    confidence: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "question": self.question,
            "status": self.status,
            "confidence": None if self.confidence is None else round(self.confidence, 4),
            "values": [value.to_dict() for value in self.values],
            "citations": [citation.to_dict() for citation in self.citations],
            "passages": [hit.to_dict() for hit in self.passages],
            "related": [hit.to_dict() for hit in self.related],
            "index": self.index.to_dict(),
        }


def answer(
    generation: Generation,
    encoder: TextEncoder,
    question: str,
    k: int,
    filters: Filters,
    index: IndexRef,
    judge: TextJudge | None = None,
) -> Answer:
    """Answer a question with up to k passages; QueryError when it can't be asked."""
    hits = tuple(search(generation, encoder, question, k, filters, judge))
    chance = confidence(hits)
    if is_silent(hits):
        near = hits or tuple(search(generation, encoder, without_quotes(question), k, filters, judge))
        return Answer(question, "not_found", (), (), near, index, confidence=chance)
    return Answer(question, "answered", tuple(quotes(generation, hits)), hits, (), index, confidence=chance)


def quotes(generation: Generation, hits: Sequence[Hit]) -> list[Citation]:
    """The highlighted sentence of each of the best hits as a citation of its own."""
    found: list[Citation] = []
    for hit in (hit for hit in hits if hit.score >= CITED * hits[0].score):
        source = generation.texts.source(hit.citation.source)
        if source is not None:
            found.extend(cite(source, mark.start, mark.end) for mark in hit.highlights)
    return found
