"""What the token vectors cost on disk, and what late interaction is worth at that price.

`python -m evals.tradeoff FILE.json` (SQuAD's format; the tuning articles' questions alone are asked) re-ranks the same
candidates with the token vectors at several precisions, and says what share of full precision's gain over the fusion
each keeps. What is fitted to a corpus (PCA, product quantisation) is fitted to this one, which flatters it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from threadpoolctl import threadpool_limits

from evals.retrieval import (
    Collection,
    Question,
    Report,
    add_output_options,
    guarded,
    interval,
    load_pyplot,
    opened,
    owners,
    progress,
    put_out,
    read_squad,
    save_figure,
    select,
    terminal,
)
from evals.weights import HELD_OUT
from qa import tokens
from qa.encoder import TextEncoder, encode_passages
from qa.generation import Generation
from qa.network import Floats
from qa.search import DEPTH, FINAL_WEIGHTS, RERANKED, Ranked, candidates
from qa.texts import Sentence

OURS = "2 bits (ours)"
BUDGET = 16 * 1024  # bytes a passage
KEPT = 0.85  # of full precision's gain over the fusion

_TRAINED_ON = 30_000  # token vectors
_SEED = 1


@dataclass(frozen=True, slots=True)
class Way:
    """A way to store token vectors: what comes back of them, shape (n, dimension) → the same, and bytes a token."""

    name: str
    bytes: float
    restore: Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with its token vectors and the candidates that are re-ranked."""

    question: Question
    tokens: Floats
    fused: list[Ranked]


@dataclass(frozen=True, slots=True)
class Corpus:
    """The token vectors of all passages at full precision, those of passage n in rows [cuts[n], cuts[n + 1]); its
    sentences as ranges of them; and the paragraph each passage is of.
    """

    vectors: Floats
    cuts: npt.NDArray[np.int64]
    sentences: list[list[tuple[int, int]]]
    owner: list[str]


# --- ways of storing


