"""Export: a record in the formats of other programs, BibTeX and RIS; what is absent stays absent."""

from __future__ import annotations

import re

from qa.source import Record

_CSL_TAG = re.compile(r"</?(?:i|b|sup|sub|sc|span)(?: [^<>]*)?>")


def bibtex(key: str, record: Record) -> str:
    """A record in BibTeX, its title in double braces, so that no style changes its case.

    Written here because pandoc's own recases titles and leaves out DOIs, sites and institutions.
    """
    type = str(record.get("type"))
    kind = _BIBTEX.get(type, "misc")
    if type == "thesis" and "master" in str(record.get("genre", "")).lower():
        kind = "mastersthesis"
    year, month, _ = _date(record.get("issued"))
    accessed = _date(record.get("accessed"))
    number = record.get("issue") or record.get("number")
    fields = {
        "author": _bibtex_names(record.get("author")),
        "editor": _bibtex_names(record.get("editor")),
        "title": f"{{{_tex(record['title'])}}}" if record.get("title") else "",
        {"article": "journal", "incollection": "booktitle", "inproceedings": "booktitle"}.get(kind, "howpublished"): (
            _tex(record.get("container-title"))
        ),
        "series": _tex(record.get("collection-title")),
        "edition": _tex(record.get("edition")),
        "volume": _tex(record.get("volume")),
        "number": _tex(number),
        "pages": re.sub(r"\s*[-–—]+\s*", "--", _tex(record.get("page"))),
        {"techreport": "institution", "phdthesis": "school", "mastersthesis": "school"}.get(kind, "publisher"): (
            _tex(record.get("publisher"))
        ),
        "type": _tex(record.get("genre")) if kind in ("techreport", "phdthesis", "mastersthesis") else "",
        "address": _tex(record.get("publisher-place")),
        "year": _tex(year),
        "month": month if month.isalpha() else "",
        "doi": _address(record.get("DOI")),
        "isbn": _tex(record.get("ISBN")),
        "issn": _tex(record.get("ISSN")),
        "url": _address(record.get("URL")),
        "urldate": "-".join(filter(None, (accessed[0], _number(accessed[1]), accessed[2]))),
        "note": _tex(record.get("note")),
        "language": _tex(record.get("language")),
    }
    bare = ("month",)
    lines = [f"  {name} = {value if name in bare else f'{{{value}}}'}" for name, value in fields.items() if value]
    return ",\n".join([f"@{kind}{{{key}", *lines]) + "\n}\n"


def ris(key: str, record: Record) -> str:
    """A record in RIS, the tagged lines that reference managers import."""
    year, month, day = _date(record.get("issued"))
    first, _, last = re.sub(r"\s*[-–—]+\s*", "-", _flat(record.get("page"))).partition("-")
    fields = [
        ("TY", _RIS.get(str(record.get("type")), "GEN")),
        ("ID", key),
        *(("AU", name) for name in _ris_names(record.get("author"))),
        *(("ED", name) for name in _ris_names(record.get("editor"))),
        ("TI", record.get("title")),
        ("T2", record.get("container-title")),
        ("T3", record.get("collection-title")),
        ("ET", record.get("edition")),
        ("VL", record.get("volume")),
        ("IS", record.get("issue") or record.get("number")),
        ("SP", first),
        ("EP", last),
        ("PB", record.get("publisher")),
        ("CY", record.get("publisher-place")),
        ("M3", record.get("genre")),
        ("PY", year if re.fullmatch(r"\d{1,4}", year) else ""),
        ("DA", f"{year}/{_number(month)}/{day}/" if month else ("" if year.isdigit() else year)),
        ("DO", record.get("DOI")),
        ("SN", record.get("ISBN") or record.get("ISSN")),
        ("UR", record.get("URL")),
        ("AB", record.get("abstract")),
        ("N1", record.get("note")),
        ("LA", record.get("language")),
    ]
    return "\n".join(f"{tag}  - {text}" for tag, value in fields if (text := _flat(value))) + "\nER  - \n"


