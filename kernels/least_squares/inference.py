"""What a fit's Jacobian says about its parameters: how uncertain they are, and what the data can't tell.

All of it is linear: it holds near the solution. The source of the formulas is Bates and Watts,
"Nonlinear Regression Analysis and Its Applications" (1988), chapter 2.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from ..sums import sum_in_order

LEAST = (
    torch.finfo(torch.float64).eps ** 0.75
)  # singular value, of the scaled J's largest, told from rounding
UNDETERMINED = 1e-5  # a parameter's share in a direction that the data don't determine


@dataclass(frozen=True)
class Inference:
    """R fits at their solutions.

    `rank` [R] is how many directions the data determine; `unscaled` [R, P, P] is (J^T J)^+, the
    covariance a unit of residual variance; `undetermined` [R, P] says which free parameters take part
    in a direction that the data leave open. `directions` [R, P, P] holds in its rows the unit vectors
    of all directions, in parameters times `norm` [R, P]; the first `rank` are determined.
    """

    rank: Tensor
    unscaled: Tensor
    undetermined: Tensor
    directions: Tensor
    norm: Tensor


def infer(root: Tensor, free: Tensor) -> Inference:
    """From A [R, P, P] with A^T A = J^T J, by QR, and the parameters that are `free` [R, P].

    Columns are scaled to norm 1, so that units don't matter; singular values at most LEAST times
    the largest count as zero. One fit after another, since what LAPACK rounds depends on where a matrix lies.
    """
    found = [_infer(*each) for each in zip(root.split(1), free.split(1), strict=True)]
    return Inference(*(torch.cat([getattr(each, f.name) for each in found]) for f in fields(Inference)))


def sum_of_rows(matrix: Tensor) -> Tensor:
    """[R, M, P] -> [R, P], each with the same bits in any pack."""
    return sum_in_order(matrix.mT.flatten(0, 1)).view(matrix.shape[0], -1)


def _infer(root: Tensor, free: Tensor) -> Inference:
    root = root * free[:, None]
    norm = sum_of_rows(root.square()).sqrt()
    norm = norm.masked_fill(norm == 0, 1)
    _, values, directions = torch.linalg.svd(root / norm[:, None])
    known = values > LEAST * values[:, :1]
    inverse = torch.where(known, 1 / values, 0)
    half = directions.mT * inverse[:, None] / norm[..., None]
    share = torch.where(known[..., None], 0, directions).square().sum(1).sqrt()
    return Inference(known.sum(1), half @ half.mT, free & (share > UNDETERMINED), directions, norm)


def combinations(found: Inference, run: int) -> list[Tensor]:
    """The combinations of the undetermined parameters that the data do determine, of one run.

    Each is [P] coefficients, the first that isn't 0 being 1; together they are the row space of J on
    the undetermined parameters, in reduced echelon form. What is next to 0 is so in units of `norm`.
    """
    involved = found.undetermined[run].nonzero()[:, 0]
    if not len(involved):
        return []
    open_ones = found.directions[run, int(found.rank[run]) :][:, involved]
    _, values, directions = torch.linalg.svd(open_ones)
    rows = []
    for row in _echelon(directions[int((values > UNDETERMINED).sum()) :]):
        whole = row.new_zeros(found.directions.shape[-1])
        scaled = row * found.norm[run, involved]
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
