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
from qa.settings import DEFAULT_CITED, DEFAULT_K, Settings

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


StyleOption = Annotated[
    str,
    typer.Option(
        "--style",
        help="Style: apa, mla, chicago-author-date, chicago-notes, ieee, any other of CSL by name, or a .csl file.",
    ),
]


@app.command(
    epilog='Examples: qa cite "Japan hosts 54,000 troops"   ·   qa cite - --style mla --format pandoc < claims'
)
def cite(
    text: Annotated[str, typer.Argument(help='A claim or question; "-" reads one a line from standard input.')],
    k: Annotated[int, typer.Option("-k", "--top", help="How many passages at most (1 to 100).")] = DEFAULT_CITED,
    style: StyleOption = "apa",
    format: Annotated[str, typer.Option("--format", help="text, pandoc, markdown, bibtex, ris or csl-json.")] = "text",
    source: SourceIds = None,
    author: Author = None,
    since: Since = None,
    until: Until = None,
    kind: KindOption = None,
    sources: Sources = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """Cite a claim: the passages that support it, finished in a style. Exit 0: found; 1: the sources don't; 2: error.

    A passage of a brief is cited to the place in its original, as support, and never as the author's words.
    """
    from qa import bibliography, render

    _check_format(format, (*bibliography.FORMATS, "pandoc"))
    with _library(sources, index) as library:
        filters = _filters(source, author, since, until, kind)

        def one(claim: str) -> bool:
            result = library.cite(claim, k, style, filters)
            if as_json or format == "text" or not result.references:
                _print(result.to_dict() if as_json else render.cited(result), as_json)
            elif format in ("pandoc", "markdown"):
                told = [one.pandoc if format == "pandoc" else one.in_text_markdown for one in result.references]
                entries = bibliography.write(result.entries, format) if format == "markdown" else ""
                _write("".join(f"{line}\n" for line in told) + (f"\n{entries}" if entries else ""))
            else:
                _write(bibliography.write(result.entries, format))
            return result.status == "found"

        _finish(_each(text, one, as_json), library)


@app.command(
    "bibliography", epilog="Examples: qa bibliography draft.md --style mla   ·   qa bibliography --format bibtex"
)
def bibliography_command(
    draft: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DRAFT]",
            help='Only the works that this draft cites, by [@key] or citation id; "-" reads standard input.',
        ),
    ] = None,
    style: StyleOption = "apa",
    format: Annotated[str, typer.Option("--format", help="text, markdown, bibtex, ris or csl-json.")] = "text",
    source: SourceIds = None,
    sources: Sources = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """List all works, or those a draft cites, in a style. Exit 0: listed; 1: none, or an unknown key; 2: error."""
    from qa import bibliography, render

    _check_format(format, tuple(bibliography.FORMATS))
    text = None if draft is None else _read_draft(draft)
    with _library(sources, index) as library:
        result = library.bibliography(style, source or (), text)
        if as_json or format == "text":
            _print(result.to_dict() if as_json else render.bibliography(result), as_json)
        else:
            _write(result.write(format))
        for key in result.unknown:
            _tell(
                f"note: line {key.line} cites '{key.key}', which is no source of the library; `qa sources` lists them"
            )
        _finish(bool(result.entries) and not result.unknown, library)


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
            files = library.check()
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


def _check_format(format: str, formats: tuple[str, ...]) -> None:
    if format not in formats:
        raise QueryError(f"there is no format '{format}'; it can be {', '.join(formats)}")


def _read_draft(path: Path) -> str:
    if str(path) == "-":
        text = sys.stdin.read()
        if any("\ud800" <= c <= "\udfff" for c in text):
            raise QueryError("standard input is no text in UTF-8")
        return text
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise QueryError(f"the draft {path} is no text in UTF-8; save it as such") from error
    except OSError as error:
        raise QueryError(f"the draft {path} can't be read: {error.strerror}") from error


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
            console.print(what, crop=False)
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
