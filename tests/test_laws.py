"""The laws of provenance, tried on texts of every awkward kind.

1. A passage's text is a slice of its source; starts increase; nothing that isn't blank is outside every passage.
2. Every quote equals the slice it names, of the version whose digest it names.
10. A brief points to its original, and is never taken for it.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qa.citation import CitationId, cite
from qa.loaders import load, parse
from qa.passage import Measure, Passage, split_passages
from qa.source import Source
from qa.words import sentences, words

LIMIT, TARGET = 24, 12


def count_words(text: str) -> int:
    return len(text.split())


def count_bytes(text: str) -> int:
    return len(text.encode())


MEASURES: list[Measure] = [count_words, len, count_bytes]

FRAGMENTS = [
    "The ship came in. ",
    "The ship came in. ",
    "Nobody saw it, e.g. from the U.S. side. ",
    "She said “No.” Then she left! ",
    "e\u0301te\u0301 o\u0308 \u0301\u0302",
    "👩‍👩‍👧‍👦🇯🇵👍🏽",
    "جاءت السفينة. ",
    "הספינה באה. ",
    "\u202eleft\u202c",
    "船が来た。誰も見なかった！",
    "non\u00a0breaking\u202fblanks\u3000here",
    "\f",
    "\x0b",
    "\x85",
    "\u2028",
    "\u2029",
    "\x1c",
    "\u200b\ufeff",
    "x" * 90,
    "船" * 40,
    "\n",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "\t",
    "    ",
    "# ",
    "## Part\n",
    "###### \n",
    "#\n",
    "Title\n===\n",
    "Part\n---\n",
    "\n---\n",
    "- ",
    "- one\n- two\n  - three\n\n    more of three\n",
    "1. ",
    "\n-\n",
    "> ",
    "> # quoted\n",
    "```\n",
    "~~~ python\n",
    "| a | b |\n|---|---|\n| 1 | 2 |\n",
    "|",
    "<div>\n",
    "</div>\n",
    "<!-- ",
    " -->",
    "<script>\n",
    "<?php ",
    " <!-- ¶ 3 -->\n",
    "[a]: http://example.org 'T'\n",
    "[a][b](c)",
    "**bold* `code",
    "Hub: the centre of a wheel\nSpoke: what leads to it\n",
    "• bullet\ngoes on\n",
    "\\",
    "&amp;&#0;",
    "---\n",
]
FRONTS = [
    "",
    "---\n---\n",
    "---\nid: y\ntitle: T\n---\n",
    "---\ndate: 2021-01-07\n...\n",
    "---\n",
    "---\r\nid: y\r\n---\r\n",
    "---\n# Words\n---\n",
    "---\nwords\n---\n",
    "\ufeff---\nid: y\n---\n",
]

texts = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=8), max_size=40).map("".join)
measures = st.sampled_from(MEASURES)
suffixes = st.sampled_from([".md", ".txt"])


def as_file(text: str) -> bytes:
    """The bytes of a file; a lone surrogate or a NUL can't stand in one."""
    return text.replace("\0", "").encode("utf-8", "ignore")


def passages_of(source: Source, measure: Measure) -> list[Passage]:
    return split_passages(source, measure, LIMIT, TARGET)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(FRONTS), texts, suffixes, measures)
@example("", "- a\n\n\t\n\t- b\n# c", ".md", len)
@example("", "a\n\n" + "\u2028" * 30 + "\n\nb", ".txt", count_words)
def test_law_1_passages_are_slices_in_order_that_hold_everything(
    front: str, text: str, suffix: str, measure: Measure
) -> None:
    source = load(as_file(front + text), Path(f"x{suffix}"), "x")
    passages = passages_of(source, measure)
    assert all(0 <= p.start < p.end <= len(source.text) for p in passages)
    assert all(one.end <= other.start for one, other in pairwise(passages))
    assert all(measure(source.text[p.start : p.end]) <= LIMIT for p in passages)
    held = {i for p in passages for i in range(p.start, p.end)}
    assert [c for i, c in enumerate(source.text) if i not in held and not c.isspace()] == []
    assert passages == passages_of(source, measure)


@settings(max_examples=200, deadline=None)
@given(texts, suffixes)
def test_law_1_blocks_are_in_order_and_hold_everything(text: str, suffix: str) -> None:
    source = load(as_file(text), Path(f"x{suffix}"), "x")
    assert all(b.start < b.end for b in source.blocks)
    assert all(one.end <= other.start for one, other in pairwise(source.blocks))
    held = {i for b in source.blocks for i in range(b.start, b.end)}
    assert all(c.isspace() for i, c in enumerate(source.text) if i not in held)
    counted: dict[int, int] = {}
    section = 0
    for block in source.blocks:
        if block.kind == "heading":
            section += 1
            assert block.paragraph is None
        else:
            counted[section] = counted.get(section, 0) + 1
            assert block.paragraph == counted[section]


