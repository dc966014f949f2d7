"""Quotation: where some words stand in the sources: exactly, but for typography, altered, or nowhere.

A writer's ellipses and [brackets] are understood: an ellipsis stands for a stretch left out, a bracket for words put in
or in place of others, or for changed letters. The parts between them must stand in order, near each other.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from qa.alteration import Difference, find_altered
from qa.citation import Citation, cite
from qa.errors import QueryError
from qa.fairness import Caution, cautions
from qa.folding import Folded, ends_inside, folded, same_gap, starts_inside
from qa.settings import DEFAULT_PLACES
from qa.source import Source

MAX_QUOTE_CHARS = 20_000
MAX_PLACES = 1_000

_LOOKED = 5_000_000  # letters of one source that are looked at closely for one part; a few seconds
_LOOK = 20  # letters that a place costs besides its own
_REMEMBERED = 1_000
_ELIDED = 1_200  # code points that an ellipsis may stand for
_JOINED = 3  # words that each half of a quotation joined from two places has at least
_APART = 300  # code points between halves from which on they are two places, and not one with words left out
_CLOSE = 0.8  # a place this like the words is the place they are from
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

    Not `complete` if a source has their letters so often that not all of it was looked at: `total` is then the least.
    `misattributed`: the words stand in other sources than the one they are said to come from.
    """

    text: str
    state: Literal["exact", "typographic", "altered", "misattributed", "not_found"]
    places: tuple[Place, ...]
    total: int
    attributed: tuple[str, ...] = ()
    complete: bool = True

    def to_dict(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "state": self.state,
            "places": [place.to_dict() for place in self.places],
            "total": self.total,
            "complete": self.complete,
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
    sources: Iterable[Source], words: str, limit: int = DEFAULT_PLACES, attributed: Sequence[str] = ()
) -> Quotation:
    """Where `words` stand in the sources; QueryError if there is nothing to look for, or too much.

    All places are found, the best state first, then by source id and start; `limit` of them are returned. Altered
    places are looked for only if there is no better one, and only the nearest are found. With `attributed`, ids of the
    sources that the words are said to come from, those decide the state.
    """
    text = _checked(words)
    if not 1 <= limit <= MAX_PLACES:
        raise QueryError(f"the limit is {limit}; it can be 1 to {MAX_PLACES}")
    every = sorted(sources, key=lambda source: source.id)
    searched = [_places(source, text) for source in every]
    places = [place for found, _ in searched for place in found] or list(_altered(every, text))
    if not any(place.state != "altered" or place.similarity >= _CLOSE for place in places):
        places += [half for half in _joined(every, text) if not any(half.meets(place) for place in places)]
    places.sort(key=lambda place: (_STATES.index(place.state), -place.similarity, place.source.id, place.start))
    named = [place.state for place in places if place.source.id in attributed] if attributed else []
    state: Any = named[0] if named else places[0].state if places else "not_found"
    if attributed and not named and state in ("exact", "typographic"):
        state = "misattributed"
    shown = tuple(place.shown(text) for place in places[:limit])
    complete = all(whole for _, whole in searched)
    return Quotation(words, state, shown, len(places), tuple(attributed), complete)


def _checked(words: str) -> str:
    if any("\ud800" <= c <= "\udfff" for c in words):
        raise QueryError("the quotation isn't UTF-8 (it holds a lone surrogate); write it in that encoding")
    if len(words) > MAX_QUOTE_CHARS:
        raise QueryError(
            f"a quotation has at most {MAX_QUOTE_CHARS:,} characters, and this has {len(words):,}; look for a part"
        )
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

    def meets(self, other: _Candidate) -> bool:
        """Whether two places overlap."""
        return self.source is other.source and self.start < other.ranges[-1][1] and other.start < self.ranges[-1][1]

    def shown(self, text: str) -> Place:
        """The place with its citations and warnings."""
        source, ranges = self.source, self.ranges
        parts = tuple(cite(source, a, b) for a, b in ranges) if len(ranges) > 1 else ()
        differences = self.differences or tuple(_declared(source, text, ranges, self.parts))
        whole = cite(source, self.start, ranges[-1][1])
        return Place(whole, self.state, differences, parts, cautions(source, ranges), self.similarity)


def _places(source: Source, text: str) -> tuple[list[_Candidate], bool]:
    """Where a text stands in a source exactly or but for typography: as it is, or else with its connectors read.

    And whether all of the source was looked at.
    """
    body = folded(source.text)
    found, complete = _occurrences(body, _Part(text, 0, ""))
    if found:
        return [
            _Candidate(source, "exact" if one.exact else "typographic", ((one.start, one.end),)) for one in found
        ], complete
    places: list[_Candidate] = []
    for parts in _readings(text):
        chains, whole = _chains(body, parts)
        complete = complete and whole
        for chain in chains:
            places.append(_Candidate(source, "typographic", tuple((one.start, one.end) for one in chain), tuple(parts)))
    return places, complete


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


