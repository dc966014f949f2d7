"""The HTTP service: parse, call the library, return its objects unchanged as JSON. Errors are RFC 9457 problems."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qa import incoming, schema
from qa.errors import NotFound, QAError, QueryError
from qa.generation import current_name
from qa.library import Library
from qa.search import Filters

MAX_BODY_BYTES = 64 * 1024
PROBLEM = "application/problem+json"

_ERRORS_TOLD = 5  # of a body with a thousand mistakes

_TOO_LARGE = f"the body has more than {MAX_BODY_BYTES} bytes, which is the most"
_NO_JSON = "the body is no JSON in UTF-8"
_FAULT = "the service failed at this; its log says why"

# For OpenAPI: what each status means, and an example of its detail.
_K = "k: Input should be less than or equal to 100"
_NO_SOURCE = "there is no source 'x' in the index; `qa sources` lists them"
_NO_RANGE = "there are no characters 9 to 3 in 'x', which has 100"
_NO_CITATION = "'x' is no citation id; one reads SOURCE@SHA16:START-END, as in an answer's JSON"
_NO_STYLE = "there is no citation style 'x'; some are apa, mla, chicago-author-date, chicago-notes and ieee"
_NO_INDEX = "there is no index in index; run `qa index` to build it"
_MEANING = {
    404: "The library doesn't hold it.",
    413: "The body is too large.",
    422: "It can't be asked like that.",
    500: "A fault of the service.",
    503: "There is no index, or it can't be used.",
}


# The media types that a bibliography's files go by.
_FILES = {
    "text": "text/plain; charset=utf-8",
    "markdown": "text/markdown; charset=utf-8",
    "bibtex": "application/x-bibtex; charset=utf-8",
    "ris": "application/x-research-info-systems; charset=utf-8",
    "csl-json": "application/vnd.citationstyles.csl+json",
}


class JSON(Response):
    """The object that `qa … --json` prints, which escapes besides what a terminal would obey."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        # Only the error about a garbled request can repeat a lone surrogate, which UTF-8 doesn't have.
        return (json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "replace")


def create_app(library: Library) -> FastAPI:
    """The service on a library; it never builds an index, and says 503 while there is none."""
    app = FastAPI(
        title="qa",
        version="1",
        summary="Verbatim passages from a library of documents, each with a citation that anyone can check.",
        description="Offsets are half-open ranges [start, end) in Unicode code points of a source's normalised text. "
        f"Every error is `{PROBLEM}` (RFC 9457).",
        docs_url=None,  # both pages would load their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        exception_handlers=dict.fromkeys((QAError, HTTPException, RequestValidationError, Exception), _on_error),
    )
    app.state.library = library
    app.add_middleware(BodyLimit, limit=MAX_BODY_BYTES)
    app.include_router(_router)
    _describe_problems(app)
    return app


# --- endpoints: plain functions, which FastAPI runs in a pool of threads ---------------------------


def _opened(request: Request) -> Library:
    """The application's library, or IndexMissing rather than a build that would keep the client waiting."""
    library: Library = request.app.state.library
    current_name(library.settings.index)
    return library


def _library(request: Request) -> Library:
    library: Library = request.app.state.library
    return library


