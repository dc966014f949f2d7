"""The HTTP service: the library's own objects, exact slices, and errors that say the way out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient

from qa import schema
from qa.answer import Answer, AnswerPart, IndexRef, Value, Witness
from qa.api import MAX_BODY_BYTES, PROBLEM, create_app
from qa.citation import cite
from qa.errors import EncoderError
from qa.library import Library
from qa.quotation import MAX_PLACES, MAX_QUOTE_CHARS
from qa.search import Filters
from qa.settings import MAX_K, MAX_QUESTION_CHARS, Settings
from tests.fakes import WordEncoder

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
QUESTION = "How tall is the old lighthouse of Brandholm?"
FRONT = """---
record: {title: Lights of the Coast, author: [{family: Ørsted, given: Anna}], issued: "2018-06-16", type: book}
---
"""
LIGHTS = """# Lights of the Coast

## Brandholm

The old lighthouse of Brandholm is 41 metres tall. Its lamp was lit in 1879.

## Skagen

The grey tower of Skagen burns coal. Fishermen pay for it with dried cod.
"""
SCRIPTS = "Smile 😀👩‍👩‍👧 here.\r\n\r\nمرحبا بالعالم، هذا نص.\r\n\r\nCafe\u0301 and naïve.\r\n"
BRIEF = "---\nkind: brief\n---\n# Digest\n\nHarbours need pilots. <!-- ¶ 1 -->\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    (folder / "lights.md").write_text(FRONT + LIGHTS, encoding="utf-8")
    (folder / "scripts.txt").write_bytes(SCRIPTS.encode())
    (folder / "pilots.md").write_text(BRIEF, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def library(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    library = Library(Settings(folder, tmp_path_factory.mktemp("index")), encoder=WordEncoder())
    library.index()
    return library


@pytest.fixture(scope="module")
def client(library: Library) -> Iterator[TestClient]:
    with TestClient(create_app(library), raise_server_exceptions=False) as client:
        yield client


def problem(response: httpx2.Response, status: int) -> str:
    """The detail of an error, which must be an RFC 9457 problem."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM
    told = schema.Problem.model_validate_json(response.content, strict=True)
    assert told.status == status
    return told.detail


