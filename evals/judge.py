"""What the judge gets right: `python -m evals.judge --data FOLDER [--json] [--plots FOLDER]`, from a checkout.

Everything is asked of what it was not trained on: SQuAD 2.0's articles Harvard_University, Steam_engine, Islamism and
Force, a fifth of FoolMeTwice's pages, statements altered from those articles' sentences, a tenth of the passages that
questions and statements in other words were written about, and evals/facts.jsonl. With `--development` the articles
that choices were made on instead, and what each choice would have given.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table

from evals import facts, retrieval
from evals.measures import Row, auc, calibration, gold_answers, normalised, row
from evals.retrieval import Collection
from qa import search
from qa.errors import SettingsError
from qa.judge import Judge, Reading
from qa.library import Library
from qa.settings import Settings
from training.alter import KINDS, alter
from training.examples import (
    DEVELOPMENT,
    TEST,
    Claim,
    Data,
    Question,
    Written,
    digest,
    paragraphs,
    read_data,
    retold,
    some,
)

Report = retrieval.Report
DEPTHS = (0, 4, 8, 15, 24, 32)
WEIGHTS = (0.1, 0.15, 0.2, 0.3, 0.5)
_ALTERED = 400  # statements a kind
_READ, _SOUGHT = 1_500, 400  # of the questions on held-out passages, drawn from them all: read; sought in other words
_SEED = 5


# --- reading: questions asked of their own paragraphs


def read_rows(
    judge: Judge, questions: Sequence[Question], name: str, targets: tuple[float | None, ...], report: Report
) -> tuple[list[Row], list[tuple[float, float, int]]]:
    """Answerable against unanswerable, the sentence and the span found, calibration."""
    chances, truths, top, exact = [], [], [], []
    for number, question in enumerate(questions, 1):
        readings = judge.read(question.text, question.sentences)
        best = max(range(len(readings)), key=lambda i: readings[i].answers)
        chances.append(readings[best].answers)
        truths.append(bool(question.gold))
        if question.gold:
            top.append(best in question.gold)
            golds = gold_answers(question)
            exact.append(normalised(question.sentences[best][readings[best].start : readings[best].end]) in golds)
        report(f"reading: {name}", number, len(questions))
    yes = [c for c, t in zip(chances, truths, strict=True) if t]
    no = [c for c, t in zip(chances, truths, strict=True) if not t]
    error, bins = calibration(chances, truths)
    return [
        row(f"{name}: answerable against unanswerable, AUC", auc(yes, no), len(chances), targets[0]),
        row(f"{name}: gold answer inside the top sentence", float(np.mean(top)), len(top), targets[1], top),
        row(f"{name}: exact span", float(np.mean(exact)), len(exact), targets[2], exact),
        row(f"{name}: expected calibration error", error, len(chances)),
    ], bins


# --- ranking


class Remembering:
    """A judge that reads each pair once."""

    def __init__(self, judge: Judge) -> None:
        self.judge, self.name = judge, judge.name
        self.read_already: dict[tuple[str, str], Reading] = {}
        self.weigh = judge.weigh

    def read(self, question: str, texts: Sequence[str]) -> list[Reading]:
        new = [text for text in dict.fromkeys(texts) if (question, text) not in self.read_already]
        self.read_already |= {(question, t): r for t, r in zip(new, self.judge.read(question, new), strict=True)}
        return [self.read_already[question, text] for text in texts]


def ranking_rows(
    judge: Judge, collection: Collection, name: str, target: float | None, weights: Sequence[float], report: Report
) -> list[Row]:
    """R@1 and R@5 of a collection's questions at several depths (0: without the judge) and weights, and the time."""
    asked_of = collection.questions
    ranks: dict[tuple[int, float], list[int]] = {(d, w): [] for d in DEPTHS for w in weights}
    remembering, spent = Remembering(judge), 0.0
    with retrieval.opened(collection, None, None, report) as library:
        generation = library.generation()
        owner = retrieval.owners(generation)
        for number, question in enumerate(asked_of, 1):
            asked = generation.encoder.encode(question.text, "question")
            fused = search.candidates(generation, asked, question.text, search.DEPTH, None)
            base = search.rerank(generation, asked, fused, search.RERANKED)
            began = time.perf_counter()
            search.judged(generation, judge, question.text, base)
            spent += time.perf_counter() - began
            for depth, weight in ranks:
                found = base
                if depth:
                    with patch.object(search, "JUDGED", weight):
                        found = search.judged(generation, remembering, question.text, base, depth)
                places = [owner[one.number] for one in found]
                at = places.index(question.paragraph) if question.paragraph in places else len(places)
                ranks[depth, weight].append(at)
            report(f"ranking: {name}", number, len(asked_of))
    n, size = len(asked_of), len(collection.paragraphs)
    out = []
    for (depth, weight), came in ranks.items():
        said = f", weight {weight}" if len(weights) > 1 else ""
        for k in (1, 5):
            right = [place < k for place in came]
            figure = f"{name}: R@{k} over {size} paragraphs, {depth} sentences read{said}"
            out.append(row(figure, float(np.mean(right)), n, None, right))
    with_judge, without = (np.asarray(ranks[d, weights[-1]]) == 0 for d in (search.READ, 0))
    gain = (with_judge.astype(float) - without.astype(float)).tolist()
    out.append(row(f"{name}: R@1 gained by the judge ({search.READ} sentences)", float(np.mean(gain)), n, target, gain))
    out.append(row(f"{name}: milliseconds a question for {search.READ} sentences", spent / n * 1000, n, 60))
    return out


