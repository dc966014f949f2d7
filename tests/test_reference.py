"""Reference: a claim's finished citations, the same from the library, the command line and the service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from qa import schema, terminal
from qa.api import create_app
from qa.errors import QueryError
from qa.library import Library
from qa.reference import NO_PINPOINT, NOTES
from qa.search import Filters
from qa.settings import Settings
from tests.fakes import WordEncoder
from tests.test_cli import Done, Run, bare  # noqa: F401

CLAIM = "The old lighthouse of Brandholm is 41 metres tall"
FILES = {
    "lights.md": """---
record: {title: Lights of the Coast, author: [{family: Ørsted, given: Anna}], issued: "2018-06-16", type: webpage,
         URL: "https://example.org/lights"}
---
# Lights of the Coast

## Brandholm

- The old lighthouse of Brandholm is 41 metres tall.
- The old lighthouse of Brandholm is 41 metres tall, they say.

The tower burns coal.
""",
    "digest.md": "---\nkind: brief\noriginal: pilots2020\ntitle: On Pilots\n---\n# On Pilots\n\n## A-B\n\n"
    "Harbours need pilots, the author holds. <!-- ¶ 7 -->\n",
    "bare.md": "---\nkind: brief\n---\nWhales sing under the northern ice.\n",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("sources")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    library = Library(Settings(folder, tmp_path_factory.mktemp("index")), encoder=WordEncoder())
    library.index()
    return library


@pytest.fixture
def qa(bare: Run, library: Library, monkeypatch: pytest.MonkeyPatch) -> Run:  # noqa: F811
    @contextmanager
    def shared(_sources: Path | None, _index: Path | None, **_: bool) -> Iterator[Library]:
        yield library

    monkeypatch.setattr(terminal, "open_library", shared)
    return bare


@pytest.fixture(scope="module")
def client(library: Library) -> Iterator[TestClient]:
    with TestClient(create_app(library), raise_server_exceptions=False) as client:
        yield client


def test_a_claim_gets_a_finished_citation(library: Library) -> None:
    found = library.cite(CLAIM, 1)
    one = found.references[0]
    assert found.status == "found" and one.use == "quotation" and one.note is None
    assert one.citation.quote == library.source("lights").text[one.citation.start : one.citation.end]
    assert one.citation.quote.startswith("The old lighthouse")  # without the item's bullet
    assert one.in_text == "(Ørsted, 2018, Brandholm section, para. 1)"
    assert one.pandoc == '[@lights, sec. "Brandholm", para. 1]'
    assert one.link and one.link.startswith("https://example.org/lights#:~:text=")
    [entry] = found.entries
    assert entry.text == "Ørsted, A. (2018, June 16). Lights of the Coast. https://example.org/lights"
    assert entry.missing == ("container-title|publisher",)


def test_a_brief_supports_and_is_cited_to_its_original_s_place(library: Library) -> None:
    one = library.cite("Harbours need pilots", 1).references[0]
    assert (one.use, one.note, one.link, one.entry) == ("support", NOTES["support"], None, "pilots2020")
    assert one.pandoc == '[@pilots2020, sec. "A-B", para. 7]' and "A-B section, para. 7" in one.in_text


def test_a_brief_without_pinpoints_is_cited_without(library: Library) -> None:
    one = library.cite("Whales sing under the northern ice", 1).references[0]
    assert one.locator is None and one.pandoc == "[@bare]"
    assert one.note is not None and one.note.endswith(NO_PINPOINT)


def test_silent_sources_cite_nothing(library: Library, qa: Run) -> None:
    found = library.cite("Who composed fourteen symphonies?")
    assert (found.status, found.references, found.entries) == ("not_found", (), ())
    assert "The sources don't support it." in qa("cite", "Who composed fourteen symphonies?").out
    assert qa("cite", "Who composed fourteen symphonies?").code == 1


@pytest.mark.parametrize("text", [CLAIM, "Harbours need pilots", "Who composed fourteen symphonies?"])
@pytest.mark.parametrize("style", ["apa", "chicago-notes"])
def test_every_surface_gives_the_same(library: Library, qa: Run, client: TestClient, text: str, style: str) -> None:
    expected = library.cite(text, 2, style, Filters(kind=None)).to_dict()
    printed = qa("cite", text, "-k", "2", "--style", style, "--json")
    response = client.post("/v1/cite", json={"text": text, "k": 2, "style": style})
    assert printed.lines == [expected] and response.json() == expected
    model = schema.Cited.model_validate_json(response.content, strict=True)
    assert model.model_dump(exclude_unset=True) == expected


@pytest.mark.parametrize("style", ["apa", "ieee"])
def test_every_surface_gives_the_same_list(library: Library, qa: Run, client: TestClient, style: str) -> None:
    expected = library.bibliography(style).to_dict()
    assert qa("bibliography", "--style", style, "--json").lines == [expected]
    response = client.get(f"/v1/bibliography?style={style}")
    assert schema.Bibliography.model_validate_json(response.content, strict=True).model_dump() == expected
    for format in ("text", "markdown", "bibtex", "ris", "csl-json"):
        file = client.get(f"/v1/bibliography?style={style}&format={format}&source=lights")
        written = library.bibliography(style, ["lights"]).write(format)
        assert file.status_code == 200 and file.text == written
        if format != "text":
            assert qa("bibliography", "--style", style, "--format", format, "--source", "lights").out == written


@pytest.mark.parametrize(
    ("format", "out"),
    [
        ("pandoc", '[@lights, sec. "Brandholm", para. 1]\n'),
        ("markdown", "(Ørsted, 2018, Brandholm section, para. 1)\n\nØrsted, A."),
        ("bibtex", "@misc{lights,\n"),
        ("ris", "TY  - ELEC\n"),
        ("csl-json", "[\n  {\n"),
    ],
)
def test_formats_are_printed_bare(qa: Run, format: str, out: str) -> None:
    done = qa("cite", CLAIM, "-k", "1", "--format", format)
    assert done.code == 0 and done.out.startswith(out) and not done.err


def test_a_draft_is_read(qa: Run, tmp_path: Path) -> None:
    draft = tmp_path / "draft.md"
    draft.write_text("A claim [@lights].\n\nAnd [@nobody].\n", encoding="utf-8")
    done = qa("bibliography", str(draft))
    assert done.code == 1 and "Ørsted, A." in done.out and "On Pilots" not in done.out
    assert "line 3 cites 'nobody', which is no source of the library" in done.err
    assert qa("bibliography", "-", stdin=b"[@lights]").code == 0
    assert qa("bibliography", "-", stdin=b"nothing").code == 1


def failed(done: Done) -> str:
    assert done.code == 2 and not done.out
    return done.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["cite", "x", "--style", "nope"], "there is no citation style 'nope'"),
        (["cite", "x", "--style", "gone.csl"], "can't be read"),
        (["cite", "x", "--format", "docx"], "there is no format 'docx'"),
        (["cite", "x", "--source", "nope"], "there is no source 'nope'"),
        (["cite", " "], "has no words"),
        (["cite", "x", "-k", "0"], "k is 0"),
        (["bibliography", "--format", "pandoc"], "there is no format 'pandoc'"),
        (["bibliography", "--source", "nope"], "there is no source 'nope'"),
        (["bibliography", "gone.md"], "can't be read"),
    ],
)
def test_errors_say_the_way_out(qa: Run, arguments: list[str], told: str) -> None:
    assert told in failed(qa(*arguments))


def test_a_draft_in_another_encoding_is_refused(qa: Run, tmp_path: Path) -> None:
    (tmp_path / "d.md").write_bytes(b"caf\xe9")
    assert "it isn't UTF-8" in failed(qa("bibliography", str(tmp_path / "d.md")))


@pytest.mark.parametrize("style", ["/etc/passwd", "../x", "own.csl", "", "A", "nope"])
def test_no_style_file_is_read_over_http(client: TestClient, style: str) -> None:
    for response in (
        client.post("/v1/cite", json={"text": CLAIM, "style": style}),
        client.get("/v1/bibliography", params={"style": style}),
    ):
        assert response.status_code == 422 and "style" in response.json()["detail"]


@pytest.mark.parametrize("query", ["format=docx", "source=nope", "draft=x", "style=apa&k=1"])
def test_bad_requests_are_refused(client: TestClient, query: str) -> None:
    assert client.get(f"/v1/bibliography?{query}").status_code == 422


def test_an_unknown_style_is_an_error_whatever_is_found(library: Library) -> None:
    for text in (CLAIM, "Who composed fourteen symphonies?"):
        with pytest.raises(QueryError, match="there is no citation style"):
            library.cite(text, style="nope")


def test_objects_are_plain_json(library: Library) -> None:
    found: dict[str, Any] = library.cite(CLAIM).to_dict()
    assert json.loads(json.dumps(found)) == found
