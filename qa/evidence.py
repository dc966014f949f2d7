"""Evidence: what each sentence found says to a question, the value in it, and how likely it is to answer.

The chance that a sentence answers is a logistic function of a few features that can be read off; its weights are in
weights/evidence.json, fitted by `python -m training.evidence` on tuning questions alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path

from qa.citation import Citation, cite
from qa.encoder import Encoding
from qa.errors import JudgeError
from qa.generation import Generation
from qa.judge import Reading, log_odds, sigmoid
from qa.matching import Floats, Match
from qa.names import CAPITALS, Name, canon, names, stands
from qa.question import FORM_WORDS, NUMERIC, WHOLE, AskedKind, Part
from qa.search import Hit, Sight
from qa.source import Source
from qa.values import Mention, admits, mentions, spoken
from qa.words import FUNCTION_WORDS, LIST_MARKER, fold, words

WEIGHTS = Path(__file__).with_name("weights") / "evidence.json"
JUDGED, PLAIN = "judged", "plain"  # with the judge's readings, and without
RIVAL = "rival"  # whether a finding with another value disputes the likeliest one

# Below this similarity of the best passage nothing is near: 97 in 100 answerable tuning questions lie above it.
LEAST_SCORE = 0.32

TRUST = 0.05  # what the judge's log-odds weigh beside similarities; chosen on tuning questions
UNJUDGED = 2  # sentences of a passage that are looked at without the judge
_ALSO = 0.25  # of the judge's answer, that a further value must meet to be one of several
_LONGEST_TERM = 24  # words that a span may have and still be a value rather than a sentence
_MOST_LOGIT = 7.0
_TIME_UNITS = frozenset(("year", "month", "week", "day", "hour", "minute"))
_PRONOUNS = frozenset("he she it they we you his her its their this that these those him them".split())
_LABELS = frozenset("article section chapter footnote paragraph para".split())
_AGE = re.compile(r"\b(?:old|age|long|often|years?|months?|weeks?|days?|hours?|minutes?)\b", re.IGNORECASE)
_MANY = re.compile(r"\bhow\s+many\b|\bnumber\s+of\b", re.IGNORECASE)
_MONTH = re.compile(r"\bmonth\b", re.IGNORECASE)
_RANK = re.compile(r"\brank\w*\b|\b(?:what|which)\s+(?:place|position)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """A value in a source: [start, end) of its code points, its kind, the form it is compared in, and the number or
    date it is, if it is one.
    """

    text: str
    start: int
    end: int
    kind: str
    normalized: str
    mention: Mention | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence that may answer, the value in it, what tells for and against it, and the chance that it does.

    `met` is how well the sentence meets each of the question's words, 0 to 1, shape (words,).
    """

    hit: Hit
    source: Source
    start: int
    end: int
    value: Found
    features: dict[str, float]
    chance: float
    met: Floats = field(compare=False, repr=False)

    @property
    def citation(self) -> Citation:
        """The sentence, quoted."""
        return cite(self.source, self.start, self.end)

    @property
    def sentence(self) -> str:
        return self.source.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Weights:
    """The logistic function's weights by feature, with `bias`, and the chance from which on it counts as true."""

    weights: Mapping[str, float]
    least: float

    def chance(self, features: Mapping[str, float]) -> float:
        """The probability that a sentence with these features answers."""
        total = sum(weight * features.get(name, 0.0) for name, weight in self.weights.items())
        return sigmoid(total)


