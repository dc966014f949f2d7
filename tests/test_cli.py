"""The command line: the library's own objects, exit codes that a script can trust, errors that say the way out."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from starlette.testclient import TestClient

from evals import facts
from qa import cli, terminal
from qa.answer import Answer
from qa.api import create_app
from qa.index import BUILDING
from qa.library import Library
from qa.search import Filters
from qa.settings import Settings
from tests.conftest import ROOT, RealIndex
from tests.fakes import WordEncoder

QUESTION = "How tall is the old lighthouse of Brandholm?"
EVIL = "Fish [then] :smile: [/usr] [bold]no[/bold] \x1b[31mred\x1b[0m \x9b2J \x07 漢字 👩‍👩‍👧 end."
FILES = {
    "lights.md": b"""---
record: {title: Lights of the Coast, author: [{family: \xc3\x98rsted, given: Anna}], issued: "2018-06-16", type: book}
---
# Lights of the Coast

The old lighthouse of Brandholm is 41 metres tall. Its lamp was lit in 1879.
""",
    "dos.txt": b"The grey tower of Skagen burns coal.\r\n\r\nFishermen pay for it.\r\n",
    "open.txt": b"No newline ends this text about harbours",
    "evil.txt": EVIL.encode() + b"\r\nMore.",
    "scripts.txt": "\ufeffe\u0301 naïve 船が来た。 مرحبا\n".encode(),
}
COMMANDS = "ask search cite bibliography quote verify check index sources show serve eval".split()


@dataclass(frozen=True)
class Done:
    """What a run of `qa` gave."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """Standard output as JSON, one value a line."""
        assert self.out.endswith("\n")
        return [json.loads(line) for line in self.out.removesuffix("\n").split("\n")]


Run = Callable[..., Done]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def library(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    library = Library(Settings(folder, tmp_path_factory.mktemp("index")), encoder=WordEncoder())
    library.index()
    return library


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """The console script's `main`, in this process, and in an environment without QA_ variables."""
    for name in ("QA_SOURCES", "QA_INDEX", "QA_MODEL", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "argv", ["qa", *arguments])
        with io.TextIOWrapper(io.BytesIO(stdin)) as given:
            monkeypatch.setattr(sys, "stdin", given)
            with pytest.raises(SystemExit) as exit:
                cli.main()
        captured = capsysbinary.readouterr()
        return Done(int(exit.value.code or 0), captured.out.decode(), captured.err.decode())

    return run


