"""What a surface is made of: a model, its data and paths; what is asked for; and its losses on a plane."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import RegularGridInterpolator

from ..config.pack import Pack
from ..data.dataset import Dataset
from ..models.base import Model
from ..models.expression import ExpressionModel
from .surface_paths import Path, best_first
from .surface_plane import Plane


@dataclass(frozen=True)
class Asked:
    """What a person asks for: `of` two parameters, `how` one of HOW, `size` points on a side; None: ours.

    `batch` samples of a minibatch have a surface each.
    """

    of: tuple[str, str] | None = None
    how: str | None = None
    size: int | None = None
    batch: int | None = None


@dataclass(frozen=True)
class Scene:
    """A model, that of `run` of its `pack`, its `data`, and paths of runs of its kind, some of `count`."""

    model: Model
    data: Dataset
    pack: Pack
    paths: Sequence[Path]
    run: int = 0
    count: int = 1

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return self.pack.each("seed")[self.run]

    @property
    def free(self) -> list[str]:
        """The parameters that a surface may be over: none of an MLP."""
        return free_parameters_of(self.model) if isinstance(self.model, ExpressionModel) else []


def free_parameters_of(model: ExpressionModel) -> list[str]:
    """The parameters that aren't fixed.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> free_parameters_of(ExpressionModel(parse("xy = a*x + b"), torch.ones(1, 2), "mse", None))
    ['a', 'b']
    """
    return [name for name in model.graph.parameters if name not in model.graph.fixed]


@dataclass(frozen=True)
class Surface:
    """The `loss` [M, N] at places y [M] and x [N] of a plane; NaN where it isn't finite.

    `about` says what the other parameters are, `samples` how many the loss is over, None for all.
    """

    plane: Plane
    x: np.ndarray
    y: np.ndarray
    loss: np.ndarray
    about: str
    samples: int | None = None

    def at(self, places: np.ndarray) -> np.ndarray:
        """The loss at places [S, 2] of the plane, NaN outside of the picture."""
        grid = RegularGridInterpolator((self.y, self.x), self.loss, bounds_error=False)
        return grid(places[:, ::-1])

    @property
    def lowest(self) -> tuple[float, float]:
        """Where it is least."""
        row, column = np.unravel_index(np.nanargmin(self.loss), self.loss.shape)
        return float(self.x[column]), float(self.y[row])


def loss_name(scene: Scene) -> str:
    """What the bar of colours is of.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.schema import Config
    >>> model = ExpressionModel(parse("xy = a*x + b"), torch.ones(1, 2), "mse", None)
    >>> scene = Scene(model, Dataset(torch.ones(1, 1), torch.ones(1, 1), (), ()), Pack(Config(), {}, 1), [])
    >>> loss_name(scene)
    'loss (mse)'
    """
    return f"loss ({scene.model.loss_kind.name})"


def title_of(scene: Scene, surface: Surface) -> str:
    """What the surface is over, and what is held or minimized.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.schema import Config
    >>> model = ExpressionModel(parse("xy = a*x + b"), torch.ones(1, 2), "mse", None)
    >>> scene = Scene(model, Dataset(torch.ones(9, 1), torch.ones(9, 1), (), ()), Pack(Config(), {}, 1), [])
    >>> from packtrain.trainer.pictures.surface_plane import plane_of_parameters
    >>> plane = plane_of_parameters(["a", "b", "c"], ("a", "c"), np.zeros(3))
    >>> title_of(scene, Surface(plane, np.zeros(1), np.zeros(1), np.zeros((1, 1)), "b = 2", samples=4))
    'mse over a and c; b = 2; of 4 of 9 samples'
    """
    first, second = surface.plane.names
    over = f"over {first} and {second}"
    if surface.plane.columns is None:
        over = f"over the plane through {_through(scene.paths)}"
    parts = [f"{scene.model.loss_kind.name} {over}", surface.about]
    if surface.samples is not None:
        parts.append(f"of {surface.samples:,} of {len(scene.data.counted):,} samples")
    return "; ".join(filter(None, parts))


def _through(paths: Sequence[Path]) -> str:
    """What a plane of paths goes through; see plane_of_paths."""
    best, *others = best_first(paths)
    text = f"start and end of {best.label}"
    if best.whole and (others or len(best.points) > 2):
        return f"{text} in which the paths lie most nearly"
    if others and others[0].loss is not None:
        return f"{text}, and the end of {others[0].label}"
    return f"{text}, and the first gradient"
