"""Questions with known facts: are the facts found, cited and quoted exactly, and is silence told from an answer?

A case is one JSON object a line: `id` and `question`; `facts`, the required ones, each a list of acceptable strings
(matched as whole words: "500" isn't in "28,500"), none when no source answers; and, if you like, `kind`, `paraphrase`,
`sources` (the ids that carry the facts), `gold` (quotes that do) and `note`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from evals.measures import auc, draw_confidence, refused, split_of
from qa.citation import Citation
from qa.errors import NotFound, QueryError
from qa.library import Library
from qa.words import FUNCTION_WORDS, words

CASES = Path(__file__).with_name("facts.jsonl")
BASELINE = Path(__file__).with_name("baseline.json")
KINDS = ("single", "several", "disagreement", "suspect", "unanswerable")
HEADLINES = (
    "facts@1",
    "facts@5",
    "cited",
    "value",
    "citation_precision",
    "quote_exactness",
    "abstention_precision",
    "abstention_recall",
    "silence_auc",
    "refused_at_95",
    "dispute_precision",
    "dispute_recall",
)
_HEADS = {
    "silence_auc": "silence\nAUC",
    "refused_at_95": "refused\nat 95 %",
    "dispute_precision": "disp.\nprec.",
    "dispute_recall": "disp.\nrecall",
    "citation_precision": "citation\nprec.",
    "quote_exactness": "quote\nexact.",
    "abstention_precision": "abst.\nprec.",
    "abstention_recall": "abst.\nrecall",
}
_FOUND = 6  # headlines of what is found and cited; the others are of silence and of disputes
_FIELDS = ("id", "question", "facts", "kind", "paraphrase", "sources", "gold", "note")
_K = 5


@dataclass(frozen=True, slots=True)
class Case:
    """A question, and what an answer to it must hold."""

    id: str
    kind: str
    question: str
    facts: tuple[tuple[str, ...], ...] = ()
    paraphrase: bool = False
    sources: tuple[str, ...] = ()
    gold: tuple[tuple[str, str], ...] = ()

    @property
    def split(self) -> str:
        """`tune` or `score`, by a hash of the id, once and for all."""
        return split_of(self.id)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case: shares of the required facts, what was cited, and whether the first value is the fact of a
    case that has just one; None where it doesn't apply.
    """

    id: str
    kind: str
    split: str
    paraphrase: bool
    status: str
    found_at_1: float | None
    found_at_5: float | None
    cited: float | None
    citations: int
    citations_right: int
    quotes: int
    quotes_exact: int
    confidence: float | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a report differs from a baseline: headline figures that fell or rose (before, now), and cases that flipped.

    A case that lost and gained at once, in different figures, is told twice.
    """

    fallen: dict[str, tuple[float, float]]
    risen: dict[str, tuple[float, float]]
    worse: list[str]
    better: list[str]


# --- cases


def read_cases(path: Path) -> list[Case]:
    """Read cases; QueryError naming every malformed line and what is wrong with it."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise QueryError(f"{path} can't be read ({error}); name a file with one JSON object a line") from error
    cases: list[Case] = []
    problems: list[str] = []
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            case = _case(_parsed(line))
            if case.id in seen:
                raise ValueError(f"the id '{case.id}' is taken by a line above")
            seen.add(case.id)
            cases.append(case)
        except ValueError as error:
            problems.append(f"{path}, line {number}: {error}")
    if problems:
        raise QueryError("\n".join(problems))
    if not cases:
        raise QueryError(f"{path} holds no cases; write one JSON object a line")
    return cases


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON ({error.msg}, at character {error.pos + 1})") from error
    except RecursionError as error:
        raise ValueError("no JSON (nested too deeply)") from error


