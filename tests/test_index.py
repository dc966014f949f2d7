"""An index on disk: whole or refused, and asked for passages by vector and by words."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qa import generation as generation_module
from qa import vectors as vectors_module
from qa.errors import IndexDamaged, IndexMissing, QAError, SettingsError
from qa.generation import FORMAT, Generation, current_name, read_manifest
from qa.index import BUILDING, lock
from qa.library import Library
from qa.network import Floats
from qa.settings import Settings
from tests.fakes import WordEncoder

ROOT = Path(__file__).parent.parent
QUESTION = "How tall is the old lighthouse of Brandholm?"
FILES = {
    "lights.md": "# Lights\n\n## Brandholm\n\nThe old lighthouse of Brandholm is 41 metres tall. Its lamp burns.\n\n"
    "## Skagen\n\nThe grey tower of Skagen burns coal.\n",
    "pilots.md": "# Pilots\n\nPilots know both lights. They drink coffee.\n",
}


def make(folder: Path, files: dict[str, str]) -> Library:
    """A library on these files, its index built."""
    for name, text in files.items():
        (folder / "sources" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "sources" / name).write_text(text, encoding="utf-8")
    library = Library(Settings(folder / "sources", folder / "index"), encoder=WordEncoder())
    library.index()
    return library


def reopened(library: Library) -> Library:
    return Library(library.settings, encoder=WordEncoder())


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return make(tmp_path, FILES)


@pytest.fixture
def generation(library: Library) -> Path:
    """The folder of the generation in force."""
    return library.settings.index / current_name(library.settings.index)


# --- what is on disk ---------------------------------------------------------------------------------


def test_manifest_names_everything(generation: Path) -> None:
    manifest = read_manifest(generation)
    assert manifest["format"] == FORMAT
    assert manifest["generation"] in generation.name
    assert manifest["encoder"]["fingerprint"] == WordEncoder.spec.fingerprint
    assert manifest["counts"] == {"sources": 2, "passages": 3}
    texts = {name.removesuffix(".md"): text for name, text in FILES.items()}
    assert {s["id"]: s["sha256"] for s in manifest["sources"]} == {
        id: hashlib.sha256(text.encode()).hexdigest() for id, text in texts.items()
    }
    present = {path.relative_to(generation).as_posix() for path in generation.rglob("*") if path.is_file()}
    assert present - manifest["files"].keys() == {"manifest.json", "manifest.sha256"}
    for name, told in manifest["files"].items():
        data = (generation / name).read_bytes()
        assert told == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_no_pickle_and_no_leftovers(library: Library, generation: Path) -> None:
    assert {path.name for path in library.settings.index.iterdir()} == {"current", ".lock", generation.name}
    for path in generation.rglob("*"):
        assert path.suffix not in (".pkl", ".pickle")
        assert not path.is_file() or not path.read_bytes().startswith(b"\x80\x04")


def test_ids_depend_on_the_sources_alone(tmp_path: Path) -> None:
    one, other = make(tmp_path / "a", FILES), make(tmp_path / "b", dict(reversed(FILES.items())))
    assert one.generation().id == other.generation().id
    changed = {**FILES, "pilots.md": FILES["pilots.md"] + "."}
    assert make(tmp_path / "c", changed).generation().id != one.generation().id
    renamed = {"lights.md": FILES["lights.md"], "pilot.md": FILES["pilots.md"]}
    assert make(tmp_path / "d", renamed).generation().id != one.generation().id
    front = {**FILES, "pilots.md": "---\ntitle: Of Pilots\n---\n" + FILES["pilots.md"]}
    assert make(tmp_path / "e", front).generation().id != one.generation().id  # its text is the same, its record isn't


def test_nothing_is_rewritten_when_nothing_changed(library: Library, generation: Path) -> None:
    def state() -> dict[str, tuple[int, int]]:
        folder = library.settings.index
        paths = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock")]
        return {str(p): (p.stat().st_ino, p.stat().st_mtime_ns) for p in paths}

    before = state()
    done = reopened(library).index()
    assert state() == before
    assert (done.encoded, done.passages, done.sources) == (0, 3, 2)
    assert done.generation in generation.name


def test_a_touched_file_is_noted_and_encodes_nothing(library: Library, generation: Path) -> None:
    os.utime(library.settings.sources / "pilots.md", ns=(1, 1))
    assert not reopened(library).changes()
    done = reopened(library).index()
    assert done.encoded == 0 and done.generation in generation.name
    now = library.settings.index / current_name(library.settings.index)
    assert [entry["mtime_ns"] for entry in read_manifest(now)["origin"]["read"]][1] == 1


def test_the_generation_before_is_kept_and_older_ones_are_swept(library: Library) -> None:
    names = [current_name(library.settings.index)]
    for n in range(3):
        (library.settings.sources / "pilots.md").write_text(f"Pilots {n}.")
        library.index()
        names.append(current_name(library.settings.index))
    assert {path.name for path in library.settings.index.glob("gen-*")} == {*names[-2:]}


def test_a_sweep_takes_only_what_is_ours(library: Library) -> None:
    folder = library.settings.index
    for name in ("gen-2019", "gen-photos/old", f"{BUILDING}abc/words"):
        (folder / name).mkdir(parents=True)
    (folder / "gen-notes.txt").write_text("mine")
    for n in range(3):
        (library.settings.sources / "pilots.md").write_text(f"Pilots {n}.")
        library.index()
    assert (folder / "gen-2019").is_dir() and (folder / "gen-photos" / "old").is_dir()
    assert (folder / "gen-notes.txt").read_text() == "mine"
    assert not list(folder.glob(f"{BUILDING}*"))


# --- damage ------------------------------------------------------------------------------------------


def put(path: Path, data: bytes) -> None:
    """Write a file anew, so that whoever has the old one mapped into memory keeps it."""
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def truncate(path: Path) -> None:
    put(path, path.read_bytes()[:-1])


def empty(path: Path) -> None:
    put(path, b"")


def flip(path: Path, at: int | None = None, mask: int = 1) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if at is None else at] ^= mask
    put(path, bytes(data))


def remove(path: Path) -> None:
    path.unlink()


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


KINDS = [  # the names of tantivy's segments are random
    "manifest.json", "manifest.sha256", "texts.sqlite", "vectors.f32", "nearest.faiss", "tokens.u2", "rotation.f32",
    "encoder/encoder.json", "words/meta.json", "words/.managed.json", "words/*.idx", "words/*.term", "words/*.pos",
    "words/*.fast", "words/*.fieldnorm", "words/*.store",
]  # fmt: skip


def test_every_kind_of_file_is_tried(generation: Path) -> None:
    found = {path for kind in KINDS for path in generation.glob(kind)}
    assert found == {path for path in generation.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_named_with_the_way_out(library: Library, generation: Path, kind: str) -> None:
    (path,) = generation.glob(kind)
    expected = library.ask(QUESTION).to_dict()
    data = path.read_bytes()
    named = "manifest" if kind.startswith("manifest") else path.relative_to(generation).as_posix()
    for damage in (truncate, empty, flip, remove, become_a_folder):
        damage(path)
        with pytest.raises(IndexDamaged) as caught:
            reopened(library).ask(QUESTION)
        assert named in str(caught.value) and "`qa index --rebuild`" in str(caught.value), damage
        if path.is_dir():
            path.rmdir()
        put(path, data)
        assert reopened(library).ask(QUESTION).to_dict() == expected
    flip(path)
    reopened(library).index(rebuild=True)
    assert reopened(library).ask(QUESTION).to_dict() == expected


def test_a_plain_index_run_mends_a_damaged_index(library: Library, generation: Path) -> None:
    flip(generation / "vectors.f32")
    done = reopened(library).index()
    assert done.encoded == 3
    assert reopened(library).check_files() > 5


def test_every_byte_of_the_manifest_counts(library: Library, generation: Path) -> None:
    path = generation / "manifest.json"
    data = path.read_bytes()
    for at in range(0, len(data), 37):
        flip(path, at)
        with pytest.raises(IndexDamaged):
            Generation.open(library.settings.index)
        put(path, data)


@pytest.mark.parametrize("text", ["", "[]", "{}", '"x"', "null", '{"format": 1}', '{"format": 1, "files": 3}', "\xff"])
def test_a_manifest_of_something_else(library: Library, generation: Path, text: str) -> None:
    (generation / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(IndexDamaged, match=r"manifest.json"):
        Generation.open(library.settings.index)


def test_a_future_format_is_told_apart(library: Library, generation: Path) -> None:
    manifest = {**read_manifest(generation), "format": FORMAT + 1}
    (generation / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(IndexDamaged, match=rf"has format {FORMAT + 1}, and this version reads {FORMAT}.*--rebuild"):
        reopened(library).ask(QUESTION)
    assert reopened(library).index(rebuild=True).encoded == 3


@pytest.mark.parametrize("damage", [flip, truncate])
def test_large_files_are_hashed_by_the_full_check_alone(
    library: Library, generation: Path, monkeypatch: pytest.MonkeyPatch, damage: Any
) -> None:
    monkeypatch.setattr(generation_module, "_HASHED_ON_OPEN", 0)
    damage(generation / "words/meta.json")
    if damage is truncate:  # sizes are always checked
        with pytest.raises(IndexDamaged, match=r"meta.json"):
            Generation.open(library.settings.index)
    with pytest.raises(IndexDamaged, match=r"meta.json"):
        library.check_files()


@pytest.mark.parametrize("name", ["tokens.u2", "vectors.f32"])
def test_large_vectors_are_checked_as_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(generation_module, "_HASHED_ON_OPEN", 0)
    library = make(tmp_path, {f"{n}.txt": f"Ship {n} came in at dawn." for n in range(30)})
    expected = library.search("Which ship came in?", 30)
    path = library.generation().folder / name
    data = path.read_bytes()
    for at in range(0, len(data), len(data) // 23):
        put(path, data)
        flip(path, at, 64)
        with pytest.raises(IndexDamaged, match=r"damaged: passage \d+ in .*--rebuild"):
            reopened(library).search("Which ship came in?", 30)
    put(path, data)
    assert reopened(library).search("Which ship came in?", 30) == expected


def test_a_large_database_s_damage_is_an_error_or_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation_module, "_HASHED_ON_OPEN", 0)
    library = make(tmp_path, {f"{n}.txt": f"Ship {n} came in at dawn." for n in range(30)})
    expected = library.search("Which ship came in?", 30)
    path = library.generation().folder / "texts.sqlite"
    data = path.read_bytes()
    texts = {f"Ship {n} came in at dawn." for n in range(30)}
    errors = 0
    for at in range(0, len(data), len(data) // 150):
        put(path, data)
        flip(path, at, 16)
        try:
            found = reopened(library).search("Which ship came in?", 30)
        except IndexDamaged as error:
            errors += 1
            assert "--rebuild" in str(error)
        else:
            assert {hit.citation.quote for hit in found.hits} <= texts
            assert {hit.highlights for hit in found.hits} == {hit.highlights for hit in expected.hits}
    assert errors > 20
    put(path, data)
    assert reopened(library).search("Which ship came in?", 30) == expected


COLUMNS = {
    "passage": ["source=1-source", "start=start+1", '"end"="end"-1', "first=first+1", "last=last-1", "crc=crc+1",
                "sentences=replace(sentences, '0', '1')", "sentences='[]'", "sentences='{'", "first='x'", "start=NULL"],
    "source": ["text=text||'.'", "kind='brief'", "record='{}'", "blocks='[]'", "blocks='x'", "encoding='latin-1'",
               "text=NULL", """errata='[{"start": 0, "end": 1, "says": "a", "record": "b"}]'""", "original='x'"],
}  # fmt: skip


@pytest.mark.parametrize(("table", "change"), [(table, change) for table in COLUMNS for change in COLUMNS[table]])
def test_every_column_of_a_large_database_is_checked_as_it_is_read(
    library: Library, generation: Path, monkeypatch: pytest.MonkeyPatch, table: str, change: str
) -> None:
    monkeypatch.setattr(generation_module, "_HASHED_ON_OPEN", 0)
    with closing(sqlite3.connect(generation / "texts.sqlite")) as db, db:
        db.execute(f"UPDATE {table} SET {change}")
    monkeypatch.setattr(
        generation_module, "read_manifest", lambda path, _: json.loads((path / "manifest.json").read_text())
    )
    with pytest.raises(IndexDamaged, match=r"--rebuild"):
        reopened(library).ask(QUESTION)


def test_a_text_that_is_not_what_was_indexed(
    library: Library, generation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation_module, "_HASHED_ON_OPEN", 0)
    with closing(sqlite3.connect(generation / "texts.sqlite")) as db, db:
        db.execute("UPDATE source SET text=replace(text, '41', '14')")
    with pytest.raises(IndexDamaged, match=r"source 'lights'.*--rebuild"):
        reopened(library).ask(QUESTION)


def test_parts_of_two_generations_do_not_pass_for_one(library: Library, generation: Path) -> None:
    (library.settings.sources / "more.md").write_text("More of it.")
    library.index()
    new = library.settings.index / current_name(library.settings.index)
    for name in ("manifest.json", "manifest.sha256"):
        shutil.copy(generation / name, new / name)
    with pytest.raises(IndexDamaged, match=r"--rebuild"):
        reopened(library).ask(QUESTION)


# --- what isn't an index -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["", "garbage", "../..", "../../gen-0000000000000000-0", "gen-", "gen-..", "gen-/etc", "/etc", "gen-a\\b", "gen-\0",
     "gen-" + "0" * 5000, "gen-0000000000000000-0\ngen-0000000000000000-1", "gen-zzzzzzzzzzzzzzzz-0"],
)  # fmt: skip
def test_current_that_names_no_generation(library: Library, name: str) -> None:
    (library.settings.index / "current").write_text(name)
    with pytest.raises(IndexDamaged, match=r"current.*--rebuild"):
        reopened(library).ask(QUESTION)
    reopened(library).index(rebuild=True)
    assert reopened(library).ask(QUESTION).status == "answered"


def test_current_that_names_what_has_gone(library: Library) -> None:
    (library.settings.index / "current").write_text("gen-0123456789abcdef-0\n")
    with pytest.raises(IndexDamaged, match=r"manifest.json.*--rebuild"):
        reopened(library).ask(QUESTION)
    assert reopened(library).index().encoded == 3


def test_current_in_another_encoding(library: Library) -> None:
    (library.settings.index / "current").write_bytes(b"\xff\xfeg\0")
    with pytest.raises(QAError, match=r"run `qa index"):
        Generation.open(library.settings.index)
    assert reopened(library).index().encoded == 3


def test_a_folder_of_something_else_is_no_index_and_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "photo.jpg").write_bytes(b"jpeg")
    with pytest.raises(IndexMissing, match=r"no index in .*run `qa index`"):
        Generation.open(tmp_path / "index")
    assert make(tmp_path, FILES).ask(QUESTION).status == "answered"
    assert (tmp_path / "index" / "photo.jpg").read_bytes() == b"jpeg"


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_an_index_folder_that_cant_be_one(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(SettingsError, match=r"can't be written to.*--index"), lock(tmp_path / place):
        pass


READ_ONLY = """
import sys
from tests.test_index import *
library = Library(Settings(Path(sys.argv[1]), Path(sys.argv[2])), encoder=WordEncoder())
print(library.ask(QUESTION).to_dict() == eval(sys.stdin.read()))
print(library.search('"burns coal"').hits[0].citation.quote.splitlines()[-1])
print(len(library.changes().changed), library.check_files() > 5)
for rebuild in (False, True):
    try:
        library.index(rebuild=rebuild)
    except SettingsError as error:
        print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_an_index_that_cant_be_written_to_still_answers(library: Library, generation: Path) -> None:
    command = [sys.executable, "-c", READ_ONLY, str(library.settings.sources), str(library.settings.index)]
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root without setpriv can write anywhere")
        command = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", *command]
    asked = repr(library.ask(QUESTION).to_dict())
    for path in generation.rglob(".tantivy*"):
        path.unlink()
    paths = [library.settings.index, *library.settings.index.rglob("*")]
    try:
        for path in paths:
            path.chmod(0o555 if path.is_dir() else 0o444)
        done = subprocess.run(command, cwd=ROOT, input=asked, capture_output=True, text=True, timeout=60)
    finally:
        for path in paths:
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert done.returncode == 0, done.stderr
    same, quote, changed, *errors = done.stdout.splitlines()
    assert (same, quote, changed) == ("True", "The grey tower of Skagen burns coal.", "0 True")
    assert len(errors) == 2 and all("can't be written to (Permission denied)" in error for error in errors)


