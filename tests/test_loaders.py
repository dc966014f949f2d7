"""A file or a folder of files → Sources."""

from __future__ import annotations

import codecs
import hashlib
import os
import time
from pathlib import Path
from typing import Any

import pytest

from qa.citation import CitationId, cite
from qa.errors import SourceError
from qa.loaders import (
    SourceFile,
    check_id,
    decode,
    default_id,
    find_files,
    load,
    load_file,
    load_folder,
    parse,
    split_front_matter,
)
from qa.source import Source

NOWHERE = Path("some.txt")


def write(folder: Path, **files: str | bytes) -> Path:
    """Files by name, with `__` for a slash and `_md` for its suffix."""
    for name, content in files.items():
        path = folder / (name.replace("__", "/").replace("_md", ".md").replace("_txt", ".txt"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


# --- bytes to text


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (b"", "", "utf-8"),
        (b"plain", "plain", "utf-8"),
        ("Shinzō 🇯🇵 e\u0301".encode(), "Shinzō 🇯🇵 e\u0301", "utf-8"),
        (codecs.BOM_UTF8 + b"a", "a", "utf-8"),
        (codecs.BOM_UTF8, "", "utf-8"),
        ("a — ō".encode("utf-16"), "a — ō", "utf-16"),
        (codecs.BOM_UTF16_BE + "a — ō".encode("utf-16-be"), "a — ō", "utf-16"),
        ("a — ō".encode("utf-32"), "a — ō", "utf-32"),
        (b"a\r\nb\rc\n\r\n", "a\nb\nc\n\n", "utf-8"),
        (b"a\r\r\nb", "a\n\nb", "utf-8"),
        ("a\u2028b\x85c\x0cd\x0be".encode(), "a\u2028b\x85c\x0cd\x0be", "utf-8"),
        ("mid\ufeffdle".encode(), "mid\ufeffdle", "utf-8"),
        (codecs.BOM_UTF8 * 2 + b"a", "\ufeffa", "utf-8"),
    ],
)
def test_text_is_decoded_once_and_only_newlines_change(data: bytes, text: str, encoding: str) -> None:
    assert decode(data, NOWHERE) == (text, encoding)


@pytest.mark.parametrize("repeats", [1, 30])
@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("The minister dined at a café near the base and left for home in the evening. ", "latin-1"),
        ("The “old guard” – as it’s known – stayed on for another year in the city. ", "cp1252"),
        ("L’été dernier, à Genève, les délégués n'ont guère plu aux élèves français. ", "cp1252"),
        ("A reunião não decidiu a questão; há ações em São Paulo e no Pará também. ", "latin-1"),
        ("Die Übergabe erfolgte später; größere Kräfte blieben in München zurück. ", "latin-1"),
        ("Żołnierze opuścili miasto, a późniejszy rząd podpisał układ z Łotwą. ", "cp1250"),
        ("Договор был подписан летом, и войска ушли из города через месяц. ", "cp1251"),
        ("Договор был подписан летом, и войска ушли из города через месяц. ", "koi8-r"),
        ("日本とアメリカの約束は夏に改められた。基地はそのまま残った。", "shift_jis"),
        ("日本とアメリカの約束は夏に改められた。基地はそのまま残った。", "euc_jp"),
        ("그 조약은 여름에 서명되었고 군대는 도시에 남았다. ", "euc_kr"),
        ("那個條約在夏天簽了字。軍隊留在城裡。", "big5"),
    ],
)
def test_a_text_in_an_older_encoding_is_read_right(text: str, encoding: str, repeats: int) -> None:
    decoded, name = decode((text * repeats).encode(encoding), NOWHERE)
    assert decoded == text * repeats
    assert codecs.lookup(name) and name != "utf-8"


@pytest.mark.parametrize(
    "data",
    [
        b"a\0b",
        b"\0",
        "no mark".encode("utf-16-le"),
        b"\xff\xfe\xff",
        b"\xff\x00\x80",
        bytes(range(256)),
    ],
)
def test_what_is_no_text_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(SourceError, match=r"some\.txt .*(save it as UTF-8|take it out)"):
        decode(data, NOWHERE)


@pytest.mark.parametrize("at", [0, 40, -1])
def test_utf8_with_a_damaged_byte_is_refused_and_not_guessed_at(at: int) -> None:
    data = bytearray("“Shinzō” met “Yōko” in Kyōto — twice, they say, and “never again”. ".encode() * 2)
    data[at] = 0xFF
    with pytest.raises(SourceError, match=rf"UTF-8 but for byte {at % len(data)}\b"):
        decode(bytes(data), NOWHERE)


