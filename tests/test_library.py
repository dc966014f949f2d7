"""The façade: builds when there is no index, notices what changed, shows citations in their surroundings."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from qa import library as library_module
from qa.errors import IndexDamaged, NotFound, QAError, QueryError, SettingsError, SourceError
from qa.index import lock
from qa.library import Changes, Library
from qa.loaders import find_files
from qa.settings import Settings
from tests.fakes import WordEncoder

NOTES = {
    "lights.md": "# Lights\n\n## Brandholm\n\nThe old lighthouse of Brandholm is 41 metres tall.\n\n"
    "## Skagen\n\nThe grey tower of Skagen burns coal. 👩‍👩‍👧\n\n## Ærø\n\nCafe\u0301 naïve.\n\n## Fur\n\nA lamp.\n",
    "pilots.txt": "Pilots know both lights.\n",
    "deep/cod.md": "Dried cod keeps for years.\n",
}
QUESTION = "How tall is the old lighthouse of Brandholm?"


@pytest.fixture(autouse=True)
def always_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the sources folder whenever asked, not once a second."""
    monkeypatch.setattr(library_module, "_CHANGES_LAST", -1.0)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    for name, text in NOTES.items():
        (tmp_path / "sources" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "sources" / name).write_text(text, encoding="utf-8")
    return Library(Settings(tmp_path / "sources", tmp_path / "index"), encoder=WordEncoder())


@pytest.fixture
def sources(library: Library) -> Path:
    return library.settings.sources


def again(library: Library) -> Library:
    return Library(library.settings, encoder=WordEncoder())


# --- building ----------------------------------------------------------------------------------------


def test_first_question_builds_and_the_next_do_not(library: Library) -> None:
    stages: list[str] = []
    asked = Library(library.settings, encoder=WordEncoder(), progress=lambda stage, done, total: stages.append(stage))
    answer = asked.ask(QUESTION)
    assert answer.status == "answered" and "41 metres" in answer.citations[0].quote
    assert {"reading", "encoding"} <= set(stages)
    stages.clear()
    assert asked.ask(QUESTION).to_dict() == again(library).ask(QUESTION).to_dict() == answer.to_dict()
    assert stages == []


def test_threads_that_ask_first_build_once(library: Library) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = [future.result().to_dict() for future in [pool.submit(library.ask, QUESTION) for _ in range(6)]]
    assert all(answer == answers[0] for answer in answers)
    assert len(list(library.settings.index.glob("gen-*"))) == 1


def test_indexing_tells_what_it_did(library: Library) -> None:
    done = library.index()
    assert done.to_dict() == {
        "generation": library.generation().id, "sources": 3, "passages": 6, "encoded": 6}  # fmt: skip
    assert library.index().to_dict() == {**done.to_dict(), "encoded": 0}
    assert library.index(rebuild=True).to_dict() == done.to_dict()
    assert [info.id for info in library.sources()] == ["deep-cod", "lights", "pilots"]
    assert library.check_files() > 5


@pytest.mark.parametrize(
    "files", [{}, {"empty.md": ""}, {"blank.txt": " \n\t\n"}, {"picture.png": "x"}, {".a.md": "x"}]
)
def test_a_folder_without_texts(tmp_path: Path, files: dict[str, str]) -> None:
    (tmp_path / "sources").mkdir()
    for name, text in files.items():
        (tmp_path / "sources" / name).write_text(text)
    library = Library(Settings(tmp_path / "sources", tmp_path / "index"), encoder=WordEncoder())
    for call in (library.index, library.sources, lambda: library.ask(QUESTION)):
        with pytest.raises(SourceError, match=r"holds no text; put \.md or \.txt files there"):
            call()
    (tmp_path / "sources" / "a.md").write_text("The ship.")
    assert library.ask("ship").passages[0].citation.quote == "The ship."


def test_sources_that_arent_there(tmp_path: Path) -> None:
    library = Library(Settings(tmp_path / "nowhere", tmp_path / "index"), encoder=WordEncoder())
    with pytest.raises(SourceError, match=r"nowhere is not a folder.*--sources"):
        library.ask(QUESTION)


