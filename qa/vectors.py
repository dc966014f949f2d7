"""Vectors: a vector for each passage, what finds the nearest of them (faiss), and the codes of all tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from qa import tokens
from qa.lexicon import Ranges
from qa.network import Floats

# Up to this many passages every vector is compared; beyond, faiss looks through the nearest cells of an inverted file
# of one-byte components, through as many of them as a sample needs for this recall of its nearest neighbours.
_EXACT_UP_TO = 50_000
_RECALL, _RECALL_AT, _RECALL_SAMPLE = 0.98, 10, 200
_TRAINED_ON = 64  # vectors a cell that the cells are found from

VECTORS, CODES, ROTATION, NEAREST = "vectors.f32", "tokens.u2", "rotation.f32", "nearest.faiss"


def write_nearest(folder: Path, dimension: int) -> dict[str, Any]:
    """Write what finds the nearest vectors, and return how it does: the manifest's `nearest`."""
    vectors = _mapped(folder / VECTORS, "<f4", dimension)
    if len(vectors) <= _EXACT_UP_TO:
        exact = faiss.IndexFlatIP(dimension)
        exact.add(np.ascontiguousarray(vectors))
        faiss.write_index(exact, str(folder / NEAREST))
        return {"factory": "Flat", "recall": 1.0}
    cells = 2 ** int(np.log2(4 * np.sqrt(len(vectors))))
    factory = f"IVF{cells},SQ8"
    index = faiss.index_factory(dimension, factory, faiss.METRIC_INNER_PRODUCT)
    step = max(1, len(vectors) // (_TRAINED_ON * cells))
    index.train(np.ascontiguousarray(vectors[::step]))
    for first in range(0, len(vectors), 2**16):
        index.add(np.ascontiguousarray(vectors[first : first + 2**16]))
    probes, recall = _probes(index, vectors, cells)
    faiss.write_index(index, str(folder / NEAREST))
    return {"factory": factory, "probes": probes, "recall": recall, "recall_at": _RECALL_AT, "sample": _RECALL_SAMPLE}


def _probes(index: Any, vectors: npt.NDArray[Any], cells: int) -> tuple[int, float]:
    """The fewest cells, by doubling, in which a sample of the vectors finds its nearest neighbours; and the recall."""
    chosen = np.linspace(0, len(vectors) - 1, _RECALL_SAMPLE).astype(np.int64)
    sample = np.ascontiguousarray(vectors[chosen])
    best = np.full((len(sample), 0), 0, dtype=np.int64)
    scores = np.full((len(sample), 0), 0, dtype=np.float32)
    for first in range(0, len(vectors), 2**16):
        products = sample @ np.asarray(vectors[first : first + 2**16]).T
        numbers = np.broadcast_to(np.arange(first, first + products.shape[1]), products.shape)
        scores, best = np.hstack([scores, products]), np.hstack([best, numbers])
        order = np.argsort(-scores, axis=1, kind="stable")[:, :_RECALL_AT]
        scores, best = np.take_along_axis(scores, order, 1), np.take_along_axis(best, order, 1)
    probes, recall = 8, 0.0  # questions lie farther from the passages than these do from one another
    while recall < _RECALL and probes < cells:
        probes *= 2
        index.nprobe = probes
        _, found = index.search(sample, 2 * _RECALL_AT)  # scores are exact only after the search
        recall = float(np.mean([len({*a} & {*b}) / _RECALL_AT for a, b in zip(best, found, strict=True)]))
    return probes, round(recall, 4)


class Vectors:
    """The open vectors of a generation: read-only; RuntimeError, ValueError or OSError if they can't be read.

    `how` is what `write_nearest` returned.
    """

    def __init__(self, folder: Path, dimension: int, how: Mapping[str, Any]) -> None:
        flags = 0 if how["factory"] == "Flat" else faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY
        size = tokens.code_bytes(dimension) * tokens.PER_BYTE
        self._how = how
        self._faiss = faiss.read_index(str(folder / NEAREST), flags)
        self._vectors = _mapped(folder / VECTORS, "<f4", dimension)
        self._codes = _mapped(folder / CODES, "u1", tokens.code_bytes(dimension))
        self.rotation: Floats = np.fromfile(folder / ROTATION, dtype="<f4").reshape(size, size)

    @property
    def count(self) -> int:
        """How many passages there are."""
        return int(self._faiss.ntotal)

    def rows(self, numbers: Sequence[int]) -> Floats:
        """The vectors of some passages, shape (len(numbers), dimension)."""
        return np.asarray(self._vectors[np.asarray(numbers, dtype=np.int64)], dtype=np.float32)

    def codes(self, first: int, last: int) -> tokens.Codes:
        """The codes of the tokens [first, last), shape (last - first, bytes)."""
        return np.asarray(self._codes[first:last])

    def cosines(self, vector: Floats, numbers: Sequence[int]) -> list[float]:
        """Cosine of `vector` with some passages' vectors; each depends on its own pair alone, to the last bit."""
        if not numbers:
            return []
        products = self.rows(numbers).astype(np.float64) * vector.astype(np.float64)
        return [float(row.sum()) for row in products]

    def nearest(self, vector: Floats, k: int, within: Ranges | None = None) -> list[int]:
        """The numbers of the k passages whose vectors are nearest to `vector`; of equal ones the first."""
        k = min(k, self.count)
        if k < 1 or within == []:
            return []
        if self._how["factory"] == "Flat":
            found = self._nearest_exactly(vector, k, within)
        elif within is not None and sum(b - a for a, b in within) <= _EXACT_UP_TO:
            found = self._nearest_among(vector, k, within)
        else:
            parameters = faiss.SearchParametersIVF(nprobe=self._how["probes"], **_selected(within))  # type: ignore[call-arg]
            _, numbers = self._faiss.search(vector[None], 2 * k, params=parameters)
            found = sorted(int(n) for n in numbers[0] if n >= 0)
            every = within or [(0, self.count)]
            if len(found) < min(k, sum(b - a for a, b in every)):  # the cells looked through hold too few
                found = self._nearest_among(vector, k, every)
        ranked = sorted(zip(self.cosines(vector, found), found, strict=True), key=lambda pair: (-pair[0], pair[1]))
        return [number for _, number in ranked[:k]]

    def _nearest_exactly(self, vector: Floats, k: int, within: Ranges | None) -> list[int]:
        parameters = faiss.SearchParameters(**_selected(within)) if within is not None else None
        scores, numbers = self._faiss.search(vector[None], k, params=parameters)
        found = [int(n) for n in numbers[0] if n >= 0]
        if len(found) < k or k == self.count:
            return found
        # Passages with one text have one score: take all that reach the last place, for the first of them to be kept.
        worst = np.nextafter(scores[0][-1] - np.float32(1e-6), np.float32(-2))
        limits, _, reached = self._faiss.range_search(vector[None], float(worst), params=parameters)
        return sorted({*found, *(int(n) for n in reached[limits[0] : limits[1]])})

    def _nearest_among(self, vector: Floats, k: int, within: Ranges) -> list[int]:
        chosen = np.concatenate([np.arange(a, b) for a, b in within])
        products = np.concatenate([self._vectors[a:b] @ vector for a, b in within])
        if len(chosen) <= k:
            return [int(n) for n in chosen]
        worst = np.partition(products, -k)[-k]
        return [int(n) for n in chosen[products >= worst - np.float32(1e-6)]]


def _selected(within: Ranges | None) -> dict[str, Any]:
    """The argument that confines a faiss search to some passages; none for all."""
    if within is None:
        return {}
    return {"sel": faiss.IDSelectorBatch(np.concatenate([np.arange(a, b, dtype=np.int64) for a, b in within]))}


def _mapped(path: Path, dtype: str, width: int) -> npt.NDArray[Any]:
    """A file of rows, mapped into memory; an empty one can't be mapped."""
    if not path.stat().st_size:
        return np.zeros((0, width), dtype=dtype)
    return np.memmap(path, dtype=dtype, mode="r").reshape(-1, width)
