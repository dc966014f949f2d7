"""What the documents say is true: README's programs run, its commands print what it shows, the help text is current.

In README.md, ```python blocks are one program, run where `sources` and `index` are the shipped briefs and their index.
In ```console blocks each line `$ qa …` (or `$ make ask Q="…"`, which comes to the same) is run in a shell 80 columns
wide, and the lines under it, if any, must be its standard output; a line `...` stands for any lines. Lines that begin
with `curl` or `$ curl`, in ```sh and ```console blocks, are put to the service. Nothing else in such blocks is run.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from qa.api import create_app
from qa.library import Library
from tests.conftest import ROOT, RealIndex

README = ROOT / "README.md"
FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Shown:
    """A command in a document, and what the document says that it prints; `line` counts from 1."""

    line: int
    command: str
    output: str


def readme() -> str:
    assert README.exists(), "there is no README.md, so nothing that it should show could be tested"
    return README.read_text(encoding="utf-8")


def blocks(text: str, *languages: str) -> Iterator[tuple[int, str]]:
    """The first line's number and the body of each fenced block in one of some languages."""
    for match in FENCE.finditer(text):
        if match["language"] in languages:
            yield text.count("\n", 0, match.start()) + 2, match["body"]


def commands(text: str) -> list[Shown]:
    """All that is put to a shell in ```console blocks, with a `\\` at a line's end joining it to the next."""
    found = []
    for number, body in blocks(text, "console"):
        joined = re.sub(r"\\\n(?:> )?", lambda match: "\0" * match.group().count("\n"), body)
        line = number
        for part in re.split(r"^(?=\$ )", joined, flags=re.MULTILINE):
            command, _, output = part.partition("\n")
            if command.startswith("$ "):
                found.append(Shown(line, command.removeprefix("$ ").replace("\0", ""), output))
            line += part.count("\n") + part.count("\0")
    return found


def run_as(command: str) -> str | None:
    """What is run in place of a command shown: itself if it is ours; None if it isn't run."""
    if made := re.fullmatch(r"make ask Q=(.+)", command):
        return f"qa ask {made[1]}"
    return command if command.split()[0] == "qa" else None


def is_shown(expected: str, printed: str) -> bool:
    """Whether a document shows what was printed, `...` standing for any lines; blank lines at the end don't count."""
    lines = [".*" if line == "..." else re.escape(line) for line in expected.rstrip().split("\n")]
    pattern = "\n".join(lines).replace(".*\n", "(?:.*\n)??").replace("\n.*", "(?:\n.*)?")
    return bool(re.fullmatch(pattern, printed.rstrip(), re.DOTALL))


@pytest.fixture(scope="module")
def place(real_index: RealIndex, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `sources` and `index` in it, as in a checkout, and a `qa` to be found on the path."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "sources").symlink_to(real_index.sources)
    (folder / "index").symlink_to(real_index.index)
    (folder / "bin").mkdir()
    (folder / "bin" / "qa").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m qa "$@"\n')
    (folder / "bin" / "qa").chmod(0o755)
    return folder


def environ(place: Path) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("QA_") and k not in ("NO_COLOR", "FORCE_COLOR")}
    path = f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**clean, "COLUMNS": "80", "PATH": path, "PYTHONPATH": str(ROOT)}


# --- README.md -------------------------------------------------------------------------------------


def test_readme_has_what_is_tested_here() -> None:
    text = readme()
    assert list(blocks(text, "python")), "README.md shows no Python"
    shown = [one for one in commands(text) if run_as(one.command) and one.output.strip()]
    assert shown, "README.md shows no `$ qa …` with its output in a ```console block"


