"""How the index grows: build, disk, open, latency, memory and recall at 10 thousand, 100 thousand, a million passages.

    python -m evals.scale [--passages 10000 --passages 100000] [--folder DIR] [--json]

The text is synthetic (words drawn by Zipf's law, sources of a hundred paragraphs), and so are the vectors: a word's is
random, a text's is the sum of its words', so that a question asked in a passage's words lies near it. Each passage has
16 token vectors instead of the 130 or so of a real one; `tokens_gb` says what real ones would add to the disk.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from qa.encoder import EncoderSpec, Encoding, Role
from qa.generation import Generation
from qa.index import build, lock
from qa.loaders import Folder, SourceFile, parse
from qa.search import search
from qa.source import Source

_DIMENSION = 384
_VOCABULARY = 20_000
_WORDS = 60  # in a paragraph
_TOKENS = 16  # vectors kept of a passage
_REAL_TOKEN_BYTES = 130 * 96
_QUESTIONS = 200


class SyntheticEncoder:
    """A text's vector is the sum of its words' random ones; so it costs next to nothing and still means something."""

    spec = EncoderSpec("synthetic", "0" * 64, "fp32", _DIMENSION, 256, "mean", {})

    def __init__(self) -> None:
        self._table = np.random.default_rng(0).standard_normal((_VOCABULARY, _DIMENSION)).astype(np.float32)

    def count(self, text: str, role: Role = "passage") -> int:  # noqa: ARG002
        """As many tokens as words."""
        return len(text.split())

    def encode(self, text: str, role: Role) -> Encoding:  # noqa: ARG002
        """The vectors of `text`, for either role."""
        rows = [zlib.crc32(word.strip(".").encode()) % _VOCABULARY for word in text.split()]
        vectors = self._table[rows]
        vector = vectors.sum(axis=0)
        kept = vectors[:_TOKENS] / np.linalg.norm(vectors[:_TOKENS], axis=1, keepdims=True)
        starts = np.arange(len(kept), dtype=np.int64)
        return Encoding(np.asarray(vector / np.linalg.norm(vector), dtype=np.float32), kept, starts)

    def save(self, folder: Path) -> None:
        """Write what there is to say of this encoder."""
        (folder / "encoder.json").write_text(json.dumps({"spec": asdict(self.spec), "agreement": {}}))


def _sources(passages: int, rng: np.random.Generator) -> Folder:
    per_source = 100
    found: list[tuple[SourceFile, Source]] = []
    for number in range(-(-passages // per_source)):
        draws = np.minimum(rng.zipf(1.2, size=(min(per_source, passages - number * per_source), _WORDS)), _VOCABULARY)
        text = "\n\n".join(" ".join(f"w{word}" for word in row) + "." for row in draws)
        # One block a passage: each paragraph stands under a heading of its own.
        body = "\n\n".join(f"## s{i}\n\n{paragraph}" for i, paragraph in enumerate(text.split("\n\n")))
        id = f"s{number:06d}"
        found.append((SourceFile(f"{id}.md", len(body), 0, ""), parse(body, id)))
    return Folder(tuple(found), (), ())


def measure_build(passages: int, folder: Path) -> dict[str, Any]:
    """Build an index of synthetic passages in `folder`; seconds and bytes."""
    loaded = _sources(passages, np.random.default_rng(passages))
    started = time.perf_counter()
    with lock(folder):
        build(folder, loaded, SyntheticEncoder())
    seconds = time.perf_counter() - started
    disk = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {"build_s": round(seconds, 1), "disk_gb": round(disk / 1e9, 3)}


def measure_questions(folder: Path) -> dict[str, Any]:
    """Open the index in `folder` and ask it; milliseconds, resident memory, and recall of the nearest against exact."""
    encoder = SyntheticEncoder()
    before = _resident()
    started = time.perf_counter()
    generation = Generation.open(folder)
    opened = time.perf_counter() - started
    rng = np.random.default_rng(1)
    numbers = rng.integers(0, generation.count, _QUESTIONS)
    questions = []
    for number in numbers:
        source, passage = generation.texts.passage(int(number))
        words = source.text[passage.start : passage.end].split()[2:]
        questions.append(" ".join(rng.choice(words, 8, replace=False)))
    search(generation, encoder, questions[0], 5)
    took = []
    for question in questions:
        started = time.perf_counter()
        search(generation, encoder, question, 5)
        took.append(1000 * (time.perf_counter() - started))
    resident = _resident() - before
    return {
        "passages": generation.count,
        "open_ms": round(1000 * opened, 1),
        "p50_ms": round(float(np.percentile(took, 50)), 1),
        "p95_ms": round(float(np.percentile(took, 95)), 1),
        "resident_mb": round(resident / 1e6),
        "recall@10": _recall(generation, [encoder.encode(q, "question").vector for q in questions[:50]]),
        "nearest": generation.manifest["nearest"],
    }


def _recall(generation: Generation, vectors: list[Any]) -> float:
    every = range(0, generation.count, 2**16)
    kept = []
    for vector in vectors:
        scores = np.concatenate(
            [generation.vectors.rows(range(a, min(a + 2**16, generation.count))) @ vector for a in every]
        )
        best = set(np.argsort(-scores)[:10].tolist())
        kept.append(len(best & set(generation.vectors.nearest(vector, 10))) / 10)
    return round(float(np.mean(kept)), 3)


def _resident() -> int:
    """Bytes of this process's memory that no file backs (Linux), or all it ever had."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("RssAnon:"):
                return 1024 * int(line.split()[1])
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(
    passages: Annotated[list[int], typer.Option(help="How many; may be repeated.")] = [10_000, 100_000, 1_000_000],  # noqa: B006
    folder: Annotated[Path | None, typer.Option(help="Where to build; a temporary folder if not given.")] = None,
    questions_of: Annotated[Path | None, typer.Option(hidden=True)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure building and asking at each size; each opens in a process of its own, so that memory is its own."""
    if questions_of is not None:
        print(json.dumps(measure_questions(questions_of)))
        return
    rows = []
    for count in passages:
        with tempfile.TemporaryDirectory(dir=folder) as work:
            print(f"{count:,} passages …", file=sys.stderr)
            built = measure_build(count, Path(work))
            command = [sys.executable, "-m", "evals.scale", "--questions-of", work]
            asked = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            tokens_gb = round(asked["passages"] * _REAL_TOKEN_BYTES / 1e9, 2)
            rows.append({**asked, **built, "tokens_gb": tokens_gb})
            if not as_json:
                print("  ".join(f"{name} {value}" for name, value in rows[-1].items()))
    if as_json:
        print(json.dumps(rows))


if __name__ == "__main__":
    typer.run(main)
