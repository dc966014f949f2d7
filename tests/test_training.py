"""What the judge is trained on: examples drawn from public data, and statements altered."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.measures import auc, calibration, normalised, row
from qa.judge import WEIGHTS, Judge
from tests.conftest import ROOT
from training.alter import KINDS, Kind, alter, names_in
from training.examples import (
    CONTRADICTS,
    DEVELOPMENT,
    NEITHER,
    SUPPORTS,
    TEST,
    WRITTEN,
    Data,
    Examples,
    Question,
    digest,
    held_out,
    read_data,
    retold,
    statement,
)

SENTENCES = {
    "Lindholm": "The Lindholm bridge was opened in March 1931 and carries 5,200 carts a day over the river Aa.",
    "Harvard_University": "Test students number 6,700 and the Test Yard lies in Cambridge.",
    "Normans": "Development knights won 12 castles in Apulia before the year 1091.",
    "Sorvik": "The mayor of Sorvik did not allow more than three ferries to cross before noon.",
}


# Which part of the data a passage of one's own belongs to goes by a hash of its words.
OWN = [
    {"title": f"Mill {i}", "sentences": [f"Mill {i} grinds {40 + i} sacks.", f"It stopped in 18{10 + i}."],
     "asks": [{"sentence": 0, "answer": f"{40 + i} sacks", "words": [f"How much does mill {i} grind?", f"and {i}?"]}],
     "open": [{"sentence": 1, "words": f"Why did mill {i} stop?"}],
     "claims": [{"sentence": 1, "words": f"Mill {i} ran on.", "label": "contradicts"}]}
    for i in range(60)
]  # fmt: skip
GIVEN: dict[str, Any] = {
    "digest": digest(("Oars are long and made of ash in Norway.", "Anna rows the boat on Lake Mjosa.")),
    "asks": [{"sentence": 1, "answer": "Lake Mjosa", "words": ["Where does Anna row?", "Which water bears her boat?"]}],
    "open": [{"sentence": 0, "words": "How long are the oars?"}],
    "claims": [{"sentence": 0, "words": "Ash is what the oars are made of.", "label": "supports"}],
}  # fmt: skip


def paragraph(article: str, text: str) -> dict[str, Any]:
    second = f"{article} has a second sentence about the Grand Harbour."
    number = next(word for word in text.split() if word[0].isdigit()) if any(c.isdigit() for c in text) else "three"
    told = {"question": f"How many are there in {article}?", "id": f"{article}1", "is_impossible": False,
            "answers": [{"text": number, "answer_start": text.index(number)}]}  # fmt: skip
    silent = {"question": f"Who painted {article}?", "id": f"{article}2", "is_impossible": True, "answers": [],
              "plausible_answers": [{"text": number, "answer_start": text.index(number)}]}  # fmt: skip
    return {"title": article, "paragraphs": [{"context": f"{text} {second}", "qas": [told, silent]}]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Public data in miniature."""
    made = tmp_path_factory.mktemp("data")

    def lines(name: str, rows: list[dict[str, Any]]) -> None:
        (made / name).write_text("".join(json.dumps(r) + "\n" for r in rows))

    squad = {"data": [paragraph(a, t) for a, t in SENTENCES.items()]}
    (made / "squad2-dev-half.json").write_text(json.dumps(squad))
    boxes = [
        {"question": f"what is {i}?", "sentence": f"thing {i} is a small wooden box, number {i}."} for i in range(30)
    ]
    lines("squad1-train-part-sentences.jsonl", boxes)
    rowing = ["Oars are long and made of ash in Norway.", "Anna rows the boat on Lake Mjosa."]
    riding = ["Saddles are made of leather in Spain.", "Bea rides the mare on Mount Ulla."]
    selqa = [
        {"question": f"Who {does}?", "article": article, "sentences": told, "answers": [1]}
        for does, article, told in (("rows", "Rowing", rowing), ("rides", "Riding", riding))
    ]
    lines("selqa.jsonl", selqa)
    labels = ("SUPPORTS", "REFUTES")
    claims = [(f"Claim {i}.", labels[i % 2], [f"Evidence {i}."], f"Page {i}") for i in range(40)]
    names = ("claim", "label", "evidence", "page")
    lines("fool-me-twice-dev.jsonl", [dict(zip(names, claim, strict=True)) for claim in claims])
    lines("wice-dev.jsonl", [{"claim": "W.", "label": "partially_supported", "evidence": ["V."], "n_evidence": 1}])
    lines("written.jsonl", [*OWN, GIVEN, {**GIVEN, "digest": "0" * 16}])
    return made


