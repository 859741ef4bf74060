"""The plane that a surface is drawn over: two parameters, or two directions through starts and ends."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..data.dataset import Dataset
from ..models.expression import ExpressionModel
from ..models.landscape import CPU, thinned
from .surface_paths import NAMED, Path, best_first

MARGIN = 0.25  # of what the picture covers, on each side
FIRST = 3  # points of paths that all diverged
REACH = 1.0  # of the box of starts and ends: how far beyond it a path is followed
TYPICAL = 0.05  # share of the points on paths that lie farther out on each side than most
OUTLIERS = 0.1  # share of the points on many paths that is left out on each side
FLAT = 1e-9  # of its size: a side as short is none
STILL = 1e-4  # of its value: what a parameter moves that was at its end from the start
JACOBIAN_SAMPLES = 512

Ranges = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Plane:
    """p = origin + x axes[0] + y axes[1]: `origin` [P], `axes` [2, P] orthogonal and of equal length.

    `columns` are the two parameters that x and y are; None of other directions. `names` label the axes.
    """

    origin: np.ndarray
    axes: np.ndarray
    names: tuple[str, str]
    columns: tuple[int, int] | None = None

    def on(self, points: np.ndarray) -> np.ndarray:
        """Where points [S, P] lie on the plane, seen from straight above: [S, 2]."""
        with np.errstate(over="ignore", invalid="ignore"):  # diverged paths
            return (points - self.origin) @ self.axes.T / np.square(self.axes[0]).sum()

    def away(self, points: np.ndarray) -> np.ndarray:
        """How far points [S, P] lie from the plane, in lengths of its axes: [S]."""
        if self.columns is not None:
            return np.zeros(len(points))
        with np.errstate(over="ignore", invalid="ignore"):  # diverged paths
            near = self.origin + self.on(points) @ self.axes
            return np.linalg.norm(points - near, axis=1) / np.linalg.norm(self.axes[0])

    def points(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The parameters [M N, P] at the places x [N] and y [M], row by row."""
        across, up = np.meshgrid(x, y)
        return self.origin + across.reshape(-1, 1) * self.axes[0] + up.reshape(-1, 1) * self.axes[1]


def plane_of_parameters(names: Sequence[str], pair: tuple[str, str], base: np.ndarray) -> Plane:
    """The plane of two parameters `pair`, the others as in `base` [P].

    >>> plane = plane_of_parameters(["a", "b", "c"], ("c", "a"), np.array([1.0, 2.0, 3.0]))
    >>> plane.points(np.array([7.0]), np.array([8.0])).tolist()
    [[8.0, 2.0, 7.0]]
    >>> plane.on(np.array([[5.0, 0.0, 6.0]])).tolist()
    [[6.0, 5.0]]
    """
    columns = names.index(pair[0]), names.index(pair[1])
    axes = np.zeros((2, len(base)))
    axes[0, columns[0]] = axes[1, columns[1]] = 1
    origin = base.copy()
    origin[list(columns)] = 0
    return Plane(origin, axes, pair, columns)


def plane_of_paths(paths: Sequence[Path], beside: np.ndarray) -> Plane:
    """The plane through the best path's start (0, 0) and end (1, 0), which others lie in or near.

    Its second direction is the first principal component of what the paths' points have beside the first; of
    runs of which the start and the end are all that is known it leads to the end of the second best. Where
    there is nothing beside the first, it is that of `beside` [P], as the gradient.

    >>> ends = np.array([[2.0, 0, 0], [1, 3, 0]])
    >>> paths = [Path("", np.stack([0 * end, end]), loss) for end, loss in zip(ends, (1.0, 2.0))]
    >>> plane = plane_of_paths(paths, np.zeros(3))
    >>> abs(plane.on(ends)).tolist()
    [[1.0, 0.0], [0.5, 1.5]]
    """
    best, *others = best_first(paths)
    axes = np.eye(len(best.end))
    first = _longest(best.end - best.start, beside, axes[0])
    useful = [path for path in others if path.loss is not None]
    if best.whole or not useful:
        cloud = np.concatenate([_even(path.points) for path in (best, *useful)])
    else:
        cloud = useful[0].end[None]
    second = _principal(_beside(cloud - best.start, first))
    second = _longest(second, _beside(beside[None], first)[0], *_beside(axes, first), least=FLAT, of=first)
    second = second * (np.linalg.norm(first) / np.linalg.norm(second))
    second = -second if (cloud[-1] - best.start) @ second < 0 else second
    return Plane(best.start, np.stack([first, second]), ("from start (0) to end (1)", "beside it"))


def _longest(*directions: np.ndarray, least: float = 0.0, of: np.ndarray | None = None) -> np.ndarray:
    """The first of these directions that has a length, of at least a share of that `of` another."""
    short = 0.0 if of is None else least * float(np.linalg.norm(of))
    return next(direction for direction in directions if np.linalg.norm(direction) > short)


def _even(points: np.ndarray, most: int = 200) -> np.ndarray:
    return points[np.unique(np.linspace(0, len(points) - 1, most).round().astype(int))]


