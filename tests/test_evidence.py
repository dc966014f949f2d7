"""Evidence and agreement: values in sentences, which of them agree, and which sources are independent."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa import evidence
from qa.agreement import Group, agree, contenders, depends, groups, independent, opposing, rivals
from qa.citation import cite
from qa.errors import JudgeError
from qa.evidence import JUDGED, PLAIN, RIVAL, Finding, Found, Weights, weights
from qa.judge import Reading, Spans
from qa.loaders import load_folder
from qa.names import canon
from qa.question import Part, kind_of
from qa.search import Highlight, Hit
from qa.source import Source
from qa.values import mentions, spoken
from qa.words import words
from tests.fakes import BY_HAND

TEXTS = {
    "survey": "---\ntitle: The Harbour Survey\nauthor: [{family: Okafor}]\ndate: 1950\n---\n"
    "The fleet of Sorvik numbers 900 boats. Most of them are painted blue, and some of them carry lanterns at night.\n",
    "copy": "---\ntitle: Boats of the north\n---\n"
    "The fleet of Sorvik numbers 900 boats. Most of them are painted blue, and some of them carry lanterns at night.\n",
    "quoting": "---\ntitle: A history of nets\n---\nAccording to The Harbour Survey, 900 boats lie at Sorvik.\n",
    "naming": "---\ntitle: Ropes\n---\nOkafor counted some 900 boats at Sorvik (1950).\n",
    "census": "---\ntitle: Census of tar\n---\nNine hundred boats were tarred at Sorvik, as the tar tax shows.\n",
    "other": "---\ntitle: Tales\n---\nAt Sorvik there are 1,200 boats.\n",
    "brief": "---\ntitle: The Harbour Survey\nkind: brief\noriginal: survey\n---\nIt counts 900 boats at Sorvik.\n",
}
QUESTION = Part(0, 31, "How many boats are at Sorvik?", "How many boats are at Sorvik?", "number")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    folder = tmp_path_factory.mktemp("sources")
    for name, text in TEXTS.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return {source.id: source for _, source in load_folder(folder).sources}


def finding(source: Source, chance: float, said: str | None = None, kind: str = "number") -> Finding:
    """What the first sentence with a value says, or the one with the words `said`."""
    end = source.text.index(".") + 1 if "(1950)" not in source.text else len(source.text.rstrip())
    sentence = source.text[:end]
    hit = Hit(cite(source, 0, len(source.text.rstrip())), chance, {}, (Highlight(0, end),))
    if said is None:
        mention = max(mentions(sentence), key=lambda m: m.kind == "number" and m.low > 100)
        value = Found(mention.text, mention.start, mention.end, kind, mention.normalized, mention)
    else:
        at = sentence.index(said)
        value = Found(said, at, at + len(said), kind, canon(" ".join(w.text for w in words(said))))
    met = np.ones(3, dtype=np.float32)
    return Finding(hit, source, 0, end, value, {}, chance, met)


@pytest.fixture(autouse=True)
def weighed_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qa.agreement.weights", BY_HAND.__getitem__)


def test_values_that_admit_each_other_are_one(sources: dict[str, Source]) -> None:
    found = [finding(sources[id], 0.9 - n / 10) for n, id in enumerate(("survey", "census", "naming", "other"))]
    said, other = groups(found)
    assert [f.source.id for f in said.findings] == ["survey", "census", "naming"]
    assert [f.source.id for f in other.findings] == ["other"]
    assert said.chance == 0.9 and said.lead is found[0]


@pytest.mark.parametrize(
    ("ids", "count"),
    [
        (("survey",), 1),
        (("survey", "census"), 2),
        (("survey", "copy"), 1),
        (("survey", "quoting"), 1),
        (("quoting", "survey"), 1),
        (("survey", "naming"), 1),
        (("survey", "brief"), 1),
        (("copy", "census", "survey", "brief", "quoting"), 2),
    ],
)
def test_copies_briefs_and_what_cites_are_no_second_witness(
    sources: dict[str, Source], ids: tuple[str, ...], count: int
) -> None:
    assert independent([finding(sources[id], 0.9) for id in ids]) == count


def test_dependence_is_mutual(sources: dict[str, Source]) -> None:
    every = [finding(source, 0.9) for source in sources.values()]
    for one in every:
        for other in every:
            assert depends(one, other) == depends(other, one)
            assert agree(one, other) == agree(other, one)


def test_another_value_from_another_source_disputes(sources: dict[str, Source]) -> None:
    lead, other = groups([finding(sources["survey"], 0.9), finding(sources["other"], 0.8)])
    assert rivals(QUESTION, lead, [other]) == [other]
    (unlikely,) = groups([finding(sources["other"], 0.2)])
    assert rivals(QUESTION, lead, [unlikely]) == []
    several = Part(0, 31, QUESTION.text, QUESTION.own, "number", many=True)
    assert contenders(several, lead, [other]) == []
    why = Part(0, 31, "Why?", "Why?", "reason")
    assert contenders(why, lead, [other]) == []


def test_a_source_doesnt_dispute_itself(sources: dict[str, Source]) -> None:
    lead = Group((finding(sources["survey"], 0.9),))
    again = Group((finding(sources["survey"], 0.8),))
    assert contenders(QUESTION, lead, [again]) == []


def test_what_meets_less_of_the_question_is_behind(sources: dict[str, Source]) -> None:
    lead, rival = finding(sources["survey"], 0.9), finding(sources["other"], 0.8)
    assert opposing(lead, rival, 0)["behind"] == 0
    rival.met[0] = 0.25
    assert opposing(lead, rival, 0)["behind"] == pytest.approx(0.75)
    assert opposing(rival, lead, 0)["ahead"] == pytest.approx(0.75)
    assert [opposing(lead, rival, before)["later"] for before in (0, 1, 2)] == [0, 1, 1]


@pytest.mark.parametrize(("one", "other", "same"), [
    ("Anna Lind", "Lind", True), ("Anna Lind", "Anna Berg", False), ("USA", "United States", True),
])  # fmt: skip
def test_names_agree_by_alias_and_by_part(tmp_path: Path, one: str, other: str, same: bool) -> None:
    for name, said in (("a", one), ("b", other)):
        (tmp_path / f"{name}.md").write_text(f"It was built by {said} in spring.\n")
    a, b = (source for _, source in load_folder(tmp_path).sources)
    assert agree(finding(a, 0.9, one, "person"), finding(b, 0.8, other, "person")) is same


def test_founders_named_together_dont_dispute(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("The mill was founded by Anna Lind together with a friend.\n")
    (tmp_path / "b.md").write_text("The mill was founded by Jens Berg.\n")
    a, b = (source for _, source in load_folder(tmp_path).sources)
    who = Part(0, 22, "Who founded the mill?", "Who founded the mill?", "person")
    other = Group((finding(b, 0.9, "Jens Berg", "person"),))
    assert contenders(who, Group((finding(a, 0.9, "Anna Lind", "person"),)), [other]) == []
    (tmp_path / "a.md").write_text("The mill was founded by Anna Lind.\n")
    a = next(source for _, source in load_folder(tmp_path).sources)
    assert contenders(who, Group((finding(a, 0.9, "Anna Lind", "person"),)), [other]) == [other]


# --- values in a sentence


def chosen(question: str, sentence: str, reading: Reading | None = None) -> Found:
    part = Part(0, len(question), question, question, kind_of(question))
    return evidence._chosen(part, sentence, evidence._candidates(part, sentence), reading)[0][0]


@pytest.mark.parametrize(
    ("question", "sentence", "value"),
    [
        ("How many boats lie there?", "In 1911 about 900 boats lay there.", "about 900"),
        ("How tall is it?", "It is 41 metres tall and was built in 1790.", "41 metres"),
        ("When was it built?", "It is 41 metres tall and was built in May 1790.", "May 1790"),
        ("What percentage voted?", "Of 900 people 12 per cent voted.", "12 per cent"),
        ("How much did the bridge cost?", "The bridge of 1911 cost $4 million.", "$4 million"),
        ("How long did it last?", "From 1911 it lasted eleven days.", "eleven days"),
        ("Who built the mill?", "In spring the mill was built by Anna Lind.", "Anna Lind"),
        ("Where is Anna Lind's mill?", "Anna Lind built her mill at Sorvik.", "Sorvik"),
        ("How many of the 900 boats are red?", "Of the 900 boats 12 are red.", "12"),
        ("In which month did it open?", "It was founded in 1790 and opened in May 1791.", "May 1791"),
        ("Why is it blue?", "It is blue because of a tax.", "It is blue because of a tax."),
    ],
)
def test_a_value_is_of_the_kind_asked_for(question: str, sentence: str, value: str) -> None:
    assert chosen(question, sentence).text == value


def test_the_judge_s_span_chooses_among_values() -> None:
    sentence = "Of 900 boats 1,200 nets were lost."
    offsets = np.array([(0, 2), (3, 6), (7, 12), (13, 18), (19, 23)])
    for at, value in ((1, "900"), (3, "1,200")):
        chances = np.zeros((5, 5), dtype=np.float32)
        chances[at, at] = 1.0
        start, end = offsets[at].tolist()
        found = chosen("How many were lost?", sentence, Reading(0.9, start, end, 1.0, Spans(offsets, chances)))
        assert found.text == value


def test_a_span_s_mass_is_that_of_all_runs_that_meet_it() -> None:
    offsets = np.array([(0, 2), (3, 6), (7, 12)])
    chances = np.array([[0.1, 0.2, 0.0], [0, 0.3, 0.1], [0, 0, 0.3]], dtype=np.float32)
    spans = Spans(offsets, chances)
    assert spans.mass(3, 6) == pytest.approx(0.6)
    assert spans.mass(0, 12) == pytest.approx(1.0)
    assert spans.mass(12, 20) == 0.0


@given(st.text(max_size=120), st.sampled_from(["How many?", "When?", "Who?", "Where?", "Why?", "How long?"]))
def test_a_value_is_a_slice_of_its_sentence(sentence: str, question: str) -> None:
    found = chosen(question, sentence)
    assert found.text == sentence[found.start : found.end]
    for mention in mentions(sentence):
        start, end = spoken(sentence, mention)
        assert 0 <= start <= mention.start < mention.end <= end <= len(sentence)


# --- weights


def test_the_shipped_weights_are_of_features_that_exist() -> None:
    fitted = import_module("training.evidence")
    assert {name: set(weights(name).weights) for name in (PLAIN, JUDGED, RIVAL)} == {
        **{name: set(features) for name, features in fitted.FEATURES.items()},
        RIVAL: set(fitted.OPPOSING),
    }
    assert weights(JUDGED).weights["judge"] > 0
    assert all(0 < weights(name).least < 1 for name in (PLAIN, JUDGED, RIVAL))


@pytest.mark.parametrize("text", ["", "{}", '{"plain": {"weights": {"met": "x"}, "least": 0}}', '{"plain": []}'])
def test_weights_that_cant_be_read_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    path = tmp_path / "evidence.json"
    path.write_text(text)
    monkeypatch.setattr(evidence, "WEIGHTS", path)
    with pytest.raises(JudgeError, match=r"evidence\.json"):
        weights.__wrapped__(PLAIN)


def test_the_chance_is_logistic() -> None:
    weigh = Weights({"bias": 0.0, "met": 2.0}, 0.5)
    assert weigh.chance({"met": 0.0}) == 0.5
    assert weigh.chance({"met": 1.0}) == pytest.approx(0.8808, abs=1e-4)
    assert weigh.chance({"met": 1e9}) == 1.0
    assert json.loads(evidence.WEIGHTS.read_text())["plain"]


@pytest.mark.parametrize(
    ("question", "sentence", "span", "value"),
    [
        ("Where did it end?", "It ended the state of war of Japan.", "state of war of Japan", "Japan"),
        ("Who built it?", "It was built by old Anna of Lind.", "Anna of Lind", "Anna of Lind"),
        ("How many boats?", "There are about 900 boats there.", "900", "about 900"),
        ("How many boats?", "There are 900 blue boats there.", "900 blue boats", "900 blue boats"),
        ("How many boats?", "There are 900 boats and 12 nets.", "900 boats and 12 nets", "900"),
    ],
)
def test_a_value_goes_on_with_what_belongs_to_it(question: str, sentence: str, span: str, value: str) -> None:
    at = sentence.index(span)
    assert chosen(question, sentence, Reading(0.9, at, at + len(span), 0.8)).text == value


def test_a_list_s_marker_is_no_part_of_a_value() -> None:
    assert chosen("Why is it blue?", "- It is blue because of a tax.").text == "It is blue because of a tax."
    assert chosen("How many battles took place?", "A three-year war was fought in 12 battles.").text == "12"
