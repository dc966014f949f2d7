"""Measures that several evaluations share, and the curves that show what a confidence is worth."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evals.retrieval import load_pyplot, save_figure

if TYPE_CHECKING:
    from training.examples import Question

Row = dict[str, Any]
_BINS = 10
_SEED = 5


def split_of(id: str) -> str:
    """`tune` or `score`, by a hash of a case's id or text, once and for all."""
    return "score" if hashlib.sha256(id.encode()).digest()[-1] % 2 else "tune"


def gold_answers(question: Question) -> set[str]:
    """The normal forms of the spans that answer a question; none where no sentence does."""
    spans = zip(question.gold, question.spans, strict=True) if question.spans else ()
    return {normalised(question.sentences[i][a:b]) for i, (a, b) in spans}


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The chance that a positive scores above a negative, ties counted half (Mann and Whitney 1947)."""
    pos, neg = np.asarray(positive)[:, None], np.asarray(negative)[None, :]
    return float((pos > neg).mean() + (pos == neg).mean() / 2) if pos.size and neg.size else float("nan")


def calibration(chances: Sequence[float], truths: Sequence[bool]) -> tuple[float, list[tuple[float, float, int]]]:
    """Expected calibration error over ten equal bins, and each bin's mean chance, share that came true, and count."""
    p, t = np.asarray(chances), np.asarray(truths, dtype=float)
    which = np.minimum((p * _BINS).astype(int), _BINS - 1)
    bins = [
        (float(p[which == b].mean()), float(t[which == b].mean()), int((which == b).sum())) for b in np.unique(which)
    ]
    return sum(abs(a - b) * n for a, b, n in bins) / len(p), bins


def normalised(text: str) -> str:
    """SQuAD's normal form: no case, articles or punctuation."""
    kept = "".join(c if c.isalnum() else " " for c in text.lower())
    return " ".join(w for w in kept.split() if w not in ("a", "an", "the"))


def row(name: str, value: float, n: int, target: float | None = None, values: Sequence[float] | None = None) -> Row:
    """A figure with its n, the target of its issue, and a 95 % interval by resampling."""
    low_high = None
    if values is not None and len(values):
        draws = np.random.default_rng(_SEED).choice(np.asarray(values, dtype=float), (2000, len(values))).mean(axis=1)
        low_high = [round(float(x), 4) for x in np.percentile(draws, (2.5, 97.5))]
    return {"figure": name, "value": round(value, 4), "n": n, "interval": low_high, "target": target}


def refused(answerable: Sequence[float], unanswerable: Sequence[float], answered: float = 0.95) -> float:
    """The share of unanswerable questions whose confidence lies below that from which this share of the answerable ones
    is answered.
    """
    least = sorted(answerable)[int((1 - answered) * len(answerable))]
    return sum(chance < least for chance in unanswerable) / len(unanswerable)


def draw_confidence(pairs: Sequence[tuple[float, bool]], path: Path) -> None:
    """Draw, of confidences and whether each answer was right, reliability (how often answers of a confidence are right)
    and risk against coverage, side by side.
    """
    pyplot = load_pyplot()
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 4))
    _, bins = calibration([c for c, _ in pairs], [t for _, t in pairs])
    left.plot([0, 1], [0, 1], ":", color="grey")
    left.plot([b[0] for b in bins], [b[1] for b in bins], "o-")
    left.set(xlabel="confidence", ylabel="share that is right", title="Reliability", xlim=(0, 1), ylim=(0, 1))
    ranked = [right for _, right in sorted(pairs, key=lambda pair: -pair[0])]
    wrong = np.cumsum([not each for each in ranked]) / np.arange(1, len(ranked) + 1)
    right.plot(np.arange(1, len(ranked) + 1) / len(ranked), wrong)
    right.set(xlabel="coverage: share of questions answered", ylabel="risk: share of them wrong", ylim=(0, 1),
              title="Risk and coverage")  # fmt: skip
    save_figure(figure, path)
