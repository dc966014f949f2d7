"""The retrieval benchmark, on a handful of paragraphs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evals import peer_worker, peers, retrieval, tradeoff, weights
from evals.retrieval import Outcome
from qa.errors import QueryError
from qa.search import Ranked
from tests.fakes import WordEncoder

RIVER = "The river Orne rises in the hills and flows north. It is 170 kilometres long. Mills stood along it."
CASTLE = "The castle was built by Robert in 1180. Its walls are of white stone. A fire destroyed the hall."
BRIDGE = "The bridge was opened in 1922. Trains have crossed it since the war. It carries two tracks."


def entry(text: str, *asked: tuple[str, str | None]) -> dict[str, Any]:
    """A paragraph in SQuAD's format, with questions and the words that answer them (None: nothing does)."""
    return {
        "context": text,
        "qas": [
            {
                "question": question,
                "id": question,
                "answers": [{"text": answer, "answer_start": text.index(answer)}] if answer else [],
                "is_impossible": answer is None,
            }
            for question, answer in asked
        ],
    }


def squad(**articles: list[dict[str, Any]]) -> dict[str, Any]:
    return {"version": "v2.0", "data": [{"title": title, "paragraphs": each} for title, each in articles.items()]}


def written(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """Three paragraphs in two articles, four questions with an answer and one without."""
    river = entry(
        RIVER, ("How long is the river Orne, is it kilometres long?", "170 kilometres"), ("Who owns the river?", None)
    )
    castle = entry(CASTLE, ("The castle was built by whom?", "Robert"), ("What fire destroyed the hall?", "A fire"))
    bridge = entry(BRIDGE, ("The bridge was opened in what year?", "1922"))
    return written(tmp_path / "places.json", squad(Water=[river, bridge], Stone=[castle]))


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = retrieval.main(arguments, WordEncoder())
    out, err = capsys.readouterr()
    return code, out, err


# --- the command


def test_rows(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run([str(places), "--json"], capsys)
    rows = json.loads(out)
    assert code == 0
    assert [row["system"] for row in rows] == ["dense", "bm25", "rrf", "fusion", "full"]
    for row in rows:
        assert row["n"] == 4
        assert row["r@20"] == 1
        assert 0 <= row["r@1"] <= row["r@5"] <= row["r@20"]
        assert row["r@1"] <= row["mrr"] <= 1
        for measure, (low, high) in row["intervals"].items():
            assert low <= row[measure] <= high
    assert rows[-1]["r@1"] == 1
    assert rows[-1]["gold_sentence"] == 1
    assert rows[-1]["gold_sentence_n"] == 4


def test_same_rows_again_and_in_a_kept_index(places: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run([str(places), "--json"], capsys)
    kept = [str(places), "--json", "--index", str(tmp_path / "kept")]
    assert run(kept, capsys) == first
    assert run(kept, capsys) == first


def test_kept_index_follows_the_file(places: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = ["--json", "--index", str(tmp_path / "kept")]
    run([str(places), *kept], capsys)
    other = written(tmp_path / "other.json", squad(Stone=[entry(CASTLE, ("Who built the castle?", "Robert"))]))
    code, out, _ = run([str(other), *kept], capsys)
    assert (code, json.loads(out)[-1]["r@1"]) == (0, 1)
    assert [path.read_text() for path in (tmp_path / "kept/sources").glob("*.txt")] == [CASTLE]


def test_table(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run([str(places)], capsys)
    assert code == 0
    assert "R@1" in out
    assert "4 questions over 3 paragraphs" in out


def test_articles_choose_questions_and_leave_the_paragraphs(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--articles", "Stone"], ["--not-articles", "Water"]):
        code, out, _ = run([str(places), *arguments], capsys)
        assert code == 0
        assert "2 questions over 3 paragraphs" in out


def test_distractors_add_paragraphs_and_no_questions(
    places: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = squad(More=[entry("A windmill turns.", ("What turns?", "windmill")), entry(CASTLE)])
    code, out, _ = run([str(places), "--distractors", str(written(tmp_path / "more.json", more))], capsys)
    assert code == 0
    assert "4 questions over 4 paragraphs" in out


def test_folder_of_others_is_left_alone(places: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = tmp_path / "kept/sources/theirs.txt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("not ours")
    code, _, err = run([str(places), "--index", str(tmp_path / "kept")], capsys)
    assert code == 2
    assert "name another folder" in err
    assert theirs.read_text() == "not ours"


PARAGRAPH = entry(RIVER, ("How long is it?", "170 kilometres"))
MISPLACED = {**PARAGRAPH, "qas": [{"question": "?", "answers": [{"text": "mill", "answer_start": 0}]}]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "can't be read"),
        ([], "no list `data`"),
        ({"data": {}}, "no list `data`"),
        ({"data": [{"title": "x"}]}, "no list `paragraphs`"),
        (squad(x=[{"qas": []}]), "no str `context`"),
        (squad(x=[{"context": RIVER}]), "no list `qas`"),
        (squad(x=[{"context": RIVER, "qas": [{"question": "?"}]}]), "no list `answers`"),
        (squad(x=[{"context": RIVER, "qas": [{"answers": [{"text": "is"}]}]}]), "no int `answer_start`"),
        (
            squad(x=[{"context": RIVER, "qas": [{"answers": [{"text": "The", "answer_start": 0}]}]}]),
            "no str `question`",
        ),
        (squad(x=[MISPLACED]), "doesn't stand at 0"),
        (squad(x=[entry(RIVER, ("Why?", None))]), "no question with an answer"),
    ],
)
def test_malformed_file(content: Any, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "bad.json", content)
    code, out, err = run([str(path)], capsys)
    assert (code, out) == (2, "")
    assert str(path) in err
    assert message in err


def test_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run([str(tmp_path / "none.json")], capsys)
    assert code == 2
    assert "none.json can't be read" in err


def test_unknown_article(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run([str(places), "--articles", "Water,Fire"], capsys)
    assert code == 2
    assert "no article 'Fire'" in err


# --- its parts


def test_paragraph_takes_the_place_of_its_best_passage() -> None:
    assert retrieval.rank_of("b", ["a", "a", "b", "c", "b"]) == 2
    assert retrieval.rank_of("z", ["a", "b"]) is None
    assert retrieval.rank_of("p20", [f"p{i}" for i in range(30)]) is None
    assert retrieval.rank_of("p19", [f"p{i}" for i in range(30)]) == 20


def test_orders_of_the_stages() -> None:
    scores = {1: (0.9, 0.0), 2: (0.5, 0.4), 3: (0.5, 0.8), 4: (0.1, 0.1)}
    fused = [Ranked(n, 0.0, {"dense": d, "bm25": b}) for n, (d, b) in scores.items()]
    assert retrieval.orders(fused) == {
        "dense": [1, 2, 3, 4],
        "bm25": [3, 2, 4],
        "rrf": [3, 2, 4, 1],  # third and first; second and second; fourth and third; first alone
        "fusion": [1, 2, 3, 4],
    }


def test_rows_of_known_ranks() -> None:
    found = [(1, True), (4, False), (None, None), (20, False)]
    outcomes = [
        Outcome(f"p{i}", dict.fromkeys(retrieval.SYSTEMS, rank), marked) for i, (rank, marked) in enumerate(found)
    ]
    row = retrieval.rows(outcomes)[-1]
    assert [row[m] for m in retrieval.MEASURES] == [0.25, 0.5, 0.75, round((1 + 1 / 4 + 1 / 20) / 4, 4)]
    assert (row["gold_sentence"], row["gold_sentence_n"]) == (0.3333, 3)
    assert row["over_dense"] == {"r@1": 0, "interval": [0, 0]}


def test_interval_draws_whole_groups() -> None:
    values = np.repeat([0.0, 1.0], 50)
    apart = retrieval.interval(values, [str(i) for i in range(100)])
    together = retrieval.interval(values, ["a"] * 50 + ["b"] * 50)
    assert 0.35 < apart[0] < 0.5 < apart[1] < 0.65
    assert together == [0, 1]


def test_missing_matplotlib_says_how_to_get_it(
    places: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    code, _, err = run([str(places), "--plot", "x.png"], capsys)
    assert code == 2
    assert "pip install 'qa[bench]'" in err


# --- the other benchmarks


def test_mixtures_sum_to_one() -> None:
    mixtures = weights.grid(0.25, 3)
    assert len(mixtures) == len(set(mixtures)) == 15
    assert all(sum(mixture) == pytest.approx(1) for mixture in mixtures)


def test_measured_mixture() -> None:
    stages = np.full((2, 4, 4), -np.inf, dtype=np.float32)
    stages[0, :3] = [[0.9, 0, 0, 0], [0.1, 1, 0, 0], [0.2, 0.3, 0, 0]]
    stages[1, :1] = [[0.5, 0.5, 0, 0]]
    meets = np.zeros((2, 4, 2), dtype=np.bool_)
    meets[0, 1, 0] = meets[0, 2, 1] = meets[1, 0, 0] = True
    questions = weights.Questions("x", stages, meets, np.array([2, 1]))
    assert weights.measure(questions, (1, 0, 0, 0), (1, 2, 3)) == [0.5, 0.75, 1]
    assert weights.measure(questions, (0, 1, 0, 0), (1, 2, 3)) == [0.75, 1, 1]
    assert weights.measure(weights.first(questions, 0.0, 1), (1, 0, 0, 0), (1,)) == [0.75]


def test_our_two_bits_are_the_normal_quantiser_at_two_bits() -> None:
    vectors = np.random.default_rng(0).standard_normal((20, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = (tradeoff.ours(64)(vectors) * tradeoff.rotated(2, 64)(vectors)).sum(axis=1)
    assert np.median(cosines) > 0.9999  # a coordinate at an edge may fall on either side
    assert cosines.min() > 0.95
    errors = [np.square(tradeoff.rotated(bits, 64)(vectors) - vectors).sum() for bits in (1, 2, 3, 4)]
    assert errors == sorted(errors, reverse=True)


def test_pairs_pooled_share_a_vector() -> None:
    vectors = np.eye(5, dtype=np.float32)
    pooled = tradeoff.pooled(lambda v: v)(vectors)
    assert pooled.shape == vectors.shape
    assert np.array_equal(pooled[0], pooled[1])
    assert np.array_equal(pooled[4], vectors[4])


def test_size_counts_what_is_required_once() -> None:
    alone = peer_worker.size(["rich"])
    both = peer_worker.size(["rich", "markdown-it-py"])
    assert alone["bytes"] == both["bytes"] > 0
    assert alone["distributions"] == both["distributions"] > 2


def test_failed_peer_is_named(tmp_path: Path) -> None:
    task = written(tmp_path / "task.json", {"roots": ["no-such-distribution"]})
    with pytest.raises(QueryError, match=r"qa failed to size:[\s\S]*no-such-distribution"):
        peers.Bench(tmp_path, task, tmp_path).run(peers.OURS, "size")
