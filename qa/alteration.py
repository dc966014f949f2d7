"""Alteration: the place in the sources that words come closest to, and the words that differ there."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from qa.folding import Folded, folded
from qa.source import Source

LEAST_SIMILARITY = 0.6  # share of like words below which they are other words; set by judgement, not measured
_LETTER_CREDIT = 0.8  # words at least this alike count half: "alliances" for "alliance"
_WINDOWS = 6  # stretches of one source that may be aligned
_ALIGNED = 30  # stretches of all sources that are
_SEEDS = 200  # of a long draft, evenly spread
_SEED_HITS = 64  # a seed met more often than this in a source tells little
_ELIDED = 1_200
_TOKEN = re.compile(
    r"\d+(?:[.,]\d+)*"
    r"|[\u0e00-\u0e7f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f]"
    r"|[^\W\d_](?:[^\W\d_]|[\u00ad\u0300-\u036f\u0590-\u05ff\u064b-\u065f\u0900-\u0dff])*(?:['’](?:[^\W\d_])+)?"
    r"|[^\s\w]|_"
)


@dataclass(frozen=True, slots=True)
class Difference:
    """What a draft has, and the source in its place: texts, and their half-open ranges in the draft and the source.

    Either text is empty where words were left out or put in.
    """

    draft: str
    source: str
    draft_start: int
    draft_end: int
    start: int
    end: int

    @classmethod
    def of(cls, draft: str, there: tuple[int, int], source: str, here: tuple[int, int]) -> Difference:
        """The difference between a range of a draft and one of a source."""
        return cls(draft[slice(*there)], source[slice(*here)], *there, *here)

    def to_dict(self) -> dict[str, Any]:
        return {
            "draft": self.draft,
            "source": self.source,
            "draft_start": self.draft_start,
            "draft_end": self.draft_end,
            "start": self.start,
            "end": self.end,
        }


@dataclass(frozen=True, slots=True)
class Altered:
    """A range of a source that a draft comes near to, what differs, and how alike the words are (0 to 1)."""

    source: Source
    start: int
    end: int
    differences: tuple[Difference, ...]
    similarity: float


@dataclass(frozen=True, slots=True)
class _Token:
    """A word or a mark of punctuation: its folded form and its range."""

    key: str
    start: int
    end: int

    @property
    def is_word(self) -> bool:
        return self.key[0].isalnum()


def find_altered(sources: Sequence[Source], text: str, connectors: Sequence[tuple[int, int]] = ()) -> Iterator[Altered]:
    """The places of the sources that a text comes near to; `connectors` are its ellipses and brackets, passed over."""
    blanked = list(text)
    for a, b in connectors:
        blanked[a:b] = " " * (b - a)
    draft = tokens("".join(blanked))
    if sum(token.is_word for token in draft) < 2:
        return
    windows = [
        (words, number, low, high)
        for number, source in enumerate(sources)
        for words, low, high in _windows(folded(source.text), draft, _ELIDED if connectors else 0)
    ]
    windows.sort(key=lambda window: (-window[0], window[1]))
    done: dict[int, list[tuple[int, int]]] = {}
    for _, number, low, high in windows[:_ALIGNED]:
        found = _align(sources[number], text, draft, low, high, [a for a, _ in connectors])
        if found and not any(a < found.end and found.start < b for a, b in done.get(number, ())):
            done.setdefault(number, []).append((found.start, found.end))
            yield found


def tokens(text: str, start: int = 0, end: int | None = None) -> list[_Token]:
    """Words and punctuation of text[start:end] without blanks, invisible characters and marks of emphasis."""
    found = []
    for match in _TOKEN.finditer(text, start, len(text) if end is None else end):
        if key := _key(match.group()):
            found.append(_Token(key, match.start(), match.end()))
    return found


@lru_cache(maxsize=2**15)
def _key(raw: str) -> str:
    letters = Folded(raw).letters
    if any(c.isalnum() for c in letters):
        marks = "".join(c for c in raw if c in ".,") if raw[0].isdigit() else "'" if re.search("['’]", raw) else ""
        return letters + marks
    if raw in "*_":
        return ""
    quotes, dashes = "'‘’‚‛`´\"“”„«»", "-‐‑‒–—―−"
    return '"' if raw in quotes else "-" if raw in dashes else letters or ("" if not raw.isprintable() else raw)


def _windows(body: Folded, draft: Sequence[_Token], elided: int) -> list[tuple[int, int, int]]:
    """Ranges of a source where most seeds of a draft (three words running, or two, or one) are met.

    With each, before its range, how many words of the draft those seeds hold.
    """
    letters = [re.sub(r"[.,']", "", token.key) for token in draft if token.is_word]
    for size in (3, 2, 1):
        seeds: dict[str, list[int]] = {}
        for number in range(0, len(letters) - size + 1, max(1, len(letters) // _SEEDS)):
            seeds.setdefault("".join(letters[number : number + size]), []).append(number)
        least = 5 if size == 1 else 4
        hits = [
            (at, n)
            for seed, numbers in seeds.items()
            if len(seed) >= least
            for at in _find_all(body.letters, seed)
            for n in numbers
        ]
        if hits:
            break
    else:
        return []
    hits.sort()
    reach = int(1.4 * sum(map(len, letters))) + 30 + elided
    starts = [at for at, _ in hits]
    scored = []
    for first, (at, _) in enumerate(hits):
        last = bisect_right(starts, at + reach)
        scored.append((-len({n + k for _, n in hits[first:last] for k in range(size)}), at, starts[last - 1]))
    scored.sort()
    best: list[tuple[int, int, int]] = []
    for words, low, high in scored:
        if not any(a <= high and low <= b for _, a, b in best):
            best.append((-words, low, high))
            if len(best) == _WINDOWS:
                break
    margin = sum(map(len, letters)) + 20
    return [
        (words, body.gap(max(0, low - margin))[0], body.gap(min(len(body.letters), high + margin))[1])
        for words, low, high in best
    ]


def _find_all(text: str, seed: str) -> list[int]:
    found: list[int] = []
    at = text.find(seed)
    while at >= 0:
        found.append(at)
        if len(found) > _SEED_HITS:
            return []
        at = text.find(seed, at + 1)
    return found


def _align(
    source: Source, text: str, draft: list[_Token], low: int, high: int, connectors: Sequence[int]
) -> Altered | None:
    """The best stretch of source.text[low:high] for a draft, by Levenshtein distance over words."""
    from rapidfuzz.distance import Levenshtein

    there = tokens(source.text, low, high)
    keys, wanted = [t.key for t in there], [t.key for t in draft]
    blocks = [op for op in Levenshtein.opcodes(wanted, keys) if op.tag == "equal"]
    if not blocks:
        return None
    # A stray common word far off matches for nothing there; so the ends are tried one by one.
    widest = max(blocks, key=lambda op: op.src_end - op.src_start)
    slack = len(connectors) and 300
    first = _best_end(wanted[: widest.src_start], keys[: widest.dest_start], Levenshtein, slack)
    last = _best_end(wanted[widest.src_end :][::-1], keys[widest.dest_end :][::-1], Levenshtein, slack)
    here = there[widest.dest_start - first : widest.dest_end + last]
    if not any(token.is_word for token in here):
        return None
    differences = _differences(source, text, draft, here, connectors)
    differing = _cost(draft, here, connectors)
    size = sum(token.is_word for token in draft)
    similarity = round(max(0.0, 1 - differing / size), 4)
    if similarity < LEAST_SIMILARITY:
        return None
    start, end = here[0].start, here[-1].end
    if not differences:  # a gap that is read otherwise, as in "now here" and "nowhere"
        differences = (Difference.of(text, (0, len(text)), source.text, (start, end)),)
    return Altered(source, start, end, differences, similarity)


def _best_end(wanted: list[str], keys: list[str], levenshtein: Any, slack: int) -> int:
    """How many of the keys before a block that stands fast belong to the words before it."""
    near = range(max(0, len(wanted) - 8), min(len(keys), len(wanted) + 8 + slack) + 1)
    costs = [(levenshtein.distance(wanted, keys[len(keys) - n :]), n) for n in near]
    return min(costs)[1] if costs else min(len(wanted), len(keys))


def _opcodes(draft: list[_Token], here: list[_Token]) -> list[Any]:
    from rapidfuzz.distance import Levenshtein

    return [op for op in Levenshtein.opcodes([t.key for t in draft], [t.key for t in here]) if op.tag != "equal"]


def _differences(
    source: Source, text: str, draft: list[_Token], here: list[_Token], connectors: Sequence[int]
) -> tuple[Difference, ...]:
    out: list[Difference] = []
    for op in _opcodes(draft, here):
        if op.tag == "insert" and _declared(draft, op.src_start, connectors):
            continue
        there = _range(draft, op.src_start, op.src_end, 0)
        out.append(Difference.of(text, there, source.text, _range(here, op.dest_start, op.dest_end, here[0].start)))
    return tuple(out)


def _cost(draft: list[_Token], here: list[_Token], connectors: Sequence[int]) -> float:
    """How many words differ; alike ones count half, and what an ellipsis or a bracket declares not at all."""
    from rapidfuzz import fuzz

    cost = 0.0
    for op in _opcodes(draft, here):
        old = [t.key for t in draft[op.src_start : op.src_end] if t.is_word]
        new = [t.key for t in here[op.dest_start : op.dest_end] if t.is_word]
        if op.tag == "insert" and _declared(draft, op.src_start, connectors):
            continue
        paired = zip(old, new, strict=False)
        alike = sum(fuzz.ratio(a, b) >= 100 * _LETTER_CREDIT and not a[0].isdigit() for a, b in paired)
        cost += max(len(old), len(new)) - alike / 2
    return cost


def _declared(draft: list[_Token], at: int, connectors: Sequence[int]) -> bool:
    """Whether an ellipsis or a bracket stands before the draft's token `at`."""
    low = draft[at - 1].end if at else 0
    high = draft[at].start if at < len(draft) else draft[-1].end
    number = bisect_left(connectors, low)
    return number < len(connectors) and connectors[number] <= high


def _range(tokens: list[_Token], first: int, last: int, start: int) -> tuple[int, int]:
    if first < last:
        return tokens[first].start, tokens[last - 1].end
    at = tokens[first - 1].end if first else start
    return at, at
