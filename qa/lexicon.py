"""Lexicon: the words of all passages, for BM25 and phrases (tantivy)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tantivy

from qa.words import content_words, phrases, words

Ranges = Sequence[tuple[int, int]]  # half-open ranges of passage numbers
Scored = list[tuple[int, float]]  # passage number and score, best first


def write_lexicon(folder: Path, texts: Iterable[str]) -> None:
    """Index the words of passages, given in the order of their numbers, in a new folder."""
    folder.mkdir()
    index = tantivy.Index(_schema(), str(folder))
    index.register_tokenizer("folded", _analyzer())
    writer = index.writer(heap_size=256_000_000, num_threads=1)  # one thread: one order, and mostly one segment
    for number, text in enumerate(texts):
        document = tantivy.Document()
        document.add_unsigned("number", number)
        document.add_text("text", " ".join(word.text for word in words(text)))
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()
    for name in (".tantivy-writer.lock", ".tantivy-meta.lock"):
        (folder / name).unlink(missing_ok=True)


class Lexicon:
    """The open word index of a generation: read-only; ValueError or OSError if the folder doesn't hold one."""

    def __init__(self, folder: Path) -> None:
        self._words = _open_words(folder)
        self._words.register_tokenizer("folded", _analyzer())
        self._searcher = self._words.searcher()

    @property
    def count(self) -> int:
        """How many passages there are."""
        return int(self._searcher.num_docs)

    def matching(self, question: str, k: int, within: Ranges | None = None) -> Scored:
        """The k passages that best match the question's words by BM25; its quoted phrases must all stand in them."""
        terms = self._terms(" ".join(content_words(question)))
        if not terms or within == []:
            return []
        should = [(tantivy.Occur.Should, self._term(term)) for term in dict.fromkeys(terms)]
        query = tantivy.Query.boolean_query(should)
        limits = [self._phrase(phrase) for phrase in phrases(question)]
        if within is not None:
            limits.append(self._within(within))
        if limits:
            silent = [(tantivy.Occur.Must, tantivy.Query.const_score_query(limit, 0.0)) for limit in limits]
            query = tantivy.Query.boolean_query([(tantivy.Occur.Must, query), *silent])
        return self._run(query, k)

    def holding(self, question: str) -> list[int] | None:
        """The numbers of the passages that hold all quoted phrases of a question; None if it quotes none."""
        limits = [self._phrase(phrase) for phrase in phrases(question)]
        if not limits:
            return None
        query = tantivy.Query.boolean_query([(tantivy.Occur.Must, limit) for limit in limits])
        return sorted(number for number, _ in self._run(query, max(self.count, 1)))

    def rarity(self, question: str) -> dict[str, float]:
        """For each content word of a question, its BM25 idf among the passages; the key is the folded word."""
        out = {}
        for word in dict.fromkeys(content_words(question)):
            held = max((self._searcher.doc_freq("text", term) for term in self._terms(word)), default=0)
            out[word] = float(np.log1p((self.count - held + 0.5) / (held + 0.5)))
        return out

    def stems(self, folded: Iterable[str]) -> list[str]:
        """Folded words without their endings, one for one."""
        every = list(folded)
        together = list(self._analyze.analyze(" ".join(every)))
        if len(together) == len(every):
            return together
        return [(self._terms(word) or [word])[0] for word in every]

    @cached_property
    def _analyze(self) -> Any:
        return _analyzer()

    def _terms(self, text: str) -> list[str]:
        return list(self._analyze.analyze(" ".join(word.text for word in words(text))))

    def _term(self, term: str) -> Any:
        return tantivy.Query.term_query(self._words.schema, "text", term)

    def _phrase(self, phrase: str) -> Any:
        terms: list[str | tuple[int, str]] = [*self._terms(phrase)]
        return (
            self._term(str(terms[0]))
            if len(terms) == 1
            else tantivy.Query.phrase_query(self._words.schema, "text", terms)
        )

    def _within(self, ranges: Ranges) -> Any:
        spans = [
            tantivy.Query.range_query(
                self._words.schema, "number", tantivy.FieldType.Unsigned, a, b, include_lower=True, include_upper=False
            )
            for a, b in ranges
        ]
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, span) for span in spans])

    def _run(self, query: Any, k: int) -> Scored:
        hits = self._searcher.search(query, k, count=False).hits
        numbers = self._searcher.fast_field_values("number", [address for _, address in hits])
        scored = [(int(number or 0), float(score)) for number, (score, _) in zip(numbers, hits, strict=True)]
        return sorted(scored, key=lambda pair: (-pair[1], pair[0]))


def _schema() -> Any:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("number", indexed=True, fast=True)
    builder.add_text_field("text", tokenizer_name="folded", index_option="position")
    return builder.build()


def _analyzer() -> Any:
    """Words come folded and parted by blanks (qa.words); here they only lose their endings (Snowball English)."""
    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).filter(tantivy.Filter.stemmer("english")).build()


def _open_words(folder: Path) -> Any:
    """The word index; tantivy locks even what it only reads, so where it can't write it is given links to the files."""
    try:
        return tantivy.Index.open(str(folder))
    except ValueError:
        if os.access(folder, os.W_OK):
            raise
    with tempfile.TemporaryDirectory(prefix="qa-words-", ignore_cleanup_errors=True) as links:
        for path in folder.iterdir():
            if not path.name.startswith(".tantivy-"):
                (Path(links) / path.name).symlink_to(path.resolve())
        return tantivy.Index.open(links)
