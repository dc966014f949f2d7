"""The command line: parse, call the library, render."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from qa.errors import QAError, QueryError, SettingsError
from qa.settings import DEFAULT_K, Settings

if TYPE_CHECKING:
    from qa.index import Progress
    from qa.library import Library
    from qa.search import Filters

FOUND, NOTHING, ERROR = 0, 1, 2

# What JSON lets stand as it is but a terminal obeys, or a reader of lines takes for a line's end.
_ESCAPED = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}

app = typer.Typer(
    name="qa",
    help="Ask a folder of documents; get their own words back, each with a citation that anyone can check.",
    epilog='Example: qa ask "How many American troops are based in Japan?"',
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

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
KindOption = Annotated[str | None, typer.Option("--kind", help="Only this kind: original or brief.")]


@app.command(epilog='Examples: qa ask "When did the Korean War start?"   ·   qa ask - --json < questions.txt')
def ask(
    question: Annotated[str, typer.Argument(help='The question; "-" reads one a line from standard input.')],
    k: K = DEFAULT_K,
    source: SourceIds = None,
    author: Author = None,
    since: Since = None,
    until: Until = None,
    kind: KindOption = None,
    explain: Explain = False,
    sources: Sources = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """Answer a question with cited passages. Exit 0: answered; 1: the sources don't tell; 2: error."""
    from qa import render

    with _library(sources, index) as library:
        filters = _filters(source, author, since, until, kind)

        def one(text: str) -> bool:
            result = library.ask(text, k, filters)
            _print(result.to_dict() if as_json else render.answer(result, explain), as_json)
            return result.status != "not_found"

        _finish(_each(question, one, as_json), library)


@app.command(epilog="Examples: qa search 'Korea clause'   ·   qa search '\"hub and spoke\"' -k 3 --json")
def search(
    text: Annotated[str, typer.Argument(help='What to look for; a "phrase" must stand as it is; "-" reads lines.')],
    k: K = DEFAULT_K,
    source: SourceIds = None,
    author: Author = None,
    since: Since = None,
    until: Until = None,
    kind: KindOption = None,
    explain: Explain = False,
    sources: Sources = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """Find passages, best first. Exit 0: found; 1: nothing found; 2: error."""
    from qa import render

    with _library(sources, index) as library:
        filters = _filters(source, author, since, until, kind)

        def one(query: str) -> bool:
            result = library.search(query, k, filters)
            _print(result.to_dict() if as_json else render.search(result, explain), as_json)
            return bool(result.hits)

        _finish(_each(text, one, as_json), library)


@app.command(
    "check",
    epilog="Examples: qa check draft.md --fix cited.md   ·   qa check - --json < draft.txt",
)
def check_command(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help='A draft in Markdown or plain text; "-" reads it.')],
    format: Annotated[str, typer.Option("--format", help="text, markdown or json.")] = "text",
    fix: Annotated[
        Path | None, typer.Option("--fix", metavar="OUT", help="Write a copy with citations inserted or corrected.")
    ] = None,
    fail_on: Annotated[
        str | None,
        typer.Option("--fail-on", metavar="VERDICT,…", help='Verdicts that make the exit 1; "none" for none.'),
    ] = None,
    sources: Sources = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """Check a draft against the sources. Exit 1 if one of its verdicts is contradicted, altered, misattributed,
    does_not_support or unknown_source (--fail-on sets others); 2: error."""
    from qa import render
    from qa.draft import FAILS, VERDICTS, apply, edits

    if format not in ("text", "markdown", "json"):
        raise QueryError(f"--format '{format}' is none of text, markdown, json")
    failing = (
        FAILS if fail_on is None else tuple(v.strip() for v in fail_on.split(",") if v.strip() not in ("", "none"))
    )
    if unknown := sorted(set(failing) - set(VERDICTS)):
        raise QueryError(f"--fail-on '{unknown[0]}' is no verdict; those are {', '.join(VERDICTS)}")
    draft = _draft(file)
    with _library(sources, index) as library:
        result = library.check(draft)
        as_json = as_json or format == "json"
        if as_json:
            _print(result.to_dict(), True)
        elif format == "markdown":
            _write(render.check_markdown(result))
        else:
            _print(render.check(result), False)
        if fix:
            changes = edits(result)
            if fix.exists() and file != "-" and fix.samefile(file):
                raise QueryError(f"--fix would overwrite {file}; name another file")
            fix.write_text(apply(draft, changes), encoding="utf-8", newline="")
            _tell(f"{fix}: {len(changes)} citations put in")
        _finish(not any(item.verdict in failing for item in result.items), library)


