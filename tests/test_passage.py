"""Cutting a source into passages: what stays together, and what is cut when it must be."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from qa.errors import SourceError
from qa.loaders import parse
from qa.passage import Measure, split_passages
from qa.source import Block, Source


def count_words(text: str) -> int:
    return len(text.split())


def pieces(
    text: str, limit: int = 20, target: int = 10, markdown: bool = True, measure: Measure = count_words
) -> list[str]:
    source = parse(text, "x", markdown)
    return [source.text[p.start : p.end] for p in split_passages(source, measure, limit, target)]


def some(count: int, word: str = "word") -> str:
    """A sentence of so many words, each its own."""
    return " ".join(f"{word}{i}" for i in range(count)) + "."


@pytest.mark.parametrize("text", ["", "\n\n", "\u00a0\u2028\f"])
def test_a_blank_text_has_no_passages(text: str) -> None:
    assert pieces(text) == []


def test_a_source_without_blocks_has_no_passages() -> None:
    assert split_passages(Source("x", "text"), count_words, 20, 10) == []


def test_neighbours_join_up_to_the_target() -> None:
    a, b, c = some(4, "a"), some(6, "b"), some(1, "c")
    assert pieces(f"{a}\n\n{b}\n\n{c}\n") == [f"{a}\n\n{b}", c]


def test_a_paragraph_over_the_target_but_within_the_limit_is_not_cut() -> None:
    assert pieces(some(20)) == [some(20)]


def test_a_paragraph_over_the_limit_is_cut_between_sentences() -> None:
    sentences = [some(8, "A"), some(8, "B"), some(8, "C")]
    assert pieces(" ".join(sentences)) == sentences


@pytest.mark.parametrize("stop", ["e.g. the fleet,", "the U.S. fleet,"])
def test_an_abbreviation_is_no_place_to_cut(stop: str) -> None:
    first, second = f"{some(4, 'A')[:-1]} {stop} x.", some(12, "B")
    assert pieces(f"{first} {second}", limit=16, target=14) == [first, second]


def test_sections_share_no_passage() -> None:
    assert pieces("# T\n\na.\n\n## A\n\nb.\n\n## B\n\nc.\n") == ["# T\n\na.", "## A\n\nb.", "## B\n\nc."]


def test_headings_stay_with_what_follows_even_over_the_target() -> None:
    text = f"# T\n## A\n\n{some(12)}"
    assert pieces(text) == [text]


def test_headings_stay_with_the_beginning_of_what_is_cut() -> None:
    sentences = [some(8, "A"), some(8, "B"), some(8, "C")]
    assert pieces("## Part\n\n" + " ".join(sentences)) == [f"## Part\n\n{sentences[0]}", *sentences[1:]]


def test_a_heading_too_long_for_company_stands_alone() -> None:
    heading = f"# {some(18, 'H')}"
    sentences = [some(8, "A"), some(8, "B"), some(8, "C")]
    assert pieces(f"{heading}\n\n" + " ".join(sentences)) == [heading, *sentences]


def test_a_heading_over_the_limit_is_cut() -> None:
    found = pieces(f"# {some(50)}\n\n{some(3, 'x')}")
    assert all(count_words(piece) <= 20 for piece in found)
    assert " ".join(found).split() == ["#", *some(50).split(), *some(3, "x").split()]


def test_a_heading_at_the_very_end_is_a_passage() -> None:
    assert pieces("words.\n\n## End\n") == ["words.", "## End"]


def test_an_item_is_cut_only_when_it_alone_is_over_the_limit() -> None:
    items = [f"- {some(6, 'A')}", f"- {some(6, 'B')}", f"- {some(15, 'C')}"]
    assert pieces("\n".join(items)) == items


def test_the_paragraphs_of_an_item_stay_together() -> None:
    item = f"- {some(6, 'A')}\n\n  {some(6, 'B')}"
    assert pieces(f"{item}\n- {some(6, 'C')}\n") == [item, f"- {some(6, 'C')}"]


def test_each_glossary_entry_is_a_passage() -> None:
    entries = ["Hub: the centre of a wheel", "Spoke: what leads to it", "Rim: what is around"]
    assert pieces("\n".join(entries), markdown=False) == entries


def test_a_heading_stays_with_the_first_entry() -> None:
    text = "Terms of Art\n\nHub: the centre\nSpoke: what leads to it\n"
    assert pieces(text, markdown=False) == ["Terms of Art\n\nHub: the centre", "Spoke: what leads to it"]


@pytest.mark.parametrize(
    "measure", [count_words, len, lambda text: len(text.encode())], ids=["words", "chars", "bytes"]
)
@pytest.mark.parametrize(
    "text",
    [
        "x" * 500,
        "日本の条約。" * 100,
        "👩‍👩‍👧‍👦" * 60,
        "e\u0301" * 300,
        "شهد العالم. " * 60,
        "a" * 90 + " " * 300 + "b" * 90,
        ("same words again. " * 100).strip(),
        "a.\u2028b. \u00a0c.\f" * 80,
        "- " + "nested words\n\n  " * 60,
    ],
)
def test_no_passage_exceeds_the_limit_and_none_is_lost(text: str, measure: Measure) -> None:
    source = parse(text, "x")
    passages = split_passages(source, measure, 30, 20)
    assert passages
    assert all(measure(source.text[p.start : p.end]) <= 30 for p in passages)
    assert "".join("".join(source.text[p.start : p.end].split()) for p in passages) == "".join(text.split())


def test_repeated_sentences_are_each_placed_where_they_stand() -> None:
    source = parse("Say it again. " * 50, "x")
    passages = split_passages(source, count_words, 4, 4)
    assert [p.start for p in passages] == [14 * i for i in range(50)]


def test_what_is_far_over_the_limit_is_cut_into_parts_near_the_target() -> None:
    found = pieces("船" * 960, limit=60, target=48, measure=lambda text: len(text.encode()))
    assert {len(piece.encode()) for piece in found} == {48}


def test_a_passage_is_short_enough_to_read_whatever_the_measure_says() -> None:
    assert all(len(piece) <= 4_000 for piece in pieces("x" * 50_000 + " y", measure=lambda text: 1))


def test_a_piece_that_cannot_be_placed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qa.passage._propose", lambda *_: iter(["not there"]))
    with pytest.raises(SourceError, match=r"'x': a proposed piece after character 0 can't be placed"):
        pieces(some(30))


def test_a_piece_that_leaves_words_out_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qa.passage._propose", lambda *_: iter([some(30)[:20]]))
    with pytest.raises(SourceError, match=r"'x': characters 20 to 200 are in no passage"):
        pieces(some(30))


def test_a_passage_names_its_source() -> None:
    source = replace(parse("a.", "x"), id="other", blocks=(Block(0, 2, "paragraph", (), 1),))
    assert [p.source for p in split_passages(source, count_words, 20, 10)] == ["other"]


@pytest.mark.parametrize(
    ("text", "markdown", "count"),
    [
        ("\n\n".join(f"## H{i}\n\nwords {i}." for i in range(20_000)), True, 20_000),
        ("\n".join(f"Term {i}: meaning {i}" for i in range(50_000)), False, 50_000),
        ("\n".join(f"- item {i}" for i in range(50_000)), True, 16_667),
    ],
    ids=["headings", "entries", "items"],
)
def test_many_blocks_take_no_quadratic_time(text: str, markdown: bool, count: int) -> None:
    began = time.process_time()
    source = parse(text, "x", markdown)
    passages = split_passages(source, count_words, 20, 10)
    for passage in passages:
        source.locate(passage.start, passage.end)
    assert time.process_time() - began < 45
    assert len(passages) == count
