"""What people read: references like a writer's, quotes as they stand, marks on the words that answer."""

from __future__ import annotations

import io
import itertools
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.text import Span, Text

from qa import render
from qa.answer import Answer, AnswerPart, IndexRef, Status, Value, Witness
from qa.citation import cite
from qa.library import Search, Surroundings
from qa.loaders import load
from qa.quotation import Quotation, find_quotation
from qa.search import Highlight, Hit
from qa.source import Locator, Record, Source
from qa.verification import claims_in, verify

INDEX = IndexRef("0" * 16, "words")
BRIEF = """---
kind: brief
record: {title: Lights of the Coast, author: [{family: Ørsted, given: Anna}], issued: "2018-06-16"}
errata:
  - anchor: lit in 1879
    says: The lamp was lit in 1879.
    record: The harbour's log has 1881.
---
# Digest

## The lamp

The book says that the lamp was lit in 1879. <!-- ¶ 7 -->

The tower is 41 metres tall. <!-- ¶ 9 -->
"""


def source(text: str, name: str = "x.md") -> Source:
    return load(text.encode(), Path(name), Path(name).stem)


def hit(of: Source, *marked: str) -> Hit:
    """The whole of a source as a hit, some of its words marked."""
    starts = [of.text.index(words) for words in marked]
    marks = [Highlight(start, start + len(words)) for start, words in zip(starts, marked, strict=True)]
    return Hit(cite(of, 0, len(of.text)), 0.5, {"dense": 0.25, "late": 0.75}, tuple(marks))


def answer(status: Status, passages: tuple[Hit, ...] = (), related: tuple[Hit, ...] = ()) -> Answer:
    return Answer("?", status, (), passages, related, INDEX)


def shown(what: RenderableType, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, markup=False, emoji=False, highlight=False)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def unwrapped(text: str) -> str:
    return " ".join(text.split())


def marked(text: Text) -> str:
    return "".join(text.plain[span.start : span.end] for span in text.spans if span.style == render.MARK)


# --- references ------------------------------------------------------------------------------------

A = {"family": "Ørsted", "given": "Anna"}
B = {"family": "Li", "given": "Wei"}
C = {"literal": "Ministry of the Sea"}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"title": "Lights", "author": [A], "issued": {"date-parts": [[2018, 6, 16]]}}, "Ørsted (2018). Lights"),
        ({"title": "Lights", "author": [A, B], "issued": {"date-parts": [[2018]]}}, "Ørsted and Li (2018). Lights"),
        ({"title": "Lights", "author": [A, B, C]}, "Ørsted et al. (no date). Lights"),
        ({"title": "Lights", "author": [A, B, C, A]}, "Ørsted et al. (no date). Lights"),
        ({"title": "Lights", "author": [C]}, "Ministry of the Sea (no date). Lights"),
        ({"title": "Lights", "author": [{"given": "Plato"}]}, "Plato (no date). Lights"),
        ({"title": "Lights", "author": [{}, A]}, "Ørsted (no date). Lights"),
        ({"title": "Lights", "publisher": "Coast Press"}, "Coast Press (no date). Lights"),
        ({"title": "Lights", "author": [A], "publisher": "Coast Press"}, "Ørsted (no date). Lights"),
        ({"title": "Lights", "issued": {"date-parts": [[1879]]}}, "Lights (1879)"),
        ({"title": "Lights", "issued": {"literal": "winter"}}, "Lights (no date)"),
        ({"id": "lights", "author": [A]}, "Ørsted (no date). [untitled: lights]"),
        ({"id": "lights"}, "[untitled: lights] (no date)"),
    ],
)
def test_a_reference_reads_like_a_writer_s(record: Record, expected: str) -> None:
    assert render.reference(record, "original", None).plain == expected


@pytest.mark.parametrize(
    ("locator", "expected"),
    [
        (Locator(), ""),
        (Locator(("Part", "The lamp"), 3), ", “The lamp”, para. 3"),
        (Locator((), 3), ", para. 3"),
        (Locator(("The lamp",), 3, 12), ", “The lamp”, para. 3, p. 12"),
        (Locator(("The lamp",), None, 12, "xii"), ", “The lamp”, p. xii"),
    ],
)
def test_a_reference_has_its_pinpoint(locator: Locator, expected: str) -> None:
    assert render.reference({"title": "Lights"}, "original", locator).plain == f"Lights (no date){expected}"


def test_a_title_is_in_italics_and_nothing_else_is() -> None:
    text = render.reference({"title": "Lights", "author": [A]}, "brief", Locator(("The lamp",), 3))
    spans = [text.plain[span.start : span.end] for span in text.spans if span.style == "italic"]
    assert spans == ["Lights"]


# --- law 10: a brief is not its original -----------------------------------------------------------