def test_files_that_cant_be_used_are_all_told_and_may_be_left_out(library: Library, sources: Path) -> None:
    before = library.ask(QUESTION)
    (sources / "bad.md").write_bytes(b"\0\1\2\xff")
    (sources / "pilots.md").write_text("the id is taken")
    with pytest.raises(SourceError) as caught:
        library.index()
    assert "bad.md" in str(caught.value) and "'pilots'" in str(caught.value) and "--skip-invalid" in str(caught.value)
    assert library.ask(QUESTION).citations == before.citations
    assert library.index(skip_invalid=True).sources == 3
    assert not library.changes()
    (sources / "bad.md").write_text("Now it is good.")
    assert library.changes() == Changes(changed=("bad.md",))


def test_a_build_waits_for_another_and_says_so(library: Library) -> None:
    told = threading.Event()

    def progress(stage: str, *counts: int) -> None:
        if stage.startswith("waiting for another") and counts == (0, 0):
            told.set()

    waiting = Library(library.settings, encoder=WordEncoder(), progress=progress)
    with ThreadPoolExecutor(1) as pool:
        with lock(library.settings.index):
            future = pool.submit(waiting.index)
            assert told.wait(20)
            assert not future.done()
        assert future.result(20).encoded == 6


def test_an_index_folder_that_is_a_file(library: Library) -> None:
    library.settings.index.write_text("a file")
    with pytest.raises(SettingsError, match=r"can't be written to.*--index"):
        library.ask(QUESTION)