def test_readme_python_runs(place: Path, tmp_path: Path) -> None:
    text = readme()
    program = [""] * (text.count("\n") + 1)  # each line at its number, so that a traceback points into README.md
    for number, body in blocks(text, "python"):
        lines = body.splitlines()
        program[number - 1 : number - 1 + len(lines)] = lines
    path = tmp_path / "README.py"
    path.write_text("\n".join(program), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        cwd=place, env=environ(place), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.replace(str(path), "README.md")


def test_readme_commands_print_what_it_shows(place: Path) -> None:
    wrong = []
    for shown in commands(readme()):
        command = run_as(shown.command)
        if command is None:
            if shown.output.strip() and not shown.command.startswith("curl "):
                wrong.append(f"line {shown.line}: `{shown.command}` shows an output that isn't tested")
            continue
        if not shown.output.strip() and command.split()[1:2] in (["serve"], ["eval"], ["index"]):
            continue  # they stay, take long, or write
        done = subprocess.run(
            ["bash", "-c", command], cwd=place, env=environ(place), capture_output=True, text=True, timeout=120
        )
        printed = done.stdout if done.returncode < 2 else done.stderr
        if done.returncode >= 2 and not shown.output.startswith("error:"):
            wrong.append(f"line {shown.line}: `{command}` fails: {done.stderr}")
        elif shown.output.strip() and not is_shown(shown.output, printed):
            wrong.append(f"line {shown.line}: `{command}` prints\n{printed}")
    assert not wrong, "README.md, " + "\nREADME.md, ".join(wrong)


def test_readme_requests_are_answered(real_index: RealIndex) -> None:
    text = readme()
    lines = [line for _, body in blocks(text, "sh", "bash", "console") for line in body.splitlines()]
    requests = [line.removeprefix("$ ") for line in lines if re.match(r"(\$ )?curl ", line)]
    assert requests, "README.md shows no curl"
    outputs = {shown.command: shown.output for shown in commands(text)}
    with TestClient(create_app(Library.open(real_index.sources, real_index.index))) as client:
        for request in requests:
            response = put(client, request)
            assert response.status_code == 200, f"`{request}` gives {response.text}"
            if outputs.get(request, "").strip():
                assert is_shown(outputs[request], response.text), f"`{request}` prints\n{response.text}"


def put(client: TestClient, request: str) -> httpx2.Response:
    """Put a curl command, of the few options that documents need, to the service."""
    words = iter(shlex.split(request.split(" | ")[0])[1:])
    method, url, headers, body = "GET", "", {}, None
    for word in words:
        if word in ("-H", "--header"):
            name, _, value = next(words).partition(":")
            headers[name] = value.strip()
        elif word in ("-d", "--data", "--json"):
            method, body = "POST", next(words)
            if word == "--json":
                headers["content-type"] = "application/json"
        elif not word.startswith("-"):
            url = re.sub(r"^(?:https?://)?(?:localhost|127\.0\.0\.1)(?::\d+)?", "", word)
    return client.request(method, url, headers=headers, content=body)


def test_links_lead_somewhere() -> None:
    broken = []
    for page in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]:
        text = FENCE.sub("", page.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if not re.match(r"[a-z]+:|#", target) and not (page.parent / target.split("#")[0]).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert not broken


def test_no_placeholder_is_left() -> None:
    """A comment that names an example is followed by it."""
    assert not re.findall(r"<!--\s*example:.*?-->(?!\n+(?:```|\|))|TODO|FIXME", readme())


# --- docs/cli.md and docs/examples -----------------------------------------------------------------


def test_help_text_is_current() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "help.py"))
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == made["page"](), "run `python docs/help.py`"


def test_every_command_is_documented() -> None:
    from qa.cli import app

    documented = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for command in app.registered_commands:
        name = command.name or getattr(command.callback, "__name__", "")
        assert f"\n## qa {name}\n" in documented, name
        assert re.search(rf"`qa {name}\b", readme()), f"README.md doesn't name `qa {name}`"


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "examples").glob("*.json")), ids=lambda path: path.stem)
def test_examples_are_json_in_utf_8(path: Path) -> None:
    assert json.loads(path.read_text(encoding="utf-8"))


# --- this file's own reading -----------------------------------------------------------------------

SAMPLE = """# Title

```console
$ qa ask "a" \\
  --json
{"a": 1}

$ make ask Q="b c"
$ ls
```

```python
print()
```
"""


def test_a_document_is_read_as_it_is_written() -> None:
    assert commands(SAMPLE) == [
        Shown(4, 'qa ask "a"   --json', '{"a": 1}\n\n'),
        Shown(8, 'make ask Q="b c"', ""),
        Shown(9, "ls", ""),
    ]
    assert [run_as(one.command) for one in commands(SAMPLE)] == ['qa ask "a"   --json', 'qa ask "b c"', None]
    assert list(blocks(SAMPLE, "python")) == [(13, "print()\n")]


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\nb\n\n", "a\nb\n", True),
        ("a\nb\n", "a\nc\n", False),
        ("a\n", "a\nb\n", False),
        ("a.c\n", "abc\n", False),
        ("a\n...\n", "a\nb\nc\n", True),
        ("a\n...\nd\n", "a\nb\nc\nd\n", True),
        ("a\n...\nd\n", "a\nd\n", True),
        ("...\nd\n", "a\nd\n", True),
        ("...\nd\n", "a\ne\n", False),
        ("a\n...\nd\n", "a\nb\nc\n", False),
        ("a\n...\nc\n...\ne\n", "a\nb\nc\nd\ne\n", True),
        ("  a\n", "a\n", False),
        ("...\n", "anything\nat all\n", True),
    ],
)
def test_dots_stand_for_any_lines_and_nothing_else_does(expected: str, printed: str, same: bool) -> None:
    assert is_shown(expected, printed) is same
