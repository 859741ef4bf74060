"""Residuals and Jacobian -> the linear problem that a step solves: by QR, or by normal equations.

Golub, "Numerical methods for solving linear least squares problems" (1965).
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from ..elementwise.reference import chained
from ..sums.blocks import Alone, Shares, cut, gathered, in_order, one_thread
from .problem import Linear, Problem

# f(parameters [R, P], inputs [B, V] or [R, B, V]) -> outputs [R, B, T], their Jacobian [R, B, T, P]
OutputsAndJacobian = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
# f(parameters [R, P], problem) -> [J | e]^T [J | e], [R, P + 1, P + 1] in float64
Squares = Callable[[Tensor, Problem], Tensor]
# f(parameters [R, P], problem) -> the linear problem that by_qr makes, of fits of any sizes
Linearizer = Callable[[Tensor, Problem], Linear]

LARGE = 1 << 20  # numbers of one run's [J | e], beyond which normal equations take the place of QR
SMALL = 1 << 14  # numbers of one run's [J | e], up to which one lane may go over all of them
BLOCK = 1 << 14  # samples that are linearized at a time
SQUARED = 1 << 20  # the fewest samples whose squares are summed in one call

ALONE = Alone()


def linearize(
    model: OutputsAndJacobian,
    parameters: Tensor,
    problem: Problem,
    squares: Squares | None = None,
    small: Linearizer | None = None,
    shares: Shares = ALONE,
) -> Linear:
    """The linear problem of e = sqrt(w) (y - t) at `parameters` [R, P], or that of problem.loss.

    A small problem takes the QR of [J | e], which doesn't square the condition number; a large one, whose
    [J | e] has more than LARGE numbers, the faster sums of [J | e]^T [J | e], by `squares` where it is given.
    Both go over blocks of samples in their order, which several processes may share. `small` is as in by_qr.
    The choice depends on N, T and P alone, never on R, and so do the blocks.

    >>> import torch
    >>> from packtrain.kernels.least_squares.linearize import linearize
    >>> from packtrain.kernels.least_squares.problem import Problem
    >>> line = lambda p, x: (p[:, None] * x, x.expand(len(p), -1, -1)[..., None])  # y = p x
    >>> x = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    >>> linearize(line, torch.zeros(1, 1, dtype=torch.float64), Problem(x, 3 * x)).rss
    tensor([45.], dtype=torch.float64)
    """

    if not is_large(problem, parameters.shape[1]):
        return by_qr(model, parameters, problem, small, shares)
    if problem.segments is not None:
        return problem.each(lambda part, p: linearize(model, p, part, squares, small), parameters)
    if squares is not None:
        return _of_sums(_summed(partial(squares, parameters), parameters, problem, SQUARED, shares))
    return by_normal_equations(model, parameters, problem, shares)


def is_large(problem: Problem, size: int) -> bool:
    """Whether a fit of `size` parameters is linearized by normal equations rather than by QR.

    >>> import torch
    >>> from packtrain.kernels.least_squares.linearize import is_large
    >>> from packtrain.kernels.least_squares.problem import Problem
    >>> [is_large(Problem(torch.zeros(n, 1), torch.zeros(n, 1)), size=3) for n in (1000, 1_000_000)]
    [False, True]
    """
    return problem.rows * (size + 1) > LARGE


def is_small(problem: Problem, size: int) -> bool:
    """Whether all fits of `size` parameters have up to SMALL numbers in [J | e].

    >>> import torch
    >>> from packtrain.kernels.least_squares.linearize import is_small
    >>> from packtrain.kernels.least_squares.problem import Problem
    >>> [is_small(Problem(torch.zeros(n, 1), torch.zeros(n, 1)), size=3) for n in (4096, 4097)]
    [True, False]
    """
    return problem.rows * (size + 1) <= SMALL


def by_qr(
    model: OutputsAndJacobian,
    parameters: Tensor,
    problem: Problem,
    small: Linearizer | None = None,
    shares: Shares = ALONE,
) -> Linear:
    """The linear problem by QR, each block of samples under the triangle of those before.

    Of several parts of the samples, which may be `shares` of several processes, the triangles of all are
    decomposed once more: a tree of two levels, as in Demmel et al., "Communication-optimal parallel and
    sequential QR and LU factorizations" (2012).

    Small fits are left to `small` where it is given, those of unlike size in one call.

    >>> import torch
    >>> from packtrain.kernels.least_squares.linearize import by_qr
    >>> from packtrain.kernels.least_squares.problem import Problem
    >>> line = lambda p, x: (p[:, None] * x, x.expand(len(p), -1, -1)[..., None])  # y = p x
    >>> x = torch.tensor([[3.0], [4.0]], dtype=torch.float64)
    >>> by_qr(line, torch.zeros(1, 1, dtype=torch.float64), Problem(x, x)).root.abs().round(decimals=6)
    tensor([[[5.]]], dtype=torch.float64)
    """

    if small is not None and is_small(problem, parameters.shape[1]):
        return small(parameters, problem)
    if problem.segments is not None:
        return problem.each(lambda part, p: by_qr(model, p, part, small), parameters)
    size, samples = parameters.shape[1], problem.targets.shape[-2]
    parts = cut(samples, BLOCK)
    if parts.count == 1:
        rss, upper = _triangle_of(model, parameters, problem)
        return checked(rss, upper[:, :size].double())

    def of_part(rows: slice) -> Tensor:
        rss, upper = _triangle_of(model, parameters, problem.part(rows))
        return torch.cat([rss[:, None], upper.flatten(1).double()], 1)

    like = parameters.new_empty(len(parameters), 1 + (size + 1) ** 2, dtype=torch.float64)
    with one_thread():
        found = gathered(parts, shares, of_part, like)
        triangles = found[..., 1:].unflatten(-1, (size + 1, size + 1)).transpose(0, 1).flatten(1, 2)
        upper = triangle(triangles.to(parameters.dtype))
    return checked(in_order(found[..., 0]), upper[:, :size].double())


def _triangle_of(model: OutputsAndJacobian, parameters: Tensor, problem: Problem) -> tuple[Tensor, Tensor]:
    """|e|^2 [R] in float64, and the triangle of [J | e], [R, P + 1, P + 1]."""
    size = parameters.shape[1]
    rss = parameters.new_zeros(len(parameters), dtype=torch.float64)
    upper = parameters.new_zeros(len(parameters), 0, size + 1)
    for columns, squares in _scaled_blocks(model, parameters, problem):
        rss += squares.sum(1)
        upper = triangle(torch.cat([upper, columns], 1) if upper.shape[1] else columns)
    missing = max(0, size + 1 - upper.shape[1])
    return rss, torch.nn.functional.pad(upper, (0, 0, 0, missing))


def by_normal_equations(
    model: OutputsAndJacobian, parameters: Tensor, problem: Problem, shares: Shares = ALONE
) -> Linear:
    """The linear problem by the sums of [J | e]^T [J | e], which square its condition number.

    >>> import torch
    >>> from packtrain.kernels.least_squares.linearize import by_normal_equations
    >>> from packtrain.kernels.least_squares.problem import Problem
    >>> line = lambda p, x: (p[:, None] * x, x.expand(len(p), -1, -1)[..., None])  # y = p x
    >>> x = torch.tensor([[3.0], [4.0]], dtype=torch.float64)
    >>> linear = by_normal_equations(line, torch.zeros(1, 1, dtype=torch.float64), Problem(x, x))
    >>> linear.root.abs().round(decimals=6)
    tensor([[[5.]]], dtype=torch.float64)
    """
    by_model = partial(_squares_of, model, parameters)
    return _of_sums(_summed(by_model, parameters, problem, BLOCK, shares))


def _squares_of(model: OutputsAndJacobian, parameters: Tensor, problem: Problem) -> Tensor:
    """[J | e]^T [J | e]: as Squares."""
    total = _no_squares(parameters)
    for columns, squares in _scaled_blocks(model, parameters, problem):
        products = columns.double().mT @ columns.double()
        if problem.loss is not None:
            products[:, -1, -1] = squares.sum(1)
        total += products
    return total


def _no_squares(parameters: Tensor) -> Tensor:
    return parameters.new_zeros(len(parameters), *[parameters.shape[1] + 1] * 2, dtype=torch.float64)


def _summed(
    squares: Callable[[Problem], Tensor], parameters: Tensor, problem: Problem, least: int, shares: Shares
) -> Tensor:
    """The squares of all samples: in parts of `least` or more, which several processes may share."""
    parts = cut(problem.targets.shape[-2], least)
    if parts.count == 1:
        return squares(problem)
    like = _no_squares(parameters)
    return in_order(gathered(parts, shares, lambda rows: squares(problem.part(rows)), like))


def _scaled_blocks(
    model: OutputsAndJacobian, parameters: Tensor, problem: Problem
) -> Iterator[tuple[Tensor, Tensor]]:
    """[J | e] of BLOCK samples at a time, scaled as a loss wants it, and the e^2 that are summed."""
    for columns in blocks(model, parameters, problem):
        if problem.loss is None:
            yield columns, columns[..., -1].double().square()
        else:
            root, error, squares = problem.loss.rows(columns[..., -1].double())
            jacobian = root[..., None] * columns[..., :-1]
            yield torch.cat([jacobian, error[..., None]], -1).to(columns.dtype), squares


def blocks(model: OutputsAndJacobian, parameters: Tensor, problem: Problem) -> Iterator[Tensor]:
    """[J | e] of BLOCK samples at a time: each [R, N T, P + 1].

    >>> import torch
    >>> from packtrain.kernels.least_squares.linearize import blocks
    >>> from packtrain.kernels.least_squares.problem import Problem
    >>> line = lambda p, x: (p[:, None] * x, x.expand(len(p), -1, -1)[..., None])  # y = p x
    >>> next(blocks(line, torch.ones(1, 1), Problem(torch.tensor([[2.0]]), torch.zeros(1, 1))))
    tensor([[[2., 2.]]])
    """
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
    """R of the QR decomposition of [R, M, K]: [R, K, K], or [R, M, K] where M < K.

    >>> import torch
    >>> from packtrain.kernels.least_squares.linearize import triangle
    >>> triangle(torch.tensor([[[3.0, 3.0], [4.0, 4.0]]])).abs().round(decimals=4)
    tensor([[[5., 5.],
             [0., 0.]]])
    """
    return torch.geqrf(columns)[0][:, : columns.shape[-1]].triu()


def checked(rss: Tensor, upper: Tensor) -> Linear:
    """The linear problem of |e|^2 [R] and triangles [R, P, P + 1]; zero where something isn't finite.

    >>> import torch
    >>> from packtrain.kernels.least_squares.linearize import checked
    >>> checked(torch.tensor([torch.nan]), torch.ones(1, 1, 2))
    Linear(rss=tensor([inf]), root=tensor([[[0.]]]), projected=tensor([[0.]]))
    """
    finite = rss.isfinite() & upper.isfinite().all(2).all(1)
    upper = upper.masked_fill(~finite[:, None, None], 0)
    return Linear(rss.masked_fill(~finite, torch.inf), upper[..., :-1], upper[..., -1])


def _of_sums(total: Tensor) -> Linear:
    """A root of J^T J by its eigenvalues, without those below the rounding error of the sums."""
    rss = total[:, -1, -1]
    finite = total.isfinite().all((1, 2))
    total = total.masked_fill(~finite[:, None, None], 0)
    gram, gradient = total[:, :-1, :-1], total[:, :-1, -1]
    norm = gram.diagonal(dim1=1, dim2=2).sqrt()
    norm = norm.masked_fill(norm == 0, 1)
    values, vectors = torch.linalg.eigh(gram / (norm[:, :, None] * norm[:, None]))
    least = values[:, -1:] * gram.shape[1] * torch.finfo(torch.float64).eps
    size = torch.where(values > least, values, 0).sqrt()
    root = size[:, :, None] * vectors.mT * norm[:, None]
    projected = (vectors.mT @ (gradient / norm)[..., None])[..., 0] / size
    upper = triangle(torch.cat([root, projected.masked_fill(size == 0, 0)[..., None]], -1))
    return checked(torch.where(finite, rss, torch.inf), upper)