@pytest.fixture
def qa(bare: Run, library: Library, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`qa` on the library of this file."""

    @contextmanager
    def shared(_sources: Path | None, _index: Path | None, **_: bool) -> Iterator[Library]:
        yield library

    monkeypatch.setattr(terminal, "open_library", shared)
    return bare


def error(done: Done) -> str:
    """The one message of a run that failed."""
    assert done.code == 2 and done.out == ""
    told = done.err.removesuffix("\n")
    assert told.startswith("error: ") and "\n" not in told and "Traceback" not in told
    return told.removeprefix("error: ")


# --- help and usage --------------------------------------------------------------------------------


def test_help_names_every_command(bare: Run) -> None:
    done = bare("--help")
    assert (done.code, done.err) == (0, "")
    assert [name for name in COMMANDS if re.search(rf"^  {name} ", done.out, re.MULTILINE)] == COMMANDS
    assert [command.name or getattr(command.callback, "__name__", "") for command in cli.app.registered_commands] == [
        *COMMANDS
    ]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_has_options_and_an_example(bare: Run, command: str, flag: str) -> None:
    done = bare(command, flag)
    assert (done.code, done.err) == (0, "")
    assert "Options:" in done.out and "--sources <path>" in done.out and "--index <path>" in done.out
    assert re.search(rf"^  Examples?: qa {command}", done.out, re.MULTILINE)
    assert ("--json" in done.out) == (command != "serve")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["aks"], "No such command 'aks'"),
        (["ask"], "Missing argument"),
        (["ask", "a", "b"], "Got unexpected extra argument"),
        (["ask", "a", "--colour"], "No such option: --colour"),
        (["ask", "a", "-k"], "Option '-k' requires an argument"),
        (["ask", "a", "-k", "five"], "Invalid value for '-k' / '--top'"),
        (["ask", "a", "-k", "1.5"], "Invalid value for '-k' / '--top'"),
        (["quote"], "Missing argument"),
        (["quote", "a", "--limit", "few"], "Invalid value for '--limit'"),
        (["verify"], "Missing argument"),
        (["verify", "a.json", "b.json"], "Got unexpected extra argument"),
        (["serve", "--port", "0"], "Invalid value for '--port'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_told_on_standard_error(bare: Run, arguments: list[str], told: str) -> None:
    done = bare(*arguments)
    assert (done.code, done.out) == (2, "")
    assert f"Error: {told}" in done.err and "Traceback" not in done.err
    if "requires" not in told:
        assert done.err.startswith("Usage: qa ") and "\nTry 'qa " in done.err


def test_no_arguments_give_help(bare: Run) -> None:
    done = bare()
    assert (done.code, done.out) == (2, "")
    assert "Commands:" in done.err


# --- law 6: one truth ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(library: Library) -> Iterator[TestClient]:
    with TestClient(create_app(library)) as client:
        yield client


@pytest.mark.parametrize(("question", "code"), [(QUESTION, 0), ("Who composed fourteen symphonies?", 1)])
def test_ask_prints_the_librarys_answer_as_http_does(
    qa: Run, library: Library, client: TestClient, question: str, code: int
) -> None:
    done = qa("ask", question, "-k", "2", "--json")
    expected = library.ask(question, 2).to_dict()
    assert done.lines == [expected] == [client.post("/v1/ask", json={"question": question, "k": 2}).json()]
    assert (done.code, done.err) == (code, "")
    assert code == (expected["status"] == "not_found")


def test_search_prints_the_librarys_hits_as_http_does(qa: Run, library: Library, client: TestClient) -> None:
    done = qa("search", "the tower", "--top", "3", "--json")
    expected = library.search("the tower", 3).to_dict()
    assert done.lines == [expected] == [client.get("/v1/search", params={"q": "the tower", "k": 3}).json()]
    assert (done.code, done.err) == (0, "")


def test_filters_are_the_librarys(qa: Run, library: Library, client: TestClient) -> None:
    given = ["--source", "lights", "--source", "dos", "--author", "orsted", "--since", "2018", "--until", "2018-06",
             "--kind", "original"]  # fmt: skip
    filters = Filters(("lights", "dos"), "orsted", "2018", "2018-06", "original")
    query = {"q": "lamp", "source": ["lights", "dos"], "author": "orsted", "since": "2018", "until": "2018-06",
             "kind": "original"}  # fmt: skip
    expected = library.search("lamp", filters=filters).to_dict()
    assert qa("search", "lamp", *given, "--json").lines == [expected] == [client.get("/v1/search", params=query).json()]
    assert qa("ask", QUESTION, *given, "--json").lines == [library.ask(QUESTION, filters=filters).to_dict()]


def test_search_exits_1_when_nothing_is_found(qa: Run) -> None:
    done = qa("search", '"no such phrase anywhere"', "--json")
    assert (done.code, done.err) == (1, "")
    assert done.lines[0]["hits"] == []
    assert qa("search", '"no such phrase anywhere"').out == "Nothing found.\n"


def test_sources_are_the_librarys_as_http_has_them(qa: Run, library: Library, client: TestClient) -> None:
    done = qa("sources", "--json")
    assert done.lines == [{"sources": [info.to_dict() for info in library.sources()]}]
    assert done.lines == [client.get("/v1/sources").json()]
    assert (done.code, done.err) == (0, "")


def test_show_prints_a_citation_as_http_does(qa: Run, library: Library, client: TestClient) -> None:
    citation = library.ask(QUESTION).citations[0]
    done = qa("show", citation.id, "--json")
    assert done.lines == [library.show(citation.id).to_dict()] == [client.get(f"/v1/citations/{citation.id}").json()]
    assert citation.quote in " ".join(qa("show", citation.id).out.split())


def test_show_prints_a_source_with_its_text(qa: Run, library: Library, client: TestClient) -> None:
    for info in library.sources():
        line = qa("show", info.id, "--json").lines[0]
        assert line.pop("text") == library.source(info.id).text
        assert line == client.get(f"/v1/sources/{info.id}").json()


QUOTE = "The old lighthouse of Brandholm is 41 metres tall."


@pytest.mark.parametrize(
    ("words", "attributed", "state", "code"),
    [
        (QUOTE, [], "exact", 0),
        (QUOTE, ["lights"], "exact", 0),
        ("“The  old lighthouse … is 41 metres tall”", [], "typographic", 0),
        ("The old lighthouse of Brandholm is 42 metres tall.", [], "altered", 1),
        (QUOTE, ["dos", "open"], "misattributed", 1),
        ("Gulls compose fourteen symphonies.", [], "not_found", 1),
    ],
)
def test_quote_prints_the_librarys_places_as_http_does(
    qa: Run, library: Library, client: TestClient, words: str, attributed: list[str], state: str, code: int
) -> None:
    done = qa("quote", words, *(part for id in attributed for part in ("--from", id)), "--limit", "3", "--json")
    expected = library.quote(words, attributed, 3).to_dict()
    body = {"quote": words, "attributed": attributed, "limit": 3}
    assert done.lines == [expected] == [client.post("/v1/quote", json=body).json()]
    assert (done.code, done.err, expected["state"]) == (code, "", state)
    assert qa("quote", words, *(part for id in attributed for part in ("--from", id))).code == code


def test_quotations_are_read_from_lines(qa: Run, library: Library) -> None:
    given = f"{QUOTE}\n\n[T]he grey tower … burns coal\n".encode()
    done = qa("quote", "-", "--json", stdin=given)
    assert done.lines == [library.quote(words).to_dict() for words in (QUOTE, "[T]he grey tower … burns coal")]
    assert (done.code, done.err) == (0, "")
    assert qa("quote", "-", "--json", stdin=given + b"Gulls sing quartets.\n").code == 1
    done = qa("quote", "-", "--json", stdin=f"{QUOTE}\n…\n".encode())
    assert (done.code, len(done.lines)) == (2, 1)
    assert done.err == "error: line 2: a quotation needs words, and there are only blanks and punctuation\n"


def test_quote_for_people_says_where_and_what_differs(qa: Run) -> None:
    out = qa("quote", "The old lighthouse of Brandholm is 42 metres tall.").out
    assert out.startswith("altered\nØrsted (2018). Lights of the Coast")
    assert "draft “42”, source “41”" in out
    assert qa("quote", "Gulls compose fourteen symphonies.").out == "not found\n"


CITING = ["a file", "standard input"]


@pytest.mark.parametrize("given", CITING)
def test_verify_prints_the_librarys_verdicts_as_http_does(
    qa: Run, library: Library, client: TestClient, tmp_path: Path, given: str
) -> None:
    text = qa("ask", QUESTION, "--json").out
    (tmp_path / "answer.json").write_text(text, encoding="utf-8")
    file, stdin = (str(tmp_path / "answer.json"), b"") if given == "a file" else ("-", text.encode())
    done = qa("verify", file, "--json", stdin=stdin)
    expected = library.verify(text).to_dict()
    assert done.lines == [expected] == [client.post("/v1/verify", json={"text": text}).json()]
    assert (done.code, done.err, set(expected["summary"])) == (0, "", {"intact"})
    out = qa("verify", file, stdin=stdin).out
    assert out.startswith("intact  ") and out.endswith(f"{len(expected['items'])} intact\n")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("41 metres", "42 metres", "draft “42”, source “41”"),
        ('"source": "lights"', '"source": "nights"', "there is no source 'nights'"),
        ('"kind": "original"', '"kind": "brief"', "1 altered"),
    ],
)
def test_verify_exits_1_unless_all_are_intact(qa: Run, library: Library, old: str, new: str, told: str) -> None:
    text = json.dumps(library.ask(QUESTION).citations[0].to_dict(), ensure_ascii=False)
    assert old in text
    stdin = text.replace(old, new).encode()
    done = qa("verify", "-", stdin=stdin)
    assert done.code == 1 and told in " ".join(done.out.split())
    done = qa("verify", "-", "--json", stdin=stdin)
    assert (done.code, done.err) == (1, "") and "intact" not in done.lines[0]["summary"]


@pytest.mark.parametrize("given", [b"", b"no citation", b"{}", b"[" * 50_000])
def test_verify_of_what_cites_nothing_exits_1(qa: Run, given: bytes) -> None:
    done = qa("verify", "-", stdin=given)
    assert (done.code, done.out, done.err) == (1, "No citation of ours in it.\n", "")


def test_verify_of_what_is_no_text_is_an_error(qa: Run) -> None:
    assert error(qa("verify", "-", stdin=b"caf\xe9 \xff")) == "standard input is no text in UTF-8"


def test_the_same_question_gives_the_same_bytes(qa: Run) -> None:
    assert len({qa("ask", QUESTION, "--json").out for _ in range(3)}) == 1
    assert len({qa("search", "the tower").out for _ in range(3)}) == 1


# --- reading lines ---------------------------------------------------------------------------------


def test_lines_are_read_and_each_gives_one_object(qa: Run, library: Library) -> None:
    given = f"\ufeff{QUESTION}\r\n\n   \n  the tower  \nlamp".encode()
    done = qa("ask", "-", "-k", "1", "--json", stdin=given)
    assert done.lines == [library.ask(question, 1).to_dict() for question in (QUESTION, "the tower", "lamp")]
    done = qa("search", "-", "-k", "1", "--json", stdin=given)
    assert done.lines == [library.search(question, 1).to_dict() for question in (QUESTION, "the tower", "lamp")]
    assert (done.code, done.err) == (0, "")


def test_lines_exit_1_when_one_finds_nothing(qa: Run) -> None:
    given = f"{QUESTION}\nWho composed fourteen symphonies?\n{QUESTION}\n".encode()
    done = qa("ask", "-", "--json", stdin=given)
    assert done.code == 1
    assert [line["status"] for line in done.lines] == ["answered", "not_found", "answered"]


def test_lines_for_people_are_headed_by_their_question(qa: Run) -> None:
    out = qa("ask", "-", "-k", "1", stdin=f"{QUESTION}\n[then] :smile: \x1b[2J tower\n".encode()).out
    assert out.startswith(f"> {QUESTION}\n41 metres  ") and "\n1  Ørsted (2018). Lights of the Coast" in out
    assert "\n> [then] :smile: ␛[2J tower\n" in out


@pytest.mark.parametrize("bad", [b"?!", b"caf\xe9", b"long " * 500], ids=["no words", "not UTF-8", "too long"])
def test_a_line_that_cant_be_asked_is_named(qa: Run, bad: bytes) -> None:
    done = qa("ask", "-", "--json", stdin=QUESTION.encode() + b"\n\n" + bad + b"\n" + QUESTION.encode())
    assert done.code == 2 and len(done.lines) == 1
    assert done.err.startswith("error: line 3: the question ") and done.err.count("\n") == 1


@pytest.mark.parametrize("nothing", [b"", b"\n \n"])
def test_no_lines_are_an_error(qa: Run, nothing: bytes) -> None:
    assert error(qa("ask", "-", stdin=nothing)) == "standard input has no lines to read; write one question a line"


# --- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["ask", ""], "the question has no words"),
        (["ask", " \t "], "the question has no words"),
        (["search", "?!"], "the question has no words"),
        (["ask", "long " * 500], "the question has 2500 characters; 2000 is the most"),
        (["ask", "caf\udce9"], "the question isn't UTF-8"),
        (["ask", "a", "-k", "0"], "k is 0; it can be 1 to 100"),
        (["ask", "a", "-k", "-3"], "k is -3; it can be 1 to 100"),
        (["search", "a", "-k", "101"], "k is 101; it can be 1 to 100"),
        (["ask", "a", "--since", "June"], "'June' is no date; write 2018, 2018-06 or 2018-06-16"),
        (["ask", "a", "--until", "2018-13"], "'2018-13' is no date"),
        (["ask", "a", "--until", ""], "'' is no date"),
        (["ask", "a", "--source", "none"], "there is no source 'none' in the index; `qa sources` lists them"),
        (["ask", "a", "--source", "\x1b[2J"], "there is no source '␛[2J' in the index"),
        (["ask", "a", "--kind", "draft"], "kind 'draft' is neither original nor brief"),
        (["show", "none"], "there is no source 'none' in the index; `qa sources` lists them"),
        (["show", "none", "--text"], "there is no source 'none' in the index; `qa sources` lists them"),
        (["show", "lights@0"], "'lights@0' is no citation id"),
        (["show", "none@0123456789abcdef:0-1"], "there is no source 'none' in the index"),
        (["show", "lights@0123456789abcdef:0-1"], "cites version 0123456789abcdef of 'lights'"),
        (["show", "lights@0123456789abcdef:0-1", "--text"], "--text prints a whole source"),
        (["quote", ""], "a quotation needs words"),
        (["quote", "…"], "a quotation needs words"),
        (["quote", "long " * 5000], "a quotation has at most 20,000 characters, and this has 25,000"),
        (["quote", "a", "--limit", "0"], "the limit is 0; it can be 1 to 1000"),
        (["quote", "a", "--limit", "1001"], "the limit is 1001; it can be 1 to 1000"),
        (["quote", "a", "--from", "none"], "there is no source 'none' in the index; `qa sources` lists them"),
        (["quote", "caf\udce9"], "the quotation isn't UTF-8"),
        (["verify", "/none.json"], "/none.json can't be read (No such file or directory)"),
        (["verify", "/"], "/ can't be read (Is a directory)"),
        (["eval", "/none.jsonl"], "/none.jsonl can't be read"),
        (["eval", "--baseline", "/none.json"], "/none.json is no report of `qa eval`"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_what_cant_be_done_is_one_message_and_exit_2(qa: Run, arguments: list[str], told: str) -> None:
    assert told in error(qa(*arguments))
    if arguments[0] not in ("eval",):
        assert told in error(qa(*arguments, "--json"))


def test_no_sources_folder(bare: Run, tmp_path: Path) -> None:
    told = error(bare("ask", "a", "--sources", f"{tmp_path}/none", "--index", f"{tmp_path}/index"))
    assert told == f"{tmp_path}/none is not a folder; name the folder that holds your documents with --sources"


@pytest.mark.parametrize("name", ["picture.png", "blank.txt", "none"])
def test_a_sources_folder_without_text(bare: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "docs").mkdir()
    if name != "none":
        (tmp_path / "docs" / name).write_text(" \n")
    done = bare("ask", "a", "--sources", f"{tmp_path}/docs", "--index", f"{tmp_path}/index")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1] == f"error: {tmp_path}/docs holds no text; put .md or .txt files there"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("QA_SOURCES", "", "QA_SOURCES is empty; unset it or give it a value"),
        ("QA_SOURCES", "  ", "QA_SOURCES is empty; unset it or give it a value"),
        ("QA_INDEX", " ", "QA_INDEX is empty; unset it or give it a value"),
        ("QA_MODEL", "", "QA_MODEL is empty; unset it or give it a value"),
        ("QA_SOURCES", "/none", "/none is not a folder"),
        ("QA_INDEX", "~no-such-user/x", "'~no-such-user/x' begins with a home folder that can't be found"),
        ("QA_INDEX", "/dev/null", "/dev/null can't be written to"),
        ("QA_INDEX", "/dev/null/x", "/dev/null/x can't be written to"),
    ],
)
def test_settings_that_cant_be_used(
    bare: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, value)
    assert told in error(bare("ask", "a"))


def test_an_argument_wins_over_the_environment(bare: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QA_SOURCES", "/from-the-environment")
    monkeypatch.setenv("QA_INDEX", str(tmp_path))
    assert "/from-the-environment is not a folder" in error(bare("ask", "a"))
    assert "/from-the-command-line is not a folder" in error(bare("ask", "a", "--sources", "/from-the-command-line"))


def test_a_damaged_index_says_what_to_run(bare: Run, folder: Path, tmp_path: Path) -> None:
    Library(Settings(folder, tmp_path), encoder=WordEncoder()).index()
    next(tmp_path.glob("gen-*/nearest.faiss")).write_bytes(b"")
    for command in (["ask", "a"], ["sources"], ["show", "lights"], ["index", "--check"]):
        told = error(bare(*command, "--sources", str(folder), "--index", str(tmp_path)))
        assert "nearest.faiss" in told and "run `qa index --rebuild`" in told


def test_an_index_of_other_sources_is_an_error_before_anything_is_printed(
    bare: Run, folder: Path, tmp_path: Path
) -> None:
    Library(Settings(folder, tmp_path / "index"), encoder=WordEncoder()).index()
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "other.txt").write_text("Other.")
    for command in (["sources"], ["show", "lights"], ["show", "lights", "--text"]):
        told = error(bare(*command, "--sources", f"{tmp_path}/others", "--index", f"{tmp_path}/index"))
        assert "was built from other sources" in told


def test_an_unforeseen_os_error_is_told_without_a_traceback(
    qa: Run, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> NoReturn:
        raise PermissionError(13, "Permission denied", "/sources")

    monkeypatch.setattr(library, "sources", fail)
    assert error(qa("sources")) == "[Errno 13] Permission denied: '/sources'"


# --- the index -------------------------------------------------------------------------------------


@pytest.fixture
def own(bare: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """`qa` on a folder of one file, `a.txt`, in a folder of the test's own."""
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "a.txt").write_text("The ship came in.")
    monkeypatch.chdir(tmp_path)

    @contextmanager
    def opened(sources: Path | None, index: Path | None, **_: bool) -> Iterator[Library]:
        with terminal.progress_bar() as progress:
            yield Library(Settings.load(sources, index), encoder=WordEncoder(), progress=progress)

    monkeypatch.setattr(terminal, "open_library", opened)
    return bare


