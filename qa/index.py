"""Index: sources → a new generation, written beside the old one and made current by one rename."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from qa import tokens
from qa.encoder import Encoding, TextEncoder, encode_passages
from qa.errors import IndexDamaged, IndexMissing, SettingsError
from qa.generation import FORMAT, MANIFEST, MANIFEST_SUM, NAME, Generation, checksum, sha256
from qa.lexicon import write_lexicon
from qa.loaders import Folder
from qa.passage import Passage, split_passages
from qa.source import Source
from qa.texts import Sentence, StoredPassage, digest, write_texts
from qa.vectors import CODES, ROTATION, VECTORS, write_nearest
from qa.words import sentences

PASSAGE_TOKENS = 200  # neighbouring blocks are joined up to this size
BUILDING = ".building-"
_LOCK = ".lock"

Progress = Callable[[str, int, int], None]
_Planned = tuple[int, Source, Passage]  # a source's number, the source, one of its passages


def build(
    folder: Path,
    loaded: Folder,
    encoder: TextEncoder,
    progress: Progress = lambda stage, done, total: None,
    reuse: bool = True,
) -> str:
    """Write a generation for what was loaded beside the one in force, make it current, and return its id.

    With `reuse`, vectors of passages that the generation in force already has are taken over, and nothing is written if
    nothing has changed. The caller holds `lock(folder)`.
    """
    pairs = sorted(loaded.sources, key=lambda pair: pair[1].id)
    ordered = [source for _, source in pairs]
    digests = [digest(source) for source in ordered]
    identity = {
        "format": FORMAT,
        "encoder": asdict(encoder.spec),
        "settings": {"passage_tokens": PASSAGE_TOKENS},
        "sources": [{"id": s.id, "sha256": s.sha256, "content": d} for s, d in zip(ordered, digests, strict=True)],
    }
    id = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    files = {"read": [asdict(file) for file, _ in pairs], "ignored": [asdict(file) for file in loaded.ignored]}
    previous = _reusable(folder, encoder) if reuse else None
    if previous and previous.id == id and previous.manifest["origin"] == files:
        _sweep(folder, keep=previous.folder.name)
        return id
    work = Path(tempfile.mkdtemp(prefix=BUILDING, dir=folder))
    work.chmod(0o755)
    try:
        plan = [
            (number, source, passage)
            for number, source in enumerate(ordered)
            for passage in _passages(source, digests[number], encoder, previous)
        ]
        write_lexicon(work / "words", (source.text[p.start : p.end] for _, source, p in plan))
        stored = _write_vectors(work, plan, encoder, previous, progress)
        write_texts(work / "texts.sqlite", ordered, stored)
        nearest = write_nearest(work, encoder.spec.dimension)
        (work / "encoder").mkdir()
        encoder.save(work / "encoder")
        manifest = {
            "generation": id,
            **identity,
            "counts": {"sources": len(ordered), "passages": len(plan)},
            "nearest": nearest,
            "origin": files,
            "files": {name: {"bytes": path.stat().st_size, "sha256": sha256(path)} for name, path in _files(work)},
        }
        _write_synced(work / MANIFEST, json.dumps(manifest, indent=1) + "\n")
        _write_synced(work / MANIFEST_SUM, sha256(work / MANIFEST) + "\n")
        for _, path in _files(work):
            _sync(path)
        name = _free_name(folder, id)
        work.rename(folder / name)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    _make_current(folder, name)
    _sweep(folder, keep=name)
    return id


@contextmanager
def lock(folder: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Let one build at a time work in `folder`; a second one tells `on_wait` and waits.

    Raises SettingsError when the folder can't be written to.
    """
    from filelock import FileLock, Timeout

    guard = FileLock(folder / _LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        guard.acquire(blocking=False)
    except Timeout:
        on_wait()
        guard.acquire()
    except OSError as error:
        raise SettingsError(
            f"{folder} can't be written to ({error.strerror}); name another folder with --index"
        ) from error
    try:
        yield
    finally:
        guard.release()


def _reusable(folder: Path, encoder: TextEncoder) -> Generation | None:
    try:
        previous = Generation.open(folder)
    except (IndexMissing, IndexDamaged):
        return None
    return previous if previous.manifest["encoder"] == asdict(encoder.spec) else None


def _passages(source: Source, digest: str, encoder: TextEncoder, previous: Generation | None) -> list[Passage]:
    """A source's passages: those of `previous` if it holds the same source, or else newly cut."""
    if previous and previous.texts.digest_of(source.id) == digest:
        return previous.texts.passages_of(source)
    return split_passages(source, encoder.count, encoder.spec.max_tokens, PASSAGE_TOKENS)


def _write_vectors(
    work: Path, plan: Sequence[_Planned], encoder: TextEncoder, previous: Generation | None, progress: Progress
) -> list[StoredPassage]:
    """Write the vectors of all passages in order, those already in `previous` taken over; what is stored says where."""
    known = previous.texts.passage_numbers() if previous else {}
    olds = [known.get((source.sha256, passage.start, passage.end)) for _, source, passage in plan]
    total = olds.count(None)
    encodings = encode_passages(
        encoder, (s.text[p.start : p.end] for (_, s, p), old in zip(plan, olds, strict=True) if old is None)
    )
    matrix = tokens.rotation(encoder.spec.dimension)
    matrix.tofile(work / ROTATION)
    done = first = 0
    out: list[StoredPassage] = []
    with (work / VECTORS).open("wb") as vectors, (work / CODES).open("wb") as codes:
        for (number, source, passage), old in zip(plan, olds, strict=True):
            if previous is None or old is None:
                encoding = next(encodings)
                vector, code = encoding.vector, tokens.compress(tokens.rotate(encoding.tokens, matrix))
                parts = _sentences(source, passage, encoding)
                done += 1
                progress("encoding", done, total)
            else:
                vector, (code, parts) = previous.vectors.rows([old])[0], previous.token_codes(old)
            vectors.write(vector.astype("<f4").tobytes())
            codes.write(code.tobytes())
            stored = StoredPassage(number, passage.start, passage.end, first, first + len(code), parts)
            out.append(replace(stored, crc=checksum(stored, vector, code)))
            first = stored.last
    return out


def _sentences(source: Source, passage: Passage, encoding: Encoding) -> tuple[Sentence, ...]:
    out = []
    for start, end in sentences(source.text, passage.start, passage.end):
        first, last = np.searchsorted(encoding.starts, [start - passage.start, end - passage.start])
        out.append(Sentence(start, end, int(first), int(last)))
    return tuple(out)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in (MANIFEST, MANIFEST_SUM):
            yield path.relative_to(folder).as_posix(), path


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_synced(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    _sync(path)


def _free_name(folder: Path, id: str) -> str:
    return next(name for n in range(10**6) if not (folder / (name := f"gen-{id}-{n}")).exists())


def _make_current(folder: Path, name: str) -> None:
    _write_synced(folder / ".current", name + "\n")
    (folder / ".current").replace(folder / "current")
    if os.name == "posix":
        _sync(folder)


def _sweep(folder: Path, keep: str) -> None:
    """Delete what killed builds left, and all generations but the one in force and the one before it."""
    for path in folder.glob(BUILDING + "*"):
        shutil.rmtree(path, ignore_errors=True)
    others = [path for path in folder.glob("gen-*") if NAME.fullmatch(path.name) and path.name != keep]
    others.sort(key=lambda path: path.stat().st_mtime_ns)
    for path in others[:-1]:
        shutil.rmtree(path, ignore_errors=True)
