"""The same paragraphs, questions and model through other search systems, side by side in one run.

`python -m evals.peers FILE.json --env DIR` installs LangChain and txtai into a virtual environment in DIR (once), and
runs each of them, and this project, in processes of their own: one that indexes, and one that opens the index and asks
every question alone. The systems take turns for some rounds, and each one's fastest counts, for whatever else a machine
does can only slow them. Versions of what all of them stand on (torch, faiss …) are those of our own environment. Times
are only to be compared within one run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from evals.retrieval import (
    Collection,
    Report,
    add_output_options,
    guarded,
    interval,
    load_pyplot,
    progress,
    put_out,
    read_squad,
    save_figure,
    terminal,
)
from qa.encoder import find_model
from qa.errors import QueryError, SettingsError
from qa.settings import BUNDLED_MODEL

OURS = "qa"
# What is installed for each, and what its size on disk is counted from.
ROOTS = {
    OURS: ["qa"],
    "LangChain + FAISS": ["langchain-community", "langchain-huggingface", "faiss-cpu", BUNDLED_MODEL],
    "LangChain ensemble": [
        "langchain-community",
        "langchain-huggingface",
        "langchain-classic",
        "faiss-cpu",
        "rank-bm25",
        BUNDLED_MODEL,
    ],
    "txtai hybrid": ["txtai", BUNDLED_MODEL],
}
SAMPLE = 600
K = 20

_WORKER = Path(__file__).with_name("peer_worker.py")
_SHARED = ("torch", "transformers", "sentence-transformers", "faiss-cpu", "numpy", BUNDLED_MODEL)
_INSTALLED = "installed.json"
# name in a row → heading, and how it is written
_COLUMNS = {
    "r@1": ("R@1", ".3f"),
    "r@5": ("R@5", ".3f"),
    "p50_ms": ("p50\nms", ".1f"),
    "p95_ms": ("p95\nms", ".1f"),
    "paragraphs_per_s": ("indexed\npar./s", ".1f"),
    "cold_s": ("cold, index\nbuilt, s", ".2f"),
    "cold_indexing_s": ("cold, with\nindexing, s", ".1f"),
    "peak_mb": ("peak MB,\nasking", ".0f"),
    "peak_indexing_mb": ("peak MB,\nindexing", ".0f"),
    "install_mb": ("installed\nMB", ".0f"),
}


@dataclass(frozen=True, slots=True)
class Bench:
    """What every system is given: the file of its task, a folder to work in, and the Pythons to run it with."""

    folder: Path
    task: Path
    environment: Path

    def run(self, system: str, mode: str) -> tuple[float, dict[str, Any]]:
        """Run the worker; when its process was started, and what it measured. QueryError when it fails."""
        folder = self.folder / "".join(c for c in system if c.isalnum())
        if mode == "build":
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(exist_ok=True)
        result = self.folder / "result.json"
        python = sys.executable if system == OURS else str(_python(self.environment))
        start = time.time()
        done = subprocess.run(
            [python, "-P", str(_WORKER), system, mode, str(self.task), str(folder), str(result)],
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            told = "\n".join(done.stderr.strip().splitlines()[-5:])
            raise QueryError(f"{system} failed to {mode}:\n{told}")
        return start, json.loads(result.read_text(encoding="utf-8"))


# --- installing


def install(folder: Path, report: Report) -> None:
    """Make a virtual environment with all peers, unless it is there; SettingsError when pip fails."""
    wanted = sorted({root for name, roots in ROOTS.items() if name != OURS for root in roots})
    constraints = [f"{name}=={metadata.version(name).partition('+')[0]}" for name in _SHARED]
    mark = folder / _INSTALLED
    if mark.is_file() and json.loads(mark.read_text()) == [wanted, constraints]:
        return
    report("installing the peers", 0, 0)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "constraints.txt").write_text("\n".join(constraints) + "\n")
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(_python(folder)), "-m", "pip", "install", "-q", "-c", str(folder / "constraints.txt"), *wanted],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            told = "\n".join(done.stderr.strip().splitlines()[-5:])
            raise SettingsError(f"the peers can't be installed into {folder}; try another --env:\n{told}")
    mark.write_text(json.dumps([wanted, constraints]))


def _python(environment: Path) -> Path:
    return environment.absolute() / ("Scripts" if os.name == "nt" else "bin") / "python"


# --- measuring


def evaluate(
    collection: Collection, count: int | None, environment: Path, rounds: int, report: Report
) -> list[dict[str, Any]]:
    """A row for each system, ours first."""
    asked = collection.questions
    if count and count < len(asked):
        asked = tuple(asked[i * len(asked) // count] for i in range(count))
    numbers = {id: number for number, id in enumerate(collection.paragraphs)}
    gold = [numbers[question.paragraph] for question in asked]
    with tempfile.TemporaryDirectory() as folder:
        bench = _prepare(Path(folder), collection, [question.text for question in asked], environment)
        runs = _run_all(bench, rounds, report)
        command = [_command(bench, asked[0].text) for _ in range(rounds)]
    right = {name: _places(run["ask"][0][1]["found"], gold) == 1 for name, run in runs.items()}
    out = []
    for name, run in runs.items():
        row = {"system": name, "n": len(asked), "rounds": rounds, **_row(run, gold, len(numbers))}
        row["r@1_interval"] = interval(right[name].astype(float), [question.paragraph for question in asked])
        if name != OURS:
            less = right[OURS].astype(float) - right[name]
            row["ours_over"] = round(float(less.mean()), 4)
            row["ours_over_interval"] = interval(less, [question.paragraph for question in asked])
        out.append(row)
    out[0]["command_s"] = round(min(command), 3)
    return out


def _prepare(folder: Path, collection: Collection, questions: list[str], environment: Path) -> Bench:
    files = folder / "files"
    files.mkdir()
    for number, text in enumerate(collection.paragraphs.values()):
        (files / f"p{number:06d}.txt").write_bytes(text.encode())
    task = {
        "model": str(find_model(BUNDLED_MODEL)),
        "model_name": BUNDLED_MODEL,
        "files": str(files),
        "texts": list(collection.paragraphs.values()),
        "questions": questions,
        "k": K,
    }
    (folder / "task.json").write_text(json.dumps(task), encoding="utf-8")
    return Bench(folder, folder / "task.json", environment)


def _run_all(bench: Bench, rounds: int, report: Report) -> dict[str, dict[str, Any]]:
    steps = [(name, mode) for _ in range(rounds) for mode in ("build", "ask") for name in ROOTS]
    runs: dict[str, dict[str, Any]] = {name: {"build": [], "ask": [], "size": _size(bench, name)} for name in ROOTS}
    for number, (name, mode) in enumerate(steps):
        report("indexing and asking", number, len(steps))
        runs[name][mode].append(bench.run(name, mode))
    report("indexing and asking", len(steps), len(steps))
    return runs


def _size(bench: Bench, name: str) -> dict[str, Any]:
    task = bench.folder / "roots.json"
    task.write_text(json.dumps({"roots": ROOTS[name]}))
    return Bench(bench.folder, task, bench.environment).run(name, "size")[1]


def _command(bench: Bench, question: str) -> float:
    """Seconds that `qa ask` takes on the built index, from the start of its process to its end."""
    folders = ["--sources", str(bench.folder / "files"), "--index", str(bench.folder / OURS / "index")]
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "qa", "ask", question, *folders, "--json"], capture_output=True)
    return time.perf_counter() - start


def _places(found: Sequence[Sequence[int]], gold: Sequence[int]) -> Any:
    """Where each question's paragraph came, from 1; infinite if it wasn't found."""
    ranked = [list(dict.fromkeys(numbers)) for numbers in found]
    return np.array([r.index(g) + 1 if g in r else np.inf for r, g in zip(ranked, gold, strict=True)])


def _row(run: dict[str, Any], gold: Sequence[int], paragraphs: int) -> dict[str, Any]:
    """One system's figures: the fastest of its rounds, and the most memory of any."""
    built, asked = ([found for _, found in run[mode]] for mode in ("build", "ask"))
    cold, indexing = (min(found["first_answer_at"] - start for start, found in run[mode]) for mode in ("ask", "build"))
    places = _places(asked[0]["found"], gold)
    p50, p95 = min(tuple(1000 * np.percentile(found["seconds"], (50, 95))) for found in asked)
    figures = {
        "r@1": (places <= 1).mean(),
        "r@5": (places <= 5).mean(),
        "p50_ms": p50,
        "p95_ms": p95,
        "paragraphs_per_s": paragraphs / min(found["indexed"] for found in built),
        "cold_s": cold,
        "cold_indexing_s": indexing,
        "peak_mb": max(found["peak_mb"] for found in asked),
        "peak_indexing_mb": max(found["peak_mb"] for found in built),
        "install_mb": run["size"]["bytes"] / 2**20,
    }
    return {**{name: round(float(value), 4) for name, value in figures.items()}, "versions": run["size"]["versions"]}


