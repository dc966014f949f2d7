"""Links: a text fragment opens at the cited words and nowhere else; selectors name the same words."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa.citation import cite
from qa.links import fragment, link, selectors
from qa.loaders import parse
from qa.source import Source

URL = "https://example.org/page"
FRONT = f"---\nurl: {URL}\n---\n"


# --- a resolver that shares no code with the program -----------------------------------------------


def shown(text: str) -> tuple[str, list[int]]:
    """A text as a page shows it to a search: letters without case and accents, blanks as one; and their places."""
    out, places = "", []
    for place, character in enumerate(text):
        bare = unicodedata.normalize("NFKD", character)
        folded = "".join(c for c in bare if not unicodedata.combining(c)).casefold()
        if character.isspace():
            folded = "" if out.endswith(" ") or not out else " "
        out += folded
        places += [place] * len(folded)
    return out, places


def resolve(text: str, directive: str) -> list[tuple[int, int]]:
    """Every range that a directive can mean: for each place of its start the first end after it."""
    page, places = shown(text)
    parts = directive.removeprefix("text=").split(",")
    prefix = unquote(parts.pop(0)[:-1]) if parts[0].endswith("-") else ""
    suffix = unquote(parts.pop()[1:]) if parts[-1].startswith("-") else ""
    start, end = unquote(parts[0]), unquote(parts[1]) if len(parts) > 1 else ""
    folded = [shown(term)[0].strip() for term in (prefix, start, end, suffix)]
    before = rf"(?<={re.escape(folded[0])})" if folded[0] else ""
    after = rf"(?= ?{re.escape(folded[3])})" if folded[3] else ""
    gap = "(?: )?"
    found = []
    for match in re.finditer(rf"(?=({re.escape(folded[1])}))", page):
        at, stop = match.start(1), match.end(1)
        if before and not (re.search(before + "$", page[:at]) or re.search(before + gap + "$", page[:at])):
            continue
        if folded[2]:
            behind = re.compile(re.escape(folded[2]) + after).search(page, stop)
            if not behind:
                continue
            stop = behind.start() + len(folded[2])
        elif after and not re.compile(after).match(page, stop):
            continue
        found.append((places[at], places[stop - 1] + 1))
    return found


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())


WORDS = st.sampled_from(
    ["the", "The", "base", "bases", "a-b", "x,y", "r&d", "naïve", "naive", "漢字", "50%", "é", "ok."]
)
PARAGRAPH = st.lists(WORDS, min_size=1, max_size=14).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(st.lists(PARAGRAPH, min_size=1, max_size=6), st.data())
def test_a_link_s_words_are_met_once_and_are_those_cited(paragraphs: list[str], data: st.DataObject) -> None:
    source = parse(FRONT + "\n\n".join(paragraphs) + "\n", "x")
    spans = [m.span() for m in re.finditer(r"\S+", source.text)]
    first = data.draw(st.integers(0, len(spans) - 1))
    last = data.draw(st.integers(first, len(spans) - 1))
    start, end = spans[first][0], spans[last][1]
    directive = fragment(source, start, end)
    if directive is None:
        return
    assert resolve(source.text, directive) == [(start, end)]
    terms = [unquote(part.strip("-")) for part in directive.removeprefix("text=").split(",")]
    flat = [" ".join(source.text[b.start : b.end].split()) for b in source.blocks]
    assert all(any(term in block for block in flat) for term in terms)


def test_words_that_end_in_a_sign_read_as_a_blank_have_no_link() -> None:
    assert fragment(Source("x", "0000000¨", record={"URL": URL}), 0, 8) is None
    assert fragment(Source("x", "0000000¨", record={"URL": URL}), 0, 7) == "text=0000000"


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80), st.data())
def test_any_text_gives_a_true_link_or_none(text: str, data: st.DataObject) -> None:
    source = Source("x", text, record={"URL": URL})
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    directive = fragment(source, start, end)
    if directive is not None:
        assert resolve(text, directive) == [trimmed(text, start, end)]
        term = "[A-Za-z0-9._~%]+"
        assert re.fullmatch(f"text=(?:{term}-,)?{term}(?:,{term})?(?:,-{term})?", directive)


LONG = " ".join(f"word{n}" for n in range(60)) + "."
TEXT = f"""# Title

The base is old. The base is new.

The base, R&D - and cafe.

{LONG}

- The base is sold
- The base is **bold** here
"""


@pytest.mark.parametrize(
    ("words", "directive"),
    [
        ("is old.", "text=is%20old."),
        ("The base, R&D - and cafe.", "text=The%20base%2C%20R%26D%20%2D%20and%20cafe."),
        (LONG, "text=word0%20word1%20word2%20word3%20word4,word55%20word56%20word57%20word58%20word59."),
        ("new.\n\nThe base, R&D", "text=new.,The%20base%2C%20R%26D"),
        ("ase is old", None),
        ("is **bold** here", None),
    ],
)
def test_a_directive(words: str, directive: str | None) -> None:
    source = parse(FRONT + TEXT, "x")
    at = source.text.index(words)
    assert fragment(source, at, at + len(words)) == directive


def test_what_stands_around_tells_equal_words_apart() -> None:
    source = parse(FRONT + TEXT, "x")
    places = [m.start() for m in re.finditer("The base", source.text)]
    directives = [fragment(source, at, at + 8) for at in places]
    assert len(set(directives)) == len(places) and None not in directives
    assert any("-," in d or ",-" in d for d in directives if d)
    page = re.sub(r"(?m)^[-#] ", "  ", source.text)  # bullets aren't text of a page
    for at, directive in zip(places, directives, strict=True):
        assert directive and resolve(page, directive) == [(at, at + 8)]


@pytest.mark.parametrize(
    ("url", "opens"),
    [
        (URL, f"{URL}#:~:text=old."),
        (f"{URL}?q=1#part", f"{URL}?q=1#part:~:text=old."),
        (f"{URL}#:~:text=else", f"{URL}#:~:text=old."),
        ("javascript:alert(1)", None),
        ("ftp://example.org/x", None),
        ("https://", None),
        ("https://[x", None),
        ("https://a b", None),
        (None, None),
        (5, None),
    ],
)
def test_a_link_needs_an_address(url: object, opens: str | None) -> None:
    text = "It is old. It is new."
    source = Source("x", text, record={"URL": url} if url is not None else {})
    assert link(source, 6, 10) == opens


def test_a_brief_has_no_link() -> None:
    assert link(Source("x", "It is old.", kind="brief", record={"URL": URL}), 6, 10) is None


def test_selectors_name_the_cited_words() -> None:
    source = Source("x", "Before 😀 words after")
    citation = cite(source, 9, 14)
    assert selectors(citation) == [
        {"type": "TextQuoteSelector", "exact": "words", "prefix": "Before 😀 ", "suffix": " after"},
        {"type": "TextPositionSelector", "start": 9, "end": 14},
        {"type": "FragmentSelector", "conformsTo": "http://tools.ietf.org/rfc/rfc5147", "value": "char=9,14"},
    ]
