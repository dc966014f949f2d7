"""Generation: one index, whole and never changed, and the open view of it.

index/
  current                 the name of the generation in force, switched by one rename
  gen-<id>-<n>/
    manifest.json         format, encoder, settings, counts, a sha256 for each source and each file
    manifest.sha256       of the manifest itself
    texts.sqlite          sources and passages
    vectors.f32           a vector a passage, in passage order
    nearest.faiss         the same, made to be searched
    tokens.u2             two bits a dimension for each token's vector, in passage order
    rotation.f32          what a question's token vectors are turned by to meet those
    words/                tantivy: the passages' words, for BM25 and phrases
    encoder/              the exported network and its tokenizer
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from qa import tokens
from qa.encoder import Encoder
from qa.errors import REBUILD, EncoderError, IndexDamaged, IndexMissing
from qa.lexicon import Lexicon
from qa.network import Floats
from qa.texts import Sentence, StoredPassage, Texts
from qa.vectors import Vectors

# One more whenever the files change, or when loaders, structure, passages or words make others of the same sources.
FORMAT = 2

MANIFEST, MANIFEST_SUM = "manifest.json", "manifest.sha256"
NAME = re.compile(r"gen-[0-9a-f]{16}-[0-9]{1,6}")

# Files up to this size are hashed whenever an index is opened; larger ones by `qa index --check`.
_HASHED_ON_OPEN = 32 * 2**20


class Generation:
    """The open view of one generation: its texts, its words and its vectors; may be shared between threads."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        self.folder = folder
        self.manifest = manifest
        self.id = str(manifest["generation"])
        try:
            self.texts = Texts(folder / "texts.sqlite", [source["content"] for source in manifest["sources"]])
            self.lexicon = Lexicon(folder / "words")
            self.vectors = Vectors(folder, int(manifest["encoder"]["dimension"]), manifest["nearest"])
        except (RuntimeError, ValueError, OSError) as error:
            raise IndexDamaged(f"the index in {folder} can't be opened ({error}); {REBUILD}") from error
        if not manifest["counts"]["passages"] == self.count == self.lexicon.count:
            raise IndexDamaged(f"the index in {folder} has parts of different sizes; {REBUILD}")

    @classmethod
    def open(cls, folder: Path, asking: bool = False) -> Generation:
        """Open the generation in force, its manifest and its files checked; with `asking` its encoder begins to load.

        Raises IndexMissing when there is none, IndexDamaged when it isn't whole or isn't ours.
        """
        name = current_name(folder)
        for _ in range(3):  # a build may sweep the old one away between the two steps
            path = folder / name
            if path.is_dir() or current_name(folder) == name:
                break
            name = current_name(folder)
        encoder = None
        if asking:
            with suppress(EncoderError):  # what is damaged is named below
                encoder = Encoder(path / "encoder")
                encoder.warm()
        generation = cls(path, read_manifest(path, _HASHED_ON_OPEN))
        if encoder:
            generation.encoder = encoder
        return generation

    @cached_property
    def encoder(self) -> Encoder:
        """The network that made this generation's vectors."""
        return Encoder(self.folder / "encoder")

    @property
    def count(self) -> int:
        """How many passages there are."""
        return self.vectors.count

    def token_codes(self, number: int) -> tuple[tokens.Codes, tuple[Sentence, ...]]:
        """The codes of a passage's tokens and its sentences, all that is kept of it checked against its checksum."""
        stored = self.texts.stored(number)
        try:
            codes = self.vectors.codes(stored.first, stored.last)
            whole = checksum(stored, self.vectors.rows([number])[0], codes) == stored.crc
        except (TypeError, IndexError):
            whole = False
        if not whole:
            raise IndexDamaged(f"the index is damaged: passage {number} in {self.folder}; {REBUILD}")
        return codes, stored.sentences


def checksum(stored: StoredPassage, vector: Floats, codes: tokens.Codes) -> int:
    """What tells later whether all that is kept of a passage is still what was written."""
    place = (stored.source, stored.start, stored.end, stored.first, stored.last, *(s.row for s in stored.sentences))
    crc = zlib.crc32(codes.tobytes(), zlib.crc32(vector.astype("<f4").tobytes()))
    return zlib.crc32(repr(place).encode(), crc)


def current_name(folder: Path) -> str:
    """The name of the generation in force; IndexMissing if there is none."""
    try:
        name = (folder / "current").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise IndexMissing(f"there is no index in {folder}; run `qa index` to build it") from error
    if not NAME.fullmatch(name):
        raise IndexDamaged(f"{folder / 'current'} doesn't name a generation; {REBUILD}")
    return name


def read_manifest(path: Path, hash_up_to: int | None = None) -> dict[str, Any]:
    """A generation's manifest, with every file's size checked and files up to `hash_up_to` bytes (None: all) hashed."""
    try:
        data = (path / MANIFEST).read_bytes()
        manifest = json.loads(data)
        version = manifest["format"]
        files = manifest["files"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IndexDamaged(f"{path} has no readable {MANIFEST}; {REBUILD}") from error
    if version != FORMAT:
        raise IndexDamaged(f"the index in {path} has format {version}, and this version reads {FORMAT}; {REBUILD}")
    try:
        whole = (path / MANIFEST_SUM).read_text() == hashlib.sha256(data).hexdigest() + "\n"
    except (OSError, ValueError):
        whole = False
    if not whole:
        raise IndexDamaged(f"the index is damaged: {path / MANIFEST} and {MANIFEST_SUM} don't agree; {REBUILD}")
    for name, expected in files:
        file = path / name
        size = file.stat().st_size if file.is_file() else None
        if size != expected["bytes"]:
            state = "is missing" if size is None else f"has {size} bytes instead of {expected['bytes']}"
            raise IndexDamaged(f"the index is damaged: {file} {state}; {REBUILD}")
        if (hash_up_to is None or size <= hash_up_to) and sha256(file) != expected["sha256"]:
            raise IndexDamaged(f"the index is damaged: {file} is not what was written; {REBUILD}")
    return dict(manifest)


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
