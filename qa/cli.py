"""The command line: parse, call the library, render."""

from __future__ import annotations

import gc
import io
import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from qa import terminal, writers
from qa.errors import QAError, QueryError, SettingsError
from qa.settings import DEFAULT_K
from qa.terminal import (
    ERROR,
    FOUND,
    NOTHING,
    Author,
    Explain,
    IndexDir,
    Json,
    K,
    KindOption,
    NoJudge,
    Since,
    SourceIds,
    Sources,
    Until,
    each_line,
    filters_of,
    finish,
    progress_bar,
    put,
    tell,
    tell_changes,
    write,
)

app = typer.Typer(
    name="qa",
    help="Ask a folder of documents; get their own words back, each with a citation that anyone can check.",
    epilog='Example: qa ask "How many American troops are based in Japan?"',
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
    no_judge: NoJudge = False,
    sources: Sources = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """Answer a question with cited passages. Exit 0: answered; 1: the sources don't tell; 2: error."""
    with terminal.open_library(sources, index, judging=not no_judge) as library:
        from qa import render

        filters = filters_of(source, author, since, until, kind)

        def one(text: str) -> bool:
            result = library.ask(text, k, filters, False if no_judge else None)
            put(result.to_dict() if as_json else render.answer(result, explain), as_json)
            return result.status != "not_found"

        finish(each_line(question, one, as_json), library)


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
    judge: Annotated[bool, typer.Option("--judge", help="Have the judge read the best sentences too.")] = False,
    sources: Sources = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """Find passages, best first. Exit 0: found; 1: nothing found; 2: error."""
    with terminal.open_library(sources, index, judging=judge) as library:
        from qa import render

        filters = filters_of(source, author, since, until, kind)

        def one(query: str) -> bool:
            result = library.search(query, k, filters, judge)
            put(result.to_dict() if as_json else render.search(result, explain), as_json)
            return bool(result.hits)

        finish(each_line(text, one, as_json), library)


app.registered_commands += writers.app.registered_commands


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
    with terminal.open_library(sources, index) as library:
        folder = library.settings.index
        if check:
            files = library.check_files()
            put({"files": files, "whole": True} if as_json else f"{folder}: all {files} files are whole", as_json)
            return
        done = library.index(rebuild=rebuild, skip_invalid=skip_invalid)
        told = (
            f"{folder}: {done.sources} sources, {done.passages} passages, {done.encoded} encoded anew; "
            f"generation {done.generation}"
        )
        put(done.to_dict() if as_json else told, as_json)


@app.command("sources", epilog="Example: qa sources --json")
def sources_command(sources: Sources = None, index: IndexDir = None, as_json: Json = False) -> None:
    """List the sources of the index and what their records lack."""
    from qa import render

    with terminal.open_library(sources, index) as library:
        infos = library.sources()
        tell_changes(library)
        put({"sources": [info.to_dict() for info in infos]} if as_json else render.sources(infos), as_json)


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

    with terminal.open_library(sources, index) as library:
        if "@" in id:
            if text:
                raise QueryError(
                    f"--text prints a whole source, and '{id}' is a citation; leave out --text or name the source"
                )
            place = library.show(id)
            tell_changes(library)
            put(place.to_dict() if as_json else render.surroundings(place), as_json)
        else:
            source = library.source(id)
            tell_changes(library)
            if text:
                write(render.visible(source.text) if sys.stdout.isatty() else source.text)
            else:
                put({**source.info.to_dict(), "text": source.text} if as_json else render.source(source), as_json)


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

    with terminal.open_library(sources, index) as library:
        library.generation()
        server = uvicorn.Server(uvicorn.Config(create_app(library), log_level="warning"))
        with _listener(host, port) as listener, suppress(KeyboardInterrupt):
            tell(f"listening on http://{host}:{port} (stop with Ctrl-C)")
            server.run(sockets=[listener])


@app.command("eval", epilog="Examples: qa eval   ·   qa eval my-cases.jsonl --sources ~/papers --index ~/papers-index")
def evaluate(
    cases: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Cases, one JSON object a line.")] = None,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", help="Compare with this report; fail if a headline figure fell.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write the report.")] = None,
    plots: Annotated[
        Path | None, typer.Option("--plots", help="Draw reliability and risk–coverage curves of each split here.")
    ] = None,
    sources: Sources = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """Measure answers against cases. Exit 1 when a headline figure fell below the baseline, or a quote is not exact."""
    from evals import facts

    with terminal.open_library(sources, index) as library, progress_bar() as progress:
        path = cases or facts.CASES
        asked = facts.read_cases(path)
        if cases is None and baseline is None and facts.BASELINE.exists():
            baseline = facts.BASELINE
        before = facts.read_report(baseline) if baseline else None
        if before is None:
            tell("note: no baseline is set, so there is nothing to compare with and no figure can fall")
        report = facts.evaluate(library, asked, progress)
        comparison = facts.compare(report, before) if before else None
        written = out or (Path(f"{path.stem}.report.json") if cases else library.settings.index / "eval.json")
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if plots:
            facts.draw(report, plots)
        put(report if as_json else facts.render(report, comparison), as_json)
        tell(f"report written to {written}")
        if facts.misquoted(report) or (comparison and comparison.fallen):
            raise typer.Exit(NOTHING)


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


def main() -> NoReturn:
    """Run the command line; an error is one message on standard error and exit 2, an interrupt exit 130."""
    gc.set_threshold(50_000)  # imports make many objects that all live on; to look through them takes a tenth of a call
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
        tell(f"error: {error}")
        sys.exit(ERROR)
    sys.exit(FOUND)
