"""Fit the evidence's weights: `python -m training.evidence --data FOLDER` writes qa/weights/evidence.json.

The best sentence that the library finds for a tuning question is an example: does it answer? The questions are those of
SQuAD 2.0's development articles, asked as they are and with their whole article taken away, its adversarial
unanswerable ones, those written about the development passages of training/written.jsonl, answered and left open, and
the tune split of evals/facts.jsonl; each kind weighs the same, and articles taken away twice. A logistic regression is
fitted with the judge's readings and one without, and the chance from which on a question counts as answered is the one
that answers 90 in 100 answerable tuning questions, without the judge 95. A third one tells, on the tune splits of
evals/disputes.jsonl and evals/facts.jsonl, which findings with another value dispute the best one; it counts from where
F1.5 is best.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evals import answers, facts, retrieval
from evals.judge import in_other_words
from evals.measures import auc, calibration, gold_answers, normalised
from qa.agreement import contenders, groups, opposing
from qa.evidence import JUDGED, PLAIN, RIVAL, WEIGHTS, Weights, answering, findings, standing
from qa.library import Library
from qa.question import parts
from qa.search import Filters, find
from qa.settings import Settings
from training.examples import Data, Question, read_data, some
from training.export import logistic

FEATURES = {
    PLAIN: ("bias", "similarity", "alone", "met", "lacks", "names", "values", "lead"),
    JUDGED: ("bias", "similarity", "alone", "lacks", "names", "values", "lead", "judge", "mass", "most"),
}
OPPOSING = ("bias", "lead", "rival", "behind", "ahead", "alike", "later")
ANSWERED = {JUDGED: 0.9, PLAIN: 0.95}  # of the answerable tuning questions; the chance without a judge tells too little
DEPTH = 10  # passages a question
SHARES = {"removed": 2.0}  # what a kind of question weighs, if not 1: to answer beside the subject is the worst
_BETA = 1.5  # how much more finding a dispute weighs than not telling one that is none
_PULL = 1.0  # of each weight to nothing (L2)
_WRITTEN = 1_500  # of the questions on development passages, drawn from them all


@dataclass(frozen=True, slots=True)
class Asked:
    """A question asked of a library: whether it can be answered there, and for each finding its features and whether it
    holds the answer.
    """

    collection: str
    answerable: bool
    rows: tuple[tuple[dict[str, float], bool], ...]


def ask(library: Library, question: str, within: Filters, judged: bool) -> Iterator[tuple[dict[str, float], str, str]]:
    """Features, sentence and source of each finding."""
    generation = library.generation()
    judge = library.judge() if judged else None
    part = parts(question)[0]
    asked, hits = find(generation, generation.encoder, part.text, DEPTH, within, judge)
    for finding in findings(generation, asked, part, hits, Weights({}, 0.0)):
        yield finding.features, finding.sentence, finding.source.id


def squad(data: Data, file: Path, index: Path | None, judged: bool, report: Any) -> list[Asked]:
    """The questions of the development articles, over the paragraphs of all: answerable, without their article,
    unanswerable.
    """
    collection = retrieval.read_squad(file)
    homes = {q.paragraph: q.article for q in collection.questions}
    out = []
    with retrieval.opened(collection, index, None, report) as library:
        for number, question in enumerate(data.questions["development"], 1):
            name = "squad" if question.gold else "adversarial"
            out.append(Asked(name, bool(question.gold), _rows(library, question, Filters(), judged)))
            if question.gold:
                elsewhere = tuple(id for id in collection.paragraphs if homes.get(id) != question.article)
                rows = _rows(library, question, Filters(sources=elsewhere), judged, there=False)
                out.append(Asked("removed", False, rows))
            report("asking: SQuAD", number, len(data.questions["development"]))
    return out


def written(data: Data, judged: bool, report: Any) -> list[Asked]:
    """Some of what was written about the development passages, over all passages written about: answered, left open."""
    questions = data.written_questions("development")
    questions = some(questions, _WRITTEN, 1)
    out = []
    with retrieval.opened(in_other_words(data.written, "development"), None, None, report) as library:
        for number, question in enumerate(questions, 1):
            rows = _rows(library, question, Filters(), judged)
            out.append(Asked("written" if question.gold else "open", bool(question.gold), rows))
            report("asking: written", number, len(questions))
    return out


def _rows(
    library: Library, question: Question, within: Filters, judged: bool, there: bool = True
) -> tuple[tuple[dict[str, float], bool], ...]:
    """The features of each finding and whether it holds an accepted answer; what holds one elsewhere than in the
    question's own sentences is left out, as are these where the library isn't `there` to hold them.
    """
    golds = gold_answers(question)
    rows = []
    for features, sentence, _ in ask(library, question.text, within, judged):
        told = any(f" {gold} " in f" {normalised(sentence)} " for gold in golds)
        if told and not (there and any(sentence.strip() in s or s in sentence for s in question.sentences)):
            continue  # it may answer, or not
        rows.append((features, told))
    return tuple(rows)


def cases(library: Library, chosen: Sequence[facts.Case], judged: bool) -> list[Asked]:
    """Questions with known facts, over the library they are about."""
    out = []
    for case in chosen:
        if len(parts(case.question)) > 1:
            continue
        rows = tuple((f, any(facts.holds(s, fact) for fact in case.facts))
                     for f, s, _ in ask(library, case.question, Filters(), judged))  # fmt: skip
        out.append(Asked("facts" if case.facts else "silent", bool(case.facts), rows))
    return out


def silence_rows(asked: Sequence[Asked]) -> list[tuple[str, dict[str, float], bool]]:
    """Each question's kind, the features of its best finding, and whether that answers; without answerable questions
    whose best finding is a wrong one, for that may look like an answer for good reasons.
    """
    best = [(q, max(q.rows, key=lambda row: standing(row[0]))) for q in asked if q.rows]
    return [(q.collection, features, told) for q, (features, told) in best if told or not q.answerable]


def fit(rows: Sequence[tuple[str, dict[str, float], bool]], names: Sequence[str]) -> dict[str, float]:
    """Logistic regression by Newton's method; each kind of rows weighs the same, or as SHARES says."""
    x = np.array([[f.get(name, 0.0) for name in names] for _, f, _ in rows])
    y = np.array([told for _, _, told in rows], dtype=float)
    size, share = Counter(kind for kind, _, _ in rows), {kind: SHARES.get(kind, 1.0) for kind, _, _ in rows}
    weight = np.array([len(rows) * share[kind] / size[kind] for kind, _, _ in rows]) / sum(share.values())
    pull = _PULL * np.diag([0.0 if name == "bias" else 1.0 for name in names])
    w = np.zeros(len(names))
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -40, 40)))
        slope = x.T @ (weight * (p - y)) + pull @ w
        curve = (x * (weight * p * (1 - p))[:, None]).T @ x + pull + 1e-9 * np.eye(len(names))
        w -= np.linalg.solve(curve, slope)
    return {name: round(float(v), 5) for name, v in zip(names, w, strict=True)}


