"""Residuals and Jacobian -> the P x P problem that a step solves: by QR, or by normal equations."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ..expression.reference import chained
from .problem import Problem

# f(parameters [R, P], inputs [B, V] or [R, B, V]) -> outputs [R, B, T], their Jacobian [R, B, T, P]
OutputsAndJacobian = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
# f(parameters [R, P], problem) -> [J | e]^T [J | e], [R, P + 1, P + 1] in float64
Squares = Callable[[Tensor, Problem], Tensor]

LARGE = 1 << 20  # numbers of one run's [J | e], beyond which normal equations take the place of QR
BLOCK = 1 << 14  # samples that are taken at a time


class Linear(NamedTuple):
    """e(p + s) ~ e + J s of R fits, in float64: `rss` [R] is |e|^2, `root` [R, P, P] A, `projected` [R, P] c.

    A is upper triangular, A^T A = J^T J and A^T c = J^T e, so that |J s + e|^2 = |A s + c|^2 + a
    constant. `rss` is infinite where a residual or a derivative is not finite.
    """

    rss: Tensor
    root: Tensor
    projected: Tensor


def linearize(
    model: OutputsAndJacobian, parameters: Tensor, problem: Problem, squares: Squares | None = None
) -> Linear:
    """The linear problem of e = sqrt(w) (y - t) at `parameters` [R, P].

    Small problems take the QR of [J | e], which never squares the condition number; large ones, whose
    [J | e] has more than LARGE numbers, the quicker sums of [J | e]^T [J | e]. Both go over blocks of
    samples, in their order. The switch is a matter of N, T and P alone, never of R. `squares` makes
    those sums where it is given.
    """
    if not is_large(problem, parameters.shape[1]):
        return by_qr(model, parameters, problem)
    if squares is not None:
        return _of_sums(squares(parameters, problem))
    return by_normal_equations(model, parameters, problem)


def is_large(problem: Problem, size: int) -> bool:
    """[J | e] of one run, for `size` parameters, is summed rather than decomposed."""
    return problem.rows * (size + 1) > LARGE


def by_qr(model: OutputsAndJacobian, parameters: Tensor, problem: Problem) -> Linear:
    """The linear problem by QR, each block of samples under the triangle of those before."""
    size = parameters.shape[1]
    rss = parameters.new_zeros(len(parameters), dtype=torch.float64)
    found = parameters.new_zeros(len(parameters), 0, size + 1)
    for columns in _blocks(model, parameters, problem):
        rss += columns[..., -1].double().square().sum(1)
        found = triangle(torch.cat([found, columns], 1) if found.shape[1] else columns)
    missing = max(0, size - found.shape[1])
    found = torch.nn.functional.pad(found[:, :size], (0, 0, 0, missing)).double()
    return _checked(rss, found)


def by_normal_equations(model: OutputsAndJacobian, parameters: Tensor, problem: Problem) -> Linear:
    """The linear problem by the sums of [J | e]^T [J | e]: its condition number is squared."""
    total = parameters.new_zeros(len(parameters), *[parameters.shape[1] + 1] * 2, dtype=torch.float64)
    for columns in _blocks(model, parameters, problem):
        total += columns.double().mT @ columns.double()
    return _of_sums(total)


def _blocks(model: OutputsAndJacobian, parameters: Tensor, problem: Problem) -> Iterator[Tensor]:
    """[J | e] of BLOCK samples at a time."""
    samples = problem.targets.shape[-2]
    for start in range(0, samples, BLOCK):
        whole = samples <= BLOCK
        part = problem if whole else problem.part(slice(start, start + BLOCK))
        yield _columns(model, parameters, part)


def _columns(model: OutputsAndJacobian, parameters: Tensor, problem: Problem) -> Tensor:
    """[J | e]: [R, N T, P + 1]."""
    outputs, jacobian = model(parameters, problem.inputs)
    columns = torch.cat([jacobian, (outputs - problem.targets)[..., None]], -1)
    if problem.weights is not None:
        columns = chained(columns, problem.weights.sqrt()[..., None, None])
    return columns.flatten(1, 2)


def triangle(columns: Tensor) -> Tensor:
    """R of the QR decomposition of [R, M, K]: [R, K, K], or [R, M, K] where M < K."""
    return torch.geqrf(columns)[0][:, : columns.shape[-1]].triu()


def _checked(rss: Tensor, found: Tensor) -> Linear:
    """The linear problem of triangles [R, P, P + 1]; zero where something isn't finite."""
    finite = rss.isfinite() & found.isfinite().all(2).all(1)
    found = found.masked_fill(~finite[:, None, None], 0)
    return Linear(rss.masked_fill(~finite, torch.inf), found[..., :-1], found[..., -1])


def _of_sums(total: Tensor) -> Linear:
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
