"""Token vectors at two bits a dimension, and what they say of a question: late interaction.

A random rotation makes the coordinates of a unit vector nearly normal, whatever the model, so that a fixed quantiser
suits all of them and nothing has to be trained on a corpus (as in TurboQuant, Zandieh et al. 2025; the levels are those
of Max, "Quantizing for Minimum Distortion", 1960). The question's vectors keep full precision. The score is that of
ColBERT (Khattab and Zaharia 2020), as a mean: for each token of the question the best match in the passage.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]

_EDGES = np.array([-0.9816, 0.0, 0.9816], dtype=np.float32)
_LEVELS = np.array([-1.5104, -0.4528, 0.4528, 1.5104], dtype=np.float32)
PER_BYTE = 4
_SEED = 20_000_805

_UNPACKED = _LEVELS[(np.arange(256)[:, None] >> np.array([0, 2, 4, 6])) & 3]  # what each byte stands for, (256, 4)


def rotation(dimension: int) -> Floats:
    """The orthogonal matrix that all codes of one dimension share, shape (padded, padded), padded to whole bytes."""
    size = code_bytes(dimension) * PER_BYTE
    with _one_thread():
        q, r = np.linalg.qr(np.random.default_rng(_SEED).standard_normal((size, size)))
    return np.asarray(q * np.sign(np.diag(r)), dtype=np.float32)


def code_bytes(dimension: int) -> int:
    """How many bytes the code of one vector takes."""
    return -(-dimension // PER_BYTE)


def rotate(vectors: Floats, matrix: Floats) -> Floats:
    """Unit vectors in the rotated space, shape (n, dimension) → (n, padded)."""
    padded = np.zeros((len(vectors), len(matrix)), dtype=np.float32)
    padded[:, : vectors.shape[1]] = vectors
    with _one_thread():
        return padded @ matrix


def compress(rotated: Floats) -> Codes:
    """Rotated unit vectors as codes, shape (n, padded) → (n, padded / 4)."""
    levels = np.searchsorted(_EDGES, rotated * np.sqrt(rotated.shape[1], dtype=np.float32)).astype(np.uint8)
    parts = levels.reshape(len(levels), rotated.shape[1] // PER_BYTE, PER_BYTE)
    return np.asarray(parts[..., 0] | parts[..., 1] << 2 | parts[..., 2] << 4 | parts[..., 3] << 6, dtype=np.uint8)


def similarities(passages: Sequence[Codes], question: Floats) -> list[Floats]:
    """Cosines of each passage's tokens with a question's rotated ones, shape (passage tokens, question tokens) each.

    Each passage has a product of its own: in one of them all, a row's last bits would depend on where it stands.
    """
    if not passages:
        return []
    vectors = np.take(_UNPACKED, np.concatenate(passages), axis=0).reshape(-1, question.shape[1])
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    cuts = [0, *accumulate(len(codes) for codes in passages)]
    with _one_thread():
        return [(vectors[a:b] @ question.T) / lengths[a:b] for a, b in pairwise(cuts)]


def _one_thread() -> Any:
    """Keep BLAS on one thread: on products this small others only wait, and a build or a service has its own."""
    return _threads().limit(limits=1, user_api="blas")


@cache
def _threads() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def met(similarity: Floats, sentences: Sequence[tuple[int, int]]) -> Floats:
    """How well each sentence meets each of a question's tokens, shape (sentences, question tokens); empty ones not.

    The sentences are ranges of tokens that follow one another and hold all of the passage's between them.
    """
    found = np.zeros((len(sentences), similarity.shape[1]), dtype=np.float32)
    filled = [i for i, (first, last) in enumerate(sentences) if first < last]
    if filled and similarity.size:
        found[filled] = np.maximum.reduceat(similarity, [sentences[i][0] for i in filled], axis=0)
    return found


def late_interaction(similarity: Floats, sentences: Sequence[tuple[int, int]]) -> tuple[float, list[float]]:
    """How well a passage meets a question, and how well each of its sentences does by itself: 0 to 1.

    The sentences are as for `met`.
    """
    return late_scores(met(similarity, sentences), sentences)


def late_scores(found: Floats, sentences: Sequence[tuple[int, int]]) -> tuple[float, list[float]]:
    """`late_interaction` of what `met` gave."""
    filled = [i for i, (first, last) in enumerate(sentences) if first < last]
    if not filled or not found.size:
        return 0.0, [0.0] * len(sentences)
    return float(found[filled].max(axis=0).mean()), [float(row.mean()) for row in found]
