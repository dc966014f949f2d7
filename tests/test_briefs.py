"""The briefs that are shipped: whole, pinned to their originals, and with errata that stand where they say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from qa.citation import cite
from qa.loaders import load_file, load_folder
from qa.passage import split_passages
from qa.source import Source

SOURCES = Path(__file__).parent.parent / "sources"
IDS = ["bilateral-agreements", "fiveable2024", "friends-us-rok-japan", "sakamoto2018", "yoho2021"]
CSL_FIELDS = {
    "id", "type", "title", "author", "issued", "container-title", "publisher", "URL", "editor", "accessed", "version",
    "title-short", "original-date", "page", "note", "abstract", "genre", "language",
}  # fmt: skip

briefs = pytest.mark.parametrize("id", IDS)


def raw(id: str) -> str:
    return (SOURCES / f"{id}.md").read_text(encoding="utf-8")


def front(id: str) -> dict[str, Any]:
    loaded = yaml.safe_load(raw(id).split("\n---\n", 1)[0].removeprefix("---\n"))
    assert isinstance(loaded, dict)
    return loaded


def brief(id: str) -> Source:
    return load_file(SOURCES / f"{id}.md")


def test_the_folder_loads_without_a_problem_and_holds_the_five_briefs() -> None:
    loaded = load_folder(SOURCES)
    assert loaded.problems == () and loaded.ignored == ()
    assert [source.id for _, source in loaded.sources if source.kind == "brief"] == IDS


@briefs
def test_the_front_matter_has_what_a_brief_needs_and_nothing_unknown(id: str) -> None:
    given = front(id)
    assert given["id"] == id and given["kind"] == "brief"
    assert given.keys() <= {"id", "kind", "record", "errata", "original"}
    assert given["record"].keys() <= CSL_FIELDS
    assert given["record"].get("type") in {"webpage", "document", "article", "article-journal", "post-weblog", "report"}
    assert all(value not in (None, "", []) for value in given["record"].values())


@briefs
def test_the_record_is_csl(id: str) -> None:
    record = brief(id).record
    assert record["id"] == id
    for person in record.get("author", []):
        assert person.keys() in ({"family", "given"}, {"family"}, {"literal"})
    for part in record.get("issued", {}).get("date-parts", []):
        assert 1900 < part[0] < 2100
    assert re.fullmatch(r"https?://[^\s<>\"]+", record.get("URL", "https://none.example"))


@briefs
def test_what_names_the_work_is_in_the_record(id: str) -> None:
    record = brief(id).record
    assert any(record.get(name) for name in ("title", "author", "publisher"))


@briefs
def test_every_block_of_running_text_has_its_pinpoint(id: str) -> None:
    source = brief(id)
    unpinned = [source.text[b.start : b.end] for b in source.blocks if b.kind != "heading" and not b.pinpoint]
    assert unpinned == []


@briefs
def test_every_pinpoint_pins_one_block_and_leaves_no_trace(id: str) -> None:
    source = brief(id)
    marks = re.findall(r"<!--\s*¶\s*(\d+)\s*-->", raw(id))
    assert [int(mark) for mark in marks] == [b.pinpoint for b in source.blocks if b.kind != "heading"]
    assert "¶" not in source.text and "<!--" not in source.text


@briefs
def test_pinpoints_do_not_go_back_within_a_section(id: str) -> None:
    last: dict[tuple[str, ...], int] = {}
    for block in brief(id).blocks:
        if block.pinpoint:
            assert block.pinpoint >= last.get(block.sections, 1), block
            last[block.sections] = block.pinpoint


@briefs
def test_each_section_has_a_name_of_its_own_and_some_text(id: str) -> None:
    source = brief(id)
    headings = [block for block in source.blocks if block.kind == "heading"]
    assert headings[0].start == 0 and headings[0].sections == ()
    paths = [block.sections for block in headings[1:]]
    assert len(set(paths)) == len(paths)
    assert all(name == name.strip() != "" for path in paths for name in path)
    assert source.blocks[-1].kind != "heading"


@briefs
def test_errata_stand_at_one_statement_and_say_both_sides(id: str) -> None:
    source = brief(id)
    assert len(source.errata) == len(front(id).get("errata", [])) > 0
    for erratum in source.errata:
        anchor = source.text[erratum.start : erratum.end]
        assert source.text.count(anchor) == 1
        assert anchor == anchor.strip() and "\n" not in anchor
        assert erratum.says.strip() and erratum.record.strip() and erratum.says != erratum.record
        block = source.block_at(erratum.start, erratum.end)
        assert block is not None and block.kind != "heading"
        assert block.start <= erratum.start and erratum.end <= block.end
        assert cite(source, erratum.start, erratum.end).errata[0].record in {e.record for e in source.errata}


@briefs
def test_no_two_errata_are_the_same(id: str) -> None:
    told = [(erratum.says, erratum.record) for erratum in brief(id).errata]
    assert len(set(told)) == len(told)


@briefs
def test_no_block_is_longer_than_an_encoder_reads_at_once(id: str) -> None:
    source = brief(id)
    long = [b for b in source.blocks if len(source.text[b.start : b.end].split()) > 220]
    assert [source.text[b.start : b.start + 60] for b in long] == []


@briefs
def test_the_text_is_plain_and_clean(id: str) -> None:
    text = brief(id).text
    assert "\r" not in text and "\t" not in text and "\ufffd" not in text and "\u00a0" not in text
    assert not re.search(r"[^\S\n]$", text, re.MULTILINE)
    assert "\n\n\n" not in text and text.endswith("\n") and not text.endswith("\n\n")
    assert not re.search(r"\b(\w+) \1\b", re.sub(r"\b(that|had) \1\b", "", text), re.IGNORECASE)
    assert not re.search(r"\b(TODO|FIXME|XXX|Lorem)\b", text)
    assert text.count("“") == text.count("”") and text.count("(") == text.count(")") and text.count('"') % 2 == 0


@briefs
def test_no_statement_is_told_twice_in_a_brief(id: str) -> None:
    source = brief(id)
    told = [source.text[b.start : b.end] for b in source.blocks if b.kind != "heading"]
    assert len(set(told)) == len(told)


@briefs
def test_passages_of_a_brief_point_to_the_original(id: str) -> None:
    source = brief(id)
    passages = split_passages(source, lambda text: len(text.split()), 180, 150)
    for passage in passages:
        citation = cite(source, passage.start, passage.end)
        assert citation.kind == "brief"
        assert citation.original_locator is not None and citation.original_locator.paragraph


@pytest.mark.parametrize(
    ("id", "statement"),
    [
        ("bilateral-agreements", "1960"),
        ("bilateral-agreements", "Hub and Spoke"),
        ("fiveable2024", "Article 9"),
        ("friends-us-rok-japan", "November 2022"),
        ("sakamoto2018", "Atchison"),
        ("yoho2021", "THAAD"),
        ("yoho2021", "1953"),
    ],
)
def test_a_known_fact_is_in_its_brief(id: str, statement: str) -> None:
    assert statement in brief(id).text
