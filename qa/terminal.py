"""What the commands share: their options, their way to read and to print, their exit codes."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qa.errors import QAError, QueryError
from qa.settings import Settings

if TYPE_CHECKING:
    from qa.index import Progress
    from qa.library import Library
    from qa.search import Filters

FOUND, NOTHING, ERROR = 0, 1, 2

# What JSON lets stand as it is but a terminal obeys, or a reader of lines takes for a line's end.
_ESCAPED = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}

Sources = Annotated[
    Path | None, typer.Option("--sources", help="Folder of documents.", envvar="QA_SOURCES", show_default="sources")
]
IndexDir = Annotated[
    Path | None, typer.Option("--index", help="Folder of the index.", envvar="QA_INDEX", show_default="index")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
K = Annotated[int, typer.Option("-k", "--top", help="How many passages at most (1 to 100).")]
SourceIds = Annotated[list[str] | None, typer.Option("--source", help="Only this source id; may be repeated.")]
Author = Annotated[str | None, typer.Option("--author", help="Only authors whose name contains this.")]
Since = Annotated[
    str | None, typer.Option("--since", help="Only works issued on or after this date (2018, 2018-06-16).")
]
Until = Annotated[str | None, typer.Option("--until", help="Only works issued on or before this date.")]
Explain = Annotated[bool, typer.Option("--explain", help="Show the score of each stage that ranked a passage.")]
NoJudge = Annotated[bool, typer.Option("--no-judge", help="Rank by similarity alone, as QA_JUDGE=off does.")]
KindOption = Annotated[str | None, typer.Option("--kind", help="Only this kind: original or brief.")]


@contextmanager
def open_library(sources: Path | None, index: Path | None, judging: bool = False) -> Iterator[Library]:
    """The library of the options, with a progress bar on standard error; with `judging` its judge begins to load, if
    the settings want it.
    """
    settings = Settings.load(sources, index)
    judge = None
    if judging and settings.judge:
        from qa.judge import Judge

        judge = Judge()
        judge.warm()  # while the rest is imported
    from qa.library import Library

    with progress_bar() as progress:
        yield Library(settings, judge=judge, progress=progress)


def filters_of(
    source: list[str] | None, author: str | None, since: str | None, until: str | None, kind: str | None
) -> Filters:
    """The filters of the options."""
    from qa.search import Filters

    return Filters(tuple(source or ()), author, since, until, kind)


def each_line(text: str, one: Callable[[str], bool], as_json: bool) -> bool:
    """Run `one` on the text, or on every line of standard input if the text is "-"; whether all found something."""
    if text != "-":
        return one(text)
    found = []
    for number, line in enumerate(sys.stdin, 1):
        if line := line.strip():
            if not as_json:
                put(f"> {line}", False)
            try:
                found.append(one(line))
            except QueryError as error:
                raise QueryError(f"line {number}: {error}") from error
    if not found:
        raise QueryError("standard input has no lines to read; write one question a line")
    return all(found)


def finish(found: bool, library: Library) -> None:
    """Tell what changed since the index was made; exit 1 if nothing was found."""
    tell_changes(library)
    if not found:
        raise typer.Exit(NOTHING)


def tell_changes(library: Library) -> None:
    """Tell on standard error that the sources have changed since they were indexed."""
    changes = library.changes()
    if changes:
        tell(f"note: the sources have changed since they were indexed ({changes}); run `qa index`")


def put(what: Any, as_json: bool) -> None:
    """Print an object as one line of JSON; or, for people, a text (one line) or something that rich lays out."""
    if as_json:
        write(json.dumps(what, ensure_ascii=False).translate(_ESCAPED) + "\n")
        return
    from qa import render

    console = render.console()
    with console.capture() as captured:
        if isinstance(what, str):
            console.print(render.visible(what), soft_wrap=True)
        else:
            console.print(what, crop=False)
    write(re.sub(r" +$", "", captured.get(), flags=re.MULTILINE))


def write(text: str) -> None:
    """Write to standard output at once; if its reader has gone, as in `qa search … | head`, be done in peace."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FOUND) from None
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the rest fails again when Python ends
        raise QAError(f"standard output can't be written to ({error.strerror}); the result is not whole") from error


def tell(message: str) -> None:
    """Write a line to standard error."""
    from qa import render

    print(render.visible(message), file=sys.stderr)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress bar on standard error, one line a stage, shown only while something takes time."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    from qa.render import console

    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    tasks: dict[str, Any] = {}

    def report(stage: str, done: int, total: int) -> None:
        if not bar.console.is_terminal:
            if stage not in tasks:
                tasks[stage] = None
                tell(f"{stage} …")
            return
        if stage not in tasks:
            bar.start()
            for task in tasks.values():
                bar.remove_task(task)
            tasks.clear()
            tasks[stage] = bar.add_task(stage, total=total or None)
        bar.update(tasks[stage], completed=done, total=total or None)
        if total and done >= total:
            bar.stop()

    try:
        yield report
    finally:
        if bar.live.is_started:  # or the cursor stays hidden
            bar.stop()
