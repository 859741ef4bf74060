"""The losses of a surface: over a slice, a plane, or as a profile, where the others are minimized."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.interpolate import RegularGridInterpolator

from ...kernels.common.errors import UserError, nearest
from ..data.dataset import Dataset
from ..engines.least_over import least_over, refusal
from ..models.base import Model
from ..models.expression import ExpressionModel
from ..models.initial import bounds_of
from ..models.landscape import losses_at, thinned
from .surface_paths import Path, best_first
from .surface_plane import Plane, Ranges, moving_most, plane_of_parameters, plane_of_paths, ranges_of
from .surface_scene import Asked, Scene, Surface

SIZE, SIZE_OF_MLP = 201, 101  # points on a side
FITS = 41  # fits on a side of a profile
MOST_WORK = 1 << 32  # operations of a surface: points x samples x operations of the model
OF_A_FIT = 100  # evaluations of a fit's loss and slopes
MOST_OTHERS = 4  # parameters that are minimized unasked: fits of more are slow, and rarely end
HOW = "profile", "slice", "plane"


def surface_of(scene: Scene, asked: Asked, most_work: int = MOST_WORK) -> Surface:
    """The surface that is asked for. Raises UserError where it can't be made.

    Of more work than `most_work` some of the samples are taken, evenly.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.pack import Pack
    >>> from packtrain.trainer.config.schema import Config
    >>> model = ExpressionModel(parse("xy = a*x + b"), torch.ones(1, 2), "mse", None)
    >>> data = Dataset(torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [3.0]]), ("x",), ("xy",))
    >>> path = Path("gd", np.array([[0.0, 0.0], [2.0, 1.0]]), 0.0)
    >>> surface = surface_of(Scene(model, data, Pack(Config(), {}, 1), [path]), Asked(size=7))
    >>> surface.plane.names, surface.x.tolist(), surface.loss[3].tolist()[3]
    (('a', 'b'), [-0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5], 1.25)
    """
    how = how_of(scene, asked)
    plane = _plane(scene, asked, how)
    x, y = _sides(ranges_of(plane, scene.paths), _size(scene, asked))
    data = thinned(scene.data, most_work // _work(scene.model, how, len(x)))
    samples = len(data) if len(data) < len(scene.data.counted) else None
    if how == "profile":
        loss, about = _profile(scene, data, plane, x, y)
    else:
        loss, about = values_on(scene, data, plane, x, y), _held(scene, plane)
    if not np.isfinite(loss).any():
        raise UserError("the loss is finite nowhere near these runs, so that there is no surface to draw")
    return Surface(plane, x, y, loss, about, samples)


def _work(model: Model, how: str, size: int) -> int:
    """The operations that a surface takes for each sample."""
    if how == "profile":
        return min(size, FITS) ** 2 * OF_A_FIT * (model.width + model.parameters.shape[1] ** 2)
    return size**2 * (model.width if isinstance(model, ExpressionModel) else model.parameters.shape[1])


def how_of(scene: Scene, asked: Asked) -> str:
    """In which of the ways a surface is made. Raises UserError for one that can't be.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.pack import Pack
    >>> from packtrain.trainer.config.schema import Config
    >>> model = ExpressionModel(parse("xy = a*x + b"), torch.ones(1, 2), "mse", None)
    >>> scene = Scene(model, Dataset(torch.ones(1, 1), torch.ones(1, 1), (), ()), Pack(Config(), {}, 1), [])
    >>> how_of(scene, Asked())
    'slice'
    """
    if asked.how is not None and asked.how not in HOW:
        raise UserError(f"how is {', '.join(HOW)}; got {asked.how!r}{nearest(asked.how, HOW)}")
    model, free = scene.model, scene.free
    if not isinstance(model, ExpressionModel):
        if asked.how in ("profile", "slice") or asked.of:
            given = f"of={','.join(asked.of)}" if asked.of else f"how={asked.how}"
            raise UserError(f"an MLP's surface is over a plane through its runs, how=plane; got {given}")
        return "plane"
    if asked.how == "plane":
        if asked.of:
            raise UserError("how=plane goes through the runs, and of=... names parameters: keep one")
        return "plane"
    if len(free) < 2:
        only = f", and only {free[0]} is free" if free else ""
        raise UserError(f"a surface is over two parameters that are free{only}")
    why = refusal(model)
    if asked.how == "profile":
        if why:
            raise UserError(f"how=profile: {why}; how=slice holds the other parameters")
        if asked.batch:
            raise UserError("a minibatch's surface is a slice: leave out how=profile")
    is_held = len(free) == 2 or len(free) > 2 + MOST_OTHERS or why or asked.batch
    return asked.how or ("slice" if is_held else "profile")


def _plane(scene: Scene, asked: Asked, how: str) -> Plane:
    if how == "plane":
        return plane_of_paths(scene.paths, _gradient(scene))
    assert isinstance(scene.model, ExpressionModel)
    names = scene.model.graph.parameters
    given = scene.model, scene.data, scene.paths
    pair = _checked(scene, asked.of) if asked.of else moving_most(*given, alone=how != "profile")
    return plane_of_parameters(names, pair, best_first(scene.paths)[0].end)


def _checked(scene: Scene, pair: tuple[str, str]) -> tuple[str, str]:
    """Raises UserError for what aren't two free parameters."""
    assert isinstance(scene.model, ExpressionModel)
    for name in pair:
        if name not in scene.free:
            why = "it is fixed" if name in scene.model.graph.parameters else "there is none"
            raise UserError(
                f"of=A,B names two parameters of {', '.join(scene.free)}; got {name!r}, and {why}"
                f"{nearest(name, scene.free)}"
            )
    if pair[0] == pair[1]:
        raise UserError(f"of=A,B names two parameters that differ; got {pair[0]} twice")
    return pair


