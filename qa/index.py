"""Index: generations on disk, each immutable and whole, and the open view of one.

index/
  current                 the name of the generation in force, switched by one rename
  gen-<id>-<n>/
    manifest.json         format, encoder, settings, counts, a sha256 for each source and each file
    manifest.sha256       of the manifest itself
    texts.sqlite          sources and passages
    vectors.f32           a vector a passage, in passage order
    nearest.faiss         the same, made to be searched
    tokens.u2             two bits a dimension for each token's vector, in passage order
    rotation.f32          what a question's token vectors are turned by to meet those
    words/                tantivy: the passages' words, for BM25 and phrases
    encoder/              the exported network and its tokenizer
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
import tempfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
import tantivy

from qa import tokens
from qa.encoder import Encoder, Encoding, Floats, TextEncoder, encode_passages
from qa.errors import IndexDamaged, IndexMissing, SettingsError
from qa.loaders import Folder, SourceFile
from qa.passage import Passage, split_passages
from qa.source import Block, Erratum, Source, SourceInfo
from qa.words import content_words, phrases, sentences, words

FORMAT = (
    1  # one more whenever the files change, or loaders, structure, passages or words make others of the same sources
)
PASSAGE_TOKENS = 200  # neighbouring blocks are joined up to this size
REBUILD = "run `qa index --rebuild` to make it anew"

# Files up to this size are hashed whenever an index is opened; larger ones by `qa index --check`.
_HASHED_ON_OPEN = 32 * 2**20
# Up to this many passages every vector is compared; beyond, faiss looks through the nearest cells of an inverted file
# of one-byte components, through as many of them as a sample needs for this recall of its nearest neighbours.
_EXACT_UP_TO = 50_000
_RECALL, _RECALL_AT, _RECALL_SAMPLE = 0.98, 10, 200
_TRAINED_ON = 64  # vectors a cell that the cells are found from

_MANIFEST, _MANIFEST_SUM = "manifest.json", "manifest.sha256"
_NAME = re.compile(r"gen-[0-9a-f]{16}-[0-9]{1,6}")
_LOCK = ".lock"
BUILDING = ".building-"
_CACHED_SOURCES = 256

Progress = Callable[[str, int, int], None]
Ranges = Sequence[tuple[int, int]]  # half-open ranges of passage numbers
Scored = list[tuple[int, float]]  # passage number and score, best first


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """A source in the index, without its text; its passages are numbered [first, last)."""

    info: SourceInfo
    first: int
    last: int


# --- writing -------------------------------------------------------------------------------------


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
    ordered = sorted(loaded.sources, key=lambda pair: pair[1].id)
    identity = {
        "format": FORMAT,
        "encoder": asdict(encoder.spec),
        "settings": {"passage_tokens": PASSAGE_TOKENS},
        "sources": [{"id": s.id, "sha256": s.sha256, "content": _digest(s)} for _, s in ordered],
    }
    id = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    files = {"read": [asdict(file) for file, _ in ordered], "ignored": [asdict(file) for file in loaded.ignored]}
    previous = _reusable(folder, encoder) if reuse else None
    if previous and previous.id == id and previous.manifest["origin"] == files:
        _sweep(folder, keep=previous.folder.name)
        return id
    work = Path(tempfile.mkdtemp(prefix=BUILDING, dir=folder))
    work.chmod(0o755)
    try:
        passages = [
            split_passages(source, encoder.count, encoder.spec.max_tokens, PASSAGE_TOKENS) for _, source in ordered
        ]
        _write_words(work / "words", ordered, passages)
        rows = _write_vectors(work, ordered, passages, encoder, previous, progress)
        _write_texts(work / "texts.sqlite", ordered, rows)
        nearest = _write_nearest(work, encoder.spec.dimension)
        (work / "encoder").mkdir()
        encoder.save(work / "encoder")
        manifest = {
            "generation": id,
            **identity,
            "counts": {"sources": len(ordered), "passages": sum(map(len, passages))},
            "nearest": nearest,
            "origin": files,
            "files": {name: {"bytes": path.stat().st_size, "sha256": _sha256(path)} for name, path in _files(work)},
        }
        _write_synced(work / _MANIFEST, json.dumps(manifest, indent=1) + "\n")
        _write_synced(work / _MANIFEST_SUM, _sha256(work / _MANIFEST) + "\n")
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


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a passage: [start, end) in code points of the source, [first, last) in tokens of the passage."""

    start: int
    end: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _Row:
    """A passage as it is stored: its tokens are the rows [first, last) of tokens.u2; `crc` is a checksum of its vector
    and those.
    """

    start: int
    end: int
    first: int
    last: int
    crc: int
    sentences: tuple[Sentence, ...]