def same(model: type[BaseModel], response: httpx2.Response, expected: dict[str, Any]) -> None:
    """HTTP sends the library's object, and the model describes all of it."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.text == json.dumps(expected, ensure_ascii=False) + "\n"
    assert model.model_validate_json(response.content, strict=True).model_dump() == expected


# --- one truth -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "status"), [(QUESTION, "answered"), ("Who composed fourteen symphonies?", "not_found")]
)
def test_ask_gives_the_librarys_answer(client: TestClient, library: Library, question: str, status: str) -> None:
    answer = library.ask(question, 2)
    assert answer.status == status
    same(schema.Answer, client.post("/v1/ask", json={"question": question, "k": 2}), answer.to_dict())


def test_ask_takes_filters(client: TestClient, library: Library) -> None:
    filters = Filters(("lights", "pilots"), "orsted", "2018", "2018-06", "original")
    body = {"question": QUESTION, "sources": ["lights", "pilots"], "author": "orsted", "since": "2018",
            "until": "2018-06", "kind": "original"}  # fmt: skip
    same(schema.Answer, client.post("/v1/ask", json=body), library.ask(QUESTION, filters=filters).to_dict())


def test_search_gives_the_librarys_hits(client: TestClient, library: Library) -> None:
    query = "q=pilots&k=3&source=pilots&source=lights&kind=brief"
    hits = library.search("pilots", 3, Filters(("pilots", "lights"), kind="brief"))
    assert [hit.citation.source for hit in hits.hits] == ["pilots"]
    same(schema.Search, client.get(f"/v1/search?{query}"), hits.to_dict())


def test_sources_are_the_librarys(client: TestClient, library: Library) -> None:
    infos = library.sources()
    same(schema.Sources, client.get("/v1/sources"), {"sources": [info.to_dict() for info in infos]})
    for info in infos:
        same(schema.Source, client.get(f"/v1/sources/{info.id}"), info.to_dict())


def test_citation_comes_with_its_surroundings(client: TestClient, library: Library) -> None:
    citation = library.ask(QUESTION).citations[0]
    assert "41 metres" in citation.quote
    same(schema.Surroundings, client.get(f"/v1/citations/{citation.id}"), library.show(citation.id).to_dict())


WORDS = "The old lighthouse of Brandholm is 41 metres tall."


@pytest.mark.parametrize(
    ("words", "attributed", "limit", "state"),
    [
        (WORDS, [], 100, "exact"),
        ("the *old* lighthouse … is 41 metres tall", ["lights"], 1, "typographic"),
        ("The old lighthouse [there] is 43 metres tall", [], 1, "altered"),
        (WORDS, ["pilots"], 1000, "misattributed"),
        ("Gulls compose quartets at dawn", ["pilots"], 1, "not_found"),
    ],
)
def test_quote_gives_the_librarys_places(
    client: TestClient, library: Library, words: str, attributed: list[str], limit: int, state: str
) -> None:
    expected = library.quote(words, attributed, limit)
    assert expected.state == state
    body = {"quote": words, "attributed": attributed, "limit": limit}
    same(schema.Quotation, client.post("/v1/quote", json=body), expected.to_dict())


@pytest.mark.parametrize(
    ("old", "new", "state"),
    [("", "", "intact"), ("41 metres", "43 metres", "altered"), ('"lights"', '"nights"', "unknown_source")],
)
def test_verify_gives_the_librarys_verdicts(
    client: TestClient, library: Library, old: str, new: str, state: str
) -> None:
    text = json.dumps(library.ask(QUESTION).citations[0].to_dict(), ensure_ascii=False).replace(old, new)
    expected = library.verify(text)
    assert expected.items[0].state == state
    same(schema.Verification, client.post("/v1/verify", json={"text": text}), expected.to_dict())
    same(schema.Verification, client.post("/v1/verify", json={"citations": [json.loads(text)]}), expected.to_dict())


def test_what_cites_nothing_has_no_verdicts(client: TestClient) -> None:
    nothing: dict[str, Any] = {"items": [], "summary": {}, "problems": []}
    given: list[dict[str, Any]] = [
        {"text": ""},
        {"citations": []},
        {"citations": [1, None, {"source": "lights"}, "lights"]},
    ]
    for body in given:
        same(schema.Verification, client.post("/v1/verify", json=body), nothing)


def test_value_has_a_model(library: Library) -> None:
    source = library.source("lights")
    at = source.text.index("41 metres")
    witness = Witness(cite(source, at, at + 9), at, at + 9, "41 metres")
    value = Value("41 metres", "number", "41 metre", (witness,), 1, 0, 0.5)
    part = AnswerPart(QUESTION, 0, len(QUESTION), "number", "disputed", 0.5)
    index = IndexRef("0", "words", True)
    answer = Answer(QUESTION, "disputed", (), (), (), index, (value,), (part,), 0.5).to_dict()
    assert schema.Answer.model_validate_json(json.dumps(answer), strict=True).model_dump() == answer


def test_stages_may_be_added_to_scores(library: Library) -> None:
    hit = library.search(QUESTION).hits[0].to_dict()
    hit["scores"]["late"] = 0.25
    assert schema.Hit.model_validate(hit).model_dump() == hit


# --- texts -----------------------------------------------------------------------------------------


def test_every_slice_is_exact(client: TestClient, library: Library) -> None:
    source = library.source("scripts")
    assert source.text == SCRIPTS.replace("\r\n", "\n")
    for start in range(0, len(source.text) + 1, 5):
        for end in range(start, len(source.text) + 1, 3):
            response = client.get("/v1/sources/scripts/text", params={"start": start, "end": end})
            assert response.content == source.text[start:end].encode()


def test_text_is_whole_by_default_and_names_its_version(client: TestClient, library: Library) -> None:
    response = client.get("/v1/sources/scripts/text")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.content == library.source("scripts").text.encode()
    assert response.headers["etag"] == f'"{library.source("scripts").sha256}"'


@pytest.mark.parametrize("query", ["start=2&end=1", "start=-1", "end=100000", "start=100000", "start=x", "from=1"])
def test_range_that_isnt_there(client: TestClient, query: str) -> None:
    problem(client.get(f"/v1/sources/scripts/text?{query}"), 422)


# --- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('{"question": ""}', "question: String should have at least 1 character"),
        ('{"question": " ?! "}', "the question has no words"),
        (json.dumps({"question": "a" * 10_000}), f"at most {MAX_QUESTION_CHARS} characters"),
        (json.dumps({"question": "a " * 500}), "the question has 502 tokens and the model reads 256"),
        ('{"question": "a", "k": 0}', "k: Input should be greater than or equal to 1"),
        ('{"question": "a", "k": 101}', f"k: Input should be less than or equal to {MAX_K}"),
        ('{"question": "a", "k": "5"}', "k: Input should be a valid integer"),
        ('{"question": "a", "k": NaN}', "k: Input should be a valid integer"),
        ('{"question": "a", "kind": "draft"}', "kind: Input should be 'original' or 'brief'"),
        ('{"question": "a", "since": "June"}', "'June' is no date"),
        ('{"question": "a", "until": "99999999999"}', "'99999999999' is no date"),
        ('{"question": "a", "sources": ["none"]}', "there is no source 'none'"),
        ('{"question": "a", "sources": ["\\ud800"]}', "there is no source"),
        ('{"question": "\\ud800"}', "question: Input should be a valid string"),
        ('{"question": "a", "lang": "en"}', "lang: Extra inputs are not permitted"),
        (json.dumps(dict.fromkeys("abcdefghij", 1)), "and 6 more"),
        ("{}", "question: Field required"),
        ("[1]", "must be a JSON object"),
        ("", "must be a JSON object"),
        ('{"question": ', "the body is no JSON"),
        ("[" * 60_000, "the body is no JSON"),
        (b'{"question": "\xff"}', "the body is no JSON"),
    ],
)
def test_question_that_cant_be_asked(client: TestClient, body: str | bytes, told: str) -> None:
    response = client.post("/v1/ask", content=body, headers={"content-type": "application/json"})
    assert told in problem(response, 422)


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"quote": ""}, 422, "quote: String should have at least 1 character"),
        ({"quote": " … "}, 422, "a quotation needs words"),
        ({"quote": "a" * (MAX_QUOTE_CHARS + 1)}, 422, f"at most {MAX_QUOTE_CHARS} characters"),
        ({"quote": "a", "limit": 0}, 422, "limit: Input should be greater than or equal to 1"),
        ({"quote": "a", "limit": 1001}, 422, f"limit: Input should be less than or equal to {MAX_PLACES}"),
        ({"quote": "a", "attributed": "lights"}, 422, "attributed: Input should be a valid list"),
        ({"quote": "a", "attributed": ["none"]}, 404, "there is no source 'none' in the index"),
        ({"quote": "a", "k": 1}, 422, "k: Extra inputs are not permitted"),
        ({}, 422, "quote: Field required"),
        ({"quote": "a" * MAX_BODY_BYTES}, 413, f"more than {MAX_BODY_BYTES} bytes"),
    ],
)
def test_quotation_that_cant_be_looked_for(client: TestClient, body: dict[str, Any], status: int, told: str) -> None:
    assert told in problem(client.post("/v1/quote", json=body), status)


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({}, 422, "give either citations or text"),
        ({"text": "a", "citations": []}, 422, "give either citations or text"),
        ({"text": 1}, 422, "text: Input should be a valid string"),
        ({"citations": "a"}, 422, "citations: Input should be a valid list"),
        ({"text": "a" * MAX_BODY_BYTES}, 413, f"more than {MAX_BODY_BYTES} bytes"),
    ],
)
def test_citations_that_cant_be_verified(client: TestClient, body: dict[str, Any], status: int, told: str) -> None:
    assert told in problem(client.post("/v1/verify", json=body), status)


def test_verify_needs_sources_and_no_index(folder: Path, library: Library, tmp_path: Path) -> None:
    body = {"citations": [library.ask(QUESTION).citations[0].to_dict()]}
    bare = TestClient(create_app(Library(Settings(folder, tmp_path))), raise_server_exceptions=False)
    assert bare.post("/v1/verify", json=body).json()["summary"] == {"intact": 1}
    assert list(tmp_path.iterdir()) == []
    gone = TestClient(create_app(Library(Settings(tmp_path / "none", tmp_path))), raise_server_exceptions=False)
    assert "is not a folder" in problem(gone.post("/v1/verify", json=body), 503)


@pytest.mark.parametrize("query", ["", "q=", "q=a&k=0", "q=a&k=101", "q=a&sources=lights", "q=%FF", "q=a&source=no"])
def test_query_that_cant_be_searched(client: TestClient, query: str) -> None:
    problem(client.get(f"/v1/search?{query}"), 422)


def test_body_without_its_content_type_is_told_so(client: TestClient) -> None:
    assert "Content-Type: application/json" in problem(client.post("/v1/ask", content='{"question": "a"}'), 422)


@pytest.mark.parametrize("id", ["none", "..", "..%2F..%2Fetc%2Fpasswd", "%2e%2e", "@", "%00", "lights%20", "a" * 3000])
def test_unknown_source(client: TestClient, id: str) -> None:
    for path in (f"/v1/sources/{id}", f"/v1/sources/{id}/text"):
        response = client.get(path)
        if str(response.url).endswith(path):  # the client itself may resolve the dots
            problem(response, 404)


@pytest.mark.parametrize(
    ("id", "status"),
    [
        ("none@0123456789abcdef:0-9", 404),
        ("lights@0123456789abcdef:0-9", 404),
        ("{version}:0-100000", 404),
        ("{version}:9-9", 422),
        ("{version}:9-3", 422),
        ("{version}:0-" + "9" * 5000, 422),
        ("lights", 422),
        ("@", 422),
        ("..%2F@0123456789abcdef:0-9", 404),
    ],
)
def test_citation_that_isnt_there(client: TestClient, library: Library, id: str, status: int) -> None:
    version = f"lights@{library.source('lights').sha256[:16]}"
    problem(client.get(f"/v1/citations/{id.format(version=version)}"), status)


def test_unknown_route_and_method(client: TestClient) -> None:
    assert "/nowhere" in problem(client.get("/nowhere"), 404)
    problem(client.get("/v1/sources/"), 404)
    response = client.get("/v1/ask")
    assert problem(response, 405) == "/v1/ask doesn't take GET; it takes POST"
    assert response.headers["allow"] == "POST"


def test_instance_is_a_uri(client: TestClient) -> None:
    assert client.get("/a%20é?q=1").json()["instance"] == "/a%20%C3%A9"


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize(("size", "status"), [(MAX_BODY_BYTES, 422), (MAX_BODY_BYTES + 1, 413), (10**6, 413)])
def test_body_too_large(library: Library, size: int, status: int, chunked: bool) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, size, 1000):
            yield b" " * min(1000, size - start)

    async def post() -> httpx2.Response:
        transport = httpx2.ASGITransport(create_app(library))
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/v1/ask", content=chunks() if chunked else b" " * size)

    problem(asyncio.run(post()), status)


def test_no_index_is_503_and_builds_none(folder: Path, tmp_path: Path) -> None:
    library = Library(Settings(folder, tmp_path), encoder=WordEncoder())
    client = TestClient(create_app(library), raise_server_exceptions=False)
    assert client.get("/healthz").json() == {"status": "alive"}
    responses = [
        client.get("/readyz"),
        client.post("/v1/ask", json={"question": QUESTION}),
        client.get("/v1/search?q=a"),
        client.post("/v1/quote", json={"quote": WORDS}),
        client.get("/v1/sources"),
        client.get("/v1/sources/lights"),
        client.get("/v1/sources/lights/text"),
        client.get("/v1/citations/lights@0123456789abcdef:0-9"),
    ]
    assert all("run `qa index`" in problem(response, 503) for response in responses)
    assert list(tmp_path.iterdir()) == []
    library.index()
    assert client.get("/readyz").status_code == 200


def test_damaged_index_is_503(folder: Path, tmp_path: Path) -> None:
    Library(Settings(folder, tmp_path), encoder=WordEncoder()).index()
    next(tmp_path.glob("gen-*/nearest.faiss")).write_bytes(b"")
    client = TestClient(create_app(Library(Settings(folder, tmp_path))), raise_server_exceptions=False)
    assert "damaged" in problem(client.get("/readyz"), 503)
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (EncoderError("the encoder is gone; run `qa index`"), 503, "the encoder is gone; run `qa index`"),
        (RuntimeError("secret"), 500, "the service failed at this; its log says why"),
    ],
)
def test_faults_leak_nothing(
    client: TestClient, library: Library, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, told: str
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(library, "sources", fail)
    response = client.get("/v1/sources")
    assert problem(response, status) == told
    assert "secret" not in response.text


# --- the service as a whole ------------------------------------------------------------------------


def test_health_readiness_and_root(client: TestClient, library: Library) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    ready = {"status": "ready", "generation": library.generation().id, "stale": False}
    same(schema.Readiness, client.get("/readyz"), ready)
    root = client.get("/").json()
    assert root["openapi"] == "/openapi.json"
    assert list(root["endpoints"]) == [
        "POST /v1/ask",
        "POST /v1/check",
        "GET /v1/search",
        "POST /v1/quote",
        "POST /v1/verify",
        "POST /v1/cite",
        "GET /v1/bibliography",
        "GET /v1/sources",
        "GET /v1/sources/{id}",
        "GET /v1/sources/{id}/text",
        "GET /v1/citations/{id}",
        "GET /healthz",
        "GET /readyz",
    ]


def test_a_hundred_at_once_get_the_same_bytes(library: Library) -> None:
    async def ask_all() -> list[httpx2.Response]:
        transport = httpx2.ASGITransport(create_app(library))
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            return await asyncio.gather(
                *(client.post("/v1/ask", json={"question": QUESTION, "k": 3}) for _ in range(100))
            )

    responses = asyncio.run(ask_all())
    expected = json.dumps(library.ask(QUESTION, 3).to_dict(), ensure_ascii=False) + "\n"
    assert {(response.status_code, response.text) for response in responses} == {(200, expected)}


def test_openapi_describes_everything(client: TestClient) -> None:
    api = client.get("/openapi.json").json()
    for operations in api["paths"].values():
        for operation in operations.values():
            assert operation["description"]
            for parameter in operation.get("parameters", []):
                assert parameter["description"]
            errors = {status: told for status, told in operation["responses"].items() if status >= "400"}
            assert "500" in errors
            for status, told in errors.items():
                assert list(told["content"]) == [PROBLEM]
                schema.Problem.model_validate(told["content"][PROBLEM]["example"])
                assert told["content"][PROBLEM]["example"]["status"] == int(status)
    for name, model in api["components"]["schemas"].items():
        for field, described in model["properties"].items():
            assert described.get("description"), f"{name}.{field}"
    question = api["components"]["schemas"]["AskRequest"]["properties"]
    assert question["question"]["maxLength"] == MAX_QUESTION_CHARS
    assert question["k"]["maximum"] == MAX_K
    assert "HTTPValidationError" not in json.dumps(api)
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404


# --- the examples in the docs ----------------------------------------------------------------------

NOUNS: dict[str, type[BaseModel]] = {
    "source": schema.Source,
    "locator": schema.Locator,
    "citation": schema.Citation,
    "hit": schema.Hit,
    "value": schema.Value,
    "answer": schema.Answer,
    "search": schema.Search,
    "surroundings": schema.Surroundings,
    "quotation": schema.Quotation,
    "verification": schema.Verification,
    "cited": schema.Cited,
    "bibliography": schema.Bibliography,
    "check": schema.Check,
    "problem": schema.Problem,
}


@pytest.mark.parametrize("noun", NOUNS)
def test_example_is_of_its_model(noun: str) -> None:
    text = (EXAMPLES / f"{noun}.json").read_text(encoding="utf-8")
    assert NOUNS[noun].model_validate_json(text, strict=True).model_dump(exclude_unset=True) == json.loads(text)
    for citation in _citations(json.loads(text)):
        assert citation["end"] - citation["start"] == len(citation["quote"])
        assert citation["id"] == "{source}@{sha256:.16}:{start}-{end}".format(**citation)


def _citations(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "quote" in node:
            yield node
        for child in node.values():
            yield from _citations(child)
    elif isinstance(node, list):
        for child in node:
            yield from _citations(child)
