"""Answers: what is cited stands in the sources, and nothing found is not_found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qa import answer as answer_module
from qa.answer import CITED, Answer
from qa.citation import CitationId
from qa.errors import QueryError
from qa.evidence import LEAST_SCORE, is_silent
from qa.library import Library
from qa.search import Filters
from qa.settings import Settings
from tests.fakes import WordEncoder

NOTES = {
    "brandholm.md": "# Brandholm\n\nThe old lighthouse of Brandholm is 41 metres tall. Its lamp burns whale oil.\n",
    "skagen.md": "# Skagen\n\nThe grey tower of Skagen burns coal. Fishermen pay for it with dried cod.\n",
    "digest.md": "---\nkind: brief\noriginal: brandholm\n"
    "errata: [{anchor: 43 metres, says: 43 m, record: 41 m}]\n---\n"
    "# Digest\n\nThe old lighthouse of Brandholm is 43 metres tall, says the digest. <!-- ¶ 1 -->\n",
}
QUESTION = "How tall is the old lighthouse of Brandholm?"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("library")
    (folder / "sources").mkdir()
    for name, text in NOTES.items():
        (folder / "sources" / name).write_text(text, encoding="utf-8")
    return Library(Settings(folder / "sources", folder / "index", judge=False), encoder=WordEncoder())


def check(library: Library, answer: Answer) -> None:
    """What holds of every answer: its quotes are verbatim, its citations stand in its passages, its lists agree."""
    told = json.loads(json.dumps(answer.to_dict()))
    hits = [*told["passages"], *told["related"]]
    for citation in [*told["citations"], *(hit["citation"] for hit in hits)]:
        source = library.source(citation["source"])
        assert citation["sha256"] == source.sha256
        assert citation["quote"] == source.text[citation["start"] : citation["end"]]
        assert citation["kind"] == source.kind
        assert CitationId.parse(citation["id"]).source == source.id
    for hit in hits:
        for mark in hit["highlights"]:
            assert hit["citation"]["start"] <= mark["start"] < mark["end"] <= hit["citation"]["end"]
    if answer.status == "not_found":
        assert told["citations"] == told["passages"] == told["values"] == []
    else:
        assert told["citations"] and told["passages"] and told["related"] == []
    for citation in told["citations"]:
        assert any(
            hit["citation"]["source"] == citation["source"]
            and hit["citation"]["start"] <= citation["start"] < citation["end"] <= hit["citation"]["end"]
            for hit in told["passages"]
        )
    assert told["index"]["generation"] == library.generation().id and told["index"]["model"] == "words"


@pytest.mark.parametrize("k", [1, 2, 100])
def test_the_sentences_that_answer_are_cited_best_first(library: Library, k: int) -> None:
    answer = library.ask(QUESTION, k)
    check(library, answer)
    assert answer.status == "answered" and answer.confidence is None and answer.values == ()
    assert answer.citations[0].quote == "The old lighthouse of Brandholm is 41 metres tall."
    assert len(answer.passages) == min(k, 3)
    assert answer.passages == library.search(QUESTION, k).hits
    cited = [hit for hit in answer.passages if hit.score >= CITED * answer.passages[0].score]
    assert [c.source for c in answer.citations] == [hit.citation.source for hit in cited]


def test_a_brief_s_sentence_points_to_the_original_and_bears_its_erratum(library: Library) -> None:
    answer = library.ask(QUESTION, 1, Filters(kind="brief"))
    check(library, answer)
    (citation,) = answer.citations
    assert citation.kind == "brief" and citation.original_locator and citation.original_locator.paragraph == 1
    assert [erratum.record for erratum in citation.errata] == ["41 m"]


@pytest.mark.parametrize("question", ["Zebras eat grass", "Quantum chromodynamics?"])
def test_silence_is_not_found_with_the_nearest_as_related(library: Library, question: str) -> None:
    answer = library.ask(question, 2)
    check(library, answer)
    assert answer.status == "not_found"
    assert answer.related == library.search(question, 2).hits
    assert len(answer.related) == 2


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
    answer = library.ask('How tall is "the old lighthouse", in "41 metres"?')
    check(library, answer)
    assert [hit.citation.source for hit in answer.passages] == ["brandholm"]


def test_filters_that_admit_nothing_leave_nothing(library: Library) -> None:
    answer = library.ask(QUESTION, 5, Filters(author="nobody"))
    check(library, answer)
    assert answer.status == "not_found" and answer.related == ()
    answer = library.ask('"zebra"', 5, Filters(("skagen",)))
    assert [hit.citation.source for hit in answer.related] == ["skagen"]


def test_a_question_that_cant_be_asked(library: Library) -> None:
    for question, k in [("", 5), ("?", 5), (QUESTION, 0), (QUESTION, 101)]:
        with pytest.raises(QueryError):
            library.ask(question, k)


def test_silence_is_below_a_score(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    hits = library.search(QUESTION, 3).hits
    assert is_silent(()) and not is_silent(hits)
    monkeypatch.setattr("qa.evidence.LEAST_SCORE", hits[0].score)
    assert not is_silent(hits)
    monkeypatch.setattr("qa.evidence.LEAST_SCORE", hits[0].score + 1e-9)
    assert is_silent(hits)
    assert library.ask(QUESTION, 3).status == "not_found"
    assert 0 < LEAST_SCORE < 1


@pytest.mark.parametrize(("share", "cited"), [(0.0, 3), (1.0, 1)])
def test_passages_near_the_best_are_cited(
    library: Library, monkeypatch: pytest.MonkeyPatch, share: float, cited: int
) -> None:
    monkeypatch.setattr(answer_module, "CITED", share)
    answer = library.ask(QUESTION, 3)
    check(library, answer)
    assert len(answer.citations) == cited


def test_asking_writes_nothing(library: Library) -> None:
    def state() -> list[tuple[Path, int]]:
        folders = (library.settings.sources, library.settings.index)
        return [(path, path.stat().st_mtime_ns) for folder in folders for path in sorted(folder.rglob("*"))]

    library.ask(QUESTION)
    before = state()
    library.ask('"zebra" or not', 100)
    assert state() == before
