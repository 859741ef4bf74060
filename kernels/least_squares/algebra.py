"""Small linear algebra of R fits in torch, and the two kinds of step; numba_algebra.py is its twin."""

from collections.abc import Callable

import torch
from torch import Tensor

from .method import NEAR, SEARCHES, SINGULAR_PIVOT

TINY = torch.finfo(torch.float64).tiny


def sum_of(terms: Tensor) -> Tensor:
    """[R, P] -> [R]; for small P a product with ones is several times as fast as sum(1).

    >>> import torch
    >>> from packtrain.kernels.least_squares.algebra import sum_of
    >>> sum_of(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([3., 7.])
    """
    return terms @ terms.new_ones(terms.shape[1])


def norm_of(vectors: Tensor) -> Tensor:
    """Euclidean norms, [R, P] -> [R].

    >>> import torch
    >>> from packtrain.kernels.least_squares.algebra import norm_of
    >>> norm_of(torch.tensor([[3.0, 4.0]]))
    tensor([5.])
    """
    return sum_of(vectors.square()).sqrt()


def times(rows: Tensor, matrices: Tensor) -> Tensor:
    """[R, P] times [R, P, P] -> [R, P].

    >>> import torch
    >>> from packtrain.kernels.least_squares.algebra import times
    >>> times(torch.tensor([[1.0, 2.0]]), torch.tensor([[[1.0, 0.0], [5.0, 1.0]]]))
    tensor([[11.,  2.]])
    """
    return (rows[:, None] @ matrices)[:, 0]


def column_norms(matrices: Tensor) -> Tensor:
    """The norms of the columns, [R, P, P] -> [R, P].

    >>> import torch
    >>> from packtrain.kernels.least_squares.algebra import column_norms
    >>> column_norms(torch.tensor([[[3.0, 1.0], [4.0, 0.0]]]))
    tensor([[5., 1.]])
    """
    return (matrices.new_ones(matrices.shape[1]) @ matrices.square()).sqrt()


def solve(root: Tensor, projected: Tensor, diagonal: Tensor) -> tuple[Tensor, Tensor]:
    """s that minimizes |A s + c|^2 + |diagonal s|^2, and that problem's triangle: R of its QR decomposition.

    A is `root` [R, P, P], upper triangular, c `projected` [R, P]; `diagonal` [R, P]. The triangle is the
    upper part of what is returned. As MINPACK's qrsolv.

    >>> import torch
    >>> from packtrain.kernels.least_squares.algebra import solve
    >>> root, projected = torch.tensor([[[2.0]]]), torch.tensor([[-6.0]])
    >>> solve(root, projected, torch.tensor([[0.0]]))[0], solve(root, projected, torch.tensor([[2.0]]))[0]
    (tensor([[3.]]), tensor([[1.5000]]))
    """
    if not bool(diagonal.any()):
        return torch.linalg.solve_triangular(root, -projected[..., None], upper=True)[..., 0], root
    size = root.shape[-1]
    columns = root.new_zeros(len(root), 2 * size, size + 1)
    columns[:, :size, :size], columns[:, :size, size] = root, projected
    columns[:, size:].diagonal(dim1=1, dim2=2).copy_(diagonal)
    decomposed = torch.geqrf(columns)[0]
    left, right = decomposed[:, :size, :size], decomposed[:, :size, size:]
    return torch.linalg.solve_triangular(left, -right, upper=True)[..., 0], left