def _case(entry: Any) -> Case:
    if not isinstance(entry, dict):
        raise ValueError("a case is a JSON object")
    for name in entry:
        if name not in _FIELDS:
            raise ValueError(f"`{name}` is no field of a case; those are {', '.join(_FIELDS)}")
    for name in ("id", "question"):
        if not isinstance(entry.get(name), str) or not entry[name].strip():
            raise ValueError(f"`{name}` must be a text")
    facts = entry.get("facts", [])
    if not isinstance(facts, list) or not all(_is_texts(fact) and fact for fact in facts):
        raise ValueError("`facts` must be a list of facts, each a list of acceptable strings")
    for fact in facts:
        for text in fact:
            if not any(True for _ in words(text)):
                raise ValueError(f"the acceptable string {text!r} has no words")
    kind = entry.get("kind") or ("unanswerable" if not facts else "single" if len(facts) == 1 else "several")
    if kind not in KINDS:
        raise ValueError(f"`kind` is {kind!r}; it can be {', '.join(KINDS)}")
    if (kind == "unanswerable") != (not facts):
        raise ValueError("an unanswerable case has no `facts`, and every other has some")
    if not _is_texts(entry.get("sources", [])):
        raise ValueError("`sources` must be a list of source ids")
    if not isinstance(entry.get("paraphrase", False), bool):
        raise ValueError("`paraphrase` must be true or false")
    gold = entry.get("gold", [])
    if not isinstance(gold, list) or not all(_is_gold(quote) for quote in gold):
        raise ValueError("`gold` must be a list of objects with the texts source and quote")
    return Case(
        id=entry["id"],
        kind=kind,
        question=entry["question"],
        facts=tuple(tuple(fact) for fact in facts),
        paraphrase=entry.get("paraphrase", False),
        sources=tuple(entry.get("sources", [])),
        gold=tuple((g["source"], g["quote"]) for g in gold),
    )


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_gold(value: object) -> bool:
    return isinstance(value, dict) and _is_texts([value.get("source"), value.get("quote")])


# --- measuring


def holds(text: str, fact: Iterable[str]) -> bool:
    """Whether one of a fact's acceptable strings stands in `text` as whole words."""
    there = [word.text for word in words(text)]
    for acceptable in fact:
        wanted = [word.text for word in words(acceptable)]
        if wanted and any(there[i : i + len(wanted)] == wanted for i in range(len(there) - len(wanted) + 1)):
            return True
    return False


def says(value: str, fact: Iterable[str]) -> bool:
    """Whether a value is a fact: it holds one of its acceptable strings as whole words, or is most of one, with all the
    digits of it.
    """
    acceptable = list(fact)
    mine = {word.text for word in words(value)} - FUNCTION_WORDS
    return holds(value, acceptable) or any(
        holds(one, [value])
        and 2 * len(mine) >= len(theirs := {word.text for word in words(one)} - FUNCTION_WORDS)
        and all(word in mine for word in theirs if word[0].isdigit())
        for one in acceptable
        if mine
    )


