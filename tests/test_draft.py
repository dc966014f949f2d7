"""Drafts: verdicts, places and evidence; citations put into a copy change nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qa.claim import DOUBTED
from qa.draft import VERDICTS, Check, apply, edits
from qa.judge import Claim, Reading
from qa.library import Library
from qa.settings import Settings
from tests.fakes import WordEncoder

TOWER = "The old lighthouse of Brandholm is 41 metres tall and burns whale oil."
NOTES = {
    "brandholm.md": "---\nrecord: {title: Brandholm, author: {family: Holm, given: A}, issued: 1999}\n---\n"
    f"# Brandholm\n\n## Towers\n\n{TOWER} Its keeper never left the island.\n",
    "skagen.md": "# Skagen\n\nThe grey tower of Skagen burns coal. Fishermen pay for it with dried cod since 1895.\n",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("library")
    (folder / "sources").mkdir()
    for name, text in NOTES.items():
        (folder / "sources" / name).write_text(text, encoding="utf-8")
    return Library(Settings(folder / "sources", folder / "index", judge=False), encoder=WordEncoder())


class Doubter:
    """A judge that finds any sentence to contradict, as surely as it is told to, and keeps what it read."""

    name = "doubter"

    def __init__(self, contradicts: float) -> None:
        self.contradicts = contradicts
        self.weighed: list[tuple[str, str]] = []

    def weigh(self, pairs: Sequence[tuple[str, str]]) -> list[Claim]:
        self.weighed += pairs
        return [Claim(1 - self.contradicts, self.contradicts, 0.0) for _ in pairs]

    def read(self, question: str, texts: Sequence[str]) -> list[Reading]:  # noqa: ARG002
        raise AssertionError("a statement is weighed, not asked")


def verdicts(check: Check, type: str = "statement") -> list[str]:
    return [item.verdict for item in check.items if item.type == type]


def lawful(library: Library, draft: str) -> Check:
    """Check a draft, and that every piece and every quote is the slice it names."""
    check = library.check(draft)
    for item in check.items:
        assert draft[item.start : item.end] == item.text
        assert item.line == draft.count("\n", 0, item.start) + 1
        assert item.verdict in VERDICTS
        for citation in item.evidence:
            assert citation.quote == library.source(citation.source).text[citation.start : citation.end]
    assert sum(check.summary.values()) == len(check.items)
    return check


@pytest.mark.parametrize(
    ("draft", "verdict"),
    [
        ("The old lighthouse of Brandholm burns whale oil and is 41 metres tall.", "supported"),
        ("The old lighthouse of Brandholm is 43 metres tall and burns whale oil.", "contradicted"),
        ("The old lighthouse of Skagen is 41 metres tall and burns whale oil.", "contradicted"),
        ("The old lighthouse of Brandholm is not 41 metres tall and burns whale oil.", "contradicted"),
        ("Fishermen pay for it with dried cod since 1985.", "contradicted"),
        ("Quarterly bond yields rose in eleven provinces.", "not_found"),
        ("Is the lighthouse of Brandholm tall?", "not_checkable"),
        ("I love the lighthouse of Brandholm.", "not_checkable"),
        ("Consider the lighthouse of Brandholm.", "not_checkable"),
    ],
)
def test_a_statement_s_verdict(library: Library, draft: str, verdict: str) -> None:
    assert verdicts(lawful(library, draft)) == [verdict]


@pytest.mark.parametrize(
    ("contradicts", "verdict", "note"),
    [
        (DOUBTED - 0.01, "supported", None),
        (DOUBTED, "partly_supported", "doubts"),
        (1.0, "partly_supported", "doubts"),
    ],
)
def test_the_judge_can_take_support_away(library: Library, contradicts: float, verdict: str, note: str | None) -> None:
    statement = "The old lighthouse of Brandholm burns whale oil and is 41 metres tall."
    doubting = Library(library.settings, encoder=WordEncoder(), judge=Doubter(contradicts))
    (item,) = doubting.check(statement, judge=True).items
    assert item.verdict == verdict
    assert (note or "") in (item.note or "")
    assert [citation.quote for citation in item.evidence] == [TOWER]
    (alone,) = doubting.check(statement, judge=False).items
    assert (alone.verdict, alone.note) == ("supported", None)


def test_the_judge_grants_no_support_and_reads_only_what_is_near(library: Library) -> None:
    judge = Doubter(0.0)
    sure = Library(library.settings, encoder=WordEncoder(), judge=judge)
    assert verdicts(sure.check("The lighthouse of Brandholm is 43 metres tall.", judge=True)) == ["contradicted"]
    assert judge.weighed
    judge.weighed.clear()
    assert verdicts(sure.check("Quarterly bond yields rose in eleven provinces.", judge=True)) == ["not_found"]
    assert not judge.weighed


def test_what_differs_is_shown_from_both_sides(library: Library) -> None:
    (item,) = lawful(library, "The old lighthouse of Brandholm is 43 metres tall and burns whale oil.").items
    assert [(d.draft, d.source) for d in item.differences] == [("43", "41")]


@pytest.mark.parametrize(
    ("draft", "verdict"),
    [
        (f"“{TOWER}” [@brandholm]", "exact"),
        (f"“{TOWER}” [@skagen]", "misattributed"),
        ("“The   old lighthouse\nof Brandholm is 41 metres tall”", "typographic"),
        ("“Nothing of this kind was ever written”", "not_found"),
    ],
)
def test_a_quotation_s_verdict(library: Library, draft: str, verdict: str) -> None:
    assert verdicts(lawful(library, draft), "quotation") == [verdict]


@pytest.mark.parametrize(
    ("reference", "verdict"),
    [
        ("[@brandholm, para. 1]", "supports"),
        ("(Holm 1999)", "supports"),
        ("[@skagen]", "does_not_support"),
        ("[@nobody]", "unknown_source"),
        ("(Holm 1998)", "unknown_source"),
    ],
)
def test_a_reference_s_verdict(library: Library, reference: str, verdict: str) -> None:
    check = lawful(library, f"{TOWER[:-1]} {reference}.")
    assert verdicts(check, "reference") == [verdict]


@pytest.mark.parametrize(
    "draft",
    ["", "\n\n", "# Heading only\n", "```\nThe tower burns coal today.\n```\n", "---\ntitle: The tower burns\n---\n"],
)
def test_what_is_no_prose_has_no_items(library: Library, draft: str) -> None:
    assert lawful(library, draft).items == ()


TABLE = """Before it.

