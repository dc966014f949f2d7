"""Words of a text, folded so that spellings of one word meet, each with its place."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_WORD = re.compile(
    r"""
    (?:[^\W\d_]\.){2,}(?:[^\W\d_](?!\w))?    # U.S.  U.S  R.O.K.
    | [^\W\d_]\.[^\W\d_](?!\w)               # U.S at a word's end
    | \d+(?:[.,]\d+)*                        # 54,000  5.2  1960
    | [^\W\d_](?:[^\W\d_]|[\u0300-\u036f])*  # a run of letters with its marks
    """,
    re.VERBOSE,
)
# Scripts written without spaces: each character is a word of its own.
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_QUOTED = re.compile(r"[\"“”„«»]([^\"“”„«»]+)[\"“”„«»]")
_SENTENCE_END = re.compile(r"(?<![A-Z\s][.])(?<=[.!?。！？])[\"'”’)\]]*(?:\s+|(?<=[。！？]))(?=\S)")

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
    return bare.casefold().replace(",", "")


def words(text: str) -> Iterator[Word]:
    """The words of `text` in order; "U.S." and "US" are one word, "54,000" is one, a possessive 's is none."""
    for match in _WORD.finditer(text):
        start, end = match.span()
        raw = match.group()
        if raw in ("s", "S") and start and text[start - 1] in "'’":
            continue
        if _UNSPACED.search(raw):
            yield from (Word(fold(c), start + i, start + i + 1) for i, c in enumerate(raw))
            continue
        folded = fold(raw) if raw[0].isdigit() else fold(raw.replace(".", ""))
        if folded:
            yield Word(folded, start, end)


def content_words(text: str) -> list[str]:
    """The folded words of a question without its function words; all of them if nothing else is left."""
    every = [word.text for word in words(text)]
    return [word for word in every if word not in FUNCTION_WORDS] or every


def phrases(text: str) -> list[str]:
    """What stands between quotation marks in a question, straight or curly."""
    return [inner.strip() for inner in _QUOTED.findall(text) if any(True for _ in words(inner))]


def sentences(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Half-open ranges of the sentences and lines in text[start:end], without the blanks around them."""
    end = len(text) if end is None else end
    for line in re.finditer(r"[^\n]+", text[start:end]):
        at = start + line.start()
        cuts = [at + m.end() for m in _SENTENCE_END.finditer(line.group())]
        for a, b in zip([at, *cuts], [*cuts, start + line.end()], strict=True):
            piece = text[a:b]
            if piece.strip():
                yield a + len(piece) - len(piece.lstrip()), b - (len(piece) - len(piece.rstrip()))
