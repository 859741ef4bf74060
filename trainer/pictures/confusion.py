"""The picture of a confusion matrix: what the samples of each class are taken for."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .style import can_draw, new_figure, save

CELL, MARGIN, LEAST = 0.55, 1.8, 4.2  # inches
MOST_COUNTED, UNCOUNTED = 25, 14  # classes up to which each cell has its count; cells that more have room for
MOST_NAMES, LONG = 25, 6  # names on an axis; characters, above which those below slant
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
    classes, counts = confusion["classes"], np.array(confusion["counts"])
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    counted = len(classes) <= MOST_COUNTED
    size = max(LEAST, MARGIN + CELL * (len(classes) if counted else UNCOUNTED))
    figure = new_figure(size + 0.8, size)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if counted:
        _write_counts(axes, counts, shares)
    _label(axes, classes)
    axes.set_title(title, fontsize=10)
    bar = figure.colorbar(image, ax=axes, aspect=30, label="share of the actual class")
    bar.outline.set_visible(False)
    save(figure, file)


def _write_counts(axes: Any, counts: np.ndarray, shares: np.ndarray) -> None:
    for (row, column), count in np.ndenumerate(counts):
        color = "white" if shares[row, column] > DARK else "black" if count else "#aaaaaa"
        axes.text(column, row, f"{count:,}", ha="center", va="center", color=color, fontsize=9)


def _label(axes: Any, classes: Sequence[str]) -> None:
    every = -(-len(classes) // MOST_NAMES)
    places, names = range(0, len(classes), every), classes[::every]
    axes.set_xticks(places, names)
    axes.set_yticks(places, names)
    if max(map(len, names)) > LONG:
        axes.tick_params(axis="x", rotation=35)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("actual class")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    edges = np.arange(len(classes) - 1) + 0.5
    axes.set_xticks(edges, minor=True)
    axes.set_yticks(edges, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="minor", length=0)
