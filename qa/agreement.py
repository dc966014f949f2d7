"""Agreement: which findings say the same, which can't both hold, and how many independent sources stand behind each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from qa.evidence import RIVAL, Finding, Found, weights
from qa.judge import log_odds
from qa.names import aliases, canon
from qa.question import NUMERIC, WHOLE, Part
from qa.source import same_work, year_of
from qa.values import admits, mentions
from qa.words import FUNCTION_WORDS, words

WITNESS = 0.3  # a finding with the lead's value bears it out from this chance on
SHINGLE, COPIED = 5, 0.5  # passages that share this part of their runs of so many words are copies
_LEAST_SHINGLES = 12  # of a passage long enough to be told a copy by them
_LEAST_CHANCE = 1e-3  # that a finding is compared by
_LEAST_COPIED = 8  # words of a sentence that isn't written twice by chance
_SHARED = re.compile(r"\b(?:together\s+with|along\s+with|jointly|co-\w+|cofound\w*|coauthor\w*)\b", re.IGNORECASE)
# What several do at once, so that one name doesn't exclude another.
_JOINT = re.compile(
    r"\b(?:signed|signs?|attend\w*|took\s+part|participat\w+|negotiat\w+|support\w*|oppos\w+|joined|fought|visit\w*|agreed"
    r"|members?)\b",
    re.IGNORECASE,
)
_MONEY = re.compile(
    r"[$€£¥]|\b(?:dollars?|euros?|pounds?|yen|won|crowns?|francs?|marks?|roubles?|guineas?)\b", re.IGNORECASE
)
_TITLES = frozenset(
    """mr mrs ms miss dr sir lord lady dame captain colonel major general lieutenant sergeant admiral
    commander professor judge justice bishop father brother sister count countess duke baron engineer
    inspector doctor president senator minister governor mayor king queen prince princess saint st the""".split()
)
_NEGATED = frozenset(("not", "no", "never", "nor", "without"))
_EXCLUSIVE = NUMERIC | {"date", "person", "place"}


@dataclass(frozen=True, slots=True)
class Group:
    """Findings that say one value, best first."""

    findings: tuple[Finding, ...]

    @property
    def lead(self) -> Finding:
        return self.findings[0]

    @property
    def chance(self) -> float:
        return self.lead.chance

    @property
    def witnesses(self) -> list[Finding]:
        """The findings that bear the value out: the best, and those that are likely enough beside it."""
        return [finding for finding in self.findings if finding is self.lead or finding.chance >= WITNESS]

    @property
    def independent(self) -> int:
        """How many independent sources the witnesses come from."""
        return independent(self.witnesses)


def groups(found: Sequence[Finding]) -> list[Group]:
    """Findings by the value they say, in the order of their first ones; they come best first.

    All of a group agree with each other, so that a vague value doesn't bring together two that can't both hold.
    """
    sides: list[list[Finding]] = []
    for finding in found:
        mine = next((side for side in sides if all(agree(each, finding) for each in side)), None)
        if mine is None:
            sides.append([finding])
        else:
            mine.append(finding)
    return [Group(tuple(side)) for side in sides]


def agree(a: Finding, b: Finding) -> bool:
    """Whether two findings say one value: numbers and dates that admit each other, names of one bearer, like words."""
    if a.value.mention and b.value.mention:
        return admits(a.value.mention, b.value.mention) and _currency(a) == _currency(b)
    if a.value.kind != b.value.kind:
        return False
    if a.value.kind in WHOLE or a.value.kind == "statement":
        return a.value.normalized == b.value.normalized
    return _same_name(a, b)


def _same_name(a: Finding, b: Finding) -> bool:
    one, other = a.value.normalized, b.value.normalized
    known = {**aliases(a.hit.citation.quote), **aliases(b.hit.citation.quote)}
    one, other = (_untitled(known.get(name, name)) for name in (one, other))
    if one == other:
        return True
    mine, theirs = sorted((one.split(), other.split()), key=len)
    if not set(mine) <= set(theirs) or _NEGATED & {*a.value.text.lower().split(), *b.value.text.lower().split()}:
        return False
    return mine[-1] == theirs[-1] if a.value.kind == "person" and mine else len(mine) > 1


def _untitled(name: str) -> str:
    kept = [word for word in name.split() if word not in _TITLES]
    return " ".join(kept) or name


def _currency(finding: Finding) -> frozenset[str]:
    """The currency that a sum of money is in, as it is written; nothing of other values."""
    mention = finding.value.mention
    if mention is None or mention.unit != "money":
        return frozenset()
    near = finding.source.text[max(finding.start, finding.value.start - 3) : min(finding.end, finding.value.end + 12)]
    return frozenset(found.group().lower().rstrip("s").replace("dollar", "$").replace("euro", "€").replace("pound", "£")
                     .replace("yen", "¥") for found in _MONEY.finditer(near))  # fmt: skip


def rivals(part: Part, lead: Group, others: Sequence[Group]) -> list[Group]:
    """The groups whose value can't hold beside the lead's, each from a source that the lead isn't from."""
    weigh = weights(RIVAL)
    every = enumerate(contenders(part, lead, others))
    return [g for n, g in every if weigh.chance(opposing(lead.lead, g.lead, n)) >= weigh.least]


