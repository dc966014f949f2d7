"""Is the right paragraph found? Any file in SQuAD's format, through each stage of the search.

`python -m evals.retrieval FILE.json [--distractors FILE.json]` makes every paragraph a source, asks every question that
has an answer, and looks where its paragraph comes: by vectors alone (dense), by words alone (bm25), by their equal
reciprocal ranks (rrf), by the weighted fusion of their scores (fusion), and after late interaction (full, which is what
`qa search` does). A paragraph takes the place of its best passage.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from qa.encoder import TextEncoder
from qa.errors import QAError, QueryError, SettingsError
from qa.generation import Generation
from qa.library import Library
from qa.search import DEPTH, Hit, Ranked, candidates, search
from qa.settings import Settings

SYSTEMS = ("dense", "bm25", "rrf", "fusion", "full")
MEASURES = ("r@1", "r@5", "r@20", "mrr")
CUTOFF = 20  # a paragraph that comes later counts as not found
Report = Callable[[str, int, int], None]

_RRF = 60  # the constant of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009)
_RESAMPLES, _SEED = 2_000, 1
_STYLE = {"dense": "C0", "bm25": "C1", "rrf": "C2", "fusion": "C4", "full": "C3"}


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the id of the paragraph that answers it, and where in it the accepted answers stand."""

    text: str
    paragraph: str
    article: str
    answers: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Collection:
    """Paragraphs by id, and the answerable questions about them."""

    paragraphs: dict[str, str]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a question's paragraph came in each system, from 1 (None: not among the first 20), and whether the
    highlights of the passage shown hold a whole answer (None: it wasn't shown).
    """

    paragraph: str
    ranks: dict[str, int | None]
    highlighted: bool | None


# --- reading


def read_squad(path: Path, distractors: Path | None = None) -> Collection:
    """The paragraphs and answerable questions of a file in SQuAD's format, with another file's paragraphs beside them.

    Paragraphs with the same words are one. QueryError when a file can't be read or isn't of that format.
    """
    ids: dict[str, str] = {}
    questions: list[Question] = []
    for article, paragraph in _paragraphs(path):
        context = _field(paragraph, "context", str, path)
        id = ids.setdefault(context, f"p{len(ids):06d}")
        questions.extend(_question(qa, context, id, article, path) for qa in _answerable(paragraph, path))
    if not questions:
        raise QueryError(f"{path} holds no question with an answer; name a file in SQuAD's format")
    for _, paragraph in _paragraphs(distractors) if distractors else ():
        context = _field(paragraph, "context", str, distractors)
        ids.setdefault(context, f"d{len(ids):06d}")
    return Collection({id: text for text, id in ids.items() if text.strip()}, tuple(questions))


def _paragraphs(path: Path | None) -> Iterator[tuple[str, Any]]:
    assert path is not None
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise QueryError(f"{path} can't be read ({error}); name a JSON file in SQuAD's format") from error
    for number, article in enumerate(_field(document, "data", list, path)):
        title = article.get("title") if isinstance(article, dict) else None
        for paragraph in _field(article, "paragraphs", list, path):
            yield str(title or number), paragraph


def _answerable(paragraph: Any, path: Path) -> Iterator[Any]:
    for qa in _field(paragraph, "qas", list, path):
        if not (isinstance(qa, dict) and qa.get("is_impossible")) and _field(qa, "answers", list, path):
            yield qa


def _question(qa: Any, context: str, paragraph: str, article: str, path: Path) -> Question:
    spans = []
    for answer in qa["answers"]:
        text, start = _field(answer, "text", str, path), _field(answer, "answer_start", int, path)
        if not text or context[start : start + len(text)] != text:
            raise QueryError(f"{path}: the answer {text!r} doesn't stand at {start} of its paragraph; mend the file")
        spans.append((start, start + len(text)))
    return Question(_field(qa, "question", str, path), paragraph, article, tuple(dict.fromkeys(spans)))


def _field(entry: Any, name: str, kind: type, path: Path | None) -> Any:
    """A field of an entry, or QueryError saying what SQuAD's format has there."""
    value = entry.get(name) if isinstance(entry, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        shown = json.dumps(entry, ensure_ascii=False)
        raise QueryError(
            f"{path} isn't in SQuAD's format: an entry has no {kind.__name__} `{name}`: "
            f"{shown if len(shown) <= 60 else shown[:59] + '…'}"
        )
    return value


def select(questions: Sequence[Question], only: str | None, without: str | None) -> tuple[Question, ...]:
    """The questions on some articles (names parted by commas), or on all but some; QueryError for an unknown name."""
    wanted, unwanted = ({*filter(None, (names or "").split(","))} for names in (only, without))
    unknown = sorted((wanted | unwanted) - {q.article for q in questions})
    if unknown:
        raise QueryError(f"there is no article '{unknown[0]}' with an answerable question; check the title's spelling")
    chosen = tuple(q for q in questions if (not wanted or q.article in wanted) and q.article not in unwanted)
    if not chosen:
        raise QueryError("no question is left; name fewer articles")
    return chosen


@contextmanager
def opened(
    collection: Collection, folder: Path | None, encoder: TextEncoder | None, report: Report
) -> Iterator[Library]:
    """A library of a collection's paragraphs, indexed in `folder`, or in a passing one; there it is brought up to date
    if it was made before.
    """
    with nullcontext(str(folder)) if folder else tempfile.TemporaryDirectory() as base:
        sources = Path(base, "sources")
        _write_sources(collection.paragraphs, sources)
        library = Library(Settings.load(sources, Path(base, "index")), encoder=encoder, progress=report)
        library.index()
        yield library


def _write_sources(paragraphs: dict[str, str], folder: Path) -> None:
    """A plain text file a paragraph, in a folder that holds nothing else."""
    mark = folder / ".paragraphs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not mark.exists():
            raise SettingsError(f"{folder} holds files that aren't ours; name another folder with --index")
        mark.touch()
        for path in folder.glob("*.txt"):
            if path.stem not in paragraphs:
                path.unlink()
        for id, text in paragraphs.items():
            path = folder / f"{id}.txt"
            if not path.exists() or path.read_bytes() != text.encode():
                path.write_bytes(text.encode())
    except OSError as error:
        raise SettingsError(f"{folder} can't be written to ({error.strerror}); name another with --index") from error


# --- asking


def owners(generation: Generation) -> list[str]:
    """The id of the source that each passage is of, by passage number."""
    return [entry.info.id for entry in generation.texts.entries for _ in range(entry.first, entry.last)]


def ask(
    generation: Generation, encoder: TextEncoder, questions: Sequence[Question], report: Report
) -> Iterator[Outcome]:
    """Ask every question of every system."""
    owner = owners(generation)
    for number, question in enumerate(questions, 1):
        asked = encoder.encode(question.text, "question")
        fused = candidates(generation, asked, question.text, DEPTH, None)
        hits = search(generation, encoder, question.text, CUTOFF)
        ranked = {name: [owner[n] for n in numbers] for name, numbers in orders(fused).items()}
        ranked["full"] = [hit.citation.source for hit in hits]
        ranks = {name: rank_of(question.paragraph, ranked[name]) for name in SYSTEMS}
        yield Outcome(question.paragraph, ranks, _highlights_answer(question, hits) if ranks["full"] else None)
        report("asking", number, len(questions))


def orders(fused: Sequence[Ranked]) -> dict[str, list[int]]:
    """Passage numbers as each stage up to the fusion ranks them; equal ones by number."""
    dense, bm25 = ({one.number: one.scores[name] for one in fused if one.scores[name]} for name in ("dense", "bm25"))
    first = {"dense": _by_score(dense)[:DEPTH], "bm25": _by_score(bm25)[:DEPTH]}
    shares: dict[int, float] = {}
    for numbers in first.values():
        for place, number in enumerate(numbers, 1):
            shares[number] = shares.get(number, 0.0) + 1 / (_RRF + place)
    return {**first, "rrf": _by_score(shares), "fusion": [one.number for one in fused]}


def _by_score(scores: dict[int, float]) -> list[int]:
    return sorted(scores, key=lambda number: (-scores[number], number))


def rank_of(paragraph: str, ranked: Iterable[str]) -> int | None:
    """The place of a paragraph among others, each counted where it comes first; None if it isn't among the first 20."""
    first = list(dict.fromkeys(ranked))[:CUTOFF]
    return first.index(paragraph) + 1 if paragraph in first else None


def _highlights_answer(question: Question, hits: Sequence[Hit]) -> bool:
    """Whether the question's paragraph, in its best passage shown, is highlighted where a whole answer stands."""
    shown = next(hit for hit in hits if hit.citation.source == question.paragraph)
    return any(mark.start <= a and b <= mark.end for mark in shown.highlights for a, b in question.answers)


# --- measuring


def rows(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """A row of figures for each system, with 95 % intervals; `over_dense` is what it has more than dense at R@1."""
    groups = [outcome.paragraph for outcome in outcomes]
    values = {name: _values([outcome.ranks[name] for outcome in outcomes]) for name in SYSTEMS}
    out: list[dict[str, Any]] = []
    for name in SYSTEMS:
        row: dict[str, Any] = {"system": name, **{m: _mean(values[name][m]) for m in MEASURES}, "n": len(outcomes)}
        row["intervals"] = {m: interval(values[name][m], groups) for m in MEASURES}
        gain = values[name]["r@1"] - values["dense"]["r@1"]
        row["over_dense"] = {"r@1": _mean(gain), "interval": interval(gain, groups)}
        out.append(row)
    shown = [outcome for outcome in outcomes if outcome.highlighted is not None]
    marked = np.array([float(bool(outcome.highlighted)) for outcome in shown])
    out[-1]["gold_sentence"] = _mean(marked) if shown else None
    out[-1]["gold_sentence_interval"] = interval(marked, [o.paragraph for o in shown]) if shown else None
    out[-1]["gold_sentence_n"] = len(shown)
    return out


def _values(ranks: Sequence[int | None]) -> dict[str, npt.NDArray[np.float64]]:
    places = np.array([rank or np.inf for rank in ranks], dtype=np.float64)
    return {"mrr": 1 / places, **{f"r@{k}": (places <= k).astype(np.float64) for k in (1, 5, 20)}}


def interval(values: npt.NDArray[np.float64], groups: Sequence[str]) -> list[float]:
    """A 95 % interval of a mean by bootstrap; whole groups are drawn, for questions on one paragraph fare alike."""
    _, member = np.unique(np.array(groups), return_inverse=True)
    sums, sizes = np.bincount(member, weights=values), np.bincount(member)
    generator = np.random.default_rng(_SEED)
    means = np.empty(_RESAMPLES)
    for i in range(_RESAMPLES):
        drawn = generator.integers(len(sums), size=len(sums))
        means[i] = sums[drawn].sum() / sizes[drawn].sum()
    return [round(float(bound), 4) for bound in np.percentile(means, [2.5, 97.5])]


def _mean(values: npt.NDArray[np.float64]) -> float:
    return round(float(values.mean()), 4)


def evaluate(
    collection: Collection,
    questions: Sequence[Question],
    folder: Path | None = None,
    encoder: TextEncoder | None = None,
    report: Report = lambda stage, done, total: None,
) -> list[dict[str, Any]]:
    """Index a collection, ask the questions, and return the rows."""
    with opened(collection, folder, encoder, report) as library:
        generation = library.generation()
        return rows(list(ask(generation, encoder or generation.encoder, questions, report)))


# --- showing


def render(found: Sequence[dict[str, Any]], paragraphs: int) -> RenderableType:
    """The rows as a table for people."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for name in (*MEASURES, "over dense"):
        table.add_column(name.upper() if name in MEASURES else name, justify="right")
    for row in found:
        cells = [_cell(row[m], row["intervals"][m]) for m in MEASURES]
        gain = row["over_dense"]
        more = "" if row["system"] == "dense" else _cell(gain["r@1"], gain["interval"], "+.3f")
        table.add_row(row["system"], *cells, more, style="bold" if row["system"] == "full" else "")
    last = found[-1]
    notes = [f"{last['n']} questions over {paragraphs} paragraphs; 95 % intervals by bootstrap over paragraphs."]
    if last["gold_sentence"] is not None:
        share = _cell(last["gold_sentence"], last["gold_sentence_interval"])
        notes.append(f"The highlighted sentence holds a whole answer: {share} of the {last['gold_sentence_n']} shown.")
    return Group(table, Text(), *map(Text, notes))


def _cell(value: float, bounds: Sequence[float], form: str = ".3f") -> str:
    shown, low, high = (f"{number:{form}}".replace("0.", ".", 1) for number in (value, *bounds))
    return f"{shown} ({low}…{high})"


def plot(found: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw the rows: each system's R@1, R@5 and R@20 with their intervals."""
    pyplot = load_pyplot()
    figure, axes = pyplot.subplots(figsize=(7, 3.6))
    shares = MEASURES[:3]
    for i, row in enumerate(found):
        heights = [row[m] for m in shares]
        errors = [[abs(row[m] - row["intervals"][m][side]) for m in shares] for side in (0, 1)]
        places = [j + (i - 2) * 0.16 for j in range(len(shares))]
        axes.bar(places, heights, 0.15, yerr=errors, label=row["system"], color=_STYLE[row["system"]], capsize=2)
    axes.set_xticks(range(len(shares)), [m.upper() for m in shares])
    axes.set_ylim(max(0, min(row["r@1"] for row in found) - 0.1), 1)
    axes.set_ylabel("share of questions")
    axes.set_title(f"The right paragraph found, {found[0]['n']} questions, 95 % intervals", fontsize=10)
    axes.legend(ncols=5, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.1), frameon=False)
    save_figure(figure, path)


def load_pyplot() -> Any:
    """matplotlib's pyplot, drawing to files only; SettingsError with the way to get it if it's missing."""
    try:
        matplotlib = import_module("matplotlib")
    except ImportError as error:
        raise SettingsError("a plot needs matplotlib; run `pip install 'qa[bench]'`, or leave out --plot") from error
    matplotlib.use("agg")
    matplotlib.rcParams["svg.hashsalt"] = "qa"
    return import_module("matplotlib.pyplot")


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure; the same figure gives the same bytes."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, bbox_inches="tight", dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
    except (OSError, ValueError) as error:
        raise SettingsError(f"the plot {path} can't be written ({error}); name a .png or .svg file") from error


def terminal(width: int = 120) -> Console:
    """Standard output, so many columns wide where it is no terminal."""
    return Console(width=None if sys.stdout.isatty() else width)


@contextmanager
def progress() -> Iterator[Report]:
    """A progress bar on standard error, on a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total or None)
            bar.update(tasks[stage], completed=done, total=total or None)

        yield report


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """The options that `put_out` obeys."""
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw them, as .png or .svg")


def put_out(
    rows: list[dict[str, Any]],
    given: argparse.Namespace,
    console: Console,
    table: RenderableType,
    plot: Callable[[list[dict[str, Any]], Path], None],
) -> None:
    """Print a benchmark's rows, as JSON or as a table, and draw them if that is asked for."""
    print(json.dumps(rows, indent=1)) if given.json else console.print(table)
    if given.plot:
        plot(rows, given.plot)


def guarded(run: Callable[[], None]) -> int:
    """Run a command: exit 0, or 2 with the error on standard error."""
    try:
        run()
    except QAError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def main(arguments: Sequence[str] | None = None, encoder: TextEncoder | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m evals.retrieval", description="Is the right paragraph found?")
    parser.add_argument("file", type=Path, metavar="FILE.json", help="questions and paragraphs in SQuAD's format")
    parser.add_argument("--distractors", type=Path, metavar="FILE.json", help="add the paragraphs of another file")
    parser.add_argument("--articles", metavar="A,B", help="only the questions on these articles")
    parser.add_argument("--not-articles", metavar="A,B", help="not the questions on these articles")
    parser.add_argument("--index", type=Path, metavar="DIR", help="keep the paragraphs and their index here")
    add_output_options(parser)
    given = parser.parse_args(arguments)

    def run() -> None:
        if given.plot:
            load_pyplot()
        collection = read_squad(given.file, given.distractors)
        questions = select(collection.questions, given.articles, given.not_articles)
        with progress() as report:
            found = evaluate(collection, questions, given.index, encoder, report)
        put_out(found, given, terminal(), render(found, len(collection.paragraphs)), plot)

    return guarded(run)


if __name__ == "__main__":
    sys.exit(main())