def evaluate(
    library: Library,
    cases: Sequence[Case],
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> dict[str, Any]:
    """Ask every case and measure what comes back; the report is plain JSON, the same for the same index."""
    known = {info.id for info in library.sources()}
    absent = sorted({id for case in cases for id in case.sources} - known)
    if absent:
        raise QueryError(
            f"the cases name the source '{absent[0]}', which isn't in the index; give your own FILE of cases"
        )
    outcomes = []
    for number, case in enumerate(cases, 1):
        outcomes.append(_outcome(library, case))
        progress("asking", number, len(cases))
    return {
        "index": library.search(cases[0].question, 1).index.to_dict(),
        "figures": {
            split: {group: _figures(members) for group, members in _groups(outcomes, split).items() if members}
            for split in ("score", "tune")
        },
        "cases": [asdict(outcome) for outcome in outcomes],
    }


def _outcome(library: Library, case: Case) -> Outcome:
    try:
        answer = library.ask(case.question, _K)
    except QueryError as error:
        raise QueryError(f"the case '{case.id}' can't be asked: {error}") from error
    hits = answer.passages or answer.related
    passages = [hit.citation.quote for hit in hits]
    quotes = [*answer.citations, *(hit.citation for hit in hits)]
    right = [c for c in answer.citations if any(holds(c.quote, fact) for fact in case.facts)]
    return Outcome(
        id=case.id,
        kind=case.kind,
        split=case.split,
        paraphrase=case.paraphrase,
        status=answer.status,
        found_at_1=share(case, passages[:1]),
        found_at_5=share(case, passages),
        cited=share(case, [citation.quote for citation in answer.citations]),
        citations=len(answer.citations),
        citations_right=len(right),
        quotes=len(quotes),
        quotes_exact=sum(_is_exact(library, citation) for citation in quotes),
        confidence=None if answer.confidence is None else round(answer.confidence, 4),
        value=float(bool(answer.values) and says(answer.values[0].text, case.facts[0]))
        if len(case.facts) == 1
        else None,
    )


def share(case: Case, texts: Sequence[str]) -> float | None:
    """What share of a case's facts some texts hold; None of a case without any."""
    if not case.facts:
        return None
    return round(sum(any(holds(text, fact) for text in texts) for fact in case.facts) / len(case.facts), 6)


def _is_exact(library: Library, citation: Citation) -> bool:
    try:
        source = library.source(citation.source)
    except NotFound:
        return False
    return source.sha256 == citation.sha256 and source.text[citation.start : citation.end] == citation.quote


def _groups(outcomes: Sequence[Outcome], split: str) -> dict[str, list[Outcome]]:
    mine = [outcome for outcome in outcomes if outcome.split == split]
    groups = {"all": mine}
    for kind in KINDS:
        groups[kind] = [outcome for outcome in mine if outcome.kind == kind]
    groups["paraphrased"] = [outcome for outcome in mine if outcome.paraphrase and outcome.cited is not None]
    return groups


def _figures(outcomes: Sequence[Outcome]) -> dict[str, float | int | None]:
    answerable = [o for o in outcomes if o.found_at_1 is not None]
    answered = [o for o in answerable if o.status != "not_found"]
    silent = [o for o in outcomes if o.status == "not_found"]
    unanswerable = [o for o in outcomes if o.found_at_1 is None]
    rightly = [o for o in silent if o.found_at_1 is None]
    disputed = [o for o in outcomes if o.status == "disputed"]
    differing = [o for o in outcomes if o.kind == "disagreement"]
    return {
        "n": len(outcomes),
        "facts@1": _mean([o.found_at_1 or 0.0 for o in answerable]),
        "facts@5": _mean([o.found_at_5 or 0.0 for o in answerable]),
        "cited": _mean([o.cited or 0.0 for o in answerable]),
        "citation_precision": _ratio(sum(o.citations_right for o in answered), sum(o.citations for o in answered)),
        "quote_exactness": _ratio(sum(o.quotes_exact for o in outcomes), sum(o.quotes for o in outcomes)),
        "abstention_precision": _ratio(len(rightly), len(silent)),
        "abstention_recall": _ratio(len(rightly), len(unanswerable)),
        "value": _mean([o.value for o in outcomes if o.value is not None]),
        **_silence([o.confidence or 0.0 for o in answerable], [o.confidence or 0.0 for o in unanswerable]),
        "dispute_precision": _ratio(sum(o.kind == "disagreement" for o in disputed), len(disputed)),
        "dispute_recall": _ratio(sum(o.status == "disputed" for o in differing), len(differing)),
    }


def _silence(answerable: Sequence[float], unanswerable: Sequence[float]) -> dict[str, float | None]:
    """How well confidence tells what can be answered."""
    if not answerable or not unanswerable:
        return {"silence_auc": None, "refused_at_95": None}
    return {
        "silence_auc": round(auc(answerable, unanswerable), 4),
        "refused_at_95": round(refused(answerable, unanswerable), 4),
    }


def confidences(report: dict[str, Any], split: str) -> list[tuple[float, bool]]:
    """The confidence of each case of a split, and whether what is cited holds a required fact."""
    return [(case["confidence"] or 0.0, bool(case["citations_right"])) for case in report["cases"]
            if case["split"] == split]  # fmt: skip


def _mean(values: Sequence[float]) -> float | None:
    return _ratio(sum(values), len(values))


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


# --- comparing and showing


def draw(report: dict[str, Any], folder: Path) -> None:
    """Draw what confidence is worth on each split, as `answers-score.svg` and `answers-tune.svg`."""
    for split in report["figures"]:
        if pairs := confidences(report, split):
            draw_confidence(pairs, folder / f"answers-{split}.svg")


def read_report(path: Path) -> dict[str, Any]:
    """A report written earlier, to compare with; QueryError if it isn't one."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        {**report["figures"]["score"].get("all", {})}
        {case["id"]: {**case} for case in report["cases"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise QueryError(f"{path} is no report of `qa eval` ({error!r}); make one with --out") from error
    return dict(report)


def compare(report: dict[str, Any], before: dict[str, Any]) -> Comparison:
    """Set a report beside an earlier one: headline figures of the score split, and all cases that both have."""
    old, new = (each["figures"]["score"].get("all", {}) for each in (before, report))
    pairs = {name: (old.get(name), new.get(name)) for name in HEADLINES}
    moved = {name: (was or 0.0, now or 0.0) for name, (was, now) in pairs.items() if was is not None and was != now}
    earlier = {case["id"]: case for case in before["cases"]}
    worse: list[str] = []
    better: list[str] = []
    for case in report["cases"]:
        was = earlier.get(case["id"], {})
        for name in ("status", "found_at_1", "found_at_5", "cited"):
            if name in was and was[name] != case[name]:
                told = f"{case['id']} ({case['split']}, {case['kind']}): {name} {was[name]} → {case[name]}"
                gained = _merit(case, name) - _merit({**case, **was}, name)
                if gained:
                    (better if gained > 0 else worse).append(told)
    return Comparison(
        fallen={name: pair for name, pair in moved.items() if pair[1] < pair[0]},
        risen={name: pair for name, pair in moved.items() if pair[1] > pair[0]},
        worse=worse,
        better=better,
    )


def _merit(case: dict[str, Any], name: str) -> float:
    """How good one of a case's results is: for a status, whether it is silent exactly where no source answers, and
    disputed exactly where sources differ.
    """
    if name == "status":
        silent = (case["status"] == "not_found") == (case["kind"] == "unanswerable")
        return float(silent) + float((case["status"] == "disputed") == (case["kind"] == "disagreement")) / 2
    return float(case[name] or 0.0)


def misquoted(report: dict[str, Any]) -> list[str]:
    """The ids of the cases that were given a quote which doesn't stand where its citation says."""
    return [case["id"] for case in report["cases"] if case["quotes_exact"] < case["quotes"]]


def render(report: dict[str, Any], comparison: Comparison | None) -> RenderableType:
    """Tables for people: the figures of each split by kind, and what differs from the baseline."""
    parts: list[RenderableType] = []
    for split, groups in report["figures"].items():
        for shown in (HEADLINES[:_FOUND], HEADLINES[_FOUND:]):
            table = Table(title=f"{split} split", title_justify="left", box=None, pad_edge=False)
            table.add_column("")
            for name in ("n", *shown):
                table.add_column(_HEADS.get(name, name), justify="right")
            for group, figures in groups.items():
                cells = [_cell(figures[name]) for name in ("n", *shown)]
                table.add_row(group, *cells, style="bold" if group == "all" else "")
            parts += [table, Text()]
    parts += [Text(f"{id}: a quote isn't what its source says there", style="bold red") for id in misquoted(report)]
    if comparison is None:
        return Group(*parts)
    for word, moved, style in (("fell", comparison.fallen, "bold red"), ("rose", comparison.risen, "green")):
        parts += [Text(f"{name} {word} from {a:.4f} to {b:.4f}", style=style) for name, (a, b) in moved.items()]
    parts += [Text(f"worse   {line}", style="red") for line in comparison.worse]
    parts += [Text(f"better  {line}", style="green") for line in comparison.better]
    if not comparison.fallen:
        parts.append(Text("no headline figure of the score split is below the baseline", style="green"))
    return Group(*parts)


def _cell(value: float | int | None) -> str:
    return "–" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"
