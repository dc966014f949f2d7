"""The judge's network, its loading, and what search and answers make of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa.errors import JudgeError
from qa.judge import FILES, WEIGHTS, Claim, Judge, Reading, softmax, span_chances
from qa.library import Library
from qa.settings import Settings
from tests.conftest import RealIndex
from tests.fakes import BY_HAND, WordEncoder

QUESTION = "How many soldiers are stationed in the harbour?"
TEXT = "About 4,300 soldiers are stationed in the harbour, and the fleet lies farther north."


class KeywordJudge:
    """A judge by one word: a text answers if the word stands in it, and there is the answer."""

    name = "keyword"

    def __init__(self, word: str) -> None:
        self.word = word
        self.texts: list[str] = []

    def read(self, question: str, texts: Sequence[str]) -> list[Reading]:  # noqa: ARG002
        self.texts += texts
        found = [text.find(self.word) for text in texts]
        return [Reading(0.9 if at >= 0 else 0.05, max(at, 0), max(at, 0) + len(self.word), 1.0) for at in found]

    def weigh(self, pairs: Sequence[tuple[str, str]]) -> list[Claim]:
        return [Claim(1.0, 0.0, 0.0) for _ in pairs]


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


# --- the network


def test_it_reads_where_a_text_answers(judge: Judge) -> None:
    told, other = judge.read(QUESTION, [TEXT, "The harbour was dredged in the spring and the cranes were painted."])
    assert TEXT[told.start : told.end] in ("4,300", "About 4,300")
    assert told.answers > other.answers + 0.2


def test_it_notices_another_number(judge: Judge) -> None:
    right, wrong = (
        judge.weigh([(f"There are {n} soldiers stationed in the harbour.", TEXT)])[0] for n in ("4,300", "7,900")
    )
    assert right.supports > right.contradicts
    assert wrong.contradicts > wrong.supports


def test_what_it_says_of_a_text_depends_on_nothing_beside_it(judge: Judge) -> None:
    texts = [TEXT, "x", "A much longer text. " * 30, "", "日本国憲法"]
    assert judge.read(QUESTION, texts) == [judge.read(QUESTION, [text])[0] for text in texts]
    assert judge.weigh([(QUESTION, t) for t in texts[::-1]]) == judge.weigh([(QUESTION, t) for t in texts])[::-1]


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=300), st.text(max_size=300))
def test_any_question_and_text_can_be_read(question: str, text: str) -> None:
    (reading,) = _JUDGE.read(question, [text])
    assert 0 <= reading.answers <= 1
    assert 0 <= reading.start <= reading.end <= len(text)
    (claim,) = _JUDGE.weigh([(question, text)])
    assert claim.supports + claim.contradicts + claim.neither == pytest.approx(1, abs=1e-5)


_JUDGE = Judge()


def test_a_text_too_long_is_read_from_its_beginning(judge: Judge) -> None:
    long = TEXT + " The quay is old." * 400
    (reading,) = judge.read(QUESTION, [long])
    assert 0 <= reading.start < reading.end <= len("About 4,300")
    (swapped,) = judge.read("Why? " * 500, [TEXT])
    assert 0 <= swapped.start < swapped.end <= len(TEXT)


def test_no_texts_no_readings(judge: Judge) -> None:
    assert judge.read(QUESTION, []) == []


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9), st.booleans()), min_size=1, max_size=40))
def test_the_best_span_lies_in_the_text(rows: list[tuple[float, float, bool]]) -> None:
    logits = np.array([row[:2] for row in rows], dtype=np.float32)
    own = np.array([row[2] for row in rows])
    chances = span_chances(logits, own)
    first, last = divmod(int(chances.argmax()), len(rows))
    assert chances.sum() == pytest.approx(1, abs=1e-4)
    if own.any():
        assert own[first] and own[last] and first <= last
        spans = [
            (logits[a, 0] + logits[b, 1]) for a in np.flatnonzero(own) for b in np.flatnonzero(own) if a <= b < a + 24
        ]
        assert logits[first, 0] + logits[last, 1] == pytest.approx(max(spans))


def test_softmax_holds_for_great_logits() -> None:
    assert softmax(np.array([1e4, 0, -1e4], dtype=np.float32)).tolist() == [1, 0, 0]


# --- loading


def test_the_package_is_small_enough() -> None:
    assert sum((WEIGHTS / name).stat().st_size for name in FILES) <= 25 * 2**20


@pytest.mark.parametrize("name", FILES)
def test_files_that_were_changed_are_refused(name: str, tmp_path: Path) -> None:
    folder = shutil.copytree(WEIGHTS, tmp_path / "weights")
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(JudgeError, match=f"{name} is not the judge's file"):
        Judge(folder).read(QUESTION, [TEXT])


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_missing_are_named(name: str, tmp_path: Path) -> None:
    folder = shutil.copytree(WEIGHTS, tmp_path / "weights")
    (folder / name).unlink()
    with pytest.raises(JudgeError, match=f"{name} can't be read"):
        Judge(folder).weigh([(QUESTION, TEXT)] * 2)


@pytest.mark.parametrize("spec", ["", "{}", '{"sha256": {}, "max_tokens": 1}', "[]"])
def test_a_spec_that_is_none_is_refused(spec: str, tmp_path: Path) -> None:
    (tmp_path / "judge.json").write_text(spec)
    with pytest.raises(JudgeError, match="holds no judge of ours"):
        Judge(tmp_path)


def test_the_light_road_holds() -> None:
    code = (
        "import sys; from qa.judge import Judge; Judge().read('q', ['a', 'b']);"
        "sys.exit(', '.join({'torch', 'transformers', 'sentence_transformers'} & {*sys.modules}) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


# --- in search and answers


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setattr("qa.search.JUDGED", 0.5)
    monkeypatch.setattr("qa.evidence.TRUST", 1.0)
    for module in ("answer", "evidence", "agreement"):
        monkeypatch.setattr(f"qa.{module}.weights", BY_HAND.__getitem__)
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "one.txt").write_text("The harbour has a crane. The harbour has soldiers and cranes.\n\n" * 3)
    (sources / "two.txt").write_text("The harbour of soldiers. The harbour keeps a lighthouse.\n")
    return Library(Settings(sources, tmp_path / "index"), encoder=WordEncoder(), judge=KeywordJudge("lighthouse"))


def test_search_is_judged_only_if_asked(library: Library) -> None:
    plain = library.search("harbour soldiers")
    assert plain.index.judge is None
    assert all("judge" not in hit.scores and hit.sights[0].reading is None for hit in plain.hits)
    judged = library.search("harbour soldiers", judge=True)
    assert judged.index.judge == "keyword"
    best = judged.hits[0]
    assert best.citation.source == "two"
    assert best.scores["judge"] == 0.9
    (mark,) = best.highlights
    assert library.source("two").text[mark.start : mark.end] == "The harbour keeps a lighthouse."


def test_an_answer_is_judged_unless_told_otherwise(library: Library) -> None:
    judged = library.ask("harbour soldiers")
    assert judged.confidence == pytest.approx(0.9)
    assert judged.index.judge == "keyword"
    plain = library.ask("harbour soldiers", judge=False)
    assert plain.confidence is not None and plain.confidence > 0.9
    assert plain.index.judge is None


def test_settings_can_turn_it_off(library: Library) -> None:
    off = Settings(library.settings.sources, library.settings.index, judge=False)
    quiet = Library(off, encoder=WordEncoder(), judge=KeywordJudge("lighthouse"))
    assert quiet.ask("harbour soldiers").index.judge is None
    assert quiet.ask("harbour soldiers", judge=True).confidence == pytest.approx(0.9)


def test_what_nothing_read_answers_is_not_found(library: Library) -> None:
    silent = Library(library.settings, encoder=WordEncoder(), judge=KeywordJudge("unicorn"))
    answer = silent.ask("harbour soldiers")
    assert answer.status == "not_found"
    assert not answer.citations
    assert answer.related


def test_the_same_question_gives_the_same_object(real_index: RealIndex) -> None:
    one, two = (Library(Settings(real_index.sources, real_index.index)) for _ in range(2))
    question = "Who holds wartime control of South Korean forces?"
    assert one.ask(question).to_dict() == two.ask(question).to_dict()


def test_it_reads_two_sentences_of_a_passage_at_most(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(most: int) -> list[str]:
        monkeypatch.setattr("qa.search.OF_A_PASSAGE", most)
        judge = KeywordJudge("lighthouse")
        Library(library.settings, encoder=WordEncoder(), judge=judge).search("harbour soldiers", judge=True)
        return judge.texts

    two, every = read(2), read(99)
    passages = len(library.search("harbour soldiers").hits)
    assert len(two) == 2 * passages < len(every)
