"""The structure of a text: what is a heading, a paragraph, an item, an entry, and where."""

from __future__ import annotations

import time

import pytest

from qa.source import Block
from qa.structure import outline


def seen(text: str, markdown: bool = True) -> list[tuple[str, str]]:
    """Kind and text of each block."""
    blocks, _ = outline(text, markdown)
    return [(block.kind, text[block.start : block.end]) for block in blocks]


def sections(text: str, markdown: bool = True) -> list[tuple[str, ...]]:
    """The sections above each block of running text."""
    blocks, _ = outline(text, markdown)
    return [block.sections for block in blocks if block.kind != "heading"]


def paragraphs(text: str, markdown: bool = True) -> list[int | None]:
    return [block.paragraph for block in outline(text, markdown)[0]]


@pytest.mark.parametrize("markdown", [True, False])
@pytest.mark.parametrize("text", ["", " ", "\n\n\n", "\t \n\u00a0\n\u2028\u3000", "\f"])
def test_a_blank_text_has_no_blocks(text: str, markdown: bool) -> None:
    assert outline(text, markdown) == ((), None)


@pytest.mark.parametrize("markdown", [True, False])
def test_headings_name_the_sections_below_them(markdown: bool) -> None:
    text = "# T\n\nzero.\n\n## A\n\none.\n\n### B\n\ntwo.\n\n## C\n\nthree.\n"
    assert sections(text, markdown) == [(), ("A",), ("A", "B"), ("C",)]
    assert outline(text, markdown)[1] == "T"


def test_paragraphs_count_from_one_in_each_section() -> None:
    assert paragraphs("one\n\ntwo\n\n# A\n\none\n\n- two\n- three\n\n## B\n\none\n") == [1, 2, None, 1, 2, 3, None, 1]


def test_the_title_is_no_section_even_when_repeated() -> None:
    assert sections("# T\n\na.\n\n# S\n\nb.\n\n# T\n\nc.\n") == [(), ("S",), ()]


def test_a_first_heading_below_level_one_is_title_and_section() -> None:
    text = "## Background\n\nwords.\n\n## Aftermath\n\nmore.\n"
    assert outline(text, True)[1] == "Background"
    assert sections(text) == [("Background",), ("Aftermath",)]


def test_a_text_that_opens_with_words_has_no_title() -> None:
    assert outline("words first.\n\n# Then a heading\n\nmore.\n", True)[1] is None


def test_a_setext_heading_is_one_block_with_its_underline() -> None:
    text = "Title\n=====\n\nPart\n---\n\nwords.\n"
    assert seen(text) == [("heading", "Title\n====="), ("heading", "Part\n---"), ("paragraph", "words.")]
    assert sections(text) == [("Part",)]


def test_an_empty_heading_closes_sections_and_names_none() -> None:
    assert sections("# T\n\n## A\n\na.\n\n##\n\nb.\n\n### C\n\nc.\n") == [("A",), (), ("C",)]


def test_a_heading_at_the_very_end_is_kept() -> None:
    assert seen("words.\n\n## End")[-1] == ("heading", "## End")


def test_a_heading_straight_after_a_heading_stands_below_it() -> None:
    blocks, _ = outline("# T\n## A\n### B\nwords.", True)
    assert blocks[-1].sections == ("A", "B")
    assert [block.kind for block in blocks] == ["heading", "heading", "heading", "paragraph"]


@pytest.mark.parametrize("text", ["- # Inside\n\nafter.\n", "> # Inside\n\nafter.\n", "1. Inside\n   ===\n\nafter.\n"])
def test_a_heading_in_a_list_or_a_quotation_heads_nothing(text: str) -> None:
    assert sections(text)[-1] == ()
    assert all(kind != "heading" for kind, _ in seen(text))


def test_a_heading_in_a_fence_is_code() -> None:
    assert seen("```\n# not a heading\n```\n") == [("paragraph", "```\n# not a heading\n```")]