# --- ids


@pytest.mark.parametrize(
    ("relative", "id"),
    [
        ("plain.md", "plain"),
        ("a/b/c.txt", "a-b-c"),
        ("report.v2.md", "report.v2"),
        ("My  Notes (1).md", "My-Notes-1"),
        ("Café.md", "Cafe"),
        ("-x-.md", "x"),
        ("a_b~c.md", "a_b~c"),
    ],
)
def test_a_file_s_name_makes_its_id(relative: str, id: str) -> None:
    assert default_id(relative) == id


@pytest.mark.parametrize(
    "relative",
    ["条約.md", "___.md", "...md", "a\nb.md", "🇯🇵.txt", "x@y:1-2.md", os.fsdecode(b"caf\xe9.md"), "é" * 300 + ".md"],
)
def test_any_file_name_makes_an_id_that_can_be_cited(relative: str) -> None:
    id = default_id(relative)
    assert check_id(id) == id
    citation = cite(Source(id, "text"), 0, 4)
    assert CitationId.parse(citation.id).source == id


def test_names_that_ascii_cannot_tell_apart_get_ids_that_differ() -> None:
    assert len({default_id(name) for name in ("条約.md", "憲法.md", "a条.md", "a憲.md", "a.md")}) == 5


@pytest.mark.parametrize("id", ["", " ", "a b", "a@b", "a/b", "é", ".a", "-a", "a\n", "a:1-2", "%41", "../a"])
def test_an_id_that_a_citation_cannot_carry_is_refused(id: str) -> None:
    with pytest.raises(ValueError, match="characters that a citation can't carry"):
        check_id(id)
    with pytest.raises(ValueError, match="characters that a citation can't carry"):
        parse("text", id)


def test_a_front_matter_id_wins(tmp_path: Path) -> None:
    write(tmp_path, a_md="---\nid: other\n---\ntext", b_md="text")
    assert load_file(tmp_path / "a.md").id == "other"
    assert load_file(tmp_path / "a.md", "given").id == "other"
    assert load_file(tmp_path / "b.md", "given").id == "given"
    assert load_file(tmp_path / "b.md").id == "b"


# --- front matter


@pytest.mark.parametrize(
    ("text", "front", "body"),
    [
        ("no front", {}, "no front"),
        ("---\nid: x\n---\nbody", {"id": "x"}, "body"),
        ("---\nid: x\n...\nbody", {"id": "x"}, "body"),
        ("--- \nid: x\n---\t\nbody", {"id": "x"}, "body"),
        ("---\nid: x\n---", {"id": "x"}, ""),
        ("---\n---\nbody", {}, "body"),
        ("---\n\n---\nbody", {}, "body"),
        ("---\n# a note\nid: x\n---\nbody", {"id": "x"}, "body"),
        ('---\n"id": x\n---\nbody', {"id": "x"}, "body"),
        ("---\ndate created: 2021\n---\nbody", {"date created": 2021}, "body"),
        ("---\n{id: x}\n---\nbody", {"id": "x"}, "body"),
        ("---\nsays: a --- b\n---\nbody\n---\nmore", {"says": "a --- b"}, "body\n---\nmore"),
    ],
)
def test_front_matter_is_taken_off(text: str, front: dict[str, Any], body: str) -> None:
    assert split_front_matter(text) == (front, body)


@pytest.mark.parametrize(
    "text",
    [
        "---\n\nwords after a rule\n",
        "---\n\nOne: two\n",  # never closed
        "---\n# Title\n\nwords\n\n---\nmore\n",
        "---\njust words\n---\nmore",
        "---\n\n“Yes”: a word [he] {she\n\nx\n---\nmore\n",
        "---\n- a\n- b\n---\nmore\n",
        "----\nid: x\n----\nbody",
        " ---\nid: x\n---\nbody",
        "\n---\nid: x\n---\nbody",
        "***\nid: x\n***\n",
    ],
)
def test_a_rule_at_the_top_is_text(text: str) -> None:
    assert split_front_matter(text) == ({}, text)


