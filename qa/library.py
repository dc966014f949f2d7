"""Library: the one façade. Sources, index and encoder opened once; the command line and the service stand on it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from qa.answer import Answer, IndexRef, answer
from qa.citation import Citation, CitationId, cite
from qa.encoder import TextEncoder, export, find_model, fingerprint, model_name
from qa.errors import EncoderError, IndexDamaged, IndexMissing, NotFound, SourceError
from qa.evidence import is_far
from qa.generation import Generation, current_name, read_manifest
from qa.index import BUILDING, Progress, build, lock
from qa.judge import Judge, TextJudge
from qa.loaders import Folder, SourceFile, find_files, load_folder
from qa.search import Filters, Hit, search
from qa.settings import DEFAULT_CITED, DEFAULT_K, DEFAULT_PLACES, DEFAULT_STYLE, Settings
from qa.source import Source, SourceInfo

if TYPE_CHECKING:  # what only writers need is imported when they need it, so that no question waits for it
    from qa.bibliography import Bibliography
    from qa.draft import Check
    from qa.quotation import Quotation
    from qa.reference import Cited
    from qa.verification import Verification

_SAMPLE = 48  # texts of the corpus that an exported encoder is checked on
_CHANGES_LAST = 1.0  # seconds for which a look at the sources folder holds good


@dataclass(frozen=True, slots=True)
class Search:
    """The passages that best meet a question, best first."""

    question: str
    hits: tuple[Hit, ...]
    index: IndexRef

    def to_dict(self) -> dict[str, Any]:
        return {
            "query": self.question,
            "hits": [hit.to_dict() for hit in self.hits],
            "index": self.index.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A citation with the text before and after it, from the same version of its source."""

    citation: Citation
    before: str
    after: str

    def to_dict(self) -> dict[str, Any]:
        return {"citation": self.citation.to_dict(), "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs between the sources folder and the index: paths below the folder, and whether the model does."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    model: bool = False

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed or self.model)

    def __str__(self) -> str:
        parts = [f"{len(v)} {n}" for n in ("added", "changed", "removed") if (v := getattr(self, n))]
        return ", ".join([*parts, *(["another model set"] if self.model else [])])


@dataclass(frozen=True, slots=True)
class Indexed:
    """What `index` did: the generation in force, its counts, and how many passages had to be encoded."""

    generation: str
    sources: int
    passages: int
    encoded: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "generation": self.generation,
            "sources": self.sources,
            "passages": self.passages,
            "encoded": self.encoded,
        }


