"""Question → Answer: values with their witnesses, differences between sources, silence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Literal

from qa.agreement import Group, groups, rivals
from qa.citation import Citation
from qa.encoder import TextEncoder
from qa.evidence import JUDGED, PLAIN, answering, certainty, findings, is_far, weights
from qa.generation import Generation
from qa.judge import TextJudge
from qa.question import Part, parts
from qa.search import Filters, Hit, check_k, check_question, find
from qa.settings import MAX_QUESTION_CHARS
from qa.words import without_quotes

DEPTH = 10  # passages in which values are looked for, however few are asked for
LISTED = 0.5  # a question for several things gets every value that is at least so likely
MOST_LISTED = 8

Status = Literal["answered", "disputed", "not_found"]


@dataclass(frozen=True, slots=True)
class Witness:
    """A place where a value is said: [start, end) of the cited source, inside the citation."""

    citation: Citation
    start: int
    end: int
    text: str

    def to_dict(self) -> dict[str, Any]:
        return {"citation": self.citation.to_dict(), "start": self.start, "end": self.end, "text": self.text}


@dataclass(frozen=True, slots=True)
class Value:
    """A value found in the sources: its words, its kind, its normal form, where each witness says it, how many of these
    are independent, which part of the question it answers, and how likely it is to.
    """

    text: str
    kind: str
    normalized: str
    witnesses: tuple[Witness, ...]
    independent_sources: int
    part: int
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "kind": self.kind,
            "normalized": self.normalized,
            "witnesses": [witness.to_dict() for witness in self.witnesses],
            "independent_sources": self.independent_sources,
            "part": self.part,
            "confidence": round(self.confidence, 4),
        }


@dataclass(frozen=True, slots=True)
class AnswerPart:
    """A part of the question, [start, end) of its code points, what kind of value it asks for, and what came of it."""

    text: str
    start: int
    end: int
    kind: str
    status: Status
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "start": self.start,
            "end": self.end,
            "kind": self.kind,
            "status": self.status,
            "confidence": round(self.confidence, 4),
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

    `values` come best first, each with its witnesses; where the status is `disputed` they can't all hold. `citations`
    quote the sentences that the values stand in; `passages` are the best ones found, and those of the citations. When
    nothing answers, the status is `not_found`, all three are empty, and the nearest passages are offered as `related`.
    """

    question: str
    status: Status
    citations: tuple[Citation, ...]
    passages: tuple[Hit, ...]
    related: tuple[Hit, ...]
    index: IndexRef
    values: tuple[Value, ...] = ()
    parts: tuple[AnswerPart, ...] = ()
    confidence: float | None = None

    @property
    def certainty(self) -> str | None:
        """The confidence as a word: high, moderate or low."""
        return None if self.confidence is None else certainty(self.confidence)

    def to_dict(self) -> dict[str, Any]:
        return {
            "question": self.question,
            "status": self.status,
            "confidence": None if self.confidence is None else round(self.confidence, 4),
            "certainty": self.certainty,
            "parts": [part.to_dict() for part in self.parts],
            "values": [value.to_dict() for value in self.values],
            "citations": [citation.to_dict() for citation in self.citations],
            "passages": [hit.to_dict() for hit in self.passages],
            "related": [hit.to_dict() for hit in self.related],
            "index": self.index.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class _Told:
    """What was found for one part of a question: the passages, best first, and the values that answer, if any do."""

    hits: tuple[Hit, ...]
    status: Status
    chance: float
    groups: tuple[Group, ...] = ()


def answer(
    generation: Generation,
    encoder: TextEncoder,
    question: str,
    k: int,
    filters: Filters,
    index: IndexRef,
    judge: TextJudge | None = None,
) -> Answer:
    """Answer a question with the k best passages and those its values stand in; QueryError when it can't be asked."""
    check_question(question, encoder)
    check_k(k)
    asked = parts(question)
    told = [_tell(generation, encoder, part, k, filters, judge) for part in asked]
    hits = _alternating([one.hits for one in told])
    answered = [one for one in told if one.groups]
    described = tuple(
        AnswerPart(question[p.start : p.end].strip(), p.start, p.end, p.kind, one.status, one.chance)
        for p, one in zip(asked, told, strict=True)
    )
    if not answered:
        near = hits or tuple(find(generation, encoder, without_quotes(question), k, filters, judge)[1])
        chance = max(one.chance for one in told)
        return Answer(question, "not_found", (), (), near[:k], index, parts=described, confidence=chance)
    values = tuple(_value(group, n) for n, one in enumerate(told) for group in one.groups)
    cited = {witness.citation.id: witness.citation for value in values for witness in value.witnesses}
    holding = {f.hit.citation.id for one in told for group in one.groups for f in group.witnesses}
    passages = tuple(hit for n, hit in enumerate(hits) if n < k or hit.citation.id in holding)
    status: Status = "disputed" if any(one.status == "disputed" for one in told) else "answered"
    chance = min(one.chance for one in answered)
    return Answer(question, status, tuple(cited.values()), passages, (), index, values, described, chance)


def _tell(
    generation: Generation, encoder: TextEncoder, part: Part, k: int, filters: Filters, judge: TextJudge | None
) -> _Told:
    if len(part.text) > MAX_QUESTION_CHARS or encoder.count(part.text, "question") > encoder.spec.max_tokens:
        part = replace(part, text=part.own)
    asked, hits = find(generation, encoder, part.text, max(k, DEPTH), filters, judge)
    found = answering(part, findings(generation, asked, part, hits))
    weigh = weights(PLAIN if judge is None else JUDGED)
    chance = found[0].chance if found else 0.0
    if is_far(hits) or chance < weigh.least:
        return _Told(tuple(hits), "not_found", chance)
    lead, *others = groups(found)
    against = rivals(part, lead, others)
    if against:
        return _Told(tuple(hits), "disputed", chance, (lead, *against))
    more = [group for group in others if part.many and group.chance >= LISTED][: MOST_LISTED - 1]
    return _Told(tuple(hits), "answered", chance, (lead, *more))


def _value(group: Group, part: int) -> Value:
    value = group.lead.value
    witnesses = [Witness(f.citation, f.value.start, f.value.end, f.value.text) for f in group.witnesses]
    return Value(value.text, value.kind, value.normalized, tuple(witnesses), group.independent, part, group.chance)


def _alternating(lists: Iterable[Sequence[Hit]]) -> tuple[Hit, ...]:
    """The hits of several lists, the first of each, then the second of each; a passage once, as it came first."""
    out: dict[str, Hit] = {}
    for row in zip_longest(*lists):
        for hit in row:
            if hit is not None:
                out.setdefault(hit.citation.id, hit)
    return tuple(out.values())
