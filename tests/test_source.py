"""Source: where a range stands, what a record holds, and which sources are one work."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from typing import Any

import pytest

from qa.source import (
    Block,
    Erratum,
    Locator,
    Source,
    SourceInfo,
    authors_of,
    count_works,
    record_from,
    same_work,
    year_of,
)


def source_of(**fields: Any) -> Source:
    text = "Title\n\nFirst words here.\n\nSecond words there."
    blocks = (
        Block(0, 5, "heading"),
        Block(7, 24, "paragraph", ("A",), 1, 4),
        Block(26, 45, "paragraph", ("A", "B"), 2),
    )
    return Source(**{"id": "x", "text": text, "blocks": blocks, **fields})


@pytest.mark.parametrize(
    ("start", "end", "paragraph"),
    [
        (7, 24, 1),
        (7, 8, 1),
        (23, 24, 1),
        (0, 45, 1),  # a heading gives way to the text that follows
        (24, 27, 2),  # begins in the gap
        (20, 30, 1),  # the first of two
        (26, 45, 2),
    ],
)
def test_a_range_stands_in_the_first_running_block_it_meets(start: int, end: int, paragraph: int) -> None:
    assert source_of().locate(start, end).paragraph == paragraph


def test_a_range_within_a_heading_has_no_paragraph() -> None:
    block = source_of().block_at(0, 5)
    assert block is not None and block.kind == "heading"
    assert source_of().locate(0, 5) == Locator()


@pytest.mark.parametrize(("start", "end"), [(5, 7), (24, 26), (100, 200)])
def test_a_range_that_meets_no_block_has_an_empty_locator(start: int, end: int) -> None:
    assert source_of().block_at(start, end) is None
    assert source_of().locate(start, end) == Locator()


def test_a_source_without_blocks_can_be_asked_for_a_place() -> None:
    assert Source("x", "text").locate(0, 4) == Locator()


def test_only_a_brief_points_into_an_original() -> None:
    assert source_of().locate_original(7, 24) is None
    brief = source_of(kind="brief")
    assert brief.locate_original(7, 24) == Locator(("A",), 4)
    assert brief.locate_original(26, 45) is None  # no pinpoint there


@pytest.mark.parametrize(
    ("start", "end", "met"), [(0, 7, False), (0, 8, True), (11, 12, True), (12, 20, False), (9, 10, True)]
)
def test_an_erratum_counts_where_its_statement_meets_the_range(start: int, end: int, met: bool) -> None:
    erratum = Erratum(7, 12, "says", "record")
    assert source_of(errata=(erratum,)).errata_within(start, end) == ((erratum,) if met else ())


def test_the_digest_is_that_of_the_text_in_utf8() -> None:
    source = Source("x", "Shinzō 🇯🇵")
    assert source.sha256 == hashlib.sha256("Shinzō 🇯🇵".encode()).hexdigest()
    assert source.info.length == 9
    assert source.info.to_dict()["sha256"] == source.sha256


def test_finding_the_block_of_every_range_takes_no_quadratic_time() -> None:
    many = 50_000
    source = Source("x", "a " * many, blocks=tuple(Block(2 * i, 2 * i + 1, "item", (), i + 1) for i in range(many)))
    began = time.process_time()
    assert all(source.locate(2 * i, 2 * i + 1).paragraph == i + 1 for i in range(0, many, 2))
    assert time.process_time() - began < 8


def info(id: str, kind: str = "original", title: str | None = None, original: str | None = None) -> SourceInfo:
    record = {"title": title} if title else {}
    return Source(id, "text", kind, record, original=original).info  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (info("a"), info("a"), True),
        (info("a", title="T"), info("b", title="T"), False),  # two originals may share a title
        (info("a", "brief", original="b"), info("b"), True),
        (info("a", "brief", original="c"), info("b"), False),
        (info("a", "brief", "The Treaty: A Study", original="c"), info("b", title="The Treaty: A Study"), False),
        (info("a", "brief", "The Treaty: A Study"), info("b", title="the treaty – a study"), True),
        (info("a", "brief", "…"), info("b", title="?"), False),  # no letters to compare
        (info("a", "brief"), info("b"), False),
        (info("a", "brief", "T"), info("b", "brief", "T"), False),
    ],
)
def test_a_brief_and_its_original_are_one_work(a: SourceInfo, b: SourceInfo, same: bool) -> None:
    assert same_work(a, b) is same
    assert same_work(b, a) is same
    assert count_works([a, b]) == (1 if same else 2)


@pytest.mark.parametrize(
    ("record", "missing"),
    [
        ({}, ("title", "author", "issued", "container-title|publisher", "URL")),
        ({"title": "T", "author": [{"family": "A"}], "issued": {"literal": "s.a."}, "publisher": "P", "URL": "u"}, ()),
        ({"title": "T", "author": [], "container-title": "C"}, ("author", "issued", "URL")),
    ],
)
def test_what_a_full_citation_lacks_is_named(record: dict[str, Any], missing: tuple[str, ...]) -> None:
    assert Source("x", "t", record=record).info.missing == missing


@pytest.mark.parametrize(
    ("given", "issued"),
    [
        (2021, {"date-parts": [[2021]]}),
        ("2021-1-7", {"date-parts": [[2021, 1, 7]]}),
        ("2021-01", {"date-parts": [[2021, 1]]}),
        (dt.date(2021, 1, 7), {"date-parts": [[2021, 1, 7]]}),
        (dt.datetime(2021, 1, 7, 23, 5), {"date-parts": [[2021, 1, 7]]}),
        ("January 2021", {"literal": "January 2021"}),
        ("2021-13-01", {"literal": "2021-13-01"}),
        ("2021-00", {"literal": "2021-00"}),
        ("1960²", {"literal": "1960²"}),
        ("1951-", {"literal": "1951-"}),
        ({"date-parts": [["2021", 1]]}, {"date-parts": [[2021, 1]]}),
        ({"date-parts": [[1951], [1960]]}, {"date-parts": [[1951], [1960]]}),
        ({"literal": "undated"}, {"literal": "undated"}),
    ],
)
def test_dates_become_csl_dates(given: object, issued: dict[str, Any]) -> None:
    assert record_from({"date": given}, "x")["issued"] == issued
    assert record_from({"record": {"issued": given}}, "x")["issued"] == issued


@pytest.mark.parametrize(
    "given",
    [
        {"date-parts": []},
        {"date-parts": [[]]},
        {"date-parts": [[2021, None]]},
        {"date-parts": [["x"]]},
        {"date-parts": [2021]},
        {"date-parts": 2021},
        {"date-parts": [[2021, 13]]},
        {"date-parts": [[2021, 1, 1, 1]]},
        {"literal": 3},
        {"season": "spring"},
    ],
)
def test_a_date_that_csl_cannot_hold_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match=r"`issued` needs date-parts"):
        record_from({"record": {"issued": given}}, "x")


@pytest.mark.parametrize(
    ("given", "author"),
    [
        ("Yoho, Ted S.", [{"family": "Yoho", "given": "Ted S."}]),
        ("The Desk", [{"literal": "The Desk"}]),
        (["A, B", {"family": "C", "given": "D"}], [{"family": "A", "given": "B"}, {"family": "C", "given": "D"}]),
        ({"family": "Abe", "given": None}, [{"family": "Abe"}]),
    ],
)
def test_authors_become_csl_names(given: object, author: list[dict[str, str]]) -> None:
    assert record_from({"author": given}, "x")["author"] == author
    assert record_from({"authors": given}, "x")["author"] == author


@pytest.mark.parametrize("given", [42, [""], [None], [{}], [{"family": None}], [["A"]]])
def test_an_author_without_a_name_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match="`author` needs names"):
        record_from({"author": given}, "x")


def test_what_is_unknown_is_absent_from_the_record() -> None:
    front = {"title": None, "author": "", "publisher": [], "url": "http://example.org", "tags": ["x"], "id": "y"}
    assert record_from(front, "x") == {"id": "x", "type": "document", "URL": "http://example.org"}


def test_a_record_keeps_its_own_type_but_not_its_own_id() -> None:
    assert record_from({"record": {"id": "z", "type": "webpage"}}, "x") == {"id": "x", "type": "webpage"}


@pytest.mark.parametrize("given", ["text", ["list"], 3])
def test_a_record_that_is_no_mapping_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match="`record` must be a mapping"):
        record_from({"record": given}, "x")


def test_every_record_can_be_written_as_json() -> None:
    front = {"record": {"seen": [dt.date(2021, 1, 7), {dt.date(2020, 1, 1): None}], "accessed": "2021", 7: 0.5}}
    record = record_from(front, "x")
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["seen"] == ["2021-01-07", {"2020-01-01": None}]


@pytest.mark.parametrize("value", [b"raw", {1, 2}, float("nan"), [float("inf")], {"deep": [b"raw"]}])
def test_a_value_that_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="`note` has a value"):
        record_from({"record": {"note": value}}, "x")


@pytest.mark.parametrize(
    ("record", "year"),
    [
        ({"issued": {"date-parts": [[2021, 1]]}}, 2021),
        ({"issued": {"literal": "2021"}}, None),
        ({"issued": "2021"}, None),
        ({}, None),
    ],
)
def test_the_year_is_told_only_when_known(record: dict[str, Any], year: int | None) -> None:
    assert year_of(record) == year


def test_authors_are_told_by_full_name_in_order() -> None:
    record = {"author": [{"family": "Lee", "given": "Yaechan"}, {"literal": "Desk"}, {"family": "Abe"}]}
    assert authors_of(record) == ["Yaechan Lee", "Desk", "Abe"]
    assert authors_of({}) == []
