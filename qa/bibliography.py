"""Bibliography: records → citations and entries in a style, BibTeX, RIS, CSL-JSON, and Pandoc's citations.

What a record lacks is told, never invented: a style's own "n.d.", or a description in brackets where a title is wanted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qa.csl import ALIASES, Pinpoint, Style, Styled, entries, find_style, process
from qa.errors import QueryError
from qa.export import bibtex, ris
from qa.pandoc import pandoc
from qa.settings import DEFAULT_STYLE
from qa.source import Locator, Record, SourceInfo, title_key

NAMES = ("author", "editor", "translator", "container-author", "collection-editor", "director", "interviewer",
         "recipient", "reviewed-author", "composer", "illustrator", "original-author")  # fmt: skip
DATES = ("issued", "accessed", "original-date", "event-date", "submitted", "available-date")

_BARE_KEY = re.compile(r"[A-Za-z0-9_]+(?:[:.#$%&\-+?<>~/][A-Za-z0-9_]+)*")
_CITATION = re.compile(r"(?<![\w@.~-])([A-Za-z0-9][A-Za-z0-9._~-]*)@[0-9a-f]{16}:\d+-\d+")
_CROSS_REFERENCE = re.compile(r"(?:fig|tbl|eq|sec|lst):")  # of pandoc-crossref: figures, tables, not works


@dataclass(frozen=True, slots=True)
class Entry:
    """A work in a reference list: its citation key, the sources that stand for it, and its entry in the style.

    `missing` is what the record lacks for a full entry.
    """

    id: str
    sources: tuple[str, ...]
    record: Record
    missing: tuple[str, ...]
    text: str
    markdown: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "sources": list(self.sources),
            "record": {**self.record, "id": self.id},
            "missing": list(self.missing),
            "text": self.text,
            "markdown": self.markdown,
            "bibtex": bibtex(self.id, self.record),
            "ris": ris(self.id, self.record),
        }


@dataclass(frozen=True, slots=True)
class Key:
    """A work that a draft cites, by key or citation id, and the first line that does, counted from 1."""

    key: str
    line: int

    def to_dict(self) -> dict[str, Any]:
        return {"key": self.key, "line": self.line}


@dataclass(frozen=True, slots=True)
class Bibliography:
    """A reference list in a style, and the keys of a draft that no source answers to."""

    style: str
    entries: tuple[Entry, ...]
    unknown: tuple[Key, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "style": self.style,
            "entries": [entry.to_dict() for entry in self.entries],
            "unknown": [key.to_dict() for key in self.unknown],
        }

    def write(self, format: str) -> str:
        """The list in one of FORMATS."""
        return write(self.entries, format)


# --- works and their citations ---------------------------------------------------------------------


def works(infos: Iterable[SourceInfo]) -> dict[str, list[SourceInfo]]:
    """The sources of each work by its citation key, an original before its briefs."""
    every = list(infos)
    originals = {title_key(info.record.get("title")): info.id for info in every if info.kind == "original"}
    found: dict[str, list[SourceInfo]] = {}
    for info in sorted(every, key=lambda info: info.kind == "brief"):
        found.setdefault(_key_of(info, originals), []).append(info)
    return found


def _key_of(info: SourceInfo, originals: dict[str, str]) -> str:
    if info.kind == "original":
        return info.id
    title = title_key(info.record.get("title"))
    return info.original or (originals.get(title, info.id) if title else info.id)


def in_style(
    found: dict[str, list[SourceInfo]], style: str | Path, cites: Sequence[tuple[str, Locator | None]] | None = None
) -> tuple[list[Styled], list[Entry]]:
    """Each citation (a work's key, the place in it) in a style, and the list's entries; by default of every work once.

    Raises QueryError for a style that doesn't exist, ProcessorError when none can be processed.
    """
    chosen = find_style(style)
    wanted = [(key, None) for key in found] if cites is None else list(cites)
    numbers = {key: number for number, key in enumerate(found)}
    placed = [(numbers[key], pinpoint(locator, chosen) if locator else None) for key, locator in wanted]

    def write(records: Sequence[Record]) -> tuple[list[Styled], list[tuple[int, Styled]]]:
        return process(records, placed, chosen)

    return _entries(found, chosen, write)


def in_list(found: dict[str, list[SourceInfo]], style: str | Path, keys: Iterable[str]) -> list[Entry]:
    """The list's entries of the works with these keys, without citations, which a long list is quicker without."""
    chosen = find_style(style)
    numbers = {key: number for number, key in enumerate(found)}
    wanted = [numbers[key] for key in keys]
    return _entries(found, chosen, lambda records: ([], entries(records, wanted, chosen)))[1]


def _entries(
    found: dict[str, list[SourceInfo]],
    style: Style,
    write: Callable[[Sequence[Record]], tuple[list[Styled], list[tuple[int, Styled]]]],
) -> tuple[list[Styled], list[Entry]]:
    keys = list(found)
    records = [supplied(found[key][0].record, style.name) for key in keys]
    cited, listed = write(records)
    unlisted = {number for number, styled in listed if not styled.text} if style.lists else set()
    if unlisted:  # Chicago lists no bare documents, which it takes for papers in an archive
        records = [{**r, "type": "book"} if number in unlisted else r for number, r in enumerate(records)]
        cited, listed = write(records)
    out = []
    for number, styled in listed:
        infos = found[keys[number]]
        sources = tuple(info.id for info in infos)
        out.append(Entry(keys[number], sources, infos[0].record, infos[0].missing, styled.text, styled.markdown))
    return cited, out


def list_works(
    infos: Sequence[SourceInfo],
    style: str | Path = DEFAULT_STYLE,
    sources: Sequence[str] = (),
    draft: str | None = None,
) -> Bibliography:
    """The works of all sources, or of those named, or of those that a draft cites, as entries in a style."""
    found = works(infos)
    key_of = {info.id: key for key, group in found.items() for info in group} | {key: key for key in found}
    unknown: list[Key] = []
    wanted = list(found)
    if sources:
        if absent := sorted(set(sources) - {info.id for info in infos}):
            raise QueryError(f"there is no source '{absent[0][:120]}' in the index; `qa sources` lists them")
        wanted = [key_of[id] for id in sources]
    if draft is not None:
        mentions = keys_in(draft)
        unknown = [mention for mention in mentions if mention.key not in key_of]
        cited = [key_of[mention.key] for mention in mentions if mention.key in key_of]
        wanted = [key for key in cited if not sources or key in wanted]
    return Bibliography(str(style), tuple(in_list(found, style, dict.fromkeys(wanted))), tuple(unknown))


def pinpoint(locator: Locator, style: Style | str) -> Pinpoint | None:
    """A place worded as the style's manual has it: the printed page, or else the section's title and the paragraph.

    A page that is counted in the file and has no printed number is called the file's. Titles and labels stay as they
    are.
    """
    if locator.page_label:
        return Pinpoint(locator.page_label, page=True)
    name = style if isinstance(style, str) else style.name
    name = ALIASES.get(name, name)
    parts = []
    for title in locator.sections[-1:]:
        if name.startswith("apa"):
            parts.append(f"{title} section")
        else:
            parts.append(f"{'under' if name.startswith(('chicago', 'turabian')) else 'sec.'} “{title}”")
    if locator.paragraph is not None:
        parts.append(f"{'par.' if name.startswith('modern-language') else 'para.'} {locator.paragraph}")
    if locator.page is not None:
        parts.append(f"file p. {locator.page}")
    return Pinpoint(", ".join(parts)) if parts else None


def pandoc_citation(key: str, locator: Locator | None = None) -> str:
    """A citation as Pandoc's Markdown has it: `[@yoho2021, sec. "Relations", para. 4]`."""
    parts = [f"@{key}" if _BARE_KEY.fullmatch(key) else f"@{{{key}}}"]
    if locator and locator.page_label:
        parts.append(f"p. {_shielded(locator.page_label)}")
    elif locator:
        parts += [f'sec. "{_shielded(title)}"' for title in locator.sections[-1:]]
        parts += [f"para. {locator.paragraph}"] if locator.paragraph is not None else []
        parts += [f"file p. {locator.page}"] if locator.page is not None else []
    return f"[{', '.join(parts)}]"


def _shielded(text: str) -> str:
    """Text whose characters mean nothing to Pandoc, on one line."""
    return re.sub(r"([\\`*_\[\]<>@$^~|{};\"])", r"\\\1", " ".join(text.split()))


def keys_in(draft: str) -> list[Key]:
    """The works a draft cites, in the order of first mention: Pandoc's keys, and the sources of citation ids."""
    at: dict[str, int] = {}
    for match in _CITATION.finditer(draft):
        at.setdefault(match[1], match.start())
    for key in _cited(json.loads(pandoc(draft.encode("utf-8", "replace"), "--from=markdown", "--to=json"))["blocks"]):
        mention = re.search(rf"@\{{?{re.escape(key)}(?![\w])", draft)
        place = mention.start() if mention else 0
        at[key] = min(place, at.get(key, place))
    ordered = sorted(at.items(), key=lambda item: (item[1], item[0]))
    return [Key(key, draft.count("\n", 0, place) + 1) for key, place in ordered if not _CROSS_REFERENCE.match(key)]


def _cited(node: Any) -> Iterable[str]:
    """The keys of all citations in a document of Pandoc's."""
    if isinstance(node, dict):
        if node.get("t") == "Cite":
            yield from (citation["citationId"] for citation in node["c"][0])
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from _cited(part)


def supplied(record: Record, style: str = "") -> Record:
    """A record as the processor takes it: sound values only, and a description in brackets for an absent title.

    Without author and title a work goes under its publisher, as the manuals have it for a site without either. A body
    that publishes its own work is named once: APA leaves out the publisher, MLA the author.
    """
    out: Record = {"type": str(record.get("type") or "document")}
    for name, value in record.items():
        if name in NAMES and isinstance(value, list):
            people = [{k: v for k, v in p.items() if isinstance(v, str)} for p in value if isinstance(p, dict)]
            if people := [p for p in people if p.get("family") or p.get("literal") or p.get("given")]:
                out[name] = people
        elif name in DATES and isinstance(value, dict):
            out[name] = value
        elif isinstance(value, (str, int, float)) and name not in ("id", "type", *NAMES, *DATES):
            text = " ".join(str(value).split())
            if text:
                out[name] = text
    if not out.get("title"):
        body = next((name for name in ("publisher", "container-title") if out.get(name)), None)
        if not out.get("author") and body:
            out["author"] = [{"literal": out.pop(body)}]
        out["title"] = f"[untitled {_WORDS.get(out['type'], out['type'].replace('-', ' '))}]"
    elif out.get("publisher") and out.get("author") == [{"literal": out["publisher"]}]:
        if style.startswith("apa"):
            del out["publisher"]
        elif ALIASES.get(style, style).startswith("modern-language"):
            del out["author"]
    if style == "ieee" and out.get("URL"):
        out.setdefault("medium", "Online")
    return out


_WORDS = {"webpage": "web page", "post-weblog": "blog post", "article-journal": "article", "article": "article",
          "article-newspaper": "article", "article-magazine": "article", "paper-conference": "paper"}  # fmt: skip


# --- formats ---------------------------------------------------------------------------------------


def write(entries: Sequence[Entry], format: str) -> str:
    """Entries as a file in one of FORMATS; QueryError for another."""
    if format not in FORMATS:
        raise QueryError(f"there is no format '{format[:80]}'; it can be {', '.join(FORMATS)}")
    return FORMATS[format](entries)


def _csl_json(entries: Sequence[Entry]) -> str:
    return json.dumps([{**e.record, "id": e.id} for e in entries], ensure_ascii=False, indent=2) + "\n"


FORMATS: dict[str, Callable[[Sequence[Entry]], str]] = {
    "text": lambda entries: "".join(f"{entry.text}\n" for entry in entries),
    "markdown": lambda entries: "\n".join(f"{entry.markdown}\n" for entry in entries),
    "bibtex": lambda entries: "\n".join(bibtex(entry.id, entry.record) for entry in entries),
    "ris": lambda entries: "\n".join(ris(entry.id, entry.record) for entry in entries),
    "csl-json": _csl_json,
}
