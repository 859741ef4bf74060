"""QR and damped systems in machine code against NumPy's."""

import ctypes

import numpy as np
import pytest

from packtrain.kernels.least_squares.llvm_algebra import LANES, algebra

POINTER, NUMBER = ctypes.c_void_p, ctypes.c_int64
TRIANGULARIZE = ctypes.CFUNCTYPE(None, POINTER, *[NUMBER] * 4)
SOLVE = ctypes.CFUNCTYPE(None, *[POINTER] * 5, NUMBER, NUMBER)


def whole(rows: int) -> int:
    return -(-rows // LANES) * LANES


def triangularized(columns: np.ndarray, pivots: int) -> np.ndarray:
    """The columns [K, M], M a multiple of LANES, with the first `pivots` upper triangular."""
    columns = columns.copy()
    call = TRIANGULARIZE(algebra().address["triangularize"])
    call(columns.ctypes.data, columns.shape[1], columns.shape[1], pivots, len(columns))
    return columns


def upper(columns: np.ndarray, pivots: int) -> np.ndarray:
    """Its first rows, and zeros below the diagonal."""
    rows = columns[:, :pivots].T
    return np.where(np.arange(pivots)[:, None] <= np.arange(len(columns)), rows, 0)


@pytest.mark.parametrize("rows", [1, 2, 7, 8, 9, 30, 1000])
@pytest.mark.parametrize("size", [1, 2, 4, 7, 8, 9, 20])
def test_triangularize_is_the_qr_of_numpy(size: int, rows: int) -> None:
    columns = np.zeros((size + 1, whole(rows)))
    columns[:, :rows] = np.random.default_rng(3).normal(size=(size + 1, rows))
    pivots = min(size, rows)
    found = upper(triangularized(columns, pivots), pivots)
    expected = np.linalg.qr(columns.T, mode="r")[:pivots]
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose((found.T @ found)[:, :pivots], (columns @ columns.T)[:, :pivots], atol=1e-9)


@pytest.mark.parametrize("column", [0, 1, 2])
def test_triangularize_passes_over_a_column_of_zeros(column: int) -> None:
    columns = np.random.default_rng(3).normal(size=(4, 8))
    columns[column] = 0
    found = triangularized(columns, 3)
    assert not found[column].any() and np.isfinite(found).all()


def test_nan_of_a_column_stays_in_what_it_is_multiplied_with() -> None:
    columns = np.random.default_rng(3).normal(size=(4, 8))
    columns[2, 5] = np.nan
    found = upper(triangularized(columns, 3), 3)
    assert np.isfinite(found[:2, :2]).all() and np.isnan(found[2, 2])


@pytest.mark.parametrize("size", [1, 2, 5, 8, 11])
@pytest.mark.parametrize("damped", [False, True])
@pytest.mark.parametrize("all_free", [False, True])
def test_solve_minimizes_the_squares(size: int, damped: bool, all_free: bool) -> None:
    draw = np.random.default_rng(size)
    height = whole(size)
    root = np.zeros((size + 1, height))
    root[:size, :size] = np.tril(draw.normal(size=(size, size)) + 2 * np.eye(size))
    root[size, :size] = draw.normal(size=size)
    free = np.ones(size, bool)
    free[size // 2] = all_free
    diagonal = draw.uniform(0.1, 2, size) * damped
    work, step = np.full((size + 1, 2 * height), np.nan), np.full(size, np.nan)
    at = [array.ctypes.data for array in (root, free, diagonal, work, step)]
    SOLVE(algebra().address["solve"])(*at, size, height)
    matrix = np.concatenate([(root[:size, :size] * free[:, None]).T, np.diag(np.where(free, diagonal, 1))])
    right = np.concatenate([-root[size, :size], np.zeros(size)])
    expected = np.linalg.lstsq(matrix, right, rcond=None)[0]
    np.testing.assert_allclose(step, expected, rtol=1e-9, atol=1e-11)
    gram = upper(work, size)[:, :size]
    np.testing.assert_allclose(gram.T @ gram, matrix.T @ matrix, rtol=1e-9, atol=1e-11)