def _problems(details: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """An endpoint's errors for OpenAPI, from an example of each one's detail."""
    return {
        status: {"model": schema.Problem, "description": _MEANING[status], "content": {PROBLEM: {"example": detail}}}
        for status, detail in {**details, 500: _FAULT}.items()
    }


SourceId = Annotated[str, Path(description="The source's id.", examples=["yoho2021"])]
CitationId = Annotated[
    str, Path(description="SOURCE@SHA16:START-END, from a citation.", examples=["yoho2021@3698d32ac9ce01a5:3381-3491"])
]
Opened = Annotated[Library, Depends(_opened)]
_router = APIRouter(default_response_class=JSON)


@_router.post("/v1/ask", response_model=schema.Answer, responses=_problems({413: _TOO_LARGE, 422: _K, 503: _NO_INDEX}))
def ask(request: incoming.AskRequest, library: Opened) -> Response:
    """Answer a question from the sources, in their own words."""
    return JSON(library.ask(request.question, request.k, _filters(request, request.sources), request.judge).to_dict())


@_router.post(
    "/v1/check", response_model=schema.Check, responses=_problems({413: _TOO_LARGE, 422: _NO_JSON, 503: _NO_INDEX})
)
def check(request: incoming.CheckRequest, library: Opened) -> Response:
    """Check a draft: a verdict for every sentence, quotation and reference."""
    return JSON(library.check(request.draft, request.judge).to_dict())


@_router.get("/v1/search", response_model=schema.Search, responses=_problems({422: _K, 503: _NO_INDEX}))
def search(query: Annotated[incoming.SearchQuery, Query()], library: Opened) -> Response:
    """Find the passages that best meet a query."""
    return JSON(library.search(query.q, query.k, _filters(query, query.source), query.judge).to_dict())


@_router.post(
    "/v1/quote",
    response_model=schema.Quotation,
    responses=_problems({404: _NO_SOURCE, 413: _TOO_LARGE, 422: _K, 503: _NO_INDEX}),
)
def quote_words(request: incoming.QuoteRequest, library: Opened) -> Response:
    """Find where a quotation stands in the sources."""
    return JSON(library.quote(request.quote, request.attributed, request.limit).to_dict())


@_router.post(
    "/v1/verify",
    response_model=schema.Verification,
    responses=_problems({413: _TOO_LARGE, 422: "the body needs citations or text", 503: _NO_INDEX}),
)
def verify(request: incoming.VerifyRequest, library: Annotated[Library, Depends(_library)]) -> Response:
    """Check citations made earlier against the sources as they are now; no index is needed."""
    if (request.text is None) == (request.citations is None):
        raise QueryError("give either citations or text")
    return JSON(library.verify(request.citations if request.text is None else request.text).to_dict())


@_router.post(
    "/v1/cite", response_model=schema.Cited, responses=_problems({413: _TOO_LARGE, 422: _NO_STYLE, 503: _NO_INDEX})
)
def cite(request: incoming.CiteRequest, library: Opened) -> Response:
    """Cite a claim: the passages that support it, finished in a style."""
    filters = _filters(request, request.sources)
    return JSON(library.cite(request.text, request.k, request.style, filters).to_dict())


@_router.get(
    "/v1/bibliography",
    response_model=schema.Bibliography,
    responses={
        200: {"content": {media.split(";")[0]: {} for media in _FILES.values()}},
        **_problems({422: _NO_STYLE, 503: _NO_INDEX}),
    },
)
def bibliography(query: Annotated[incoming.BibliographyQuery, Query()], library: Opened) -> Response:
    """List the works of the library in a style, as an object or as a file of another format."""
    result = library.bibliography(query.style, query.source)
    if query.format == "json":
        return JSON(result.to_dict())
    return Response(result.write(query.format), media_type=_FILES[query.format])


@_router.get("/v1/sources", response_model=schema.Sources, responses=_problems({503: _NO_INDEX}))
def sources(library: Opened) -> Response:
    """List the sources."""
    return JSON({"sources": [source.to_dict() for source in library.sources()]})


@_router.get("/v1/sources/{id}", response_model=schema.Source, responses=_problems({404: _NO_SOURCE, 503: _NO_INDEX}))
def source(id: SourceId, library: Opened) -> Response:
    """Tell what is known of a source."""
    return JSON(library.source(id).info.to_dict())


@_router.get(
    "/v1/sources/{id}/text",
    response_class=PlainTextResponse,
    responses={
        200: {
            "description": "The code points [start, end) of the normalised text, in UTF-8.",
            "headers": {"ETag": {"description": "sha256 of the whole text, quoted.", "schema": {"type": "string"}}},
        },
        **_problems({404: _NO_SOURCE, 422: _NO_RANGE, 503: _NO_INDEX}),
    },
)
def text(id: SourceId, query: Annotated[incoming.TextQuery, Query()], library: Opened) -> Response:
    """Give a source's normalised text, or a slice of it."""
    source = library.source(id)
    length = len(source.text)
    end = length if query.end is None else query.end
    if not query.start <= end <= length:
        raise QueryError(f"there are no characters {query.start} to {end} in '{id}', which has {length}")
    return PlainTextResponse(source.text[query.start : end], headers={"ETag": f'"{source.sha256}"'})


@_router.get(
    "/v1/citations/{id}",
    response_model=schema.Surroundings,
    responses=_problems({404: _NO_SOURCE, 422: _NO_CITATION, 503: _NO_INDEX}),
)
def citation(id: CitationId, library: Opened) -> Response:
    """Show a citation's words in their surroundings."""
    return JSON(library.show(id).to_dict())


@_router.get("/healthz", response_model=schema.Health, responses=_problems({}))
async def healthz() -> Response:
    """Tell that the process lives; it needs neither index nor a free thread."""
    return JSON({"status": "alive"})


@_router.get("/readyz", response_model=schema.Readiness, responses=_problems({503: _NO_INDEX}))
def readyz(library: Opened) -> Response:
    """Tell whether questions can be answered: the index opens."""
    changes = library.changes()
    return JSON({"status": "ready", "generation": library.generation().id, "stale": bool(changes)})


@_router.get("/", include_in_schema=False)
async def root(request: Request) -> Response:
    """Name the endpoints."""
    paths = request.app.openapi()["paths"]
    told = {f"{verb.upper()} {path}": what["description"] for path, on in paths.items() for verb, what in on.items()}
    return JSON({"name": "qa", "openapi": "/openapi.json", "endpoints": told})


def _filters(given: incoming.AskRequest | incoming.SearchQuery | incoming.CiteRequest, sources: list[str]) -> Filters:
    return Filters(tuple(sources), given.author, given.since, given.until, given.kind)


# --- errors ----------------------------------------------------------------------------------------


class BodyLimit:
    """Reads a request's body, chunked or not, before the application does, and answers 413 past the limit."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return  # the client has gone
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self.limit:
                await _problem(scope, 413, _TOO_LARGE)(scope, receive, send)
                return
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replay() -> Message:
            return whole.pop() if whole else await receive()

        await self.app(scope, replay, send)


async def _on_error(request: Request, error: Exception) -> Response:
    path, method = request.scope["path"], request.method
    match error:
        case QueryError():
            return _problem(request.scope, 422, str(error))
        case NotFound():
            return _problem(request.scope, 404, str(error))
        case QAError():  # the index, or what it would be built from, is not in a state to be asked
            return _problem(request.scope, 503, str(error))
        case RequestValidationError():
            return _problem(request.scope, 422, _mistakes(error))
        case HTTPException(status_code=404):
            return _problem(request.scope, 404, f"there is nothing at {path}; / lists what there is")
        case HTTPException(status_code=405, headers=headers):
            allowed = (headers or {}).get("Allow", "another method")
            return _problem(request.scope, 405, f"{path} doesn't take {method}; it takes {allowed}", headers)
        case HTTPException(status_code=400):  # FastAPI's for bytes that are no text, or JSON nested too deep
            return _problem(request.scope, 422, _NO_JSON)
        case HTTPException():
            return _problem(request.scope, error.status_code, error.detail, error.headers)
    return _problem(request.scope, 500, _FAULT)  # the server writes the traceback to its own log


def _mistakes(error: RequestValidationError) -> str:
    """What is wrong with a request's parts, without repeating what they hold."""
    errors = error.errors()
    told = []
    for each in errors[:_ERRORS_TOLD]:
        where = ".".join(str(step) for step in each["loc"][1:])
        if each["type"] == "json_invalid":
            told.append(_NO_JSON)
        elif where:
            told.append(f"{where}: {each['msg']}")
        else:
            told.append("the body must be a JSON object, sent with Content-Type: application/json")
    if len(errors) > _ERRORS_TOLD:
        told.append(f"and {len(errors) - _ERRORS_TOLD} more")
    return "; ".join(told)


def _problem(scope: Scope, status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSON(_problem_dict(status, detail, scope["path"]), status, headers, PROBLEM)


def _problem_dict(status: int, detail: str, path: str) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": quote(path, safe="/@:~", errors="replace"),
    }


def _describe_problems(app: FastAPI) -> None:
    """Give OpenAPI's errors the one media type they have, and take out FastAPI's own validation error."""
    described = app.openapi()  # made once, and kept by the application
    for path, operations in described["paths"].items():
        for operation in operations.values():
            errors = {status: told for status, told in operation["responses"].items() if status >= "400"}
            for status, told in errors.items():
                if PROBLEM not in told["content"]:  # FastAPI's, for a path parameter that may be any string
                    del operation["responses"][status]
                    continue
                example = _problem_dict(int(status), told["content"][PROBLEM]["example"], path.format(id="x"))
                told["content"] = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
    for name in ("HTTPValidationError", "ValidationError"):
        described["components"]["schemas"].pop(name, None)