def in_other_words(written: Mapping[str, Sequence[Written]], part: str) -> Collection:
    """All passages that were written about, and some of a part's questions in other words than its passages'."""
    every = [
        retrieval.Question(text, digest(p.sentences), p.title, ())
        for p in written[part]
        for ask in p.asks
        for text in ask.words[1:]
    ]
    return Collection(paragraphs(written), tuple(some(every, _SOUGHT, _SEED)))


# --- the library's own questions


@contextmanager
def briefs(report: Report) -> Iterator[Library]:
    """The briefs of this checkout, indexed."""
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Settings(Path(__file__).parent.parent / "sources", Path(folder, "index")), progress=report)
        library.index()
        yield library


def fact_rows(library: Library, split: str, report: Report) -> list[Row]:
    """evals/facts.jsonl: facts in the first passage and the first five, and near misses told from answers."""
    cases = [case for case in facts.read_cases(facts.CASES) if case.split == split]
    firsts: dict[bool, list[float]] = {True: [], False: []}
    fives: dict[bool, list[float]] = {True: [], False: []}
    chances: dict[bool, list[float]] = {True: [], False: []}
    for number, case in enumerate(cases, 1):
        for judged in (True, False):
            hits = library.search(case.question, 5, judge=judged).hits
            texts = [hit.citation.quote for hit in hits]
            if case.facts:
                firsts[judged].append(facts.share(case, texts[:1]) or 0.0)
                fives[judged].append(facts.share(case, texts) or 0.0)
            if judged:
                chances[bool(case.facts)].append(
                    max(s.reading.answers for hit in hits for s in hit.sights if s.reading)
                )
        report("facts", number, len(cases))
    gain = (np.asarray(firsts[True]) - np.asarray(firsts[False])).tolist()
    n = len(gain)
    least = float(np.quantile(chances[True], 0.05))
    return [
        row(f"facts ({split}): near-miss AUC", auc(chances[True], chances[False]), len(cases), 0.82),
        row(f"facts ({split}): probability that 95 % of the answerable exceed", least, n),
        row(
            f"facts ({split}): near misses below that",
            float(np.mean(np.asarray(chances[False]) < least)),
            len(cases) - n,
        ),
        row(
            f"facts ({split}): in the first passage, with the judge",
            float(np.mean(firsts[True])),
            n,
            None,
            firsts[True],
        ),
        row(f"facts ({split}): in the first passage, without", float(np.mean(firsts[False])), n, None, firsts[False]),
        row(f"facts ({split}): gained in the first passage", float(np.mean(gain)), n, 0.08, gain),
        row(f"facts ({split}): in the first five, with the judge", float(np.mean(fives[True])), n, None, fives[True]),
        row(f"facts ({split}): in the first five, without", float(np.mean(fives[False])), n, None, fives[False]),
    ]


# --- claims


def claim_rows(judge: Judge, data: Data, part: str, report: Report) -> list[Row]:
    """FoolMeTwice with its gold evidence, and statements altered from sentences, each against its own sentence."""
    right = []
    for number, claim in enumerate(data.claims[part], 1):
        (told,) = judge.weigh([(claim.statement, claim.text)])
        right.append((told.supports > told.contradicts) == (claim.label[0] == 1.0))
        report("claims", number, len(data.claims[part]))
    out = [row("FoolMeTwice with gold evidence: accuracy", float(np.mean(right)), len(right), 0.72, right)]
    draw = random.Random(_SEED)
    texts = sorted({(s, q.article) for q in data.questions[part] for s in q.sentences if 40 < len(s) < 350})
    draw.shuffle(texts)
    truths = [_verdict(judge, retold(text, draw), text) for text, _ in texts[:_ALTERED]]
    wrongly = [verdict == "contradicts" for verdict in truths]
    out.append(row("true sentences wrongly called contradicted", float(np.mean(wrongly)), len(wrongly), 0.04, wrongly))
    supported = [verdict == "supports" for verdict in truths]
    out.append(row("true sentences called supported", float(np.mean(supported)), len(supported), None, supported))
    for kind in KINDS:
        noticed = []
        for text, article in texts:
            told_ = retold(text, draw)
            altered = alter(told_, kind, data.names[article], draw)
            if altered and altered != told_:
                noticed.append(_verdict(judge, altered, text) != "supports")
            if len(noticed) == _ALTERED:
                break
            report(kind, len(noticed), _ALTERED)
        target = 0.90 if kind in ("negation", "direction") else 0.97
        out.append(row(f"altered {kind} noticed", float(np.mean(noticed)), len(noticed), target, noticed))
    return out


