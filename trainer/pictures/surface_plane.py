"""The plane that a surface is drawn over: two parameters, or two directions through starts and ends."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..data.dataset import Dataset
from ..models.expression import ExpressionModel
from ..models.landscape import CPU, thinned
from .surface_paths import Path, best_first

MARGIN = 0.25  # of what the picture covers, on each side
REACH = 1.0  # of the box of starts and ends: how far beyond it a path is followed
FLAT = 1e-9  # of its size: a side as short is none
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
        return (points - self.origin) @ self.axes.T / np.square(self.axes[0]).sum()

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
    """The plane through the best path's start (0, 0) and end (1, 0) that most of the others lie in.

    Its second direction is the first principal component of what the paths' points have beside the first;
    where they have nothing beside it, that of `beside` [P], as the gradient.

    >>> ends = np.array([[2.0, 0, 0], [1, 3, 0]])
    >>> paths = [Path("", np.stack([0 * end, end]), loss) for end, loss in zip(ends, (1.0, 2.0))]
    >>> plane = plane_of_paths(paths, np.zeros(3))
    >>> abs(plane.on(ends)).tolist()
    [[1.0, 0.0], [0.5, 1.5]]
    """
    best = best_first(paths)[0]
    first = best.end - best.start
    if not np.linalg.norm(first) > 0:
        first = beside
    if not np.linalg.norm(first) > 0:
        first = np.eye(1, len(first))[0]
    cloud = np.concatenate([_even(path.points) for path in paths if path.loss is not None] or [best.points])
    second = _principal(_beside(cloud - best.start, first))
    for other in (beside, np.eye(len(first))[np.argmin(abs(first))]):
        if np.linalg.norm(second) > FLAT * np.linalg.norm(first):
            break
        second = _beside(other[None], first)[0]
    second *= np.linalg.norm(first) / (np.linalg.norm(second) or 1)
    return Plane(best.start, np.stack([first, second]), ("from start (0) to end (1)", "beside it"))


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


def moving_most(model: ExpressionModel, data: Dataset, paths: Sequence[Path]) -> tuple[str, str]:
    """The two free parameters whose way along the paths changes the outputs most.

    A way counts in units of 1 over the root mean square of dy/dp at the best end, which is the parameter's
    standard error but for a factor that all have.

    >>> from packtrain.kernels.language import parse
    >>> model = ExpressionModel(parse("xy = a*x + b + 0.001*c"), torch.ones(1, 3), "mse", None)
    >>> data = Dataset(torch.ones(4, 1), torch.ones(4, 1), ("x",), ("xy",))
    >>> moving_most(model, data, [Path("", np.array([[0.0, 0, 0], [1, 2, 3]]), 1.0)])
    ('a', 'b')
    """
    names = [name for name in model.graph.parameters if name not in model.graph.fixed]
    useful = [path for path in paths if path.loss is not None] or paths
    points = np.concatenate([_even(path.points) for path in useful])
    way = np.ptp(points, 0)
    end = torch.from_numpy(best_first(paths)[0].end.copy())[None]
    inputs = thinned(data, JACOBIAN_SAMPLES).inputs.to(CPU, torch.float64)
    slopes = np.sqrt(np.square(model.jacobian(end, inputs)[1][0].numpy()).mean((0, 1)))
    weight = np.nan_to_num(way * slopes, nan=0.0, posinf=0.0)
    order = model.graph.parameters
    most = sorted(names, key=lambda name: -weight[order.index(name)])[:2]
    first, second = sorted(most, key=order.index)
    return first, second


def ranges_of(plane: Plane, paths: Sequence[Path]) -> Ranges:
    """From where to where the picture goes on each side: all starts and ends of use, with margins.

    A path is followed a way beyond these, but not as far as outliers go.

    >>> plane = plane_of_parameters(["a", "b"], ("a", "b"), np.zeros(2))
    >>> points = np.array([[0.0, 0.0], [1e9, 1.0], [2.0, 4.0]])
    >>> ranges_of(plane, [Path("", points, 1.0)])
    ((-1.0, 5.0), (-1.0, 5.0))
    """
    ways = [plane.on(path.points) for path in paths]
    kept = [way[[0, -1]] for way, path in zip(ways, paths, strict=True) if path.loss is not None]
    firm = np.concatenate(kept or [way[: max(2, len(way) // 2)] for way in ways])
    if not kept:  # all diverged: from the start as far as half of the steps go
        low, high = np.quantile(firm, [0.0, 0.9], 0)
        firm = np.stack([low, high])
    low, high = firm.min(0), firm.max(0)
    size = np.where(high - low > FLAT * np.maximum(abs(low), abs(high)), high - low, 0)
    fallback = size.max() if plane.columns is None else 0.0
    size = np.where(size > 0, size, fallback or np.maximum(abs(high), abs(low)) / 2)
    size = np.where(size > 0, size, 1.0)
    middle = (low + high) / 2
    low, high = np.minimum(low, middle - size / 2), np.maximum(high, middle + size / 2)
    cloud = np.concatenate(ways)
    near = cloud.clip(low - REACH * size, high + REACH * size)
    low, high = np.minimum(low, near.min(0)), np.maximum(high, near.max(0))
    margin = MARGIN * (high - low)
    (left, bottom), (right, top) = (low - margin).tolist(), (high + margin).tolist()
    return (left, right), (bottom, top)
