"""Quotation: where some words stand in the sources: exactly, but for typography, altered, or nowhere.

A writer's ellipses and [brackets] are understood: an ellipsis stands for a stretch left out, a bracket for words put in
or in place of others, or for changed letters. The parts between them must stand in order, near each other.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from qa.alteration import Difference, find_altered
from qa.citation import Citation, cite
from qa.errors import QueryError
from qa.fairness import Caution, cautions
from qa.folding import Folded, ends_inside, folded, same_gap, starts_inside
from qa.source import Source

MAX_QUOTE_CHARS = 20_000
MAX_PLACES = 100

_ELIDED = 1_200  # code points that an ellipsis may stand for
_REPLACED = 80  # code points of the source that a bracket may stand in place of
_STATES = ("exact", "typographic", "altered")
_ELLIPSIS = re.compile(r"[\[(]\s*(?:…|\.\s?\.\s?\.)\s*[\])]|(?:(?<=\w)\.\s?)?(?:…|\.\s?\.\s?\.)")
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_INITIAL = re.compile(r"(?<![\w\]])\[(\w)\](?=\w)")
_PAIRS = {'"': '"', "“": "”", "„": "“", "«": "»", "‘": "’"}

State = Literal["exact", "typographic", "altered"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the words stand. `parts` are the pieces around ellipses and brackets, if there are any.

    `differences` are words the draft has otherwise; a bracket's are among them, though the writer has declared those.
    """

    citation: Citation
    state: State
    differences: tuple[Difference, ...] = ()
    parts: tuple[Citation, ...] = ()
    warnings: tuple[Caution, ...] = ()
    similarity: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        return {
            "citation": self.citation.to_dict(),
            "state": self.state,
            "similarity": self.similarity,
            "differences": [difference.to_dict() for difference in self.differences],
            "parts": [part.to_dict() for part in self.parts],
            "warnings": [warning.to_dict() for warning in self.warnings],
        }


@dataclass(frozen=True, slots=True)
class Quotation:
    """Words looked for, and all places where they stand, best first; `total` counts those past the limit too.

    `misattributed`: the words stand in other sources than the one they are said to come from.
    """

    text: str
    state: Literal["exact", "typographic", "altered", "misattributed", "not_found"]
    places: tuple[Place, ...]
    total: int
    attributed: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "state": self.state,
            "places": [place.to_dict() for place in self.places],
            "total": self.total,
            "attributed": list(self.attributed),
        }


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch of the draft between connectors; `before` is what connects it to the one before it.

    `start` is its offset in the draft; `open` says that its last word may end otherwise ("walk[ed]").
    """

    text: str
    start: int
    before: Literal["", "ellipsis", "bracket"]
    bracket: tuple[int, int] = (0, 0)
    open: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    """One part's range in a source, and whether its characters are the same."""

    start: int
    end: int
    exact: bool


def find_quotation(
    sources: Iterable[Source], words: str, limit: int = MAX_PLACES, attributed: Sequence[str] = ()
) -> Quotation:
    """Where `words` stand in the sources; QueryError if there is nothing to look for, or too much.

    All places are found, the best state first, then by source id and start; `limit` of them are returned. Altered
    places are looked for only where there is no better one. With `attributed`, ids of the sources that the words are
    said to come from, those decide the state.
    """
    text = _checked(words)
    if limit < 1:
        raise QueryError(f"at most {limit} places can't be asked for; ask for 1 or more")
    every = sorted(sources, key=lambda source: source.id)
    places = [place for source in every for place in _places(source, text)] or list(_altered(every, text))
    places.sort(key=lambda place: (_STATES.index(place.state), -place.similarity, place.source.id, place.start))
    named = [place.state for place in places if place.source.id in attributed] if attributed else []
    state: Any = named[0] if named else places[0].state if places else "not_found"
    if attributed and not named and state in ("exact", "typographic"):
        state = "misattributed"
    shown = tuple(place.shown(text) for place in places[:limit])
    return Quotation(words, state, shown, len(places), tuple(attributed))


