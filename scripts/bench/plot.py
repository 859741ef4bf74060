"""A picture of a benchmark: how much of the machine's limit each case reaches."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def label(row: dict[str, Any]) -> str:
    """What names a case: its columns before the device."""
    return " ".join(str(row[key]) for key in list(row)[: list(row).index("device")])


def draw(rows: Sequence[dict[str, Any]], file: Path, title: str) -> None:
    """Draws a bar a case, as long as its fraction of the limit, into an SVG file. Needs matplotlib."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (an optional dependency)

    names = [label(row) for row in rows]
    figure = Figure(figsize=(8, 1.2 + 0.22 * len(rows)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(names, [row["fraction_of_limit"] for row in rows], height=0.7, color="#3b6ea5")
    axes.bar_label(bars, [f"{row['fraction_of_limit']:.0%}" for row in rows], padding=3, fontsize=7)
    axes.set_xlim(0, max(1.0, *(1.1 * row["fraction_of_limit"] for row in rows)))
    axes.axvline(1, color="#999", linewidth=0.8)
    axes.set_xlabel("fraction of the limit (1 = bandwidth or matrix peak, as measured)")
    axes.tick_params(axis="y", labelsize=7)
    axes.invert_yaxis()
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file)