_BIBTEX = {
    "article-journal": "article", "article-magazine": "article", "article-newspaper": "article", "book": "book",
    "chapter": "incollection", "entry-encyclopedia": "incollection", "paper-conference": "inproceedings",
    "thesis": "phdthesis", "report": "techreport", "manuscript": "unpublished",
}  # fmt: skip
_RIS = {
    "article-journal": "JOUR", "article-magazine": "MGZN", "article-newspaper": "NEWS", "book": "BOOK",
    "chapter": "CHAP", "entry-encyclopedia": "ENCYC", "paper-conference": "CPAPER", "thesis": "THES", "report": "RPRT",
    "webpage": "ELEC", "post": "ELEC", "post-weblog": "BLOG", "manuscript": "UNPB", "speech": "HEAR", "map": "MAP",
    "patent": "PAT", "legislation": "STAT", "bill": "BILL", "legal_case": "CASE", "dataset": "DATA",
}  # fmt: skip
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TEX = str.maketrans({
    "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}", **{c: f"\\{c}" for c in "$%&#_"},
})  # fmt: skip


def _flat(value: object) -> str:
    """A value on one line, without CSL's own tags and control characters."""
    text = _CSL_TAG.sub("", str(value)) if isinstance(value, (str, int, float)) else ""
    return " ".join("".join(c for c in text if c.isprintable() or c.isspace()).split())


def _tex(value: object) -> str:
    text = _flat(value)
    if re.sub(r"[^{}]", "", text).replace("{}", "") == "":  # they pair, so BibTeX counts them right
        return text.translate({**_TEX, ord("{"): r"\{", ord("}"): r"\}"})
    return text.translate(_TEX)


def _address(value: object) -> str:
    """An address as BibTeX's url takes it: raw, but for what would end the field."""
    return re.sub(r"[{}\\\s]", lambda m: f"%{ord(m[0]):02X}", _flat(value))


def _date(value: object) -> tuple[str, str, str]:
    """Year (or the date in words), month's name in three letters, and day; what is unknown is empty."""
    if not isinstance(value, dict):
        return "", "", ""
    parts = value.get("date-parts")
    if not isinstance(parts, list) or not parts or not isinstance(parts[0], list) or not parts[0]:
        return _flat(value.get("literal") or value.get("raw")), "", ""
    first = [str(part) for part in parts[0]]
    years = list(dict.fromkeys(str(part[0]) for part in parts[:2] if isinstance(part, list) and part))
    if len(parts) > 1:
        return "--".join(years), "", ""
    month = _MONTHS[int(first[1]) - 1] if len(first) > 1 and first[1].isdigit() and 1 <= int(first[1]) <= 12 else ""
    return first[0], month, first[2].zfill(2) if month and len(first) > 2 else ""


def _number(month: str) -> str:
    return f"{_MONTHS.index(month) + 1:02}" if month in _MONTHS else ""


def _people(value: object) -> list[dict[str, str]]:
    people = value if isinstance(value, list) else []
    return [{k: _flat(v) for k, v in person.items()} for person in people if isinstance(person, dict)]


def _family(person: dict[str, str]) -> str:
    parts = (person.get("dropping-particle"), person.get("non-dropping-particle"), person.get("family"))
    return " ".join(filter(None, parts))


def _bibtex_names(value: object) -> str:
    names = []
    for person in _people(value):
        family, given, suffix = (_tex(part) for part in (_family(person), person.get("given"), person.get("suffix")))
        if not family or person.get("literal"):
            names.append(f"{{{_tex(person.get('literal')) or given}}}")
        else:
            family = f"{{{family}}}" if re.search(r",|\band\b", family) else family
            names.append(", ".join(filter(None, (family, suffix, given))))
    return " and ".join(names)


def _ris_names(value: object) -> list[str]:
    names = []
    for person in _people(value):
        parts = (_family(person), person.get("given"), person.get("suffix"))
        literal = person.get("literal")  # with a comma, so that it isn't taken for given name and family name
        names.append(f"{literal}," if literal else ", ".join(filter(None, parts)))
    return names