def ways(vectors: Floats) -> list[Way]:
    """Each way that is compared, the dearest first; those that need it are fitted to `vectors`."""
    size = vectors.shape[1]
    generator = np.random.default_rng(_SEED)
    sample = vectors[generator.permutation(len(vectors))[:_TRAINED_ON]]
    found = [Way("full precision", 4 * size, lambda v: v)]
    found += [Way(f"{bits} bits", bits * size / 8, rotated(bits, size)) for bits in (4, 3)]
    found += [Way(OURS, tokens.code_bytes(size), ours(size)), Way("1 bit", size / 8, rotated(1, size))]
    found += [Way(f"PCA {n} int8", n, pca(sample, n)) for n in (size // 3, size // 6)]
    found += [Way(f"PQ {n}×8 bits", n, product(sample, n)) for n in (size // 4, size // 8)]
    found.append(Way("2 bits, pairs pooled", tokens.code_bytes(size) / 2, pooled(ours(size))))
    return sorted(found, key=lambda way: -way.bytes)


def ours(size: int) -> Callable[[Floats], Floats]:
    """What the index stores."""
    matrix = tokens.rotation(size)

    def restore(vectors: Floats) -> Floats:
        codes = tokens.compress(tokens.rotate(vectors, matrix))
        (turned,) = tokens.similarities([codes], np.eye(len(matrix), dtype=np.float32))
        return np.asarray((turned @ matrix.T)[:, :size], dtype=np.float32)

    return restore


def rotated(bits: int, size: int) -> Callable[[Floats], Floats]:
    """Some bits a dimension after the index's rotation, each to the level nearest to it."""
    matrix, levels = tokens.rotation(size), normal_levels(2**bits)
    edges = (levels[1:] + levels[:-1]) / 2

    def restore(vectors: Floats) -> Floats:
        turned = tokens.rotate(vectors, matrix)
        nearest = levels[np.searchsorted(edges, turned * np.sqrt(len(matrix), dtype=np.float32))]
        return _unit((nearest @ matrix.T)[:, :size])

    return restore


def normal_levels(count: int) -> Floats:
    """The levels that quantise a normal variable with the least mean square error (Max 1960), by Lloyd's iteration."""
    values = np.linspace(-6, 6, 24_001)
    weights = np.exp(-(values**2) / 2)
    levels = np.linspace(-2, 2, count)
    for _ in range(500):
        cell = np.searchsorted((levels[1:] + levels[:-1]) / 2, values)
        levels = np.bincount(cell, weights * values, count) / np.bincount(cell, weights, count)
    return np.asarray(levels, dtype=np.float32)


def pca(sample: Floats, count: int) -> Callable[[Floats], Floats]:
    """The first principal axes, a byte each, scaled to the widest value of each axis."""
    mean = sample.mean(axis=0)
    _, _, axes = np.linalg.svd(sample - mean, full_matrices=False)
    axes = axes[:count]
    scale = np.abs((sample - mean) @ axes.T).max(axis=0) / 127

    def restore(vectors: Floats) -> Floats:
        levels = np.clip(np.round(((vectors - mean) @ axes.T) / scale), -127, 127)
        return _unit(np.asarray((levels * scale) @ axes + mean, dtype=np.float32))

    return restore


def product(sample: Floats, parts: int) -> Callable[[Floats], Floats]:
    """Product quantisation: a byte for each of some equal parts of the vector."""
    import faiss

    quantizer: Any = faiss.ProductQuantizer(sample.shape[1], parts, 8)
    quantizer.cp.seed = _SEED
    quantizer.train(np.ascontiguousarray(sample))

    def restore(vectors: Floats) -> Floats:
        return _unit(quantizer.decode(quantizer.compute_codes(np.ascontiguousarray(vectors))))

    return restore


def pooled(restore: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    """One vector for every two neighbouring tokens, their mean, stored in some way."""

    def both(vectors: Floats) -> Floats:
        pairs = np.arange(len(vectors)) // 2
        sums = np.add.reduceat(vectors, np.arange(0, len(vectors), 2), axis=0)
        return restore(_unit(sums))[pairs]

    return both


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths == 0, 1, lengths), dtype=np.float32)


# --- measuring


def read_corpus(generation: Generation, encoder: TextEncoder, report: Report) -> Corpus:
    """Encode all passages again, and keep their token vectors as they are."""
    texts = [source.text[p.start : p.end] for source, p in map(generation.texts.passage, range(generation.count))]
    vectors = []
    for number, encoding in enumerate(encode_passages(encoder, texts), 1):
        vectors.append(encoding.tokens)
        report("encoding at full precision", number, len(texts))
    cuts = np.cumsum([0, *map(len, vectors)])
    parts = [generation.token_codes(number)[1] for number in range(generation.count)]
    return Corpus(np.concatenate(vectors), cuts, [list(map(_range, each)) for each in parts], owners(generation))


def _range(sentence: Sentence) -> tuple[int, int]:
    return sentence.first, sentence.last


def ask(generation: Generation, encoder: TextEncoder, questions: Sequence[Question], report: Report) -> Iterator[Asked]:
    """Each question with its candidates."""
    for number, question in enumerate(questions, 1):
        encoding = encoder.encode(question.text, "question")
        yield Asked(question, encoding.tokens, candidates(generation, encoding, question.text, DEPTH, None)[:RERANKED])
        report("asking", number, len(questions))


def right_at_once(corpus: Corpus, restored: Floats, asked: Sequence[Asked]) -> npt.NDArray[np.float64]:
    """For each question 1 if late interaction over such token vectors puts its paragraph first, else 0."""
    return np.array(
        [
            float(bool(one.fused) and corpus.owner[_best(corpus, restored, one)] == one.question.paragraph)
            for one in asked
        ]
    )


def _best(corpus: Corpus, restored: Floats, asked: Asked) -> int:
    def score(one: Ranked) -> float:
        similarity = restored[corpus.cuts[one.number] : corpus.cuts[one.number + 1]] @ asked.tokens.T
        whole, single = tokens.late_interaction(similarity, corpus.sentences[one.number])
        scores = {**one.scores, "late": (whole + max(single, default=whole)) / 2}
        return sum(weight * scores[stage] for stage, weight in FINAL_WEIGHTS.items())

    return min(asked.fused, key=lambda one: (-score(one), one.number)).number


def evaluate(
    collection: Collection,
    folder: Path | None = None,
    encoder: TextEncoder | None = None,
    report: Report = lambda stage, done, total: None,
) -> list[dict[str, Any]]:
    """A row for each way of storing, and one for the fusion alone."""
    with opened(collection, folder, encoder, report) as library:
        generation = library.generation()
        network = encoder or generation.encoder
        corpus = read_corpus(generation, network, report)
        asked = list(ask(generation, network, collection.questions, report))
    first = [bool(one.fused) and corpus.owner[one.fused[0].number] == one.question.paragraph for one in asked]
    right = {"fusion alone": (0.0, np.array(first, dtype=np.float64))}
    compared = ways(corpus.vectors)
    for number, way in enumerate(compared, 1):
        restored = way.restore(corpus.vectors)
        with threadpool_limits(1):  # for products this small, more threads only wait for one another
            right[way.name] = (way.bytes, right_at_once(corpus, restored, asked))
        report("re-ranking", number, len(compared))
    return _rows(right, [one.question.paragraph for one in asked], len(corpus.vectors) / len(corpus.owner))


def _rows(
    right: dict[str, tuple[float, npt.NDArray[np.float64]]], groups: Sequence[str], tokens_each: float
) -> list[dict[str, Any]]:
    base = right["fusion alone"][1].mean()
    gain = right["full precision"][1].mean() - base
    return [
        {
            "way": name,
            "bytes_a_token": size,
            "bytes_a_passage": round(size * tokens_each),
            "r@1": round(float(values.mean()), 4),
            "interval": interval(values, groups),
            "kept": round(float((values.mean() - base) / gain), 4) if gain else None,
            "n": len(values),
        }
        for name, (size, values) in right.items()
    ]


# --- showing


def render(rows: Sequence[dict[str, Any]]) -> RenderableType:
    """The rows as a table for people."""
    table = Table(box=None, pad_edge=False)
    for name in ("", "bytes a token", "KB a passage", "R@1", "95 % interval", "gain kept"):
        table.add_column(name, justify="right" if name else "left")
    for row in rows:
        low, high = row["interval"]
        kept = "–" if row["kept"] is None else f"{row['kept']:.0%}"
        cells = [f"{row['bytes_a_token']:g}", f"{row['bytes_a_passage'] / 1024:.1f}", f"{row['r@1']:.3f}"]
        style = "bold" if row["way"] == OURS else ""
        table.add_row(row["way"], *cells, f"{low:.3f}…{high:.3f}", kept, style=style)
    return Group(table, Text(), Text(f"{rows[0]['n']} tuning questions; intervals by bootstrap over paragraphs."))


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw R@1 over the bytes a passage's tokens take."""
    figure, axes = load_pyplot().subplots(figsize=(7, 4))
    base = next(row for row in rows if row["way"] == "fusion alone")["r@1"]
    full = next(row for row in rows if row["way"] == "full precision")["r@1"]
    for row in rows:
        if row["bytes_a_token"]:
            mine = row["way"] == OURS
            at = (row["bytes_a_passage"] / 1024, row["r@1"])
            axes.plot(*at, "o", color="C3" if mine else "C0")
            side = {"ha": "right", "weight": "bold"} if mine else {"ha": "left"}
            axes.annotate(row["way"], at, (-6 if mine else 6, -2.5), textcoords="offset points", fontsize=7, **side)
    axes.axhline(base, color="grey", lw=0.8, ls=":", label="fusion alone")
    axes.axhline(base + KEPT * (full - base), color="C2", lw=0.8, ls="--", label=f"{KEPT:.0%} of the gain")
    axes.axvline(BUDGET / 1024, color="C1", lw=0.8, ls="--", label="16 KB a passage")
    axes.set_xscale("log", base=2)
    axes.margins(x=0.2, y=0.08)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("KB of token vectors a passage")
    axes.set_ylabel(f"R@1, {rows[0]['n']} questions")
    axes.legend(fontsize=7, loc="center right")
    save_figure(figure, path)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m evals.tradeoff", description="What are token vectors worth?")
    parser.add_argument("file", type=Path, metavar="FILE.json", help="SQuAD's dev set, or a part of it")
    parser.add_argument("--not-articles", metavar="A,B", default=HELD_OUT, help="not the questions on these articles")
    parser.add_argument("--index", type=Path, metavar="DIR", help="keep the paragraphs and their index here")
    add_output_options(parser)
    given = parser.parse_args(arguments)

    def run() -> None:
        if given.plot:
            load_pyplot()
        collection = read_squad(given.file)
        collection = replace(collection, questions=select(collection.questions, None, given.not_articles))
        with progress() as report:
            found = evaluate(collection, given.index, None, report)
        put_out(found, given, terminal(), render(found), plot)

    return guarded(run)


if __name__ == "__main__":
    sys.exit(main())
