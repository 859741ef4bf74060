"""The picture of how seconds grow with the size of a training, from the record of bench_growth."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.common import record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RECORD = record.ROOT / "scripts" / "bench" / "results" / "growth_cpu_x86-64_2-cores.csv"
TITLES = {
    "runs": "runs of a pack",
    "groups": "fits, a group each",
    "ranks": "ranks that share a pack",
    "samples": "samples, streamed",
}
BLUE, ORANGE, GREY = "#3b6ea5", "#d98032", "#999"


def draw(file: Path, rows: Sequence[dict[str, Any]] | None = None) -> None:
    """Draws a panel for each series of the record, or of these rows, into the file. Needs matplotlib."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (an optional dependency)

    rows = record.read(RECORD) if rows is None else rows
    names = list(dict.fromkeys(row["what"] for row in rows))
    figure = Figure(figsize=(3.1 * len(names), 3), layout="constrained", dpi=110)
    for name, axes in zip(names, figure.subplots(1, len(names), squeeze=False)[0], strict=True):
        _panel(axes, name, [row for row in rows if row["what"] == name])
    figure.axes[0].set_ylabel("seconds")
    figure.axes[0].legend(fontsize=7, frameon=False)
    figure.savefig(file)


def _panel(axes: "Axes", name: str, rows: Sequence[dict[str, Any]]) -> None:
    sizes = [float(row["size"]) for row in rows]
    whole, computing = ([float(row[column]) for row in rows] for column in ("seconds", "train"))
    axes.loglog(sizes, whole, "o-", color=BLUE, markersize=4, label="the whole command")
    axes.loglog(sizes, computing, "o-", color=ORANGE, markersize=4, label="of it, computing")
    if name != "ranks":  # their work is the same for each number
        share = [whole[-1] * size / sizes[-1] for size in sizes]
        axes.loglog(sizes, share, ":", color=GREY, linewidth=1, label="in proportion")
        axes.set_ylim(bottom=min(*computing, *whole) / 2)
    else:
        axes.set_ylim(0.1, 2 * max(whole))
        axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
        axes.minorticks_off()
    axes.set_xlabel(TITLES[name])
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
