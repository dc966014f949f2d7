"""Write docs/cli.md, the help text of every command as the program prints it: `python docs/help.py`."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stdout, suppress
from pathlib import Path
from unittest import mock

from qa.cli import app

TARGET = Path(__file__).with_name("cli.md")
HEAD = """# The command line

What `qa COMMAND --help` prints. This file is made by `python docs/help.py`, and a test fails when it isn't true.

Exit codes: 0 found, 1 nothing found or a check failed, 2 usage or error, 130 interrupted. Standard output has the
result and nothing else; progress, notes and errors go to standard error.
"""


def page() -> str:
    """The whole of docs/cli.md, the same on every terminal and in every environment."""
    names = [command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands]
    return "\n".join([HEAD, *(_section(words) for words in ([], *([name] for name in names)))])


def _section(words: list[str]) -> str:
    with mock.patch.dict(os.environ, {"COLUMNS": "80"}), redirect_stdout(io.StringIO()) as out, suppress(SystemExit):
        for name in ("QA_SOURCES", "QA_INDEX", "QA_MODEL"):
            os.environ.pop(name, None)
        app([*words, "--help"], prog_name="qa")
    return f"## {' '.join(['qa', *words])}\n\n```\n{out.getvalue().rstrip()}\n```\n"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