def test_index_says_what_it_did(own: Run) -> None:
    done = own("index", "--json")
    assert done.code == 0 and done.lines[0].keys() == {"generation", "sources", "passages", "encoded"}
    assert done.lines[0]["encoded"] == 1
    assert own("index", "--json").lines == [{**done.lines[0], "encoded": 0}]
    told = f"index: 1 sources, 1 passages, 1 encoded anew; generation {done.lines[0]['generation']}\n"
    assert own("index", "--rebuild").out == told
    files = own("index", "--check", "--json").lines[0]
    assert files["whole"] is True
    assert own("index", "--check").out == f"index: all {files['files']} files are whole\n"


def test_the_first_question_builds_the_index(own: Run) -> None:
    done = own("ask", "ship", "--json")
    assert done.code == 0 and len(done.lines) == 1
    assert done.err.splitlines() == ["reading …", "encoding …"]


def test_a_file_that_cant_be_used_is_named_or_left_out(own: Run, tmp_path: Path) -> None:
    (tmp_path / "sources" / "bad.md").write_text("---\nid: a b\n---\nText.\n")
    done = own("index")
    assert (done.code, done.out) == (2, "")
    assert "bad.md" in done.err and "`qa index --skip-invalid`" in done.err and "Traceback" not in done.err
    assert own("index", "--skip-invalid", "--json").lines[0]["sources"] == 1


