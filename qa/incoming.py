"""The border's models of what the service takes, for OpenAPI and for tests."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from qa.quotation import MAX_PLACES, MAX_QUOTE_CHARS
from qa.schema import EXAMPLE_ID, Closed, Kind, QuestionText, SourceIds, StyleName
from qa.settings import DEFAULT_CITED, DEFAULT_K, DEFAULT_PLACES, MAX_K, MAX_QUESTION_CHARS


class _Narrowing(Closed):
    k: int = Field(DEFAULT_K, ge=1, le=MAX_K, description="How many passages at most.", examples=[DEFAULT_K])
    author: str | None = Field(
        None, description="Only works with an author whose name contains this, whatever its case and accents."
    )
    since: str | None = Field(
        None, description="Only works issued on or after this date: 2018, 2018-06 or 2018-06-16.", examples=["2018"]
    )
    until: str | None = Field(
        None, description="Only works issued on or before this date: 2018, 2018-06 or 2018-06-16.", examples=["2021-01"]
    )
    kind: Kind | None = Field(None, description="Only sources of this kind.", examples=["brief"])


class AskRequest(_Narrowing):
    """A question, and where to look for its answer."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"example": {"question": "How many American troops are based in Japan?", "k": 3}},
    )

    question: QuestionText
    sources: SourceIds = Field(default_factory=list)
    judge: bool | None = Field(
        None, description="Whether the judge reads the best sentences; null: as the service is set."
    )


class CheckRequest(Closed):
    """A draft to be checked."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"example": {"draft": "The Korean War started in June 1951 [@yoho2021]."}},
    )

    draft: str = Field(description="Markdown or plain text.", examples=["The Korean War started in June 1951."])
    judge: bool | None = Field(
        None, description="Whether the judge reads the nearest sentences; null: as the service is set.", examples=[None]
    )


class SearchQuery(_Narrowing):
    """The query string of a search."""

    q: QuestionText
    source: SourceIds = Field(default_factory=list)
    judge: bool = Field(False, description="Whether the judge reads the best sentences too.")


class CiteRequest(_Narrowing):
    """A claim or question, and the style to cite in."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"example": {"text": "Japan hosts 54,000 American troops.", "style": "mla"}},
    )

    text: Annotated[str, Field(min_length=1, max_length=MAX_QUESTION_CHARS, description="The claim or question.")]
    k: int = Field(DEFAULT_CITED, ge=1, le=MAX_K, description="How many passages at most.", examples=[DEFAULT_CITED])
    style: StyleName = "apa"
    sources: SourceIds = Field(default_factory=list)


class BibliographyQuery(Closed):
    """The query string of a bibliography."""

    style: StyleName = "apa"
    format: Literal["json", "text", "markdown", "bibtex", "ris", "csl-json"] = Field(
        "json", description="`json`: the object; or the list as a file of that format."
    )
    source: SourceIds = Field(default_factory=list)


class TextQuery(Closed):
    """The query string that cuts a slice out of a text."""

    start: int = Field(0, ge=0, description="First code point, counted from 0.", examples=[3381])
    end: int | None = Field(
        None, ge=0, description="The code point after the last (half-open); the text's end if absent.", examples=[3491]
    )


class QuoteRequest(Closed):
    """A quotation, and the sources that it is said to come from."""

    quote: str = Field(
        min_length=1,
        max_length=MAX_QUOTE_CHARS,
        description="The words; … and [brackets] are understood.",
        examples=["hub … spoke"],
    )
    attributed: list[str] = Field(
        [], description="Ids of the sources it is said to come from.", examples=[["yoho2021"]]
    )
    limit: int = Field(DEFAULT_PLACES, ge=1, le=MAX_PLACES, description="How many places at most.", examples=[100])


class VerifyRequest(Closed):
    """Citations made earlier, or a text that holds some; one of the two."""

    citations: list[Any] | None = Field(
        None, description="Citation objects, their ids, or objects holding them.", examples=[[EXAMPLE_ID]]
    )
    text: str | None = Field(
        None, description="A text with citation ids, or JSON.", examples=[f"As said in {EXAMPLE_ID}."]
    )
