"""What an update costs: one of many documents changes, and the index is brought up to date.

    python -m evals.update FILE.json [--documents 1000] [--json]

FILE is in SQuAD's format; each of its paragraphs is a document, taken again under another name until there are enough.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from evals.retrieval import read_squad
from qa.library import Library
from qa.settings import Settings


def main(
    file: Annotated[Path, typer.Argument(help="A SQuAD file.")],
    documents: Annotated[int, typer.Option(help="How many documents.")] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Build, change one document five times; print seconds (the updates' median), their ratio, what was encoded."""
    paragraphs = list(read_squad(file).paragraphs.values())
    with tempfile.TemporaryDirectory() as work:
        sources = Path(work, "sources")
        sources.mkdir()
        for number in range(documents):
            text = paragraphs[number % len(paragraphs)]
            (sources / f"d{number:05d}.txt").write_text(f"{text}\n\nDocument {number}.\n", encoding="utf-8")
        library = Library(Settings(sources, Path(work, "index")))
        print(f"building {documents} documents …", file=sys.stderr)
        started = time.perf_counter()
        built = library.index()
        full = time.perf_counter() - started
        changed = sources / f"d{documents // 2:05d}.txt"
        took = []
        for _ in range(5):
            changed.write_text(changed.read_text(encoding="utf-8") + "\nOne line more.\n", encoding="utf-8")
            started = time.perf_counter()
            updated = library.index()
            took.append(time.perf_counter() - started)
    update = median(took)
    row = {
        "documents": documents,
        "passages": built.passages,
        "build_s": round(full, 2),
        "update_s": round(update, 2),
        "ratio": round(update / full, 4),
        "encoded": updated.encoded,
    }
    print(json.dumps(row) if as_json else "  ".join(f"{name} {value}" for name, value in row.items()))


if __name__ == "__main__":
    typer.run(main)
