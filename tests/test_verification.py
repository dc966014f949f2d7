"""Verification: never a wrong "intact", whatever is edited in the source or tampered with in the citation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa.citation import cite
from qa.source import Source
from qa.verification import claims_in, read_claims, verify

TEXT = "The lamp was lit in 1879. Fishermen pay for the coal. The lamp was lit again. Nobody knows why it went out."
WORDS = st.text(alphabet="ab .\n", max_size=40)


def state(given: Any, *sources: Source, old: Source | None = None) -> str:
    result = verify(claims_in(given), {s.id: s for s in sources}, lambda name, sha: old)
    [item] = result.items
    return item.state


@settings(deadline=None)
@given(WORDS, st.data())
def test_intact_is_the_same_characters_at_the_same_range(text: str, data: st.DataObject) -> None:
    if not text:
        return
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    citation = cite(Source("s", text), start, end)
    at = data.draw(st.integers(0, len(text)))
    to = data.draw(st.integers(at, len(text)))
    edited = text[:at] + data.draw(WORDS) + text[to:]
    now = state(citation.to_dict(), Source("s", edited))
    if now == "intact":
        assert edited[start:end] == citation.quote
    if now == "moved":
        assert edited[start:end] != citation.quote
        starts = [i for i in range(len(edited)) if edited.startswith(citation.quote, i)]
        assert len(starts) == 1
    if edited == text:
        assert now == "intact"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TEXT, "intact"),
        (TEXT + " More.", "intact"),
        ("More. " + TEXT, "moved"),
        (TEXT + " Fishermen pay for the coal.", "intact"),
        ("More. " + TEXT + " Fishermen pay for the coal.", "ambiguous"),
        (TEXT.replace("coal", "oil"), "altered"),
        (TEXT.replace("Fishermen", "FISHERMEN"), "altered"),
        ("Gulls.", "gone"),
    ],
)
def test_states(text: str, expected: str) -> None:
    start = TEXT.index("Fishermen")
    citation = cite(Source("s", TEXT), start, start + len("Fishermen pay for the coal."))
    assert state(citation.to_dict(), Source("s", text)) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"quote": "The lamp was LIT in 1879."},
        {"id": "s@0000000000000000:0-25"},
        {"start": 1},
        {"end": 24},
        {"prefix": "x"},
        {"suffix": "x"},
        {"sha256": "0" * 64},
        {"kind": "brief"},
        {"start": "0"},
        {"quote": None},
        {"source": "t"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_tampered_citation_is_never_intact(change: dict[str, Any]) -> None:
    source = Source("s", TEXT)
    given = {**cite(source, 0, 25).to_dict(), **change}
    assert state(given, source, Source("t", "Other.")) != "intact"


def test_ids_alone() -> None:
    source, later = Source("s", TEXT), Source("s", "More. " + TEXT)
    id = cite(source, 0, 25).id
    assert state(f"See {id}, p. 3.", source) == "intact"
    assert state([id], later) == "unknown_version"
    assert state([id], later, old=source) == "moved"
    assert state([id]) == "unknown_source"
    assert state([f"{id.rpartition('-')[0]}-9999"], source) == "gone"


def test_citations_are_found_anywhere_once() -> None:
    a, b = (cite(Source("s", TEXT), *r) for r in ((0, 8), (9, 25)))
    nested = {"x": [{"y": a.to_dict()}, a.to_dict()], "z": b.to_dict()}
    assert [c.id for c in read_claims(json.dumps(nested))] == [a.id, b.id]
    assert [c.id for c in read_claims(f"{json.dumps(a.to_dict())}\n{json.dumps(b.to_dict())}\n")] == [a.id, b.id]
    assert [c.id for c in read_claims(f"As [{a.id}] says; ({b.id}).")] == [a.id, b.id]
    assert not read_claims("nothing") and not read_claims("") and not read_claims("[" * 100_000)
