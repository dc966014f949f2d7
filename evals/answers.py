"""What answers are worth: `python -m evals.answers [--data FOLDER] [--split tune] [--json] [--plots FOLDER]`.

Over evals/disputes.jsonl (small sources, invented, all in one library): is a difference told from what only looks like
one, with the right sides and the right count of independent sources? With `--data`, over SQuAD 2.0: is the value right,
and is silence told from an answer when a question's whole article is taken away, and when it is adversarial? The score
split is the one to report; on SQuAD that is the articles that nothing was trained or tuned on.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

from evals import retrieval
from evals.facts import says
from evals.measures import Row, auc, calibration, draw_confidence, gold_answers, normalised, refused, row, split_of
from qa.agreement import groups, rivals
from qa.answer import DEPTH, Answer
from qa.evidence import answering, findings
from qa.library import Library
from qa.question import parts
from qa.search import Filters, find
from qa.settings import Settings
from training.examples import DEVELOPMENT, TEST, read_data

Report = retrieval.Report
DISPUTES = Path(__file__).with_name("disputes.jsonl")


@dataclass(frozen=True, slots=True)
class Dispute:
    """A question over a few sources, the acceptable strings of each value they say, and whether they differ."""

    id: str
    question: str
    disputed: bool
    values: tuple[tuple[str, ...], ...]
    independent: int
    form: str
    sources: tuple[dict[str, Any], ...]

    @property
    def split(self) -> str:
        """`tune` or `score`, by a hash of the id, once and for all."""
        return split_of(self.id)


def read_disputes(path: Path = DISPUTES) -> list[Dispute]:
    """All cases of a file."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [
        Dispute(
            id=r["id"],
            question=r["question"],
            disputed=r["expect"] == "disputed",
            values=tuple(tuple(side) for side in r["values"]),
            independent=r["independent"],
            form=r["form"],
            sources=tuple(r["sources"]),
        )
        for r in rows
    ]


@contextmanager
def dispute_library(cases: Sequence[Dispute], report: Report) -> Iterator[Library]:
    """A library of all cases' sources."""
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base, "sources")
        folder.mkdir()
        for source in (source for case in cases for source in case.sources):
            record: dict[str, Any] = {"type": "report", "title": source["title"]}
            if source.get("issued"):
                record["issued"] = {"date-parts": [[int(part) for part in str(source["issued"]).split("-")]]}
            head = yaml.safe_dump({"id": source["id"], "record": record}, allow_unicode=True)
            (folder / f"{source['id']}.md").write_text(f"---\n{head}---\n{source['text']}\n", encoding="utf-8")
        library = Library(Settings.load(folder, Path(base, "index")), progress=report)
        library.index()
        yield library


def dispute_rows(
    library: Library, cases: Sequence[Dispute], report: Report, judge: bool
) -> tuple[list[Row], list[Row]]:
    """Precision and recall of `disputed`, whether each side is told, independent sources; and each case's outcome."""
    outcomes: list[Row] = []
    for number, case in enumerate(cases, 1):
        answer = library.ask(case.question, judge=judge)
        sides = [any(says(value.text, side) for value in answer.values) for side in case.values]
        outcomes.append(
            {
                "id": case.id,
                "form": case.form,
                "expected": "disputed" if case.disputed else "answered",
                "status": answer.status,
                "right": all(sides)
                if case.disputed
                else bool(answer.values) and says(answer.values[0].text, case.values[0]),
                "independent": bool(answer.values) and answer.values[0].independent_sources == case.independent,
                "values": [value.text for value in answer.values],
                "confidence": answer.confidence,
            }
        )
        report("asking", number, len(cases))
    said = [o for o in outcomes if o["status"] == "disputed"]
    real = [o for o in outcomes if o["expected"] == "disputed"]
    alike = [o for o in outcomes if o["expected"] != "disputed"]
    precise = [float(o["expected"] == "disputed") for o in said]
    found = [float(o["status"] == "disputed") for o in real]
    told = [float(o["right"]) for o in real if o["status"] == "disputed"]
    agreed = [float(o["status"] == "answered" and o["right"]) for o in alike]
    counted = [float(o["independent"]) for o in alike if o["status"] == "answered" and o["right"]]
    return [
        row("disputes: precision", _mean(precise), len(said), 0.90, precise),
        row("disputes: recall", _mean(found), len(real), 0.80, found),
        row("disputes found: every side told", _mean(told), len(told), None, told),
        row("look-alikes: answered with the right value", _mean(agreed), len(alike), None, agreed),
        row("look-alikes: independent sources counted right", _mean(counted), len(counted), None, counted),
    ], outcomes


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


# --- SQuAD


