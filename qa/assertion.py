"""Assertion: does a sentence say something that sources could bear out, or is it a question, an opinion, a forecast?"""

from __future__ import annotations

import re

from qa.words import words

LEAST_WORDS = 3
POSSIBILITY = "possibility"  # a permission as well, perhaps, which sources can bear out

_QUESTION = re.compile(r"\?[\"'”’)\]*_\s]*$")
_FIRST_PERSON = re.compile(r"\b(?:I|I['’]m|[Mm]e|[Mm]y|[Mm]ine|[Ww]e|[Uu]s(?![A-Z])|[Oo]ur|[Ll]et\s+us|[Ll]et['’]s)\b")
_IMPERATIVE = re.compile(
    r"^\W*(?:please\s+)?(?:consider|imagine|compare|note|read|see|look|think|remember|suppose|recall|ask|take|let|do\s+not"
    r"|don['’]t|go|keep|use|write|check|observe|notice|beware|forget)\b(?!\s+(?:is|was|are|were|has|had)\b)",
    re.IGNORECASE,
)
_FORECAST = re.compile(
    r"\b(?:will|won['’]t|shall|(?:is|are)\s+going\s+to"
    r"|someday|one\s+day|in\s+the\s+(?:coming|next)\s+(?:years|decades?|months))\b"
)
_POSSIBLE = re.compile(r"\b(?:may|might|could|would)\b")
_OPINION = re.compile(
    r"\b(?:should|ought|must|deserves?|perhaps|probably|surely|presumably|frankly|honestly|hopefully|unfortunately"
    r"|fortunately|sadly|undoubtedly|arguably|wise(?:r|st)?|foolish|shameful|absurd|magnificent|beautiful|elegant|ugly"
    r"|wonderful|terrible|horrible|awful|admirable|disgraceful|ridiculous|stupid|brilliant|blunder|regrettable|best|worst"
    r"|nothing\s+is\s+more|high\s+time|no\s+one\s+wants|grateful)\b",
    re.IGNORECASE,
)
_ATTRIBUTED = re.compile(
    r"\b(?:according\s+to|say|says|said|states?|stated|holds?|argues?|argued|claims?|claimed|writes?|wrote|reports?"
    r"|reported|reportedly|thinks?|believes?|judges?|considers?|expects?|concludes?|warns?|calls?|called"
    # whoever decided or asked that something should be
    r"|(?:decid|propos|recommend|demand|insist|urg|order|advis|suggest|request|rul|promis|predict|declar|announc|warn)\w*"
    r"\s+(?:\w+\s+)?that)\b",
    re.IGNORECASE,
)
_US = re.compile(r"\bUS\b")


def why_not(sentence: str) -> str | None:
    """Why a sentence can't, or mostly can't, be checked: "question", "first person" …; None if it can."""
    text = sentence.strip()
    if sum(1 for _ in words(text)) < LEAST_WORDS:
        return "too short"
    if _QUESTION.search(text):
        return "question"
    if _FIRST_PERSON.search(_US.sub("  ", text)):
        return "first person"
    if _IMPERATIVE.search(text):
        return "request"
    if _ATTRIBUTED.search(text):
        return None
    if _FORECAST.search(text):
        return "forecast"
    if _OPINION.search(text):
        return "opinion"
    return POSSIBILITY if _POSSIBLE.search(text) else None