def test_a_brief_s_words_are_never_under_the_author_s_name_alone() -> None:
    brief = source(BRIEF)
    at = brief.text.index("The book says")
    near = Surroundings(cite(brief, at, at + 8), "", "")
    one = hit(brief)
    for what in (
        render.answer(answer("answered", (one,))),
        render.answer(answer("not_found", (), (one,))),
        render.search(Search("?", (one,), INDEX)),
        render.surroundings(near),
        render.source(brief),
    ):
        text = unwrapped(shown(what))
        assert text.count("Ørsted") == text.count("Brief of Ørsted (2018)") == 1
    assert "x brief, " in unwrapped(shown(render.sources([brief.info])))


def test_a_brief_points_to_its_original_s_paragraph() -> None:
    brief = source(BRIEF)
    at = brief.text.index("The tower")
    tower = Hit(cite(brief, at, at + 9), 0.5, {}, ())
    assert brief.locate(at, at + 9).paragraph == 2
    assert "“The lamp”, para. 9" in shown(render.answer(answer("answered", (tower,))))
    assert "“The lamp”, para. 9" in shown(render.surroundings(Surroundings(tower.citation, "", "")))


def test_an_original_is_no_brief() -> None:
    original = source(BRIEF.replace("kind: brief", "kind: original").replace(" <!-- ¶ 7 -->", ""))
    text = shown(render.answer(answer("answered", (hit(original),))))
    assert "Brief" not in text and "1  Ørsted (2018). Lights of the Coast" in text


def test_errata_are_told_as_ours_wherever_their_statement_is_quoted() -> None:
    brief = source(BRIEF)
    told = "Our note. The source says: The lamp was lit in 1879. The record: The harbour's log has 1881."
    whole, tower = hit(brief), brief.text.index("The tower")
    other = Hit(cite(brief, tower, tower + 9), 0.5, {}, ())
    assert told in unwrapped(shown(render.answer(answer("answered", (whole,)))))
    assert told in unwrapped(shown(render.search(Search("?", (whole,), INDEX))))
    assert told in unwrapped(shown(render.surroundings(Surroundings(whole.citation, "", ""))))
    assert "Our note" not in shown(render.answer(answer("answered", (other,))))


# --- quotes and marks ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Fish, then [then] bread :smile: [/usr] [bold]no[/bold] \\[x] {y} 100% <b>&amp;</b>",
        "two  blanks and   three",
        "漢字とカナ",
        "👩‍👩‍👧 e\u0301 مرحبا",
        "“curly” and \"straight\" and 'single'",
        "https://example.org/a?b=c 'str' 1234 True None",
    ],
)
def test_text_is_printed_as_it_is(text: str) -> None:
    one = source(text, "x.txt")
    for what in (
        render.answer(answer("answered", (hit(one),))),
        render.source(one),
        render.surroundings(Surroundings(hit(one).citation, "", "")),
    ):
        assert text in shown(what, 200)


def test_control_characters_never_reach_a_terminal() -> None:
    evil = "a\x1b[31mred\x1b[0m \x07bell \x08back \x0bvt \x0cff \x7fdel \x9b2Jcsi \x85nel \x00nul"
    record: Record = {"title": evil, "author": [{"family": evil}]}
    one = replace(source("x"), text=evil, record=record, blocks=())
    place = replace(cite(one, 0, len(evil)), locator=Locator((evil,), 1, None, evil))
    bad = Hit(place, 0.5, {}, ())
    for what in (
        render.answer(answer("answered", (bad,))),
        render.answer(answer("not_found", (), (bad,))),
        render.search(Search("?", (bad,), INDEX)),
        render.source(one),
        render.sources([one.info]),
        render.surroundings(Surroundings(place, evil, evil)),
    ):
        out = shown(what)
        assert not [c for c in out if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160)]
        assert "␛[31mred" in out


@given(st.text())
def test_visible_replaces_one_for_one(text: str) -> None:
    seen = render.visible(text)
    assert len(seen) == len(text)
    for before, after in zip(text, seen, strict=True):
        if before in "\t\n" or before.isprintable():
            assert after == before
    assert render.visible(seen) == seen


alphabet = st.sampled_from([*"ab \n\t[]:", "\x0b", "\x0c", "\x07", "\x1b", "é", "e\u0301", "漢", "👩‍👩‍👧", "م"])


@given(st.lists(alphabet, min_size=1).map("".join), st.data())
def test_marks_land_on_their_characters(text: str, data: st.DataObject) -> None:
    one = replace(source("x"), text=text, blocks=())
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    a = data.draw(st.integers(start, end - 1))
    b = data.draw(st.integers(a + 1, end))
    quoted = render.quoted(cite(one, start, end), [Highlight(a, b)])
    assert quoted.plain == f"“{render.visible(text[start:end])}”"
    assert marked(quoted) == render.visible(text[a:b])