def _write_vectors(
    work: Path,
    ordered: Sequence[tuple[SourceFile, Source]],
    passages: Sequence[Sequence[Passage]],
    encoder: TextEncoder,
    previous: Generation | None,
    progress: Progress,
) -> list[list[_Row]]:
    """Write the vectors of all passages in order, those already in `previous` taken over; the rows say where."""
    known = previous.passage_numbers() if previous else {}
    matrix = tokens.rotation(encoder.spec.dimension)
    matrix.tofile(work / "rotation.f32")

    def is_new(source: Source, passage: Passage) -> bool:
        return (source.sha256, passage.start, passage.end) not in known

    pairs = [(s, p) for (_, s), row in zip(ordered, passages, strict=True) for p in row]
    total = sum(is_new(s, p) for s, p in pairs)
    encodings = encode_passages(encoder, (s.text[p.start : p.end] for s, p in pairs if is_new(s, p)))
    done = first = 0
    out: list[list[_Row]] = []
    with (work / "vectors.f32").open("wb") as vectors, (work / "tokens.u2").open("wb") as codes:
        for (_, source), row in zip(ordered, passages, strict=True):
            out.append([])
            for passage in row:
                if previous is None or is_new(source, passage):
                    encoding = next(encodings)
                    vector, code = encoding.vector, tokens.compress(tokens.rotate(encoding.tokens, matrix))
                    parts = _sentences(source, passage, encoding)
                    done += 1
                    progress("encoding", done, total)
                else:
                    number = known[source.sha256, passage.start, passage.end]
                    vector, (code, parts) = previous.vectors([number])[0], previous.token_codes(number)
                vectors.write(vector.astype("<f4").tobytes())
                codes.write(code.tobytes())
                last = first + len(code)
                out[-1].append(_Row(passage.start, passage.end, first, last, _crc(vector, code), parts))
                first = last
    return out


def _crc(vector: Floats, codes: tokens.Codes) -> int:
    return zlib.crc32(codes.tobytes(), zlib.crc32(vector.astype("<f4").tobytes()))


def _sentences(source: Source, passage: Passage, encoding: Encoding) -> tuple[Sentence, ...]:
    out = []
    for start, end in sentences(source.text, passage.start, passage.end):
        first, last = np.searchsorted(encoding.starts, [start - passage.start, end - passage.start])
        out.append(Sentence(start, end, int(first), int(last)))
    return tuple(out)