def _draft(file: str) -> str:
    """The text of a draft, newlines and all; QueryError if the file is no text."""
    if file == "-":
        data = sys.stdin.read()
        return data.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    path = Path(file)
    if path.suffix.lower() in (".docx", ".doc", ".odt", ".rtf", ".pdf", ".html", ".epub", ".tex", ".pages"):
        raise QueryError(
            f"{file} is neither Markdown nor plain text; convert it first, as with `pandoc {file} -o draft.md`"
        )
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it isn't UTF-8"
        raise QueryError(f"{file} can't be read ({why}); name a text file in UTF-8, or - for standard input") from error


@app.command("index", epilog="Example: qa index --sources ~/papers --index ~/papers-index")
def index_command(
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Encode everything anew.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only check every file of the index.")] = False,
    skip_invalid: Annotated[bool, typer.Option("--skip-invalid", help="Leave out files that can't be used.")] = False,
    sources: Sources = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """Bring the index up to date with the sources; only what changed is encoded."""
    with _library(sources, index) as library:
        folder = library.settings.index
        if check:
            files = library.check_files()
            _print({"files": files, "whole": True} if as_json else f"{folder}: all {files} files are whole", as_json)
            return
        done = library.index(rebuild=rebuild, skip_invalid=skip_invalid)
        told = (
            f"{folder}: {done.sources} sources, {done.passages} passages, {done.encoded} encoded anew; "
            f"generation {done.generation}"
        )
        _print(done.to_dict() if as_json else told, as_json)


@app.command("sources", epilog="Example: qa sources --json")
def sources_command(sources: Sources = None, index: IndexDir = None, as_json: Json = False) -> None:
    """List the sources of the index and what their records lack."""
    from qa import render

    with _library(sources, index) as library:
        infos = library.sources()
        _tell_changes(library)
        _print({"sources": [info.to_dict() for info in infos]} if as_json else render.sources(infos), as_json)


@app.command(epilog="Examples: qa show yoho2021   ·   qa show yoho2021 --text | sha256sum")
def show(
    id: Annotated[str, typer.Argument(metavar="CITATION|SOURCE", help="A citation's id, or a source's.")],
    text: Annotated[bool, typer.Option("--text", help="Print a source's normalised text and nothing else.")] = False,
    sources: Sources = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """Show a citation in its surroundings, or a whole source."""
    from qa import render

    with _library(sources, index) as library:
        if "@" in id:
            if text:
                raise QueryError(
                    f"--text prints a whole source, and '{id}' is a citation; leave out --text or name the source"
                )
            place = library.show(id)
            _tell_changes(library)
            _print(place.to_dict() if as_json else render.surroundings(place), as_json)
        else:
            source = library.source(id)
            _tell_changes(library)
            if text:
                _write(render.visible(source.text) if sys.stdout.isatty() else source.text)
            else:
                _print({**source.info.to_dict(), "text": source.text} if as_json else render.source(source), as_json)


@app.command(epilog="Example: qa serve --port 8000, then: curl 'localhost:8000/v1/search?q=Korea+clause'")
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
    sources: Sources = None,
    index: IndexDir = None,
) -> None:
    """Answer over HTTP until stopped."""
    import uvicorn

    from qa.api import create_app

    with _library(sources, index) as library:
        library.generation()
        server = uvicorn.Server(uvicorn.Config(create_app(library), log_level="warning"))
        with _listener(host, port) as listener, suppress(KeyboardInterrupt):
            _tell(f"listening on http://{host}:{port} (stop with Ctrl-C)")
            server.run(sockets=[listener])


@app.command("eval", epilog="Examples: qa eval   ·   qa eval my-cases.jsonl --sources ~/papers --index ~/papers-index")
def evaluate(
    cases: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Cases, one JSON object a line.")] = None,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", help="Compare with this report; fail if a headline figure fell.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write the report.")] = None,
    sources: Sources = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """Measure answers against cases. Exit 1 when a headline figure fell below the baseline, or a quote is not exact."""
    from evals import facts

    with _library(sources, index) as library, _progress() as progress:
        path = cases or facts.CASES
        asked = facts.read_cases(path)
        if cases is None and baseline is None and facts.BASELINE.exists():
            baseline = facts.BASELINE
        before = facts.read_report(baseline) if baseline else None
        if before is None:
            _tell("note: no baseline is set, so there is nothing to compare with and no figure can fall")
        report = facts.evaluate(library, asked, progress)
        comparison = facts.compare(report, before) if before else None
        written = out or (Path(f"{path.stem}.report.json") if cases else library.settings.index / "eval.json")
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        _print(report if as_json else facts.render(report, comparison), as_json)
        _tell(f"report written to {written}")
        if facts.misquoted(report) or (comparison and comparison.fallen):
            raise typer.Exit(NOTHING)