@settings(max_examples=200, deadline=None)
@given(texts)
def test_law_1_only_newlines_and_the_byte_order_mark_are_changed(text: str) -> None:
    data = as_file("A word first: " + text)
    source = load(data, Path("x.md"), "x")
    assert source.text == re.sub("\r\n?", "\n", data.decode())
    assert source.sha256 == hashlib.sha256(source.text.encode()).hexdigest()


@settings(max_examples=200, deadline=None)
@given(texts, measures)
def test_law_2_every_quote_is_the_slice_it_names(text: str, measure: Measure) -> None:
    source = load(as_file(text), Path("x.md"), "x")
    digest = hashlib.sha256(source.text.encode()).hexdigest()
    for passage in passages_of(source, measure):
        ranges = [(passage.start, passage.end), *sentences(source.text, passage.start, passage.end)]
        for start, end in ranges:
            citation = cite(source, start, end)
            assert passage.start <= start < end <= passage.end
            assert citation.quote == source.text[start:end]
            assert citation.sha256 == digest
            assert citation.prefix + citation.quote + citation.suffix in source.text
            assert source.text[max(0, start - len(citation.prefix)) : start] == citation.prefix
            assert source.text[end : end + len(citation.suffix)] == citation.suffix
            parts = CitationId.parse(citation.id)
            assert (parts.source, parts.sha16, parts.start, parts.end) == ("x", digest[:16], start, end)
            told = json.loads(json.dumps(citation.to_dict()))
            assert told["quote"] == source.text[told["start"] : told["end"]]


@settings(max_examples=200, deadline=None)
@given(texts)
def test_law_2_words_stand_where_they_say(text: str) -> None:
    for word in words(text):
        alone = [other.text for other in words(text[word.start : word.end])]
        assert alone == [word.text]


paragraphs = st.lists(
    st.tuples(
        st.sampled_from(["- ", "", "1. ", "> ", "## Part\n\n"]),
        st.sampled_from(["The ship came in.", "船が来た。", "e\u0301 👩‍👩‍👧", "words " * 30 + "end."]),
        st.none() | st.integers(1, 99),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(paragraphs, measures)
def test_law_10_a_brief_points_to_its_original_s_paragraph(
    parts: list[tuple[str, str, int | None]], measure: Measure
) -> None:
    body = "\n\n".join(lead + words_ + (f" <!-- ¶ {pin} -->" if pin else "") for lead, words_, pin in parts)
    source = parse(f"---\nkind: brief\n---\n{body}\n", "x")
    assert "¶" not in source.text
    assert source.text == re.sub(r" <!-- ¶ \d+ -->", "", body) + "\n"
    running = [block for block in source.blocks if block.kind != "heading"]
    assert [block.pinpoint for block in running] == [pin for _, _, pin in parts]
    for passage in passages_of(source, measure):
        citation = cite(source, passage.start, passage.end)
        block = source.block_at(passage.start, passage.end)
        assert citation.kind == citation.to_dict()["kind"] == "brief"
        assert block is not None
        pointed = citation.original_locator.paragraph if citation.original_locator else None
        assert pointed == block.pinpoint


@settings(max_examples=100, deadline=None)
@given(texts, measures)
def test_law_10_an_original_points_to_nothing_but_itself(text: str, measure: Measure) -> None:
    source = load(as_file(text), Path("x.md"), "x")
    assert source.kind == "original"
    for passage in passages_of(source, measure):
        assert cite(source, passage.start, passage.end).original_locator is None


@pytest.mark.parametrize("suffix", [".md", ".txt"])
@pytest.mark.parametrize(
    "line",
    [
        "The ship came in at dawn and nobody saw it. " * 46_000,
        "x" * 2_000_000,
        "船が来た。" * 400_000,
        "no full stop anywhere and so it goes on " * 50_000,
    ],
    ids=["sentences", "one word", "unspaced", "one sentence"],
)
def test_law_1_holds_for_one_line_of_two_million_characters(line: str, suffix: str) -> None:
    began = time.process_time()
    source = load(line.encode(), Path(f"x{suffix}"), "x")
    passages = split_passages(source, count_words, 200, 150)
    assert time.process_time() - began < 60
    at = 0
    for passage in passages:
        assert not line[at : passage.start].strip()
        assert count_words(line[passage.start : passage.end]) <= 200
        at = passage.end
    assert not line[at:].strip()
    assert len(passages) > 400