def test_every_answer_says_when_the_sources_have_changed(own: Run, tmp_path: Path) -> None:
    own("index")
    (tmp_path / "sources" / "b.txt").write_text("Another ship.")
    note = "note: the sources have changed since they were indexed (1 added); run `qa index`\n"
    for command in (["ask", "ship"], ["search", "ship"], ["sources"], ["show", "a"], ["show", "a", "--text"]):
        assert own(*command).err == note
    assert own("ask", "ship", "--json").lines[0]["index"]["stale"] is True
    own("index")
    assert own("ask", "ship").err == ""


# --- source text on a terminal ---------------------------------------------------------------------


def test_source_text_is_printed_as_it_is(qa: Run) -> None:
    for command in (
        ["search", "fish [then] smile", "-k", "1"],
        ["show", "evil"],
        ["ask", "fish then smile", "-k", "1"],
    ):
        out = " ".join(qa(*command).out.split())
        assert "Fish [then] :smile: [/usr] [bold]no[/bold] ␛[31mred␛[0m �2J ␇ 漢字 👩‍👩‍👧 end." in out
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", out)


def test_json_holds_no_character_that_a_terminal_obeys_or_a_reader_of_lines_splits_at(qa: Run) -> None:
    done = qa("show", "evil", "--json")
    assert done.lines[0]["text"] == EVIL + "\nMore."
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]", done.out)
    assert done.out.splitlines() == [done.out.removesuffix("\n")]


