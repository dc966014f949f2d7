"""A file or a folder of files → Sources."""

from __future__ import annotations

import codecs
import hashlib
import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qa.errors import ProcessorError, SourceError
from qa.pandoc import pandoc
from qa.source import Block, Erratum, Source, record_from
from qa.structure import outline

SUFFIXES = (".md", ".markdown", ".txt")

# Drafts are written in these too; pandoc knows each by the name given.
DOCUMENTS = {".docx": "docx", ".odt": "odt", ".html": "html", ".htm": "html"}

# Pandoc's Markdown without what says how a document looks.
_PLAIN_MARKDOWN = (
    "markdown-smart-raw_html-raw_attribute-native_divs-native_spans-fenced_divs-bracketed_spans-header_attributes"
    "-link_attributes-inline_code_attributes-simple_tables-multiline_tables-grid_tables"
)
_ESCAPED = re.compile(r"\\\n|\\([!-/:-@\[-`{-~])")
_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_OPENS_FRONT_MATTER = re.compile(r"\s*(?:#.*\n)*[ \t]*(?:\{|[\"']?\w[\w .-]{0,40}[\"']?[ \t]*:(?:\s|$))")
_PINPOINT = re.compile(r"(?<![ \t])[ \t]*<!--[ \t]*¶[ \t]*(\d+)[ \t]*-->")
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16's, which it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

# What files that aren't UTF-8 are written in; without this list, short ones are taken for mainframe or Macintosh texts.
_LEGACY = ("cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp932", "euc_jp",
           "gb18030", "big5", "cp949")  # fmt: skip


def find_files(folder: Path, on_error: Callable[[OSError], None] = lambda error: None) -> Iterator[Path]:
    """The files under `folder` that can become sources, in a fixed order; hidden ones and folders are passed over.

    `on_error` is told of each folder that can't be listed.
    """
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder; name the folder that holds your documents with --sources")
    for base, folders, files in os.walk(folder, onerror=on_error):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(base, name)
            if not name.startswith(".") and path.suffix.lower() in SUFFIXES and _is_file(path):
                yield path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return True  # reading it will tell why it can't be read


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it was when read: path below the sources folder, bytes, mtime in ns, sha256 of the bytes."""

    path: str
    size: int
    mtime_ns: int
    sha256: str

    def matches(self, file: Path) -> bool:
        """Whether the file still is what was read, or still can't be; it is hashed only if its time alone differs."""
        try:
            stat = file.stat()
            if self.sha256 and stat.st_size != self.size:
                return False
            return stat.st_mtime_ns == self.mtime_ns or hashlib.sha256(file.read_bytes()).hexdigest() == self.sha256
        except OSError:
            return not self.sha256


@dataclass(frozen=True, slots=True)
class Folder:
    """What a folder held: its sources, the files that gave none (empty or unusable), and what was wrong with those."""

    sources: tuple[tuple[SourceFile, Source], ...]
    ignored: tuple[SourceFile, ...]
    problems: tuple[str, ...]


def load_folder(folder: Path, on_file: Callable[[int, int], None] = lambda done, total: None) -> Folder:
    """Read every source under `folder`; what can't be used is told in `problems`, all of it at once."""
    sources: list[tuple[SourceFile, Source]] = []
    ignored: list[SourceFile] = []
    problems: list[str] = []
    owner: dict[str, str] = {}
    paths = list(find_files(folder, lambda error: problems.append(_unreadable(Path(error.filename), error))))
    for number, path in enumerate(paths):
        on_file(number, len(paths))
        relative = path.relative_to(folder).as_posix()
        try:
            stat, data = read(path)
            file = SourceFile(relative, stat.st_size, stat.st_mtime_ns, hashlib.sha256(data).hexdigest())
        except SourceError as error:
            ignored.append(SourceFile(relative, -1, 0, ""))
            problems.append(str(error))
            continue
        try:
            source = load(data, path, default_id(relative))
            if source.text.strip() and source.id in owner:
                raise SourceError(
                    f"{folder / owner[source.id]} and {path} both have the id '{source.id}'; give one of them another "
                    "`id:` in its front matter, or another file name"
                )
        except SourceError as error:
            ignored.append(file)
            problems.append(str(error))
            continue
        if source.text.strip():
            owner[source.id] = relative
            sources.append((file, source))
        else:
            ignored.append(file)
    return Folder(tuple(sources), tuple(ignored), tuple(problems))