def _joined(sources: Sequence[Source], text: str) -> Iterator[_Candidate]:
    """Where the two halves of a text stand that has been joined from two places; none if it hasn't."""
    spans = [match.span() for match in re.finditer(r"\S+", text) if Folded(match.group()).letters]

    def places(first: int, last: int) -> list[tuple[Source, _Found]]:
        part = _Part(text[spans[first][0] : spans[last - 1][1]], 0, "")
        return [(source, one) for source in sources for one in _occurrences(folded(source.text), part)[0]]

    words = len(spans)
    head = bisect_left(range(words), True, _JOINED, key=lambda n: not places(0, n)) - 1 if words >= 2 * _JOINED else 0
    tail = bisect_left(range(words), True, _JOINED, key=lambda n: not places(words - n, words)) - 1 if head else 0
    if min(head, tail) < _JOINED or head + tail < words:
        return
    halves = places(0, head), places(words - tail, words)
    if any(a is b and 0 <= two.start - one.end < _APART for a, one in halves[0] for b, two in halves[1]):
        return
    rest = (spans[head - 1][1], len(text)), (0, spans[words - tail][0])
    for half, count, other in zip(halves, (head, tail), rest, strict=True):
        for source, one in half:
            missing = Difference.of(text, other, source.text, (one.end, one.end))
            yield _Candidate(source, "altered", ((one.start, one.end),), (), (missing,), round(count / words, 4))


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


def _chains(body: Folded, parts: list[_Part]) -> tuple[list[list[_Found]], bool]:
    """All ways to find the parts in order and near each other; of those with the same last part the tightest."""
    if any(folded(part.text).letters not in body.letters for part in parts):
        return [], True
    found, complete = _occurrences(body, parts[0])
    chains = [[one] for one in found]
    for part in parts[1:]:
        if not chains:
            break
        most = _ELIDED if part.before == "ellipsis" else _REPLACED
        ends = [chain[-1].end for chain in chains]
        longer = []
        found, whole = _occurrences(body, part)
        complete = complete and whole
        for one in found:
            nearest = bisect_right(ends, one.start) - 1
            if nearest >= 0 and one.start - ends[nearest] <= most:
                longer.append([*chains[nearest], one])
        chains = sorted(longer, key=lambda chain: chain[-1].end)
    tightest = {chain[0].start: chain for chain in reversed(chains)}
    return [tightest[start] for start in sorted(tightest)], complete


# --- one part --------------------------------------------------------------------------------------


def _occurrences(body: Folded, part: _Part) -> tuple[list[_Found], bool]:
    """The places where a part stands, overlapping ones too, in order, and whether all were looked at."""
    draft = folded(part.text)
    size = len(draft.letters)
    look = _Look(body, draft, part.open)
    found: list[_Found] = []
    left = _LOOKED
    at = body.letters.find(draft.letters)
    while at >= 0:
        left -= size + _LOOK
        if left < 0:
            return found, False
        if one := look.match(at):
            found.append(one)
        at = body.letters.find(draft.letters, at + 1)
    return found, True


class _Look:
    """A look at the places of a source where a draft's letters are met; gaps once compared are remembered."""

    def __init__(self, body: Folded, draft: Folded, open: bool) -> None:
        self.body, self.draft, self.open = body, draft, open
        self.size = len(draft.letters)
        self.spans = draft.spans(0, self.size)
        first, last = self.spans[0][0], self.spans[-1][1]
        self.words, self.lead, self.tail = draft.text[first:last], draft.text[:first][::-1], draft.text[last:]
        self.same = {self.words: True}

    def match(self, at: int) -> _Found | None:
        """Whether the draft stands at letter `at` of the source, with the same gaps between its letters."""
        body, text = self.body, self.body.text
        low = max(at - 1, 0)
        around = body.spans(low, min(at + self.size + 1, len(body.letters)))
        here = around[at - low : at - low + self.size]
        before = around[0] if low < at else (0, 0)
        after = around[-1] if len(around) > at - low + self.size else (len(text), len(text))
        if before == here[0] or after == here[-1]:  # a character that folds to several letters would be parted
            return None
        start, last = here[0][0], here[-1][1]
        end = last
        if starts_inside(text, start) or (not self.open and ends_inside(text, end)):
            return None
        while self.open and end < len(text) and text[end].isalpha():
            end += 1
        if not self._same_gaps(text[start:last], here):
            return None
        head = _edge(self.lead, text[min(before[1], start) : start][::-1], self.draft.letters[0], head=True)
        tail = 0 if self.open else _edge(self.tail, text[end : max(end, after[0])], self.draft.letters[-1], head=False)
        if head is None or tail is None:
            return None
        start, end = start - head, end + tail
        return _Found(start, end, text[start:end] == self.draft.text)

    def _same_gaps(self, words: str, here: Sequence[tuple[int, int]]) -> bool:
        if words not in self.same:
            if len(self.same) > _REMEMBERED:
                self.same = {self.words: True}
            self.same[words] = self._compare(here)
        return self.same[words]

    def _compare(self, here: Sequence[tuple[int, int]]) -> bool:
        text, draft, letters = self.body.text, self.draft.text, self.draft.letters
        for k in range(1, self.size):
            a, b = self.spans[k - 1][1], self.spans[k][0]
            c, d = here[k - 1][1], here[k][0]
            if (a < b or c < d) and not same_gap(draft[a:b], text[c:d], letters[k - 1], letters[k]):
                return False
        return True


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