def _checked(words: str) -> str:
    if len(words) > MAX_QUOTE_CHARS:
        raise QueryError(f"a quotation has at most {MAX_QUOTE_CHARS:,} characters, and this has {len(words):,}")
    text = words.strip()
    if len(text) > 2 and _PAIRS.get(text[0]) == text[-1] and not {text[0], text[-1]} & set(text[1:-1]):
        text = text[1:-1].strip()
    if not Folded(text).letters:
        raise QueryError("a quotation needs words, and there are only blanks and punctuation")
    return text


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A place before it is cited; of words met a hundred thousand times few are shown."""

    source: Source
    state: State
    ranges: tuple[tuple[int, int], ...]
    parts: tuple[_Part, ...] = ()
    differences: tuple[Difference, ...] = ()
    similarity: float = 1.0

    @property
    def start(self) -> int:
        return self.ranges[0][0]

    def shown(self, text: str) -> Place:
        """The place with its citations and warnings."""
        source, ranges = self.source, self.ranges
        parts = tuple(cite(source, a, b) for a, b in ranges) if len(ranges) > 1 else ()
        differences = self.differences or tuple(_declared(source, text, ranges, self.parts))
        whole = cite(source, self.start, ranges[-1][1])
        return Place(whole, self.state, differences, parts, cautions(source, ranges), self.similarity)


def _places(source: Source, text: str) -> Iterator[_Candidate]:
    """Where a text stands in a source exactly or but for typography: as it is, or else with its connectors read."""
    found = _occurrences(folded(source.text), _Part(text, 0, ""))
    for one in found:
        yield _Candidate(source, "exact" if one.exact else "typographic", ((one.start, one.end),))
    if found:
        return
    for parts in _readings(text):
        for chain in _chains(folded(source.text), parts):
            yield _Candidate(source, "typographic", tuple((one.start, one.end) for one in chain), tuple(parts))


def _declared(
    source: Source, text: str, ranges: Sequence[tuple[int, int]], parts: Sequence[_Part]
) -> Iterator[Difference]:
    """What the brackets of a draft stand in place of."""
    for (_, start), (end, _), part in zip(ranges, ranges[1:], parts[1:], strict=False):
        if part.before == "bracket":
            cut = source.text[start:end]
            a = start + len(cut) - len(cut.lstrip())
            yield Difference.of(text, part.bracket, source.text, (a, max(a, start + len(cut.rstrip()))))


def _altered(sources: Sequence[Source], text: str) -> Iterator[_Candidate]:
    connectors = [m.span() for m in re.finditer(f"{_ELLIPSIS.pattern}|{_BRACKET.pattern}", text)]
    for found in find_altered(sources, text, connectors):
        where = ((found.start, found.end),)
        yield _Candidate(found.source, "altered", where, (), found.differences, found.similarity)


# --- parts -----------------------------------------------------------------------------------------


def _readings(text: str) -> Iterator[list[_Part]]:
    """The parts of a text that has ellipses or brackets; a changed initial, "[t]he", is read as the letter itself."""
    plain = _INITIAL.sub(lambda m: f"\u2060{m[1]}\u2060", text)  # as long as before, so that offsets stay
    connectors = [(m.span(), True) for m in _ELLIPSIS.finditer(plain)]
    taken = {at for (a, b), _ in connectors for at in range(a, b)}
    connectors += [(m.span(), False) for m in _BRACKET.finditer(plain) if m.start() not in taken]
    if plain == text and not connectors:
        return
    parts: list[_Part] = []
    at, before, bracket = 0, "", (0, 0)
    for (start, end), elides in [*sorted(connectors), ((len(plain), len(plain)), True)]:
        piece = plain[at:start]
        kept = piece.strip()
        if Folded(kept).letters:
            first = at + len(piece) - len(piece.lstrip())
            ends_open = not elides and bool(piece) and piece[-1].isalpha()
            parts.append(_Part(kept, first, before if parts else "", bracket, ends_open))  # type: ignore[arg-type]
            before, bracket = "", (0, 0)
        before = "ellipsis" if elides or before == "ellipsis" else "bracket"
        bracket = (min(bracket[0], start), end) if bracket[1] else (start, end)
        at = end
    if parts:
        yield parts


def _chains(body: Folded, parts: list[_Part]) -> list[list[_Found]]:
    """All ways to find the parts in order and near each other; of those with the same last part the tightest."""
    chains = [[one] for one in _occurrences(body, parts[0])]
    for part in parts[1:]:
        if not chains:
            return []
        most = _ELIDED if part.before == "ellipsis" else _REPLACED
        ends = [chain[-1].end for chain in chains]
        longer = []
        for one in _occurrences(body, part):
            nearest = bisect_right(ends, one.start) - 1
            if nearest >= 0 and one.start - ends[nearest] <= most:
                longer.append([*chains[nearest], one])
        chains = sorted(longer, key=lambda chain: chain[-1].end)
    tightest = {chain[0].start: chain for chain in reversed(chains)}
    return [tightest[start] for start in sorted(tightest)]


# --- one part --------------------------------------------------------------------------------------


def _occurrences(body: Folded, part: _Part) -> list[_Found]:
    """All places where a part stands, overlapping ones too, in order."""
    draft = folded(part.text)
    found = []
    at = body.letters.find(draft.letters)
    while at >= 0:
        if one := _match(body, at, draft, part.open):
            found.append(one)
        at = body.letters.find(draft.letters, at + 1)
    return found


def _match(body: Folded, at: int, draft: Folded, open: bool) -> _Found | None:
    """Whether a draft's letters, met at letter `at` of a source, stand there with the same gaps between them."""
    size = len(draft.letters)
    if not (body.parts(at) and body.parts(at + size)):
        return None
    start, end = body.span(at)[0], body.span(at + size - 1)[1]
    if starts_inside(body.text, start) or (not open and ends_inside(body.text, end)):
        return None
    if open:
        while end < len(body.text) and body.text[end].isalpha():
            end += 1
    first, last = draft.span(0)[0], draft.span(size - 1)[1]
    if body.text[start : body.span(at + size - 1)[1]] != draft.text[first:last]:
        for k in range(1, size):
            a, b = draft.gap(k)
            c, d = body.gap(at + k)
            if a == b and c == d:
                continue
            left, right = draft.letters[k - 1], draft.letters[k]
            if not same_gap(draft.text[a:b], body.text[c:d], left, right):
                return None
    lead, tail = draft.text[:first], draft.text[last:]
    before = _edge(lead[::-1], body.text[body.gap(at)[0] : start][::-1], draft.letters[0], head=True)
    after = 0 if open else _edge(tail, body.text[end : body.gap(at + size)[1]], draft.letters[-1], head=False)
    if before is None or after is None:
        return None
    start, end = start - before, end + after
    return _Found(start, end, body.text[start:end] == draft.text)


def _edge(draft: str, source: str, letter: str, head: bool) -> int | None:
    """How much of a source's gap at an edge is what the draft has there, or None.

    A comma or a full stop that closes a draft may be the draft's own: it is left out.
    """
    if source.startswith(draft):
        return len(draft)
    for size in range(min(len(source), 3 * len(draft) + 8) + 1):
        taken = source[:size]
        if head:
            if same_gap(draft[::-1], taken[::-1], "", letter):
                return size
        elif same_gap(draft, taken, letter, ""):
            return size
    return 0 if not head and not draft.strip(".,;: \n\t\u2060") else None
