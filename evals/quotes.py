"""Quotations made from the sources by a seed: are true ones recognised, altered and invented ones never called true?

python -m evals.quotes [--sources DIR] [--cases 1200] [--seed 1] [--json]
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from evals.measures import split_of
from qa.loaders import load_folder
from qa.quotation import find_quotation
from qa.source import Source
from qa.words import sentences

KINDS = ("exact", "typographic", "altered", "spliced", "misattributed", "invented")
_INVENTED = ("The", "council", "never", "reported", "eleven", "harbours", "that", "few", "pilots", "had", "seen",
             "before", "winter", "and", "its", "ministers", "sold", "every", "lantern", "twice")  # fmt: skip
_SWAP = {"not": "now", "is": "was", "are": "were", "the": "a", "and": "or", "of": "from", "in": "near", "to": "by"}


@dataclass(frozen=True, slots=True)
class Case:
    """A quotation, what kind it is, and the source it is said to come from."""

    kind: str
    text: str
    attributed: str

    @property
    def split(self) -> str:
        """`tune` or `score`, by a hash of the words."""
        return split_of(self.text)


def generate(sources: Sequence[Source], count: int, seed: int) -> list[Case]:
    """`count` cases, each kind as often; the same ones for the same sources and seed."""
    rng = random.Random(seed)
    pool = [(source, piece) for source in sources for piece in _pieces(source)]
    if len(pool) < 2:
        raise typer.BadParameter("the sources hold too few sentences of 6 to 40 words")
    cases: list[Case] = []
    while len(cases) < count:
        kind = KINDS[len(cases) % len(KINDS)]
        source, piece = rng.choice(pool)
        if case := _case(kind, source, piece, pool, sources, rng):
            cases.append(case)
    return cases


def _pieces(source: Source) -> Iterator[str]:
    for block in source.blocks:
        for start, end in sentences(source.text, block.start, block.end):
            if block.kind != "heading" and 6 <= len(source.text[start:end].split()) <= 40:
                yield source.text[start:end]


def _case(
    kind: str,
    source: Source,
    piece: str,
    pool: Sequence[tuple[Source, str]],
    sources: Sequence[Source],
    rng: random.Random,
) -> Case | None:
    words = piece.split()
    text, attributed = piece, source.id
    if kind == "typographic":
        for change in rng.sample(_VARIATIONS, rng.randint(1, 3)):
            text = change(text, rng)
    elif kind == "altered":
        text = _alter(words, rng)
    elif kind == "spliced":
        other = rng.choice(pool)[1].split()
        text = " ".join([*words[: len(words) // 2], *other[len(other) // 2 :]])
    elif kind == "misattributed":
        others = [other.id for other in sources if piece not in other.text]
        attributed = rng.choice(others) if others else ""
    elif kind == "invented":
        mixed = [rng.choice(pool)[1].split() for _ in range(3)]
        kept = [word for other in mixed for word in rng.sample(other, min(4, len(other)))]
        text = " ".join(rng.sample(rng.choice((words, kept, list(_INVENTED))), k=6))
    false = kind in ("altered", "spliced", "invented")
    if not attributed or (false and any(_plain(text) in _plain(other.text) for other in sources)):
        return None
    return Case(kind, text, attributed)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _alter(words: list[str], rng: random.Random) -> str:
    at = rng.randrange(1, len(words) - 1)
    word = words[at]
    if any(c.isdigit() for c in word):
        new = "".join(str((int(c) + 1) % 10) if c in "0123456789" else c for c in word)
    else:
        new = rng.choice((_SWAP.get(word, "otherwise"), "", f"not {word}"))
    return " ".join([*words[:at], *filter(None, [new]), *words[at + 1 :]])


def _hyphenate(text: str, rng: random.Random) -> str:
    places = [m.start() + 3 for m in re.finditer(r"[a-z]{7}", text)]
    at = rng.choice(places) if places else 0
    return f"{text[:at]}-\n{text[at:]}" if at else text


_VARIATIONS: list[Callable[[str, random.Random], str]] = [
    lambda text, rng: text.upper(),
    lambda text, rng: text.replace("“", '"').replace("”", '"').replace("’", "'"),
    lambda text, rng: text.replace("'", "’").replace("-", "\u2011").replace("–", "-"),
    lambda text, rng: text.replace("fi", "ﬁ").replace("fl", "ﬂ"),
    lambda text, rng: re.sub(" ", lambda m: rng.choice((" ", "  ", "\n", "\u00a0")), text),
    lambda text, rng: re.sub(r"([a-z]{3})([a-z]{3})", "\\1\u00ad\\2", text, count=2),
    lambda text, rng: re.sub(r"(?<![\w-])(?<!-\n)(?<!\u2011\n)([a-z]{4,})\b", r"*\1*", text, count=1),
    _hyphenate,
]


def evaluate(sources: Sequence[Source], cases: Sequence[Case]) -> list[dict[str, Any]]:
    """A row for each split and kind: how many there are, and how many were called what."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for case in cases:
        started = time.perf_counter()
        result = find_quotation(sources, case.text, attributed=(case.attributed,))
        took = time.perf_counter() - started
        row = rows.setdefault((case.split, case.kind), {"split": case.split, "kind": case.kind, "n": 0, "ms": 0.0})
        row["n"] += 1
        row["ms"] += 1000 * took
        row[result.state] = row.get(result.state, 0) + 1
        true = any(place.state in ("exact", "typographic") for place in result.places)
        right = {"exact": result.state == "exact", "misattributed": result.state == "misattributed"}
        right["typographic"] = result.state in ("exact", "typographic")
        row["right"] = row.get("right", 0) + int(right.get(case.kind, not true))
    for row in rows.values():
        row["ms"] = round(row["ms"] / row["n"], 2)
    return [rows[key] for key in sorted(rows, key=lambda key: (key[0], KINDS.index(key[1])))]


def main(
    sources: Annotated[Path, typer.Option("--sources", help="Folder of documents.")] = Path("sources"),
    count: Annotated[int, typer.Option("--cases", help="How many quotations.")] = 1200,
    seed: Annotated[int, typer.Option("--seed", help="What they are drawn by.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print, for each part and kind, how many quotations were judged right, and what they were called."""
    every = [source for _, source in load_folder(sources).sources]
    rows = evaluate(every, generate(every, count, seed))
    if as_json:
        print(json.dumps(rows))
        return
    states = ("exact", "typographic", "altered", "misattributed", "not_found")
    print("".join(f"{head:>14}" for head in ("split", "kind", "n", "right", *states, "ms")))
    for row in rows:
        cells = (row["split"], row["kind"], row["n"], f"{row['right'] / row['n']:.3f}")
        print("".join(f"{cell:>14}" for cell in (*cells, *(row.get(state, 0) for state in states), row["ms"])))


if __name__ == "__main__":
    typer.run(main)
