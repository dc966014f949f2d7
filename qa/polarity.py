"""Polarity: which way a sentence points (more or less, before or after, allowed or banned), and what it denies.

Closed lists of opposites, as no model tells them reliably apart by likeness: opposites are used in the same company.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from qa.words import FUNCTION_WORDS, words

# One axis a line (an indented one goes on): words that point one way | words that point the other; * is any ending.
_AXES = """
increas* rise rises risen rising rose rais* grow* grew widen* broaden* expand* exten* climb* enlarg* heighten* soar*
    surg* doubl* tripl* multipl* escalat* accelerat* intensif* deepen* swell* swelled | decreas* fall* fell drop*
    declin* shrink* shrank narrow* lower* reduc* lessen* cut halv* dwindl* plummet* diminish* shorten*
more bigger larger stronger greater higher taller longer richer older heavier wider deeper biggest largest most
    greatest highest tallest longest richest oldest heaviest widest deepest strongest | less smaller weaker lower
    fewer shorter poorer younger lighter narrower shallower smallest least fewest lowest shortest poorest youngest
    lightest weakest
better best | worse worst
faster quicker quickly rapidly swift* fastest quickest | slower slowly slowest gradual*
before ahead earlier prior earliest | after later latest
until till | since
allow* permit* let lets enabl* authoriz* authoris* entitl* free legaliz* legalis* | prohibit* ban bans banned bar bars
    barred forbid* forbad* forbidden outlaw* prevent*
win won wins victory victorious defeated winner* | lose lost loses loser*
favorabl* favourabl* positive* | unfavorabl* unfavourabl* negative* dislike*
strong strength* robust close* warm* | weak weaken* tenuous frosty
militariz* militaris* rearm* remilitar* | demilitar* disarm*
common frequent often usual* | rare* seldom unusual*
open public openly publicly | secret* covert* clandestin*
direct directly | indirect indirectly
support* back* endors* welcom* favor favour favored favoured favors favours | oppos* reject* object objected
includ* inside within | exclud* outside shut omit*
north northern northward* | south southern southward*
east eastern eastward* | west western westward*
import imports imported importing importer* | export*
begin* began begun start* found* launch* inaugurat* | end ended ends ending ceas* stop* halt* clos* finish* terminat*
    abolish* cancel* shelv*