def test_a_long_text_between_rules_is_not_read_as_yaml() -> None:
    text = "---\n" + "words without end, and more of them\n" * 50_000 + "---\n"
    began = time.process_time()
    assert split_front_matter(text) == ({}, text)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("yaml", "says"),
    [
        ("id: [x", "the front matter is not YAML"),
        ("id: x\n\tbad: y", "not YAML in line 3"),
        ("id: *nobody", "not YAML in line 2"),
        ("issued: 2021-13-45", "the front matter is not YAML"),
        ("issued: !!timestamp never", "the front matter is not YAML"),
        ("seen: !!int ''", "the front matter is not YAML"),
        ("run: !!python/object/apply:os.getcwd []", "not YAML in line 2"),
        ("deep: " + "[" * 5000, "the front matter is not YAML"),
        ("kind: rumour", "`kind` is 'rumour'"),
        ("kind: [brief]", "`kind` is"),
        ("id: a/b", "the id 'a/b'"),
        ("id: ''", "the id ''"),
        ("author: 3", "`author` needs names"),
        ("errata: none", "`errata` must be a list"),
        ("errata: [x]", "erratum 1 needs anchor"),
        ("errata: [{anchor: text, says: s}]", "erratum 1 needs anchor"),
        ("errata: [{anchor: nowhere, says: s, record: r}]", "erratum 1: its anchor occurs 0 times"),
        ("record: {a: &a [*a]}", "recursion"),
    ],
)
def test_bad_front_matter_is_told_with_its_file(yaml: str, says: str) -> None:
    with pytest.raises(SourceError) as caught:
        load(f"---\n{yaml}\n---\nsome text\n".encode(), NOWHERE, "x")
    assert str(caught.value).startswith("some.txt: ")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("yaml", "issued"),
    [
        ("date: 2021-01-07", [[2021, 1, 7]]),
        ("date: 2021-01-07T10:00:00Z", [[2021, 1, 7]]),
        ("issued: 2021", [[2021]]),
        ("issued: '2021-01'", [[2021, 1]]),
    ],
)
def test_dates_of_usual_front_matter_become_the_record_s(yaml: str, issued: list[list[int]]) -> None:
    assert parse(f"---\n{yaml}\n---\nx", "x").record["issued"] == {"date-parts": issued}


def test_the_first_heading_gives_an_original_the_title_it_lacks() -> None:
    assert parse("# The Road\n\nwords", "x").record["title"] == "The Road"
    assert parse("---\ntitle: Other\n---\n# The Road\n\nwords", "x").record["title"] == "Other"
    assert "title" not in parse("---\nkind: brief\n---\n# Our Heading\n\nwords", "x").record
    assert "title" not in parse("just words", "x").record


def test_the_suffix_tells_the_format() -> None:
    data = b"# T\n\n```\ncode\n\n# more\n```\n"
    assert [block.kind for block in load(data, Path("a.md"), "x").blocks] == ["heading", "paragraph"]
    assert [block.kind for block in load(data, Path("a.TXT"), "x").blocks].count("heading") == 2


# --- pinpoints and errata


def test_marks_are_taken_from_a_brief_and_pin_their_blocks() -> None:
    source = parse("---\nkind: brief\n---\n# T\n\nOne. <!-- ¶ 4 -->\n\n- Two. <!--¶5-->\n- Three.\n", "x")
    assert source.text == "# T\n\nOne.\n\n- Two.\n- Three.\n"
    assert [block.pinpoint for block in source.blocks] == [None, 4, 5, None]


def test_marks_stay_in_an_original() -> None:
    text = "One. <!-- ¶ 4 -->\n\nTwo.\n"
    source = parse(text, "x")
    assert source.text == text
    assert [block.pinpoint for block in source.blocks] == [None, None]


@pytest.mark.parametrize(
    ("body", "pins"),
    [
        ("One. <!-- ¶ 1 --> Two. <!-- ¶ 2 -->\n\nThree.", [1, None]),  # the first counts, and is not passed on
        ("One.\n\n<!-- ¶ 1 -->\n\nTwo.", [None, None]),  # a mark on its own pins nothing
        ("<!-- ¶ 1 -->One.\n\nTwo. <!-- ¶ 2 -->", [None, 2]),
        ("One. <!-- ¶ 0 -->", [None]),
        ("One. <!-- ¶ x -->", [None]),
        ("# H <!-- ¶ 1 -->\n\nOne.", [None, None]),
        ("One\nwrapped. <!-- ¶ 12 -->", [12]),
        ("```\ncode <!-- ¶ 3 -->\n```", [3]),
    ],
)
def test_a_mark_pins_the_block_it_ends(body: str, pins: list[int | None]) -> None:
    assert [b.pinpoint for b in parse(f"---\nkind: brief\n---\n{body}", "x").blocks] == pins