@pytest.fixture(scope="module")
def data(folder: Path) -> Data:
    return read_data(folder, folder / "written.jsonl")


def test_the_test_articles_and_pages_are_never_trained_on(data: Data) -> None:
    assert {q.article for q in data.questions["test"]} == {"Harvard_University"} <= TEST
    assert {q.article for q in data.questions["development"]} == {"Normans"} <= DEVELOPMENT
    pages = {claim.statement: f"Page {claim.statement[6:-1]}" for claim in data.claims["test"]}
    assert pages and all(held_out(page) for page in pages.values())
    examples = Examples(data, seed=3)
    drawn = [pair for _ in range(400) for pair in examples.group()]
    claims = [examples.claim() for _ in range(400)]
    said = " ".join([*(f"{p.question} {p.text}" for p in drawn), *(f"{c.statement} {c.text}" for c in claims)])
    assert "Lindholm" in said and "Sorvik" in said
    assert "Test" not in said and "Development" not in said
    assert not {c.statement for c in claims} & {*pages}


def test_what_was_written_of_held_out_passages_is_never_trained_on(data: Data) -> None:
    parts = {part: {p.title for p in passages} for part, passages in data.written.items()}
    assert all(parts[part] for part in ("train", "development", "test"))
    assert sum(map(len, parts.values())) == len({title for titles in parts.values() for title in titles}) == 61
    examples = Examples(data, seed=6)
    drawn = [pair for _ in range(600) for pair in examples.group()]
    said = {*(p.question for p in drawn), *(p.text for p in drawn), *(examples.claim().statement for _ in range(600))}
    for part in ("development", "test"):
        for passage in data.written[part]:
            assert not said & {*passage.sentences, *(q.text for q in passage.questions())}
            assert not said & {claim.statement for claim in passage.claims}
    assert said & {q.text for passage in data.written["train"] for q in passage.questions()}