def _write_nearest(work: Path, dimension: int) -> dict[str, Any]:
    """Write what finds the nearest vectors, and return how it does: the manifest's `nearest`."""
    vectors = _mapped(work / "vectors.f32", "<f4", dimension)
    if len(vectors) <= _EXACT_UP_TO:
        exact = faiss.IndexFlatIP(dimension)
        exact.add(np.ascontiguousarray(vectors))
        faiss.write_index(exact, str(work / "nearest.faiss"))
        return {"factory": "Flat", "recall": 1.0}
    cells = 2 ** int(np.log2(4 * np.sqrt(len(vectors))))
    factory = f"IVF{cells},SQ8"
    index = faiss.index_factory(dimension, factory, faiss.METRIC_INNER_PRODUCT)
    step = max(1, len(vectors) // (_TRAINED_ON * cells))
    index.train(np.ascontiguousarray(vectors[::step]))
    for first in range(0, len(vectors), 2**16):
        index.add(np.ascontiguousarray(vectors[first : first + 2**16]))
    probes, recall = _probes(index, vectors, cells)
    faiss.write_index(index, str(work / "nearest.faiss"))
    return {"factory": factory, "probes": probes, "recall": recall, "recall_at": _RECALL_AT, "sample": _RECALL_SAMPLE}


def _probes(index: Any, vectors: npt.NDArray[Any], cells: int) -> tuple[int, float]:
    """The fewest cells, by doubling, in which a sample of the vectors finds its nearest neighbours; and the recall."""
    chosen = np.linspace(0, len(vectors) - 1, _RECALL_SAMPLE).astype(np.int64)
    sample = np.ascontiguousarray(vectors[chosen])
    best = np.full((len(sample), 0), 0, dtype=np.int64)
    scores = np.full((len(sample), 0), 0, dtype=np.float32)
    for first in range(0, len(vectors), 2**16):
        products = sample @ np.asarray(vectors[first : first + 2**16]).T
        numbers = np.broadcast_to(np.arange(first, first + products.shape[1]), products.shape)
        scores, best = np.hstack([scores, products]), np.hstack([best, numbers])
        order = np.argsort(-scores, axis=1, kind="stable")[:, :_RECALL_AT]
        scores, best = np.take_along_axis(scores, order, 1), np.take_along_axis(best, order, 1)
    probes, recall = 8, 0.0  # questions lie farther from the passages than these do from one another
    while recall < _RECALL and probes < cells:
        probes *= 2
        index.nprobe = probes
        _, found = index.search(sample, 2 * _RECALL_AT)  # scores are exact only after the search
        recall = float(np.mean([len({*a} & {*b}) / _RECALL_AT for a, b in zip(best, found, strict=True)]))
    return probes, round(recall, 4)


def _write_texts(path: Path, ordered: Sequence[tuple[SourceFile, Source]], rows: Sequence[Sequence[_Row]]) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(
            """
            CREATE TABLE source (number INTEGER PRIMARY KEY, id TEXT UNIQUE, kind TEXT, record TEXT, blocks TEXT,
                errata TEXT, original TEXT, encoding TEXT, sha256 TEXT, length INTEGER,
                first INTEGER, last INTEGER, text TEXT);
            CREATE TABLE passage (number INTEGER PRIMARY KEY, source INTEGER, start INTEGER, "end" INTEGER,
                first INTEGER, last INTEGER, crc INTEGER, sentences TEXT);
            """
        )
        first = 0
        for number, ((_, source), row) in enumerate(zip(ordered, rows, strict=True)):
            db.execute(
                "INSERT INTO source VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    number,
                    source.id,
                    source.kind,
                    json.dumps(source.record, ensure_ascii=False),
                    json.dumps([_block_row(block) for block in source.blocks], ensure_ascii=False),
                    json.dumps([e.to_dict() for e in source.errata], ensure_ascii=False),
                    source.original,
                    source.encoding,
                    source.sha256,
                    len(source.text),
                    first,
                    first + len(row),
                    source.text,
                ),
            )
            db.executemany(
                "INSERT INTO passage VALUES (?,?,?,?,?,?,?,?)",
                [
                    (first + i, number, p.start, p.end, p.first, p.last, p.crc, _sentence_rows(p.sentences))
                    for i, p in enumerate(row)
                ],
            )
            first += len(row)


def _sentence_rows(parts: Sequence[Sentence]) -> str:
    return json.dumps([[s.start, s.end, s.first, s.last] for s in parts])


def _write_words(
    folder: Path, ordered: Sequence[tuple[SourceFile, Source]], passages: Sequence[Sequence[Passage]]
) -> None:
    folder.mkdir()
    index = tantivy.Index(_schema(), str(folder))
    index.register_tokenizer("folded", _analyzer())
    writer = index.writer(heap_size=256_000_000, num_threads=1)  # one thread: one order, and mostly one segment
    number = 0
    for (_, source), row in zip(ordered, passages, strict=True):
        for passage in row:
            document = tantivy.Document()
            document.add_unsigned("number", number)
            document.add_text("text", " ".join(w.text for w in words(source.text[passage.start : passage.end])))
            writer.add_document(document)
            number += 1
    writer.commit()
    writer.wait_merging_threads()
    for name in (".tantivy-writer.lock", ".tantivy-meta.lock"):
        (folder / name).unlink(missing_ok=True)


