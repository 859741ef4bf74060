"""Residuals and Jacobian -> the P x P problem that a step solves: by QR, or by normal equations."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from kernels.least_squares.problem import Problem

# f(parameters [R, P], inputs [B, V] or [R, B, V]) -> outputs [R, B, T], their Jacobian [R, B, T, P]
OutputsAndJacobian = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

LARGE = 1 << 20  # numbers of one run's [J | e], beyond which normal equations take the place of QR
BLOCK = 1 << 14  # samples of a block of the normal equations


class Linear(NamedTuple):
    """e(p + s) ~ e + J s of R fits, in float64: `rss` [R] is |e|^2, `root` [R, P, P] A, `projected` [R, P] c.

    A is upper triangular, A^T A = J^T J and A^T c = J^T e, so that |J s + e|^2 = |A s + c|^2 + a
    constant. `rss` is infinite where a residual or a derivative is not finite.
    """

    rss: Tensor
    root: Tensor
    projected: Tensor


def is_large(samples: int, targets: int, parameters: int) -> bool:
    """Fits of this size are solved by normal equations: a matter of N, T and P alone, never of R."""
    return samples * targets * (parameters + 1) > LARGE


def linearize(model: OutputsAndJacobian, parameters: Tensor, problem: Problem) -> Linear:
    """The linear problem of e = sqrt(w) (y - t) at `parameters` [R, P].

    Small problems take the QR of [J | e], which never squares the condition number; large ones the
    sums of [J | e]^T [J | e] over blocks of samples, in their order.
    """
    samples, outputs = problem.targets.shape[-2:]
    if not is_large(samples, outputs, parameters.shape[1]):
        return _by_qr(_columns(model, parameters, problem))
    total = parameters.new_zeros(len(parameters), *[parameters.shape[1] + 1] * 2, dtype=torch.float64)
    for start in range(0, samples, BLOCK):
        columns = _columns(model, parameters, problem.part(slice(start, start + BLOCK))).double()
        total += columns.mT @ columns
    return _by_normal_equations(total)


def _columns(model: OutputsAndJacobian, parameters: Tensor, problem: Problem) -> Tensor:
    """[J | e]: [R, N T, P + 1]."""
    outputs, jacobian = model(parameters, problem.inputs)
    columns = torch.cat([jacobian, (outputs - problem.targets)[..., None]], -1)
    if problem.weights is not None:
        columns *= problem.weights.sqrt()[..., None, None]
    return columns.flatten(1, 2)


def triangle(columns: Tensor) -> Tensor:
    """R of the QR decomposition of [R, M, K]: [R, K, K], or [R, M, K] where M < K."""
    return torch.geqrf(columns)[0][:, : columns.shape[-1]].triu()


def _by_qr(columns: Tensor) -> Linear:
    size = columns.shape[2]
    rss = columns[..., -1].double().square().sum(1)
    if columns.shape[1] < size:
        columns = torch.nn.functional.pad(columns, (0, 0, 0, size - columns.shape[1]))
    return _checked(rss, triangle(columns)[:, : size - 1].double())


def _checked(rss: Tensor, found: Tensor) -> Linear:
    """The linear problem of triangles [R, P, P + 1]; zero where something isn't finite."""
    finite = rss.isfinite() & found.isfinite().all(2).all(1)
    found = found.masked_fill(~finite[:, None, None], 0)
    return Linear(rss.masked_fill(~finite, torch.inf), found[..., :-1], found[..., -1])


def _by_normal_equations(total: Tensor) -> Linear:
    """A root of J^T J by its eigenvalues; directions below the rounding of the sums are left out."""
    rss = total[:, -1, -1]
    finite = total.isfinite().all((1, 2))
    total = total.masked_fill(~finite[:, None, None], 0)
    gram, slope = total[:, :-1, :-1], total[:, :-1, -1]
    norm = gram.diagonal(dim1=1, dim2=2).sqrt()
    norm = norm.masked_fill(norm == 0, 1)
    values, vectors = torch.linalg.eigh(gram / (norm[:, :, None] * norm[:, None]))
    least = values[:, -1:] * gram.shape[1] * torch.finfo(torch.float64).eps
    size = torch.where(values > least, values, 0).sqrt()
    root = size[:, :, None] * vectors.mT * norm[:, None]
    projected = (vectors.mT @ (slope / norm)[..., None])[..., 0] / size
    found = triangle(torch.cat([root, projected.masked_fill(size == 0, 0)[..., None]], -1))
    return _checked(torch.where(finite, rss, torch.inf), found)
