"""The laws of the index, tried with edits, kills, races and threads.

4. Nothing found is `not_found`.
5. Same question, same index, same bytes.
7. Old or new, never mixed: `kill -9` at any step leaves the old or the new index, whole.
8. Re-index ≡ fresh build, scores included, and only what changed is encoded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qa.encoder import Encoding, Role
from qa.errors import SourceError
from qa.generation import Generation
from qa.library import Library
from qa.settings import Settings
from tests.fakes import WordEncoder

ROOT = Path(__file__).parent.parent

PARAGRAPHS = [
    "The old lighthouse of Brandholm is 41 metres tall. Its lamp was lit in 1879.",
    "The grey tower of Skagen burns coal. Fishermen pay for it with dried cod.",
    "Pilots know both lights. 👩‍👩‍👧 Cafe\u0301 naïve 東京。",
    "# Harbours",
    "***",
    "- dried cod\n- coal\n- whale oil",
    "the lamp " * 150,
    "\u200b",
]
QUESTIONS = ["How tall is the lighthouse?", '"dried cod" and coal', "lamp", "who is there", "whale 東京"]

names = st.sampled_from(["a.md", "b.txt", "c.md", "deep/d.md", "deep/e.txt"])
contents = st.lists(st.sampled_from(PARAGRAPHS), max_size=5).map("\n\n".join)
edits = st.lists(st.tuples(names, st.none() | contents), min_size=1, max_size=4)


class Counting(WordEncoder):
    """Notes which texts it encoded as passages."""

    def __init__(self) -> None:
        self.passages: list[str] = []

    def encode(self, text: str, role: Role) -> Encoding:
        if role == "passage":
            self.passages.append(text)
        return super().encode(text, role)


def write(folder: Path, files: dict[str, str]) -> None:
    """Make a folder hold these files and no others."""
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text:
            (folder / name).write_text(text, encoding="utf-8")


def told(library: Library) -> dict[str, Any]:
    """Everything a library says: its passages with all their digits, and its sources."""
    hits = {question: library.search(question, 20).hits for question in QUESTIONS}
    return {"hits": hits, "sources": [library.source(info.id) for info in library.sources()]}


def passages(library: Library) -> list[tuple[str, str]]:
    """(sha256 of the source, text) of every passage in the index."""
    generation = library.generation()
    found = [generation.texts.passage(number) for number in range(generation.count)]
    return [(source.sha256, source.text[p.start : p.end]) for source, p in found]


# --- law 8 -------------------------------------------------------------------------------------------


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(names, contents, min_size=1), st.lists(edits, min_size=1, max_size=2))
def test_law_8_a_re_index_is_a_fresh_build(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, str], rounds: list[list[tuple[str, str | None]]]
) -> None:
    folder = tmp_path_factory.mktemp("law8")
    sources = folder / "sources"
    sources.mkdir()
    files = {**files, "always.md": PARAGRAPHS[0]}
    write(sources, files)
    library = Library(Settings(sources, folder / "index"), encoder=Counting())
    library.index()
    for number, edit in enumerate(rounds):
        before = {sha for sha, _ in passages(library)}
        for name, text in edit:
            if text is None:
                files.pop(name, None)
            else:
                files[name] = text
        write(sources, files)
        counting = Counting()
        library = Library(Settings(sources, folder / "index"), encoder=counting)
        done = library.index()
        expected = [text for sha, text in passages(library) if sha not in before]
        assert sorted(counting.passages) == sorted(expected)
        assert done.encoded == len(expected)
        fresh = Library(Settings(sources, folder / f"fresh{number}"), encoder=WordEncoder())
        assert fresh.index().generation == done.generation
        assert told(library) == told(fresh)
        ours, theirs = library.generation(), fresh.generation()
        assert {**ours.manifest, "files": 0} == {**theirs.manifest, "files": 0}
        for name in ("vectors.f32", "tokens.u2", "rotation.f32", "nearest.faiss"):
            assert (ours.folder / name).read_bytes() == (theirs.folder / name).read_bytes()


def test_law_8_one_changed_document_of_many_is_encoded_alone(tmp_path: Path) -> None:
    files = {f"{n:03}.md": f"# Note {n}\n\nThe ship number {n} came in.\n" for n in range(200)}
    (tmp_path / "sources").mkdir()
    write(tmp_path / "sources", files)
    counting = Counting()
    library = Library(Settings(tmp_path / "sources", tmp_path / "index"), encoder=counting)
    assert library.index().encoded == len(counting.passages) == 200
    counting.passages.clear()
    write(tmp_path / "sources", {**files, "100.md": "# Note 100\n\nThe ship sank.\n"})
    assert library.index().encoded == 1
    assert counting.passages == ["# Note 100\n\nThe ship sank."]
    counting.passages.clear()
    (tmp_path / "sources" / "100.md").rename(tmp_path / "sources" / "999.md")  # the same text under another id
    assert library.index().encoded == 0 and counting.passages == []
    assert library.search("sank", 1).hits[0].citation.source == "999"
    assert library.index(rebuild=True).encoded == len(counting.passages) == 200


# --- law 5 -------------------------------------------------------------------------------------------


def dumped(library: Library) -> str:
    answers = [library.ask(question, k).to_dict() for question in QUESTIONS for k in (1, 7)]
    return json.dumps([answers, [info.to_dict() for info in library.sources()]])


def small(folder: Path) -> Library:
    folder.mkdir(exist_ok=True)
    write(folder, {f"{n}.md": "\n\n".join(PARAGRAPHS[n:] + PARAGRAPHS[:n]) for n in range(4)})
    return Library(Settings(folder, folder.parent / "index"), encoder=WordEncoder())


def test_law_5_the_same_bytes_from_any_thread_process_and_build(tmp_path: Path) -> None:
    library = small(tmp_path / "sources")
    expected = dumped(library)
    assert dumped(Library(library.settings, encoder=WordEncoder())) == expected
    with ThreadPoolExecutor(8) as pool:
        assert {future.result() for future in [pool.submit(dumped, library) for _ in range(16)]} == {expected}
    script = (
        "import sys; from pathlib import Path; from tests.test_index_laws import *\n"
        "library = small(Path(sys.argv[1])); library.index(rebuild=True); print(dumped(library), end='')"
    )
    other = tmp_path / "elsewhere"
    other.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script, str(other / "sources")],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "77", "OMP_NUM_THREADS": "1", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == expected


# --- law 4 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", ["Zebras?", '"lamp of Skagen" tall', '"41 metres" "dried cod"', '"zebra" lamp'])
def test_law_4_nothing_found_is_not_found(tmp_path: Path, question: str) -> None:
    library = small(tmp_path / "sources")
    write(tmp_path / "sources", {"a.md": PARAGRAPHS[0], "b.md": PARAGRAPHS[1]})
    library.index()
    answer = library.ask(question)
    assert answer.status == "not_found"
    assert not (answer.citations or answer.passages or answer.values)
    assert len(answer.related) == 2


# --- law 7 -------------------------------------------------------------------------------------------

# Builds again and again, each time in a child of its own that dies at another step: at the nth thing that Python asks
# of the system about the index, or, as faiss, tantivy and sqlite tell Python nothing, after some time. What is left
# must be one whole generation, old or new, that answers as it did; the next build must end well and clean up.
KILLS = """
import os, random, signal, sys, traceback
from pathlib import Path
from tests.test_index_laws import *
import langchain_text_splitters, random