def test_marks_and_blanks_without_end_take_no_quadratic_time() -> None:
    body = "word" + " " * 200_000 + "word\n\n" + "Some words. <!-- ¶ 7 -->\n\n" * 20_000
    began = time.process_time()
    source = parse(f"---\nkind: brief\n---\n{body}", "x")
    assert time.process_time() - began < 20
    assert [block.pinpoint for block in source.blocks] == [None] + [7] * 20_000


def erratum(anchor: str) -> str:
    return f"  - {{anchor: {anchor}, says: s, record: r}}\n"


def test_errata_are_anchored_in_the_text_and_told_in_its_order() -> None:
    source = parse(f"---\nerrata:\n{erratum('two')}{erratum('one')}---\none and two", "x")
    assert [(source.text[e.start : e.end]) for e in source.errata] == ["one", "two"]


def test_an_anchor_may_have_two_errata_but_only_one_place() -> None:
    assert len(parse(f"---\nerrata:\n{erratum('one')}{erratum('one')}---\none and two", "x").errata) == 2
    with pytest.raises(ValueError, match="occurs 2 times"):
        parse(f"---\nerrata:\n{erratum('one')}---\none and one", "x")


def test_an_anchor_is_not_broken_by_a_mark() -> None:
    source = parse(f"---\nkind: brief\nerrata:\n{erratum('in 1960 <!-- x')}---\nin 1960 <!-- ¶ 1 --> <!-- x -->", "x")
    assert source.text[source.errata[0].start : source.errata[0].end] == "in 1960 <!-- x"


# --- folders


def test_files_are_found_in_a_fixed_order_and_hidden_ones_passed_over(tmp_path: Path) -> None:
    write(tmp_path, b_md="b", a_txt="a", sub__c_md="c")
    for name in (".hidden.md", "notes.pdf", "README"):
        (tmp_path / name).write_text("no")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.md").write_text("no")
    (tmp_path / "UPPER.MD").write_text("yes")
    found = [path.relative_to(tmp_path).as_posix() for path in find_files(tmp_path)]
    assert found == ["UPPER.MD", "a.txt", "b.md", "sub/c.md"]


def test_a_folder_named_like_a_file_is_no_file(tmp_path: Path) -> None:
    write(tmp_path, a_md="a")
    (tmp_path / "x.md").mkdir()
    write(tmp_path / "x.md", inner_txt="inner")
    loaded = load_folder(tmp_path)
    assert [source.id for _, source in loaded.sources] == ["a", "x.md-inner"]
    assert loaded.problems == ()
    with pytest.raises(SourceError, match=r"x\.md can't be read"):
        load_file(tmp_path / "x.md")


def test_links_that_lead_nowhere_or_in_circles_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, a_md="a")
    (tmp_path / "loop.md").symlink_to("loop.md")
    (tmp_path / "gone.md").symlink_to("nothing.md")
    (tmp_path / "up").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(tmp_path / "pipe.md")
    assert [path.name for path in find_files(tmp_path)] == ["a.md"]


def test_a_file_that_is_a_link_is_read(tmp_path: Path) -> None:
    write(tmp_path, other__a_txt="words")
    (tmp_path / "b.txt").symlink_to(tmp_path / "other" / "a.txt")
    assert [source.text for _, source in load_folder(tmp_path).sources] == ["words", "words"]


@pytest.mark.parametrize("name", ["missing", "file.md"])
def test_what_is_no_folder_is_refused_by_name(tmp_path: Path, name: str) -> None:
    write(tmp_path, file_md="x")
    with pytest.raises(SourceError, match=f"{name} is not a folder.*--sources"):
        load_folder(tmp_path / name)


def test_files_without_text_give_no_source_and_no_complaint(tmp_path: Path) -> None:
    write(tmp_path, empty_md="", blank_txt=" \n\u00a0\t\n", front_md="---\nid: x\n---\n", bom_md=codecs.BOM_UTF8)
    loaded = load_folder(tmp_path)
    assert loaded.sources == () and loaded.problems == ()
    assert sorted(file.path for file in loaded.ignored) == ["blank.txt", "bom.md", "empty.md", "front.md"]