def written_claim_rows(judge: Judge, claims: Sequence[Claim], report: Report) -> list[Row]:
    """Statements in other words, each against its sentence."""
    names = ("supports", "contradicts", "neither")
    told: dict[str, list[str]] = {name: [] for name in names}
    for number, claim in enumerate(claims, 1):
        told[names[claim.label.index(1.0)]].append(_verdict(judge, claim.statement, claim.text))
        report("claims: written", number, len(claims))
    right = [verdict == name for name, verdicts in told.items() for verdict in verdicts]
    out = [row("written: statements right of three classes", float(np.mean(right)), len(right), None, right)]
    for name, verdict in (("contradicts", "supports"), ("supports", "contradicts"), ("neither", "supports")):
        wrong = [one == verdict for one in told[name]]
        figure = f"written: what its sentence {name} read as {verdict}"
        out.append(row(figure, float(np.mean(wrong)), len(wrong), None, wrong))
    return out


def _verdict(judge: Judge, statement: str, text: str) -> str:
    (claim,) = judge.weigh([(statement, text)])
    return max(("supports", "contradicts", "neither"), key=lambda name: float(getattr(claim, name)))


# --- showing


def render(rows: Sequence[Row]) -> RenderableType:
    """A table for people: each figure beside its target."""
    table = Table(box=None, pad_edge=False)
    for name in ("figure", "value", "95 %", "n", "target"):
        table.add_column(name, justify="left" if name == "figure" else "right")
    for r in rows:
        bounds = f"{r['interval'][0]:.3f}–{r['interval'][1]:.3f}" if r["interval"] else ""
        table.add_row(
            r["figure"], f"{r['value']:.3f}", bounds, str(r["n"]), "" if r["target"] is None else str(r["target"])
        )
    return Group(table)


def plot(
    rows: Sequence[Row], bins: Sequence[tuple[float, float, int]], milliseconds: dict[int, float], folder: Path
) -> None:
    """`judge-reliability.svg` and `judge-depth.svg`."""
    pyplot = retrieval.load_pyplot()
    figure, axes = pyplot.subplots(figsize=(4.2, 4))
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.plot([b[0] for b in bins], [b[1] for b in bins], "o-", color="C3")
    axes.set(xlabel="probability told", ylabel="share that was answerable", title="SQuAD 2.0, four unseen articles")
    retrieval.save_figure(figure, folder / "judge-reliability.svg")
    figure, axes = pyplot.subplots(figsize=(5, 4))
    first = "SQuAD: R@1 over 646 paragraphs, {} "
    found = {d: next(r for r in rows if r["figure"].startswith(first.format(d))) for d in DEPTHS}
    axes.plot([milliseconds[d] for d in DEPTHS], [r["value"] for r in found.values()], "o-", color="C3")
    for d, r in found.items():
        axes.annotate(f"{d}", (milliseconds[d], r["value"]), textcoords="offset points", xytext=(4, -10))
    axes.set(xlabel="milliseconds a question that reading adds", ylabel="R@1, four unseen articles",
             title="Sentences the judge reads")  # fmt: skip
    retrieval.save_figure(figure, folder / "judge-depth.svg")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m evals.judge", description="What the judge gets right.")
    parser.add_argument("--data", type=Path, required=True, help="the folder of public data")
    parser.add_argument("--development", action="store_true", help="what choices are made on, not what scores")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw reliability and depth there")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    given = parser.parse_args(arguments)

    def run() -> None:
        squad = given.data / "squad2-dev-half.json"
        if not squad.is_file():
            raise SettingsError(f"{squad} is missing; name the folder of public data with --data")
        part, split = ("development", "tune") if given.development else ("test", "score")
        data, judge = read_data(given.data), Judge()
        weights = WEIGHTS if given.development else (search.JUDGED,)
        with retrieval.progress() as report:
            rows, bins = read_rows(judge, data.questions[part], "SQuAD", (0.78, 0.82, 0.50), report)
            asked = some(data.written_questions(part), _READ, _SEED)
            rows += read_rows(judge, asked, "written", (None, None, None), report)[0]
            every = retrieval.read_squad(squad)
            own = tuple(q for q in every.questions if q.article in (DEVELOPMENT if given.development else TEST))
            rows += ranking_rows(judge, replace(every, questions=own), "SQuAD", 0.02, weights, report)
            rows += ranking_rows(judge, in_other_words(data.written, part), "written", None, weights, report)
            with briefs(report) as library:
                rows += fact_rows(library, split, report)
            rows += claim_rows(judge, data, part, report)
            rows += written_claim_rows(judge, data.written_claims(part), report)
        print(json.dumps(rows, indent=1)) if given.json else retrieval.terminal().print(render(rows))
        if given.plots:
            spent = next(r["value"] for r in rows if r["figure"].startswith("SQuAD: milliseconds"))
            plot(rows, bins, {d: spent * d / search.READ for d in DEPTHS}, given.plots)

    return retrieval.guarded(run)


if __name__ == "__main__":
    sys.exit(main())