| Tower | What is said of it | Height |
|:---|:--------------:|---|
| Brandholm | The old lighthouse of Brandholm is 43 metres tall and burns whale oil. | 41 metres of stone |
| Skagen \\| the grey | The grey tower of Skagen **burns** coal [@skagen]. | “burns coal. Fishermen pay for it” |
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_cells_of_a_table_that_say_something_are_checked(library: Library, newline: str) -> None:
    check = lawful(library, TABLE.replace("\n", newline))
    found = {item.text: item.verdict for item in check.items if item.type == "statement"}
    assert found["The old lighthouse of Brandholm is 43 metres tall and burns whale oil."] == "contradicted"
    assert found["The grey tower of Skagen **burns** coal [@skagen]."] == "supported"
    assert not any("stone" in text or "What is said" in text or "Skagen \\|" in text for text in found)
    assert verdicts(check, "quotation") == ["exact"] and verdicts(check, "reference") == ["supports"]


def test_a_citation_is_put_into_a_cell(library: Library) -> None:
    draft = f"| a | b |\n|---|---|\n| x | {TOWER} |\n"
    assert apply(draft, edits(library.check(draft))) == draft.replace(".", ' [@brandholm, sec. "Towers", para. 1].')


def test_hard_wrapped_lines_with_crlf_are_one_sentence(library: Library) -> None:
    draft = "The old lighthouse of Brandholm\r\nis 41 metres tall and\r\nburns whale oil.\r\n"
    assert verdicts(lawful(library, draft)) == ["supported"]


def test_a_citation_is_put_in_or_corrected(library: Library) -> None:
    draft = f"{TOWER}\n\n{TOWER[:-1]} [@skagen].\n"
    cited = '[@brandholm, sec. "Towers", para. 1]'
    assert apply(draft, edits(library.check(draft))) == f"{TOWER[:-1]} {cited}.\n\n{TOWER[:-1]} {cited}.\n"


PIECES = st.sampled_from([TOWER, "**Bold** 😀.", "> quote", "- item",
                          "| a | b |", "\r\n", "“", '"', "[^1]", "`x`", "[@x]",
                          "(Holm 1999)", "# H",
                          "---", "中文。", "<b>"])  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES | st.text(max_size=8), max_size=8).map(" \n".join))
def test_deleting_the_insertions_gives_the_draft_back(library: Library, draft: str) -> None:
    changes = [edit for edit in edits(lawful(library, draft)) if edit.start == edit.end]
    fixed = apply(draft, changes)
    for edit in reversed(changes):
        at = edit.start + sum(len(other.text) for other in changes if other.start < edit.start)
        assert fixed[at : at + len(edit.text)] == edit.text
        fixed = fixed[:at] + fixed[at + len(edit.text) :]
    assert fixed == draft


def test_a_draft_of_another_format_is_told_the_way_out(tmp_path: Path) -> None:

    from qa.errors import QueryError
    from qa.writers import read_draft

    with pytest.raises(QueryError, match="pandoc"):
        read_draft(str(tmp_path / "draft.pdf"))