def _beside(points: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The part of points [S, P] that is orthogonal to a direction [P]."""
    unit = direction / np.linalg.norm(direction)
    return points - np.outer(points @ unit, unit)


def _principal(points: np.ndarray) -> np.ndarray:
    """The first principal component of points [S, P] about the origin, as long as they reach."""
    _, sizes, directions = np.linalg.svd(points, full_matrices=False)
    return directions[0] * sizes[0] / len(points) ** 0.5


def moving_most(
    model: ExpressionModel, data: Dataset, paths: Sequence[Path], alone: bool = True
) -> tuple[str, str]:
    """The two free parameters whose way along the paths counts most.

    It counts in units of the parameter's standard error at the best end, but for a factor that all have:
    `alone`, as if the other parameters were known; else as they are fitted beside it, so that a parameter for
    which others can make up doesn't count.

    >>> from packtrain.kernels.language import parse
    >>> model = ExpressionModel(parse("xy = a*x + b + 0.001*c*x^2"), torch.ones(1, 3), "mse", None)
    >>> x = torch.arange(4.0)[:, None]
    >>> paths = [Path("", np.array([[0.0, 0, 0], [1, 2, 3]]), 1.0)]
    >>> moving_most(model, Dataset(x, x, ("x",), ("xy",)), paths)
    ('a', 'b')
    """
    order = model.graph.parameters
    free = np.array([name not in model.graph.fixed for name in order])
    useful = [path for path in paths if path.loss is not None] or paths
    way = np.ptp(np.concatenate([_even(path.points) for path in useful]), 0)
    end = torch.from_numpy(best_first(paths)[0].end.copy())[None]
    inputs = thinned(data, JACOBIAN_SAMPLES).inputs.to(CPU, torch.float64)
    slopes = model.jacobian(end, inputs)[1][0].numpy().reshape(-1, len(order))
    slopes = np.nan_to_num(slopes, posinf=0.0, neginf=0.0) * free
    weight = way * (np.linalg.norm(slopes, axis=0) if alone else _of_itself(slopes))
    first, second = sorted(np.argsort(-np.where(free, weight, -1), kind="stable")[:2])
    return order[first], order[second]


def _of_itself(slopes: np.ndarray) -> np.ndarray:
    """What of each column [N, P] the others can't make: the length of its part beside them, [P]."""
    lengths = np.linalg.norm(slopes, axis=0)
    unit = slopes / np.where(lengths > 0, lengths, 1)
    beside = np.empty(len(lengths))
    for column in range(len(lengths)):
        others = np.delete(unit, column, 1)
        made = others @ np.linalg.lstsq(others, unit[:, column], rcond=1e-10)[0]
        beside[column] = np.linalg.norm(unit[:, column] - made)
    return lengths * np.where(beside > 1e-7, beside, 0)


def ranges_of(plane: Plane, paths: Sequence[Path]) -> Ranges:
    """From where to where the picture goes on each side: all starts and ends of use, with margins.

    A path is followed a way beyond these, but not as far as outliers go.

    >>> plane = plane_of_parameters(["a", "b"], ("a", "b"), np.zeros(2))
    >>> points = np.array([[0.0, 0.0]] * 40 + [[1e9, 1.0]] + [[2.0, 4.0]] * 40)
    >>> ranges_of(plane, [Path("", points, 1.0)])
    ((-1.0, 5.0), (-1.0, 5.0))

    Where none goes anywhere, as a fit from its minimum, the picture covers half of each value.

    >>> ranges_of(plane, [Path("", np.array([[4.0, 8.0], [4.0, 8.0000001]]), 1.0)])[0]
    (2.5, 5.5)
    """
    useful = [path for path in paths if path.loss is not None]
    ways = [_even(plane.on(path.points)) for path in useful]
    if not ways:  # the beginning of the one that goes least far
        begun = [plane.on(path.points[:FIRST]) for path in paths]
        ways = [min(begun, key=lambda way: np.ptp(way, 0).max())]
    cloud = np.concatenate(ways)
    share = 0.0 if len(paths) <= NAMED else OUTLIERS
    ends = np.concatenate([way[[0, -1]] for way in ways]) if useful else cloud
    few = 0.0 if useful and len(paths) <= NAMED else OUTLIERS / 2  # many may have ended anywhere
    low, high = np.quantile(ends, [few, 1 - few], 0)
    size = np.maximum(high - low, np.ptp(np.quantile(cloud, [TYPICAL, 1 - TYPICAL], 0), 0))
    size = np.where(size > STILL * np.maximum(abs(low), abs(high)), size, 0)
    instead = np.full(2, size.max() / 2) if plane.columns is None else np.maximum(abs(low), abs(high)) / 2
    size = np.where(size > FLAT * instead, size, np.where(instead > 0, instead, 1.0))
    middle = (low + high) / 2
    low, high = np.minimum(low, middle - size / 2), np.maximum(high, middle + size / 2)
    near = np.quantile(cloud, [share, 1 - share], 0).clip(low - REACH * size, high + REACH * size)
    low, high = np.minimum(low, near[0]), np.maximum(high, near[1])
    margin = MARGIN * (high - low)
    (left, bottom), (right, top) = (low - margin).tolist(), (high + margin).tolist()
    return (left, right), (bottom, top)
