"""Draft: a verdict for every sentence, quotation and reference of a text that someone writes from the sources.

A verdict says what the sources hold, not what is true. Offsets of items are half-open ranges of code points of the
draft; their evidence cites the sources.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from qa.assertion import POSSIBILITY, why_not
from qa.bibliography import pandoc_citation
from qa.citation import Citation
from qa.claim import PARTLY, Reading, read
from qa.encoder import TextEncoder
from qa.errors import QueryError
from qa.generation import Generation
from qa.judge import TextJudge
from qa.prose import Reference, Span, paragraphs, quotations, references, split, unreferenced
from qa.quotation import Quotation
from qa.sense import Difference
from qa.source import same_work, year_of
from qa.words import fold

ItemType = Literal["statement", "quotation", "reference"]
VERDICTS = (
    "supported contradicted sources_differ partly_supported not_found not_checkable exact typographic altered "
    "misattributed supports does_not_support unknown_source"
).split()
FAILS = ("contradicted", "altered", "misattributed", "does_not_support", "unknown_source")
MAX_CHARS = 5_000_000
_SHOWN = 3  # citations an item shows at most


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of a draft and what the sources say to it; `note` tells what the verdict alone doesn't."""

    type: ItemType
    text: str
    start: int
    end: int
    line: int
    verdict: str
    evidence: tuple[Citation, ...] = ()
    differences: tuple[Difference, ...] = ()
    warnings: tuple[str, ...] = ()
    note: str | None = None
    confidence: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "text": self.text,
            "start": self.start,
            "end": self.end,
            "line": self.line,
            "verdict": self.verdict,
            "evidence": [citation.to_dict() for citation in self.evidence],
            "differences": [difference.to_dict() for difference in self.differences],
            "warnings": list(self.warnings),
            "note": self.note,
            "confidence": self.confidence,
        }


@dataclass(frozen=True, slots=True)
class Check:
    """All items of a draft in the order of their places, and how many have each verdict.

    `extracted` is the text that their places are of if it was taken out of a document, None if the draft was text.
    """

    items: tuple[Item, ...]
    extracted: str | None = None

    @property
    def summary(self) -> dict[str, int]:
        count = Counter(item.verdict for item in self.items)
        return {verdict: count[verdict] for verdict in VERDICTS if count[verdict]}

    def to_dict(self) -> dict[str, Any]:
        items = [item.to_dict() for item in self.items]
        return {"items": items, "summary": self.summary, "extracted": self.extracted}


FindQuote = Callable[
    [str, Sequence[str]], Quotation
]  # the words, and the ids of the sources they are said to come from