def test_several_marks_stay_apart() -> None:
    one = source("The ship came in. The ship went out. The ship came in.", "x.txt")
    second = one.text.rindex("The ship came in.")
    quoted = render.quoted(cite(one, 0, len(one.text)), [Highlight(0, 8), Highlight(second, second + 8)])
    assert [span for span in quoted.spans if span.style == render.MARK] == [
        Span(1, 9, render.MARK),
        Span(second + 1, second + 9, render.MARK),
    ]


def test_surroundings_mark_the_citation_itself() -> None:
    one = source("Before it. The words. After it.", "x.txt")
    citation = cite(one, 11, 21)
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=80)
    console.print(render.surroundings(Surroundings(citation, "Before it. ", " After it.")))
    assert isinstance(console.file, io.StringIO)
    assert "\x1b[1;33mThe words.\x1b[0m" in console.file.getvalue()


# --- the whole -------------------------------------------------------------------------------------


def test_wide_characters_never_run_over_the_edge() -> None:
    one = source("船が来た。" * 60 + "\n\n" + "The ship came in. " * 20, "x.txt")
    out = shown(render.answer(answer("answered", (hit(one, "船が来た。"),))), 40)
    assert max(cell_len(line) for line in out.splitlines()) == 40
    assert "".join(one.text.split()) in "".join(out.split())


def test_silence_says_so_and_offers_what_is_near() -> None:
    assert shown(render.answer(answer("not_found"))) == "The sources don't tell.\n"
    out = shown(render.answer(answer("not_found", (), (hit(source("Fish.", "x.txt")),))))
    assert out.startswith("The sources don't tell.\nWhat comes nearest, without answering:\n")
    assert "“Fish.”" in out
    assert shown(render.search(Search("?", (), INDEX))) == "Nothing found.\n"


def test_hits_are_numbered_and_name_their_citation() -> None:
    hits = tuple(hit(source(f"Fish {n}.", f"x{n}.txt")) for n in (1, 2, 3))
    lines = shown(render.search(Search("?", hits, INDEX), explain=True), 200).splitlines()
    assert [line[0] for line in lines if line[:1].isdigit()] == ["1", "2", "3"]
    for one in hits:
        assert any(line.strip() == one.citation.id for line in lines)
    told = [line for line in lines if "from  dense 0.250  late 0.750" in line]
    assert len(told) == len(hits)
    assert "dense" not in shown(render.search(Search("?", hits, INDEX)), 200)
    assert not any("dense" in line for line in shown(render.answer(answer("answered", hits))).splitlines())


def test_a_quotation_is_told_with_its_places_and_what_they_hide() -> None:
    sources = [source("Fish is sold. Fish is sold.", "a.txt"), source(BRIEF, "lights.md")]
    out = shown(render.quotation(find_quotation(sources, "Fish is sold.", 1)), 200)
    assert out.startswith("exact\n[untitled: a] (no date), para. 1\n") and out.endswith("and 1 more place\n")
    assert "   “Fish is sold.”\n   exact  a@" in re.sub(" +\n", "\n", out)
    part = Quotation("Fish", "not_found", (), 0, complete=False)
    assert (
        shown(render.quotation(part))
        == "not found\nThese words are met too often to look at all places; there may be more.\n"
    )
    out = shown(render.quotation(find_quotation(sources, "The tower is 43 metres tall.")), 200)
    assert "altered\nBrief of Ørsted (2018). Lights of the Coast, “The lamp”, para. 9\n" in out
    assert "draft “43”, source “41”" in out and "! these are the words of a brief" in out


def test_a_verification_is_told_with_its_counts() -> None:
    one = source("Fish is sold. Bread is not.", "a.txt")
    citation = cite(one, 0, 13).to_dict()
    changed = {**citation, "quote": "Fish is gold."}
    out = shown(render.verification(verify(claims_in([citation, changed]), {"a": one})), 200)
    assert out.startswith(f"intact  {citation['id']}\naltered  {citation['id']} (")
    assert "draft “gold”, source “sold”" in out and out.endswith("1 altered, 1 intact\n")
    assert shown(render.verification(verify([], {}))) == "No citation of ours in it.\n"


def test_neither_drives_a_terminal() -> None:
    evil = "a \x1b[31mred\x1b[0m \x07bell and \x9bfish :smile: swim here today"
    one = replace(source("x"), text=evil, blocks=())
    given = {**cite(one, 0, len(evil)).to_dict(), "id": "\x1b[2J", "source": "\x9b2J"}
    for what in (
        render.quotation(find_quotation([one], evil)),
        render.quotation(find_quotation([one], evil.replace("today", "tomorrow"))),
        render.verification(verify(claims_in([given]), {"x": one})),
    ):
        out = shown(what)
        assert not [c for c in out if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160)]
        assert "␛" in out


