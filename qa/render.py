"""Nouns → a terminal. Source text goes through `visible` and rich's Text, never through its markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from qa.evidence import certainty
from qa.source import Locator, Record, Source, SourceInfo, count_works, year_of

if TYPE_CHECKING:
    from qa.alteration import Difference
    from qa.answer import Answer, AnswerPart, Value
    from qa.bibliography import Bibliography, Entry
    from qa.citation import Citation
    from qa.draft import Check, Item
    from qa.library import Search, Surroundings
    from qa.quotation import Quotation
    from qa.reference import Cited, Reference
    from qa.search import Highlight, Hit
    from qa.verification import Verification

MARK = "bold yellow"

# Control characters drive a terminal (and rich drops some, which would shift the marks): show a picture of each.
_PICTURES = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"}
_PICTURES |= {0x7F: 0x2421, **dict.fromkeys(range(0x80, 0xA0), 0xFFFD)}


def visible(text: str) -> str:
    """`text` with a printable character in place of every control character but tab and newline, one for one."""
    return text.translate(_PICTURES)


def reference(record: Record, kind: str, locator: Locator | None) -> Text:
    """A citation as a writer reads it: author, year, title, section, paragraph; a brief is named as one."""
    out = Text("Brief of " if kind == "brief" else "")
    names = visible(_names(record))
    year = f"({year_of(record) or 'no date'})"
    title = Text(visible(str(record.get("title") or f"[untitled: {record.get('id')}]")), style="italic")
    out.append_text(Text.assemble(f"{names} {year}. ", title) if names else Text.assemble(title, f" {year}"))
    for section in locator.sections[-1:] if locator else ():
        out.append(f", “{visible(section)}”")
    if locator and locator.paragraph:
        out.append(f", para. {locator.paragraph}")
    if locator and (locator.page_label or locator.page):
        out.append(visible(f", p. {locator.page_label or locator.page}"))
    return out


def _names(record: Record) -> str:
    people = record.get("author") or []
    families = [name for p in people if (name := p.get("family") or p.get("literal") or p.get("given"))]
    if not families:
        return str(record.get("publisher") or "")
    if len(families) > 2:
        return f"{families[0]} et al."
    return " and ".join(families)


def answer(result: Answer, explain: bool = False) -> RenderableType:
    """A question's values with their witnesses, each part's in its turn, then the passages; or what comes near when the
    sources are silent. `explain` adds each stage's scores.
    """
    if result.status == "not_found":
        head = Text("The sources don't tell.", style="bold")
        if not result.related:
            return head
        near = Text("What comes nearest, without answering:", style="dim")
        return Group(head, near, Text(), *_hits(result.related, explain))
    out: list[RenderableType] = []
    for number, part in enumerate(result.parts):
        if len(result.parts) > 1:
            out.append(Text(visible(part.text), style="italic"))
        out.extend(_part(part, [value for value in result.values if value.part == number]))
        out.append(Text())
    return Group(*out, *_hits(result.passages, explain))


def _part(part: AnswerPart, values: Sequence[Value]) -> list[RenderableType]:
    if part.status == "not_found":
        return [Text("The sources don't tell this.", style="bold")]
    out: list[RenderableType] = []
    if part.status == "disputed":
        out.append(Text("The sources differ.", style="bold red"))
    for value in values:
        head = Text(visible(" ".join(value.text.split())), style=MARK)
        head.append(f"  {certainty(value.confidence)} confidence, {value.confidence:.2f}", style="dim not bold")
        if value.independent_sources > 1:
            head.append(f" · {value.independent_sources} independent sources", style="dim not bold")
        elif len({witness.citation.source for witness in value.witnesses}) > 1:
            head.append(" · its sources depend on one another", style="dim not bold")
        out.append(head)
        for witness in value.witnesses:
            citation = witness.citation
            place = reference(citation.record, citation.kind, citation.original_locator or citation.locator)
            if witness.text != value.text:
                place.append(visible(f": {' '.join(witness.text.split())}"))
            for line in (place, *errata(citation), Text(citation.id, style="dim")):
                out.append(Padding(line, (0, 0, 0, 3)))
    return out


def search(result: Search, explain: bool = False) -> RenderableType:
    """Passages, best first; `explain` adds the score of each stage that ranked them."""
    if not result.hits:
        return Text("Nothing found.", style="bold")
    return Group(*_hits(result.hits, explain))


def _hits(hits: Iterable[Hit], explain: bool) -> list[RenderableType]:
    out: list[RenderableType] = []
    for number, hit in enumerate(hits, 1):
        citation = hit.citation
        head = Text(f"{number}  ", style="bold")
        head.append_text(reference(citation.record, citation.kind, citation.original_locator or citation.locator))
        out.append(head)
        out.append(Padding(quoted(citation, hit.highlights), (0, 0, 0, 3)))
        out.extend(Padding(note, (0, 0, 0, 3)) for note in errata(citation))
        tail = Text(citation.id, style="dim")
        if explain:
            stages = "  ".join(f"{name} {score:.3f}" for name, score in hit.scores.items())
            tail.append(f"\nscore {hit.score:.3f}  from  {stages}")
        out.append(Padding(tail, (0, 0, 1, 3)))
    return out


def quoted(citation: Citation, highlights: Sequence[Highlight] = ()) -> Text:
    """A citation's quote between quotation marks, the highlighted words marked."""
    text = Text(visible(citation.quote))
    for mark in highlights:
        text.stylize(MARK, mark.start - citation.start, mark.end - citation.start)
    return Text("“").append_text(text).append("”")


