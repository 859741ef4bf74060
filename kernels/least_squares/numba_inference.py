"""The singular values of small matrices, one fit after another: with the same bits wherever a matrix lies.

One-sided Jacobi: columns are rotated, two at a time, until each pair is orthogonal; then their norms are the
singular values (Golub and Van Loan, "Matrix Computations", section 8.6).
"""

from math import sqrt

import numpy as np

from ..common.numba_cache import cached
from .numba_algebra import exact

EPS = float(np.finfo(np.float64).eps)
SWEEPS = 60  # at most: about six are made
TINY = float(np.finfo(np.float64).tiny)


@exact
def product(matrix, a, b):
    """The product of two columns, which are rows here."""
    total = 0.0
    for i in range(matrix.shape[1]):
        total += matrix[a, i] * matrix[b, i]
    return total


@exact
def rotate(matrix, a, b, cosine, sine):
    for i in range(matrix.shape[1]):
        left, right = matrix[a, i], matrix[b, i]
        matrix[a, i] = cosine * left - sine * right
        matrix[b, i] = sine * left + cosine * right


@exact
def orthogonalize(columns, directions):
    """Rotates the columns until all pairs are orthogonal; `directions` get the same rotations."""
    size = len(columns)
    for _ in range(SWEEPS):
        rotated = False
        for a in range(size - 1):
            for b in range(a + 1, size):
                left, right = product(columns, a, a), product(columns, b, b)
                inner = product(columns, a, b)
                if not abs(inner) > max(EPS * sqrt(left) * sqrt(right), TINY):
                    continue
                rotated = True
                ratio = (right - left) / (2 * inner)
                tangent = 1 / (abs(ratio) + sqrt(1 + ratio * ratio))
                if ratio < 0.0:
                    tangent = -tangent
                cosine = 1 / sqrt(1 + tangent * tangent)
                rotate(columns, a, b, cosine, cosine * tangent)
                rotate(directions, a, b, cosine, cosine * tangent)
        if not rotated:
            return


@exact
def sort(values, directions):
    """Puts the largest value first, with its direction."""
    size = len(values)
    for a in range(size - 1):
        largest = a
        for b in range(a + 1, size):
            if values[b] > values[largest]:
                largest = b
        values[a], values[largest] = values[largest], values[a]
        for i in range(size):
            directions[a, i], directions[largest, i] = directions[largest, i], directions[a, i]


@cached
def decompose(start, stop, columns, values, directions):
    """Singular values [R, P] of fits start..stop-1, largest first, and their `directions`.

    `columns` [R, P, M] are those of the matrices, and are written over.
    """
    for r in range(start, stop):
        directions[r] = 0.0
        for k in range(len(values[r])):
            directions[r, k, k] = 1.0
        orthogonalize(columns[r], directions[r])
        for k in range(len(values[r])):
            values[r, k] = sqrt(product(columns[r], k, k))
        sort(values[r], directions[r])


@cached
def covariances(start, stop, known, values, directions, norm, covariance):
    """(J^T J)^+ [R, P, P] of fits start..stop-1, by the first `known` [R] of their `directions`."""
    for r in range(start, stop):
        size = len(norm[r])
        for i in range(size):
            for j in range(i + 1):
                total = 0.0
                for k in range(known[r]):
                    left = directions[r, k, i] / values[r, k] / norm[r, i]
                    total += left * (directions[r, k, j] / values[r, k] / norm[r, j])
                covariance[r, i, j] = total
                covariance[r, j, i] = total
