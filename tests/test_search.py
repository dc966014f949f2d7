"""Search: fusion, late interaction, filters, phrases, ties."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.citation import CitationId
from qa.errors import QueryError
from qa.library import Library
from qa.search import FINAL_WEIGHTS, FUSION_WEIGHTS, Filters, Hit, _intersect, search
from qa.settings import MAX_K, MAX_QUESTION_CHARS, Settings
from tests.fakes import WordEncoder

Make = Callable[[dict[str, str]], Library]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Makes a library on some files, its index built."""

    def make(files: dict[str, str]) -> Library:
        folder = tmp_path_factory.mktemp("library")
        (folder / "sources").mkdir()
        for name, text in files.items():
            (folder / "sources" / name).write_text(text, encoding="utf-8")
        library = Library(Settings(folder / "sources", folder / "index"), encoder=WordEncoder())
        library.index()
        return library

    return make


def ids(hits: tuple[Hit, ...]) -> list[str]:
    return [hit.citation.source for hit in hits]


# --- scores ------------------------------------------------------------------------------------------

NOTES = {
    "brandholm.md": "# Brandholm\n\nThe old lighthouse of Brandholm is 41 metres tall. Its lamp burns whale oil.\n",
    "skagen.md": "# Skagen\n\nThe grey tower of Skagen burns coal. Fishermen pay for it with dried cod.\n",
    "pilots.md": "# Pilots\n\nPilots know both lights. They drink coffee. The lamp of a pilot is small.\n",
    "harbour.txt": "The harbour has a lamp too. It is 12 metres tall, and nobody knows who lit it.\n",
    "cod.txt": "Dried cod keeps for years. U.S. sailors ate it, and so did Shinzō.\n",
}
QUESTION = "How tall is the old lighthouse of Brandholm?"


@pytest.fixture(scope="module")
def notes(make: Make) -> Library:
    return make(NOTES)


@pytest.mark.parametrize("question", [QUESTION, "lamp", "dried cod for sailors", "who knows", "zebra"])
def test_every_stage_s_score_is_what_it_says(notes: Library, question: str) -> None:
    encoder = WordEncoder()
    asked = encoder.encode(question, "question")
    hits = notes.search(question, 100).hits
    assert sorted(ids(hits)) == sorted(Path(name).stem for name in NOTES)
    lexical = dict(notes.generation().lexicon.matching(question, 100))
    most = 2.2 * sum(notes.generation().lexicon.rarity(question).values())
    for hit in hits:
        passage = encoder.encode(hit.citation.quote, "passage")
        (number,) = (
            n for (sha, a, b), n in notes.generation().texts.passage_numbers().items()
            if (sha, a, b) == (hit.citation.sha256, hit.citation.start, hit.citation.end)
        )  # fmt: skip
        scores = hit.scores
        assert scores["dense"] == pytest.approx(float(passage.vector @ asked.vector), abs=1e-6)
        assert scores["bm25"] == pytest.approx(lexical.get(number, 0.0) / most, abs=1e-9)
        assert 0 <= scores["bm25"] < 1
        assert scores["fused"] == pytest.approx(sum(w * scores[name] for name, w in FUSION_WEIGHTS.items()))
        assert hit.score == pytest.approx(sum(w * scores[name] for name, w in FINAL_WEIGHTS.items()))
        matrix = passage.tokens @ asked.tokens.T
        (mark,) = hit.highlights
        inside = (passage.starts >= mark.start - hit.citation.start) & (passage.starts < mark.end - hit.citation.start)
        expected = (matrix.max(axis=0).mean() + matrix[inside].max(axis=0).mean()) / 2
        assert scores["late"] == pytest.approx(expected, abs=0.12)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert sum(FUSION_WEIGHTS.values()) == pytest.approx(1) and sum(FINAL_WEIGHTS.values()) == pytest.approx(1)


def test_best_sentence_is_highlighted(notes: Library) -> None:
    hit = notes.search(QUESTION, 1).hits[0]
    text = notes.source("brandholm").text
    assert [text[mark.start : mark.end] for mark in hit.highlights] == [
        "The old lighthouse of Brandholm is 41 metres tall."
    ]
    hit = notes.search("Which whale oil burns?", 1).hits[0]
    assert [text[mark.start : mark.end] for mark in hit.highlights] == ["Its lamp burns whale oil."]


