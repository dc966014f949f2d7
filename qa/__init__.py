"""Answers that can be proved: verbatim passages from your own documents, each with a citation that anyone can check.

>>> import qa
>>> library = qa.Library.open("sources", "index")
>>> answer = library.ask("How many American troops are based in Japan?")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qa.answer import Answer, Value
    from qa.bibliography import Bibliography, Entry
    from qa.citation import Citation, CitationId, cite
    from qa.errors import QAError
    from qa.library import Changes, Indexed, Library, Search, Surroundings
    from qa.loaders import load_file
    from qa.passage import Passage, split_passages
    from qa.reference import Cited, Reference
    from qa.search import Filters, Highlight, Hit
    from qa.settings import Settings
    from qa.source import Block, Erratum, Locator, Source, SourceInfo

__version__ = "0.1.0"

_HOME = {
    "qa.answer": ("Answer", "Value"),
    "qa.bibliography": ("Bibliography", "Entry"),
    "qa.citation": ("Citation", "CitationId", "cite"),
    "qa.errors": ("QAError",),
    "qa.library": ("Changes", "Indexed", "Library", "Search", "Surroundings"),
    "qa.loaders": ("load_file",),
    "qa.passage": ("Passage", "split_passages"),
    "qa.reference": ("Cited", "Reference"),
    "qa.search": ("Filters", "Highlight", "Hit"),
    "qa.settings": ("Settings",),
    "qa.source": ("Block", "Erratum", "Locator", "Source", "SourceInfo"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Answer",
    "Bibliography",
    "Block",
    "Changes",
    "Citation",
    "CitationId",
    "Cited",
    "Entry",
    "Erratum",
    "Filters",
    "Highlight",
    "Hit",
    "Indexed",
    "Library",
    "Locator",
    "Passage",
    "QAError",
    "Reference",
    "Search",
    "Settings",
    "Source",
    "SourceInfo",
    "Surroundings",
    "Value",
    "cite",
    "load_file",
    "split_passages",
]


def __getattr__(name: str) -> Any:
    """Load a noun's module when it is first asked for, so that `import qa` costs nothing."""
    if name not in _MODULE:
        raise AttributeError(f"module 'qa' has no attribute '{name}'")
    return getattr(importlib.import_module(_MODULE[name]), name)
