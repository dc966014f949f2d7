"""Citation: ids, and the quote with what stands around it."""

from __future__ import annotations

import json

import pytest

from qa.citation import CONTEXT, CitationId, cite
from qa.errors import QueryError
from qa.loaders import parse
from qa.source import Source

SHA = "0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (f"a@{SHA}:0-1", CitationId("a", SHA, 0, 1)),
        (f" report.v2~x_y-z@{SHA}:12-345 \n", CitationId("report.v2~x_y-z", SHA, 12, 345)),
    ],
)
def test_an_id_is_read(text: str, parts: CitationId) -> None:
    assert CitationId.parse(text) == parts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        f"@{SHA}:0-1",
        f"a b@{SHA}:0-1",
        f"a@b@{SHA}:0-1",
        f"a@{SHA[:15]}:0-1",
        f"a@{SHA}0:0-1",
        f"a@{SHA.upper()}:0-1",
        f"a@{SHA}:1-1",
        f"a@{SHA}:2-1",
        f"a@{SHA}:-1-1",
        f"a@{SHA}:0-",
        f"a@{SHA}:٠-١",
        f"a@{SHA}:0-{'9' * 5000}",
        f"a@{SHA}:0-1\n2",
    ],
)
def test_what_is_no_id_is_refused_by_name(text: str) -> None:
    with pytest.raises(QueryError, match="is no citation id"):
        CitationId.parse(text)


def test_a_citation_s_id_leads_back_to_its_quote() -> None:
    source = Source("some.id~1", "Shinzō 🇯🇵 e\u0301 met them.")
    for start in range(len(source.text)):
        citation = cite(source, start, len(source.text))
        parts = CitationId.parse(citation.id)
        assert (parts.source, parts.sha16) == (source.id, source.sha256[:16])
        assert source.text[parts.start : parts.end] == citation.quote


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (0, 0), (3, 2), (0, 6), (5, 6), (9, 12)])
def test_characters_that_are_not_there_cannot_be_cited(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="'x' has no characters"):
        cite(Source("x", "12345"), start, end)


@pytest.mark.parametrize(("start", "end"), [(0, 5), (10, 12), (40, 60), (95, 100), (0, 100)])
def test_a_quote_has_its_surroundings(start: int, end: int) -> None:
    text = "".join(chr(0x4E00 + i) for i in range(100))
    citation = cite(Source("x", text), start, end)
    assert citation.quote == text[start:end]
    assert text[:start].endswith(citation.prefix) and len(citation.prefix) == min(CONTEXT, start)
    assert text[end:].startswith(citation.suffix) and len(citation.suffix) == min(CONTEXT, 100 - end)


def test_a_citation_carries_what_its_place_carries() -> None:
    source = parse(
        "---\nkind: brief\ntitle: T\nerrata:\n  - {anchor: in 1946, says: s, record: r}\n---\n"
        "# T\n\n## Part\n\nIt was signed in 1946. <!-- ¶ 7 -->\n\nNobody came. <!-- ¶ 8 -->\n",
        "x",
    )
    at = source.text.index("It was")
    found = cite(source, at, at + 22).to_dict()
    assert found["kind"] == "brief" and found["record"]["title"] == "T"
    assert found["locator"] == {"sections": ["Part"], "paragraph": 1, "page": None, "page_label": None}
    assert found["original_locator"] == {"sections": ["Part"], "paragraph": 7, "page": None, "page_label": None}
    assert [source.text[e["start"] : e["end"]] for e in found["errata"]] == ["in 1946"]
    at = source.text.index("Nobody")
    other = cite(source, at, at + 6)
    assert other.errata == ()
    assert other.original_locator is not None and other.original_locator.paragraph == 8


def test_a_citation_has_the_contract_s_fields() -> None:
    found = cite(Source("x", "some words"), 0, 4).to_dict()
    assert list(found) == [
        "id", "source", "kind", "record", "sha256", "start", "end", "quote", "prefix", "suffix", "locator",
        "original_locator", "errata",
    ]  # fmt: skip
    assert json.loads(json.dumps(found)) == found