def load_file(path: Path, id: str | None = None) -> Source:
    """One `.md` or `.txt` file as a Source; an `id:` in its front matter wins over `id`, which wins over its name."""
    return load(read(path)[1], path, id or default_id(path.name))


def read(path: Path) -> tuple[os.stat_result, bytes]:
    """A file's status, taken first, and its bytes; or SourceError."""
    try:
        return path.stat(), path.read_bytes()
    except OSError as error:
        raise SourceError(_unreadable(path, error)) from error


def _unreadable(path: Path, error: OSError) -> str:
    return f"{path} can't be read ({error.strerror}); mend its permissions or take it out"


def load(data: bytes, path: Path, id: str) -> Source:
    """A file's bytes as a Source; the path's suffix tells the format."""
    text, encoding = decode(data, path)
    try:
        return replace(parse(text, id, markdown=path.suffix.lower() != ".txt"), encoding=encoding)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path}: {error}") from error


def decode(data: bytes, path: Path) -> tuple[str, str]:
    """Text with newlines as LF and without a byte order mark, and the encoding's name.

    A byte order mark tells; else UTF-8 is tried, and what isn't UTF-8 is told by charset-normalizer from the bytes.
    """
    name = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(name)
    except UnicodeDecodeError as error:
        if name != "utf-8" or b"\0" in data:
            raise SourceError(f"{path} is not text in any known encoding; save it as UTF-8, or take it out") from None
        if _is_damaged_utf8(data):
            raise SourceError(f"{path} is UTF-8 but for byte {error.start}; save it as UTF-8, or take it out") from None
        text, name = _detect(data, path)
    if "\0" in text:
        raise SourceError(f"{path} holds NUL characters, so it is not a text; save it as UTF-8, or take it out")
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n"), name


def _is_damaged_utf8(data: bytes) -> bool:
    """Whether far more of the bytes above ASCII make up characters of UTF-8 than don't."""
    text = data.decode(errors="replace")
    bad = text.count("\ufffd")
    return sum(not c.isascii() for c in text) - bad > 3 * bad


def _detect(data: bytes, path: Path) -> tuple[str, str]:
    from charset_normalizer import from_bytes

    matches = from_bytes(data, cp_isolation=list(_LEGACY))
    best = matches.best()
    if best is None:
        raise SourceError(f"{path} is not text in any known encoding; save it as UTF-8, or take it out")
    # By letters alone, a short text in a Western language may well be in any of its neighbours' encodings.
    for match in matches:
        if "cp1252" in match.could_be_from_charset and match.chaos <= best.chaos and match.coherence >= best.coherence:
            return str(match), "cp1252"
    return str(best), best.encoding.replace("_", "-")


def parse(text: str, id: str, markdown: bool = True) -> Source:
    """A decoded text as a Source: front matter and a brief's pinpoint marks taken off, the rest untouched.

    Raises ValueError saying what is wrong with the front matter.
    """
    front, body = split_front_matter(text)
    id = check_id(str(front["id"]) if front.get("id") is not None else id)
    kind = front.get("kind", "original")
    if kind not in ("original", "brief"):
        raise ValueError(f"`kind` is {kind!r}; it can be original or brief")
    body, pinpoints = _take_pinpoints(body) if kind == "brief" else (body, [])
    blocks, title = outline(body, markdown)
    record = record_from(front, id)
    if title and "title" not in record and kind == "original":
        record["title"] = title
    return Source(
        id=id,
        text=body,
        kind=kind,
        record=record,
        blocks=_pin(blocks, pinpoints),
        errata=tuple(sorted(_errata(front.get("errata") or [], body), key=lambda e: (e.start, e.end))),
        original=str(front["original"]) if front.get("original") else None,
    )


