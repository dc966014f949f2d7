"""The writers' commands: cite, bibliography, quote, verify, check."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from qa import terminal
from qa.errors import QueryError
from qa.settings import DEFAULT_CITED, DEFAULT_PLACES, DEFAULT_STYLE
from qa.terminal import (
    NOTHING,
    Author,
    IndexDir,
    Json,
    KindOption,
    Since,
    SourceIds,
    Sources,
    Until,
    each_line,
    filters_of,
    finish,
    put,
    tell,
    write,
)

app = typer.Typer()

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
    style: StyleOption = DEFAULT_STYLE,
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

    check_format(format, (*bibliography.FORMATS, "pandoc"))
    with terminal.open_library(sources, index) as library:
        filters = filters_of(source, author, since, until, kind)

        def one(claim: str) -> bool:
            result = library.cite(claim, k, style, filters)
            if as_json or format == "text" or not result.references:
                put(result.to_dict() if as_json else render.cited(result), as_json)
            elif format in ("pandoc", "markdown"):
                told = [one.pandoc if format == "pandoc" else one.in_text_markdown for one in result.references]
                entries = bibliography.write(result.entries, format) if format == "markdown" else ""
                write("".join(f"{line}\n" for line in told) + (f"\n{entries}" if entries else ""))
            else:
                write(bibliography.write(result.entries, format))
            return result.status == "found"

        finish(each_line(text, one, as_json), library)


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
    style: StyleOption = DEFAULT_STYLE,
    format: Annotated[str, typer.Option("--format", help="text, markdown, bibtex, ris or csl-json.")] = "text",
    source: SourceIds = None,
    sources: Sources = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """List all works, or those a draft cites, in a style. Exit 0: listed; 1: none, or an unknown key; 2: error."""
    from qa import bibliography, render

    check_format(format, tuple(bibliography.FORMATS))
    text = None if draft is None else read_draft(str(draft))
    with terminal.open_library(sources, index) as library:
        result = library.bibliography(style, source or (), text)
        if as_json or format == "text":
            put(result.to_dict() if as_json else render.bibliography(result), as_json)
        else:
            write(result.write(format))
        for key in result.unknown:
            tell(f"note: line {key.line} cites '{key.key}', which is no source of the library; `qa sources` lists them")
        finish(bool(result.entries) and not result.unknown, library)


@app.command(epilog="Example: qa quote 'the bedrock on which American power … rests' --from yoho2021")
def quote(
    words: Annotated[str, typer.Argument(help='The quotation; "-" reads one a line from standard input.')],
    attributed: Annotated[
        list[str] | None, typer.Option("--from", help="Source id that it is said to come from; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", help="How many places at most (1 to 1000).")] = DEFAULT_PLACES,
    sources: Sources = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """Find where a quotation stands. Exit 0: exactly, or but for typography; 1: altered, elsewhere or nowhere."""
    from qa import render

    with terminal.open_library(sources, index) as library:

        def one(text: str) -> bool:
            result = library.quote(text, tuple(attributed or ()), limit)
            put(result.to_dict() if as_json else render.quotation(result), as_json)
            return result.state in ("exact", "typographic")

        finish(each_line(words, one, as_json), library)


@app.command(epilog="Examples: qa verify notes.md   ·   qa ask 'When did the Korean War start?' --json | qa verify -")
def verify(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help='JSON of this program, a draft; "-": standard input.')],
    sources: Sources = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """Check citations made earlier against the sources as they are now. Exit 0: all intact; 1: not all; 2: error."""
    from qa import render

    text = read_draft(file).removeprefix("\ufeff")
    with terminal.open_library(sources, index) as library:
        result = library.verify(text)
        for problem in result.problems:
            tell(f"note: {problem}")
        put(result.to_dict() if as_json else render.verification(result), as_json)
        if not result.holds:
            raise typer.Exit(NOTHING)


@app.command(
    "check",
    epilog="Examples: qa check draft.md --fix cited.md   ·   qa check - --json < draft.txt",
)
def check_command(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help='A draft: Markdown, text, .docx, .odt, .html; "-" reads text.')
    ],
    format: Annotated[str, typer.Option("--format", help="text, markdown or json.")] = "text",
    fix: Annotated[
        Path | None, typer.Option("--fix", metavar="OUT", help="Write a copy with citations inserted or corrected.")
    ] = None,
    fail_on: Annotated[
        str | None,
        typer.Option("--fail-on", metavar="VERDICT,…", help='Verdicts that make the exit 1; "none" for none.'),
    ] = None,
    no_judge: Annotated[bool, typer.Option("--no-judge", help="Compare words alone, as QA_JUDGE=off does.")] = False,
    sources: Sources = None,
    index: IndexDir = None,
    as_json: Json = False,
) -> None:
    """Check a draft against the sources. Exit 1 if one of its verdicts is contradicted, altered, misattributed,
    does_not_support or unknown_source (--fail-on sets others); 2: error."""
    from qa import render
    from qa.draft import FAILS, VERDICTS, apply, edits
    from qa.loaders import DOCUMENTS, extract

    if format not in ("text", "markdown", "json"):
        raise QueryError(f"--format '{format}' is none of text, markdown, json")
    failing = (
        FAILS if fail_on is None else tuple(v.strip() for v in fail_on.split(",") if v.strip() not in ("", "none"))
    )
    if unknown := sorted(set(failing) - set(VERDICTS)):
        raise QueryError(f"--fail-on '{unknown[0]}' is no verdict; those are {', '.join(VERDICTS)}")
    document = Path(file).suffix.lower() in DOCUMENTS
    if fix and document:
        raise QueryError(
            f"--fix writes Markdown or text, and {file} is neither; convert it first, as with "
            f"`pandoc {file} -o draft.md`, and give that to qa check"
        )
    draft = extract(Path(file)) if document else read_draft(file)
    if fix and fix.exists() and file != "-" and fix.samefile(file):
        raise QueryError(f"--fix would overwrite {file}; name another file")
    with terminal.open_library(sources, index, judging=not no_judge) as library:
        result = library.check(draft, False if no_judge else None)
        if document:
            result = replace(result, extracted=draft)
            tell(f"note: lines and offsets are of the text taken out of {file}; --json holds it as `extracted`")
        as_json = as_json or format == "json"
        if as_json:
            put(result.to_dict(), True)
        elif format == "markdown":
            write(render.check_markdown(result))
        else:
            put(render.check(result), False)
        if fix:
            changes = edits(result)
            fix.write_text(apply(draft, changes), encoding="utf-8", newline="")
            tell(f"{fix}: {len(changes)} citations put in")
        finish(not any(item.verdict in failing for item in result.items), library)


def check_format(format: str, formats: tuple[str, ...]) -> None:
    """QueryError unless a format is one of some."""
    if format not in formats:
        raise QueryError(f"there is no format '{format}'; it can be {', '.join(formats)}")


_OTHER_FORMATS = ".docx .doc .odt .rtf .pdf .html .htm .epub .tex .pages".split()


def read_draft(file: str) -> str:
    """The text of a file, or of standard input for "-", newlines and all; QueryError if it is no text in UTF-8."""
    if file == "-":
        text = sys.stdin.read()
        if any("\ud800" <= c <= "\udfff" for c in text):
            raise QueryError("standard input is no text in UTF-8")
        return text
    if Path(file).suffix.lower() in _OTHER_FORMATS:
        raise QueryError(
            f"{file} is neither Markdown nor plain text; convert it first, as with `pandoc {file} -o draft.md`"
        )
    try:
        return Path(file).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it isn't UTF-8"
        raise QueryError(f"{file} can't be read ({why}); name a text file in UTF-8, or - for standard input") from error
