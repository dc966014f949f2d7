"""Answers: what is cited stands in the sources, values have their witnesses, nothing found is not_found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa.answer import DEPTH, Answer
from qa.citation import CitationId
from qa.errors import QueryError
from qa.evidence import LEAST_SCORE, certainty, is_far
from qa.library import Library
from qa.search import Filters
from qa.settings import Settings
from tests.fakes import BY_HAND, WordEncoder

NOTES = {
    "brandholm.md": "# Brandholm\n\nThe old lighthouse of Brandholm is 41 metres tall. Its lamp burns whale oil.\n",
    "skagen.md": "# Skagen\n\nThe grey tower of Skagen burns coal. Fishermen pay for it with dried cod.\n",
    "digest.md": "---\nkind: brief\noriginal: brandholm\n"
    "errata: [{anchor: 43 metres, says: 43 m, record: 41 m}]\n---\n"
    "# Digest\n\nThe old lighthouse of Brandholm is 43 metres tall, says the digest. <!-- ¶ 1 -->\n",
    "ferry-a.md": "# Ferry log\n\nThe Sorvik ferry carried about 900 sheep in 1911. The crew was small.\n",
    "ferry-b.md": "# Harbour book\n\nNine hundred sheep were carried by the Sorvik ferry in 1911: so the tolls.\n",
    "ferry-c.md": "# Old tales\n\nIn 1911 the Sorvik ferry carried 1,200 sheep. It also carried one bear.\n",
    "pact.md": "# Pact\n\nThe Quern pact was signed by Norway and by Denmark in the old hall.\n",
    "mill-a.md": "# Mill\n\nThe Arle mill was built by Anna Lind in 1790. The Arle mill has 12 looms.\n",
    "mill-b.md": "# Looms\n\nThe Arle mill was built by Lind in 1790, and rebuilt in 1820 after a fire.\n",
}
QUESTION = "How tall is the old lighthouse of Brandholm?"
SHEEP = "How many sheep were carried by the Sorvik ferry in 1911?"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("library")
    (folder / "sources").mkdir()
    for name, text in NOTES.items():
        (folder / "sources" / name).write_text(text, encoding="utf-8")
    return Library(Settings(folder / "sources", folder / "index", judge=False), encoder=WordEncoder())


@pytest.fixture(scope="module", autouse=True)
def weighed_by_hand() -> object:
    with pytest.MonkeyPatch.context() as patch:
        for module in ("answer", "evidence", "agreement"):
            patch.setattr(f"qa.{module}.weights", BY_HAND.__getitem__)
        yield


def check(library: Library, answer: Answer) -> None:
    """What holds of every answer: quotes and values are verbatim, citations stand in passages, lists agree."""
    told = json.loads(json.dumps(answer.to_dict()))
    hits = [*told["passages"], *told["related"]]
    witnesses = [witness for value in told["values"] for witness in value["witnesses"]]
    for citation in [*told["citations"], *(hit["citation"] for hit in hits), *(w["citation"] for w in witnesses)]:
        source = library.source(citation["source"])
        assert citation["sha256"] == source.sha256
        assert citation["quote"] == source.text[citation["start"] : citation["end"]]
        assert citation["kind"] == source.kind
        assert CitationId.parse(citation["id"]).source == source.id
    for witness in witnesses:
        citation = witness["citation"]
        assert citation["start"] <= witness["start"] < witness["end"] <= citation["end"]
        assert witness["text"] == library.source(citation["source"]).text[witness["start"] : witness["end"]]
    for value in told["values"]:
        assert value["text"] == value["witnesses"][0]["text"]
        assert 1 <= value["independent_sources"] <= len(value["witnesses"])
        assert 0 <= value["confidence"] <= 1
        assert told["parts"][value["part"]]["status"] != "not_found"
    for part in told["parts"]:
        assert part["text"] == answer.question[part["start"] : part["end"]].strip()
    for hit in hits:
        for mark in hit["highlights"]:
            assert hit["citation"]["start"] <= mark["start"] < mark["end"] <= hit["citation"]["end"]
    if answer.status == "not_found":
        assert told["citations"] == told["passages"] == told["values"] == []
        assert all(part["status"] == "not_found" for part in told["parts"])
    else:
        assert told["citations"] and told["passages"] and told["values"] and told["related"] == []
    assert {w["citation"]["id"] for w in witnesses} == {c["id"] for c in told["citations"]}
    for citation in told["citations"]:
        assert any(
            hit["citation"]["source"] == citation["source"]
            and hit["citation"]["start"] <= citation["start"] < citation["end"] <= hit["citation"]["end"]
            for hit in told["passages"]
        )
    assert told["index"]["generation"] == library.generation().id and told["index"]["model"] == "words"


@pytest.mark.parametrize("k", [1, 2, 100])
def test_a_value_is_told_with_the_sentence_it_stands_in(library: Library, k: int) -> None:
    answer = library.ask("What is the height of the old lighthouse of Brandholm?", k, Filters(kind="original"))
    check(library, answer)
    assert answer.status == "answered"
    assert [(value.text, value.kind, value.normalized) for value in answer.values] == [
        ("41 metres", "number", "41 metre")
    ]
    assert answer.citations[0].quote == "The old lighthouse of Brandholm is 41 metres tall."
    found = library.search(
        "What is the height of the old lighthouse of Brandholm?", max(k, DEPTH), Filters(kind="original")
    )
    assert answer.passages[:k] == found.hits[:k]


@pytest.mark.parametrize("k", [1, 5])
def test_sources_that_differ_are_set_side_by_side(library: Library, k: int) -> None:
    answer = library.ask(SHEEP, k)
    check(library, answer)
    assert answer.status == "disputed"
    sides = {value.text: [w.citation.source for w in value.witnesses] for value in answer.values}
    assert set(sides) in ({"about 900", "1,200"}, {"Nine hundred", "1,200"})
    (agreed,) = (value for value in answer.values if value.text != "1,200")
    assert {w.citation.source for w in agreed.witnesses} == {"ferry-a", "ferry-b"}
    assert agreed.independent_sources == 2
    assert len(answer.passages) >= 3


def test_a_brief_and_its_original_are_one_witness_and_errata_ride_along(library: Library) -> None:
    answer = library.ask(QUESTION)
    check(library, answer)
    assert {value.text for value in answer.values} == {"41 metres", "43 metres"} and answer.status == "disputed"
    (brief,) = (value for value in answer.values if value.text == "43 metres")
    citation = brief.witnesses[0].citation
    assert citation.kind == "brief" and citation.original_locator and citation.original_locator.paragraph == 1
    assert [erratum.record for erratum in citation.errata] == ["41 m"]


def test_names_in_another_form_agree(library: Library) -> None:
    answer = library.ask("Who was the Arle mill built by in 1790?")
    check(library, answer)
    assert answer.status == "answered"
    assert answer.values[0].text in ("Anna Lind", "Lind")
    assert {w.citation.source for w in answer.values[0].witnesses} == {"mill-a", "mill-b"}


def test_each_part_of_a_question_is_answered_or_said_not_to_be(library: Library) -> None:
    question = "How many sheep were carried by the Sorvik ferry in 1911, and how many looms has the Arle mill?"
    answer = library.ask(question)
    check(library, answer)
    assert [part.status for part in answer.parts] == ["disputed", "answered"]
    assert {value.text for value in answer.values if value.part == 1} == {"12"}
    assert answer.confidence == min(part.confidence for part in answer.parts)
    half = library.ask("How many looms has the Arle mill, and how many zebras live in Quagga park?")
    check(library, half)
    assert half.status == "answered"
    assert [part.status for part in half.parts] == ["answered", "not_found"]
    assert {value.part for value in half.values} == {0}


def test_several_things_asked_for_are_several_values(library: Library) -> None:
    answer = library.ask("Which two countries signed the Quern pact?")
    check(library, answer)
    assert answer.status == "answered"
    assert {value.text for value in answer.values} == {"Norway", "Denmark"}
    assert len(library.ask("Which country signed the Quern pact?").values) == 1


@pytest.mark.parametrize("question", ["Zebras eat grass", "How many lamps has the grey tower of Skagen?"])
def test_silence_is_not_found_with_the_nearest_as_related(library: Library, question: str) -> None:
    answer = library.ask(question, 2)
    check(library, answer)
    assert answer.status == "not_found" and answer.confidence is not None and answer.confidence < 0.3
    assert answer.related == library.search(question, DEPTH).hits[:2]


@pytest.mark.parametrize(
    "question",
    ['The "old tower of Skagen"?', '"41 metres" "dried cod"', '"zebra"', "“whale coal” burns", "«no one at»"],
)  # fmt: skip
def test_a_phrase_that_stands_nowhere_is_not_found_with_related(library: Library, question: str) -> None:
    answer = library.ask(question, 3)
    check(library, answer)
    assert answer.status == "not_found" and len(answer.related) == 3
    assert answer.question == question


def test_a_phrase_that_stands_somewhere_limits_the_answer(library: Library) -> None:
    answer = library.ask('Where is "the old lighthouse", of "41 metres", tall and old?')
    check(library, answer)
    assert {hit.citation.source for hit in answer.passages or answer.related} == {"brandholm"}


def test_filters_that_admit_nothing_leave_nothing(library: Library) -> None:
    answer = library.ask(QUESTION, 5, Filters(author="nobody"))
    check(library, answer)
    assert answer.status == "not_found" and answer.related == () and answer.confidence == 0
    answer = library.ask('"zebra"', 5, Filters(("skagen",)))
    assert [hit.citation.source for hit in answer.related] == ["skagen"]


def test_a_question_that_cant_be_asked(library: Library) -> None:
    for question, k in [("", 5), ("?", 5), (QUESTION, 0), (QUESTION, 101)]:
        with pytest.raises(QueryError):
            library.ask(question, k)


def test_what_comes_nowhere_near_is_silence_whatever_its_chance(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    hits = library.search(QUESTION, 3).hits
    assert is_far(()) and not is_far(hits)
    monkeypatch.setattr("qa.evidence.LEAST_SCORE", hits[0].score)
    assert not is_far(hits)
    monkeypatch.setattr("qa.evidence.LEAST_SCORE", hits[0].score + 1e-9)
    assert is_far(hits)
    assert library.ask(QUESTION, 3).status == "not_found"
    assert 0 < LEAST_SCORE < 1


@pytest.mark.parametrize(
    ("chance", "word"), [(1.0, "high"), (0.8, "high"), (0.79, "moderate"), (0.5, "moderate"), (0.1, "low")]
)
def test_confidence_has_a_word(chance: float, word: str) -> None:
    assert certainty(chance) == word


_WORDS = (
    "how many sheep when who was the Sorvik ferry mill built looms 1911 1790 and , tall lighthouse zebra Lind ?".split()
)


@settings(deadline=None)
@given(st.lists(st.sampled_from(_WORDS), min_size=1, max_size=14).map(" ".join), st.integers(1, 6))
def test_every_answer_is_verbatim_and_the_same_twice(library: Library, question: str, k: int) -> None:
    try:
        answer = library.ask(question, k)
    except QueryError:
        return
    check(library, answer)
    assert library.ask(question, k).to_dict() == answer.to_dict()


def test_asking_writes_nothing(library: Library) -> None:
    def state() -> list[tuple[Path, int]]:
        folders = (library.settings.sources, library.settings.index)
        return [(path, path.stat().st_mtime_ns) for folder in folders for path in sorted(folder.rglob("*"))]

    library.ask(QUESTION)
    before = state()
    library.ask('"zebra" or not', 100)
    assert state() == before