def test_json_is_rounded_and_whole(notes: Library) -> None:
    hit = notes.search(QUESTION, 1).hits[0]
    told = json.loads(json.dumps(hit.to_dict()))
    assert set(told) == {"citation", "score", "scores", "highlights"}
    assert set(told["scores"]) == {"dense", "bm25", "fused", "late"}
    assert told["score"] == round(hit.score, 6)
    assert told["citation"]["quote"] == hit.citation.quote


# --- order -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def equal(make: Make) -> Library:
    """1,000 identical passages: 250 sources of four sections each."""
    text = "# Port\n\nThe ship came in at dawn.\n\n" * 4
    names = [f"s{n:03}.md" for n in range(250)]
    random.Random(3).shuffle(names)
    return make(dict.fromkeys(names, text))


@pytest.mark.parametrize("question", ["When did the ship come in?", '"came in at"', "dawn", "zebra", "the"])
@pytest.mark.parametrize("k", [1, 3, 4, 39, 40, 41, 100])
def test_of_equal_passages_those_of_the_first_sources_come_first(equal: Library, question: str, k: int) -> None:
    places = [(hit.citation.source, hit.citation.start) for hit in equal.search(question, k).hits]
    starts = [p.start for p in equal.generation().texts.passages_of(equal.source("s000"))]
    assert places == [(f"s{n // 4:03}", starts[n % 4]) for n in range(k)]
    assert len({hit.score for hit in equal.search(question, k).hits}) == 1


@pytest.mark.parametrize("k", [1, 5, 50, 100])
def test_of_equal_passages_the_first_that_a_filter_admits(equal: Library, k: int) -> None:
    wanted = ("s249", "s100", "s101", "s017")
    hits = equal.search("When did the ship come in?", k, Filters(sources=wanted)).hits
    assert ids(hits) == [name for name in sorted(wanted) for _ in range(4)][:k]


def test_a_hit_s_scores_depend_on_no_other_passage(make: Make) -> None:
    files = {f"{n:02}.txt": f"Lamp {n} of the harbour burns {'coal ' * (n % 7)} at dawn." for n in range(60)}
    library = make(files)
    every = {hit.citation.id: hit for hit in library.search("Which lamp burns coal?", 40).hits}
    for name in list(files)[::7]:
        for hit in library.search("Which lamp burns coal?", 1, Filters((Path(name).stem,))).hits:
            if hit.citation.id in every:
                assert hit == every[hit.citation.id]


# --- how many ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2, 5, 6, 100])
def test_k_are_found_where_there_are_as_many(notes: Library, k: int) -> None:
    assert len(notes.search(QUESTION, k).hits) == min(k, 5)
    all_hits = notes.search(QUESTION, 100).hits
    assert notes.search(QUESTION, k).hits == all_hits[:k]


@pytest.mark.parametrize("k", [0, -1, MAX_K + 1, 10**9])
def test_k_out_of_range(notes: Library, k: int) -> None:
    with pytest.raises(QueryError, match=f"k is {k}; it can be 1 to 100"):
        notes.search(QUESTION, k)


@pytest.mark.parametrize("question", ["", " \n", "?!", "👩‍👩‍👧", '""', "\u0301"])
def test_a_question_without_words(notes: Library, question: str) -> None:
    with pytest.raises(QueryError, match=r"no words; ask something like"):
        notes.search(question)


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("a" * (MAX_QUESTION_CHARS + 1), "2001 characters; 2000 is the most"),
        ("a " * 255, "257 tokens and the model reads 256"),
        ("what \ud800", "lone surrogate"),
    ],
)
def test_a_question_that_cant_be_read(notes: Library, question: str, told: str) -> None:
    with pytest.raises(QueryError, match=told):
        notes.search(question)


def test_the_longest_questions_are_answered(notes: Library) -> None:
    assert len(notes.search("a " * 254).hits) == 5
    assert len(notes.search("lamp" * 500).hits) == 5


@pytest.mark.parametrize("question", ["What is it?", "who", "how much of the", "did THEY do so?", "of"])
def test_questions_of_function_words_alone_are_searched(notes: Library, question: str) -> None:
    hits = notes.search(question, 100).hits
    assert len(hits) == 5
    assert any(hit.scores["bm25"] > 0 for hit in hits) == any(
        word in hit.citation.quote.casefold().split() for word in question.casefold().strip("?").split() for hit in hits
    )


@pytest.mark.parametrize(
    "question", ["AND OR NOT (", "text:lamp", "a:b:c?", "[x TO y]", "lamp~2^3 *", "\\ / ' ` { }lamp"]
)
def test_nothing_in_a_question_is_syntax(notes: Library, question: str) -> None:
    assert len(notes.search(question, 100).hits) == 5