# --- asked by vector ---------------------------------------------------------------------------------


def ships(folder: Path, sources: int, passages: int) -> Generation:
    """Sources of equal sections, so that all passages are one and the same text."""
    text = "".join("# Port\n\nThe ship came in at dawn.\n\n" for _ in range(passages))
    return make(folder, {f"s{n:04}.md": text for n in range(sources)}).generation()


def encoded(question: str) -> Floats:
    return WordEncoder().encode(question, "question").vector


@pytest.fixture(scope="module")
def equal(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    return ships(tmp_path_factory.mktemp("equal"), 250, 4)


@pytest.mark.parametrize("k", [1, 2, 7, 99, 100, 101, 999, 1000, 1001])
def test_of_equal_passages_the_first_are_found(equal: Generation, k: int) -> None:
    assert equal.count == 1000
    assert equal.vectors.nearest(encoded("When did the ship come?"), k) == list(range(min(k, 1000)))
    assert [n for n, _ in equal.lexicon.matching("When did the ship come?", k)] == list(range(min(k, 1000)))


@pytest.mark.parametrize("within", [[(500, 700)], [(3, 4), (10, 20), (990, 1000)], [(999, 1000)], [(0, 1000)], []])
def test_of_equal_passages_the_first_within_ranges_are_found(equal: Generation, within: list[tuple[int, int]]) -> None:
    inside = [n for a, b in within for n in range(a, b)]
    for k in (1, 15, 100):
        assert equal.vectors.nearest(encoded("ship"), k, within) == inside[:k]
        assert [n for n, _ in equal.lexicon.matching("ship", k, within)] == inside[:k]


def test_nearest_and_cosines_are_those_of_plain_arithmetic(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    files = {f"{n:03}.txt": " ".join(f"word{i}" for i in chance.integers(0, 40, 12)) for n in range(150)}
    generation = make(tmp_path, files).generation()
    for question in ("word1 word2 word3", "word39", "word7 word7 word8 something else"):
        vector = encoded(question)
        exact = [float(encoded(text).astype(np.float64) @ vector.astype(np.float64)) for text in files.values()]
        assert generation.vectors.cosines(vector, range(150)) == pytest.approx(exact, abs=1e-7)
        order = sorted(range(150), key=lambda n: (-generation.vectors.cosines(vector, [n])[0], n))
        for k in (1, 10, 149, 150, 151):
            assert generation.vectors.nearest(vector, k) == order[:k]
            assert generation.vectors.nearest(vector, k, [(20, 60), (100, 101)]) == [
                n for n in order if 20 <= n < 60 or n == 100][:k]  # fmt: skip


def test_a_cosine_depends_on_its_own_pair_alone(equal: Generation) -> None:
    vector = encoded("The ship came")
    (alone,) = equal.vectors.cosines(vector, [7])
    assert set(equal.vectors.cosines(vector, range(1000))) == {alone}
    assert equal.vectors.cosines(vector, []) == []


def test_none_are_asked_for(equal: Generation) -> None:
    assert equal.vectors.nearest(encoded("ship"), 0) == []


def test_many_passages_are_searched_by_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors_module, "_EXACT_UP_TO", 300)
    chance = np.random.default_rng(0)
    sections = [
        "\n\n".join(f"# S\n\n{' '.join(f'word{w}' for w in chance.integers(0, 300, 12))}" for _ in range(100))
        for _ in range(30)
    ]
    generation = make(tmp_path, {f"{n:02}.md": text for n, text in enumerate(sections)}).generation()
    how = generation.manifest["nearest"]
    assert how["factory"].startswith("IVF") and how["recall"] >= 0.98 and how["sample"] == 200
    for question in ("word1 word2 word3", "word77 word5"):
        vector = encoded(question)
        cosines = generation.vectors.cosines(vector, range(3000))
        order = sorted(range(3000), key=lambda n: (-cosines[n], n))
        found = generation.vectors.nearest(vector, 100)
        assert len(found) == 100 and len({*found} & {*order[:100]}) >= 80
        assert found == sorted(found, key=lambda n: (-cosines[n], n)) == generation.vectors.nearest(vector, 100)
        for within in ([(7, 8)], [(100, 350)], [(n, n + 1) for n in range(0, 600, 2)]):  # few enough for all of them
            inside = [n for n in order if any(a <= n < b for a, b in within)]
            assert generation.vectors.nearest(vector, 100, within) == inside[:100]


# --- asked by words ----------------------------------------------------------------------------------

SPELLINGS = {
    "0.txt": "The U.S. and Japan signed it.",
    "1.txt": "The US and Shinzō met.",
    "2.txt": "Shinzo Abe walked 54,000 miles; walking helps.",
    "3.txt": "Ａｂｅ’s naïve café costs 54000.",
    "4.txt": "Korea clause: a clause on Korea.",
    "5.txt": "The Straße of O’Brien, co\u00adoperation.",
}


@pytest.fixture(scope="module")
def spellings(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    return make(tmp_path_factory.mktemp("spellings"), SPELLINGS).generation()


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("US", {0, 1}),
        ("U.S.", {0, 1}),
        ("u.s", {0, 1}),
        ("Shinzo", {1, 2}),
        ("SHINZŌ", {1, 2}),
        ("shinzo\u0304", {1, 2}),
        ("Abe", {2, 3}),
        ("54000", {2, 3}),
        ("54,000", {2, 3}),
        ("NAIVE cafe", {3}),
        ("walks", {2}),
        ("strasse", {5}),
        ("cooperation", {5}),
        ("zebra", set()),
        ("?!", set()),
    ],
)
def test_spellings_of_a_word_meet(spellings: Generation, question: str, found: set[int]) -> None:
    assert {n for n, _ in spellings.lexicon.matching(question, 10)} == found


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ('"Korea clause"', [4]),
        ('the "clause Korea"', []),
        ('"clause on Korea" and "Korea clause"', [4]),
        ("„US and“", [0, 1]),
        ("“U.S. and”", [0, 1]),
        ("«SHINZŌ ABE»", [2]),
        ('"and"', [0, 1]),
        ('"walked 54,000 miles"', [2]),
        ('"walk 54000 mile"', [2]),
        ('"Korea clause" "Shinzo Abe"', []),
        ('a " mark alone', None),
        ('"" and "?!"', None),
        ("no quotes", None),
    ],
)
def test_phrases_hold_in_order(spellings: Generation, question: str, found: list[int] | None) -> None:
    assert spellings.lexicon.holding(question) == found
    if found is not None:
        assert {n for n, _ in spellings.lexicon.matching(question, 10)} <= set(found)


