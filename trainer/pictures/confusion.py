"""The picture of a confusion matrix: what the samples of each class are taken for."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from .style import MUTED, can_draw, new_figure, save
from .texts import all_shortened

CELL, MARGIN, LEAST = 0.55, 1.8, 4.2  # inches
MOST_COUNTED, UNCOUNTED = 25, 14  # classes up to which each cell has its count; cells that more have room for
MOST_SHARED, MOST_PAIRS = 10, 5  # classes up to which it has its share; pairs that are told of more
MOST_NAMES, LONG, LONGEST = 25, 6, 24  # names on an axis; letters, above which those below slant; of a name
LETTER = 0.08  # inches
DARK = 0.55  # the share from which a count is written in white


def draw_best(folder: Path) -> bool:
    """Draws what result.json in `folder` counts of its best run into confusion.png -> whether it has some.

    Without matplotlib nothing is drawn.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "result.json").write_text('{"run": []}')
    ...     draw_best(Path(folder))
    False
    """
    return draw_counts(json.loads((folder / "result.json").read_text()), folder / "confusion.png")


def has_counts(result: Mapping[str, Any]) -> bool:
    """Whether a result.json's content counts what the best run takes classes for.

    >>> has_counts({"run": []})
    False
    """
    return bool(result.get("confusion"))


def draw_counts(result: Mapping[str, Any], file: Path) -> bool:
    """Draws the classes of the best run of a result.json's content, if it has some; see draw_best.

    >>> draw_counts({"run": []}, Path("confusion.png"))
    False
    """
    confusion = result.get("confusion") if can_draw() else None
    if confusion:
        row = next(row for row in result["run"] if row["index"] == confusion["run"])
        run = f", run {row['index']}" if result["runs"] > 1 else ""
        accuracy = f"accuracy {row['metrics']['accuracy']:.4g} on the {confusion['part']} part"
        draw(confusion, f"{result['experiment']}{run}: {accuracy}", file)
    return bool(confusion)


def draw(confusion: Mapping[str, Any], title: str, file: Path) -> None:
    """Draws the counts [K][K] as PNG; a cell's colour is its share of the samples of its class.

    >>> from tempfile import TemporaryDirectory
    >>> counts = {"classes": ["cat", "dog"], "counts": [[3, 1], [0, 4]]}
    >>> with TemporaryDirectory() as folder:
    ...     draw(counts, "run 0", Path(folder) / "confusion.png")
    ...     [file.name for file in Path(folder).iterdir()]
    ['confusion.png']
    """
    save(figure_of_counts(confusion, title), file)


def figure_of_counts(confusion: Mapping[str, Any], title: str) -> Any:
    """A row for each class that samples are of, a column for each that they are taken for.

    Up to MOST_COUNTED classes each cell has its count, up to MOST_SHARED its share of the row as well. Of
    more the colours tell small shares apart, and the pairs that are most often confused stand below.
    Raises ModuleNotFoundError without matplotlib.

    >>> figure = figure_of_counts({"classes": ["cat", "dog"], "counts": [[3, 1], [0, 4]]}, "run 0")
    >>> [text.get_text() for text in figure.axes[0].texts][:2]
    ['3\\n75 %', '1\\n25 %']
    """
    names = all_shortened(confusion["classes"], LONGEST)
    counts = np.array(confusion["counts"])
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    counted = len(names) <= MOST_COUNTED
    size = max(LEAST, MARGIN + CELL * (len(names) if counted else UNCOUNTED))
    beside = LETTER * max(map(len, names))
    figure = new_figure(size + 0.8 + beside, size + (beside / 2 if beside > LETTER * LONG else 0))
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", norm=_scale(1.0 if counted else 0.5))
    if counted:
        _write_counts(axes, counts, shares)
    else:
        worst = fill(_most_confused(names, shares), int(figure.get_figwidth() * 16))
        figure.supxlabel(worst, x=0.02, ha="left", fontsize=8, color=MUTED)
    _label(axes, names, counted)
    figure.suptitle(fill(title, int(figure.get_figwidth() * 12)), fontsize=10)
    bar = figure.colorbar(image, ax=axes, aspect=30, label="share of the actual class")
    bar.set_ticks([0, 0.2, 0.4, 0.6, 0.8, 1] if counted else [0, 0.01, 0.05, 0.2, 0.5, 1])
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    return figure


def _scale(power: float) -> Any:
    from matplotlib.colors import PowerNorm  # noqa: PLC0415 (an optional dependency, and slow)

    return PowerNorm(power, vmin=0, vmax=1)


def _write_counts(axes: Any, counts: np.ndarray, shares: np.ndarray) -> None:
    for (row, column), count in np.ndenumerate(counts):
        share = float(shares[row, column])
        color = "white" if share > DARK else "black" if count else "#aaaaaa"
        below = f"\n{_percent(share)}" if count and len(counts) <= MOST_SHARED else ""
        style = {"ha": "center", "va": "center", "color": color, "fontsize": 9 if len(counts) < 6 else 8}
        axes.text(column, row, _short(int(count)) + below, **style)


def _short(count: int) -> str:
    """A count of at most six letters.

    >>> _short(12345), _short(1234567)
    ('12,345', '1.23M')
    """
    return (
        f"{count:,}" if count < 100_000 else f"{count / 1e3:.0f}k" if count < 1e6 else f"{count / 1e6:.3g}M"
    )


def _most_confused(names: Sequence[str], shares: np.ndarray) -> str:
    """The pairs of classes of which the largest share is taken for the other."""
    wrong = np.where(np.eye(len(names), dtype=bool), 0, shares)
    order = np.argsort(wrong, axis=None, kind="stable")[::-1][:MOST_PAIRS]
    pairs = zip(*np.unravel_index(order, wrong.shape), strict=True)
    told = [f"{names[i]} as {names[j]} ({_percent(float(wrong[i, j]))})" for i, j in pairs if wrong[i, j]]
    return f"Most often taken for another: {', '.join(told)}." if told else "None is taken for another."


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _label(axes: Any, names: Sequence[str], counted: bool) -> None:
    every = -(-len(names) // MOST_NAMES)
    places, shown = range(0, len(names), every), names[::every]
    axes.set_xticks(places, shown)
    axes.set_yticks(places, shown)
    if max(map(len, shown)) > LONG:
        axes.tick_params(axis="x", rotation=35)
        for label in axes.get_xticklabels():
            label.set(horizontalalignment="right", rotation_mode="anchor")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("actual class")
    axes.tick_params(length=0, labelsize=9)
    axes.spines[:].set_visible(False)
    if counted:
        edges = np.arange(len(names) - 1) + 0.5
        axes.set_xticks(edges, minor=True)
        axes.set_yticks(edges, minor=True)
        axes.grid(which="minor", color="white", linewidth=1)
        axes.tick_params(which="minor", length=0)