accept* adopt* approv* ratif* | refus* reject* declin* veto* rebuff*
impress* succeed* success* | fail*
majority | minority
multilateral* | bilateral* unilateral*
abov* | below beneath
same identical alike | different differ*
permanent* lasting | temporar* provisional* interim
voluntar* optional* | compulsor* mandator* obligator*
rich wealth* prosper* | poor poverty impoverish*
cheap* inexpensive | expensive costly
arriv* enter* join* | depart* leave leaves leaving left exit* quit quits
deploy* station* | withdr* redeploy* evacuat*
build builds built construct* creat* | destroy* demolish* dismantl*
buy* bought purchas* | sell* sold
lend* lent | borrow*
gain* profit* surplus* | loss losses deficit*
attack* assault* offens* | defend* defensive*
ally allies friend friends friendly | enemy enemies foe foes advers* hostil*
appoint* hire hired hires elect* | dismiss* sack* fire fired fires oust*
release* freed | arrest* imprison* detain* jail*
praise* applaud* welcom* | critici* condemn* denounc* deplor*
agree* consent* | disagree* dissent*
love* like likes liked | hate* detest* loath*
maximum | minimum
upper top | bottom
long lengthy | short brief*
high | low
near nearby | far distant remote
early | late
full fully entire* whole* complete completely | empty partial* partly
always | sometimes
urban city cities | rural countryside
domestic* | foreign
internal* | external*
civil* | military
central* | peripher* marginal*
major | minor
easy easily easier | difficult*
safe* | danger* hazardous
encourag* foster* | discourag* deter* hinder* hamper* imped*
improve improves improved improving improvement* | worsen* deteriorat*
unite unites unify unified unifies | divid* split splits
confirm* | refut* disprov*
remember* | forget* forgot*
important* crucial vital essential | unimportant trivial irrelevant negligible
necessary | needless* superfluous
dry | wet damp
hot | cold
new | old
"""
_NOT = re.compile(
    r"\b(?:not|no|never|neither|nor|none|nobody|nothing|nowhere|without|cannot|hardly|scarcely|barely|lack(?:s|ed|ing)?)\b"
    r"|n['’]t\b|\brather\s+than\b|\binstead\s+of\b|\bunable\s+to\b|\bfar\s+from\b|\banything\s+but\b"
    r"|\b(?:fail|refus|neglect|declin)(?:e?s|e?d|ing)?\s+to\b|\babsence\s+of\b|\bexempt(?:ed)?\s+from\b",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(
    r"(?P<comma>,)|[;:()]|(?<![A-Z])\.|\b(?:but|and|while|whereas|although|because|which|so)\b", re.IGNORECASE
)
_ASIDE = re.compile(r",[^,;:.]{1,40},")  # words between two commas, after which the clause goes on
_SCOPE = 5  # content words that a "not" reaches over
_UNSURPASSED = re.compile(r"\s+.*\b(?:\w+er|more|less)\s+than\b", re.IGNORECASE)  # "no army is larger than"
_CORRELATIVE = re.compile(
    r"\bnot\s+(?:only|just|merely|least)\b|\bno\s+fewer\b|\bno\s+(?:more|less|later)\s+than\b|\bno\s+doubt\b"
    r"|\bnone\s+the\s+less\b|\bwhether\s+or\s+not\b",
    re.I,
)
_PREFIX = re.compile(r"(?:un|in|im|il|ir|dis|non|de|anti|mis)-?(?=\w{4})")
# What follows such letters in words that deny nothing: increase, understand, improve.
_NO_BASES = tuple(
    (
        "crea der side come vest tend tent tens sist stan volv fluen dust dica herit vita jur vent sect spir stitu "
        "struct  stall sert still sight sure quir port press prov pos pact part pris mediat migr plement ply pli "
        "age agin iti cus  trib play cover tanc tinct turb tric patch pute mand pend tail light liver rive cid fin "
        "fen gree velop scri clar  tect cre nom stry til less ion ite iq fer bat lay legat nial pict test spite ter "
        "take formed formin formati  forman signe signat ease charg count plac solv band miss serv vice cent feat "
        "vote deed land habit stead"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Cue:
    """A word that points one way (+1) or the other (-1) on an axis; a denial in front of it turns it round."""

    axis: int
    pole: int
    text: str
    start: int
    end: int
    denied: bool = False


def _compiled() -> list[tuple[re.Pattern[str], re.Pattern[str]]]:
    out = []
    for line in re.sub(r"\n +", " ", _AXES.strip()).split("\n"):
        plus, minus = (
            re.compile("|".join(word.replace("*", r"\w*") for word in side.split())) for side in line.split("|")
        )
        out.append((plus, minus))
    return out


_POLES = _compiled()


@lru_cache(maxsize=2**12)
def axes_of(folded: str) -> tuple[tuple[int, int], ...]:
    """The axes that a folded word is on, and its pole on each."""
    return tuple(
        (axis, pole)
        for axis, poles in enumerate(_POLES)
        for pole, pattern in zip((1, -1), poles, strict=True)
        if pattern.fullmatch(folded)
    )


ALLOWED = axes_of("allowed")[0][0]
# What one does the other suffers: both hold, said of two parties.
CONVERSE = frozenset(axes_of(word)[0][0] for word in ("won", "bought", "lent", "imports", "gains"))


def denied_base(folded: str) -> str | None:
    """The word that a folded one denies by its prefix, or by -less in place of -ful: unstable, stable; None if none."""
    if folded.endswith("less") and len(folded) > 6:
        return folded[:-4] + "ful"
    match = _PREFIX.match(folded)
    rest = folded[match.end() :] if match else ""
    known = rest.startswith(_NO_BASES) or rest in ("form", "forms", "sign", "signs")
    return rest if len(rest) >= 4 and not known else None


@lru_cache(maxsize=512)
def cues(text: str) -> tuple[Cue, ...]:
    """The words of a text that point somewhere, in order."""
    denied = [range(a, b) for a, b in scopes(text)]
    out = []
    for word in words(text):
        for axis, pole in axes_of(word.text):
            turned = any(word.start in scope for scope in denied)
            out.append(Cue(axis, -pole if turned else pole, text[word.start : word.end], word.start, word.end, turned))
    return tuple(out)


@lru_cache(maxsize=512)
def scopes(text: str) -> tuple[tuple[int, int], ...]:
    """The ranges that denials reach over: to the end of their clause, and a few content words at most."""
    out = []
    skip = [match.span() for match in _CORRELATIVE.finditer(text)]
    for match in _NOT.finditer(text):
        unsurpassed = match.group().casefold() in ("no", "none", "nothing") and _UNSURPASSED.match(text, match.end())
        if unsurpassed or any(a <= match.start() < b for a, b in skip):
            continue
        end = _clause_end(text, match.end())
        inside = [w for w in words(text[match.end() : end]) if w.text not in FUNCTION_WORDS and w.text != "longer"]
        if len(inside) > _SCOPE:
            end = match.end() + inside[_SCOPE - 1].end
        out.append((match.start(), end))
    return tuple(out)


def _clause_end(text: str, at: int) -> int:
    """Where the clause around an offset ends; words set between commas belong to it."""
    while stop := _CLAUSE_END.search(text, at):
        aside = _ASIDE.match(text, stop.start()) if stop["comma"] else None
        if not aside:
            return stop.start()
        at = aside.end()
    return len(text)