@pytest.mark.parametrize(
    "question", ["what AND (is", "text:US", "a^2 [1 TO 3]", "US*~", "\\", "-US +Japan", "number:1", "{!x}", "'"]
)
def test_nothing_in_a_question_is_syntax(spellings: Generation, question: str) -> None:
    assert all(0 <= n < 6 for n, _ in spellings.lexicon.matching(question, 10))
    spellings.lexicon.rarity(question)


def test_questions_of_function_words_are_matched_by_all_of_them(spellings: Generation) -> None:
    assert {n for n, _ in spellings.lexicon.matching("the", 10)} == {0, 1, 5}
    assert {n for n, _ in spellings.lexicon.matching("the Korea", 10)} == {4}


def test_rarity_is_bm25_s_idf(spellings: Generation) -> None:
    rarity = spellings.lexicon.rarity("Where did the Korea US zebra?")
    assert list(rarity) == ["korea", "us", "zebra"]
    assert rarity["korea"] == pytest.approx(np.log(1 + 5.5 / 1.5))
    assert rarity["us"] == pytest.approx(np.log(1 + 4.5 / 2.5))
    assert rarity["zebra"] == pytest.approx(np.log(1 + 6.5 / 0.5))


def test_stems(spellings: Generation) -> None:
    assert spellings.lexicon.stems(["walking", "walks", "54000", "東", ""]) == ["walk", "walk", "54000", "東", ""]