def errata(citation: Citation) -> list[Text]:
    """Our notes on the statements of a quote that the record contradicts."""
    return [
        Text.assemble(("Our note. ", "bold red"), visible(f"The source says: {e.says} The record: {e.record}"))
        for e in citation.errata
    ]


def quotation(result: Quotation) -> RenderableType:
    """Where a quotation stands: its state, then each place with what differs and what to look at."""
    out: list[RenderableType] = [Text(result.state.replace("_", " "), style="bold")]
    for place in result.places:
        citation = place.citation
        out.append(reference(citation.record, citation.kind, citation.original_locator or citation.locator))
        notes = [
            *_differing(place.differences),
            *(Text(f"! {visible(w.says)}", style="yellow") for w in place.warnings),
        ]
        for part in (quoted(citation), *notes, Text(f"{place.state}  {citation.id}", style="dim")):
            out.append(Padding(part, (0, 0, 0, 3)))
    more = result.total - len(result.places)
    if more:
        out.append(Text(f"and {_count(more, 'more place')}"))
    if not result.complete:
        out.append(Text("These words are met too often to look at all places; there may be more."))
    return Group(*out)


def verification(result: Verification) -> RenderableType:
    """What became of each citation, and how many of each state there are."""
    if not result.items:
        return Text("No citation of ours in it.", style="bold")
    out: list[RenderableType] = []
    for item in result.items:
        why = f" ({visible(item.reason)})" if item.reason else ""
        out.append(Text.assemble((item.state.replace("_", " "), "bold"), f"  {visible(item.citation)}{why}"))
        now = [] if item.state == "intact" else [Text(f"now {c.id}", style="dim") for c in item.found]
        out.extend(Padding(line, (0, 0, 0, 3)) for line in [*_differing(item.differences), *now])
    out.append(Text(", ".join(f"{n} {state.replace('_', ' ')}" for state, n in result.to_dict()["summary"].items())))
    return Group(*out)


def _differing(differences: Iterable[Difference]) -> list[Text]:
    return [
        Text.assemble("draft “", (visible(d.draft), "red"), "”, source “", (visible(d.source), "green"), "”")
        for d in differences
    ]


def surroundings(result: Surroundings) -> RenderableType:
    """A citation in the text around it, its own words marked."""
    citation = result.citation
    body = Text.assemble(
        (visible(result.before), "dim"), (visible(citation.quote), MARK), (visible(result.after), "dim")
    )
    head = reference(citation.record, citation.kind, citation.original_locator or citation.locator)
    return Group(head, Text(citation.id, style="dim"), Text(), body, *errata(citation))


def source(result: Source) -> RenderableType:
    """A source's record and its whole text."""
    info = result.info
    head = Text.assemble(reference(info.record, info.kind, None), "\n", (f"{info.id} · sha256 {info.sha256}", "dim"))
    if info.missing:
        head.append(f"\nnot in the record: {', '.join(info.missing)}", style="dim")
    return Group(head, Text(), Text(visible(result.text)))


def sources(infos: Sequence[SourceInfo]) -> RenderableType:
    """All sources, each with its id, its reference and what its record lacks."""
    lines: list[RenderableType] = []
    for info in infos:
        lines.append(Text.assemble((info.id, "bold"), f"  {info.kind}, {info.length:,} characters"))
        lines.append(Padding(reference(info.record, "original", None), (0, 0, 0, 3)))
        if info.missing:
            lacks = ", ".join(name.replace("|", " or ") for name in info.missing)
            lines.append(Padding(Text(f"not in the record: {lacks}", style="dim"), (0, 0, 0, 3)))
    works = count_works(infos)
    total = _count(len(infos), "source")
    lines.append(Text(f"{total}, {_count(works, 'work')}" if works != len(infos) else total))
    return Group(*lines)