def _schema() -> Any:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("number", indexed=True, fast=True)
    builder.add_text_field("text", tokenizer_name="folded", index_option="position")
    return builder.build()


def _analyzer() -> Any:
    """Words come folded and parted by blanks (qa.words); here they only lose their endings (Snowball English)."""
    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).filter(tantivy.Filter.stemmer("english")).build()


def _block_row(block: Block) -> list[Any]:
    return [block.start, block.end, block.kind, list(block.sections), block.paragraph, block.pinpoint]


def _digest(source: Source) -> str:
    content = [source.info.to_dict(), [_block_row(b) for b in source.blocks], [e.to_dict() for e in source.errata]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in (_MANIFEST, _MANIFEST_SUM):
            yield path.relative_to(folder).as_posix(), path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    others = [path for path in folder.glob("gen-*") if _NAME.fullmatch(path.name) and path.name != keep]
    others.sort(key=lambda path: path.stat().st_mtime_ns)
    for path in others[:-1]:
        shutil.rmtree(path, ignore_errors=True)


# --- reading -------------------------------------------------------------------------------------


def current_name(folder: Path) -> str:
    """The name of the generation in force; IndexMissing if there is none."""
    try:
        name = (folder / "current").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise IndexMissing(f"there is no index in {folder}; run `qa index` to build it") from error
    if not _NAME.fullmatch(name):
        raise IndexDamaged(f"{folder / 'current'} doesn't name a generation; {REBUILD}")
    return name


class Generation:
    """The open view of one generation: read-only, safe to use from several threads."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        self.folder = folder
        self.manifest = manifest
        self.id = str(manifest["generation"])
        self._lock = RLock()
        self._sources: OrderedDict[int, Source] = OrderedDict()
        try:
            uri = f"{(folder / 'texts.sqlite').resolve().as_uri()}?mode=ro&immutable=1"
            self._texts = sqlite3.connect(uri, uri=True, check_same_thread=False)
            flags = 0 if manifest["nearest"]["factory"] == "Flat" else faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY
            self._faiss = faiss.read_index(str(folder / "nearest.faiss"), flags)
            dimension = int(manifest["encoder"]["dimension"])
            self._vectors = _mapped(folder / "vectors.f32", "<f4", dimension)
            self._tokens = _mapped(folder / "tokens.u2", "u1", tokens.code_bytes(dimension))
            self.rotation: Floats = np.fromfile(folder / "rotation.f32", dtype="<f4").reshape(
                2 * [tokens.code_bytes(dimension) * tokens.PER_BYTE]
            )
            self._words = _open_words(folder / "words")
            self._words.register_tokenizer("folded", _analyzer())
            self._searcher = self._words.searcher()
        except (sqlite3.Error, RuntimeError, ValueError, OSError) as error:
            raise IndexDamaged(f"the index in {folder} can't be opened ({error}); {REBUILD}") from error
        if self._faiss.ntotal != manifest["counts"]["passages"] or self._searcher.num_docs != self._faiss.ntotal:
            raise IndexDamaged(f"the index in {folder} has parts of different sizes; {REBUILD}")

    @classmethod
    def open(cls, folder: Path) -> Generation:
        """Open the generation in force, its manifest and its files checked.

        Raises IndexMissing when there is none, IndexDamaged when it isn't whole or isn't ours.
        """
        name = current_name(folder)
        for _ in range(3):  # a build may sweep the old one away between the two steps
            path = folder / name
            if path.is_dir() or current_name(folder) == name:
                break
            name = current_name(folder)
        return cls(path, read_manifest(path, _HASHED_ON_OPEN))

    @cached_property
    def encoder(self) -> Encoder:
        """The network that made this generation's vectors."""
        return Encoder(self.folder / "encoder")

    @property
    def count(self) -> int:
        """How many passages there are."""
        return int(self._faiss.ntotal)

    @cached_property
    def entries(self) -> tuple[SourceEntry, ...]:
        """All sources without their texts, by id."""
        rows = self._rows(
            "SELECT id,kind,record,sha256,length,original,encoding,first,last FROM source ORDER BY number"
        )
        return tuple(
            SourceEntry(SourceInfo(id, kind, json.loads(record), *rest), first, last)
            for id, kind, record, *rest, first, last in rows
        )

    def source(self, key: int | str) -> Source | None:
        """A source by number or id, its text checked against its sha256; None if there is none."""
        column = "number" if isinstance(key, int) else "id"
        with self._lock:
            if isinstance(key, int) and key in self._sources:
                self._sources.move_to_end(key)
                return self._sources[key]
            rows = self._rows(
                "SELECT number,id,text,kind,record,blocks,errata,original,encoding,sha256 FROM source "
                f"WHERE {column}=?",
                key,
            )
            if not rows:
                return None
            number, id, text, kind, record, blocks, errata, original, encoding, sha256 = rows[0]
            source = Source(
                id=id,
                text=text,
                kind=kind,
                record=json.loads(record),
                blocks=tuple(Block(a, b, k, tuple(s), p, q) for a, b, k, s, p, q in json.loads(blocks)),
                errata=tuple(Erratum(**e) for e in json.loads(errata)),
                original=original,
                encoding=encoding,
            )
            if source.sha256 != sha256:
                raise IndexDamaged(f"the text of '{id}' in {self.folder} is not what was indexed; {REBUILD}")
            self._sources[number] = source
            while len(self._sources) > _CACHED_SOURCES:
                self._sources.popitem(last=False)
            return source

    def passage(self, number: int) -> tuple[Source, Passage]:
        """A passage by number, with its source."""
        source_number, start, end = self._passage_row('source,start,"end"', number)
        source = self.source(source_number)
        if source is None:
            raise IndexDamaged(f"the index in {self.folder} has no source {source_number}; {REBUILD}")
        return source, Passage(source.id, start, end)

    def passages_of(self, source: Source) -> list[Passage]:
        """All passages of a source in order."""
        rows = self._rows(
            'SELECT start,"end" FROM passage WHERE source=(SELECT number FROM source WHERE id=?) ORDER BY number',
            source.id,
        )
        return [Passage(source.id, start, end) for start, end in rows]

    def passage_numbers(self) -> dict[tuple[str, int, int], int]:
        """Passage numbers by (sha256 of the source's text, start, end)."""
        rows = self._rows(
            'SELECT s.sha256, p.start, p."end", p.number FROM passage p JOIN source s ON s.number=p.source'
        )
        return {(sha, start, end): number for sha, start, end, number in rows}

    def _passage_row(self, columns: str, number: int) -> tuple[Any, ...]:
        rows = self._rows(f"SELECT {columns} FROM passage WHERE number=?", number)
        if not rows:
            raise IndexDamaged(f"the index in {self.folder} has no passage {number}; {REBUILD}")
        return rows[0]

    def _rows(self, query: str, *values: int | str) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._texts.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise IndexDamaged(f"the index is damaged: {self.folder / 'texts.sqlite'} ({error}); {REBUILD}") from error

    def vectors(self, numbers: Sequence[int]) -> Floats:
        """The vectors of some passages, shape (len(numbers), dimension)."""
        return np.asarray(self._vectors[np.asarray(numbers, dtype=np.int64)], dtype=np.float32)

    def token_codes(self, number: int) -> tuple[tokens.Codes, tuple[Sentence, ...]]:
        """The codes of a passage's tokens, checked with its vector against their checksum, and its sentences."""
        first, last, crc, parts = self._passage_row("first,last,crc,sentences", number)
        codes = np.asarray(self._tokens[first:last])
        if _crc(self._vectors[number], codes) != crc:
            raise IndexDamaged(f"the index is damaged: the vectors of passage {number} in {self.folder}; {REBUILD}")
        return codes, tuple(Sentence(*part) for part in json.loads(parts))

    def cosines(self, vector: Floats, numbers: Sequence[int]) -> list[float]:
        """Cosine of `vector` with some passages' vectors; each depends on its own pair alone, to the last bit."""
        if not numbers:
            return []
        products = self.vectors(numbers).astype(np.float64) * vector.astype(np.float64)
        return [float(row.sum()) for row in products]

    def nearest(self, vector: Floats, k: int, within: Ranges | None = None) -> list[int]:
        """The numbers of the k passages whose vectors are nearest to `vector`; of equal ones the first."""
        k = min(k, self.count)
        if k < 1 or within == []:
            return []
        how = self.manifest["nearest"]
        if how["factory"] == "Flat":
            found = self._nearest_exactly(vector, k, within)
        elif within is not None and sum(b - a for a, b in within) <= _EXACT_UP_TO:
            found = self._nearest_among(vector, k, within)
        else:
            parameters = faiss.SearchParametersIVF(nprobe=how["probes"], **_selected(within))  # type: ignore[call-arg]
            _, numbers = self._faiss.search(vector[None], 2 * k, params=parameters)
            found = sorted(int(n) for n in numbers[0] if n >= 0)
        ranked = sorted(zip(self.cosines(vector, found), found, strict=True), key=lambda pair: (-pair[0], pair[1]))
        return [number for _, number in ranked[:k]]

    def _nearest_exactly(self, vector: Floats, k: int, within: Ranges | None) -> list[int]:
        parameters = faiss.SearchParameters(**_selected(within)) if within is not None else None
        scores, numbers = self._faiss.search(vector[None], k, params=parameters)
        found = [int(n) for n in numbers[0] if n >= 0]
        if len(found) < k or k == self.count:
            return found
        # Passages with one text have one score: take all that reach the last place, for the first of them to be kept.
        worst = np.nextafter(scores[0][-1] - np.float32(1e-6), np.float32(-2))
        limits, _, reached = self._faiss.range_search(vector[None], float(worst), params=parameters)
        return sorted({*found, *(int(n) for n in reached[limits[0] : limits[1]])})

    def _nearest_among(self, vector: Floats, k: int, within: Ranges) -> list[int]:
        chosen = np.concatenate([np.arange(a, b) for a, b in within])
        products = np.concatenate([self._vectors[a:b] @ vector for a, b in within])
        if len(chosen) <= k:
            return [int(n) for n in chosen]
        worst = np.partition(products, -k)[-k]
        return [int(n) for n in chosen[products >= worst - np.float32(1e-6)]]

    def matching(self, question: str, k: int, within: Ranges | None = None) -> Scored:
        """The k passages that best match the question's words by BM25; its quoted phrases must all stand in them."""
        terms = self._terms(" ".join(content_words(question)))
        if not terms or within == []:
            return []
        should = [(tantivy.Occur.Should, self._term(term)) for term in dict.fromkeys(terms)]
        query = tantivy.Query.boolean_query(should)
        limits = [self._phrase(phrase) for phrase in phrases(question)]
        if within is not None:
            limits.append(self._within(within))
        if limits:
            silent = [(tantivy.Occur.Must, tantivy.Query.const_score_query(limit, 0.0)) for limit in limits]
            query = tantivy.Query.boolean_query([(tantivy.Occur.Must, query), *silent])
        return self._run(query, k)

    def holding(self, question: str) -> list[int] | None:
        """The numbers of the passages that hold all quoted phrases of a question; None if it quotes none."""
        limits = [self._phrase(phrase) for phrase in phrases(question)]
        if not limits:
            return None
        query = tantivy.Query.boolean_query([(tantivy.Occur.Must, limit) for limit in limits])
        return sorted(number for number, _ in self._run(query, max(self.count, 1)))

    def rarity(self, question: str) -> dict[str, float]:
        """For each content word of a question, its BM25 idf among the passages; the key is the folded word."""
        out = {}
        for word in dict.fromkeys(content_words(question)):
            held = max((self._searcher.doc_freq("text", term) for term in self._terms(word)), default=0)
            out[word] = float(np.log1p((self.count - held + 0.5) / (held + 0.5)))
        return out

    def stems(self, folded: Iterable[str]) -> list[str]:
        """Folded words without their endings, one for one."""
        out = []
        for word in folded:
            terms = self._terms(word)
            out.append(terms[0] if terms else word)
        return out

    @cached_property
    def _analyze(self) -> Any:
        return _analyzer()

    def _terms(self, text: str) -> list[str]:
        return list(self._analyze.analyze(" ".join(word.text for word in words(text))))

    def _term(self, term: str) -> Any:
        return tantivy.Query.term_query(self._words.schema, "text", term)

    def _phrase(self, phrase: str) -> Any:
        terms: list[str | tuple[int, str]] = [*self._terms(phrase)]
        return (
            self._term(str(terms[0]))
            if len(terms) == 1
            else tantivy.Query.phrase_query(self._words.schema, "text", terms)
        )

    def _within(self, ranges: Ranges) -> Any:
        spans = [
            tantivy.Query.range_query(
                self._words.schema, "number", tantivy.FieldType.Unsigned, a, b, include_lower=True, include_upper=False
            )
            for a, b in ranges
        ]
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, span) for span in spans])

    def _run(self, query: Any, k: int) -> Scored:
        hits = self._searcher.search(query, k, count=False).hits
        numbers = self._searcher.fast_field_values("number", [address for _, address in hits])
        scored = [(int(number or 0), float(score)) for number, (score, _) in zip(numbers, hits, strict=True)]
        return sorted(scored, key=lambda pair: (-pair[1], pair[0]))


