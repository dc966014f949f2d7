"""One search system in a process of its own: indexes a corpus, or asks questions of it, and says how long it took.

Run by `evals.peers` as a script, in the environment of the system, which need not have ours. TASK.json holds the path
of the model, the folder of the paragraphs as files, their texts, the questions, and how many passages to ask for; what
is measured is written to RESULT.json.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Protocol


class System(Protocol):
    """A search system; paragraphs are numbered as they come in the corpus."""

    def load_model(self) -> None:
        """Get ready to encode passages."""

    def build(self) -> None:
        """Index the corpus, and save the index."""

    def load(self) -> None:
        """Open the index that was saved."""

    def find(self, question: str) -> list[int]:
        """The numbers of the best paragraphs, best first."""
        ...


class Ours:
    """This project: `Library.search`, the whole way."""

    def __init__(self, task: dict[str, Any], folder: Path) -> None:
        from qa.library import Library
        from qa.settings import Settings

        self.task, self.folder = task, folder
        self.library = Library(Settings.load(task["files"], folder / "index"))

    def load_model(self) -> None:
        from qa.encoder import export
        from qa.library import Library

        made = self.folder / "exported"
        made.mkdir()
        step = max(1, len(self.task["texts"]) // 48)
        self.encoder = export(self.task["model_name"], made, self.task["texts"][::step][:48])
        self.library = Library(self.library.settings, encoder=self.encoder)

    def build(self) -> None:
        self.library.index()

    def load(self) -> None:
        self.library.generation()

    def find(self, question: str) -> list[int]:
        return [int(hit.citation.source[1:]) for hit in self.library.search(question, self.task["k"]).hits]


class LangChain:
    """LangChain with sentence-transformers and FAISS."""

    def __init__(self, task: dict[str, Any], folder: Path) -> None:
        self.task, self.folder = task, folder

    def load_model(self) -> None:
        module = import_module("langchain_huggingface")
        self.model = module.HuggingFaceEmbeddings(model_name=self.task["model"], model_kwargs={"device": "cpu"})

    def build(self) -> None:
        texts = self.task["texts"]
        numbers = [{"number": number} for number in range(len(texts))]
        self.store = import_module("langchain_community.vectorstores").FAISS.from_texts(texts, self.model, numbers)
        self.store.save_local(str(self.folder))

    def load(self) -> None:
        self.load_model()
        faiss = import_module("langchain_community.vectorstores").FAISS
        self.store = faiss.load_local(str(self.folder), self.model, allow_dangerous_deserialization=True)

    def find(self, question: str) -> list[int]:
        return [found.metadata["number"] for found in self.store.similarity_search(question, self.task["k"])]


class LangChainEnsemble(LangChain):
    """The same, joined with BM25 by LangChain's EnsembleRetriever, both sides weighing the same."""

    def build(self) -> None:
        super().build()
        self._join()

    def load(self) -> None:
        super().load()
        self._join()

    def _join(self) -> None:
        texts = self.task["texts"]
        numbers = [{"number": number} for number in range(len(texts))]
        words = import_module("langchain_community.retrievers").BM25Retriever.from_texts(texts, numbers)
        words.k = self.task["k"]
        vectors = self.store.as_retriever(search_kwargs={"k": self.task["k"]})
        ensemble = import_module("langchain_classic.retrievers").EnsembleRetriever
        self.both = ensemble(retrievers=[words, vectors], weights=[0.5, 0.5])

    def find(self, question: str) -> list[int]:
        return [found.metadata["number"] for found in self.both.invoke(question)[: self.task["k"]]]


class TxtAI:
    """txtai with its hybrid index: vectors, and BM25 of its own."""

    def __init__(self, task: dict[str, Any], folder: Path) -> None:
        self.task, self.folder = task, folder

    def load_model(self) -> None:
        self.index = import_module("txtai").Embeddings(path=self.task["model"], hybrid=True, gpu=False)

    def build(self) -> None:
        self.index.index(list(enumerate(self.task["texts"])))
        self.index.save(str(self.folder))

    def load(self) -> None:
        self.index = import_module("txtai").Embeddings()
        self.index.load(str(self.folder))

    def find(self, question: str) -> list[int]:
        return [number for number, _ in self.index.search(question, self.task["k"])]


SYSTEMS: dict[str, Any] = {
    "qa": Ours,
    "LangChain + FAISS": LangChain,
    "LangChain ensemble": LangChainEnsemble,
    "txtai hybrid": TxtAI,
}


def build(system: System, task: dict[str, Any]) -> dict[str, Any]:
    """Index the corpus and ask the first question."""
    system.load_model()
    start = time.perf_counter()
    system.build()
    seconds = time.perf_counter() - start
    system.find(task["questions"][0])
    return {"indexed": seconds, "first_answer_at": time.time(), "peak_mb": _peak()}


def ask(system: System, task: dict[str, Any]) -> dict[str, Any]:
    """Open the index, ask the first question, then all of them one by one."""
    system.load()
    system.find(task["questions"][0])
    first = time.time()
    found, seconds = [], []
    for question in task["questions"]:
        start = time.perf_counter()
        found.append(system.find(question))
        seconds.append(time.perf_counter() - start)
    return {"first_answer_at": first, "found": found, "seconds": seconds, "peak_mb": _peak()}


def _peak() -> float:
    """The most memory this process has held, in MiB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def size(roots: list[str]) -> dict[str, Any]:
    """Bytes on disk of some distributions with all they require, and the versions of those named."""
    from packaging.requirements import Requirement

    waiting = [Requirement(root) for root in roots]
    seen: dict[str, set[str]] = {}
    total = 0
    while waiting:
        wanted = waiting.pop()
        name = wanted.name.lower().replace("_", "-")
        extras = {"", *wanted.extras}
        new = extras - seen.get(name, set())
        if not new:
            continue
        distribution = metadata.distribution(name)
        if name not in seen:
            total += _bytes(distribution)
        seen[name] = seen.get(name, set()) | extras
        for line in distribution.requires or ():
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in new):
                waiting.append(needed)
    return {"bytes": total, "distributions": len(seen), "versions": {root: metadata.version(root) for root in roots}}


def _bytes(distribution: metadata.Distribution) -> int:
    paths = (Path(str(distribution.locate_file(file))) for file in distribution.files or ())
    return sum(path.stat().st_size for path in paths if path.is_file())


def main(name: str, mode: str, task_file: str, folder: str, result: str) -> None:
    """Do one thing, and write down what was measured."""
    task = json.loads(Path(task_file).read_text(encoding="utf-8"))
    if mode == "size":
        measured = size(task["roots"])
    else:
        measured = (build if mode == "build" else ask)(SYSTEMS[name](task, Path(folder)), task)
    Path(result).write_text(json.dumps(measured), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