def test_sources_say_what_their_records_lack() -> None:
    text = shown(render.sources([source("Fish.", "plain.txt").info, source(BRIEF, "lights.md").info]))
    assert "plain  original, 5 characters" in text
    assert "not in the record: title, author, issued, container-title or publisher, URL" in text
    assert "lights  brief, " in text and "not in the record: container-title or publisher, URL" in text
    assert text.splitlines()[-1].strip() == "2 sources"


def test_a_brief_and_its_original_are_one_work() -> None:
    original = source(BRIEF.replace("kind: brief", "kind: original"), "book.md")
    text = shown(render.sources([original.info, source(BRIEF).info]))
    assert text.splitlines()[-1].strip() == "2 sources, 1 work"
    assert shown(render.sources([original.info])).splitlines()[-1].strip() == "1 source"


def test_a_source_is_shown_whole_with_its_digest() -> None:
    brief = source(BRIEF)
    out = shown(render.source(brief), 200)
    assert brief.text in out and brief.sha256 in out and "not in the record: " in out


@pytest.mark.parametrize("stderr", [False, True])
def test_the_console_guesses_nothing(stderr: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    console = render.console(stderr)
    assert console.stderr is stderr
    out = io.StringIO()
    monkeypatch.setattr(console, "file", out)
    told = "[bold]1,000[/] :smile: [/usr] 'x' https://example.org"
    console.print(told)
    assert out.getvalue() == told + "\n"


def test_every_pair_of_parts_is_parted() -> None:
    """No two hits run into one another, whatever they hold."""
    hits = [hit(source(text, f"{n}.txt")) for n, text in enumerate(["One.", "Two.\n\nThree.", "Four.\n"])]
    for pair in itertools.permutations(hits, 2):
        lines = shown(render.answer(answer("answered", pair))).splitlines()
        second = next(number for number, line in enumerate(lines) if line.startswith("2  "))
        assert not lines[second - 1].strip()


# --- values ----------------------------------------------------------------------------------------


def witness(of: Source, sentence: str, value: str) -> Witness:
    start = of.text.index(sentence)
    at = of.text.index(value, start)
    return Witness(cite(of, start, start + len(sentence)), at, at + len(value), value)


def test_sides_stand_beside_each_other_with_their_witnesses_dates_and_errata() -> None:
    brief, note = source(BRIEF, "digest.md"), source("It was lit in\n1881.\n", "note.txt")
    old = Value(
        "1879", "date", "1879", (witness(brief, "The book says that the lamp was lit in 1879.", "1879"),), 1, 0, 0.912
    )
    new = Value("1881", "date", "1881", (witness(note, "It was lit in\n1881.", "1881"),) * 2, 2, 0, 0.55)
    part = AnswerPart("?", 0, 1, "date", "disputed", 0.912)
    out = shown(render.answer(Answer("?", "disputed", (), (), (), INDEX, (old, new), (part,), 0.912)))
    lines = [line.strip() for line in out.splitlines()]
    assert lines[:2] == ["The sources differ.", "1879  high confidence, 0.91"]
    assert "1881  moderate confidence, 0.55 · 2 independent sources" in lines
    assert "(2018)" in out and "no date" in out
    assert "Our note. The source says: The lamp was lit in 1879. The record: The" in out


def test_each_part_is_headed_and_the_missing_one_said() -> None:
    note = source("It was lit in 1881 by\n[bold]Ann\x1b[2J.\n", "note.txt")
    value = Value(
        "[bold]Ann\x1b[2J", "person", "ann", (witness(note, note.text.strip(), "[bold]Ann\x1b[2J"),), 1, 1, 0.4
    )
    parts = (AnswerPart("When was it dark", 0, 16, "date", "not_found", 0.1),
             AnswerPart("who lit it?", 22, 33, "person", "answered", 0.4))  # fmt: skip
    question = "When was it dark, and who lit it?"
    lines = shown(render.answer(Answer(question, "answered", (), (), (), INDEX, (value,), parts, 0.4))).splitlines()
    assert lines[:2] == ["When was it dark", "The sources don't tell this."]
    assert lines[3:5] == ["who lit it?", "[bold]Ann␛[2J  low confidence, 0.40"]


def test_sources_that_lean_on_each_other_are_said_to() -> None:
    one, other = source("It has 3 masts.\n", "one.txt"), source("It has 3 masts.\n", "two.txt")
    both = (witness(one, "It has 3 masts.", "3"), witness(other, "It has 3 masts.", "3"))
    part = AnswerPart("?", 0, 1, "number", "answered", 0.7)
    value = Value("3", "number", "3", both, 1, 0, 0.7)
    out = shown(render.answer(Answer("?", "answered", (), (), (), INDEX, (value,), (part,), 0.7)))
    assert "3  moderate confidence, 0.70 · its sources depend on one another" in out
