"""The writers' commands: one object on the terminal, over HTTP and in Python; a copy of a draft with citations."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from qa import pandoc, schema, terminal
from qa.api import create_app
from qa.library import Library
from qa.settings import Settings
from tests.fakes import WordEncoder
from tests.test_cli import Run, bare, error

__all__ = ["bare"]  # the fixture

LIGHTS = """---
title: Lights of the Coast
author: [{family: Okafor, given: Ada}]
date: 2019-03-12
---
# Lights

## Brandholm

The old lighthouse of Brandholm is 41 metres tall. Its lamp has burned whale oil since 1822.

## Skagen

The grey tower of Skagen burns coal. Fishermen pay for it with dried cod.
"""
WRONG = "The old lighthouse of Brandholm is 43 metres tall.\n"
RIGHT = "The old lighthouse of Brandholm is 41 metres tall.\n"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "lights.md").write_text(LIGHTS, encoding="utf-8")
    return Library(Settings(tmp_path / "sources", tmp_path / "index"), encoder=WordEncoder())


@pytest.fixture
def qa(bare: Run, library: Library, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`qa` on the library of this file."""

    @contextmanager
    def shared(_sources: Path | None, _index: Path | None, **_: bool) -> Iterator[Library]:
        yield library

    library.index()
    monkeypatch.setattr(terminal, "open_library", shared)
    return bare


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    path = tmp_path / "draft.md"
    path.write_text(f"# Draft\n\n{WRONG}\nIts lamp “has burned whale oil since 1822” (Okafor 2019).\n\nIs it open?\n")
    return path


def test_a_check_is_one_object_everywhere(qa: Run, library: Library, draft: Path) -> None:
    told = library.check(draft.read_text()).to_dict()
    assert schema.Check.model_validate(told)
    (line,) = qa("check", str(draft), "--json").lines
    assert line == told == qa("check", "-", "--format", "json", stdin=draft.read_bytes()).lines[0]
    response = TestClient(create_app(library)).post("/v1/check", json={"draft": draft.read_text()})
    assert response.status_code == 200 and response.json() == told
    for item in told["items"]:
        assert draft.read_text()[item["start"] : item["end"]] == item["text"]


def test_a_wrong_number_is_contradicted_with_both_numbers(library: Library) -> None:
    (item,) = library.check(WRONG).items
    assert item.verdict == "contradicted"
    assert [(d.draft, d.source) for d in item.differences] == [("43", "41")]
    assert item.evidence[0].quote == RIGHT.strip()
    (right,) = library.check(RIGHT).items
    assert right.verdict == "supported"


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ("burns coal. Fishermen pay for it", "exact"),
        ("BURNS COAL. Fishermen pay  for it", "typographic"),
        ("burns coal. Fishermen paid for it", "altered"),
        ("a purple whale ate nine of the seven moons", "not_found"),
    ],
)
def test_quotations_have_verdicts(library: Library, words: str, verdict: str) -> None:
    items = library.check(f'The book says "{words}".').items
    (quotation,) = [item for item in items if item.type == "quotation"]
    assert quotation.verdict == verdict
    if verdict == "altered":
        assert [(d.draft, d.source) for d in quotation.differences] == [("paid", "pay")]


def test_the_exit_says_whether_it_failed(qa: Run, draft: Path) -> None:
    done = qa("check", str(draft))
    assert done.code == 1 and "contradicted" in done.out and "    3  " in done.out
    assert qa("check", str(draft), "--fail-on", "none").code == 0
    assert qa("check", str(draft), "--fail-on", "altered, not_found").code == 0
    assert qa("check", "-", stdin=RIGHT.encode()).code == 0
    assert qa("check", "-", "--fail-on", "supported", stdin=RIGHT.encode()).code == 1


def test_markdown_for_a_review(qa: Run, draft: Path) -> None:
    done = qa("check", str(draft), "--format", "markdown")
    assert done.out.startswith("**") and "- line 3, statement: **contradicted**" in done.out