def test_public_questions_about_held_out_passages_are_left_out(folder: Path, tmp_path: Path) -> None:
    sentences = next(
        q.sentences for q in read_data(folder, Path(os.devnull)).questions["train"] if q.text == "Who rows?"
    )
    held = next(
        name for name in (f"Rowing {i}." for i in range(99)) if held_out("dev" + digest((*sentences, name)), 10)
        and not held_out(digest((*sentences, name)), 10)
    )  # fmt: skip
    for name in (
        "squad2-dev-half.json",
        "squad1-train-part-sentences.jsonl",
        "fool-me-twice-dev.jsonl",
        "wice-dev.jsonl",
    ):
        shutil.copy(folder / name, tmp_path)
    row = {"question": "Who rows?", "article": "Rowing", "sentences": [*sentences, held], "answers": [1]}
    (tmp_path / "selqa.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "written.jsonl").write_text(json.dumps({**GIVEN, "digest": digest([*sentences, held])}) + "\n")
    read = read_data(tmp_path, tmp_path / "written.jsonl")
    assert [p.title for p in read.written["development"]] == ["selqa:Rowing"]
    assert "Who rows?" not in {q.text for questions in read.questions.values() for q in questions}


def test_what_is_written_is_whole() -> None:
    passages = [json.loads(line) for line in WRITTEN.read_text(encoding="utf-8").splitlines()]
    assert len(passages) > 2000
    for passage in passages:
        assert {"digest"} <= {*passage} or {"title", "sentences"} <= {*passage}
        for ask in passage["asks"]:
            assert ask["words"] and ask["answer"]
            assert "sentences" not in passage or ask["answer"] in passage["sentences"][ask["sentence"]]
        assert {claim["label"] for claim in passage["claims"]} <= {"supports", "contradicts", "neither"}


def test_a_span_is_where_the_answer_stands(data: Data) -> None:
    examples = Examples(data, seed=4)
    pairs = [pair for _ in range(300) for pair in examples.group() if pair.span]
    assert pairs and all(pair.answers for pair in pairs)
    for pair in pairs:
        assert pair.span and re.fullmatch(r"1931|5,200|three|9,400|\d\d sacks|Lake Mjosa", pair.text[slice(*pair.span)])


def test_groups_begin_with_what_answers(data: Data) -> None:
    examples = Examples(data, seed=5)
    groups = [examples.group() for _ in range(300)]
    assert all(not pair.answers for group in groups for pair in group[1:])
    assert any(not group[0].answers for group in groups if group)
    assert {c.label for c in (examples.claim() for _ in range(500))} >= {SUPPORTS, CONTRADICTS, NEITHER}


def test_the_same_seed_draws_the_same(data: Data) -> None:
    one, two = (Examples(data, seed=9) for _ in range(2))
    assert [one.group() for _ in range(50)] == [two.group() for _ in range(50)]
    assert [one.claim() for _ in range(50)] == [two.claim() for _ in range(50)]


@pytest.mark.parametrize(
    ("kind", "text", "kept"),
    [
        ("number", "It carries 5,200 carts a day.", "It carries X carts a day."),
        ("number", "There are seven ships.", "There are X ships."),
        ("date", "It opened in 1931.", "It opened in X."),
        ("date", "It opened in March.", "It opened in X."),
        ("name", "The road to Sorvik is steep.", "The road to X is steep."),
        ("negation", "The road is steep.", "The road is X steep."),
        ("direction", "The number increased.", "The number X."),
    ],
)
def test_one_thing_is_altered(kind: Kind, text: str, kept: str) -> None:
    before, after = kept.split("X")
    seen = set()
    for seed in range(30):
        altered = alter(text, kind, ["Lindholm"], random.Random(seed))
        assert altered and altered != text
        assert altered.startswith(before) and altered.endswith(after)
        seen.add(altered)
    assert len(seen) >= (1 if kind in ("name", "direction") else 2)


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_nothing_of_a_kind_is_left(kind: Kind) -> None:
    assert alter("Snow on slow rivers", kind, [], random.Random(1)) is None


@given(st.text(max_size=200), st.sampled_from(KINDS), st.integers(0, 99))
def test_any_text_can_be_altered_or_not(text: str, kind: Kind, seed: int) -> None:
    altered = alter(text, kind, names_in(text), random.Random(seed))
    assert altered is None or isinstance(altered, str)
    assert isinstance(retold(text, random.Random(seed)), str)


@pytest.mark.parametrize(
    ("question", "answer", "said"),
    [
        ("Who built the bridge?", "Anna Lind", "Anna Lind built the bridge"),
        ("How many ships sailed?", "Twelve", "Twelve ships sailed"),
        ("When did the war end?", "1721", "the war end 1721"),
        ("Name the river", "Aa", "Name the river: Aa"),
    ],
)
def test_a_question_and_its_answer_make_a_statement(question: str, answer: str, said: str) -> None:
    assert statement(question, answer) == said


# --- its measures


def test_auc_counts_pairs() -> None:
    assert auc([3, 2], [1, 0]) == 1
    assert auc([1], [1]) == 0.5
    assert auc([0, 2], [1]) == 0.5


def test_calibration_is_the_distance_from_the_truth() -> None:
    assert calibration([0.95] * 4, [True] * 4)[0] == pytest.approx(0.05)
    error, bins = calibration([0.25, 0.25, 0.75, 0.75], [False, False, True, True])
    assert error == pytest.approx(0.25)
    assert [b[2] for b in bins] == [2, 2]


def test_a_row_has_an_interval() -> None:
    assert row("x", 0.5, 4, None, [0, 1, 0, 1])["interval"] == [0.0, 1.0]
    assert normalised("The U.S. Army!") == "u s army"


def test_hard_negatives_are_near_and_do_not_tell(tmp_path: Path) -> None:
    mine = import_module("training.mining").mine
    own = ("The Aller bridge is 340 metres long.", "It was opened in 1931.")
    asked = [Question("How long is the Aller bridge?", "Bridges", own, (0,), ((20, 30),)),
             Question("When was the ferry built?", "Ferries", ("The ferry was built in 1890.",))]  # fmt: skip
    texts = [*own, "The bridge over the Aller has a length of 340 metres.", "The Corrin bridge is 210 metres long.",
             "Rye bread is baked with sourdough.", "The ferry of Corrin was built of oak."]  # fmt: skip
    found = mine(asked, texts, tmp_path / "mined.json")
    assert found[asked[0].text][0] == texts[3]
    assert not {texts[0], texts[1], texts[2]} & {*found[asked[0].text]}
    assert found[asked[1].text][0] == texts[5]
    kept = (tmp_path / "mined.json").stat().st_mtime_ns
    assert mine(asked, texts, tmp_path / "mined.json") == found
    assert (tmp_path / "mined.json").stat().st_mtime_ns == kept
    assert mine(asked, texts[:2], tmp_path / "mined.json")[asked[0].text] == []


def test_what_stands_before_a_text_does_not_tell_whether_it_answers(data: Data) -> None:
    examples = Examples(data, seed=12)
    seen = 0
    for _ in range(300):
        group = examples.group()
        told = [pair for pair in group if pair.context]
        seen += bool(told)
        if told:
            assert {pair.text for pair in group} <= {*examples.standing} | {group[0].text} | {
                pair.text for pair in group if pair.text not in examples.pool
            }
    assert seen > 50


def test_a_training_goes_on_where_it_was_left(folder: Path, tmp_path: Path) -> None:
    for steps in (1, 2):
        command = [
            sys.executable,
            "-m",
            "training.judge",
            "--data",
            str(folder),
            "--out",
            str(tmp_path),
            "--written",
            str(folder / "written.jsonl"),
            "--every",
            "1",
        ]
        done = subprocess.run([*command, "--steps", str(steps)], cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log] == [1, 2]
    assert (tmp_path / "best.pt").exists()


@pytest.mark.parametrize("scale", [0.2, 1.0, 12.0])
def test_the_calibration_curve_is_found_whatever_the_scores_are_like(scale: float) -> None:
    logistic = import_module("training.export").logistic
    draw = np.random.default_rng(1)
    true = draw.normal(size=4000)
    came = draw.random(4000) < 1 / (1 + np.exp(-true))
    slope, shift = logistic(true * scale, came.astype(float))
    assert slope * scale == pytest.approx(1, abs=0.15) and shift == pytest.approx(0, abs=0.1)


def test_what_is_shipped_can_be_trained_further() -> None:
    training = import_module("training.judge")
    network = training.Network()
    missing, unknown = network.load_state_dict(training.weights_in(WEIGHTS / "judge.onnx"), strict=False)
    assert not unknown
    assert {name.split(".")[1] for name in missing} == {"pooler"}  # which nothing uses
    asked = ["Who built the bridge?", "When was the bridge built?", "What did the bridge cost?"]
    text = "Adam Hale built the bridge in 1911."
    told = training.predict(network, training.tokenizer(), [(question, text) for question in asked], "cpu")
    shipped = [Judge().read(question, [text])[0] for question in asked]
    assert [span for _, span, _ in told[:2]] == [(one.start, one.end) for one in shipped[:2]] == [(0, 9), (30, 34)]
    assert sorted(range(3), key=lambda i: told[i][0]) == sorted(range(3), key=lambda i: shipped[i].answers)