@pytest.mark.parametrize("command", [["ask", QUESTION], ["search", "tower"], ["sources"], ["show", "lights"]])
def test_a_pipe_gets_no_colour_and_no_blanks_at_lines_ends(qa: Run, command: list[str]) -> None:
    out = qa(*command).out
    assert "\x1b" not in out and not re.search(r"[ \t]+$", out, re.MULTILINE)
    assert max(len(line) for line in out.splitlines()) <= 80


@pytest.mark.parametrize("name", FILES)
def test_text_is_the_source_to_the_byte(qa: Run, library: Library, name: str) -> None:
    source = library.source(Path(name).stem)
    done = qa("show", source.id, "--text")
    assert hashlib.sha256(done.out.encode()).hexdigest() == source.sha256
    assert done.out == source.text and (done.code, done.err) == (0, "")


# --- eval ------------------------------------------------------------------------------------------


@pytest.fixture
def cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.jsonl"
    lines = [
        {"id": "a", "question": QUESTION, "facts": [["41 metres"]]},
        {"id": "b", "question": "Who composed fourteen symphonies?"},
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_eval_measures_a_file_of_cases(qa: Run, library: Library, cases: Path, tmp_path: Path) -> None:
    done = qa("eval", str(cases), "--json")
    expected = facts.evaluate(library, facts.read_cases(cases))
    assert done.code == 0 and done.lines == [expected]
    assert json.loads((tmp_path / "mine.report.json").read_text()) == expected
    assert "report written to mine.report.json" in done.err
    again = qa("eval", str(cases), "--baseline", "mine.report.json", "--out", "new/folder/report.json")
    assert again.code == 0 and "no headline figure of the score split is below the baseline" in again.out
    assert json.loads((tmp_path / "new/folder/report.json").read_text()) == expected


def test_eval_exits_1_when_a_figure_falls(qa: Run, cases: Path, tmp_path: Path) -> None:
    qa("eval", str(cases), "--out", "baseline.json")
    report = json.loads((tmp_path / "baseline.json").read_text())
    score = report["figures"]["score"].setdefault("all", {})
    score["facts@1"] = (score.get("facts@1") or 0) + 0.5
    (tmp_path / "baseline.json").write_text(json.dumps(report))
    done = qa("eval", str(cases), "--baseline", "baseline.json")
    assert done.code == 1 and "facts@1 fell from" in done.out


def test_eval_exits_1_when_a_quote_isnt_exact(
    qa: Run, library: Library, cases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = library.ask

    def lie(question: str, k: int) -> Answer:
        answer = ask(question, k)
        return replace(answer, citations=tuple(replace(c, quote=c.quote.upper()) for c in answer.citations))

    monkeypatch.setattr(library, "ask", lie)
    done = qa("eval", str(cases))
    assert done.code == 1 and "a: a quote isn't what its source says there" in done.out


def test_eval_names_every_malformed_case(qa: Run, cases: Path) -> None:
    cases.write_text('{\n{"id": "b"}\n')
    done = qa("eval", str(cases))
    assert (done.code, done.out) == (2, "")
    assert f"error: {cases}, line 1: no JSON" in done.err and f"{cases}, line 2: `question` must be" in done.err


def test_eval_of_the_shipped_cases_needs_the_shipped_sources(qa: Run) -> None:
    done = qa("eval")
    assert (done.code, done.out) == (2, "")
    assert "give your own FILE of cases" in done.err.splitlines()[-1]


def test_eval_that_cant_write_its_report_says_so(qa: Run, cases: Path) -> None:
    done = qa("eval", str(cases), "--out", "/dev/null/report.json")
    assert (done.code, done.out) == (2, "") and "/dev/null" in done.err.splitlines()[-1]


# --- a process of its own --------------------------------------------------------------------------

DRIVER = """
import signal
import time
from contextlib import contextmanager
from qa import cli, terminal
from qa.library import Library
from qa.settings import Settings
from tests.fakes import WordEncoder

class Encoder(WordEncoder):
    def encode(self, text, role):
        time.sleep({pause} if role == "passage" else 0)
        return super().encode(text, role)

@contextmanager
def library(sources, index, judging=False):
    with terminal.progress_bar() as progress:
        yield Library(Settings.load(sources, index), encoder=Encoder(), progress=progress)

terminal.open_library = library
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is born without
cli.main()
"""


def started(library: Library, *arguments: str, pause: float = 0, **how: Any) -> subprocess.Popen[bytes]:
    """`qa` in a process of its own, on the library's folders but with an encoder made anew."""
    environ = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    environ |= {"QA_SOURCES": str(library.settings.sources), "QA_INDEX": str(library.settings.index), "COLUMNS": "80"}
    command = [sys.executable, "-c", DRIVER.format(pause=pause), *arguments]
    how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
    return subprocess.Popen(command, cwd=ROOT, env={**environ, **how.pop("env", {})}, **how)


def test_a_reader_that_goes_is_no_error(library: Library) -> None:
    with started(library, "search", "-", "-k", "100", "--json", stdin=subprocess.PIPE) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(b"tower\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith(b'{"query": "tower"')
        process.stdout.close()
        process.stdin.write(b"lamp\n" * 3)
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("form", [["--json"], []])
def test_an_output_that_cant_be_written_is_an_error(library: Library, form: list[str]) -> None:
    with Path("/dev/full").open("w") as full, started(library, "search", "tower", *form, stdout=full) as process:
        _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert err.startswith(b"error: ") and b"No space left on device" in err and err.count(b"\n") == 1


def test_ctrl_c_while_indexing_leaves_no_traceback_and_no_half_index(library: Library, tmp_path: Path) -> None:
    many = tmp_path / "sources"
    many.mkdir()
    for number in range(200):
        (many / f"{number}.txt").write_text(f"Text {number}.")
    places = {"QA_SOURCES": str(many), "QA_INDEX": str(tmp_path / "index")}
    with started(library, "index", pause=0.05, env=places) as process:
        assert process.stderr
        told = b""
        while b"encoding" not in told:
            told += os.read(process.stderr.fileno(), 1000)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == b"" and b"Traceback" not in err and b"Error" not in err
    left = [path.name for path in (tmp_path / "index").iterdir()]
    assert "current" not in left and not [name for name in left if name.startswith(("gen-", BUILDING))]


def test_ctrl_c_while_reading_lines_exits_130(library: Library) -> None:
    with started(library, "ask", "-", "--json", stdin=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        process.stdin.write(b"tower\n")
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == (b"", b"")
        assert process.returncode == 130


def on_a_terminal(library: Library, *arguments: str, **environ: str) -> str:
    """What a terminal gets from `qa`, standard error included."""
    ours, theirs = pty.openpty()
    with started(
        library, *arguments, stdout=theirs, stderr=theirs, env={"TERM": "xterm-256color", **environ}
    ) as process:
        os.close(theirs)
        got = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # Linux's way to say that the other side is closed
                break
            if not piece:
                break
            got += piece
    os.close(ours)
    assert process.returncode == 0, got
    return got.decode()


SGR = re.compile(r"\x1b\[([0-9;]*)m")


def test_a_terminal_gets_marks_but_nothing_from_the_source_that_it_would_obey(library: Library) -> None:
    for command in (["search", "fish then smile", "-k", "1"], ["show", "evil"], ["show", "evil", "--text"]):
        out = on_a_terminal(library, *command)
        assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", SGR.sub("", out))
        assert "␛[31mred␛[0m" in SGR.sub("", out)
    assert "\x1b[1;33m" in on_a_terminal(library, "search", "fish then smile", "-k", "1")


def test_no_color_is_heeded(library: Library) -> None:
    codes = SGR.findall(on_a_terminal(library, "search", "tower", "-k", "1", NO_COLOR="1"))
    assert codes and not [code for code in codes if re.search(r"(^|;)([349]|10)[0-9]", code)]


def test_a_progress_bar_leaves_the_terminal_as_it_was(library: Library, tmp_path: Path) -> None:
    out = on_a_terminal(library, "ask", QUESTION, "--json", QA_INDEX=str(tmp_path / "index"))
    assert "encoding" in out
    assert out.count("\x1b[?25l") == out.count("\x1b[?25h") > 0  # the cursor: hidden, shown
    assert json.loads(out.splitlines()[-1].rsplit("\x1b[2K", 1)[-1])["status"] == "answered"


@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "latin-1"}, {}]
)
def test_output_is_utf_8_whatever_the_locale(library: Library, locale: dict[str, str]) -> None:
    source = library.source("scripts")
    with started(library, "show", "scripts", "--text", env=locale) as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, b"")
    assert hashlib.sha256(out).hexdigest() == source.sha256
    with started(library, "ask", "-", "--json", "-k", "1", env=locale, stdin=subprocess.PIPE) as process:
        out, err = process.communicate("船が来た naïve\n".encode(), timeout=30)
    assert (process.returncode, err) == (0, b"")
    assert json.loads(out.decode()) == library.ask("船が来た naïve", 1).to_dict()