def check(
    generation: Generation,
    encoder: TextEncoder,
    draft: str,
    *,
    find_quote: FindQuote,
    judge: TextJudge | None = None,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Check:
    """Check a draft in Markdown or plain text; QueryError if it is too long."""
    if len(draft) > MAX_CHARS:
        raise QueryError(f"the draft has {len(draft):,} characters, and {MAX_CHARS:,} is the most; check it in parts")
    found = paragraphs(draft)
    checker = _Checker(generation, encoder, draft, find_quote, judge)
    items: list[Item] = []
    for number, paragraph in enumerate(found, 1):
        items += checker.items(paragraph)
        progress("checking", number, len(found))
    return Check(tuple(sorted(items, key=lambda item: (item.start, -item.end, item.type))))


class _Checker:
    """A draft being checked: its lines, and the sources by id."""

    def __init__(
        self, generation: Generation, encoder: TextEncoder, draft: str, find_quote: FindQuote, judge: TextJudge | None
    ) -> None:
        self.generation, self.encoder, self.draft = generation, encoder, draft
        self.find_quote, self.judge = find_quote, judge
        self._entries = {entry.info.id: entry for entry in generation.texts.entries}
        self._at = self._line = 0

    def items(self, paragraph: Span) -> list[Item]:
        """The items of one paragraph: its quotations, which may go past a sentence, its statements, its references."""
        cited = list(references(paragraph))
        named = {each: self._sources_of(each) for each in cited}
        ids = tuple(dict.fromkeys(id for sources in named.values() for id in sources))
        quoted = [self._quotation(a, b, ids) for a, b in quotations(paragraph)]
        out = list(quoted)
        for sentence in split(paragraph):
            statement, readings = self._statement(sentence, quoted)
            out.append(statement)
            here = [each for each in cited if sentence.start <= each.start < sentence.end]
            inside = [each for each in quoted if sentence.start <= each.start < sentence.end]
            out += [self._reference(each, named[each], statement, readings, inside) for each in here]
        return out

    def _item(self, type: ItemType, start: int, end: int, verdict: str) -> Item:
        if start < self._at:
            self._at = self._line = 0
        self._line += self.draft.count("\n", self._at, start)
        self._at = start
        return Item(type, self.draft[start:end], start, end, self._line + 1, verdict)

    def _quotation(self, start: int, end: int, ids: tuple[str, ...]) -> Item:
        item = self._item("quotation", start, end, "not_found")
        try:
            found = self.find_quote(self.draft[start:end], ids)
        except QueryError as error:
            return replace(item, note=str(error))
        return replace(
            item,
            verdict=found.state,
            evidence=tuple(place.citation for place in found.places[:_SHOWN]),
            differences=tuple(Difference(d.draft, d.source) for place in found.places[:1] for d in place.differences),
            warnings=tuple(caution.says for place in found.places[:1] for caution in place.warnings),
        )

    def _statement(self, sentence: Span, quoted: Sequence[Item]) -> tuple[Item, list[Reading]]:
        item = self._item("statement", sentence.start, sentence.end, "not_checkable")
        text = unreferenced(sentence.clean)
        if any(each.start <= sentence.start and sentence.end <= each.end for each in quoted):
            return replace(item, note="inside a quotation"), []
        reason = why_not(text)
        if reason and reason != POSSIBILITY:
            return replace(item, note=reason), []
        readings = read(self.generation, self.encoder, text, self.judge)
        judged = _judged(item, readings)
        if reason and judged.verdict not in ("supported", "contradicted", "sources_differ"):
            return replace(item, note=reason), []
        return judged, readings

    def _sources_of(self, reference: Reference) -> list[str]:
        """The ids of the sources that a reference can mean."""
        if reference.key:
            return [reference.key] if reference.key in self._entries else []
        wanted = {fold(author) for author in reference.authors}
        out = []
        for id, entry in self._entries.items():
            people = entry.info.record.get("author") or []
            families = {fold(str(p.get("family") or p.get("literal") or "")) for p in people}
            if wanted and wanted <= families and year_of(entry.info.record) == reference.year:
                out.append(id)
        return out

    def _reference(
        self, reference: Reference, ids: Sequence[str], statement: Item, readings: list[Reading], quoted: Sequence[Item]
    ) -> Item:
        item = self._item("reference", reference.start, reference.end, "unknown_source")
        if not ids:
            return replace(item, note="no source of the index has this key, or these authors and year")
        holding = [c for each in quoted for c in each.evidence if c.source in ids and each.verdict != "misattributed"]
        if holding:
            return replace(item, verdict="supports", evidence=tuple(holding[:_SHOWN]))
        if statement.verdict == "not_checkable":
            return replace(item, verdict="not_checkable", note=statement.note)
        entries = [self._entries[id] for id in ids]
        mine = [r for r in readings if r.supports and any(same_work(r.source.info, e.info) for e in entries)]
        if not mine:
            within = sorted((entry.first, entry.last) for entry in entries)
            nearer = read(self.generation, self.encoder, unreferenced(statement.text), self.judge, within)
            mine = [r for r in nearer if r.supports]
            against = [r for r in nearer if r.contradicts]
            if not mine:
                others = [r for r in readings if r.supports]
                told = ", ".join(dict.fromkeys(r.source.id for r in others))
                return replace(
                    item,
                    verdict="does_not_support",
                    evidence=tuple(r.citation for r in others[:_SHOWN] or against[:1]),
                    differences=against[0].differences if against and not others else (),
                    note=f"another source does: {told}" if told else None,
                )
        return replace(item, verdict="supports", evidence=tuple(r.citation for r in mine[:_SHOWN]))


def _judged(item: Item, readings: Sequence[Reading]) -> Item:
    """A statement's verdict from all its readings: one source may bear out what another has otherwise."""
    against = [r for r in readings if r.contradicts]
    best = readings[0] if readings else None
    # a sentence that says the reverse of it outweighs
    least = best.met - _NEAR if best and (best in against or best.doubted) else 0.0
    for_it = [r for r in readings if r.supports and r.met >= least]
    if for_it:
        rivals = [r for r in against if r.met >= for_it[0].met - _NEAR and _other_work(r, for_it) and _valued(r)]
        shown = tuple(r.citation for r in [*for_it[:_SHOWN], *rivals[:1]])
        verdict = "sources_differ" if rivals else "supported"
        return replace(item, verdict=verdict, evidence=shown, differences=rivals[0].differences if rivals else ())
    if against and best and against[0].met >= best.met - _NEAR:
        return replace(
            item, verdict="contradicted", evidence=(against[0].citation,), differences=against[0].differences
        )
    if best and best.met >= PARTLY and not best.differences:
        lacking = ", ".join(best.unmet)
        note = f"not found: {lacking}" if lacking else "only a part of its words is met"
        if best.doubted:
            note = "its words are met, but the judge doubts that they say so"
        return replace(item, verdict="partly_supported", evidence=(best.citation,), note=note)
    return replace(item, verdict="not_found")


_NEAR = 0.15  # how much less a sentence may meet than the best one to speak against it


def _other_work(reading: Reading, others: Sequence[Reading]) -> bool:
    return not any(same_work(reading.source.info, other.source.info) for other in others)


def _valued(reading: Reading) -> bool:
    """Whether what differs is a number: sentences of two sources seldom mean the same thing otherwise."""
    return any(any(c.isdigit() for c in d.draft + d.source) for d in reading.differences)


# --- citations put into a copy -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters [start, end) of a draft to be replaced by a text; an insertion where the range is empty."""

    start: int
    end: int
    text: str


def pandoc(citation: Citation) -> str:
    """A citation as Pandoc reads it: [@id, sec. "Section", para. 4]; of a brief, the original's place."""
    return pandoc_citation(citation.source, citation.original_locator or citation.locator)


def edits(check: Check, write: Callable[[Citation], str] = pandoc) -> list[Edit]:
    """The citations to put in: after supported statements without one, and in place of a Pandoc one that is wrong."""
    cited = [item for item in check.items if item.type == "reference"]
    out = []
    for item in check.items:
        if item.type == "statement" and item.verdict == "supported" and item.evidence:
            if not any(item.start <= each.start < item.end for each in cited):
                at = item.start + len(_TAIL.sub("", item.text))
                out.append(Edit(at, at, " " + write(item.evidence[0])))
        elif item.verdict == "does_not_support" and item.evidence and item.note and _ONE_KEY.fullmatch(item.text):
            out.append(Edit(item.start, item.end, write(item.evidence[0])))
    return sorted(out, key=lambda edit: edit.start)


_ONE_KEY = re.compile(r"\[@[^@;\]]+\]")
_TAIL = re.compile(r"(?:[.!]+|[*_]+[.!]+|(?<=[^.!?\"”’*_])[:;,]+)$")


def apply(draft: str, changes: Sequence[Edit]) -> str:
    """A draft with edits made and nothing else changed."""
    out, at = [], 0
    for edit in changes:
        out += [draft[at : edit.start], edit.text]
        at = edit.end
    return "".join([*out, draft[at:]])
