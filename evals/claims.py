"""Claims: sentences about the briefs, each with the verdict a careful reader would give, and how often ours is that.

`python -m evals.claims [--sources DIR] [--index DIR] [--no-judge] [--json]`; with `--written DIR` the sentences are
those written, in other words, about held-out passages of the judge's training data, checked against these passages.

Four classes: sources_differ counts as supported, since a source does bear it out; partly_supported as not_found, since
no source bears all of it out. Thresholds were chosen on the tune split, half of the ids by their hash; intervals are
Wilson's, at 95 %.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.measures import split_of
from evals.retrieval import Collection, opened, progress
from qa.library import Library

CASES = Path(__file__).with_name("claims.jsonl")
LABELS = ("supported", "contradicted", "not_found", "not_checkable")
_CLASS = {"sources_differ": "supported", "partly_supported": "not_found"}
EXACT, SENSE = ("number", "date", "name"), ("direction", "negation")


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence, its right verdict, and what was altered in it if it is contradicted."""

    id: str
    text: str
    label: str
    alteration: str | None
    source: str | None
    quote: str | None

    @property
    def split(self) -> str:
        """`tune` or `score`, by a hash of the id, once and for all."""
        return split_of(self.id)


def read_cases(path: Path = CASES) -> list[Case]:
    """The cases of a file, one JSON object a line."""
    return [Case(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def verdicts(library: Library, cases: Sequence[Case], judge: bool | None = None) -> dict[str, str]:
    """The verdict on each case by its id."""
    out = {}
    for case in cases:
        items = library.check(case.text, judge).items
        out[case.id] = next((item.verdict for item in items if item.type == "statement"), "not_checkable")
    return out


def report(cases: Sequence[Case], given: dict[str, str]) -> dict[str, Any]:
    """Figures of each split, every share with its n and interval, and the confusion of right and given classes."""
    return {split: _figures([case for case in cases if case.split == split], given) for split in ("tune", "score")}


def _figures(cases: Sequence[Case], given: dict[str, str]) -> dict[str, Any]:
    classes = {case.id: _CLASS.get(given[case.id], given[case.id]) for case in cases}
    exact = [c for c in cases if c.alteration in EXACT]
    sense = [c for c in cases if c.alteration in SENSE]
    supported = [c for c in cases if c.label == "supported"]

    def passed(group: Sequence[Case]) -> list[bool]:
        return [classes[c.id] == "supported" for c in group]

    return {
        "accuracy": share([classes[c.id] == c.label for c in cases]),
        "wrong number, date or name shown as supported": share(passed(exact)),
        "wrong direction or negation shown as supported": share(passed(sense)),
        "contradicted claims shown as supported": share(passed([c for c in cases if c.label == "contradicted"])),
        "false alarms on supported claims": share([classes[c.id] == "contradicted" for c in supported]),
        "supported claims not called supported": share([not ok for ok in passed(supported)]),
        "confusion": {
            label: dict(sorted(Counter(given[c.id] for c in cases if c.label == label).items())) for label in LABELS
        },
        "missed": [
            {"id": c.id, "label": c.label, "alteration": c.alteration, "given": given[c.id]}
            for c in cases
            if classes[c.id] != c.label
        ],
    }


def written(folder: Path, part: str) -> tuple[Collection, list[Case]]:
    """The passages of a part of the judge's written data, and the statements about them."""
    from training.examples import CONTRADICTS, NEITHER, SUPPORTS, read_data  # there in a checkout alone

    passages = read_data(folder).written[part]
    label = dict(zip((SUPPORTS, CONTRADICTS, NEITHER), LABELS, strict=False))
    claims = [(n, claim) for n, passage in enumerate(passages) for claim in passage.claims]
    cases = [Case(f"{n}", c.statement, label[c.label], None, f"{at}", c.text) for n, (at, c) in enumerate(claims)]
    return Collection({f"{n}": " ".join(p.sentences) for n, p in enumerate(passages)}, ()), cases


def share(hits: Sequence[bool]) -> dict[str, float | int | None]:
    """How many of n, as a share with Wilson's interval at 95 %."""
    n, z = len(hits), 1.96
    if not n:
        return {"share": None, "low": None, "high": None, "hits": 0, "n": 0}
    p = sum(hits) / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return {"share": round(p, 4), "low": round(low, 4), "high": round(high, 4), "hits": sum(hits), "n": n}


def table(figures: dict[str, Any]) -> str:
    """The figures for people."""
    lines = []
    for split, rows in figures.items():
        lines.append(f"{split} split")
        for name, row in rows.items():
            if "share" in row and row["n"]:
                interval = f"[{row['low']:.3f}, {row['high']:.3f}]"
                lines.append(f"  {name:<50} {row['share']:.3f}  {interval}  {row['hits']} of {row['n']}")
        for label, counts in rows["confusion"].items():
            lines.append(f"  {label}: {', '.join(f'{n} {verdict}' for verdict, n in counts.items())}")
    return "\n".join(lines)


def main() -> None:
    """Print the figures for the shipped claims."""
    parser = argparse.ArgumentParser(prog="python -m evals.claims", description=__doc__)
    parser.add_argument("--sources", default="sources")
    parser.add_argument("--index", default="index")
    parser.add_argument("--no-judge", action="store_true", help="compare words alone")
    parser.add_argument("--written", type=Path, metavar="DIR", help="the public data of the judge's training")
    parser.add_argument("--part", choices=("development", "test"), default="test", help="of what was written")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    judge = False if options.no_judge else None
    if options.written:
        collection, cases = written(options.written, options.part)
        with progress() as tell, opened(collection, None, None, tell) as library:
            figures = {options.part: _figures(cases, verdicts(library, cases, judge))}
    else:
        cases = read_cases()
        figures = report(cases, verdicts(Library.open(options.sources, options.index), cases, judge))
    print(json.dumps(figures, ensure_ascii=False) if options.json else table(figures))


if __name__ == "__main__":
    main()