def cited(result: Cited) -> RenderableType:
    """Finished citations, best first, and the entries of the works they are from."""
    if not result.references:
        head = Text("The sources don't support it.", style="bold")
        if not result.related:
            return head
        near = Text("What comes nearest, without supporting it:", style="dim")
        return Group(head, near, Text(), *_hits(result.related, False))
    lines: list[RenderableType] = []
    for number, one in enumerate(result.references, 1):
        lines += [Text.assemble((f"{number}  ", "bold"), visible(one.in_text)), *_reference(one), Text()]
    notes = dict.fromkeys(one.note for one in result.references if one.note)
    return Group(*lines, Text("References", style="bold"), *_entries(result.entries), *map(Text, notes))


def _reference(one: Reference) -> list[RenderableType]:
    words = quoted(one.citation)
    if one.use == "support":
        words = Text.assemble(("Supports it, in a brief's words: ", "italic"), visible(one.citation.quote))
    told = [words, *errata(one.citation)]
    tail = [one.pandoc, *([one.link] if one.link else []), one.citation.id]
    return [*(Padding(text, (0, 0, 0, 3)) for text in told), *(_unbroken(f"   {line}", "dim") for line in tail)]


def bibliography(result: Bibliography) -> RenderableType:
    """A reference list, each entry with what its record lacks."""
    if not result.entries:
        return Text("No source is cited.", style="bold")
    return Group(*_entries(result.entries))


def _entries(entries: Iterable[Entry]) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for entry in entries:
        text = visible(entry.text) or f"{entry.id}: this style has no reference list"
        lines.append(_unbroken(text))
        if entry.missing:
            lacks = ", ".join(name.replace("|", " or ") for name in entry.missing)
            lines.append(Padding(Text(f"not in the record of {entry.id}: {lacks}", style="dim"), (0, 0, 0, 3)))
    return lines


def _unbroken(line: str, style: str = "") -> Text:
    """A line that is to be copied: the terminal may wrap it, we don't."""
    return Text(visible(line), style=style, no_wrap=True, overflow="ignore")


_STYLES = {
    **dict.fromkeys(("supported", "exact", "supports"), "green"),
    **dict.fromkeys(("sources_differ", "partly_supported", "typographic"), "yellow"),
    **dict.fromkeys(("contradicted", "altered", "misattributed", "does_not_support", "unknown_source"), "bold red"),
    "not_found": "magenta",
    "not_checkable": "dim",
}


def check(result: Check) -> RenderableType:
    """A draft's items with line numbers, what differs and where the sources say it; a summary."""
    out: list[RenderableType] = []
    for item in result.items:
        style = _STYLES.get(item.verdict, "")
        said = " ".join(visible(item.text).split())
        out.append(Text.assemble(f"{item.line:>5}  ", (item.verdict.replace("_", " "), style), f"  {said}"))
        out.extend(Padding(Text(line, style="dim"), (0, 0, 0, 9)) for line in _details(item))
    out.append(Text(_summary(result), style="bold"))
    return Group(*out)


def check_markdown(result: Check) -> str:
    """A draft's items as a Markdown list, for an editor or a review."""
    escape = str.maketrans({c: "\\" + c for c in "\\`*_[]<>#"})
    lines = [f"**{_summary(result)}**", ""]
    for item in result.items:
        said = " ".join(visible(item.text).split()).translate(escape)
        lines.append(f"- line {item.line}, {item.type}: **{item.verdict.replace('_', ' ')}** — {said}")
        lines += [f"  - {line.translate(escape)}" for line in _details(item)]
    return "\n".join(lines) + "\n"


def _details(item: Item) -> list[str]:
    out = [f"draft: {visible(d.draft) or '—'}   source: {visible(d.source) or '—'}" for d in item.differences]
    out += [visible(warning) for warning in item.warnings]
    if item.note:
        out.append(visible(item.note))
    for citation in item.evidence:
        where = reference(citation.record, citation.kind, citation.original_locator or citation.locator)
        out.append(f"{where.plain}: {' '.join(visible(citation.quote).split())}")
    return out


def _summary(result: Check) -> str:
    counts = ", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in result.summary.items())
    return counts or "nothing to check"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def console(stderr: bool = False) -> Console:
    """A console that prints text as it is: no markup, no emoji codes, no guessed highlighting."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=False)