folder = Path(sys.argv[1])
index = folder / "index"
STEPS = ("open os.rename os.mkdir os.remove os.rmdir os.link os.chmod tempfile.mkdtemp shutil.rmtree "
         "os.fsync sqlite3.connect").split()
library = lambda: Library(Settings(folder / "sources", index), encoder=WordEncoder())

def child(work):
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

def state(n):
    files = {f"{i}.md": PARAGRAPHS[i % 3] + f" Version {n}." for i in range(3)}
    write(folder / "sources", {**files, f"only{n % 2}.md": "The ship came in."})

def build(die_at=None, die_after=None):
    seen = []
    def step(event, arguments):
        if event in STEPS and any(str(index) in str(a) for a in arguments):
            seen.append(event)
            if len(seen) == die_at:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(step)
    sync = os.fsync
    os.fsync = lambda descriptor: (step("os.fsync", [index]), sync(descriptor))
    if die_after:
        signal.setitimer(signal.ITIMER_REAL, die_after)  # the signal's default is to end the process there and then
    library().index()
    (folder / "steps").write_text(" ".join(seen))

def check(n, finished):
    generation = Generation.open(index)
    versions = {source.text.split("Version ")[1][0] for i in range(3) if (source := generation.texts.source(str(i)))}
    assert versions == {str(n)} or (versions == {str(n - 1)} and not finished), (versions, n, finished)
    v = int(versions.pop())
    assert {e.info.id for e in generation.texts.entries} == {"0", "1", "2", f"only{v % 2}"}
    hits = search(generation, WordEncoder(), "How tall is the lighthouse?", 5)
    assert "41 metres" in hits[0].citation.quote and f"Version {v}" in hits[0].citation.quote
    assert library().check_files() > 5

def after(n):
    library().index()
    check(n, True)
    left = {path.name for path in index.iterdir()}
    generations = {name for name in left if name.startswith("gen-")}
    assert left - generations <= {".lock", "current", ".current"}, left
    assert len(generations) <= 2, left

from qa.search import search
state(0)
assert child(build) == 0
state(1)
assert child(build) == 0
steps = (folder / "steps").read_text().split()
n = 1
switch = steps.index("os.rename") + 1  # what is built gets its name, and then becomes current
assert steps.count("os.rename") == 2 and switch < len(steps) - 7
chosen = [*range(switch, switch + 7), len(steps), *random.Random(7).sample(range(1, switch), int(sys.argv[2]))]
for number, how in enumerate([{"die_at": s} for s in sorted(chosen)] + [{"die_after": t / 50} for t in range(1, 4)]):
    n = (n + 1) % 10 or 1
    if n == 1:
        state(0); assert child(build) == 0; state(1); assert child(build) == 0; n = 2
    state(n)
    status = child(lambda: build(**how))
    assert "die_after" in how or os.WTERMSIG(status) == signal.SIGKILL, (how, status)
    assert child(lambda: check(n, status == 0)) == 0, how
    assert child(lambda: after(n)) == 0, how
