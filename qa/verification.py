"""Verification: do citations made earlier still hold against the sources as they are now?

A citation is `intact` only if the source has the same characters at the same range, and either the version is the same,
or the context is the same too, or the words stand nowhere else in the source. Anything in it that contradicts itself or
the source (its id, its length, its context in the same version) makes it `altered` at best.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from qa.alteration import Difference
from qa.citation import CONTEXT, Citation, cite
from qa.errors import QueryError
from qa.quotation import MAX_QUOTE_CHARS, find_quotation
from qa.source import Source

VerifyState = Literal["intact", "moved", "ambiguous", "altered", "gone", "unknown_source", "unknown_version"]

MAX_FOUND = 100

_ID = re.compile(r"(?<![\w.~-])([A-Za-z0-9][A-Za-z0-9._~-]*)@([0-9a-f]{16}):([0-9]{1,15})-([0-9]{1,15})(?![0-9])")
_FIELDS = {"source": str, "sha256": str, "start": int, "end": int, "quote": str}


@dataclass(frozen=True, slots=True)
class Claim:
    """A citation as it was found in a file; without its words if only its id was."""

    id: str
    source: str
    sha256: str
    start: int
    end: int
    quote: str | None = None
    prefix: str | None = None
    suffix: str | None = None
    kind: str | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one citation: where its words stand now, what differs, and why."""

    citation: str
    state: VerifyState
    found: tuple[Citation, ...] = ()
    differences: tuple[Difference, ...] = ()
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "citation": self.citation,
            "state": self.state,
            "found": [citation.to_dict() for citation in self.found],
            "differences": [difference.to_dict() for difference in self.differences],
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Verification:
    """The verdicts in the order of the citations, and what was wrong with sources that couldn't be read."""

    items: tuple[Verdict, ...]
    problems: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether there are citations and all are intact."""
        return bool(self.items) and all(item.state == "intact" for item in self.items)

    def to_dict(self) -> dict[str, Any]:
        return {
            "items": [item.to_dict() for item in self.items],
            "summary": dict(sorted(Counter(item.state for item in self.items).items())),
            "problems": list(self.problems),
        }


# --- finding citations -----------------------------------------------------------------------------


def read_claims(text: str) -> list[Claim]:
    """Every citation in a JSON text, in JSON lines, or in any other text, each once, in order."""
    try:
        values = [json.loads(text)]
    except (ValueError, RecursionError):
        try:
            values = [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            values = [text]
    return claims_in(values)


def claims_in(value: Any) -> list[Claim]:
    """Every citation in a JSON value, each once, in order."""
    return list(dict.fromkeys(_walk(value)))


def _walk(value: Any) -> Iterator[Claim]:
    waiting = [value]
    while waiting:
        here = waiting.pop()
        if (
            isinstance(here, Mapping)
            and {"source", "start", "end"} <= here.keys()
            and {"quote", "sha256"} & here.keys()
        ):
            yield _claim(here)
        elif isinstance(here, Mapping):
            waiting.extend(reversed(list(here.values())))
        elif isinstance(here, list):
            waiting.extend(reversed(here))
        elif isinstance(here, str):
            for match in _ID.finditer(here):
                source, sha, start, end = match.groups()
                yield Claim(match.group(), source, sha, int(start), int(end))


def _claim(given: Mapping[str, Any]) -> Claim:
    wrong = [n for n, kind in _FIELDS.items() if not isinstance(given.get(n), kind) or isinstance(given[n], bool)]
    if wrong:
        return Claim(str(given.get("id")), str(given["source"]), "", 0, 0, fault=f"it has no proper {wrong[0]}")
    text = {name: given[name] if isinstance(given.get(name), str) else None for name in ("prefix", "suffix", "kind")}
    source, sha256, start, end, quote = (given[name] for name in _FIELDS)
    right = f"{source}@{sha256[:16]}:{start}-{end}"
    id = str(given.get("id", right))
    fault = ""
    if id != right:
        fault = f"its id and its fields contradict each other: they say {right}"
    elif not 0 <= start < end or end - start != len(quote) or not re.fullmatch("[0-9a-f]{64}", sha256):
        fault = "its range, its version and its quote contradict each other"
    return Claim(id, source, sha256, start, end, quote, **text, fault=fault)


# --- judging them ----------------------------------------------------------------------------------


def verify(
    claims: Iterable[Claim],
    sources: Mapping[str, Source],
    old: Callable[[str, str], Source | None] = lambda source, sha: None,
    problems: tuple[str, ...] = (),
) -> Verification:
    """Judge citations against the sources as they are; `old` may know an earlier version by source id and sha256."""
    return Verification(tuple(_verdict(claim, sources, old) for claim in claims), problems)


def _verdict(claim: Claim, sources: Mapping[str, Source], old: Callable[[str, str], Source | None]) -> Verdict:
    source = sources.get(claim.source)
    if source is None:
        found = _elsewhere(claim, sources)
        return Verdict(claim.id, "unknown_source", found, reason=f"there is no source '{claim.source}'")
    if claim.quote is None and not claim.fault:
        return _by_id(claim, source, sources, old)
    if claim.fault:
        return _changed(claim, source, sources, "altered", claim.fault)
    quote = claim.quote or ""
    here = source.text[claim.start : claim.end] == quote
    if claim.sha256 == source.sha256:
        if not here:
            return _changed(claim, source, sources, "altered", "this version has other characters at its range")
        if not _same_context(claim, source, claim.start, claim.end) or claim.kind not in (None, source.kind):
            return Verdict(
                claim.id,
                "altered",
                (cite(source, claim.start, claim.end),),
                reason="its words are right, but not what it says of the text around them or of the kind of source",
            )
        return Verdict(claim.id, "intact", (cite(source, claim.start, claim.end),))
    if claim.kind not in (None, source.kind):
        return _changed(claim, source, sources, "altered", f"it says {claim.kind}, and the source is a {source.kind}")
    starts = _starts(source.text, quote)
    if here and (len(starts) == 1 or (_has_context(claim) and _same_context(claim, source, claim.start, claim.end))):
        return Verdict(claim.id, "intact", (cite(source, claim.start, claim.end),), reason="other parts have changed")
    found = tuple(cite(source, start, start + len(quote)) for start in starts[:MAX_FOUND])
    if len(starts) == 1:
        return Verdict(claim.id, "moved", found)
    if starts:
        return Verdict(claim.id, "ambiguous", found, reason=f"its words stand in {len(starts)} places now")
    return _changed(claim, source, sources, "gone", "")


def _by_id(
    claim: Claim, source: Source, sources: Mapping[str, Source], old: Callable[[str, str], Source | None]
) -> Verdict:
    """Judge a bare id: by its version, or by the words that an earlier version had there."""
    if source.sha256.startswith(claim.sha256):
        if not claim.start < claim.end <= len(source.text):
            return Verdict(claim.id, "gone", reason=f"the source has {len(source.text)} characters")
        return Verdict(claim.id, "intact", (cite(source, claim.start, claim.end),))
    before = old(claim.source, claim.sha256)
    if before is None:
        return Verdict(
            claim.id,
            "unknown_version",
            reason="the source has changed, and only the version cited would tell which words these were",
        )
    if not claim.start < claim.end <= len(before.text):
        return Verdict(claim.id, "gone", reason=f"the version cited had {len(before.text)} characters")
    cited = cite(before, claim.start, claim.end)
    full = Claim(
        claim.id,
        claim.source,
        cited.sha256,
        cited.start,
        cited.end,
        cited.quote,
        cited.prefix,
        cited.suffix,
        cited.kind,
    )
    return _verdict(full, sources, old)


def _changed(claim: Claim, source: Source, sources: Mapping[str, Source], state: VerifyState, reason: str) -> Verdict:
    """The verdict on words that aren't at their place: `altered` where something near them is, else `state`."""
    quote = claim.quote or ""
    if not quote.strip() or len(quote) > MAX_QUOTE_CHARS:
        return Verdict(claim.id, state, reason=reason or "its words don't stand there any more")
    try:
        near = find_quotation([source], quote, MAX_FOUND)
    except QueryError:  # it has no words
        return Verdict(claim.id, state, reason=reason)
    if near.places:
        differences = near.places[0].differences
        first = near.places[0].citation
        if not differences and first.quote != quote:
            differences = (Difference.of(quote, (0, len(quote)), source.text, (first.start, first.end)),)
        return Verdict(claim.id, "altered", tuple(place.citation for place in near.places), differences, reason)
    found = _elsewhere(claim, sources)
    where = "its words stand in another source" if found else "its words don't stand in the source any more"
    return Verdict(claim.id, state, found, reason=reason or where)


def _elsewhere(claim: Claim, sources: Mapping[str, Source]) -> tuple[Citation, ...]:
    """Where a citation's words stand in other sources."""
    quote = claim.quote or ""
    if not quote.strip():
        return ()
    others = [sources[id] for id in sorted(sources) if id != claim.source]
    places = (cite(source, at, at + len(quote)) for source in others for at in _starts(source.text, quote))
    return tuple(place for _, place in zip(range(MAX_FOUND), places, strict=False))


def _starts(text: str, quote: str) -> list[int]:
    """Every offset at which a quote stands in a text, overlapping ones too."""
    starts = []
    at = text.find(quote)
    while at >= 0:
        starts.append(at)
        at = text.find(quote, at + 1)
    return starts


def _has_context(claim: Claim) -> bool:
    return claim.prefix is not None and claim.suffix is not None


def _same_context(claim: Claim, source: Source, start: int, end: int) -> bool:
    """Whether what stands around a range is what a citation says, so far as it says it."""
    before, after = source.text[max(0, start - CONTEXT) : start], source.text[end : end + CONTEXT]
    return claim.prefix in (None, before) and claim.suffix in (None, after)