def test_two_files_with_one_id_are_told_and_the_first_stays(tmp_path: Path) -> None:
    write(tmp_path, a_md="first", a_txt="second", z_md="---\nid: a\n---\nthird", c_md="else")
    loaded = load_folder(tmp_path)
    assert [(file.path, source.text) for file, source in loaded.sources] == [("a.md", "first"), ("c.md", "else")]
    assert len(loaded.problems) == 2
    for name, problem in zip(("a.txt", "z.md"), loaded.problems, strict=True):
        assert "a.md" in problem and name in problem and "'a'" in problem and "`id:`" in problem


def test_an_empty_file_claims_no_id(tmp_path: Path) -> None:
    write(tmp_path, a_md="", a_txt="text", b_md="text", b_txt=" ")
    loaded = load_folder(tmp_path)
    assert [source.id for _, source in loaded.sources] == ["a", "b"] and loaded.problems == ()


def test_all_problems_are_told_at_once_and_the_rest_is_read(tmp_path: Path) -> None:
    write(tmp_path, a_md=b"a\0b", b_md="---\nid: [\n---\nx", c_md="fine", d_txt="---\nkind: x\n---\nx")
    loaded = load_folder(tmp_path)
    assert [source.id for _, source in loaded.sources] == ["c"]
    assert len(loaded.problems) == 3
    assert all(str(tmp_path) in problem for problem in loaded.problems)
    assert [file.path for file in loaded.ignored] == ["a.md", "b.md", "d.txt"]


def test_a_file_name_that_is_no_utf8_is_read(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.md")).write_text("words")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    [(_, source)] = load_folder(tmp_path).sources
    assert source.text == "words" and check_id(source.id)


def test_a_file_that_vanishes_while_the_folder_is_read_is_told(tmp_path: Path) -> None:
    write(tmp_path, a_md="a", b_md="b")

    loaded = load_folder(tmp_path, lambda done, total: (tmp_path / "b.md").unlink(missing_ok=True))
    assert [source.id for _, source in loaded.sources] == ["a"]
    assert "b.md can't be read" in loaded.problems[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_may_not_be_read_is_told(tmp_path: Path) -> None:
    write(tmp_path, a_md="a", shut_md="x", closed__b_md="b", listed__c_md="c")
    (tmp_path / "shut.md").chmod(0)
    (tmp_path / "closed").chmod(0)
    (tmp_path / "listed").chmod(0o400)
    try:
        loaded = load_folder(tmp_path)
        assert [source.id for _, source in loaded.sources] == ["a"]
        assert sorted(Path(p.split(" can't be read")[0]).name for p in loaded.problems) == ["c.md", "closed", "shut.md"]
        assert all(file.matches(tmp_path / file.path) for file in loaded.ignored)
    finally:
        (tmp_path / "closed").chmod(0o700)
        (tmp_path / "listed").chmod(0o700)


def test_progress_is_told_for_each_file(tmp_path: Path) -> None:
    write(tmp_path, a_md="a", b_md="b")
    told: list[tuple[int, int]] = []
    load_folder(tmp_path, lambda done, total: told.append((done, total)))
    assert told == [(0, 2), (1, 2)]


def test_a_file_matches_until_its_bytes_change(tmp_path: Path) -> None:
    write(tmp_path, a_md="words")
    path = tmp_path / "a.md"
    [(file, _)] = load_folder(tmp_path).sources
    assert file.matches(path)
    os.utime(path, ns=(1, 1))
    assert file.matches(path)  # only its time differs
    path.write_text("other")
    os.utime(path, ns=(2, 2))
    assert not file.matches(path)  # same length, other bytes
    path.write_text("longer words")
    assert not file.matches(path)
    path.unlink()
    assert not file.matches(path)


def test_a_file_that_could_not_be_read_matches_while_that_lasts(tmp_path: Path) -> None:
    unread = SourceFile("a.md", -1, 0, "")
    assert unread.matches(tmp_path / "a.md")
    (tmp_path / "a.md").write_text("now it can")
    assert not unread.matches(tmp_path / "a.md")


def test_the_digest_of_a_file_is_of_its_bytes_and_a_source_s_of_its_text(tmp_path: Path) -> None:
    write(tmp_path, a_md=b"\xef\xbb\xbfa\r\nb")
    [(file, source)] = load_folder(tmp_path).sources
    assert file.sha256 == hashlib.sha256(b"\xef\xbb\xbfa\r\nb").hexdigest()
    assert source.sha256 == hashlib.sha256(b"a\nb").hexdigest()
