"""Token vectors at two bits a dimension, and late interaction over them."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa import tokens
from qa.tokens import Codes, Floats

dimensions = st.sampled_from([1, 2, 3, 4, 30, 64, 384])
rotation = cache(tokens.rotation)
seeds = st.integers(0, 2**32 - 1)


def unit(seed: int, rows: int, dimension: int) -> Floats:
    vectors = np.random.default_rng(seed).standard_normal((rows, dimension))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def turned(vectors: Floats) -> Floats:
    return tokens.rotate(vectors, rotation(vectors.shape[1]))


def code(vectors: Floats) -> Codes:
    return tokens.compress(turned(vectors))


def decoded(codes: Codes) -> npt.NDArray[np.float64]:
    """What codes stand for, one dimension at a time."""
    rows = [[tokens._LEVELS[byte >> shift & 3] for byte in row for shift in (0, 2, 4, 6)] for row in codes.tolist()]
    return np.array(rows, dtype=np.float64).reshape(len(codes), 4 * codes.shape[1])


@pytest.mark.parametrize("dimension", [1, 3, 4, 30, 64, 384])
def test_rotation_is_orthogonal_and_always_the_same(dimension: int) -> None:
    matrix = tokens.rotation(dimension)
    assert matrix.shape == (4 * tokens.code_bytes(dimension),) * 2
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(matrix)), atol=2e-6)
    assert np.array_equal(matrix, tokens.rotation(dimension))


@pytest.mark.parametrize(("dimension", "size"), [(1, 1), (4, 1), (5, 2), (30, 8), (384, 96)])
def test_four_dimensions_take_a_byte(dimension: int, size: int) -> None:
    assert tokens.code_bytes(dimension) == size
    codes = code(unit(0, 3, dimension))
    assert codes.shape == (3, size) and codes.dtype == np.uint8


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(0, 9), dimensions)
def test_rotating_keeps_cosines(seed: int, rows: int, dimension: int) -> None:
    vectors = unit(seed, rows, dimension)
    rotated = turned(vectors)
    np.testing.assert_allclose(rotated @ rotated.T, vectors @ vectors.T, atol=5e-6)


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(0, 6), dimensions)
def test_a_vector_s_code_depends_on_nothing_beside_it(seed: int, rows: int, dimension: int) -> None:
    vectors = unit(seed, rows, dimension)
    rotated = turned(vectors)
    codes = tokens.compress(rotated)
    assert all(np.array_equal(tokens.compress(rotated[i : i + 1]), codes[i : i + 1]) for i in range(rows))


@settings(max_examples=30, deadline=None)
@given(seeds, st.lists(st.integers(0, 9), max_size=6), st.integers(0, 9), dimensions)
def test_similarities_are_the_cosines_with_what_the_codes_stand_for(
    seed: int, lengths: list[int], asked: int, dimension: int
) -> None:
    passages = [code(unit(seed + i, n, dimension)) for i, n in enumerate(lengths)]
    question = turned(unit(seed ^ 1, asked, dimension))
    found = tokens.similarities(passages, question)
    assert [one.shape for one in found] == [(n, asked) for n in lengths]
    for codes, one in zip(passages, found, strict=True):
        vectors = decoded(codes)
        expected = vectors @ question.T.astype(np.float64) / np.linalg.norm(vectors, axis=1, keepdims=True)
        np.testing.assert_allclose(one, expected.reshape(one.shape), atol=2e-6)


@settings(max_examples=30, deadline=None)
@given(seeds, st.lists(st.integers(0, 120), min_size=1, max_size=5), st.integers(1, 40), st.sampled_from([30, 64, 384]))
def test_a_passage_s_similarities_depend_on_no_other_passage_to_the_last_bit(
    seed: int, lengths: list[int], asked: int, dimension: int
) -> None:
    passages = [code(unit(seed + i, n, dimension)) for i, n in enumerate(lengths)]
    question = turned(unit(seed ^ 1, asked, dimension))
    together = tokens.similarities(passages, question)
    backwards = tokens.similarities(passages[::-1], question)[::-1]
    for i, codes in enumerate(passages):
        alone = tokens.similarities([codes], question)[0]
        assert np.array_equal(alone, together[i]) and np.array_equal(alone, backwards[i])


def test_equal_passages_have_equal_similarities() -> None:
    codes, question = code(unit(3, 7, 384)), turned(unit(4, 5, 384))
    first, *others = tokens.similarities([codes] * 100, question)
    assert all(np.array_equal(first, other) for other in others)


@pytest.mark.parametrize(("dimension", "mean", "most"), [(64, 0.06, 0.3), (384, 0.025, 0.12)])
def test_two_bits_tell_a_cosine_closely(dimension: int, mean: float, most: float) -> None:
    vectors = unit(5, 300, dimension)
    vectors[1::2] = vectors[::2] + 0.7 * vectors[1::2]  # half of them near another
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    (found,) = tokens.similarities([code(vectors)], turned(vectors))
    exact = vectors @ vectors.T
    apart = ~np.eye(len(vectors), dtype=bool)
    errors = np.abs(found - exact)
    assert errors[apart].mean() < mean and errors.max() < most
    own = np.diag(found)
    assert own.min() > 0.85 and np.abs(own).max() <= 1 + 1e-6


def test_one_hot_vectors_are_told_as_well_as_others() -> None:
    vectors = np.eye(64, dtype=np.float32)
    (found,) = tokens.similarities([code(vectors)], turned(vectors))
    assert np.diag(found).min() > 0.85
    assert np.abs(found - np.eye(64)).mean() < 0.08


def test_no_tokens_make_no_codes_and_no_scores() -> None:
    none = np.zeros((0, 384), dtype=np.float32)
    codes = code(none)
    assert codes.shape == (0, 96)
    question = turned(unit(6, 4, 384))
    assert [one.shape for one in tokens.similarities([codes, code(unit(7, 2, 384)), codes], question)] == [
        (0, 4), (2, 4), (0, 4)]  # fmt: skip
    assert tokens.similarities([], question) == []
    assert tokens.late_interaction(np.zeros((0, 4), dtype=np.float32), [(0, 0)]) == (0.0, [0.0])


# --- late interaction --------------------------------------------------------------------------------

# Rows are a passage's tokens, columns a question's.
MATRIX = np.array([[0.5, 0.0], [0.25, 1.0], [1.0, -0.5], [0.0, 0.5]], dtype=np.float32)


@pytest.mark.parametrize(
    ("sentences", "whole", "single"),
    [
        ([(0, 4)], 1.0, [1.0]),
        ([(0, 2), (2, 4)], 1.0, [0.75, 0.75]),
        ([(0, 1), (1, 2), (2, 3), (3, 4)], 1.0, [0.25, 0.625, 0.25, 0.25]),
        ([(0, 0), (0, 2), (2, 2), (2, 4), (4, 4)], 1.0, [0.0, 0.75, 0.0, 0.75, 0.0]),
        ([], 0.0, []),
        ([(0, 0)], 0.0, [0.0]),
    ],
)
def test_each_token_of_a_question_counts_its_best_match(
    sentences: list[tuple[int, int]], whole: float, single: list[float]
) -> None:
    assert tokens.late_interaction(MATRIX, sentences) == (whole, single)


@settings(max_examples=100, deadline=None)
@given(seeds, st.integers(1, 12), st.integers(1, 6), st.data())
def test_late_interaction_is_the_mean_of_the_best(seed: int, rows: int, columns: int, data: st.DataObject) -> None:
    matrix = np.random.default_rng(seed).random((rows, columns), dtype=np.float32)
    cuts = sorted(data.draw(st.lists(st.integers(0, rows), max_size=6)))
    parts = list(pairwise([0, *cuts, rows]))
    whole, single = tokens.late_interaction(matrix, parts)
    assert whole == pytest.approx(np.mean([max(matrix[:, j]) for j in range(columns)]), abs=1e-6)
    for (a, b), one in zip(parts, single, strict=True):
        expected = np.mean([max(matrix[a:b, j]) for j in range(columns)]) if a < b else 0.0
        assert one == pytest.approx(expected, abs=1e-6)
        assert one <= whole + 1e-6
