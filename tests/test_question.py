"""Questions: the kind of value they ask for, and their parts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.question import MOST_PARTS, kind_of, parts
from qa.words import words


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How many boats lie at Sorvik?", "number"),
        ("number of mills on the Aa", "number"),
        ("What is the total number of looms?", "number"),
        ("How tall is the lighthouse?", "number"),
        ("What percentage of the town voted?", "percent"),
        ("What share of its budget goes into schools?", "percent"),
        ("How much money did the flood cost?", "money"),
        ("How much did the council pay for the bridge?", "money"),
        ("What was the price of the mill?", "money"),
        ("How long did the siege last?", "duration"),
        ("How many years did he serve?", "duration"),
        ("When was the treaty signed?", "date"),
        ("In which year did the mill close?", "date"),
        ("The pact of Sorvik was renewed in what year?", "date"),
        ("Who built the bridge?", "person"),
        ("Which president opened the canal?", "person"),
        ("Under whose command did the fleet sail?", "person"),
        ("Where is the harbour?", "place"),
        ("Which country bought the ships?", "place"),
        ("In what city do they meet?", "place"),
        ("Why was the mill closed?", "reason"),
        ("What led to the strike?", "reason"),
        ("How was the dam repaired?", "manner"),
        ("Define bascule bridge", "definition"),
        ("What does sponson mean?", "definition"),
        ("What does SDF stand for?", "term"),
        ("What is the old harbour called?", "term"),
        ("What is another name for the salt road?", "term"),
        ("Which two plans failed?", "list"),
        ("Name the two treaties", "list"),
        ("Was the bridge ever closed?", "yes_no"),
        ("Did the council approve it?", "yes_no"),
        ("Can you tell me when it opened?", "date"),
        ("What did the mayor promise when the ferry sank?", "phrase"),
        ("Which court heard the case?", "phrase"),
        ("treaty that ended the war", "phrase"),
    ],
)
def test_the_kind_of_value_comes_from_the_question(question: str, kind: str) -> None:
    assert kind_of(question) == kind


@pytest.mark.parametrize(
    ("question", "texts"),
    [
        ("When was it signed?", ["When was it signed?"]),
        (
            "When was the pact signed and when was it revised?",
            ["When was the pact signed?", "when was it revised (the pact signed)?"],
        ),
        (
            "Who built the mill at Sorvik, and how many looms did the mill have?",
            ["Who built the mill at Sorvik?", "how many looms did the mill have?"],
        ),
        ("Where is the harbour? Who owns the old crane?", ["Where is the harbour?", "Who owns the old crane?"]),
        ("Which bridge, which was built in 1911, fell?", ["Which bridge, which was built in 1911, fell?"]),
    ],
)  # fmt: skip
def test_a_question_falls_into_what_it_asks(question: str, texts: list[str]) -> None:
    assert [part.text for part in parts(question)] == texts


def test_several_things_at_once() -> None:
    assert parts("Which three rivers meet there?")[0].many
    assert not parts("Which river is the longest?")[0].many
    assert not parts("How many countries are there?")[0].many


@given(st.text(max_size=120) | st.lists(
    st.sampled_from("when was it signed , and who ? how many ; boats treaty where is why or".split()), max_size=20
).map(" ".join))  # fmt: skip
def test_parts_lie_in_the_question_in_order(question: str) -> None:
    found = parts(question)
    assert 1 <= len(found) <= MOST_PARTS
    assert found[0].start == 0 and found[-1].end == len(question)
    for one, other in pairwise(found):
        assert one.end <= other.start
    if len(found) > 1:
        assert all(any(True for _ in words(question[part.start : part.end])) for part in found)