# --- passages and sources ----------------------------------------------------------------------------


def test_every_passage_comes_back_as_it_was_split(tmp_path: Path) -> None:
    files = {**FILES, "scripts.txt": "Smile 😀👩‍👩‍👧 here.\n\nمرحبا بالعالم.\n\nCafe\u0301 and naïve.\n\n船が来た。"}
    generation = make(tmp_path, files).generation()
    assert [entry.info.id for entry in generation.texts.entries] == ["lights", "pilots", "scripts"]
    numbers = generation.texts.passage_numbers()
    assert sorted(numbers.values()) == list(range(generation.count))
    for entry in generation.texts.entries:
        source = generation.texts.source(entry.info.id)
        assert source is not None and source.text == files[f"{source.id}.{'txt' if source.id == 'scripts' else 'md'}"]
        assert source.info == entry.info
        found = generation.texts.passages_of(source)
        assert found == [generation.texts.passage(n)[1] for n in range(entry.first, entry.last)]
        for n in range(entry.first, entry.last):
            passage = generation.texts.passage(n)[1]
            assert numbers[source.sha256, passage.start, passage.end] == n
            codes, parts = generation.token_codes(n)
            text = source.text[passage.start : passage.end]
            assert len(codes) == WordEncoder().count(text) - 2
            assert np.array_equal(generation.vectors.rows([n])[0], encoded(text))
            for part in parts:
                within = WordEncoder().count(source.text[part.start : part.end]) - 2
                assert part.last - part.first == within
                assert passage.start <= part.start < part.end <= passage.end


@pytest.mark.parametrize("number", [-1, 3, 10**9])
def test_a_passage_that_isnt_there(library: Library, number: int) -> None:
    with pytest.raises(IndexDamaged, match=f"no passage {number}"):
        library.generation().texts.passage(number)
    with pytest.raises(IndexDamaged, match=f"no passage {number}"):
        library.generation().token_codes(number)


def test_a_source_that_isnt_there(library: Library) -> None:
    assert library.generation().texts.source("none") is None
    assert library.generation().texts.source(99) is None


@pytest.mark.parametrize("text", ["***\n", "\u200b\u200b", "!!!\n\n???", "- \u200b\n- …"])
def test_a_passage_without_words_or_tokens_is_indexed_all_the_same(tmp_path: Path, text: str) -> None:
    library = make(tmp_path, {**FILES, "odd.md": text})
    source = library.source("odd")
    assert library.generation().texts.passages_of(source)
    assert library.ask(QUESTION).citations[0].source == "lights"
    assert {hit.citation.source for hit in library.search(QUESTION, 10).hits} == {"lights", "pilots", "odd"}
