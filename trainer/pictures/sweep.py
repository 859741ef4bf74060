"""The picture of a sweep, strip below strip: curves, what runs came to by each field, all fields at once."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .by_field import draw_field
from .heat import draw_heat
from .heights import Heights
from .importance import draw_importances, importances
from .lines import NAMES, draw_runs
from .parallel import draw_parallel
from .ranked import SEED, Ranked
from .scales import Scale
from .style import MUTED, can_draw, new_figure, save

MOST_PANELS, ACROSS = 12, 3
WIDTH, HEIGHT = 4.2, 3.2  # inches, of a panel
MOST_BESIDE = 5  # fields whose lines have room beside a map
LEAST_ACROSS = 2  # panels that the curves have room for
LETTER, HANDLE = 0.07, 0.7  # inches: of a legend's text, and before it


def has_sweep(runs: Ranked) -> bool:
    """Whether a field varied between runs, of which some are of use.

    >>> from packtrain.trainer.folder.objective import Objective
    >>> has_sweep(Ranked([], Objective("loss.train")))
    False
    """
    return bool(runs.lines and runs.fields)


def draw_sweep(runs: Ranked, file: Path, importance: str = "anova") -> bool:
    """Draws what the runs of a training or a sweep came to, by what varied -> whether something did.

    `importance` is how each field's is found: see importances.

    >>> from packtrain.trainer.folder.objective import Objective
    >>> draw_sweep(Ranked([], Objective("loss.train")), Path("nothing.png"))
    False
    """
    if not has_sweep(runs) or not can_draw():
        return False
    save(figure_of_sweep(runs, importance), file)
    return True


def figure_of_sweep(runs: Ranked, importance: str = "anova") -> Any:
    """Curves of what runs are ranked by, beside the importance of each field; a panel for each field; of two
    fields that matter most a map, and of more than two all at once.

    Runs without a number are crosses at the edge, and count as the worst for the importance. Raises
    ModuleNotFoundError without matplotlib, or the library that `importance` names.

    >>> from packtrain.trainer.folder.objective import Objective
    >>> rows = [{"index": i, "seed": i, "outcome": "finished", "message": "", "steps": 9} for i in range(3)]
    >>> losses = {"loss.train.first": 4.0, "loss.train.last": 1.0, "loss.validation": None}
    >>> figure = figure_of_sweep(Ranked([row | losses for row in rows], Objective("loss.train")))
    >>> [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]
    [('seed', 'loss.train.last')]
    """
    whole = Whole.of(runs, importance)
    strips = list(_strips(runs, whole, importance))
    heights = [strip.height for strip in strips]
    across = max(LEAST_ACROSS, min(ACROSS, len(whole.scales)))
    figure = new_figure(WIDTH * across, HEIGHT * sum(heights))
    subfigures = figure.subfigures(len(strips), 1, squeeze=False, height_ratios=heights)[:, 0]
    for subfigure, strip in zip(subfigures, strips, strict=True):
        strip.draw(subfigure)
    return figure


@dataclass(frozen=True)
class Whole:
    """The runs of use, the best first, and the others: their `scales` by field, those that matter most first.

    `heights` are those of the runs of use; `shares` of the fields, {} where they aren't known.
    """

    scales: Mapping[str, Scale]
    heights: Heights
    shares: Mapping[str, float]

    @classmethod
    def of(cls, runs: Ranked, importance: str) -> "Whole":
        """What is drawn of the runs."""
        rows = [*runs.lines, *runs.lost]
        indices = [row["index"] for row in rows]
        scales = {field: Scale.of([row[field] for row in rows], indices) for field in runs.fields}
        heights = Heights.of_lines(runs.lines, runs.objective)
        even = heights.even(heights.of).clip(*heights.limits)
        worst = np.full(len(runs.lost), heights.edge)
        shares = importances(scales, np.concatenate([even, worst]), importance)
        order = list(shares or scales)[:MOST_PANELS]
        return cls({field: scales[field] for field in order}, heights, shares)

    @property
    def useful(self) -> dict[str, Scale]:
        """The scales of the runs of use alone."""
        count = len(self.heights.of)
        return {f: Scale(scale.at[:count], scale.names, scale.kind) for f, scale in self.scales.items()}


@dataclass(frozen=True)
class Strip:
    """A part of the picture, of its whole width: the `height` in panels, and what draws it in a subfigure."""

    height: float
    draw: Callable[[Any], None]


def _strips(runs: Ranked, whole: Whole, importance: str) -> Iterator[Strip]:
    """Curves and importance, a panel for each field, and of two fields or more these together."""
    name = _curve(runs)
    if name:
        yield Strip(1, lambda subfigure: _draw_top(subfigure, runs, name, whole.shares, importance))
    down, across = math.ceil(len(whole.scales) / ACROSS), min(ACROSS, len(whole.scales))
    yield Strip(down, lambda subfigure: _draw_fields(subfigure.subplots(down, across, squeeze=False), whole))
    yield from _together(whole)


def _together(whole: Whole) -> Iterator[Strip]:
    """Maps of the fields that matter most, but for the seed, and of more than two fields a line a run."""
    settled = [field for field in whole.scales if field != SEED]
    pairs = [(settled[0], other) for other in settled[1:3]]
    many = len(whole.scales) > MOST_BESIDE
    if many:
        yield Strip(1.15, lambda subfigure: _draw_together(subfigure, whole, pairs, parallel=False))
        yield Strip(1, lambda subfigure: _draw_together(subfigure, whole, [], parallel=True))
    elif pairs or len(whole.scales) > 2:
        parallel = len(whole.scales) > 2
        yield Strip(1.15, lambda subfigure: _draw_together(subfigure, whole, pairs[:1], parallel))


def _curve(runs: Ranked) -> str | None:
    """What there is a curve of: what the runs are ranked by, if that was recorded on the way, or the loss."""
    recorded = runs.curves.names
    name = "loss" if runs.objective.name == "loss.train" else runs.objective.name
    if name in recorded and runs.lines_of(name, [runs.best])[0].shape[1] > 1:
        return name
    return "loss" if "loss" in recorded else None


def _draw_top(subfigure: Any, runs: Ranked, name: str, shares: Mapping[str, float], importance: str) -> None:
    """The curves, and beside them the importance."""
    ratios = [2, 1] if shares else [1]
    left, *right = subfigure.subplots(1, len(ratios), squeeze=False, width_ratios=ratios)[0]
    handles = draw_runs(left, runs, name)
    left.set_ylabel(NAMES.get(name, name))
    _write_legend(left, handles, subfigure.bbox.width / subfigure.figure.dpi * ratios[0] / sum(ratios))
    if name == "loss" and runs.objective.name != "loss.train":
        why = f"{runs.objective.name}, which runs are ranked by, was measured at their end alone"
        left.set_title(why, fontsize=8, color=MUTED, loc="left")
    for axes in right:
        draw_importances(axes, dict(list(shares.items())[:MOST_PANELS]), importance)


def _draw_fields(grid: Any, whole: Whole) -> None:
    """What the runs came to by each field."""
    panels: Sequence[Any] = grid.ravel()
    for axes, (field, scale) in zip(panels, whole.scales.items(), strict=False):
        draw_field(axes, scale, whole.heights)
        axes.set_xlabel(f"{field} ({len(scale.names):,} values)" if len(scale.names) > 12 else field)
        whole.heights.set_up(axes)
    for axes in panels[len(whole.scales) :]:
        axes.set_visible(False)
    for row in grid:
        row[0].set_ylabel(whole.heights.label)
        for axes in row[1:]:
            axes.tick_params(labelleft=False)
    _write_legend(panels[0], panels[0].get_legend_handles_labels()[0], WIDTH)


def _write_legend(axes: Any, handles: Sequence[Any], width: float) -> None:
    """Writes it above the panel, of so many inches, where it hides no run."""
    longest = max((len(handle.get_label()) for handle in handles), default=0)
    columns = max(1, min(len(handles), int(width / (HANDLE + LETTER * longest))))
    place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.8}
    axes.legend(handles=handles, ncols=columns, fontsize=8, frameon=False, **place)


def _draw_together(subfigure: Any, whole: Whole, pairs: Sequence[tuple[str, str]], parallel: bool) -> None:
    """A map of each pair of fields, and a line through all fields for each run."""
    ratios = [1.0] * len(pairs) + [1.6] * parallel
    panels = subfigure.subplots(1, len(ratios), squeeze=False, width_ratios=ratios)[0]
    for axes, (across, up) in zip(panels, pairs, strict=False):
        draw_heat(subfigure, axes, whole.scales[across], whole.scales[up], whole.heights)
        axes.set_xlabel(across)
        axes.set_ylabel(up)
    if parallel:
        draw_parallel(panels[-1], whole.useful, whole.heights)