def test_a_copy_gets_citations_and_nothing_else(qa: Run, draft: Path, tmp_path: Path) -> None:
    draft.write_bytes(f"\ufeff{RIGHT}\r\nIs it open?\r\n".encode())
    done = qa("check", str(draft), "--fix", str(tmp_path / "cited.md"))
    assert (done.code, "1 citations put in" in done.err) == (0, True)
    cited = (tmp_path / "cited.md").read_bytes().decode()
    assert cited.replace(' [@lights, sec. "Brandholm", para. 1]', "") == draft.read_bytes().decode()
    assert cited != draft.read_bytes().decode()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["check", "none.md"], "none.md can't be read (No such file or directory)"),
        (["check", "paper.pdf"], "paper.pdf is neither Markdown nor plain text; convert it first"),
        (["check", "none.docx"], "none.docx can't be read (No such file or directory)"),
        (["check", "{broken}"], "broken.docx can't be read as .docx: pandoc failed"),
        (["check", "{broken}", "--fix", "out.md"], "--fix writes Markdown or text"),
        (["check", "{draft}", "--format", "xml"], "--format 'xml' is none of text, markdown, json"),
        (["check", "{draft}", "--fail-on", "wrong"], "--fail-on 'wrong' is no verdict"),
        (["check", "{draft}", "--fix", "{draft}"], "--fix would overwrite"),
        (["check", "{binary}"], "it isn't UTF-8"),
        (["cite", "lighthouse", "--style", "none-such"], "there is no citation style 'none-such'"),
        (["cite", "lighthouse", "--format", "xml"], "there is no format 'xml'"),
        (["bibliography", "--style", "x.csl"], "the style x.csl can't be read"),
        (["bibliography", "none.md"], "none.md can't be read"),
        (["verify", "none.json"], "none.json can't be read"),
    ],
)
def test_what_cant_be_done_is_told(qa: Run, draft: Path, tmp_path: Path, arguments: list[str], told: str) -> None:
    (tmp_path / "binary.md").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "broken.docx").write_bytes(b"no archive")
    before = draft.read_bytes()
    names = {"draft": str(draft), "binary": str(tmp_path / "binary.md"), "broken": str(tmp_path / "broken.docx")}
    assert told in error(qa(*(argument.format(**names) for argument in arguments)))
    assert draft.read_bytes() == before


@pytest.mark.parametrize("body", ["{}", '{"draft": 3}', '{"draft": "a", "x": 1}', "["])
def test_a_body_that_is_no_draft_is_422(library: Library, body: str) -> None:
    library.index()
    headers = {"content-type": "application/json"}
    response = TestClient(create_app(library)).post("/v1/check", content=body, headers=headers)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("text", ["", "\n\n", "# Only a heading\n", "```\ncode\n```\n", "---\na: b\n---\n"])
def test_drafts_without_statements_have_no_items(library: Library, text: str) -> None:
    assert library.check(text).to_dict() == {"items": [], "summary": {}, "extracted": None}


def test_citations_are_one_object_everywhere(qa: Run, library: Library) -> None:
    claim = "The old lighthouse of Brandholm is 41 metres tall"
    told = library.cite(claim, style="mla").to_dict()
    assert told["status"] == "found"
    assert qa("cite", claim, "--style", "mla", "--json").lines == [told]
    response = TestClient(create_app(library)).post("/v1/cite", json={"text": claim, "style": "mla"})
    assert response.json() == json.loads(json.dumps(told))
    assert qa("cite", claim, "--format", "pandoc").out.splitlines()[0] == '[@lights, sec. "Brandholm", para. 1]'


@pytest.mark.parametrize("suffix", ["docx", "odt", "html"])
def test_a_document_is_checked_by_the_text_taken_out_of_it(qa: Run, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"draft.{suffix}"
    marked = (
        f"# Draft\n\n{WRONG}\nAT&T's lamp is 3 < 4 [@lights].[^1]\n\n"
        "[^1]: Its *lamp* “has burned whale oil since 1822”.\n"
    )
    command = [
        str(pandoc._program()),
        "--from=markdown-citations",
        "--standalone",
        "--metadata=title=T",
        "-o",
        str(path),
    ]
    subprocess.run(command, input=marked.encode(), check=True)
    done = qa("check", str(path), "--json")
    (told,) = done.lines
    assert schema.Check.model_validate(told) and "are of the text taken out of" in done.err
    text = told["extracted"]
    assert "AT&T’s lamp is 3 < 4 [@lights]." in text.replace("'", "’")
    for item in told["items"]:
        assert text[item["start"] : item["end"]] == item["text"]
        assert item["line"] == text.count("\n", 0, item["start"]) + 1
    found = {(item["type"], item["verdict"]) for item in told["items"]}
    assert {("statement", "contradicted"), ("quotation", "exact"), ("reference", "does_not_support")} <= found
