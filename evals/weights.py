"""How the weights of the search were chosen, on tuning questions alone.

`python -m evals.weights [--squad FILE.json] [--sources DIR]` computes each candidate's stage scores once and then tries
every mixture of them on a grid: the fusion's, the final score's (late interaction over the whole passage apart from
that of its best sentence) and the number of candidates re-ranked. The questions are the tune split of the facts, plain
and paraphrased apart, over `sources/` and any folder of `--sources`, those on twelve of SQuAD's articles, and, with
`--written`, some of those written about the passages that the judge learned from, which nothing here has learned from.
Figures reported elsewhere are measured on the others.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from evals.facts import CASES, holds, read_cases
from evals.retrieval import Collection, Report, guarded, opened, owners, progress, read_squad, select, terminal
from qa import tokens
from qa.generation import Generation
from qa.library import Library
from qa.search import DEPTH, FINAL_WEIGHTS, FUSION_WEIGHTS, RERANKED, candidates
from qa.settings import Settings
from training.examples import digest, paragraphs, read_data

HELD_OUT = "Harvard_University,Steam_engine,Islamism,Force"  # SQuAD's articles that no weight was chosen on
STAGES = ("dense", "bm25", "whole", "sentence")
Floats = npt.NDArray[np.float32]
Mixture = tuple[float, ...]  # a weight a stage

_STEP = 0.05
_SHOWN = 12
_SAMPLE = 1_500  # of the written questions of each kind
_DEPTHS = (10, 20, 40, 80, 160)


@dataclass(frozen=True, slots=True)
class Questions:
    """The candidates of some questions: `stages` of shape (question, candidate, stage), -inf where there are fewer;
    `meets` of shape (question, candidate, fact), whether one holds a fact; and `facts`, how many each question wants.
    """

    name: str
    stages: Floats
    meets: npt.NDArray[np.bool_]
    facts: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.stages)


@dataclass(frozen=True, slots=True)
class Setting:
    """What is tried: the vectors' share in the fusion, how many candidates are re-ranked, and the final mixture."""

    dense: float
    depth: int
    final: Mixture


# --- computing the stages


def squad_questions(path: Path, report: Report) -> Questions:
    """The questions on the tuning articles, over the paragraphs of all articles; a paragraph is the one fact."""
    collection = read_squad(path)
    collection = Collection(collection.paragraphs, select(collection.questions, None, HELD_OUT))
    with opened(collection, None, None, report) as library:
        generation = library.generation()
        owner = owners(generation)
        asked = [(q.text, [lambda n, q=q: owner[n] == q.paragraph]) for q in collection.questions]
        return _questions("SQuAD", generation, asked, report)


def fact_questions(folder: Path, name: str, report: Report) -> list[Questions]:
    """The facts of the tune split over a folder of documents: the plain questions, and the paraphrased ones."""
    cases = [case for case in read_cases(CASES) if case.split == "tune" and case.facts]
    with tempfile.TemporaryDirectory() as index:
        library = Library(Settings.load(folder, index), progress=report)
        library.index()
        generation = library.generation()
        texts = [_text(generation, n) for n in range(generation.count)]
        out = []
        for paraphrase, kind in ((False, "plain"), (True, "paraphrased")):
            asked: list[tuple[str, Sequence[Callable[[int], bool]]]] = [
                (case.question, [lambda n, f=fact: holds(texts[n], f) for fact in case.facts])  # type: ignore[misc]
                for case in cases
                if case.paraphrase is paraphrase
            ]
            out.append(_questions(f"{name}, {kind}", generation, asked, report))
        return out


def written_questions(folder: Path, report: Report) -> list[Questions]:
    """Questions written about passages, over all of those, plain and paraphrased; a passage is the one fact."""
    written = read_data(folder).written
    asks = [(digest(p.sentences), ask) for part in ("train", "development") for p in written[part] for ask in p.asks]
    out = []
    with opened(Collection(paragraphs(written), ()), None, None, report) as library:
        generation = library.generation()
        owner = owners(generation)
        for kind in ("plain", "paraphrased"):
            every = [(key, text) for key, ask in asks for text in (ask.words[:1] if kind == "plain" else ask.words[1:])]
            chosen = random.Random(0).sample(every, min(_SAMPLE, len(every)))
            asked = [(text, [lambda n, key=key: owner[n] == key]) for key, text in chosen]
            out.append(_questions(f"written, {kind}", generation, asked, report))
    return out


def _text(generation: Generation, number: int) -> str:
    source, passage = generation.texts.passage(number)
    return source.text[passage.start : passage.end]


