"""Small linear algebra of R fits in torch, and the two kinds of step: what numba_algebra is for Numba."""

import torch
from torch import Tensor

from .method import NEAR, SEARCHES, SINGULAR_PIVOT

TINY = torch.finfo(torch.float64).tiny


def sum_of(terms: Tensor) -> Tensor:
    """[R, P] -> [R]; a product with ones is several times as fast as sum(1), P being small."""
    return terms @ terms.new_ones(terms.shape[1])


def norm_of(vectors: Tensor) -> Tensor:
    """[R, P] -> [R]."""
    return sum_of(vectors.square()).sqrt()


def times(rows: Tensor, matrices: Tensor) -> Tensor:
    """[R, P] times [R, P, P] -> [R, P]."""
    return (rows[:, None] @ matrices)[:, 0]


def column_norms(matrices: Tensor) -> Tensor:
    """[R, P, P] -> [R, P]."""
    return (matrices.new_ones(matrices.shape[1]) @ matrices.square()).sqrt()


def solve(root: Tensor, projected: Tensor, diagonal: Tensor) -> tuple[Tensor, Tensor]:
    """s that minimizes |A s + c|^2 + |diagonal s|^2, and the triangle (its upper part) of that problem."""
    if not bool(diagonal.any()):
        return torch.linalg.solve_triangular(root, -projected[..., None], upper=True)[..., 0], root
    size = root.shape[-1]
    columns = root.new_zeros(len(root), 2 * size, size + 1)
    columns[:, :size, :size], columns[:, :size, size] = root, projected
    columns[:, size:].diagonal(dim1=1, dim2=2).copy_(diagonal)
    found = torch.geqrf(columns)[0]
    left, right = found[:, :size, :size], found[:, :size, size:]
    return torch.linalg.solve_triangular(left, -right, upper=True)[..., 0], left


def shortened_step(
    root: Tensor, projected: Tensor, held: Tensor, weight: Tensor, radius: Tensor, damping: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The Gauss-Newton step, no longer than the radius; no damping; where the problem is singular."""
    step, left = solve(root, projected, held.to(root.dtype))
    length = norm_of(weight * step)
    norm = column_norms(left.triu())
    pivot = left.diagonal(dim1=1, dim2=2).abs()
    return (
        step * (radius / length).clamp(max=1)[:, None].nan_to_num(1),
        torch.zeros_like(damping),
        (pivot <= SINGULAR_PIVOT * norm).any(1),
    )


def damped_step(
    root: Tensor, projected: Tensor, held: Tensor, weight: Tensor, radius: Tensor, damping: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gauss-Newton's step where it lies within the radius, else a damped one; never singular."""
    fixed = held.to(root.dtype)
    step, left = solve(root, projected, fixed)
    length = norm_of(weight * step)
    outside = (~(length <= (1 + NEAR) * radius)).nonzero()[:, 0]
    damping = damping.clone()
    new = torch.zeros_like(damping)
    if len(outside):
        given = root, projected, fixed, weight, radius, damping, step, left
        step[outside], new[outside] = _search(*(each[outside] for each in given))
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
    """Newton's iteration for the damping at which |weight s| is the radius (MINPACK's lmpar).

    `step` and `left` are those without damping, which may be singular.
    """

    def newton(step: Tensor, left: Tensor, length: Tensor) -> Tensor:
        along = (weight * weight * step / length[:, None])[..., None]
        inner = torch.linalg.solve_triangular(left.mT, along, upper=False)[..., 0]
        return (length - radius) / radius / sum_of(inner.square())

    slope = norm_of(times(projected, root) / weight)
    length = norm_of(weight * step)
    low = newton(step, left, length).nan_to_num(0, 0, 0)
    high = torch.where(slope > 0, slope / radius, TINY / radius.clamp(max=NEAR))
    damping = torch.minimum(torch.maximum(damping, low), high)
    excess = torch.zeros_like(length)
    for _ in range(SEARCHES):
        damping = torch.where(damping > 0, damping, (1e-3 * high).clamp(min=TINY))
        step, left = solve(root, projected, damping.sqrt()[:, None] * weight * (1 - fixed) + fixed)
        length = norm_of(weight * step)
        before, excess = excess, length - radius
        done = (excess.abs() <= NEAR * radius) | ((low == 0) & (excess <= before) & (before < 0))
        if bool(done.all()):
            break
        better = damping + newton(step, left, length)
        low = torch.where(excess > 0, torch.maximum(low, damping), low)
        high = torch.where(excess < 0, torch.minimum(high, damping), high)
        damping = torch.where(done, damping, torch.maximum(low, better))
    return step, damping