print(len(steps), "steps")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_law_7_killed_at_any_step_a_build_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", KILLS, str(tmp_path), "3"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 20


BUILD = """
import sys, time
from pathlib import Path
from tests.test_index_laws import *

class Slow(WordEncoder):
    def encode(self, text, role):
        time.sleep(0.02)
        return super().encode(text, role)

library = Library(Settings(Path(sys.argv[1]), Path(sys.argv[2])), encoder=Slow(), progress=lambda *a: print(a[0]))
print("ready", flush=True)
sys.stdin.readline()
print(library.index())
print(library.ask("How tall is the lighthouse?").status)
"""


def test_law_7_two_builds_at_once_both_end_well(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    write(tmp_path / "sources", {f"{n}.md": f"{PARAGRAPHS[0]} {n}" for n in range(60)})
    command = [sys.executable, "-c", BUILD, str(tmp_path / "sources"), str(tmp_path / "index")]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with (
        subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as one,
        subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as other,
    ):
        assert one.stdout and other.stdout
        assert one.stdout.readline() == other.stdout.readline() == "ready\n"
        with ThreadPoolExecutor(2) as pool:
            told = [future.result() for future in [pool.submit(p.communicate, "\n", 60) for p in (one, other)]]
    assert [one.returncode, other.returncode] == [0, 0], told
    outputs = sorted(out for out, _ in told)
    assert sum("waiting for another" in out for out in outputs) == 1
    assert sorted(out.split("encoded=")[1].split(")")[0] for out in outputs) == ["0", "60"]
    assert all(out.endswith("answered\n") for out in outputs)
    assert len(list((tmp_path / "index").glob("gen-*"))) == 1
    assert not list((tmp_path / "index").glob(".building-*"))


def test_law_7_a_failed_build_leaves_the_old_index_and_nothing_else(tmp_path: Path) -> None:
    library = small(tmp_path / "sources")
    library.index()
    before = dumped(library)
    present = sorted(path.name for path in (tmp_path / "index").iterdir())

    class Failing(WordEncoder):
        def encode(self, text: str, role: Role) -> Encoding:
            if "poison" in text:
                raise SourceError("the encoder fails at this")
            return super().encode(text, role)

    (tmp_path / "sources" / "new.md").write_text("some poison here", encoding="utf-8")
    with pytest.raises(SourceError, match="fails at this"):
        Library(library.settings, encoder=Failing()).index()
    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == present
    (tmp_path / "sources" / "new.md").unlink()
    assert dumped(library) == before


def test_law_7_an_open_reader_outlives_two_re_indexes(tmp_path: Path) -> None:
    library = small(tmp_path / "sources")
    generation = library.generation()  # opened, and asked nothing yet
    for n in range(3):
        (tmp_path / "sources" / "0.md").write_text(f"{PARAGRAPHS[0]} Version {n}.", encoding="utf-8")
        Library(library.settings, encoder=WordEncoder()).index()
    assert not generation.folder.exists()
    assert "lit in 1879. Version 2." in library.search("How tall is the lighthouse? Version 2").hits[0].citation.quote
    assert library.generation().folder != generation.folder
    if os.name == "posix":  # the files stay until they are closed
        from qa.search import search

        hits = search(generation, WordEncoder(), "How tall is the lighthouse?", 3)
        assert "Version" not in hits[0].citation.quote and "41 metres" in hits[0].citation.quote


def test_law_7_threads_ask_while_another_re_indexes(tmp_path: Path) -> None:
    library = small(tmp_path / "sources")
    library.index()
    done = threading.Event()

    def version(n: int) -> None:
        for i in range(3):
            (tmp_path / "sources" / f"v{i}.md").write_text(f"The mast number {i} stands at version v{n}x.")

    def ask() -> int:
        rounds = 0
        while not done.is_set() or rounds < 3:
            result = library.search("mast number version", 5)
            quotes = [hit.citation.quote for hit in result.hits if "mast" in hit.citation.quote]
            assert len({quote.split("version")[1] for quote in quotes}) <= 1, quotes
            rounds += 1
        return rounds

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask) for _ in range(2)]
        try:
            for n in range(6):
                version(n)
                Library(library.settings, encoder=WordEncoder()).index()
        finally:
            done.set()
        assert all(future.result(30) >= 3 for future in asking)
    assert "version v5x" in library.search("mast number version", 1).hits[0].citation.quote


def test_generations_open_side_by_side(tmp_path: Path) -> None:
    library = small(tmp_path / "sources")
    library.index()
    with ThreadPoolExecutor(8) as pool:
        opened = [pool.submit(Generation.open, tmp_path / "index") for _ in range(8)]
        assert len({future.result().id for future in opened}) == 1