def test_an_index_within_the_sources_is_not_read_as_one(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("The ship came in.")
    library = Library(Settings(tmp_path, tmp_path / "index"), encoder=WordEncoder())
    library.index()
    assert [info.id for info in library.sources()] == ["a"]
    assert not library.changes() and library.index().encoded == 0


# --- what has changed --------------------------------------------------------------------------------


def add(sources: Path) -> Changes:
    (sources / "new.md").write_text("New.")
    (sources / "deep" / "new.txt").write_text("New.")
    return Changes(added=("deep/new.txt", "new.md"))


def change(sources: Path) -> Changes:
    (sources / "pilots.txt").write_text("Pilots know no lights at all.\n")
    return Changes(changed=("pilots.txt",))


def change_but_not_the_length(sources: Path) -> Changes:
    (sources / "pilots.txt").write_text(NOTES["pilots.txt"].replace("both", "many"))
    return Changes(changed=("pilots.txt",))


def remove(sources: Path) -> Changes:
    shutil.rmtree(sources / "deep")
    return Changes(removed=("deep/cod.md",))


def rename(sources: Path) -> Changes:
    (sources / "pilots.txt").rename(sources / "guides.txt")
    return Changes(added=("guides.txt",), removed=("pilots.txt",))


def remove_all(sources: Path) -> Changes:
    shutil.rmtree(sources)
    sources.mkdir()
    return Changes(removed=("deep/cod.md", "lights.md", "pilots.txt"))


def touch(sources: Path) -> Changes:
    for path in sources.rglob("*"):
        os.utime(path, ns=(1, 1))
    return Changes()


def rewrite(sources: Path) -> Changes:
    (sources / "pilots.txt").write_text(NOTES["pilots.txt"])
    return Changes()


def vanish(sources: Path) -> Changes:
    shutil.rmtree(sources)
    return Changes()


def become_a_file(sources: Path) -> Changes:
    shutil.rmtree(sources)
    sources.write_text("a file")
    return Changes()


def add_what_is_no_source(sources: Path) -> Changes:
    (sources / "picture.png").write_bytes(b"png")
    (sources / ".hidden.md").write_text("hidden")
    (sources / "folder.md").mkdir()
    return Changes()


def replace_by_a_folder(sources: Path) -> Changes:
    (sources / "pilots.txt").unlink()
    (sources / "pilots.txt").mkdir()
    return Changes(removed=("pilots.txt",))


EDITS = [add, change, change_but_not_the_length, remove, rename, remove_all, touch, rewrite, vanish, become_a_file,
         add_what_is_no_source, replace_by_a_folder]  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_changes_are_noticed_and_the_index_answers_on(
    library: Library, sources: Path, edit: Callable[[Path], Changes]
) -> None:
    before = library.ask(QUESTION)
    assert not library.changes() and not before.index.stale
    expected = edit(sources)
    for reader in (library, again(library)):
        assert reader.changes() == expected
        answer = reader.ask(QUESTION)
        assert (answer.citations, answer.passages) == (before.citations, before.passages)
        assert answer.index.stale == bool(expected)
        assert reader.search(QUESTION).index.stale == bool(expected)
    if any(path.is_file() for path in sources.rglob("*.md")):
        library.index()
        assert not library.changes() and not library.ask(QUESTION).index.stale


def test_changes_read_well() -> None:
    assert str(Changes(("a", "b"), ("c",), (), True)) == "2 added, 1 changed, another model set"
    assert str(Changes()) == ""


def test_a_file_that_vanishes_while_it_is_looked_at_has_changed(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index()

    def find_then_remove(folder: Path) -> list[Path]:
        paths = list(find_files(folder))
        (folder / "pilots.txt").unlink()
        return paths

    monkeypatch.setattr(library_module, "find_files", find_then_remove)
    assert library.changes() == Changes(changed=("pilots.txt",))


def test_a_look_at_the_sources_holds_good_for_a_while(
    library: Library, sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library_module, "_CHANGES_LAST", 60.0)
    assert not library.changes()
    (sources / "new.md").write_text("New.")
    assert not library.changes()
    assert again(library).changes()
    library.index()
    assert not library.changes()
    (sources / "new.md").unlink()
    monkeypatch.setattr(library_module, "_CHANGES_LAST", 0.01)
    time.sleep(0.02)
    assert library.changes() == Changes(removed=("new.md",))


def test_an_index_of_other_sources_is_an_error(library: Library, tmp_path: Path) -> None:
    library.index()
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "poems.md").write_text("Roses are red.")
    other = Library(Settings(tmp_path / "others", library.settings.index), encoder=WordEncoder())
    for call in (other.changes, lambda: other.ask(QUESTION), lambda: other.search(QUESTION)):
        with pytest.raises(IndexDamaged, match=r"built from other sources: none of its 3 files.*--index.*`qa index`"):
            call()
    other.index()
    assert other.ask("red roses").citations[0].source == "poems"


# --- opening again -----------------------------------------------------------------------------------


def test_a_library_opens_what_another_made_current(library: Library, sources: Path) -> None:
    assert library.ask(QUESTION).status == "answered"
    for n in range(3):
        (sources / "lights.md").write_text(f"The old lighthouse of Brandholm is {n} metres tall.")
        done = again(library).index()
        answer = library.ask(QUESTION, 1)
        assert answer.citations[0].quote == f"The old lighthouse of Brandholm is {n} metres tall."
        assert answer.index.generation == done.generation and not answer.index.stale


def test_an_index_that_goes_is_built_anew(library: Library) -> None:
    before = library.ask(QUESTION).to_dict()
    shutil.rmtree(library.settings.index)
    assert library.ask(QUESTION).to_dict() == before


# --- showing -----------------------------------------------------------------------------------------


def test_every_quote_is_shown_verbatim_in_its_surroundings(library: Library) -> None:
    text = library.source("lights").text
    near = [(p.start, p.end) for p in library.generation().texts.passages_of(library.source("lights"))]
    version = library.source("lights").sha256[:16]
    assert len(near) == 4
    for start in range(0, len(text), 3):
        for end in [*range(start + 1, len(text), 11), len(text)]:
            place = library.show(f"lights@{version}:{start}-{end}")
            assert place.citation.quote == text[start:end]
            before, after = start - len(place.before), end + len(place.after)
            assert text[before:start] == place.before and text[end:after] == place.after
            met = [i for i, (a, b) in enumerate(near) if a < end and start < b]
            if met:
                assert before == min(start, near[max(met[0] - 1, 0)][0])
                assert after == max(end, near[min(met[-1] + 1, 3)][1])
            else:
                assert place.before == place.after == ""


def test_show_gives_what_was_cited(library: Library) -> None:
    for hit in library.search("tower lamp lighthouse", 10).hits:
        assert library.show(hit.citation.id).citation == hit.citation
    place = library.show(library.ask(QUESTION).citations[0].id).to_dict()
    assert set(place) == {"citation", "before", "after"}
    assert place["before"] == "# Lights\n\n## Brandholm\n\n"
    assert place["after"] == "\n\n## Skagen\n\nThe grey tower of Skagen burns coal. 👩‍👩‍👧"


@pytest.mark.parametrize(
    ("id", "error", "told"),
    [
        ("lights@{sha}:0-100000", NotFound, "ends after the end of 'lights', which has"),
        ("lights@{sha}:5-5", QueryError, "is no citation id"),
        ("lights@{sha}:9-5", QueryError, "is no citation id"),
        ("lights@{sha}:5", QueryError, "is no citation id"),
        ("lights", QueryError, "is no citation id"),
        ("", QueryError, "is no citation id"),
        ("nobody@{sha}:0-5", NotFound, "no source 'nobody'"),
        ("lights@0000000000000000:0-5", NotFound, "cites version 0000000000000000 of 'lights', and the index holds"),
    ],
)
def test_a_citation_that_isnt_there(library: Library, id: str, error: type[QAError], told: str) -> None:
    sha = library.source("lights").sha256[:16]
    with pytest.raises(error, match=told):
        library.show(id.format(sha=sha))


def test_a_citation_of_an_old_version_is_not_shown_as_the_new(library: Library, sources: Path) -> None:
    old = library.ask(QUESTION).citations[0].id
    (sources / "lights.md").write_text("Something else stands here now, and it is about as long as it was before.")
    library.index()
    with pytest.raises(NotFound, match="cites version"):
        library.show(old)


WORDS = "The old lighthouse of Brandholm is 41 metres tall."


def test_a_quotation_is_looked_for_in_the_index_in_force(library: Library, sources: Path) -> None:
    [place] = library.quote(WORDS).places
    assert library.show(place.citation.id).citation == place.citation
    (sources / "lights.md").write_text("Nothing is told of any tower.")
    assert library.quote(WORDS).state == "exact"  # as it was indexed
    library.index()
    assert library.quote(WORDS).state == "not_found"


def test_a_quotation_is_of_the_sources_it_is_said_to_be(library: Library) -> None:
    assert library.quote(WORDS, ["lights"]).state == library.quote(WORDS, ["pilots", "lights"]).state == "exact"
    assert library.quote(WORDS, ["pilots"]).state == "misattributed"
    with pytest.raises(NotFound, match="no source 'nobody' in the index; `qa sources`"):
        library.quote(WORDS, ["pilots", "nobody"])


@pytest.mark.parametrize("limit", [-1, 0, 1001])
def test_the_limit_of_places_has_bounds(library: Library, limit: int) -> None:
    with pytest.raises(QueryError, match=f"the limit is {limit}; it can be 1 to 1000"):
        library.quote(WORDS, limit=limit)


def test_citations_are_verified_against_the_folder_as_it_is(library: Library, sources: Path) -> None:
    citation = library.ask(QUESTION).citations[0]
    text = NOTES["lights.md"]

    def state(given: object) -> str:
        [item] = library.verify(given).items
        return item.state

    assert library.verify(citation.to_dict()).holds and not library.verify("none").holds
    (sources / "lights.md").write_text(text + "More.")
    assert state(citation.to_dict()) == "intact"
    (sources / "lights.md").write_text("# First\n\nMore.\n\n" + text)
    assert state(citation.to_dict()) == state(citation.id) == state(f"As {citation.id} has it.") == "moved"
    library.index()  # which forgets the version cited
    assert state(citation.id) == "unknown_version"
    (sources / "lights.md").write_text(text.replace("41", "42"))
    assert state(citation.to_dict()) == "altered"
    (sources / "lights.md").unlink()
    assert state(citation.to_dict()) == "unknown_source"


def test_verifying_tells_of_files_that_cant_be_read(library: Library, sources: Path) -> None:
    given = library.ask(QUESTION).to_dict()
    (sources / "bad.md").write_bytes(b"\0\1\2\xff")
    result = library.verify(given)
    assert result.holds and len(result.problems) == 1 and "bad.md" in result.problems[0]


def test_a_source_comes_as_it_was_indexed(library: Library, sources: Path) -> None:
    library.index()
    (sources / "pilots.txt").write_text("changed")
    assert library.source("pilots").text == NOTES["pilots.txt"]
    with pytest.raises(NotFound, match="no source 'nobody' in the index; `qa sources`"):
        library.source("nobody")


def test_a_library_opens_on_two_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    library = Library.open("texts", "somewhere")
    assert (library.settings.sources, library.settings.index) == (Path("texts"), Path("somewhere"))
    assert Library().settings.index == Path("index")
