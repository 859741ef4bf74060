"""How seconds grow with the size of a training: with its runs, groups, ranks and samples, one at a time.

    python -m scripts.bench.bench_growth [runs groups ranks samples] [--most 1e9] [--repeats 3]
                                         [--out FILE.csv]

Whole commands in processes of their own, from start to files: packs of the primer (1,000 steps of 256
samples), tables of decays of 20 samples by group, a pack of RUNS runs on so many ranks, and one pass over so
many streamed samples. `train` are the seconds of it that compute, `processor` those of all processors. What
takes more than LONG seconds is measured once. Exits with 1 where a size takes more than TOLERANCE times what
the one before did, in proportion.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from scripts.common import commands, record

RUNS = 20_000
LONG = 20.0  # seconds
TOLERANCE = 1.5
GROUP = 20  # samples
ROW = 8  # bytes of a streamed sample
CHUNK = 1_000_000  # samples that are written at a time
QUIET = "monitor.tensorboard=false", "monitor.pictures=false", "monitor.progress=false", "compute.device=cpu"
PRIMER = "experiment=primer", "loop.steps=1000", "loop.batch_size=256", *QUIET


@dataclass(frozen=True)
class Series:
    """Sizes, what a training of each needs in its folder, and the words of its command after `packtrain`."""

    sizes: Sequence[int]
    prepare: Callable[[int, Path], None]
    words: Callable[[int], Sequence[str]]


def _nothing(size: int, folder: Path) -> None:
    """A pack draws its own data."""


def _pack(runs: int, *more: str) -> Sequence[str]:
    return *PRIMER, f'pack.over={{seed: "range(0,{runs})"}}', *more


def _table(groups: int, folder: Path) -> None:
    draw, t = np.random.default_rng(0), np.linspace(0, 5, GROUP)
    a, k = draw.uniform(1, 3, (groups, 1)), draw.uniform(0.3, 1, (groups, 1))
    y = a * np.exp(-k * t) + 0.3 + draw.normal(0, 0.05, (groups, GROUP))
    columns = {"cell": np.arange(groups).repeat(GROUP), "t": np.tile(t, groups), "y": y.reshape(-1)}
    parquet.write_table(pa.table(columns), folder / "decays.parquet")


def _fits(groups: int) -> Sequence[str]:
    return "fit", "decays.parquet", "y = a*exp(-k*t) + c", "a=1", "k=1", "c=0", "group=cell", *QUIET


def _file(samples: int, folder: Path) -> None:
    """Samples of a line, an .npy file of float32 [samples, 2]."""
    x = np.random.default_rng(0).normal(size=min(CHUNK, samples)).astype("f4")
    rows = np.stack([x, 3 * x + 1], 1)
    with (folder / "line.npy").open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (samples, 2)}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, samples, CHUNK):
            file.write(rows[: samples - start].tobytes())


def _pass(samples: int) -> Sequence[str]:
    columns = "data=stream", "data.path=line.npy", "data.columns={x: x_0, y: x_1}"
    training = "loop.epochs=1", "loop.batch_size=8192", "optimizer.lr=0.001"
    return (
        "~experiment",
        "name=line",
        "model=expression",
        'model.expressions=["y = a*x + b"]',
        *columns,
        *training,
        *QUIET,
    )


SERIES = {
    "runs": Series([10**power for power in range(6)], _nothing, _pack),
    "groups": Series([10**power for power in range(1, 7)], _table, _fits),
    "ranks": Series([1, 2, 4], _nothing, lambda ranks: _pack(RUNS, f"compute.devices={ranks}")),
    "samples": Series([10**power for power in range(4, 10)], _file, _pass),
}


def measure(what: str, size: int, repeats: int) -> dict[str, Any]:
    """The row of one point. Raises RuntimeError, with what it said, where its command fails."""
    series, seconds, processor, train = SERIES[what], [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        series.prepare(size, folder)
        while len(seconds) < repeats and sum(seconds) < LONG:
            results = folder / f"results-{len(seconds)}"
            words = *series.words(size), f"hydra.run.dir={results}"
            spent = commands.run(folder, "-m", "packtrain", *words)
            seconds.append(spent.seconds)
            processor.append(spent.processor)
            train.append(json.loads((results / "result.json").read_text())["seconds"]["train"])
            shutil.rmtree(results)
    low, middle, high = (round(value, 3) for value in record.quantiles(seconds))
    others = {"train": train, "processor": processor}
    medians = {name: round(record.quantiles(values)[1], 4) for name, values in others.items()}
    numbers = {"seconds": middle, "p20": low, "p80": high, **medians, "repeats": len(seconds)}
    return {"what": what, "size": size, **numbers, **record.where("cpu")}


def points(names: Sequence[str], most: float, repeats: int) -> Iterator[dict[str, Any]]:
    """The rows of the series, one after another."""
    for what in names:
        for size in (size for size in SERIES[what].sizes if size <= most):
            if what == "samples" and size * ROW > 0.8 * shutil.disk_usage(tempfile.gettempdir()).free:
                print(f"samples {size:,}: the disk has no room for them")
                return
            row = measure(what, size, repeats)
            print(f"{what:<8}{size:>15,} {row['seconds']:9.2f} s, of it {row['train']:9.3f} s", flush=True)
            yield row


def steep(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The points that took more than TOLERANCE times the time of the one before, by size.

    >>> rows = [{"what": "runs", "size": size, "seconds": size / 10} for size in (1, 10, 100)]
    >>> steep(rows), steep([*rows, {"what": "runs", "size": 200, "seconds": 40}])
    ([], ['runs 200'])
    """
    return [
        f"{row['what']} {row['size']}"
        for before, row in pairwise(rows)
        if row["what"] == before["what"]
        and row["seconds"] > TOLERANCE * before["seconds"] * row["size"] / before["size"]
    ]


def main() -> None:
    """Prints a line a point, and exits with 1 where one costs more than its share."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("series", nargs="*", choices=[*SERIES, []], help="all of them, if none is named")
    parser.add_argument("--most", type=float, default=1e9, help="no larger sizes")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows = list(points(given.series or list(SERIES), given.most, given.repeats))
    if given.out:
        record.write(given.out, rows)
    if too_steep := steep(rows):
        sys.exit(f"more than its share: {', '.join(too_steep)}")


if __name__ == "__main__":
    main()
