"""Words of a text, folded so that spellings of one word meet, each with its place."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

# Scripts written without spaces: each character is a word of its own.
_UNSPACED = r"\u0e00-\u0e7f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
# What a word goes on with that Python's \w leaves out: accents, vowel points, vowel signs, soft hyphens.
_MARKS = r"\u00ad\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0970-\u0dff"
_WORD = re.compile(
    rf"""
    (?:[^\W\d_]\.){{2,}}(?:[^\W\d_](?!\w))?                       # U.S.  U.S  R.O.K.
    | [^\W\d_]\.[^\W\d_](?!\w)                                    # U.S at a word's end
    | \d{{1,3}}(?:,\d{{3}})+(?!\d)(?:\.\d+)* | \d+(?:\.\d+)*      # 54,000  5.2  1960
    | (?=\w)[{_UNSPACED}]
    | (?![{_UNSPACED}])[^\W\d_](?:(?![{_UNSPACED}])[^\W\d_]|[{_MARKS}])*  # a run of letters with its marks
    """,
    re.VERBOSE,
)
_QUOTED = re.compile(r"[\"“”„«»]([^\"“”„«»]*)[\"“”„«»]")
# A sentence ends where a blank and no small letter follows (a footnote's number may stand between: "end.[2] Then"),
# and never at the stop of an abbreviation or of a list item's number, which are matched first.
_SENTENCE_END = re.compile(
    r"""
    \b(?:Mr|Mrs|Ms|Dr|Prof|Gen|Col|Lt|Sgt|Capt|Adm|Maj|Rep|Sen|Gov|St|Mt|Ft|vs|cf|e\.g|i\.e)\.\s+
    | \b(?:Nos?|Art|Sec|Fig|Vol|Ch|pp?|ca|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.\s+(?=\d)
    | ^\s*\(?\d{1,3}\.\s+
    | (?P<end> (?<![A-Z\s][.])(?<=[.!?])["'”’)\]]*(?:\[\d{1,4}\])*\s+(?=[^\sa-z])
             | (?<=[。！？])["'”’)\]」』）】]*\s*(?=[^\s。！？]) )
    """,
    re.VERBOSE,
)

LIST_MARKER = re.compile(r"(?:[-*+•–]|\d{1,3}[.)])\s+")  # where it stands at the beginning of an item

# Words that carry a question's form and not its subject.
FUNCTION_WORDS = frozenset(
    """a an and any are as at be been being but by can could did do does done for from had has have how i if in into
    is it its me much many more most of on or our s shall should so some such t tell than that the their them then
    there these they this those to was we were what when where which who whom whose why will with would you
    your about""".split()
)


@dataclass(frozen=True, slots=True)
class Word:
    """A folded word and the half-open range of code points it stands in."""

    text: str
    start: int
    end: int


def fold(text: str) -> str:
    """One spelling for words that differ only in case, accents, compatibility forms or digit grouping."""
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    return bare.casefold().replace(",", "").replace("\u00ad", "")


@lru_cache(maxsize=2**16)  # few words make up most of a text
def _folded(raw: str) -> str:
    return "".join(fold(raw if raw[0].isdigit() else raw.replace(".", "")).split())  # U+FE70 folds to a blank


def words(text: str) -> Iterator[Word]:
    """The words of `text` in order; "U.S." and "US" are one word, "54,000" is one, a possessive 's is none."""
    for match in _WORD.finditer(text):
        start, end = match.span()
        raw = match.group()
        if raw in ("s", "S") and start and text[start - 1] in "'’":
            continue
        if folded := _folded(raw):
            yield Word(folded, start, end)


def content_words(text: str) -> list[str]:
    """The folded words of a question without its function words; all of them if nothing else is left."""
    every = [word.text for word in words(text)]
    return [word for word in every if word not in FUNCTION_WORDS] or every


def phrases(text: str) -> list[str]:
    """What stands between quotation marks in a question, straight or curly."""
    return [inner.strip() for inner in _QUOTED.findall(text) if any(True for _ in words(inner))]


def without_quotes(text: str) -> str:
    """A question with its quotation marks taken out, so that what stood in them is words like any others."""
    return _QUOTED.sub(r" \1 ", text)


def sentences(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Half-open ranges of the sentences and lines in text[start:end], without the blanks around them."""
    end = len(text) if end is None else end
    for line in re.finditer(r"[^\n]+", text[start:end]):
        at = start + line.start()
        cuts = [at + m.end() for m in _SENTENCE_END.finditer(line.group()) if m["end"] is not None]
        for a, b in zip([at, *cuts], [*cuts, start + line.end()], strict=True):
            piece = text[a:b]
            if piece.strip():
                yield a + len(piece) - len(piece.lstrip()), b - (len(piece) - len(piece.rstrip()))