# --- phrases and spellings ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ('Who eats "dried cod"?', {"cod", "skagen"}),
        ('"Dried Cod keeps"', {"cod"}),
        ('“metres tall”', {"brandholm", "harbour"}),
        ('"metres tall" "whale oil"', {"brandholm"}),
        ('"cod dried"', set()),
        ('tall "old lighthouse of Skagen"', set()),
        ('"U.S. sailors"', {"cod"}),
        ('"us sailors"', {"cod"}),
        ('"did Shinzo"', {"cod"}),
        ('"lamp"', {"brandholm", "pilots", "harbour"}),
        ('"keeps for years. U.S."', {"cod"}),
    ],
)  # fmt: skip
def test_a_phrase_in_quotation_marks_stands_in_every_hit(notes: Library, question: str, found: set[str]) -> None:
    hits = notes.search(question, 100).hits
    assert set(ids(hits)) == found and len(hits) == len(found)


def test_spellings_meet(notes: Library) -> None:
    for question in ("US sailors", "U.S. sailors", "u.s. SAILORS"):
        assert ids(notes.search(question, 1).hits) == ["cod"]
    same = {
        notes.search(question, 1).hits[0].scores["bm25"] for question in ("Shinzō", "Shinzo", "SHINZO", "shinzo\u0304")
    }
    assert len(same) == 1 and same.pop() > 0


def test_of_equal_passages_that_hold_a_phrase_as_many_as_asked(make: Make) -> None:
    files = {f"{n:03}.txt": "The ship came in." if n % 3 else "The boat came in." for n in range(300)}
    hits = make(files).search('when did the "ship came"', 100).hits
    assert ids(hits) == [name.removesuffix(".txt") for name in files if int(name[:3]) % 3][:100]


# --- filters -----------------------------------------------------------------------------------------


def front(author: str, date: str, kind: str = "original") -> str:
    named = f"author: [{author}], " if author else ""
    issued = f"issued: {date}, " if date else ""
    return f"---\nkind: {kind}\nrecord: {{{named}{issued}title: T}}\n---\nThe ship came in at dawn.\n"


DATED = {
    "y2018.md": front("{family: Ørsted, given: Anna}", "2018"),
    "m201806.md": front("{family: Abe, given: Shinzō}", '"2018-06"'),
    "d20180616.md": front("{literal: Ministry of Ships}", "2018-06-16", "brief"),
    "d20171231.md": front("", "2017-12-31"),
    "m999912.md": front("", '"9999-12"'),
    "span.md": front("", "{date-parts: [[2015], [2019, 3]]}"),
    "words.md": front("", "n.d."),
    "none.md": "The ship came in at dawn.",
}


@pytest.fixture(scope="module")
def dated(make: Make) -> Library:
    return make(DATED)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (Filters(), {*(Path(name).stem for name in DATED)}),
        (Filters(since="2018"), {"y2018", "m201806", "d20180616", "m999912", "span"}),
        (Filters(since="2018-06"), {"y2018", "m201806", "d20180616", "m999912", "span"}),
        (Filters(since="2018-06-17"), {"y2018", "m201806", "m999912", "span"}),
        (Filters(since="2018-07"), {"y2018", "m999912", "span"}),
        (Filters(since="2019"), {"m999912", "span"}),
        (Filters(since="2019-03-31"), {"m999912", "span"}),
        (Filters(since="2019-04-01"), {"m999912"}),
        (Filters(since="9999-12"), {"m999912"}),
        (Filters(until="9999-12"), {"y2018", "m201806", "d20180616", "d20171231", "m999912", "span"}),
        (Filters(until="2018"), {"y2018", "m201806", "d20180616", "d20171231", "span"}),
        (Filters(until="2018-06-15"), {"y2018", "m201806", "d20171231", "span"}),
        (Filters(until="2018-05"), {"y2018", "d20171231", "span"}),
        (Filters(until="2017"), {"d20171231", "span"}),
        (Filters(until="2014"), set()),
        (Filters(since="2018-06-16", until="2018-06-16"), {"y2018", "m201806", "d20180616", "span"}),
        (Filters(since="2019-04", until="2018"), set()),
        (Filters(author="abe"), {"m201806"}),
        (Filters(author="SHINZO"), {"m201806"}),
        (Filters(author="Shinzō A"), {"m201806"}),
        (Filters(author="ministry"), {"d20180616"}),
        (Filters(author="nobody"), set()),
        (Filters(kind="brief"), {"d20180616"}),
        (Filters(kind="original", until="2017-12"), {"d20171231", "span"}),
        (Filters(sources=("none", "words")), {"none", "words"}),
        (Filters(sources=("none", "words"), since="1900"), set()),
    ],
    ids=str,
)
def test_filters_admit(dated: Library, filters: Filters, found: set[str]) -> None:
    assert set(ids(dated.search("ship", 100, filters).hits)) == found