def main() -> NoReturn:
    """Run the command line; an error is one message on standard error and exit 2, an interrupt exit 130."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):  # UTF-8 whatever the locale, or digests of texts would differ
        if isinstance(stream, io.TextIOWrapper):
            reads = stream is sys.stdin
            stream.reconfigure(
                encoding="utf-8-sig" if reads else "utf-8",
                errors="surrogateescape" if reads else "backslashreplace",
                newline=None if reads else "\n",
            )
    try:
        app(prog_name="qa")
    except (QAError, OSError) as error:
        _tell(f"error: {error}")
        sys.exit(ERROR)
    sys.exit(FOUND)


@contextmanager
def _library(sources: Path | None, index: Path | None) -> Iterator[Library]:
    from qa.library import Library

    settings = Settings.load(sources, index)
    with _progress() as progress:
        yield Library(settings, progress=progress)


@contextmanager
def _listener(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens; SettingsError if the address can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise SettingsError(
            f"can't listen on {host} port {port}: {error.strerror}; choose others with --host and --port"
        ) from error
    with listener:
        yield listener


def _filters(
    source: list[str] | None, author: str | None, since: str | None, until: str | None, kind: str | None
) -> Filters:
    from qa.search import Filters

    return Filters(tuple(source or ()), author, since, until, kind)


def _each(text: str, one: Callable[[str], bool], as_json: bool) -> bool:
    """Run `one` on the text, or on every line of standard input if the text is "-"; whether all found something."""
    if text != "-":
        return one(text)
    found = []
    for number, line in enumerate(sys.stdin, 1):
        if line := line.strip():
            if not as_json:
                _print(f"> {line}", False)
            try:
                found.append(one(line))
            except QueryError as error:
                raise QueryError(f"line {number}: {error}") from error
    if not found:
        raise QueryError("standard input has no lines to read; write one question a line")
    return all(found)


def _finish(found: bool, library: Library) -> None:
    _tell_changes(library)
    if not found:
        raise typer.Exit(NOTHING)


def _tell_changes(library: Library) -> None:
    changes = library.changes()
    if changes:
        _tell(f"note: the sources have changed since they were indexed ({changes}); run `qa index`")


def _print(what: Any, as_json: bool) -> None:
    """Print an object as one line of JSON; or, for people, a text (one line) or something that rich lays out."""
    if as_json:
        _write(json.dumps(what, ensure_ascii=False).translate(_ESCAPED) + "\n")
        return
    from qa import render

    console = render.console()
    with console.capture() as captured:
        if isinstance(what, str):
            console.print(render.visible(what), soft_wrap=True)
        else:
            console.print(what)
    _write(re.sub(r" +$", "", captured.get(), flags=re.MULTILINE))


def _write(text: str) -> None:
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


def _tell(message: str) -> None:
    from qa import render

    print(render.visible(message), file=sys.stderr)


@contextmanager
def _progress() -> Iterator[Progress]:
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
                _tell(f"{stage} …")
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
