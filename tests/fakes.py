"""Stand-ins at real seams."""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import asdict
from pathlib import Path

import numpy as np

from qa.encoder import EncoderSpec, Encoding, Role
from qa.evidence import JUDGED, PLAIN, RIVAL, Weights

_WORD = re.compile(r"\w+")


class WordEncoder:
    """An encoder whose vector is a function of the text alone: its words, hashed into 64 counts, to unit length."""

    spec = EncoderSpec("words", "0" * 64, "fp32", dimension=64, max_tokens=256, pooling="mean", prompts={})

    def count(self, text: str, role: Role = "passage") -> int:  # noqa: ARG002
        """The words of a text, and two for the special tokens."""
        return len(_WORD.findall(text)) + 2

    def encode(self, text: str, role: Role) -> Encoding:  # noqa: ARG002
        """The vectors of `text`, for either role: one coordinate a word."""
        found = list(_WORD.finditer(text))
        tokens = np.zeros((len(found), self.spec.dimension), dtype=np.float32)
        for row, match in enumerate(found):
            tokens[row, zlib.crc32(match.group().casefold().encode()) % self.spec.dimension] = 1
        vector = tokens.sum(axis=0) if found else np.ones(self.spec.dimension)
        unit = np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)
        return Encoding(unit, tokens, np.array([match.start() for match in found], dtype=np.int64))

    def save(self, folder: Path) -> None:
        """Write `encoder.json`, which is all there is."""
        (folder / "encoder.json").write_text(json.dumps(asdict(self.spec)))


# Evidence weighed by hand, so that no test of ours leans on what was fitted: words met tell for a sentence, a value of
# the kind asked for must be there; what is itself likely disputes.
BY_HAND = {
    PLAIN: Weights({"bias": -3.0, "met": 6.0, "lacks": -4.0, "names": -3.0, "values": -3.0}, 0.3),
    JUDGED: Weights({"judge": 1.0}, 0.3),
    RIVAL: Weights({"rival": 1.0}, 0.5),
}