def _gradient(scene: Scene) -> np.ndarray:
    """dL/dp at the start of the best path, over some of the samples."""
    one = scene.model.of(torch.tensor([scene.run], device=scene.model.parameters.device))
    data = thinned(scene.data, 4096)
    start = torch.from_numpy(best_first(scene.paths)[0].start.copy()).to(one.parameters)
    one.parameters = start[None].requires_grad_()
    with torch.enable_grad():
        one.loss(data.inputs, data.targets, data.weights).sum().backward()
    assert one.parameters.grad is not None
    return np.nan_to_num(one.parameters.grad[0].double().cpu().numpy(), posinf=0.0, neginf=0.0)


def _size(scene: Scene, asked: Asked) -> int:
    return asked.size or (SIZE if isinstance(scene.model, ExpressionModel) else SIZE_OF_MLP)


def _sides(ranges: Ranges, size: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = (np.linspace(*between, size) for between in ranges)
    return x, y


def values_on(scene: Scene, data: Dataset, plane: Plane, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The losses over some data at the places of a plane: [M, N], NaN where they aren't finite.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.pack import Pack
    >>> from packtrain.trainer.config.schema import Config
    >>> model = ExpressionModel(parse("xy = a*x + b"), torch.ones(1, 2), "mse", None)
    >>> data = Dataset(torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [3.0]]), ("x",), ("xy",))
    >>> path = Path("gd", np.array([[0.0, 0.0], [2.0, 1.0]]), 0.0)
    >>> scene = Scene(model, data, Pack(Config(), {}, 1), [path])
    >>> plane = surface_of(scene, Asked(size=3)).plane
    >>> values_on(scene, data, plane, np.array([0.0, 2.0]), np.array([1.0])).tolist()
    [[2.0, 0.0]]
    """
    losses = losses_at(scene.model, data, torch.from_numpy(plane.points(x, y)), scene.run).numpy()
    return np.where(np.isfinite(losses), losses, np.nan).reshape(len(y), len(x))


def _profile(
    scene: Scene, data: Dataset, plane: Plane, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, str]:
    """The least losses over the other parameters, at FITS x FITS places; between them by their logarithms."""
    assert isinstance(scene.model, ExpressionModel) and plane.columns is not None
    count = min(FITS, len(x))
    coarse_x, coarse_y = np.linspace(x[0], x[-1], count), np.linspace(y[0], y[-1], count)
    base = plane.points(coarse_x, coarse_y)
    starts = np.stack([base, _as_nearest(base, plane, scene.paths)])
    held = torch.tensor([column in plane.columns for column in range(base.shape[1])])
    bounds = bounds_of(scene.pack.config.model, scene.model.graph)
    grid = count, count
    loss, _ = least_over(scene.model, data, torch.from_numpy(starts), held, bounds, grid, scene.run)
    coarse = np.where(np.isfinite(loss.numpy()), loss.numpy(), np.nan).reshape(grid)
    others = [name for name in scene.free if name not in plane.names]
    about = (
        f"least over {' and '.join(others)}" if len(others) < 3 else f"least over the {len(others)} others"
    )
    return _finer(coarse, coarse_x, coarse_y, x, y), f"{about} ({count} x {count} fits)"


def _as_nearest(base: np.ndarray, plane: Plane, paths: Sequence[Path]) -> np.ndarray:
    """`base` [K, P] with the other parameters of the paths' point that is nearest on the plane."""
    assert plane.columns is not None
    cloud = np.concatenate([path.points[:: max(1, len(path.points) // 200)] for path in paths])
    columns = list(plane.columns)
    scale = np.ptp(base[:, columns], 0)
    away = np.square((base[:, None, columns] - cloud[None, :, columns]) / scale).sum(-1)
    nearest_points = cloud[away.argmin(1)].copy()
    nearest_points[:, columns] = base[:, columns]
    return nearest_points


def _finer(
    coarse: np.ndarray, coarse_x: np.ndarray, coarse_y: np.ndarray, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    positive = bool(np.nanmin(coarse) > 0)
    values = np.log(coarse) if positive else coarse
    between = RegularGridInterpolator((coarse_y, coarse_x), values)(tuple(np.meshgrid(y, x, indexing="ij")))
    return np.exp(between) if positive else between


def _held(scene: Scene, plane: Plane) -> str:
    """What the parameters beside those of the plane are, '' where there are none."""
    if plane.columns is None or not isinstance(scene.model, ExpressionModel):
        return ""
    names = [name for name in scene.model.graph.parameters if name not in plane.names]
    values = dict(zip(scene.model.graph.parameters, plane.origin, strict=True))
    words = [f"{name} = {values[name]:.4g}" for name in names]
    if len(words) > 4:
        words = [*words[:3], f"and {len(words) - 3} others"]
    return f"with {', '.join(words)} held" if words else ""
