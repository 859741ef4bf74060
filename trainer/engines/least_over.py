"""The least loss of equations over some of their parameters, the others held: a pack of fits."""

from dataclasses import replace

import torch
from torch import Tensor

from ...kernels.common.errors import UserError
from ...kernels.equations.robust import SQUARES, robust
from ...kernels.least_squares import Problem, Rules, Status
from ...kernels.least_squares.robust import RobustLoss, fault_of
from ..data.dataset import Dataset
from ..models.expression import ExpressionModel
from ..models.landscape import CPU, losses_at

STEPS, TOLERANCE = 60, 1e-8  # of one fit
ROUNDS = 2  # in which fits start from their neighbours


def refusal(model: ExpressionModel) -> str:
    """Why the least loss over some parameters can't be fitted, '' where it can.

    >>> from packtrain.kernels.language import parse
    >>> of = lambda loss: ExpressionModel(parse("xy = a*x"), torch.ones(1, 1), loss, None)
    >>> refusal(of("mse")), refusal(of("mae"))
    ('', 'it is fitted by least squares, which model.loss=mae is not made of: its second derivative is 0')
    """
    kind = model.loss_kind
    if kind.name in SQUARES:
        return ""
    constants = model.loss_constants
    if constants is None:
        constants = torch.tensor([[kind.defaults[name] for name in kind.constants]])
    fault = fault_of(kind, constants)
    return (
        f"it is fitted by least squares, which model.loss={kind.name} is not made of: {fault}"
        if fault
        else ""
    )


@torch.no_grad()
def least_over(
    model: ExpressionModel,
    data: Dataset,
    starts: Tensor,
    held: Tensor,
    bounds: tuple[list[float], list[float]],
    grid: tuple[int, int] | None = None,
    run: int = 0,
) -> tuple[Tensor, Tensor]:
    """The least loss at each of K places, and the parameters there: starts [S, K, P] -> [K], [K, P].

    `held` [P] says which parameters keep the values that they have in all S starts of a place; the others
    are fitted from each start, within `bounds` (lower and upper, [P] each). With a `grid` (M, N), K = M N,
    each place is then fitted again from where its best neighbour ended. Infinite where no fit is finite.
    Raises UserError where the loss can't be fitted.

    >>> from packtrain.kernels.language import parse
    >>> model = ExpressionModel(parse("xy = a*x + b"), torch.ones(1, 2), "mse", None)
    >>> data = Dataset(torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [3.0]]), ("x",), ("xy",))
    >>> starts = torch.tensor([[[2.0, 0.0], [0.0, 0.0]]])  # of a and b, of which a is held
    >>> anywhere = [-torch.inf] * 2, [torch.inf] * 2
    >>> loss, parameters = least_over(model, data, starts, torch.tensor([True, False]), anywhere)
    >>> loss.round(decimals=6).tolist(), parameters.round(decimals=6).tolist()
    ([0.0, 1.0], [[2.0, 1.0], [0.0, 2.0]])
    """
    if why := refusal(model):
        raise UserError(why)
    given = model, data.counted.to(CPU, torch.float64), held, bounds, run
    starts = starts.to(CPU, torch.float64)
    loss, parameters = torch.full(starts.shape[1:2], torch.inf, dtype=torch.float64), starts[0].clone()
    for start in starts:
        _improve(loss, parameters, start, *given)
    for _ in range(ROUNDS if grid else 0):
        assert grid is not None
        _improve(loss, parameters, torch.where(held, starts[0], _best_beside(loss, parameters, grid)), *given)
    return loss, parameters


def _improve(
    loss: Tensor,
    parameters: Tensor,
    start: Tensor,
    model: ExpressionModel,
    data: Dataset,
    held: Tensor,
    bounds: tuple[list[float], list[float]],
    run: int,
) -> None:
    """Fits from `start` [K, P], and keeps what is less than before."""
    fitted = _fit(model, data, start, held, bounds, run)
    now = losses_at(model, data, fitted, run)
    better = now < loss
    loss[better], parameters[better] = now[better], fitted[better]


def _fit(
    model: ExpressionModel,
    data: Dataset,
    start: Tensor,
    held: Tensor,
    bounds: tuple[list[float], list[float]],
    run: int,
) -> Tensor:
    from ...kernels.least_squares.numba_solver import NumbaSolver  # noqa: PLC0415 (numba takes a second to import)

    problem = Problem(data.inputs, data.targets, data.weights, loss=_robust_loss(model, len(start), run))
    lower, upper = torch.tensor(bounds, dtype=torch.float64)
    fixed = torch.tensor([name in model.graph.fixed for name in model.graph.parameters])
    free = ~(held | fixed)
    parameters = torch.where(free, torch.minimum(torch.maximum(start, lower), upper), start).contiguous()
    rules = replace(
        Rules.unbounded(problem, parameters, TOLERANCE, radius=1, steps=STEPS),
        lower=torch.where(free, lower, -torch.inf).expand(parameters.shape),
        upper=torch.where(free, upper, torch.inf).expand(parameters.shape),
        free=free.expand(parameters.shape),
    )
    if not bool(free.any()):
        return parameters
    solver = NumbaSolver(model.graph, problem, parameters, rules, damped=True)
    while bool((solver.status == Status.RUNNING).any()):
        solver.advance(STEPS)
    return solver.parameters


def _robust_loss(model: ExpressionModel, fits: int, run: int) -> RobustLoss | None:
    rule = None if model.loss_kind.name in SQUARES else robust(model.loss_kind)
    if rule is None:
        return None
    kind, constants = model.loss_kind, model.loss_constants
    own = (
        torch.tensor([kind.defaults[name] for name in kind.constants])
        if constants is None
        else constants[run]
    )
    return RobustLoss(rule, own.cpu().double().expand(fits, -1))


def _best_beside(loss: Tensor, parameters: Tensor, grid: tuple[int, int]) -> Tensor:
    """The parameters [K, P] of that neighbour of each place, of four, which has the least loss."""
    inside = loss.nan_to_num(nan=torch.inf).view(grid)
    padded = torch.nn.functional.pad(inside, (1, 1, 1, 1), value=torch.inf)
    place = torch.nn.functional.pad(torch.arange(len(loss)).view(grid), (1, 1, 1, 1))
    sides = [(slice(0, -2), slice(1, -1)), (slice(2, None), slice(1, -1))]
    sides += [(rows, columns) for columns, rows in sides]
    best = torch.stack([padded[side] for side in sides]).argmin(0, keepdim=True)
    places = torch.stack([place[side] for side in sides]).gather(0, best)[0]
    return parameters[places.flatten()]