def contenders(part: Part, lead: Group, others: Sequence[Group]) -> list[Group]:
    """The groups whose value is of one kind with the lead's and excludes it, if they answer the same question."""
    if part.many or part.kind not in _EXCLUSIVE or (part.kind == "person" and _JOINT.search(part.text)):
        return []
    mine = {finding.source.id for finding in lead.witnesses}
    return [
        group
        for group in others
        if any(finding.source.id not in mine for finding in group.witnesses)
        and group.lead.value.kind == lead.lead.value.kind
        and _exclude(part, lead.lead, group.lead)
    ]


def opposing(lead: Finding, rival: Finding, before: int) -> dict[str, float]:
    """What tells for and against that a finding answers the same question as the likeliest one; `before` is how many
    other values contend before it.

    A word of the question that the one meets and the other doesn't tells two questions apart.
    """
    behind = lead.met - rival.met
    return {
        "bias": 1.0,
        "lead": log_odds(lead.chance, _LEAST_CHANCE),
        "rival": log_odds(rival.chance, _LEAST_CHANCE),
        "behind": float(np.maximum(behind, 0).max(initial=0.0)),
        "ahead": float(np.maximum(-behind, 0).max(initial=0.0)),
        "alike": _alike(lead, rival),
        "later": float(before > 0),
    }


def _alike(a: Finding, b: Finding) -> float:
    """The share of their content words, the values' apart, that two sentences have in common."""
    one, other = ({w.text for w in words(f.sentence)} - FUNCTION_WORDS - _words(f.value) for f in (a, b))
    return len(one & other) / max(min(len(one), len(other)), 1)


def _exclude(part: Part, a: Finding, b: Finding) -> bool:
    if a.value.mention and b.value.mention:
        one, other = a.value.mention, b.value.mention
        if one.unit != other.unit:
            return False  # miles and kilometres can't be compared here, nor metres and a mere number
        return not any(admits(m, other) for m in mentions(a.sentence)) and not any(
            admits(m, one) for m in mentions(b.sentence)
        )
    if part.kind not in ("person", "place"):
        return False
    shared = any(_SHARED.search(finding.sentence) for finding in (a, b))
    return not shared and not _names(b.value, a) and not _names(a.value, b)


def _names(value: Found, finding: Finding) -> bool:
    """Whether a finding's sentence has a value's words too, so that both may hold."""
    return _words(value) <= {canon(word.text) for word in words(finding.sentence)}


def _words(value: Found) -> set[str]:
    return {canon(word.text) for word in words(value.text)} - FUNCTION_WORDS


# --- independence


def independent(found: Sequence[Finding]) -> int:
    """How many independent sources some findings come from.

    A work and its brief are one, a copy and what it was copied from, and a source that cites another and that one; and
    so are all that are bound by a chain of these.
    """
    bound: list[list[Finding]] = []
    for finding in found:
        mine = [several for several in bound if any(depends(finding, other) for other in several)]
        bound = [several for several in bound if not any(several is each for each in mine)]
        bound.append([finding, *(other for several in mine for other in several)])
    return len(bound)


def depends(a: Finding, b: Finding) -> bool:
    """Whether one finding may have been taken from the other's source."""
    return (
        same_work(a.source.info, b.source.info)
        or _copied(a, b)
        or _cites(a.hit.citation.quote, b)
        or _cites(b.hit.citation.quote, a)
    )


def _copied(a: Finding, b: Finding) -> bool:
    one, other = (tuple(word.text for word in words(f.sentence)) for f in (a, b))
    if one == other and len(one) >= _LEAST_COPIED:
        return True
    mine, theirs = _shingles(a.hit.citation.quote), _shingles(b.hit.citation.quote)
    return min(len(mine), len(theirs)) >= _LEAST_SHINGLES and len(mine & theirs) >= COPIED * min(len(mine), len(theirs))


@lru_cache(maxsize=2**8)
def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    there = [word.text for word in words(text)]
    return frozenset(tuple(there[i : i + SHINGLE]) for i in range(len(there) - SHINGLE + 1))


def _cites(text: str, other: Finding) -> bool:
    """Whether a passage names another's source: its title, if that is a title's words, or its author and year."""
    there = f" {' '.join(word.text for word in words(text))} "
    record = other.source.record
    title = [word.text for word in words(str(record.get("title") or ""))]
    telling = [word for word in title if word not in FUNCTION_WORDS]
    named = f" {' '.join(title)} "
    if len(telling) >= 2 and named in there:
        before = there[: there.index(named)].split()[-4:]
        if len(telling) >= 4 or {"according", "see", "from", "in", "by", "per", "cites", "quotes"} & {*before}:
            return True
    year = year_of(record)
    people = record.get("author") or []
    families = [str(who.get("family") or str(who.get("literal") or "").split(" ")[-1]) for who in people]
    return any(
        family and re.search(rf"\b{re.escape(family)}\b[^.]{{0,60}}\b{year}\b", text) for family in families if year
    )