def split_front_matter(text: str) -> tuple[Mapping[str, Any], str]:
    """YAML front matter (empty if there is none) and the text after it; a rule that opens a text is no front matter."""
    match = _FRONT_MATTER.match(text)
    given = (match[1] or "") if match else ""
    if not match or (given.strip() and not _OPENS_FRONT_MATTER.match(given)):
        return {}, text
    import yaml

    try:
        front = yaml.safe_load(given) or {}
    except Exception as error:  # a tag or a date that can't be makes PyYAML pass on whatever Python raised
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 2}" if mark else ""
        raise ValueError(
            f"the front matter is not YAML{where}: {getattr(error, 'problem', None) or error}; mend it or remove it"
        ) from error
    return (front, text[match.end() :]) if isinstance(front, Mapping) else ({}, text)


def extract(path: Path) -> str:
    """The text of a document of a word processor, or of a page, as Markdown; changes not yet accepted are accepted.

    Raises SourceError if it can't be read.
    """
    _, data = read(path)
    try:
        marked = pandoc(data, f"--from={DOCUMENTS[path.suffix.lower()]}", f"--to={_PLAIN_MARKDOWN}", "--wrap=none")
    except ProcessorError as error:
        raise SourceError(f"{path} can't be read as {path.suffix.lower()}: {error}") from error
    return _ESCAPED.sub(lambda match: match[1] or "\n", marked)


def check_id(id: str) -> str:
    """The id itself, if it can stand in a URL path and in a citation id."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._~-]*", id):
        raise ValueError(f"the id '{id}' has characters that a citation can't carry; use letters, digits and . _ ~ -")
    return id


def default_id(relative: str) -> str:
    """An id from a file's path below the sources folder, in ASCII."""
    name = "-".join(Path(relative).with_suffix("").parts)
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Za-z0-9._~-]+", "-", plain).strip("-._~")
    if re.sub(r"\W", "", plain) == re.sub(r"\W", "", unicodedata.normalize("NFKD", name)) and slug:
        return slug
    lost = hashlib.sha256(os.fsencode(name)).hexdigest()[:8]  # letters that ASCII lacks still tell names apart
    return f"{slug}-{lost}" if slug else f"source-{lost}"


def _take_pinpoints(body: str) -> tuple[str, list[tuple[int, int]]]:
    """The body without its pinpoint marks, and where each stood in what is left, with its paragraph number."""
    marks: list[tuple[int, int]] = []
    kept: list[str] = []
    at = length = 0
    for match in _PINPOINT.finditer(body):
        kept.append(body[at : match.start()])
        length += match.start() - at
        marks.append((length, int(match[1])))
        at = match.end()
    return "".join([*kept, body[at:]]), marks


def _pin(blocks: tuple[Block, ...], marks: list[tuple[int, int]]) -> tuple[Block, ...]:
    waiting = list(reversed(marks))
    pinned = []
    for block in blocks:
        while waiting and waiting[-1][0] <= block.start:
            waiting.pop()
        number = waiting[-1][1] if waiting and waiting[-1][0] <= block.end else None
        pinned.append(replace(block, pinpoint=number) if number and block.kind != "heading" else block)
    return tuple(pinned)


def _errata(entries: object, body: str) -> Iterator[Erratum]:
    if not isinstance(entries, list):
        raise ValueError("`errata` must be a list of entries with anchor, says and record")
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, Mapping) or not all(entry.get(key) for key in ("anchor", "says", "record")):
            raise ValueError(f"erratum {number} needs anchor, says and record")
        anchor = str(entry["anchor"])
        found = body.count(anchor)
        if found != 1:
            raise ValueError(
                f"erratum {number}: its anchor occurs {found} times in the text, and must occur once: {anchor!r}"
            )
        start = body.index(anchor)
        yield Erratum(start, start + len(anchor), str(entry["says"]), str(entry["record"]))