def squad_rows(
    data_folder: Path, articles: frozenset[str], index: Path | None, judge: bool, report: Report
) -> tuple[list[Row], list[tuple[float, bool]]]:
    """Values and silence over SQuAD's paragraphs; and the confidence of each answer with whether it was right."""
    collection = retrieval.read_squad(data_folder / "squad2-dev-half.json")
    homes = {q.paragraph: q.article for q in collection.questions}
    data = read_data(data_folder)
    questions = [q for several in data.questions.values() for q in several if q.article in articles]
    chances: dict[str, list[float]] = {"answerable": [], "removed": [], "adversarial": []}
    inside, exact, pairs = [], [], []
    with retrieval.opened(collection, index, None, report) as library:
        for number, question in enumerate(questions, 1):
            answer = library.ask(question.text, judge=judge)
            golds = gold_answers(question)
            right = bool(golds) and _inside(answer, golds)
            pairs.append((answer.confidence or 0.0, right))
            chances["answerable" if golds else "adversarial"].append(answer.confidence or 0.0)
            if golds:
                inside.append(float(right))
                exact.append(float(bool(answer.values) and normalised(answer.values[0].text) in golds))
                elsewhere = tuple(id for id in collection.paragraphs if homes.get(id) != question.article)
                gone = library.ask(question.text, filters=Filters(sources=elsewhere), judge=judge)
                chances["removed"].append(gone.confidence or 0.0)
            report("asking", number, len(questions))
    yes = chances["answerable"]
    error, _ = calibration([c for c, _ in pairs], [t for _, t in pairs])
    return [
        row("SQuAD: gold answer inside the top answer's sentence", _mean(inside), len(inside), 0.75, inside),
        row("SQuAD: exact value", _mean(exact), len(exact), 0.45, exact),
        row("SQuAD: whole article removed, AUC", auc(yes, chances["removed"]), len(yes) * 2, 0.97),
        row("SQuAD: refused at 95 % answered, article removed", refused(yes, chances["removed"]), len(yes)),
        row("SQuAD: adversarial, AUC", auc(yes, chances["adversarial"]), len(pairs)),
        row("SQuAD: refused at 95 % answered, adversarial", refused(yes, chances["adversarial"]),
            len(chances["adversarial"])),
        row("SQuAD: expected calibration error", error, len(pairs)),
    ], pairs  # fmt: skip


def _inside(answer: Answer, golds: set[str]) -> bool:
    if not answer.values:
        return False
    quote = normalised(answer.values[0].witnesses[0].citation.quote)
    return any(f" {gold} " in f" {quote} " for gold in golds)


# --- time


def time_rows(library: Library, questions: Sequence[str]) -> list[Row]:
    """What values, agreement and silence take, beside search and judge, of a question that wasn't asked before."""
    generation, judge = library.generation(), library.judge()
    spent = []
    for question in questions:
        part = parts(question)[0]
        asked, hits = find(generation, generation.encoder, part.text, DEPTH, judge=judge)
        began = time.perf_counter()
        sides = groups(answering(part, findings(generation, asked, part, hits)))
        if sides:
            rivals(part, sides[0], sides[1:])
        spent.append(time.perf_counter() - began)
    median = 1e3 * float(np.median(spent))
    return [row("milliseconds a question beside search and judge, median", median, len(spent), 5.0)]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder of public data, for SQuAD")
    parser.add_argument("--index", type=Path, help="keep SQuAD's index here")
    parser.add_argument("--split", choices=("score", "tune"), default="score")
    parser.add_argument("--no-judge", dest="judge", action="store_false", help="answer without the judge")
    parser.add_argument(
        "--cases", action="store_true", help="with --json: each dispute's outcome too (tune split only)"
    )
    parser.add_argument("--plots", type=Path, help="draw SQuAD's reliability and risk–coverage curves in this folder")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    args = parser.parse_args()
    if args.cases and args.split == "score":
        parser.error("the score split's cases aren't to be looked at; say --split tune")
    with retrieval.progress() as report:
        every = read_disputes()
        with dispute_library(every, report) as library:
            chosen = [case for case in every if case.split == args.split]
            rows, outcomes = dispute_rows(library, chosen, report, args.judge)
            if args.judge:
                rows += time_rows(library, [case.question for case in every if case.split != args.split])
        if args.data:
            articles = TEST if args.split == "score" else DEVELOPMENT
            more, pairs = squad_rows(args.data, articles, args.index, args.judge, report)
            rows += more
            if args.plots:
                draw_confidence(pairs, args.plots / "answers-squad.svg")
    if args.json:
        json.dump(rows + outcomes if args.cases else rows, sys.stdout, indent=1, ensure_ascii=False)
        print()
        return
    table = Table("figure", "value", "95 %", "n", "target", box=None, title=f"{args.split} split", title_justify="left")
    for each in rows:
        between = "–".join(f"{x:.3f}" for x in each["interval"]) if each["interval"] else ""
        table.add_row(each["figure"], f"{each['value']:.3f}", between, str(each["n"]), str(each["target"] or ""))
    Console().print(table)


if __name__ == "__main__":
    main()