# --- serve -----------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_serve_answers_until_ctrl_c(library: Library) -> None:
    port = free_port()
    with started(library, "serve", "--port", str(port)) as process:
        assert process.stderr
        assert process.stderr.readline() == f"listening on http://127.0.0.1:{port} (stop with Ctrl-C)\n".encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/sources", timeout=20) as response:
            assert json.load(response) == {"sources": [info.to_dict() for info in library.sources()]}
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == (b"", b"")
        assert process.returncode == 0


def test_serve_says_when_the_port_is_taken(qa: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        told = error(qa("serve", "--port", str(port)))
    assert told.startswith(f"can't listen on 127.0.0.1 port {port}: Address already in use")
    assert told.endswith("; choose others with --host and --port")


def test_serve_says_when_the_host_isnt_one(qa: Run) -> None:
    assert "can't listen on none.invalid port 8000" in error(qa("serve", "--host", "none.invalid"))


# --- the real thing --------------------------------------------------------------------------------


def test_the_console_script_answers_from_the_shipped_briefs(real_index: RealIndex) -> None:
    script = Path(sys.executable).with_name("qa")
    command = [str(script)] if script.exists() else [sys.executable, "-m", "qa"]
    places = ["--sources", str(real_index.sources), "--index", str(real_index.index)]
    done = subprocess.run(
        [*command, "ask", "How many American troops are based in Japan?", *places, "--json"],
        cwd=ROOT, capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    answer = json.loads(done.stdout)
    assert done.stderr == b"" and answer["status"] == "disputed"
    assert {value["normalized"] for value in answer["values"]} == {"about 54000", "55000"}
    assert answer == Library.open(real_index.sources, real_index.index).ask(answer["question"]).to_dict()