def test_an_unclosed_fence_takes_the_rest() -> None:
    assert seen("a.\n\n```\ncode\n\n# still code\n") == [
        ("paragraph", "a."),
        ("paragraph", "```\ncode\n\n# still code"),
    ]


def test_an_unclosed_comment_takes_the_rest_and_loses_nothing() -> None:
    assert seen("a.\n\n<!-- open\n\n# in it\n") == [("paragraph", "a."), ("paragraph", "<!-- open\n\n# in it")]


def test_each_list_item_is_a_block_with_its_mark() -> None:
    assert seen("- one\n- two\n  goes on\n\n1. three\n") == [
        ("item", "- one"),
        ("item", "- two\n  goes on"),
        ("item", "1. three"),
    ]


def test_an_item_of_several_paragraphs_is_one_paragraph() -> None:
    text = "- first\n\n  second\n\n  ```\n  code\n  ```\n\n- next\n\nafter\n"
    assert [kind for kind, _ in seen(text)] == ["item", "item", "paragraph"]
    assert seen(text)[0][1].endswith("```")
    assert paragraphs(text) == [1, 2, 3]


def test_nested_items_are_blocks_of_their_own() -> None:
    assert seen("- a\n  - b\n    - c\n- d\n") == [("item", "- a"), ("item", "- b"), ("item", "- c"), ("item", "- d")]


def test_an_item_that_opens_with_an_item_begins_at_the_outer_mark() -> None:
    assert seen("- - a\n") == [("item", "- - a")]


def test_an_empty_item_does_not_swallow_what_follows() -> None:
    assert seen("-\n\n# H\n\nwords.\n") == [("paragraph", "-"), ("heading", "# H"), ("paragraph", "words.")]


def test_a_table_is_one_block() -> None:
    assert seen("| a | b |\n|---|---|\n| 1 | 2 |\n") == [("paragraph", "| a | b |\n|---|---|\n| 1 | 2 |")]


def test_a_table_straight_after_a_line_is_a_block_of_its_own() -> None:
    assert [kind for kind, _ in seen("words.\n| a | b |\n|---|---|\n| 1 | 2 |\n")] == ["paragraph", "paragraph"]


def test_link_definitions_are_not_lost() -> None:
    assert seen("words.\n\n[a]: http://example.org 'A'\n")[1] == ("paragraph", "[a]: http://example.org 'A'")


def test_a_rule_at_the_top_is_no_title() -> None:
    assert seen("---\n\nwords.\n") == [("paragraph", "---"), ("paragraph", "words.")]


@pytest.mark.parametrize("blank", ["\u2028", "\f", "\u00a0", "\x85", "\u3000"])
def test_odd_blanks_inside_a_line_part_no_blocks(blank: str) -> None:
    assert seen(f"a{blank}b\n\nc") == [("paragraph", f"a{blank}b"), ("paragraph", "c")]


# --- plain text


def test_hard_wrapped_lines_are_one_paragraph() -> None:
    first = "The delegates met in the autumn and talked for\na week before they signed anything at all."
    text = f"{first}\n\nThen they left.\n"
    assert seen(text, markdown=False) == [("paragraph", first), ("paragraph", "Then they left.")]


def test_markdown_marks_mean_nothing_in_plain_text_but_for_headings() -> None:
    assert [kind for kind, _ in seen("## Part ##\n\n> quote\n> more.\n", markdown=False)] == ["heading", "paragraph"]


@pytest.mark.parametrize(
    ("line", "title"), [("# A #", "A"), ("# C#", "C#"), ("# A ##  ", "A"), ("## ##", ""), ("# A # B", "A # B")]
)
def test_closing_marks_are_no_part_of_a_plain_heading(line: str, title: str) -> None:
    blocks, first = outline(f"{line}\n\nwords here.\n", markdown=False)
    assert blocks[0].kind == "heading" and first == title


