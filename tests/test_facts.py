"""The evaluation: its scorer, its figures, its comparison with a baseline, and the cases that are shipped."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from evals import facts
from evals.facts import Case, Outcome, compare, evaluate, holds, misquoted, read_cases, read_report
from qa.answer import Answer
from qa.errors import QueryError
from qa.library import Library
from qa.loaders import load_folder
from qa.settings import Settings
from qa.source import Source
from tests.conftest import ROOT
from tests.fakes import WordEncoder

# --- whole-token matching --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fact", "expected"),
    [
        ("Some 28,500 troops.", "500", False),
        ("Some 28,500 troops.", "28", False),
        ("Some 28,500 troops.", "28,500", True),
        ("Some 28,500 troops.", "28500", True),
        ("Some 54000 troops.", "54,000", True),
        ("Some 54,000.", "54,000", True),
        ("It grew by 5.2 percent.", "5", False),
        ("It grew by 5.2 percent.", "5.2 percent", True),
        ("In 1960, the treaty", "1960", True),
        ("In 19601", "1960", False),
        ("The 1950s", "1950", True),
        ("Kim Jong Un", "Jong Un", True),
        ("Kim Jong Un", "Kim Un", False),
        ("under way", "underway", False),
        ("The U.S. and the R.O.K.", "US", True),
        ("The US alliance", "U.S.", True),
        ("Shinzō Abe", "shinzo abe", True),
        ("Japan's bases", "Japan", True),
        ("a two-thirds majority", "two thirds", True),
        ("Article 9", "article 9", True),
        ("Article 96", "Article 9", False),
        ("hub\nand\n  spoke", "hub and spoke", True),
        ("", "x", False),
        ("anything", "", False),
        ("anything", "?!", False),
    ],
)
def test_a_fact_is_met_in_whole_words(text: str, fact: str, expected: bool) -> None:
    assert holds(text, [fact]) is expected


def test_one_acceptable_string_is_enough_and_none_is_not() -> None:
    assert holds("The treaty of 1960", ["nineteen sixty", "1960"])
    assert not holds("The treaty of 1960", ["1951", "1953"])
    assert not holds("The treaty of 1960", [])


@given(st.lists(st.sampled_from(["500", "28", "28,500", "treaty", "U.S.", "of", "Kim"]), min_size=1, max_size=8))
def test_every_run_of_words_is_met_where_it_stands(words: list[str]) -> None:
    text = " ".join(words)
    for start in range(len(words)):
        for end in range(start + 1, len(words) + 1):
            assert holds(text, [" ".join(words[start:end])])
    assert holds(text, ["500"]) == ("500" in words)


# --- cases -----------------------------------------------------------------------------------------


def written(folder: Path, *lines: str) -> Path:
    path = folder / "cases.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


GOOD = '{"id": "a", "question": "How tall?", "facts": [["41 metres"]]}'


def test_a_case_needs_little_and_may_have_more(tmp_path: Path) -> None:
    full = {"id": "b", "question": "Both?", "facts": [["1"], ["2", "two"]], "kind": "disagreement", "paraphrase": True,
            "sources": ["x"], "gold": [{"source": "x", "quote": "1"}], "note": "n"}  # fmt: skip
    read = read_cases(written(tmp_path, GOOD, "", json.dumps(full), '{"id": "c", "question": "Who?"}'))
    assert read == [
        Case("a", "single", "How tall?", (("41 metres",),)),
        Case("b", "disagreement", "Both?", (("1",), ("2", "two")), True, ("x",), (("x", "1"),)),
        Case("c", "unanswerable", "Who?"),
    ]


def test_lines_end_at_newlines_only_and_a_bom_is_none_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("How", "How\u2028\x85").encode() + b"\r\n" + b"\r\n")
    assert [case.question for case in read_cases(path)] == ["How\u2028\x85 tall?"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "no JSON (Expecting property name enclosed in double quotes, at character 2)"),
        ("[" * 100_000, "no JSON (nested too deeply)"),
        ("[]", "a case is a JSON object"),
        ("null", "a case is a JSON object"),
        ('{"question": "?"}', "`id` must be a text"),
        ('{"id": 7, "question": "?"}', "`id` must be a text"),
        ('{"id": "b", "question": "  "}', "`question` must be a text"),
        ('{"id": "b", "question": "?", "facts": "x"}', "`facts` must be a list of facts"),
        ('{"id": "b", "question": "?", "facts": ["x"]}', "`facts` must be a list of facts"),
        ('{"id": "b", "question": "?", "facts": [[]]}', "`facts` must be a list of facts"),
        ('{"id": "b", "question": "?", "facts": [[1]]}', "`facts` must be a list of facts"),
        ('{"id": "b", "question": "?", "facts": [["…"]]}', "the acceptable string '…' has no words"),
        ('{"id": "b", "question": "?", "fact": [["x"]]}', "`fact` is no field of a case; those are id, question"),
        ('{"id": "b", "question": "?", "kind": "hard"}', "`kind` is 'hard'; it can be single, several"),
        ('{"id": "b", "question": "?", "kind": "single"}', "an unanswerable case has no `facts`"),
        ('{"id": "b", "question": "?", "facts": [["x"]], "kind": "unanswerable"}', "an unanswerable case has no"),
        ('{"id": "b", "question": "?", "sources": "x"}', "`sources` must be a list of source ids"),
        ('{"id": "b", "question": "?", "paraphrase": "no"}', "`paraphrase` must be true or false"),
        ('{"id": "b", "question": "?", "gold": ["x"]}', "`gold` must be a list of objects"),
        ('{"id": "b", "question": "?", "gold": [{"source": "x"}]}', "`gold` must be a list of objects"),
        ('{"id": "b", "question": "?", "gold": [{"source": "x", "quote": 1}]}', "`gold` must be a list of objects"),
        (GOOD, "the id 'a' is taken by a line above"),
    ],
    ids=lambda value: value[:40],
)
def test_a_malformed_case_is_named_with_line_and_reason(tmp_path: Path, line: str, reason: str) -> None:
    path = written(tmp_path, GOOD, "", line)
    with pytest.raises(QueryError) as told:
        read_cases(path)
    assert str(told.value).startswith(f"{path}, line 3: {reason}")
    assert "\n" not in str(told.value)


def test_all_malformed_cases_are_named_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "{", GOOD, "[]", GOOD)
    with pytest.raises(QueryError) as told:
        read_cases(path)
    assert [line.split(": ")[0] for line in str(told.value).splitlines()] == [f"{path}, line {n}" for n in (1, 3, 4)]


@pytest.mark.parametrize(
    ("content", "told"), [(None, "can't be read"), (b"\xff\xfe", "can't be read"), (b"\n\n", "holds no cases")]
)
def test_a_file_without_cases_is_an_error(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "cases.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(QueryError, match=told):
        read_cases(path)


def test_the_split_hangs_on_the_id_alone_and_never_moves() -> None:
    splits = {id: Case(id, "single", "?").split for id in ("a-001", "a-002", "b-010", "e-060", "ü")}
    assert splits == {"a-001": "tune", "a-002": "tune", "b-010": "score", "e-060": "tune", "ü": "score"}
    assert Case("a-001", "unanswerable", "other", paraphrase=True).split == splits["a-001"]


def test_the_split_is_about_even() -> None:
    counted = Counter(Case(f"case-{n}", "single", "?").split for n in range(2000))
    assert counted.keys() == {"tune", "score"} and abs(counted["tune"] - 1000) < 100


# --- the shipped cases -----------------------------------------------------------------------------

SHIPPED = read_cases(facts.CASES)


@pytest.fixture(scope="module")
def briefs() -> dict[str, Source]:
    return {source.id: source for _, source in load_folder(ROOT / "sources").sources}


def test_there_are_enough_cases_of_every_kind() -> None:
    kinds = Counter(case.kind for case in SHIPPED)
    assert len(SHIPPED) >= 200 and kinds["unanswerable"] >= 60
    assert set(kinds) == set(facts.KINDS) and min(kinds.values()) >= 10
    single = [case for case in SHIPPED if case.kind == "single"]
    assert 2 * sum(case.paraphrase for case in single) >= len(single)


def test_questions_and_ids_are_each_their_own() -> None:
    assert len({case.id for case in SHIPPED}) == len(SHIPPED)
    assert len({" ".join(case.question.casefold().split()) for case in SHIPPED}) == len(SHIPPED)


def test_each_split_has_its_share() -> None:
    splits = Counter((case.split, case.kind) for case in SHIPPED)
    assert min(splits[split, kind] for split in ("tune", "score") for kind in facts.KINDS) >= 5
    assert abs(sum(case.split == "tune" for case in SHIPPED) - len(SHIPPED) / 2) < len(SHIPPED) / 10


def test_cases_name_sources_that_are_shipped(briefs: dict[str, Source]) -> None:
    assert {id for case in SHIPPED for id in case.sources} <= briefs.keys()
    for case in SHIPPED:
        assert {id for id, _ in case.gold} <= set(case.sources), case.id
        assert bool(case.gold) == bool(case.facts), case.id


def test_gold_quotes_stand_once_in_their_source(briefs: dict[str, Source]) -> None:
    found = {(case.id, id, quote): briefs[id].text.count(quote) for case in SHIPPED for id, quote in case.gold}
    assert [key for key, count in found.items() if count != 1] == []


def test_gold_quotes_hold_every_fact() -> None:
    lacking = [
        (case.id, fact)
        for case in SHIPPED
        for fact in case.facts
        if not any(holds(quote, fact) for _, quote in case.gold)
    ]
    assert lacking == []


def test_suspect_statements_carry_an_erratum(briefs: dict[str, Source]) -> None:
    for case in (case for case in SHIPPED if case.kind == "suspect"):
        places = [(briefs[id], briefs[id].text.index(quote), len(quote)) for id, quote in case.gold]
        assert any(source.errata_within(at, at + length) for source, at, length in places), case.id


def test_disagreements_name_two_sources_or_two_facts() -> None:
    for case in (case for case in SHIPPED if case.kind == "disagreement"):
        assert len(case.sources) > 1 or len(case.facts) > 1, case.id


def test_no_brief_holds_a_question(briefs: dict[str, Source]) -> None:
    texts = [" ".join(source.text.casefold().split()) for source in briefs.values()]
    assert not [case.id for case in SHIPPED if any(case.question.casefold() in text for text in texts)]


def test_the_baseline_is_a_report_of_these_cases() -> None:
    """Without it the evaluation gates nothing: make it with `qa eval --out evals/baseline.json`."""
    baseline = read_report(facts.BASELINE)
    assert [case["id"] for case in baseline["cases"]] == [case.id for case in SHIPPED]
    assert baseline["figures"]["score"]["all"].keys() == {"n", *facts.HEADLINES}
    assert misquoted(baseline) == []


# --- figures ---------------------------------------------------------------------------------------


def outcome(id: str, kind: str = "single", **what: Any) -> Outcome:
    silent = kind == "unanswerable"
    usual: dict[str, Any] = {
        "split": "score", "paraphrase": False, "status": "answered", "citations": 0, "citations_right": 0, "quotes": 0,
        "quotes_exact": 0, **dict.fromkeys(("found_at_1", "found_at_5", "cited"), None if silent else 0.0),
    }  # fmt: skip
    return Outcome(id=id, kind=kind, **{**usual, **what})


def report(*outcomes: Outcome) -> dict[str, Any]:
    """A report as `evaluate` makes it, of outcomes made by hand."""
    figures = {
        split: {group: facts._figures(members) for group, members in facts._groups(outcomes, split).items() if members}
        for split in ("score", "tune")
    }
    return {"index": {}, "figures": figures, "cases": [asdict(one) for one in outcomes]}


HAND_MADE = (
    outcome("a", found_at_1=1.0, found_at_5=1.0, cited=1.0, citations=2, citations_right=1, quotes=7, quotes_exact=7,
            confidence=0.9, value=1.0),
    outcome("b", "several", found_at_1=0.5, found_at_5=1.0, cited=0.5, citations=2, citations_right=2, quotes=7,
            quotes_exact=7, confidence=0.6),
    outcome("c", paraphrase=True, status="not_found", quotes=5, quotes_exact=5, confidence=0.2, value=0.0),
    outcome("d", "unanswerable", status="not_found", confidence=0.1),
    outcome("e", "unanswerable", status="disputed", citations=3, quotes=1, confidence=0.5),
    outcome("f", split="tune"),
)  # fmt: skip


def test_figures_of_hand_made_outcomes() -> None:
    figures = report(*HAND_MADE)["figures"]
    assert figures["score"]["all"] == {
        "n": 5,
        "facts@1": 0.5,  # (1 + .5 + 0) / 3: unanswerable cases have no facts to find
        "facts@5": 0.6667,
        "cited": 0.5,
        "citation_precision": 0.75,  # 3 of 4, of what answerable cases were given
        "quote_exactness": 0.95,  # 19 of 20
        "abstention_precision": 0.5,  # of c and d, d rightly
        "abstention_recall": 0.5,  # of d and e, d
        "value": 0.5,  # of a and c, a
        "silence_auc": 0.8333,  # of the six pairs of a, b, c with d, e, all but c with e
        "refused_at_95": 0.5,  # below c, which must be answered, lies d
        "dispute_precision": 0.0,
        "dispute_recall": None,
    }
    assert figures["score"]["unanswerable"]["facts@1"] is None
    assert figures["score"]["single"]["abstention_recall"] is None
    assert figures["score"]["paraphrased"]["n"] == 1
    assert list(figures["score"]) == ["all", "single", "several", "unanswerable", "paraphrased"]
    assert list(figures["tune"]) == ["all", "single"]
    assert misquoted(report(*HAND_MADE)) == ["e"]


# --- comparison ------------------------------------------------------------------------------------


def test_a_report_beside_itself_moves_nothing() -> None:
    comparison = compare(report(*HAND_MADE), report(*HAND_MADE))
    assert comparison == facts.Comparison({}, {}, [], [])


def test_flips_are_told_each_way() -> None:
    before = report(
        outcome("a", found_at_1=1.0, found_at_5=1.0, cited=1.0),
        outcome("b", found_at_1=0.0, found_at_5=0.5),
        outcome("c", status="not_found"),
        outcome("d", "unanswerable"),
        outcome("e", "unanswerable", status="not_found"),
        outcome("gone", found_at_1=1.0),
    )
    now = report(
        outcome("a", found_at_1=0.0, found_at_5=1.0, cited=1.0),
        outcome("b", found_at_1=0.5, found_at_5=0.5),
        outcome("c"),
        outcome("d", "unanswerable", status="not_found"),
        outcome("e", "unanswerable"),
        outcome("new", found_at_1=1.0),
    )
    comparison = compare(now, before)
    assert comparison.worse == [
        "a (score, single): found_at_1 1.0 → 0.0",
        "e (score, unanswerable): status not_found → answered",
    ]
    assert comparison.better == [
        "b (score, single): found_at_1 0.0 → 0.5",
        "c (score, single): status not_found → answered",
        "d (score, unanswerable): status answered → not_found",
    ]


def test_only_the_score_split_can_fall() -> None:
    before = report(outcome("a", found_at_1=1.0, cited=0.5), outcome("b", split="tune", found_at_1=1.0))
    now = report(outcome("a", found_at_1=1.0, cited=1.0), outcome("b", split="tune", found_at_1=0.0))
    comparison = compare(now, before)
    assert comparison.fallen == {} and comparison.risen == {"cited": (0.5, 1.0)}
    assert comparison.worse == ["b (tune, single): found_at_1 1.0 → 0.0"]
    assert compare(before, now).fallen == {"cited": (1.0, 0.5)}


def test_a_figure_that_can_t_be_had_any_more_has_fallen() -> None:
    before = report(outcome("a", "unanswerable", status="not_found"))
    now = report(outcome("a", "unanswerable"))
    assert compare(now, before).fallen == {"abstention_precision": (1.0, 0.0), "abstention_recall": (1.0, 0.0)}


def test_a_baseline_may_lack_figures_and_cases() -> None:
    old = report(*HAND_MADE)
    del old["figures"]["score"]["all"]["cited"], old["cases"][0]["cited"]
    assert compare(report(*HAND_MADE), old) == facts.Comparison({}, {}, [], [])
    empty = report(outcome("f", split="tune"))
    assert compare(empty, empty) == compare(report(*HAND_MADE), empty) == facts.Comparison({}, {}, [], [])


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"figures": {"score": []}, "cases": []}',
                                     '{"figures": {"score": {}}, "cases": [1]}'])  # fmt: skip
def test_what_is_no_report_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "report.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(QueryError, match=r"report\.json is no report of `qa eval`"):
        read_report(path)


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report(*HAND_MADE)))
    assert read_report(path) == report(*HAND_MADE)


def test_tables_fit_a_terminal_and_hold_the_figures() -> None:
    before = report(outcome("a", found_at_1=1.0, cited=0.5), outcome("m", split="tune", kind="disagreement"))
    now = report(*HAND_MADE)
    console = Console(file=io.StringIO(), width=80, markup=False)
    console.print(facts.render(now, compare(now, before)))
    assert isinstance(console.file, io.StringIO)
    out = console.file.getvalue()
    assert "…" not in out and max(map(len, out.splitlines())) <= 80
    assert "score split" in out and "tune split" in out
    rows = [line.split() for line in out.splitlines()]
    assert ["all", "5", "0.500", "0.667", "0.500", "0.500", "0.750", "0.950"] in rows
    assert ["all", "5", "0.500", "0.500", "0.833", "0.500", "0.000", "–"] in rows
    assert ["unanswerable", "2", "–", "–", "–", "–", "–", "0.000"] in rows
    assert "e: a quote isn't what its source says there" in out
    assert "facts@1 fell from 1.0000 to 0.5000" in out
    assert "better  a (score, single): found_at_5 0.0 → 1.0" in out
    assert "below the baseline" not in out


# --- evaluating ------------------------------------------------------------------------------------

TEXT = {
    "lights.md": "# Lights\n\nThe old lighthouse of Brandholm is 41 metres tall.\n\nIts lamp was lit in 1879.\n",
    "fish.txt": "The tower of Skagen burns coal. Fishermen pay for it with 28,500 dried cod.\n",
}
CASES = (
    Case("tall", "single", "How tall is the old lighthouse of Brandholm?", (("41 metres",),), False, ("lights",)),
    Case("cod", "single", "With how many dried cod do fishermen pay for it?", (("500",), ("28500",)), True, ("fish",)),
    Case("lamp", "several", "The lamp was lit in the tower of Skagen", (("1879",), ("coal",))),
    Case("music", "unanswerable", "Who composed fourteen symphonies?"),
)


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Library]:
    def library() -> Library:
        folder = tmp_path_factory.mktemp("sources")
        for name, text in TEXT.items():
            (folder / name).write_text(text, encoding="utf-8")
        made = Library(Settings(folder, tmp_path_factory.mktemp("index")), encoder=WordEncoder())
        made.index()
        return made

    return library


@pytest.fixture
def library(make: Callable[[], Library]) -> Library:
    return make()


def test_evaluating_measures_what_was_answered(library: Library) -> None:
    told: list[tuple[str, int, int]] = []
    measured = evaluate(library, CASES, lambda *step: told.append(step))
    tall, cod, lamp, music = measured["cases"]
    assert (tall["status"], tall["found_at_1"], tall["cited"]) == ("answered", 1.0, 1.0)
    assert cod["found_at_5"] == 0.5  # "500" isn't in "28,500"
    assert lamp["found_at_5"] == 1.0
    assert music["found_at_1"] is music["cited"] is None and music["status"] == "not_found"
    assert all(case["quotes"] == case["quotes_exact"] > 0 for case in measured["cases"] if case["status"] == "answered")
    assert misquoted(measured) == []
    assert told == [("asking", number, 4) for number in (1, 2, 3, 4)]
    assert measured["index"] == library.search("lamp").index.to_dict()
    assert [case["split"] for case in measured["cases"]] == [case.split for case in CASES]


def test_evaluating_again_or_elsewhere_gives_the_same_bytes(make: Callable[[], Library]) -> None:
    first, second = make(), make()
    reports = [json.dumps(evaluate(library, CASES)) for library in (first, first, second)]
    assert len(set(reports)) == 1
    assert json.loads(reports[0]) == evaluate(first, CASES)


@pytest.mark.parametrize(
    "tampered",
    [
        {"quote": "The old lighthouse of Brandholm is 42 metres tall."},
        {"start": 1},
        {"sha256": "0" * 64},
        {"source": "fish"},
        {"source": "none"},
    ],
    ids=lambda tampered: next(iter(tampered.items()))[0],
)
def test_a_tampered_citation_is_noticed(
    library: Library, monkeypatch: pytest.MonkeyPatch, tampered: dict[str, Any]
) -> None:
    ask = library.ask

    def lie(question: str, k: int) -> Answer:
        answer = ask(question, k)
        if question != CASES[0].question:
            return answer
        return replace(answer, citations=tuple(replace(citation, **tampered) for citation in answer.citations))

    monkeypatch.setattr(library, "ask", lie)
    measured = evaluate(library, CASES)
    assert misquoted(measured) == ["tall"]
    assert measured["figures"][CASES[0].split]["all"]["quote_exactness"] < 1


def test_a_case_that_can_t_be_asked_is_named(library: Library) -> None:
    with pytest.raises(QueryError, match="the case 'long' can't be asked: the question has"):
        evaluate(library, [Case("long", "unanswerable", "long " * 500)])


def test_a_source_that_isn_t_there_is_named(library: Library) -> None:
    with pytest.raises(QueryError, match="the cases name the source 'none', which isn't in the index"):
        evaluate(library, [Case("a", "single", "How?", (("1",),), False, ("lights", "none"))])
