"""What a fit's Jacobian says of its parameters: their covariance, and what the data leave undetermined.

It is linear inference, which holds near the solution: Bates and Watts, "Nonlinear Regression Analysis and Its
Applications" (1988), chapter 2; ranks by the SVD, as in Golub and Van Loan, "Matrix Computations".
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..common.threads import share
from ..sums import sum_in_order

EPS = torch.finfo(torch.float64).eps
LEAST = EPS**0.75  # of the scaled J's largest singular value: smaller ones count as zero
SMALL = 32  # parameters up to which Jacobi's rotations are quicker than LAPACK, fit after fit
UNDETERMINED = 1e-5  # a parameter's share in a direction of the null space: more, and it isn't determined


@dataclass(frozen=True)
class Inference:
    """R fits at their solutions.

    `rank` [R] is the rank of J; `unscaled` [R, P, P] is (J^T J)^+, the covariance for a residual variance
    of 1; `undetermined` [R, P] are the free parameters that take part in its null space. The rows of
    `directions` [R, P, P] are the right singular vectors of J, in parameters times `norm` [R, P], the
    norms of its columns: the data determine the first `rank`, the others span the null space.
    """

    rank: Tensor
    unscaled: Tensor
    undetermined: Tensor
    directions: Tensor
    norm: Tensor


def infer(root: Tensor, free: Tensor) -> Inference:
    """From `root`, A [R, P, P] with A^T A = J^T J, and the parameters that are `free` [R, P]; on the CPU.

    Columns are scaled to norm 1, so that units don't matter; singular values at most LEAST times
    the largest count as zero. A fit has the same bits in any pack.

    >>> import torch
    >>> from packtrain.kernels.least_squares.inference import infer
    >>> root = torch.tensor([[[2.0, 2.0], [0.0, 0.0]]], dtype=torch.float64)  # two equal columns
    >>> inference = infer(root, free=torch.ones(1, 2, dtype=torch.bool))
    >>> inference.rank, inference.undetermined
    (tensor([1]), tensor([[True, True]]))
    """
    root = root * free[:, None]
    norm = sum_of_rows(root.square()).sqrt()
    norm = norm.masked_fill(norm == 0, 1)
    values, directions = (_jacobi if root.shape[-1] <= SMALL else _lapack)(root / norm[:, None])
    known = values > LEAST * values[:, :1]
    unscaled = _unscaled(known, values, directions, norm)
    part = sum_of_rows(directions.square().masked_fill(known[..., None], 0)).sqrt()
    return Inference(known.sum(1), unscaled, free & (part > UNDETERMINED), directions, norm)


def _jacobi(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Singular values [R, P] and right singular vectors [R, P, P], in rows."""
    from .numba_inference import decompose  # noqa: PLC0415 (numba takes a second to import)

    columns = matrices.mT.contiguous().numpy()
    values, directions = np.empty(columns.shape[:2]), np.empty_like(columns)
    share(len(columns), lambda start, stop: decompose(start, stop, columns, values, directions))
    return torch.from_numpy(values), torch.from_numpy(directions)


def _lapack(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """The same of larger ones, one after another: LAPACK's rounding depends on a matrix's address."""
    parts = [torch.linalg.svd(matrix.clone())[1:] for matrix in matrices.split(1)]
    values, directions = zip(*parts, strict=True)
    return torch.cat(values), torch.cat(directions)


def _unscaled(known: Tensor, values: Tensor, directions: Tensor, norm: Tensor) -> Tensor:
    """(J^T J)^+ [R, P, P], by the directions that are `known` [R, P]."""
    from .numba_inference import covariances  # noqa: PLC0415 (numba takes a second to import)

    unscaled = np.empty(directions.shape)
    given = *(part.numpy() for part in (known.sum(1), values, directions, norm)), unscaled
    share(len(unscaled), lambda start, stop: covariances(start, stop, *given))
    return torch.from_numpy(unscaled)


def sum_of_rows(matrix: Tensor) -> Tensor:
    """The sums over rows, [R, M, P] -> [R, P], with the same bits in any pack.

    >>> import torch
    >>> from packtrain.kernels.least_squares.inference import sum_of_rows
    >>> sum_of_rows(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[4., 6.]])
    """
    return sum_in_order(matrix.mT.flatten(0, 1)).view(matrix.shape[0], -1)


def combinations(inference: Inference, run: int) -> list[Tensor]:
    """The linear combinations of a run's undetermined parameters that the data do determine.

    Each is [P] coefficients, of which the first nonzero is 1. Together they are the row space of J on the
    undetermined parameters, in reduced row echelon form; coefficients count as 0 in units of `norm`.

    >>> import torch
    >>> from packtrain.kernels.least_squares.inference import combinations, infer
    >>> root = torch.tensor([[[2.0, 6.0], [0.0, 0.0]]], dtype=torch.float64)  # of y = 2 (a + 3 b)
    >>> inference = infer(root, free=torch.ones(1, 2, dtype=torch.bool))
    >>> [coefficients.round(decimals=6).tolist() for coefficients in combinations(inference, run=0)]
    [[1.0, 3.0]]
    """
    involved = inference.undetermined[run].nonzero()[:, 0]
    if not len(involved):
        return []
    null_space = inference.directions[run, int(inference.rank[run]) :][:, involved]
    _, values, directions = torch.linalg.svd(null_space)
    rows = []
    for row in _echelon(directions[int((values > UNDETERMINED).sum()) :]):
        whole = row.new_zeros(inference.directions.shape[-1])
        scaled = row * inference.norm[run, involved]
        whole[involved] = scaled / scaled[int(row.nonzero()[0])]
        rows.append(whole)
    return rows


def _echelon(rows: Tensor) -> list[Tensor]:
    """Gauss-Jordan elimination, the pivot of each column being the largest that is left."""
    rows = rows / rows.abs().amax(1, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny)
    done = 0
    for column in range(rows.shape[1]):
        if done == len(rows):
            break
        pivot = done + int(rows[done:, column].abs().argmax())
        if rows[pivot, column].abs() <= UNDETERMINED * rows[pivot].abs().max():
            continue
        rows[[done, pivot]] = rows[[pivot, done]]
        rows[done] = rows[done] / rows[done, column].clone()
        others = torch.arange(len(rows)) != done
        rows[others] -= rows[others, column, None] * rows[done]
        done += 1
    rows = rows.masked_fill(rows.abs() <= UNDETERMINED * rows.abs().amax(1, keepdim=True), 0)
    return list(rows[:done])