def opposed(
    library: Library, chosen: Sequence[tuple[str, Sequence[Sequence[str]]]], judged: dict[str, Any]
) -> list[tuple[dict[str, float], bool]]:
    """For questions, each with the sides of a dispute if there is one, the features of the two best contenders,
    and whether each is another side of it.
    """
    generation, judge = library.generation(), library.judge()
    weigh = Weights(judged["weights"], judged["least"])
    out = []
    for question, disputed in chosen:
        part = parts(question)[0]
        asked, hits = find(generation, generation.encoder, part.text, DEPTH, judge=judge)
        said = groups(answering(part, findings(generation, asked, part, hits, weigh)))
        mine = [[facts.says(group.lead.value.text, side) for side in disputed] for group in said]
        for n, group in enumerate(contenders(part, said[0], said[1:])[:2] if said else ()):
            sides = mine[said.index(group)]
            out.append((opposing(said[0].lead, group.lead, n), any(sides) and sides != mine[0]))
    return out


def fit_rivals(rows: Sequence[tuple[dict[str, float], bool]]) -> dict[str, Any]:
    """The weights for contenders, and the chance from which on F1.5 is best: hiding a dispute is the worse error."""
    weigh = fit([("disputes", features, told) for features, told in rows], OPPOSING)
    scored = sorted(((Weights(weigh, 0.0).chance(features), told) for features, told in rows), reverse=True)
    real = sum(told for _, told in scored)
    hits, best = 0, (0.0, 1.0)
    for n, (value, told) in enumerate(scored, 1):
        hits += told
        best = max(best, ((1 + _BETA**2) * hits / (n + _BETA**2 * real), value))
    print("rival", json.dumps({"n": len(rows), "real": real, "f": round(best[0], 4)}))
    return {"weights": weigh, "least": round(best[1], 4)}