NO_DATES = [
    "",
    "June",
    "2018-13",
    "2018-00",
    "2018-02-30",
    "2018-6-1-1",
    "-2018",
    "0",
    "10000",
    "9" * 30,
    "2018-",
    "1e3",
]


@pytest.mark.parametrize(
    ("filters", "told"),
    [
        (Filters(sources=("none", "nowhere")), "no source 'nowhere' in the index"),
        (Filters(kind="draft"), "kind 'draft' is neither"),
        *((Filters(since=text), "is no date; write 2018, 2018-06 or 2018-06-16") for text in NO_DATES),
        (Filters(until="2018/06"), "is no date"),
    ],
    ids=str,
)  # fmt: skip
def test_filters_that_cant_be(dated: Library, filters: Filters, told: str) -> None:
    with pytest.raises(QueryError, match=told):
        dated.search("ship", 5, filters)


def test_filters_are_applied_inside_the_search(make: Make) -> None:
    """Passages that a filter admits are found though hundreds of others are nearer."""
    near = dict.fromkeys((f"near{n:03}.txt" for n in range(400)), "The ship came in at dawn.")
    far = {f"zfar{n}.txt": f"Cod number {n} dries. The ship did not." for n in range(7)}
    library = make({**near, **far})
    wanted = tuple(Path(name).stem for name in far)
    hits = library.search("When did the ship come in at dawn?", 5, Filters(sources=wanted)).hits
    assert len(hits) == 5 and set(ids(hits)) <= set(wanted)
    hits = library.search("When did the ship come in at dawn?", 100, Filters(sources=wanted)).hits
    assert sorted(ids(hits)) == sorted(wanted)
    assert library.search("ship", 5, Filters(author="nobody")).hits == ()
    hits = library.search('"Cod number 3" dawn', 5).hits
    assert ids(hits) == ["zfar3"]
    assert library.search('"Cod number 3"', 5, Filters(("zfar4",))).hits == ()


@given(
    st.sets(st.integers(0, 40)).map(sorted),
    st.none() | st.sets(st.integers(0, 40), max_size=8).map(sorted),
)
def test_intersecting_numbers_with_ranges(numbers: list[int], cuts: list[int] | None) -> None:
    ranges = None if cuts is None else list(zip(cuts[::2], cuts[1::2], strict=False))
    found = _intersect(numbers, ranges)
    inside = [n for n in numbers if ranges is None or any(a <= n < b for a, b in ranges)]
    assert [n for a, b in found for n in range(a, b)] == inside
    assert all(a < b for a, b in found)
    assert all(one[1] < other[0] for one, other in pairwise(found))


# --- odd texts ---------------------------------------------------------------------------------------


def test_quotes_and_highlights_are_verbatim_in_every_script(make: Make) -> None:
    files = {
        "a.txt": "Smile 😀👩‍👩‍👧 here. Cafe\u0301 naïve.\n\nمرحبا بالعالم، هذا نص.\r\n\r\nהספינה באה.",
        "b.md": "# 題\n\n船が来た。誰も見なかった！\n\n- e\u0301te\u0301\n- ﬁn\u200b\n",
    }
    library = make(files)
    for question in ("Smile cafe", "مرحبا", "船", "הספינה", "été"):
        for hit in library.search(question, 10).hits:
            text = library.source(hit.citation.source).text
            assert hit.citation.quote == text[hit.citation.start : hit.citation.end]
            assert CitationId.parse(hit.citation.id).start == hit.citation.start
            for mark in hit.highlights:
                assert hit.citation.start <= mark.start < mark.end <= hit.citation.end
                assert text[mark.start : mark.end].strip() == text[mark.start : mark.end]


def test_scores_are_finite_for_passages_of_nothing_but_signs(make: Make) -> None:
    library = make({"signs.txt": "***\n\n???\n\n\u200b", "a.txt": "The ship."})
    for question in ("ship", "***ship***"):
        hits = search(library.generation(), WordEncoder(), question, 10)
        assert {hit.citation.source for hit in hits} == {"signs", "a"}
        assert all(math.isfinite(score) for hit in hits for score in (hit.score, *hit.scores.values()))
        assert not any(np.isnan(hit.score) for hit in hits)
