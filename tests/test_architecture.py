"""The house: imports run one way, heavy libraries stay behind one door each, and everything says what it is."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT, RealIndex

PACKAGE = ROOT / "qa"
MODULES = sorted(PACKAGE.rglob("*.py"))
PRODUCT = [*MODULES, *sorted((ROOT / "evals").rglob("*.py")), *sorted((ROOT / "docs").rglob("*.py"))]
MOST_LINES = 500

# A module imports only from rows above its own. Put a new module where it belongs; don't move one down to please it.
HOUSE = """
errors
settings words source tokens pandoc network
structure passage citation encoder judge folding fairness csl export polarity names values assertion question
relation
sense alteration bibliography links prose
quotation
verification
loaders lexicon texts
vectors matching
generation
index
search
evidence claim
agreement
answer draft
reference
library
render schema
incoming
api mcp terminal
writers
cli
__main__
"""
ROWS = {name: number for number, row in enumerate(HOUSE.split("\n")) for name in row.split()}

# Who alone may import a library, or one of our modules.
DOORS = {
    "sentence_transformers": {"encoder"},
    "torch": {"encoder"},
    "transformers": {"encoder"},
    "onnxruntime": {"network", "encoder"},
    "tokenizers": {"network"},
    "faiss": {"vectors"},
    "tantivy": {"lexicon"},
    "sqlite3": {"texts"},
    "langchain_text_splitters": {"passage"},
    "langchain_core": set[str](),
    "langchain": set[str](),
    "markdown_it": {"structure"},
    "yaml": {"loaders"},
    "pydantic": {"schema", "incoming"},
    "fastapi": {"api"},
    "starlette": {"api"},
    "uvicorn": {"cli"},
    "typer": {"terminal", "writers", "cli"},
    "rich": {"render", "terminal"},
    "rapidfuzz": {"alteration"},
    "pickle": set[str](),
    "qa.schema": {"api", "incoming"},
    "qa.incoming": {"api"},
}
TORCH = {"torch", "transformers", "sentence_transformers"}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def imported(path: Path) -> frozenset[str]:
    """All that a file imports, wherever in it: modules of ours as qa.NAME, of others by their full name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}, line {node.lineno}: import by the full name"
            assert node.module is not None
            found |= {_target(node.module, alias.name) for alias in node.names}
    return frozenset(found)


def _target(module: str, name: str) -> str:
    """`from qa import render` means the module qa.render; `from qa import Answer` the package's root."""
    return f"qa.{name}" if module == "qa" and (PACKAGE / f"{name}.py").exists() else module


def ours(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imported(path) if name.startswith("qa.")}


@pytest.mark.parametrize("path", [path for path in MODULES if path.name != "__init__.py"], ids=name_of)
def test_imports_run_one_way(path: Path) -> None:
    name = path.stem
    assert name in ROWS, f"{name} has no place in the house; give it one in HOUSE"
    wrong = {other for other in ours(path) if ROWS[other] >= ROWS[name]}
    assert not wrong, f"{name} imports {sorted(wrong)}, which don't stand above it"


def test_there_is_no_cycle() -> None:
    graph = {path.stem: ours(path) for path in MODULES if path.name != "__init__.py"}
    assert len(list(TopologicalSorter(graph).static_order())) == len(graph)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_in_the_package_imports_its_root_or_what_is_outside(path: Path) -> None:
    assert not {name for name in imported(path) if name == "qa" or name.split(".")[0] in ("tests", "training")}
    if path.stem != "cli":
        assert not {name for name in imported(path) if name.split(".")[0] == "evals"}


def test_citation_knows_only_sources() -> None:
    assert ours(PACKAGE / "citation.py") <= {"source", "errors"}


@pytest.mark.parametrize("door", DOORS)
def test_behind_one_door(door: str) -> None:
    through = {path.stem for path in MODULES for name in imported(path) if f"{name}.".startswith(f"{door}.")}
    assert through <= DOORS[door]


# --- the light road --------------------------------------------------------------------------------

LIST_MODULES = """
import json, sys
try:
    {code}
finally:
    print("MODULES", json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
COMMAND = "sys.argv[0] = 'qa'; from qa.cli import main; main()"


def loaded(code: str, *arguments: str, exit: int = 0) -> set[str]:
    """The top-level modules that a fresh Python has loaded after running some code."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("QA_")}
    command = [sys.executable, "-c", LIST_MODULES.format(code=code), *arguments]
    done = subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, timeout=120)
    assert done.returncode == exit, done.stderr
    line = next(line for line in done.stderr.splitlines() if line.startswith("MODULES "))
    return {name.split(".")[0] for name in json.loads(line.removeprefix("MODULES "))}


def test_import_qa_costs_nothing() -> None:
    assert not loaded("import qa") & (TORCH | {"numpy", "faiss", "tantivy", "onnxruntime", "typer", "rich", "pydantic"})


@pytest.mark.parametrize("arguments", [["--help"], ["ask", "--help"], ["eval", "--help"]], ids=" ".join)
def test_help_costs_little(arguments: list[str]) -> None:
    assert not loaded(COMMAND, *arguments) & (TORCH | {"numpy", "faiss", "tantivy", "onnxruntime", "fastapi"})


@pytest.mark.parametrize(
    "arguments",
    [
        ["ask", "How many American troops are based in Japan?"],
        ["search", "Korea clause", "--author", "yoho", "--json"],
        ["show", "yoho2021"],
        ["sources"],
        ["index", "--check"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_queries_never_import_torch(real_index: RealIndex, arguments: list[str]) -> None:
    places = ["--sources", str(real_index.sources), "--index", str(real_index.index)]
    heavy = TORCH | {"onnx", "langchain_text_splitters", "langchain_core", "fastapi"}
    assert not loaded(COMMAND, *arguments, *places) & heavy


def test_the_service_never_imports_torch(real_index: RealIndex) -> None:
    code = (
        "from starlette.testclient import TestClient; from qa.api import create_app; from qa.library import Library; "
        "answer = TestClient(create_app(Library.open(*sys.argv[1:]))).post('/v1/ask', json={'question': 'Korea'}); "
        "assert answer.status_code == 200, answer.text"
    )
    assert not loaded(code, str(real_index.sources), str(real_index.index)) & TORCH


# --- what is written -------------------------------------------------------------------------------


def public(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in tree.body:
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        if isinstance(node, kinds) and not node.name.startswith("_"):
            yield node


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_everything_public_says_what_it_is(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree) or not tree.body, f"{path} has no docstring"
    silent = [node.name for node in public(tree) if not ast.get_docstring(node)]
    assert not silent, f"{path}: {', '.join(silent)} have no docstring"


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_no_module_is_long(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES, f"{path.name} has {lines} lines; {MOST_LINES} is the most"


def test_the_root_offers_what_it_says() -> None:
    import qa

    assert sorted(qa.__all__) == qa.__all__
    for name in qa.__all__:
        assert getattr(qa, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = qa.Nothing
