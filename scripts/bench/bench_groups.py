"""Fits by the thousand: whole commands, from the start of the process to all files, and a loop of curve_fit.

    python -m scripts.bench.bench_groups [--groups 10000] [--side 256] [--repeats 5] [--out FILE.csv]

A CSV of dose-response curves of 25 samples is fitted by group, and a cube of decays of 20 samples by pixel,
with maps. curve_fit fits the first PEERS of them from the same starts; its time is scaled to all, and leaves
out reading and writing. Exits with 1 where the parameters of those differ, or a command takes too long.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow import parquet
from scipy.optimize import curve_fit

from scripts.bench import timing
from scripts.common import commands, record

PEERS = 200  # fits of curve_fit
SAME = 1e-4  # relative difference of parameters
LIMITS = {"groups": 8.0, "cube": 15.0}  # seconds, of 10,000 groups and of 256 x 256 places


@dataclass(frozen=True)
class Case:
    """`x` and `y` [G, N]; `words` are those of the command, `start` what both start from."""

    name: str
    function: Callable[..., np.ndarray]
    x: np.ndarray
    y: np.ndarray
    start: dict[str, float]
    words: tuple[str, ...]


def groups(count: int, folder: Path) -> Case:
    """Dose-response curves in a CSV, a row a sample."""
    draw = np.random.default_rng(0)
    x = np.sort(10 ** draw.uniform(-3, 3, (count, 25)), 1)
    low, high, ec, h = (draw.uniform(*ends, (count, 1)) for ends in ((0, 2), (5, 10), (-1, 1), (0.7, 2)))
    y = low + (high - low) / (1 + (10**ec / x) ** h) + draw.normal(0, 0.1, x.shape)
    samples = zip(
        np.arange(count).repeat(25).tolist(), x.flatten().tolist(), y.flatten().tolist(), strict=True
    )
    lines = (f"c{group},{dose!r},{response!r}\n" for group, dose, response in samples)
    (folder / "doses.csv").write_text("compound,dose,y\n" + "".join(lines))
    start = {"low": 1.0, "high": 8.0, "ec": 1.0, "h": 1.0}
    text = "y = low + (high - low)/(1 + (ec/dose)^h)"
    words = "fit", "doses.csv", text, *(f"{name}={value}" for name, value in start.items()), "group=compound"
    return Case("groups", _dose, x, y, start, words)


def _dose(x: np.ndarray, low: float, high: float, ec: float, h: float) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return low + (high - low) / (1 + (ec / x) ** h)


def cube(side: int, folder: Path) -> Case:
    """Decays in an NPZ [side, side, 20], with a shared abscissa."""
    draw, t = np.random.default_rng(0), np.linspace(0, 5, 20)
    row, column = np.mgrid[:side, :side] / side
    a, k = 2 + np.sin(6 * row) * np.cos(4 * column), 0.6 + 0.4 * row * column
    y = a[..., None] * np.exp(-k[..., None] * t) + 0.3 + draw.normal(0, 0.05, (side, side, 20))
    np.savez(folder / "cube.npz", t=t, y=y)
    start = {"a": 1.0, "k": 1.0, "c": 0.0}
    fields = "data.path=cube.npz", "data.group=[row,column]", "data.columns={t: t, y: y}"
    model = 'model.expressions=["y = a*exp(-k*t) + c"]', "model.initial={a: 1, k: 1, c: 0}"
    flat = y.reshape(-1, 20)
    return Case(
        "cube", _decay, np.broadcast_to(t, flat.shape), flat, start, ("experiment=fit", *model, *fields)
    )


def _decay(t: np.ndarray, a: float, k: float, c: float) -> np.ndarray:
    return a * np.exp(-k * t) + c


def measure(case: Case, folder: Path, repeats: int) -> list[dict[str, Any]]:
    """A row for the command and one for curve_fit. Raises SystemExit where their parameters differ."""

    def by_packtrain() -> float:
        return commands.run(folder, "-m", "packtrain", *case.words, f"hydra.run.dir={case.name}").seconds

    def by_curve_fit() -> float:
        return _loop(case)[1] * len(case.y) / min(PEERS, len(case.y))

    by_packtrain()  # compiles what was never seen
    _check(case, folder)
    times = timing.shuffled(
        {"packtrain": _fresh(by_packtrain, folder / case.name), "curve_fit": by_curve_fit}, repeats
    )
    peer = record.quantiles(times["curve_fit"])[1]
    rows = []
    for name, seconds in times.items():
        low, median, high = record.quantiles(seconds)
        numbers = {"seconds": median, "p20": low, "p80": high, "times_faster": peer / median}
        rounded = {key: float(f"{value:.4g}") for key, value in numbers.items()}
        rows.append(
            {"what": case.name, "fits": len(case.y), "method": name, **record.where("cpu"), **rounded}
        )
    return rows


def _fresh(command: Callable[[], float], results: Path) -> Callable[[], float]:
    """The command, into a folder that isn't there yet."""

    def run() -> float:
        results.rename(tempfile.mkdtemp(dir=results.parent))
        return command()

    return run


def _loop(case: Case) -> tuple[np.ndarray, float]:
    """The parameters of the first fits by curve_fit, and the seconds that they took."""
    began, start = time.perf_counter(), list(case.start.values())
    pairs = zip(case.x[:PEERS], case.y[:PEERS], strict=True)
    fits = [curve_fit(case.function, x, y, start, maxfev=5000)[0] for x, y in pairs]
    return np.array(fits), time.perf_counter() - began


def _check(case: Case, folder: Path) -> None:
    table = parquet.read_table(folder / case.name / "runs.parquet").slice(0, PEERS)
    ours = np.stack([table[f"parameters.{name}"].to_numpy() for name in case.start], 1)
    same = np.isclose(ours, _loop(case)[0], rtol=SAME, atol=SAME).all(1).mean()
    if same < 0.98:  # some have no minimum that both find
        sys.exit(f"{case.name}: the parameters of {1 - same:.0%} of the fits differ")


def main() -> None:
    """Prints a line a way, and exits with 1 where a limit is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--groups", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        cases = groups(given.groups, place), cube(given.side, place)
        rows = [row for case in cases for row in measure(case, place, given.repeats)]
    for row in rows:
        numbers = f"{row['seconds']:8.4g} s {row['times_faster']:8.4g} x curve_fit"
        print(f"{row['what']:<8}{row['fits']:>7,} {row['method']:<10}{numbers}")
    if given.out:
        record.write(given.out, rows)
    late = [
        row["what"] for row in rows if row["method"] == "packtrain" and row["seconds"] > LIMITS[row["what"]]
    ]
    if late:
        sys.exit(f"longer than its limit: {', '.join(late)}")


if __name__ == "__main__":
    main()
