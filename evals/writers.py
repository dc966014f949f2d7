"""The gate of the writers' side: claims and quotations measured, and compared with a committed baseline.

`python -m evals.writers [--baseline FILE] [--out FILE]`; exit 1 if a figure is worse than the baseline's. The baseline
moves only by a commit that says why.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from evals import claims, quotes
from qa.library import Library
from qa.loaders import load_folder

BASELINE = Path(__file__).with_name("writers.json")
QUOTATIONS, SEED = 240, 1
_WORSE_IF_MORE = "shown as supported", "false alarms", "not called supported"

Figures = dict[str, float]


def measure(sources: str, index: str) -> Figures:
    """The figures of both splits of the claims, and of all kinds of quotation, by name."""
    cases = claims.read_cases()
    report = claims.report(cases, claims.verdicts(Library.open(sources, index), cases))
    out = {
        f"claims, {split}: {name}": row["share"]
        for split, rows in report.items()
        for name, row in rows.items()
        if isinstance(row, dict) and row.get("share") is not None
    }
    every = [source for _, source in load_folder(Path(sources)).sources]
    for row in quotes.evaluate(every, quotes.generate(every, QUOTATIONS, SEED)):
        out[f"quotes, {row['split']}: {row['kind']}"] = round(row["right"] / row["n"], 4)
    return out


def worse(before: Figures, now: Figures) -> dict[str, tuple[float, float]]:
    """The figures of a baseline that have got worse, or aren't measured any more (then nan): before and now."""
    found = {}
    for name, value in before.items():
        other = now.get(name, float("nan"))
        more_is_worse = any(words in name for words in _WORSE_IF_MORE)
        if not (other <= value if more_is_worse else other >= value):
            found[name] = value, other
    return found


def main() -> None:
    """Measure, compare, and say what got worse."""
    parser = argparse.ArgumentParser(prog="python -m evals.writers", description=__doc__)
    parser.add_argument("--sources", default="sources")
    parser.add_argument("--index", default="index")
    parser.add_argument("--baseline", type=Path, default=BASELINE, help="figures to compare with")
    parser.add_argument("--out", type=Path, help="write the figures here, and compare with nothing")
    options = parser.parse_args()
    started = time.perf_counter()
    now = measure(options.sources, options.index)
    print(f"{len(now)} figures of claims and quotations in {time.perf_counter() - started:.1f} s")
    if options.out:
        options.out.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
        return
    fallen = worse(json.loads(options.baseline.read_text(encoding="utf-8")), now)
    for name, (before, after) in fallen.items():
        print(f"{name} went from {before:.4f} to {after:.4f}, which is worse")
    if fallen:
        sys.exit(1)
    print("none is worse than the baseline")


if __name__ == "__main__":
    main()
