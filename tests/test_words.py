"""Words and sentences: which spellings meet, and where each stands."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.words import Word, content_words, fold, phrases, sentences, words


def told(text: str) -> list[str]:
    return [word.text for word in words(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("U.S. forces", ["us", "forces"]),
        ("the U.S", ["the", "us"]),
        ("R.O.K.", ["rok"]),
        ("U.S.-ROK-Japan", ["us", "rok", "japan"]),
        ("J.F.Kennedy", ["jf", "kennedy"]),
        ("e.g. this, i.e. that", ["eg", "this", "ie", "that"]),
        ("It ended.Then", ["it", "ended", "then"]),
        ("54,000 troops", ["54000", "troops"]),
        ("1,234,567.89", ["1234567.89"]),
        ("1,2,3", ["1", "2", "3"]),
        ("3,5 or 1,0000", ["3", "5", "or", "1", "0000"]),
        ("5.2 billion.", ["5.2", "billion"]),
        ("version 1.2.3.", ["version", "1.2.3"]),
        ("in 1960.", ["in", "1960"]),
        ("1960s, 3rd", ["1960", "s", "3", "rd"]),
        ("Japan's, Japan’s, U.S.'s", ["japan", "japan", "us"]),
        ("s 's' S", ["s", "s"]),
        ("don't", ["don", "t"]),
        ("well-known anti-US", ["well", "known", "anti", "us"]),
        ("F-35B", ["f", "35", "b"]),
        ("$5 & 50%", ["5", "50"]),
        ("snake_case", ["snake", "case"]),
        ("日米同盟", ["日", "米", "同", "盟"]),
        ("NATO同盟2国", ["nato", "同", "盟", "2", "国"]),
        ("漢\u0301字", ["漢", "字"]),
        ("한국 군대", ["한국", "군대"]),
        ("हिन्दी में", [fold("हिन्दी"), fold("में")]),
        ("co\u00adoperate", ["cooperate"]),
        ("\ufe70 \u037a a", ["a"]),  # letters that fold to a blank
        ("\ufdfa", ["\u0635\u0644\u0649\u0627\u0644\u0644\u0647\u0639\u0644\u064a\u0647\u0648\u0633\u0644\u0645"]),
        ("👩‍👩‍👧 — … \u0301", []),
        ("", []),
    ],
)
def test_a_text_has_these_words(text: str, found: list[str]) -> None:
    assert told(text) == [fold(word) for word in found]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("U.S.", "US"),
        ("u.s.", "US"),
        ("R.O.K.", "ROK"),
        ("Shinzō", "Shinzo"),
        ("Shinzo\u0304", "SHINZŌ"),
        ("Élan", "e\u0301lan"),
        ("54,000", "54000"),
        ("Japan's", "Japan"),
        ("ﬁle", "file"),
        ("ＮＡＴＯ", "nato"),
        ("１９６０", "1960"),
        ("Straße", "STRASSE"),
        ("が", "か\u3099"),
        ("ガイド", "ｶﾞｲﾄﾞ"),
        ("שָׁלוֹם", "שלום"),
        ("İzmir", "izmir"),
    ],
)
def test_spellings_of_one_word_meet(one: str, other: str) -> None:
    assert told(one) == told(other) != []


@pytest.mark.parametrize(("one", "other"), [("54.000", "54000"), ("5.2", "52"), ("1960", "1961"), ("us", "use")])
def test_other_words_do_not_meet(one: str, other: str) -> None:
    assert told(one) != told(other)


def test_a_word_knows_its_place() -> None:
    assert list(words("The U.S. had 54,000.")) == [
        Word("the", 0, 3),
        Word("us", 4, 8),
        Word("had", 9, 12),
        Word("54000", 13, 19),
    ]


@given(st.text(max_size=200))
def test_words_stand_in_order_and_none_is_empty(text: str) -> None:
    found = list(words(text))
    assert all(word.text and not word.text.isspace() for word in found)
    assert all(0 <= word.start < word.end <= len(text) for word in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert all(word.text.strip() == word.text and " " not in word.text for word in found)


@given(st.text(max_size=100))
def test_case_does_not_matter(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("How many troops are in Japan?", ["troops", "japan"]),
        ("What is it?", ["what", "is", "it"]),
        ("?", []),
    ],
)
def test_a_question_s_form_is_left_out_unless_nothing_else_is_there(text: str, found: list[str]) -> None:
    assert content_words(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('who wrote "hub and spoke"?', ["hub and spoke"]),
        ("“one” and «two» and „three“", ["one", "two", "three"]),
        ('an "open one', []),
        ('"" and "?" and " x "', ["x"]),
        ("it's Japan's", []),
    ],
)
def test_a_phrase_stands_in_quotation_marks(text: str, found: list[str]) -> None:
    assert phrases(text) == found


def cut(text: str) -> list[str]:
    return [text[a:b] for a, b in sentences(text)]


@pytest.mark.parametrize(
    "parts",
    [
        ["The U.S. forces left.", "They went home."],
        ["They stood in the U.S. It was cold."],  # could be either: not cut
        ["It cost 5.2 billion in 1960.", "Nobody paid."],
        ['He said "No."', "Then he left."],
        ["“Stop.”", "“Go on!”", "(They did.)", "End."],
        ["What?!", "Really?", "Yes."],
        ["“What?” he said.", "Nothing."],
        ["Wait... what.", "Done."],
        ["Mr. Abe met Gen. MacArthur.", "They talked."],
        ["It fell on Sept. 8, 1951.", "It was a Saturday."],
        ["See No. 5 on p. 12.", "It says no.", "So there."],
        ["Some (e.g. marines) stayed, i.e. three.", "More left."],
        ["1. First comes this.", "Then that."],
        ["(12. Twelve.)", "More."],
        ["A footnote ends it.[12][3]", "Next."],
        ["It ended in 5.", "It began again."],
        ["no capitals here. none at all."],
    ],
)
def test_sentences_are_cut_here_and_nowhere_else(parts: list[str]) -> None:
    assert cut(" ".join(parts)) == parts
    assert cut("  " + "  ".join(parts) + " \n") == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("日本は。「そうだ。」と言った！？終わり。", ["日本は。", "「そうだ。」", "と言った！？", "終わり。"]),
        ("one line\ntwo. Three\n\n\u2028\nfour", ["one line", "two.", "Three", "four"]),
        ("", []),
        (" \n\u00a0\n", []),
        ("...", ["..."]),
    ],
)
def test_lines_and_unspaced_scripts_are_cut_too(text: str, parts: list[str]) -> None:
    assert cut(text) == parts


def test_sentences_of_a_part_stand_in_the_whole() -> None:
    text = "One. Two. Three. Four."
    assert [text[a:b] for a, b in sentences(text, 5, 16)] == ["Two.", "Three."]
    assert list(sentences(text, 5, 5)) == []


prose = st.text(st.sampled_from("aB1.?!。」“”\"') \n\u00a0\u2028[]"), max_size=80)


@given(prose | st.text(max_size=80), st.integers(0, 20), st.integers(0, 80))
def test_sentences_hold_all_that_is_not_blank_once_and_in_order(text: str, start: int, end: int) -> None:
    start, end = min(start, len(text)), min(max(start, end), len(text))
    found = list(sentences(text, start, end))
    assert all(start <= a < b <= end and not text[a].isspace() and not text[b - 1].isspace() for a, b in found)
    assert all(one[1] <= other[0] for one, other in pairwise(found))
    held = {i for a, b in found for i in range(a, b)}
    assert all(text[i].isspace() for i in range(start, end) if i not in held)


@pytest.mark.parametrize(
    "text",
    [
        "word " * 200_000,
        "." * 200_000,
        ". " * 200_000,
        ".)" * 200_000,
        "." + " " * 500_000 + "a",
        '"' * 200_001,
        "1," * 200_000,
    ],
)
def test_long_texts_take_no_quadratic_time(text: str) -> None:
    began = time.process_time()
    for _ in words(text):
        pass
    for _ in sentences(text):
        pass
    phrases(text)
    assert time.process_time() - began < 30
