"""The picture of the loss over two parameters, or over a plane, with the paths of runs on it."""

from collections.abc import Sequence
from pathlib import Path as File
from typing import Any

from ..folder.result import Result
from ..models.expression import ExpressionModel
from .descents import Descents
from .style import can_draw, new_figure, save
from .surface_batches import figure_of_batches
from .surface_panels import (
    Scale,
    back_to_front,
    draw_path,
    draw_path_solid,
    draw_solid,
    fill,
    look_of,
    write_bar,
)
from .surface_paths import NAMED, Path, best_first, in_order
from .surface_scene import Asked, Scene, free_parameters_of, loss_name, title_of
from .surface_values import MOST_WORK, surface_of

WIDTH, HEIGHT = 10.4, 5.0  # inches
HANDLE, LETTER = 0.8, 0.075  # inches, of a path's name in the legend
FEWEST_POINTS = 3  # of a path that is drawn without being asked for


def draw_surface(
    descents: Descents,
    file: File,
    of: tuple[str, str] | None = None,
    how: str | None = None,
    size: int | None = None,
    batch: int | None = None,
    runs: Sequence[int] | None = None,
    most_work: int = MOST_WORK,
) -> bool:
    """Draws the surface of runs, with their paths, as PNG or SVG -> whether they have one.

    `of` are two parameters, else those that move most; `how` is profile, where the other parameters are
    minimized at each place, slice, where they stay as in the best run, or plane, through starts and ends.
    There are `size` points on a side. With `batch`, the surfaces of some minibatches of so many samples stand
    beside that of all. `runs` are those whose paths are drawn. Raises UserError for what can't be drawn.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"]),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam", lr=0.1), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> draw_surface(Descents.of_result(session.result()), File("surface.png"))  # of one parameter
    False
    """
    if not has_surface(descents) or not can_draw():
        return False
    scene = scene_of(descents, runs)
    if not scene.paths:
        return False
    save(figure_of_surface(scene, Asked(of, how, size, batch), most_work), file)
    return True


def has_surface(descents: Descents) -> bool:
    """Whether runs have a surface: MLPs do, and equations with two parameters that are free.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("mlp", widths=[1, 4, 1]),
    ...     data=DataConfig("table", table={"x": [1, 2], "target": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> has_surface(Descents.of_result(session.result()))
    True
    """
    model = descents.result.model
    return not isinstance(model, ExpressionModel) or len(free_parameters_of(model)) > 1


def is_drawn_at_end(result: Result) -> bool:
    """Whether a training ends with its surface: of equations with a path that was recorded, without groups.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x + b"]),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam", lr=0.1), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> is_drawn_at_end(session.result())  # whose curves aren't kept
    False
    """
    model = result.model
    if not isinstance(model, ExpressionModel) or result.data.segments is not None or result.curves is None:
        return False
    return len(free_parameters_of(model)) > 1 and len(result.curves) >= FEWEST_POINTS * result.pack.runs


def scene_of(descents: Descents, runs: Sequence[int] | None = None) -> Scene:
    """What is drawn of some runs, all where none are named. Raises UserError for a run that isn't there.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"], initial={"a": 3}),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam", lr=0.1), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> scene_of(Descents.of_result(session.result()), [7])
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: runs names runs of the best one's model ..., 0 to 0; got 7
    """
    result, run = descents.result, descents.run
    data = result.data.of_run(run)
    paths = descents.paths(runs)
    if runs is None and not isinstance(result.model, ExpressionModel):
        paths = best_first(paths)[:2]  # a plane goes through the starts and ends of so many
    return Scene(result.model, data, result.pack, paths, run, len(descents.lines))


def figure_of_surface(scene: Scene, asked: Asked, most_work: int = MOST_WORK) -> Any:
    """The surface as a map and in 3D, with the scene's paths; of minibatches a map each. Raises UserError.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x + b"]),
    ...     data=DataConfig("table", table={"x": [0, 1, 2], "xy": [1, 3, 4]}),
    ...     optimizer=OptimizerConfig("adam", lr=0.1), loop=LoopConfig(batch_size="full", steps=9),
    ... ))
    >>> figure = figure_of_surface(scene_of(Descents.of_result(session.result())), Asked(size=7))
    >>> [axes.get_xlabel() for axes in figure.axes[:2]]
    ['a', 'a']
    """
    surface = surface_of(scene, asked, most_work)
    scale = Scale.of(surface.loss)
    if asked.batch:
        return figure_of_batches(scene, asked.batch, surface, scale)
    paths = in_order(scene.paths)
    named = len(paths) <= NAMED
    figure = new_figure(WIDTH, HEIGHT)
    grid = figure.add_gridspec(1, 2, width_ratios=[1.2, 1])
    axes, solid = figure.add_subplot(grid[0]), figure.add_subplot(grid[1], projection="3d")
    write_bar(figure, fill(axes, surface, scale), axes, scale, loss_name(scene))
    draw_solid(solid, surface, scale)
    for place in back_to_front(surface, paths):
        draw_path(axes, surface, paths[place], place, named)
        draw_path_solid(solid, surface, scale, paths[place], place, named)
    _write_legend(figure, paths, scene.count)
    figure.suptitle(title_of(scene, surface), fontsize=10)
    return figure


def _write_legend(figure: Any, paths: Sequence[Path], count: int) -> None:
    """The names of paths, below the picture, where they cover nothing."""
    from matplotlib.lines import Line2D  # noqa: PLC0415 (an optional dependency, and slow)

    start = {"marker": "s", "color": "white", "markeredgecolor": "#222222", "markersize": 6}
    handles: list[Any] = [Line2D([], [], linestyle="", label="start", **start)]
    named = len(paths) <= NAMED
    for place, path in enumerate(paths if named else paths[:1]):
        text = f"{path.label}: {'diverged' if path.loss is None else f'{path.loss:.3g}'}"
        text = text if named else f"best of {count:,}: {text}"
        end = "o" if path.loss is not None else "X"
        handles.append(Line2D([], [], marker=end, label=text, **look_of(place, named)))
    if not named:
        others = f"{len(paths) - 1} others" + (", evenly by rank" if len(paths) < count else "")
        handles.append(Line2D([], [], color="#9a9a9a", linewidth=1, label=others))
    longest = max(len(handle.get_label()) for handle in handles)
    columns = max(1, min(4, int(WIDTH / (HANDLE + LETTER * longest))))
    place = {"loc": "outside lower center", "ncols": columns, "frameon": False, "handlelength": 3}
    figure.legend(handles=handles, fontsize=8.5, **place)