@pytest.mark.parametrize(
    ("line", "heading"),
    [
        ("The Long Road Home", True),
        ("1960: A Turning Point", True),
        ("“Friends” and Others", True),
        ("it begins small", False),
        ("It is a sentence.", False),
        ("It ends in quotes.”", False),
        ("The following:", False),
        ("- A bullet", False),
        ("See https://example.org", False),
        ("Words " * 15, False),
    ],
)
def test_a_short_line_alone_heads_what_follows(line: str, heading: bool) -> None:
    kind, _ = seen(f"{line}\n\nSome words follow it here.\n", markdown=False)[0]
    assert (kind == "heading") is heading


def test_a_short_last_line_heads_nothing() -> None:
    assert seen("Some words end here.\n\nThe Editors", markdown=False)[-1] == ("paragraph", "The Editors")


@pytest.mark.parametrize("mark", ["-", "*", "•", "–", "1.", "(2)", "3)", "[4]", "a)"])
def test_bullets_of_many_kinds_open_items(mark: str) -> None:
    text = f"{mark} first thing\n{mark} second thing\n"
    assert seen(text, markdown=False) == [("item", f"{mark} first thing"), ("item", f"{mark} second thing")]


def test_a_wrapped_bullet_keeps_its_lines() -> None:
    text = "- first thing\n  goes on\n- second thing\ngoes on too\n"
    assert seen(text, markdown=False) == [("item", "- first thing\n  goes on"), ("item", "- second thing\ngoes on too")]


def test_bullets_straight_after_a_colon_are_items() -> None:
    assert seen("There were three:\n- one\n- two\n", markdown=False) == [
        ("paragraph", "There were three:"),
        ("item", "- one"),
        ("item", "- two"),
    ]


def test_a_number_at_a_wrapped_line_s_start_is_no_bullet() -> None:
    text = "They counted the ships again and there were\n54. That was the end of it.\n"
    assert [kind for kind, _ in seen(text, markdown=False)] == ["paragraph"]


def test_a_glossary_gives_an_entry_a_line() -> None:
    text = "Hub: the centre of a wheel\nSpoke: what leads to it\n"
    assert seen(text, markdown=False) == [("entry", "Hub: the centre of a wheel"), ("entry", "Spoke: what leads to it")]


def test_long_lines_without_blank_lines_are_paragraphs_each() -> None:
    line = "These are many words that nobody wrapped by hand because an editor did it for them on the screen alone. "
    text = f"{line * 2}\n{line * 3}\n"
    assert [kind for kind, _ in seen(text, markdown=False)] == ["paragraph", "paragraph"]


# --- speed: what is linear takes well under a second


def spent(text: str, markdown: bool) -> float:
    began = time.process_time()
    outline(text, markdown)
    return time.process_time() - began


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("\n".join(f"# H{i}" for i in range(20_000)), False),
        ("\n".join(f"# H{i}" for i in range(20_000)), True),
        ("\n".join(f"- item {i}" for i in range(50_000)), False),
        ("\n".join(f"- item {i}" for i in range(50_000)), True),
        ("\n".join(f"Term {i}: meaning {i}" for i in range(50_000)), False),
        ("\n".join(f"[l{i}]: http://example.org/{i}" for i in range(5_000)), True),
        ("# x" + " " * 100_000 + "x\n\nwords.", False),
        ("# x" + "#" * 100_000 + "x\n\nwords.", False),
        ("[" * 100_000, True),
        ("*a **b " * 50_000, True),
        (">" * 50_000, True),
        ("- " * 50_000, True),
    ],
    ids=lambda value: value[:12].strip() if isinstance(value, str) else "",
)
def test_large_texts_take_no_quadratic_time(text: str, markdown: bool) -> None:
    assert spent(text, markdown) < 30


def test_twenty_thousand_headings_in_a_row_are_headings_in_plain_text() -> None:
    blocks, _ = outline("\n".join(f"# H{i}" for i in range(20_000)), markdown=False)
    assert len(blocks) == 20_000
    assert blocks[-1] == Block(
        len("\n".join(f"# H{i}" for i in range(19_999))) + 1, blocks[-1].end, "heading", ("H19999",)
    )