def _selected(within: Ranges | None) -> dict[str, Any]:
    """The argument that confines a faiss search to some passages; none for all."""
    if within is None:
        return {}
    return {"sel": faiss.IDSelectorBatch(np.concatenate([np.arange(a, b, dtype=np.int64) for a, b in within]))}


def _open_words(folder: Path) -> Any:
    """The word index; tantivy locks even what it only reads, so where it can't write it is given links to the files."""
    try:
        return tantivy.Index.open(str(folder))
    except ValueError:
        if os.access(folder, os.W_OK):
            raise
    with tempfile.TemporaryDirectory(prefix="qa-words-") as links:
        for path in folder.iterdir():
            if not path.name.startswith(".tantivy-"):
                (Path(links) / path.name).symlink_to(path.resolve())
        return tantivy.Index.open(links)


def _mapped(path: Path, dtype: str, width: int) -> npt.NDArray[Any]:
    """A file of rows, mapped into memory; an empty one can't be mapped."""
    if not path.stat().st_size:
        return np.zeros((0, width), dtype=dtype)
    return np.memmap(path, dtype=dtype, mode="r").reshape(-1, width)


def read_manifest(path: Path, hash_up_to: int | None = None) -> dict[str, Any]:
    """A generation's manifest, with every file's size checked and files up to `hash_up_to` bytes (None: all) hashed."""
    try:
        data = (path / _MANIFEST).read_bytes()
        manifest = json.loads(data)
        version = manifest["format"]
        files = manifest["files"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IndexDamaged(f"{path} has no readable {_MANIFEST}; {REBUILD}") from error
    if version != FORMAT:
        raise IndexDamaged(f"the index in {path} has format {version}, and this version reads {FORMAT}; {REBUILD}")
    try:
        whole = (path / _MANIFEST_SUM).read_text() == hashlib.sha256(data).hexdigest() + "\n"
    except (OSError, ValueError):
        whole = False
    if not whole:
        raise IndexDamaged(f"the index is damaged: {path / _MANIFEST} and {_MANIFEST_SUM} don't agree; {REBUILD}")
    for name, expected in files:
        file = path / name
        size = file.stat().st_size if file.is_file() else None
        if size != expected["bytes"]:
            state = "is missing" if size is None else f"has {size} bytes instead of {expected['bytes']}"
            raise IndexDamaged(f"the index is damaged: {file} {state}; {REBUILD}")
        if (hash_up_to is None or size <= hash_up_to) and _sha256(file) != expected["sha256"]:
            raise IndexDamaged(f"the index is damaged: {file} is not what was written; {REBUILD}")
    return dict(manifest)