def _questions(
    name: str, generation: Generation, asked: Sequence[tuple[str, Sequence[Callable[[int], bool]]]], report: Report
) -> Questions:
    most = max(len(facts) for _, facts in asked)
    stages = np.full((len(asked), 2 * DEPTH, len(STAGES)), -np.inf, dtype=np.float32)
    meets = np.zeros((len(asked), 2 * DEPTH, most), dtype=np.bool_)
    for i, (question, facts) in enumerate(asked):
        numbers, scores = stage_scores(generation, question)
        report(f"asking: {name}", i + 1, len(asked))
        if not numbers:  # a phrase in quotation marks that stands nowhere
            continue
        stages[i, : len(numbers)] = scores
        meets[i, : len(numbers), : len(facts)] = [[fact(n) for fact in facts] for n in numbers]
    return Questions(name, stages, meets, np.array([len(facts) for _, facts in asked]))


def stage_scores(generation: Generation, question: str) -> tuple[list[int], Floats]:
    """The candidates of a question by number, and the score of each at each stage."""
    asked = generation.encoder.encode(question, "question")
    found = candidates(generation, asked, question, DEPTH, None)
    stored = [generation.token_codes(one.number) for one in found]
    turned = tokens.rotate(asked.tokens, generation.vectors.rotation)
    scores = []
    for one, (_, parts), similarity in zip(
        found, stored, tokens.similarities([codes for codes, _ in stored], turned), strict=True
    ):
        whole, single = tokens.late_interaction(similarity, [(part.first, part.last) for part in parts])
        scores.append((one.scores["dense"], one.scores["bm25"], whole, max(single, default=whole)))
    return [one.number for one in found], np.array(scores, dtype=np.float32).reshape(-1, len(STAGES))


# --- trying mixtures


def first(questions: Questions, dense: float, depth: int) -> Questions:
    """The same with the `depth` candidates alone that a fusion puts first, in its order."""
    kept = np.argsort(-fusion(questions, dense), axis=1, kind="stable")[:, :depth, None]
    return replace(
        questions,
        stages=np.take_along_axis(questions.stages, kept, axis=1),
        meets=np.take_along_axis(questions.meets, kept, axis=1),
    )


def measure(questions: Questions, mixture: Mixture, ks: Sequence[int] = (1, 5)) -> list[float]:
    """The share of the facts wanted that the first k passages hold, a question's facts together weighing one."""
    scores = mixed(questions.stages, mixture)
    top = np.argsort(-scores, axis=1, kind="stable")[:, : max(ks), None]
    held = np.take_along_axis(questions.meets, top, axis=1)
    return [float((held[:, :k].any(axis=1).sum(axis=1) / questions.facts).mean()) for k in ks]


def mixed(stages: Floats, mixture: Mixture) -> Floats:
    """Stage scores joined by weights, -inf where there is no candidate."""
    there = np.isfinite(stages[..., 0])
    joined = np.where(there[..., None], stages, 0) @ np.array(mixture, dtype=np.float32)
    return np.asarray(np.where(there, joined, -np.inf), dtype=np.float32)


def fusion(questions: Questions, dense: float) -> Floats:
    """The fused scores at some share of the vectors."""
    return mixed(questions.stages[..., :2], (dense, 1 - dense))


def grid(step: float, parts: int) -> list[Mixture]:
    """All mixtures of `parts` weights that are multiples of `step` and sum to 1."""
    units = round(1 / step)
    counts = itertools.product(range(units + 1), repeat=parts - 1)
    return [(*(c * step for c in row), (units - sum(row)) * step) for row in counts if sum(row) <= units]


def in_force() -> Setting:
    """What `qa.search` does."""
    late = FINAL_WEIGHTS["late"] / 2  # the mean of the whole passage and its best sentence
    return Setting(FUSION_WEIGHTS["dense"], RERANKED, (FINAL_WEIGHTS["dense"], FINAL_WEIGHTS["bm25"], late, late))


def balance(figures: Sequence[tuple[str, Sequence[float]]]) -> float:
    """One figure to choose by: the mean over what is asked in the source's words and what is paraphrased, half each."""
    kinds: dict[bool, list[float]] = {True: [], False: []}
    for name, shares in figures:
        kinds["paraphrased" in name].extend(shares[:1] if name == "SQuAD" else shares)
    return float(np.mean([np.mean(shares) for shares in kinds.values() if shares]))


def try_fusions(tasks: Sequence[Questions]) -> list[dict[str, Any]]:
    """A row for each share of the vectors in the fusion; `kept` is what the candidates re-ranked hold of the facts."""
    rows = []
    for units in range(round(1 / _STEP) + 1):
        mixture = _key((units * _STEP, 1 - units * _STEP, 0, 0))
        figures = [(task.name, measure(task, mixture, (1, 5, RERANKED))) for task in tasks]
        ranked = [(name, shares[:2]) for name, shares in figures]
        row = {"dense": mixture[0], "bm25": mixture[1], "balance": balance(ranked)}
        row |= _columns(ranked) | {f"{name} kept": shares[2] for name, shares in figures}
        rows.append(_rounded(row, mixture[0] == FUSION_WEIGHTS["dense"]))
    return rows