# --- showing


def render(rows: Sequence[dict[str, Any]]) -> RenderableType:
    """The rows as a table for people."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for heading, _ in _COLUMNS.values():
        table.add_column(heading, justify="right")
    table.add_column("ours over it\nat R@1", justify="right")
    for row in rows:
        cells = [f"{row[name]:{form}}" for name, (_, form) in _COLUMNS.items()]
        low, high = row.get("ours_over_interval", (0, 0))
        over = f"{row['ours_over']:+.3f} ({low:+.3f}…{high:+.3f})" if "ours_over" in row else ""
        table.add_row(row["system"], *cells, over, style="bold" if row["system"] == OURS else "")
    notes = [
        f"{rows[0]['n']} questions, one at a time, warm; fastest of {rows[0]['rounds']} rounds; "
        "95 % intervals by bootstrap over paragraphs.",
        f"`qa ask` on the built index, its whole process: {rows[0]['command_s']:.2f} s.",
        *("; ".join(f"{name} {version}" for name, version in row["versions"].items()) for row in rows),
    ]
    return Group(table, Text(), *map(Text, notes))


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw the rows: accuracy, and the three times."""
    shown = {
        "r@1": "R@1",
        "p50_ms": "a warm question, median, ms",
        "paragraphs_per_s": "paragraphs indexed a second",
        "cold_s": "cold start to first answer, s",
    }
    figure, axes = load_pyplot().subplots(1, len(shown), figsize=(11, 2.2), sharey=True)
    names = [row["system"] for row in rows][::-1]
    for axis, (measure, title) in zip(axes, shown.items(), strict=True):
        values = [row[measure] for row in rows][::-1]
        bars = axis.barh(names, values, color=["C3" if name == OURS else "C0" for name in names])
        axis.bar_label(bars, [f"{value:.3g}" for value in values], fontsize=7, padding=2)
        axis.set_title(title, fontsize=8)
        axis.set_xlim(0, max(values) * 1.2)
        axis.tick_params(labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m evals.peers", description="This project beside others.")
    parser.add_argument("file", type=Path, metavar="FILE.json", help="questions and paragraphs in SQuAD's format")
    parser.add_argument("--distractors", type=Path, metavar="FILE.json", help="add the paragraphs of another file")
    parser.add_argument("--env", type=Path, metavar="DIR", required=True, help="the peers' virtual environment")
    parser.add_argument("--all", action="store_true", help=f"ask every question, not an even sample of {SAMPLE}")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="do everything N times over (3)")
    add_output_options(parser)
    given = parser.parse_args(arguments)

    def run() -> None:
        if given.plot:
            load_pyplot()
        if given.rounds < 1:
            raise QueryError(f"--rounds is {given.rounds}; it can be 1 or more")
        collection = read_squad(given.file, given.distractors)
        with progress() as report:
            install(given.env, report)
            found = evaluate(collection, None if given.all else SAMPLE, given.env, given.rounds, report)
        put_out(found, given, terminal(160), render(found), plot)

    return guarded(run)


if __name__ == "__main__":
    sys.exit(main())