class Library:
    """A folder of documents and its index, open for questions; may be shared between threads.

    The index is opened, or built if there is none, by the first call that needs it, and opened again when another
    process has made a new generation current.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        encoder: TextEncoder | None = None,
        judge: TextJudge | None = None,
        progress: Progress = lambda stage, done, total: None,
    ) -> None:
        self.settings = settings or Settings.load()
        self._encoder = encoder
        self._judge = judge
        self._progress = progress
        self._lock = RLock()
        self._generation: Generation | None = None
        self._changes: tuple[float, str, Changes] | None = None
        self._quotable: tuple[str, tuple[Source, ...]] | None = None
        self._present: tuple[list[tuple[str, int, int]], Folder] | None = None

    @classmethod
    def open(cls, sources: Path | str = "sources", index: Path | str = "index") -> Library:
        """A library on a folder of documents, with its index in `index`."""
        return cls(Settings.load(sources, index))

    # --- asking

    def ask(self, question: str, k: int = DEFAULT_K, filters: Filters = Filters(), judge: bool | None = None) -> Answer:
        """Answer a question from up to k passages; QueryError when it can't be asked.

        `judge` says whether the judge reads them; None leaves it to the settings.
        """
        reader = self._reader(judge)
        generation = self.generation(asking=True)
        index = self._reference(generation, reader)
        return answer(generation, self._encoder_of(generation), question, k, filters, index, reader)

    def search(self, question: str, k: int = DEFAULT_K, filters: Filters = Filters(), judge: bool = False) -> Search:
        """The k passages that best meet a question, by the judge too if asked; QueryError when it can't be asked."""
        reader = self.judge() if judge else None
        generation = self.generation(asking=True)
        hits = search(generation, self._encoder_of(generation), question, k, filters, reader)
        return Search(question, tuple(hits), self._reference(generation, reader))

    def judge(self) -> TextJudge:
        """The judge, which begins to load at the first call."""
        with self._lock:
            if self._judge is None:
                loading = Judge()
                loading.warm()
                self._judge = loading
            return self._judge

    def _reader(self, wanted: bool | None) -> TextJudge | None:
        return self.judge() if (self.settings.judge if wanted is None else wanted) else None

    def check(self, draft: str, judge: bool | None = None) -> Check:
        """A verdict for every sentence, quotation and reference of a draft; QueryError if it is too long.

        `judge` says whether the judge weighs the statements too; None leaves it to the settings.
        """
        from qa.draft import check
        from qa.quotation import find_quotation

        reader = self._reader(judge)
        generation = self.generation(asking=True)
        sources = self._indexed_sources()
        return check(
            generation,
            self._encoder_of(generation),
            draft,
            find_quote=lambda quote, attributed: find_quotation(sources, quote, attributed=attributed),
            judge=reader,
            progress=self._progress,
        )

    def sources(self) -> list[SourceInfo]:
        """All sources of the index, by id."""
        return [entry.info for entry in self.generation().texts.entries]

    def source(self, id: str) -> Source:
        """The source with this id, as it was indexed; NotFound if there is none."""
        return _source_of(self.generation(), id)

    def show(self, id: str) -> Surroundings:
        """A citation's words in their surroundings; NotFound if the index doesn't hold that version of the source."""
        wanted = CitationId.parse(id)
        generation = self.generation()
        source = _source_of(generation, wanted.source)
        if not source.sha256.startswith(wanted.sha16):
            raise NotFound(
                f"'{id}' cites version {wanted.sha16} of '{source.id}', and the index holds {source.sha256[:16]}; "
                "search for its words to find where they stand now"
            )
        if wanted.end > len(source.text):
            raise NotFound(f"'{id}' ends after the end of '{source.id}', which has {len(source.text)} characters")
        near = [(p.start, p.end) for p in generation.texts.passages_of(source)]
        met = [i for i, (a, b) in enumerate(near) if a < wanted.end and wanted.start < b]
        start, end = wanted.start, wanted.end
        if met:
            start = min(start, near[max(met[0] - 1, 0)][0])
            end = max(end, near[min(met[-1] + 1, len(near) - 1)][1])
        return Surroundings(
            cite(source, wanted.start, wanted.end), source.text[start : wanted.start], source.text[wanted.end : end]
        )

    # --- quotations and citations made earlier

    def quote(self, words: str, attributed: Sequence[str] = (), limit: int = DEFAULT_PLACES) -> Quotation:
        """Where some words stand in the indexed sources; NotFound for an attributed id that is none of theirs."""
        from qa.quotation import find_quotation

        sources = self._indexed_sources()
        for id in sorted(set(attributed) - {source.id for source in sources}):
            raise NotFound(f"there is no source '{id}' in the index; `qa sources` lists them")
        return find_quotation(sources, words, limit, attributed)

    def verify(self, given: Any) -> Verification:
        """Judge every citation in a text, or in a JSON value, against the sources folder as it is now."""
        from qa.verification import claims_in, read_claims, verify

        claims = read_claims(given) if isinstance(given, str) else claims_in(given)
        folder = self._present_sources()
        sources = {source.id: source for _, source in folder.sources}
        return verify(claims, sources, self._old_version, folder.problems)

    def _indexed_sources(self) -> tuple[Source, ...]:
        """All sources of the generation in force, kept so that their folded texts are."""
        generation = self.generation()
        with self._lock:
            if self._quotable is None or self._quotable[0] != generation.id:
                texts = generation.texts
                every = (texts.source(entry.info.id) for entry in texts.entries)
                self._quotable = generation.id, tuple(source for source in every if source is not None)
            return self._quotable[1]

    def _present_sources(self) -> Folder:
        """The sources folder as it is, read again when a file's size or time differs."""
        folder = self.settings.sources
        state = [(str(path), (stat := path.stat()).st_size, stat.st_mtime_ns) for path in find_files(folder)]
        with self._lock:
            if self._present is None or self._present[0] != state:
                self._present = state, load_folder(folder, lambda done, total: self._progress("reading", done, total))
            return self._present[1]

    def _old_version(self, id: str, sha: str) -> Source | None:
        """A source from the index, if there is one and it holds the version with this sha256."""
        try:
            current_name(self.settings.index)  # verifying builds no index
            source = self.generation().texts.source(id)
        except (IndexMissing, IndexDamaged):
            return None
        return source if source and source.sha256.startswith(sha) else None

    # --- citing

    def cite(
        self, text: str, k: int = DEFAULT_CITED, style: str | Path = DEFAULT_STYLE, filters: Filters = Filters()
    ) -> Cited:
        """The best passages for a claim or question, at most k, as finished citations; none if the sources are silent.

        QueryError when it can't be asked, or for a style that doesn't exist.
        """
        from qa.reference import Cited, best_sentences, finish, without_marker

        generation = self.generation(asking=True)
        hits = search(generation, self._encoder_of(generation), text, k, filters)
        silent = is_far(hits)
        found = [] if silent else best_sentences(generation, hits)
        sources = {quote.source: _source_of(generation, quote.source) for quote in found}
        ranges = [(sources[quote.source], quote.start, quote.end) for quote in found]
        citations = [cite(source, *without_marker(source, start, end)) for source, start, end in ranges]
        references, entries = finish(citations, sources, [e.info for e in generation.texts.entries], style)
        related = tuple(hits) if silent else ()
        return Cited(text, str(style), references, entries, related, self._reference(generation, None))

    def bibliography(
        self, style: str | Path = DEFAULT_STYLE, sources: Sequence[str] = (), draft: str | None = None
    ) -> Bibliography:
        """The works of all sources, or of those named, or of those that a draft cites, as entries in a style.

        QueryError for a style or source that doesn't exist; a draft's unknown keys are in the result.
        """
        from qa.bibliography import list_works

        infos = [entry.info for entry in self.generation().texts.entries]
        self._progress(f"writing the entries of {len(infos):,} sources" if len(infos) > 100 else "writing", 0, 0)
        return list_works(infos, style, sources, draft)

    # --- the index

    def generation(self, asking: bool = False) -> Generation:
        """The generation in force, built first if there is none; IndexDamaged when it isn't whole.

        With `asking` its encoder begins to load while it is opened.
        """
        with self._lock:
            try:
                name = current_name(self.settings.index)
            except IndexMissing:
                self.index()
                name = current_name(self.settings.index)
            if self._generation is None or self._generation.folder.name != name:
                self._generation = Generation.open(self.settings.index, asking and self._encoder is None)
            return self._generation

    def index(self, *, rebuild: bool = False, skip_invalid: bool = False) -> Indexed:
        """Bring the index up to date with the sources; only what changed is encoded, or everything with `rebuild`.

        Raises SourceError naming every file that can't be used (`skip_invalid` leaves those out); the old index stays.
        """
        with lock(self.settings.index, lambda: self._progress("waiting for another `qa index`", 0, 0)):
            loaded = self._load(skip_invalid)
            sample = _sample(loaded)
            encoded = 0

            def progress(stage: str, done: int, total: int) -> None:
                nonlocal encoded
                encoded = total if stage == "encoding" else encoded
                self._progress(stage, done, total)

            with self._builder(rebuild, sample) as encoder:
                id = build(self.settings.index, loaded, encoder, progress, reuse=not rebuild)
            counts = read_manifest(self.settings.index / current_name(self.settings.index), 0)["counts"]
        self._changes = None
        return Indexed(id, counts["sources"], counts["passages"], encoded)

    def check_files(self) -> int:
        """Hash every file of the generation in force against its manifest; how many there are, or IndexDamaged."""
        folder = self.settings.index / current_name(self.settings.index)
        return len(read_manifest(folder, None)["files"])

    def changes(self) -> Changes:
        """How the sources folder differs from what the index holds; looked at anew once a second at most."""
        return self._changes_since(self.generation())

    def _changes_since(self, generation: Generation) -> Changes:
        with self._lock:
            now = time.monotonic()
            kept = self._changes
            if kept and kept[1] == generation.folder.name and now - kept[0] < _CHANGES_LAST:
                return kept[2]
            found = self._compare(generation)
            self._changes = (now, generation.folder.name, found)
            return found

    def _reference(self, generation: Generation, judge: TextJudge | None) -> IndexRef:
        model, changed = generation.manifest["encoder"]["model"], bool(self._changes_since(generation))
        return IndexRef(generation.id, model, changed, judge.name if judge else None)

    def _encoder_of(self, generation: Generation) -> TextEncoder:
        return self._encoder or generation.encoder

    def _load(self, skip_invalid: bool) -> Folder:
        folder = load_folder(self.settings.sources, lambda done, total: self._progress("reading", done, total))
        if folder.problems and not skip_invalid:
            raise SourceError("\n".join([*folder.problems, "or leave such files out with `qa index --skip-invalid`"]))
        if not folder.sources:
            raise SourceError(f"{self.settings.sources} holds no text; put .md or .txt files there")
        return folder

    @contextmanager
    def _builder(self, rebuild: bool, sample: list[str]) -> Iterator[TextEncoder]:
        """The encoder to build with: the one given, the one in the index if of the same model, or a fresh export."""
        if self._encoder is not None:
            yield self._encoder
            return
        if not rebuild:
            kept = self._kept_encoder()
            if kept is not None:
                yield kept
                return
        self._progress("loading the model", 0, 0)
        with tempfile.TemporaryDirectory(prefix=BUILDING, dir=self.settings.index) as work:
            yield export(self.settings.model, Path(work), sample)

    def _kept_encoder(self) -> TextEncoder | None:
        try:
            encoder = Generation.open(self.settings.index).encoder
        except (IndexMissing, IndexDamaged, EncoderError):
            return None
        return encoder if encoder.spec.fingerprint == fingerprint(find_model(self.settings.model)) else None

    def _compare(self, generation: Generation) -> Changes:
        folder = self.settings.sources
        if not folder.is_dir():
            return Changes()  # an index answers by itself, wherever its sources have gone
        origin = generation.manifest["origin"]
        known = {entry["path"]: SourceFile(**entry) for entry in [*origin["read"], *origin["ignored"]]}
        present = {path.relative_to(folder).as_posix(): path for path in find_files(folder)}
        if present and origin["read"] and not any(entry["path"] in present for entry in origin["read"]):
            raise IndexDamaged(
                f"the index in {self.settings.index} was built from other sources: none of its "
                f"{len(origin['read'])} files is in {folder}; name another index with --index, or run `qa index`"
            )
        return Changes(
            added=tuple(sorted(present.keys() - known.keys())),
            changed=tuple(p for p in sorted(present.keys() & known.keys()) if not known[p].matches(present[p])),
            removed=tuple(sorted({entry["path"] for entry in origin["read"]} - present.keys())),
            model=self._encoder is None and not self._same_model(generation),
        )

    def _same_model(self, generation: Generation) -> bool:
        return bool(model_name(self.settings.model) == generation.manifest["encoder"]["model"])


def _source_of(generation: Generation, id: str) -> Source:
    source = generation.texts.source(id)
    if source is None:
        raise NotFound(f"there is no source '{id}' in the index; `qa sources` lists them")
    return source


def _sample(loaded: Folder) -> list[str]:
    """Blocks of text from all over the corpus, for the encoder to be checked on."""
    blocks = [(source, block) for _, source in loaded.sources for block in source.blocks if block.kind != "heading"]
    step = max(1, len(blocks) // _SAMPLE)
    return [source.text[block.start : block.end] for source, block in blocks[::step][:_SAMPLE]]