def try_finals(tasks: Sequence[Questions], dense: float, depth: int) -> list[dict[str, Any]]:
    """A row for each final mixture; `plateau` is the balance's mean over its neighbours on the grid and itself."""
    tasks = [first(task, dense, depth) for task in tasks]
    found: dict[Mixture, tuple[float, dict[str, float]]] = {}
    for mixture in grid(_STEP, len(STAGES)):
        figures = [(task.name, measure(task, mixture)) for task in tasks]
        found[_key(mixture)] = (balance(figures), _columns(figures))
    now = _key(in_force().final)
    return [
        _rounded({**_weights(m), "balance": figure, "plateau": _plateau(found, m), **columns}, m == now)
        for m, (figure, columns) in found.items()
    ]


def _plateau(found: dict[Mixture, tuple[float, dict[str, float]]], mixture: Mixture) -> float:
    near = [found[mixture][0]]
    for i, j in itertools.permutations(range(len(mixture)), 2):
        moved = list(mixture)
        moved[i], moved[j] = moved[i] + _STEP, moved[j] - _STEP
        if _key(moved) in found:
            near.append(found[_key(moved)][0])
    return float(np.mean(near))


def try_depths(tasks: Sequence[Questions], finals: Sequence[Mixture], dense: float) -> list[dict[str, Any]]:
    """A row for each number of candidates re-ranked and each of some final mixtures."""
    rows = []
    for mixture, depth in itertools.product(finals, _DEPTHS):
        figures = [(task.name, measure(first(task, dense, depth), mixture)) for task in tasks]
        row = {"depth": depth, **_weights(mixture), "balance": balance(figures), **_columns(figures)}
        rows.append(_rounded(row, Setting(dense, depth, mixture) == in_force()))
    return rows


def _weights(mixture: Mixture) -> dict[str, float]:
    return dict(zip(STAGES, mixture, strict=True))


def _key(mixture: Iterable[float]) -> Mixture:
    return tuple(round(weight, 4) for weight in mixture)


def _columns(figures: Iterable[tuple[str, Sequence[float]]]) -> dict[str, float]:
    return {f"{name} @{k}": share for name, shares in figures for k, share in zip((1, 5), shares, strict=True)}


def _rounded(row: dict[str, float], now: bool) -> dict[str, Any]:
    return {name: value if isinstance(value, int) else round(value, 4) for name, value in row.items()} | {"now": now}


# --- showing


def sweep(tasks: Sequence[Questions]) -> dict[str, list[dict[str, Any]]]:
    """All three tables: the final one holds every mixture, best plateau first."""
    now = in_force()
    finals = sorted(try_finals(tasks, now.dense, now.depth), key=lambda row: -row["plateau"])
    best = tuple(finals[0][stage] for stage in STAGES)
    return {
        "fusion": try_fusions(tasks),
        "final": finals,
        "depth": try_depths(tasks, list(dict.fromkeys([now.final, best])), now.dense),
    }


def show(found: dict[str, list[dict[str, Any]]], tasks: Sequence[Questions], console: Console) -> None:
    """Print the tables; the row in force is bold."""
    console.print("tuning questions: " + "; ".join(f"{task.name} {len(task)}" for task in tasks))
    for name, rows in found.items():
        shown = [row for i, row in enumerate(rows) if name != "final" or i < _SHOWN or row["now"] or _is_plain(row)]
        table = Table(title=f"\n{name} ({len(rows)} tried; > is in force)", title_justify="left", box=None)
        for column in ("", *(key for key in rows[0] if key != "now")):
            table.add_column(
                column.replace(", ", "\n").replace(" @", "\n@").replace(" kept", "\nkept"), justify="right"
            )
        for row in shown:
            cells = [
                f"{value:.3f}" if isinstance(value, float) else str(value) for k, value in row.items() if k != "now"
            ]
            table.add_row(">" if row["now"] else "", *cells, style="bold" if row["now"] else "")
        console.print(table)


def _is_plain(row: dict[str, Any]) -> bool:
    """Whether a mixture is of one stage alone."""
    return any(row[stage] == 1 for stage in STAGES)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m evals.weights", description="Try the weights of the search.")
    parser.add_argument("--squad", type=Path, metavar="FILE.json", help="SQuAD's dev set, or a part of it")
    parser.add_argument("--briefs", type=Path, metavar="DIR", default=Path("sources"), help="the briefs (sources)")
    parser.add_argument("--sources", type=Path, metavar="DIR", help="other documents that hold the facts")
    parser.add_argument("--written", type=Path, metavar="DIR", help="the public data of the judge's training")
    parser.add_argument("--json", action="store_true", help="print every row as JSON")
    given = parser.parse_args(arguments)

    def run() -> None:
        with progress() as report:
            tasks = fact_questions(given.briefs, "briefs", report)
            tasks += fact_questions(given.sources, given.sources.name, report) if given.sources else []
            tasks += [squad_questions(given.squad, report)] if given.squad else []
            tasks += written_questions(given.written, report) if given.written else []
            report("trying mixtures", 0, 0)
            found = sweep(tasks)
        print(json.dumps(found, indent=1)) if given.json else show(found, tasks, terminal(200))

    return guarded(run)


if __name__ == "__main__":
    sys.exit(main())