def calibrated(asked: Sequence[Asked], weights: dict[str, float]) -> dict[str, float]:
    """The weights stretched and shifted so that the chance of a question's best finding is calibrated (Platt 1999)."""
    best = np.array([chance(question, weights) for question in asked])
    slope, shift = logistic(np.log(best / (1 - best)), np.array([float(q.answerable) for q in asked]))
    return {n: round(slope * w + (shift if n == "bias" else 0.0), 5) for n, w in weights.items()}


def chance(question: Asked, weights: dict[str, float]) -> float:
    """The chance that a question's best finding answers."""
    first = max((f for f, _ in question.rows), key=standing, default=None)
    return Weights(weights, 0.0).chance(first) if first else 1e-9


def describe(asked: Sequence[Asked], weights: dict[str, float]) -> dict[str, float]:
    """How well the chance tells answerable questions from each kind of unanswerable one, and its calibration error."""
    told: dict[str, list[float]] = {}
    for question in asked:
        told.setdefault(question.collection, []).append(chance(question, weights))
    out = {}
    for yes, no in (("squad", "adversarial"), ("squad", "removed"), ("written", "open"), ("facts", "silent")):
        if told.get(yes) and told.get(no):
            out[f"{yes} against {no}"] = round(auc(told[yes], told[no]), 4)
    out["calibration error"] = round(
        calibration([chance(q, weights) for q in asked], [q.answerable for q in asked])[0], 4
    )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of public data")
    parser.add_argument("--index", type=Path, help="keep the index of its paragraphs here")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    told = {}
    data = read_data(args.data)
    with retrieval.progress() as report:
        library = Library(Settings.load(), progress=report)
        chosen = [case for case in facts.read_cases(facts.CASES) if case.split == "tune"]
        for name in (PLAIN, JUDGED):
            asked = [*cases(library, chosen, name == JUDGED),
                     *squad(data, args.data / "squad2-dev-half.json", args.index, name == JUDGED, report),
                     *written(data, name == JUDGED, report)]  # fmt: skip
            weights = calibrated(asked, fit(silence_rows(asked), FEATURES[name]))
            sure = sorted(chance(q, weights) for q in asked if q.answerable)
            told[name] = {"weights": weights, "least": round(sure[int((1 - ANSWERED[name]) * len(sure))], 4)}
            print(name, json.dumps(describe(asked, weights)))
        every = answers.read_disputes()
        with answers.dispute_library(every, report) as disputes:
            pairs = [(c.question, c.values if c.disputed else ()) for c in every if c.split == "tune"]
            rows = opposed(disputes, pairs, told[JUDGED])
        asked_too = [(c.question, c.facts if c.kind == "disagreement" else ()) for c in chosen]
        rows += opposed(library, asked_too, told[JUDGED])
        told[RIVAL] = fit_rivals(rows)
    args.out.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