def shortened_step(
    root: Tensor, projected: Tensor, fixed: Tensor, weight: Tensor, radius: Tensor, damping: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The Gauss-Newton step [R, P], cut to |weight s| = radius; a damping of 0; if A lacks full rank [R].

    Parameters that are `fixed` [R, P] stay. `weight` [R, P] is the scaling D, `damping` [R] is ignored.

    >>> import torch
    >>> from packtrain.kernels.least_squares.algebra import shortened_step
    >>> one = torch.ones(1, 1, dtype=torch.float64)
    >>> shortened_step(one[None], -3 * one, one == 0, one, radius=2 * one[0], damping=one[0])[0]
    tensor([[2.]], dtype=torch.float64)
    """
    step, left = solve(root, projected, fixed.to(root.dtype))
    length = norm_of(weight * step)
    norm = column_norms(left.triu())
    pivot = left.diagonal(dim1=1, dim2=2).abs()
    return (
        step * (radius / length).clamp(max=1)[:, None].nan_to_num(1),
        torch.zeros_like(damping),
        (pivot <= SINGULAR_PIVOT * norm).any(1),
    )


def damped_step(
    root: Tensor, projected: Tensor, fixed: Tensor, weight: Tensor, radius: Tensor, damping: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The Gauss-Newton step where |weight s| <= radius, else a damped one; its damping [R]; never singular.

    Parameters that are `fixed` [R, P] stay. `weight` [R, P] is the scaling D, `damping` [R] that of the last
    step, from which the search starts.

    >>> import torch
    >>> from packtrain.kernels.least_squares.algebra import damped_step
    >>> one = torch.ones(1, 1, dtype=torch.float64)
    >>> step, damping, _ = damped_step(one[None], -3 * one, one == 0, one, 2 * one[0], damping=0 * one[0])
    >>> round(step.item(), 6), round(damping.item(), 6)
    (2.0, 0.5)
    """
    pins = fixed.to(root.dtype)
    step, left = solve(root, projected, pins)
    outside = (~(norm_of(weight * step) <= (1 + NEAR) * radius)).nonzero()[:, 0]
    damping = damping.clone()
    new = torch.zeros_like(damping)
    if len(outside):
        operands = root, projected, pins, weight, radius, damping, step, left
        step[outside], new[outside] = _search(*(operand[outside] for operand in operands))
    return step, new, torch.zeros_like(new, dtype=torch.bool)


def _search(
    root: Tensor,
    projected: Tensor,
    fixed: Tensor,
    weight: Tensor,
    radius: Tensor,
    damping: Tensor,
    step: Tensor,
    left: Tensor,
) -> tuple[Tensor, Tensor]:
    """The step [R, P] and its damping [R] at which |weight s| is the radius.

    `step` and `left` are those without damping, which may be singular.
    """

    def length_and_slope(step: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
        length = norm_of(weight * step)
        along = (weight * weight * step / length[:, None])[..., None]
        inner = torch.linalg.solve_triangular(left.mT, along, upper=False)[..., 0]
        return length, sum_of(inner.square())

    def attempt(damping: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal step
        step, left = solve(root, projected, damping.sqrt()[:, None] * weight * (1 - fixed) + fixed)
        return length_and_slope(step, left)

    gradient = norm_of(times(projected, root) / weight)
    damping = search(radius, damping, gradient, *length_and_slope(step, left), attempt)
    return step, damping


def search(
    radius: Tensor,
    damping: Tensor,
    gradient: Tensor,
    length: Tensor,
    slope: Tensor,
    attempt: Callable[[Tensor], tuple[Tensor, Tensor]],
) -> Tensor:
    """The damping at which |D s| is the radius: MINPACK's lmpar, Newton's iteration between two bounds.

    All are [R]. `gradient` is |D^-1 A^T c|; `length` is |D s| and `slope` is |L^-T D^2 s / |D s||^2, L the
    problem's triangle, without damping; attempt(damping) makes the step of a damping, and says its own.

    >>> import torch
    >>> from packtrain.kernels.least_squares.algebra import search
    >>> one = torch.ones(1, dtype=torch.float64)  # of A = 1, c = -3, D = 1
    >>> attempt = lambda damping: (3 / (1 + damping), 1 / (1 + damping))
    >>> round(search(2 * one, 0 * one, 3 * one, *attempt(0 * one), attempt).item(), 6)
    0.5
    """

    def newton(length: Tensor, slope: Tensor) -> Tensor:
        return (length - radius) / radius / slope

    low = newton(length, slope).nan_to_num(0, 0, 0)
    high = torch.where(gradient > 0, gradient / radius, TINY / radius.clamp(max=NEAR))
    damping = torch.minimum(torch.maximum(damping, low), high)
    excess = torch.zeros_like(length)
    for _ in range(SEARCHES):
        damping = torch.where(damping > 0, damping, (1e-3 * high).clamp(min=TINY))
        length, slope = attempt(damping)
        before, excess = excess, length - radius
        done = (excess.abs() <= NEAR * radius) | ((low == 0) & (excess <= before) & (before < 0))
        if bool(done.all()):
            break
        better = damping + newton(length, slope)
        low = torch.where(excess > 0, torch.maximum(low, damping), low)
        high = torch.where(excess < 0, torch.minimum(high, damping), high)
        damping = torch.where(done, damping, torch.maximum(low, better))
    return damping
