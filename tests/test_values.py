"""Values: what is a number or a date, verbatim, and which admit each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.names import names, present
from qa.polarity import cues, scopes
from qa.values import admits, mentions

TEXTS = st.text(max_size=80) | st.lists(
    st.sampled_from("over about 54,000 fifty-four thousand 5 % 1950–53 19 January 1960 1950s Article V ' - May".split())
).map(" ".join)


@given(TEXTS)
def test_values_names_and_cues_are_slices_and_never_fail(text: str) -> None:
    places = [(each.start, each.end, each.text) for each in mentions(text)]
    places += [(each.start, each.end, each.text) for each in names(text)]
    places += [(each.start, each.end, each.text) for each in cues(text)]
    assert all(text[start:end] == said for start, end, said in places)
    assert all(0 <= a < b <= len(text) for a, b in scopes(text))


@given(TEXTS, TEXTS)
def test_admits_is_symmetric_and_reflexive(a: str, b: str) -> None:
    for mine in mentions(a):
        assert admits(mine, mine) or (mine.kind == "date" and not mine.low)
        for theirs in mentions(b):
            assert admits(mine, theirs) == admits(theirs, mine)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("54,000", "fifty-four thousand", True),
        ("approximately 54,000", "54,300", True),
        ("54,000", "approximately 55,000", False),
        ("over 80", "85", True),
        ("over 80", "180", False),
        ("4.5 million", "4,500,000", True),
        ("50 percent", "50%", True),
        ("50 percent", "50 years", False),
        ("one in five", "20%", True),
        ("between 5 and 10", "7", True),
        ("Article V", "Article 5", True),
        ("Article V", "Article VI", False),
        ("1960", "January 1960", True),
        ("19 January 1960", "January 19, 1960", True),
        ("March 1960", "January 1960", False),
        ("1950s", "1953", True),
        ("1950–53", "1951", True),
        ("the 19th century", "1895", True),
        ("1960", "1961", False),
        ("billions of dollars", "millions of dollars", False),
    ],
)
def test_what_admits_what(a: str, b: str, same: bool) -> None:
    (mine,), (theirs,) = mentions(a), mentions(b)
    assert admits(mine, theirs) is same


@pytest.mark.parametrize(
    ("name", "text", "there"),
    [
        ("He met the ROK there.", "South Korea agreed.", True),
        ("He met the SDF there.", "The Self-Defense Forces (SDF) exist.", True),
        ("He met the U.S. there.", "The United States agreed.", True),
        ("He met Abé there.", "Abe agreed.", True),
        ("He met Nixon there.", "Johnson agreed.", False),
    ],
)
def test_a_bearer_s_names(name: str, text: str, there: bool) -> None:
    found = names(name)[-1]
    assert present(found, text) is there
