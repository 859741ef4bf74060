"""How seconds grow with the size of a training: with its runs, groups, ranks and samples, one at a time.

    python -m scripts.bench.bench_growth [runs groups ranks samples] [--most 1e9] [--repeats 3]
                                         [--out FILE.csv]

Whole commands in processes of their own, from start to files: packs of the primer (1,000 steps of 256
samples), tables of decays of 20 samples by group, a pack of RUNS runs on so many ranks, and one pass over so
many streamed samples. A command that isn't counted compiles before the first of a series. `seconds` are the
median of `repeats`, which end once they took LONG seconds; `train` are those of it that compute, `processor`
those of all processors. What FILE.csv holds already isn't measured again, and each point is kept as soon as
it is. The samples' file, of up to 8 GB, lies where TMPDIR says until its point is measured.

Exits with 1 where a size takes more than TOLERANCE times what a smaller one did: in proportion to their
sizes, and for those up to FLAT times the smallest of a series, or up to as many ranks as CORES, as such.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from scripts.common import commands, record

RUNS = 20_000
LONG = 40.0
TOLERANCE = 1.5
FLAT = 100
CORES = 2  # of the machine of the record, which more ranks share
GROUP = 20  # samples
ROW = 8  # bytes of a streamed sample
CHUNK = 1_000_000  # samples that are written at a time
QUIET = "monitor.tensorboard=false", "monitor.pictures=false", "monitor.progress=false", "compute.device=cpu"
PRIMER = "experiment=primer", "data.size=4096", "loop.steps=1000", "loop.batch_size=256", *QUIET


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
            file.write(rows[: samples - start].data)
        file.flush()
        os.fsync(file.fileno())  # the disk is at rest when a command reads


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
    with tempfile.TemporaryDirectory() as name:
        SERIES[what].prepare(size, Path(name))
        seconds, processor, train = [], [], []
        while len(seconds) < repeats and sum(seconds) < LONG:
            spent, training = _once(what, size, Path(name))
            print(f"  {what} {size:,}: {spent.seconds:.2f} s, of it {training:.3f} s", flush=True)
            seconds.append(spent.seconds)
            processor.append(spent.processor)
            train.append(training)
    low, middle, high = (round(value, 3) for value in record.quantiles(seconds))
    others = {"train": train, "processor": processor}
    medians = {name: round(record.quantiles(values)[1], 4) for name, values in others.items()}
    numbers = {"seconds": middle, "p20": low, "p80": high, **medians, "repeats": len(seconds)}
    return {"what": what, "size": size, **numbers, **record.where("cpu")}


def _once(what: str, size: int, folder: Path) -> tuple[commands.Spent, float]:
    """One command -> what it took, and the seconds of it that compute."""
    results = folder / "results"
    words = *SERIES[what].words(size), f"hydra.run.dir={results}"
    spent = commands.run(folder, "-m", "packtrain", *words)
    training = json.loads((results / "result.json").read_text())["seconds"]["train"]
    shutil.rmtree(results)
    return spent, training


def compile_for(what: str) -> None:
    """Runs the smallest command that compiles what a series runs."""
    what = "runs" if what == "ranks" else what
    with tempfile.TemporaryDirectory() as name:
        size = SERIES[what].sizes[0]
        SERIES[what].prepare(size, Path(name))
        _once(what, size, Path(name))


def points(
    names: Sequence[str], most: float, repeats: int, known: Container[tuple[str, int]] = ()
) -> Iterator[dict[str, Any]]:
    """The rows of the series, one after another, without those whose name and size are known."""
    for what in names:
        wanted = [size for size in SERIES[what].sizes if size <= most and (what, size) not in known]
        sizes = [size for size in wanted if _fits_the_disk(what, size)]
        if sizes:
            print(f"{what}: compiling", flush=True)
            compile_for(what)
        for size in sizes:
            row = measure(what, size, repeats)
            print(f"{what:<8}{size:>15,} {row['seconds']:9.2f} s, of it {row['train']:9.3f} s", flush=True)
            yield row


def _fits_the_disk(what: str, size: int) -> bool:
    if what != "samples" or size * ROW < 0.8 * shutil.disk_usage(tempfile.gettempdir()).free:
        return True
    print(f"samples {size:,}: the disk has no room for them", flush=True)
    return False


def recorded(file: Path | None) -> list[dict[str, Any]]:
    """The rows that a record has, with numbers for their sizes and seconds; none without a file."""
    rows = record.read(file) if file and file.exists() else []
    return [{**row, "size": int(row["size"]), "seconds": float(row["seconds"])} for row in rows]


def keep(file: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Writes the record by series and size, whole or not at all."""
    order = list(SERIES)
    beside = file.with_suffix(".part")
    record.write(beside, sorted(rows, key=lambda row: (order.index(row["what"]), row["size"])))
    beside.replace(file)


def steep(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The points that took more than TOLERANCE times their share of what a smaller one of the series took.

    >>> rows = [{"what": "runs", "size": size, "seconds": max(1, size / 1000)} for size in (1, 10, 10_000)]
    >>> steep(rows), steep([*rows, {"what": "runs", "size": 20_000, "seconds": 40}])
    ([], ['runs 20000'])
    >>> steep([{**rows[0], "seconds": 0.5}, *rows[1:]])
    ['runs 10']
    """
    flat = {name: FLAT * min(row["size"] for row in rows if row["what"] == name) for name in _names(rows)}
    flat["ranks"] = CORES
    pairs = combinations(sorted(rows, key=lambda row: row["size"]), 2)
    found = [
        f"{row['what']} {row['size']}"
        for before, row in pairs
        if row["what"] == before["what"]
        and row["seconds"] > TOLERANCE * before["seconds"] * _share(before, row, flat[row["what"]])
    ]
    return list(dict.fromkeys(found))


def _share(before: dict[str, Any], row: dict[str, Any], flat: int) -> float:
    return 1.0 if row["size"] <= flat else row["size"] / before["size"]


def _names(rows: Sequence[dict[str, Any]]) -> set[str]:
    return {row["what"] for row in rows}


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
    rows = recorded(given.out)
    known = {(row["what"], row["size"]) for row in rows}
    for row in points(given.series or list(SERIES), given.most, given.repeats, known):
        rows.append(row)
        if given.out:
            keep(given.out, rows)
    if too_steep := steep(rows):
        sys.exit(f"more than its share: {', '.join(too_steep)}")


if __name__ == "__main__":
    main()
