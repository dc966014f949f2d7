"""Fairness: does a quotation leave its source's sense as it is? By word lists and structure alone."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from qa.source import Source

CautionKind = Literal[
    "dropped_negation", "dropped_hedge", "cut_goes_on", "joined_blocks", "second_hand", "words_of_a_brief"
]

_NEAR = 48  # code points before and after a quotation in which a word may belong to it
_BACK = 4_000  # code points of its block in which a quotation's marks are looked for
_NEGATION = re.compile(
    r"\b(?:not|never|no|none|nor|neither|nobody|nothing|nowhere|without|cannot|hardly|scarcely|rarely|seldom|barely"
    r"|non(?=[-‐‑])|(?:fail|refus|declin|den)(?:s|ed|es|ies|ied|y)?|\w+n['’]t)\b",
    re.IGNORECASE,
)
_HEDGE = re.compile(
    r"\b(?:may|might|could|would|perhaps|possibly|probably|likely|unlikely|reportedly|allegedly|supposedly|arguably"
    r"|apparently|presumably|seems?|seemed|appears?|appeared|suggests?|suggested|claims?|claimed|alleged|alleges"
    r"|partly|in part|almost|nearly|about|roughly|approximately|sometimes|often|usually|mostly|largely)\b",
    re.IGNORECASE,
)
_TURN = re.compile(
    r"\b(?:but|unless|except|if|although|though|however|until|only|provided|yet|whereas|while)\b", re.IGNORECASE
)
_STOP = re.compile(r"[.!?;:\n。！？]")


@dataclass(frozen=True, slots=True)
class Caution:
    """Why a quotation may be unfair: its kind, a sentence for people, and the source's range [start, end) meant."""

    kind: CautionKind
    says: str
    start: int
    end: int

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "says": self.says, "start": self.start, "end": self.end}


def cautions(source: Source, ranges: Sequence[tuple[int, int]]) -> tuple[Caution, ...]:
    """What to look at before quoting these ranges of a source, in order, as one quotation."""
    start, end = ranges[0][0], ranges[-1][1]
    found = [*_cut_out(source, ranges), *_cut_before(source, start), *_cut_after(source, end)]
    found += [*_joined(source, start, end), *_second_hand(source, start, end)]
    return tuple(found)


def _cut_out(source: Source, ranges: Sequence[tuple[int, int]]) -> Iterator[Caution]:
    """Negations, hedges and turns in what an ellipsis or a bracket leaves out."""
    for (_, a), (b, _) in itertools.pairwise(ranges):
        for kind, pattern, what in (
            ("dropped_negation", _NEGATION, "a negation"),
            ("dropped_hedge", _HEDGE, "a hedge"),
            ("cut_goes_on", _TURN, "a turn of the sense"),
        ):
            if match := pattern.search(source.text, a, b):
                yield _caution(kind, f"what is left out holds {what}: “{match.group()}”", match)


def _cut_before(source: Source, start: int) -> Iterator[Caution]:
    """A negation, a hedge or a condition in the words just before the quotation, in its own clause."""
    low = max(0, start - _NEAR)
    near = source.text[low:start]
    if stop := list(_STOP.finditer(near)):
        low += stop[-1].end()
    words = list(re.finditer(r"[\w'’]+", source.text[low:start]))[-3:]
    if not words:
        return
    low += words[0].start()
    for kind, pattern, what in (
        ("dropped_negation", _NEGATION, "a negation"),
        ("dropped_hedge", _HEDGE, "a hedge"),
        ("cut_goes_on", re.compile(r"\b(?:if|unless|until|only)\b", re.IGNORECASE), "a condition"),
    ):
        if matches := list(pattern.finditer(source.text, low, start)):
            yield _caution(kind, f"just before it the source has {what}: “{matches[-1].group()}”", matches[-1])


def _cut_after(source: Source, end: int) -> Iterator[Caution]:
    """A sentence that goes on after the quotation with a turn of the sense, a negation or a hedge."""
    if source.text[end - 1] in ".!?。！？":
        return
    rest = source.text[end : end + _NEAR]
    if match := re.match(r"[\s,;:–—-]*([\w'’]+)", rest):
        start = end + match.start(1)
        for kind, pattern, what in (
            ("cut_goes_on", _TURN, "with"),
            ("dropped_negation", _NEGATION, "with a negation:"),
            ("dropped_hedge", _HEDGE, "with a hedge:"),
        ):
            if met := pattern.fullmatch(source.text, start, end + match.end(1)):
                yield _caution(kind, f"the sentence goes on {what} “{met.group()}”", met)


def _joined(source: Source, start: int, end: int) -> Iterator[Caution]:
    first, last = source.block_at(start, start + 1), source.block_at(end - 1, end)
    if first and last and first is not last:
        yield Caution("joined_blocks", "it joins words of different paragraphs", start, end)


def _second_hand(source: Source, start: int, end: int) -> Iterator[Caution]:
    if source.kind == "brief":
        says = "these are the words of a brief, not of the work it digests"
        yield Caution("words_of_a_brief", says, start, end)
    block = source.block_at(start, end)
    if block is None or block.start > start:
        return
    low = max(block.start, start - _BACK)
    before = source.text[low:start]
    for opening, closing in ("“”", "«»", '""'):
        at = before.rfind(opening)
        inside = before.count('"') % 2 == 1 if opening == closing else at > before.rfind(closing)
        close = source.text.find(closing, end, min(block.end, end + _BACK))
        if at >= 0 and inside and close >= 0 and closing not in source.text[start:end]:
            says = "the source itself quotes these words from someone else, or as a term"
            yield Caution("second_hand", says, low + at, close + 1)


def _caution(kind: Any, says: str, match: re.Match[str]) -> Caution:
    return Caution(kind, says, match.start(), match.end())