@cache
def weights(name: str) -> Weights:
    """The fitted weights of JUDGED, PLAIN or RIVAL; JudgeError if they can't be read."""
    try:
        told = json.loads(WEIGHTS.read_text(encoding="utf-8"))[name]
        return Weights({str(n): float(w) for n, w in told["weights"].items()}, float(told["least"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise JudgeError(f"{WEIGHTS} can't be read ({error!r}); install the package again") from error


def findings(
    generation: Generation, asked: Encoding, part: Part, hits: Sequence[Hit], weigh: Weights | None = None
) -> list[Finding]:
    """What the sentences to look at of some hits say to a part of a question, best first; `weigh` is instead of
    the package's own weights.
    """
    subject = [word for word in words(part.text) if word.text not in FORM_WORDS]
    match = Match(generation.lexicon, subject or list(words(part.text)), asked.starts, metonyms=False)
    best = max((_score(hit) for hit in hits), default=0.0)
    readings = [sight.reading for hit in hits for sight in hit.sights if sight.reading]
    judged = bool(readings)
    most = max((_logit(reading.answers) for reading in readings), default=0.0)
    weigh = weigh or weights(JUDGED if judged else PLAIN)
    found: list[Finding] = []
    seen: set[tuple[str, int]] = set()
    for hit in hits:
        source = generation.texts.source(hit.citation.source)
        for sight in hit.sights if judged else hit.sights[:UNJUDGED]:
            if source is None or (judged and not sight.reading) or (source.id, sight.start) in seen:
                continue
            seen.add((source.id, sight.start))
            told, met = _read(part, hit, sight, source, match)
            for value, features in told:
                features["lead"] = _score(hit) - best
                if judged:
                    features["most"] = most  # of all sentences read
                chance = weigh.chance(features)
                found.append(Finding(hit, source, sight.start, sight.end, value, features, chance, met))
    return sorted(found, key=lambda f: (-round(standing(f.features), 9), f.source.id, f.start, f.value.start))


def standing(features: Mapping[str, float]) -> float:
    """By which findings are ranked: how near sentence and passage come, and a little of the judge.

    Whether anything answers is another question than which sentence does best: there the chance is worse (.68 of the
    tune split's first sentences right, against .76).
    """
    return features["lead"] + features["alone"] + TRUST * features.get("judge", 0.0)


def answering(part: Part, found: Sequence[Finding]) -> list[Finding]:
    """The findings that can answer: where a number or a date is asked for, those that have one."""
    if part.kind in NUMERIC or part.kind == "date":
        return [finding for finding in found if finding.value.mention]
    return list(found)


def certainty(chance: float) -> str:
    """A probability as a word: high, moderate or low."""
    return "high" if chance >= 0.8 else "moderate" if chance >= 0.5 else "low"


def is_far(hits: Sequence[Hit]) -> bool:
    """Whether nothing found comes anywhere near; a statement, which isn't a question, is looked up with this."""
    return not hits or max(map(_score, hits)) < LEAST_SCORE


def _score(hit: Hit) -> float:
    return hit.scores.get("similarity", hit.score)


# --- features


def _read(
    part: Part, hit: Hit, sight: Sight, source: Source, match: Match
) -> tuple[list[tuple[Found, dict[str, float]]], Floats]:
    """The values of a sentence with their features, and how well it meets each of the question's words."""
    start, sentence = sight.start, source.text[sight.start : sight.end]
    around = " ".join([hit.citation.quote, *hit.citation.locator.sections, str(source.record.get("title", ""))])
    candidates = _candidates(part, sentence)
    met = match.met(sentence, sight.met)
    wanting = part.kind in NUMERIC or part.kind in ("date", "person", "place")
    there = mentions(around)
    features = {
        "bias": 1.0,
        "similarity": _score(hit),  # of the passage
        "alone": sight.score,  # of the sentence
        "met": match.share(met),  # of the question's words, by the sentence
        "lacks": float(wanting and not candidates),  # a value of the kind asked for
        "names": _share(not stands(name, sentence) for name in names(part.text) if not name.weak),  # of the question's
        "values": _share(not any(admits(value, other) for other in there) for value in mentions(part.text)),
    }
    if sight.reading:
        features["judge"] = _logit(sight.reading.answers)
    told = [
        (replace(value, start=start + value.start, end=start + value.end), {**features, "mass": mass})
        for value, mass in _chosen(part, sentence, candidates, sight.reading)
    ]
    return told, met


def _logit(chance: float) -> float:
    return min(max(log_odds(chance, 1e-9), -_MOST_LOGIT), _MOST_LOGIT)


def _share(truths: Iterable[bool]) -> float:
    """The share that is true; 0 of nothing."""
    told = list(truths)
    return sum(told) / len(told) if told else 0.0


# --- values


@lru_cache(maxsize=2**10)
def _candidates(part: Part, sentence: str) -> tuple[Found, ...]:
    """The values of a sentence that are of the kind asked for and not told by the question itself."""
    if part.kind in NUMERIC or part.kind == "date":
        given = mentions(part.text)
        fitting = [m for m in mentions(sentence) if _fits(part, m)]
        ranges = [(m, *spoken(sentence, m)) for m in fitting if all(m.normalized != g.normalized for g in given)]
        return tuple(Found(sentence[a:b], a, b, part.kind, m.normalized, m) for m, a, b in ranges)
    if part.kind in ("person", "place"):
        found = [n for n in names(sentence) if n.key not in _PRONOUNS and not stands(n, part.text)]
        sure = [n for n in found if not n.weak]
        return tuple(Found(n.text, n.start, n.end, part.kind, _name_key(n)) for n in sure or found)
    return ()


def _name_key(name: Name) -> str:
    own = " ".join(word.text for word in words(name.text))
    return own if own in CAPITALS else name.key


def _fits(part: Part, m: Mention) -> bool:
    if part.kind == "date":
        return m.kind == "date" and (bool(m.month) if _MONTH.search(part.text) else bool(m.low))
    if part.kind == "duration":
        return m.unit in _TIME_UNITS or (m.kind == "date" and m.high > m.low)
    if m.kind != "number" or m.unit in _LABELS:
        return False
    if part.kind == "percent":
        return m.unit == "percent"
    if part.kind == "money":
        return m.unit in ("money", "")
    counted = bool(_MANY.search(part.text))  # "how much" may be a share
    if m.unit == "money" or (counted and m.unit == "percent") or (m.unit in _TIME_UNITS and not _AGE.search(part.text)):
        return False
    return (m.unit == "ordinal") == bool(_RANK.search(part.text))


def _chosen(
    part: Part, sentence: str, candidates: Sequence[Found], reading: Reading | None
) -> list[tuple[Found, float]]:
    """The value of a sentence that answers likeliest, and the probability that the judge's answer meets it; several of
    them where several things are asked for.
    """
    marker = LIST_MARKER.match(sentence)
    after = marker.end() if marker and marker.end() < len(sentence) else 0
    whole = Found(sentence[after:], after, len(sentence), _kind(part.kind, whole=True), fold(sentence[after:]))
    span = _trimmed(sentence, reading.start, reading.end) if reading else None
    if candidates:

        def mass(one: Found) -> float:
            if reading is None:
                return 0.0
            if reading.spans is None:
                return reading.span * float(reading.start < one.end and one.start < reading.end)
            return reading.spans.mass(one.start, one.end)

        ranked = sorted(candidates, key=lambda one: (-round(mass(one), 6), one.start))
        most = len(ranked) if part.many and reading is None else 1
        if part.many and reading is not None:
            most = max(1, sum(mass(one) >= _ALSO for one in ranked))
        return [(_widened(one, candidates, sentence, span) if span else one, mass(one)) for one in ranked[:most]]
    if part.kind in WHOLE or span is None or len(sentence[slice(*span)].split()) > _LONGEST_TERM:
        return [(whole, reading.span if reading else 0.0)]
    a, b = span
    value = Found(sentence[a:b], a, b, _kind(part.kind), normal(sentence[a:b]))
    return [(value, reading.span if reading else 0.0)]


def _kind(asked: AskedKind, whole: bool = False) -> str:
    """The kind of a value that isn't of the kind asked for, or that any words can be."""
    if asked in WHOLE:
        return {"yes_no": "statement"}.get(asked, asked)
    return "statement" if whole else "term" if asked in ("term", "list") else "phrase"


def _widened(value: Found, candidates: Sequence[Found], sentence: str, span: tuple[int, int]) -> Found:
    """A value with the words around it that the judge takes for part of the answer: a hedge, a unit, a first name;
    never with another value.
    """
    a, b = span
    text = sentence[a:b]
    core = (value.mention.start, value.mention.end) if value.mention else (value.start, value.end)
    if any(other is not value and a < other.end and other.start < b for other in candidates):
        return value
    inside = value.start <= a and b <= value.end
    if inside or not (a <= core[0] and core[1] <= b) or len(text.split()) > len(value.text.split()) + 4:
        return value
    around = [*words(sentence[a : value.start]), *words(sentence[value.end : b])]
    if value.mention is None and any(word.text not in FUNCTION_WORDS for word in around):
        named = [w for part in (sentence[a : value.start], sentence[value.end : b]) for w in part.split()]
        if not all(w[:1].isupper() or w.lower() in FUNCTION_WORDS for w in named):
            return value  # a name goes on with names only
    return Found(text, a, b, value.kind, value.normalized, value.mention)


def _trimmed(sentence: str, start: int, end: int) -> tuple[int, int] | None:
    """A range without the blanks and the stops at its ends; None if nothing is left."""
    while start < end and sentence[start] in " \t\n,;:.":
        start += 1
    while start < end and sentence[end - 1] in " \t\n,;:":
        end -= 1
    return (start, end) if start < end else None


def normal(text: str) -> str:
    """Words folded, without articles and the like, parted by blanks: the form in which terms are compared."""
    every = [word.text for word in words(text)]
    return canon(" ".join([word for word in every if word not in FUNCTION_WORDS] or every))
