"""Token vectors at two bits a dimension, and what they say of a question: late interaction.

A random rotation makes the coordinates of a unit vector nearly normal, whatever the model, so that a fixed quantiser
suits all of them and nothing has to be trained on a corpus (as in TurboQuant, Zandieh et al. 2025; the levels are those
of Max, "Quantizing for Minimum Distortion", 1960). The question's vectors keep full precision. The score is that of
ColBERT (Khattab and Zaharia 2020), as a mean: for each token of the question the best match in the passage.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]

_EDGES = np.array([-0.9816, 0.0, 0.9816], dtype=np.float32)
_LEVELS = np.array([-1.5104, -0.4528, 0.4528, 1.5104], dtype=np.float32)
_PER_BYTE = 4
_SEED = 20_000_805

# What each byte stands for: four levels, shape (256, 4), and the sum of their squares, shape (256,).
_UNPACKED = _LEVELS[(np.arange(256)[:, None] >> np.array([0, 2, 4, 6])) & 3]
_SQUARES = (_UNPACKED**2).sum(axis=1)


def rotation(dimension: int) -> Floats:
    """The orthogonal matrix that all codes of one dimension share, shape (padded, padded), padded to whole bytes."""
    size = code_bytes(dimension) * _PER_BYTE
    q, r = np.linalg.qr(np.random.default_rng(_SEED).standard_normal((size, size)))
    return np.asarray(q * np.sign(np.diag(r)), dtype=np.float32)


def code_bytes(dimension: int) -> int:
    """How many bytes the code of one vector takes."""
    return -(-dimension // _PER_BYTE)


def rotate(vectors: Floats, matrix: Floats) -> Floats:
    """Unit vectors in the rotated space, shape (n, dimension) → (n, padded)."""
    padded = np.zeros((len(vectors), len(matrix)), dtype=np.float32)
    padded[:, : vectors.shape[1]] = vectors
    return padded @ matrix


def compress(rotated: Floats) -> Codes:
    """Rotated unit vectors as codes, shape (n, padded) → (n, padded / 4)."""
    levels = np.searchsorted(_EDGES, rotated * np.sqrt(rotated.shape[1], dtype=np.float32)).astype(np.uint8)
    parts = levels.reshape(len(levels), -1, _PER_BYTE)
    return np.asarray(parts[..., 0] | parts[..., 1] << 2 | parts[..., 2] << 4 | parts[..., 3] << 6, dtype=np.uint8)


def similarities(codes: Codes, question: Floats) -> Floats:
    """Cosines of a passage's tokens with a question's rotated tokens, shape (passage tokens, question tokens)."""
    vectors = _UNPACKED[codes].reshape(len(codes), -1)
    lengths = np.sqrt(_SQUARES[codes].sum(axis=1, keepdims=True))
    return np.asarray((vectors @ question.T) / lengths, dtype=np.float32)


def late_interaction(similarity: Floats, sentences: Sequence[tuple[int, int]]) -> tuple[float, list[float]]:
    """How well a passage meets a question, and how well each of its sentences (token ranges) does by itself: 0 to 1."""
    if not similarity.size:
        return 0.0, [0.0] * len(sentences)
    whole = float(similarity.max(axis=0).mean())
    return whole, [float(similarity[a:b].max(axis=0).mean()) if a < b else 0.0 for a, b in sentences]
