"""Training from files larger than a window: beside reading alone, torch's DataLoader, mosaicml-streaming.

python -m scripts.bench.bench_stream gib=4 repeats=3 folder=/tmp/rows [mosaic=PYTHON] [only=CASE,CASE]

Files of random rows of 32 float32 columns are made in `folder`, as Parquet and as NPY, and left there. Each
case is a process of its own; `mosaic` is a Python that has mosaicml-streaming, which takes an older NumPy.
Files are read twice: `from` the page cache, and from the disk, as those are that are larger than memory.

What trains is a linear equation of all columns but one. Compared with it is
- `reading`: the file as it lies, into one buffer, or as columns of Parquet: what the disk and the decoder
  allow. Of an array in the page cache that is copying memory, beside which no arithmetic is quick.
- `shuffling`: reading that does what a training needs, by NumPy and pyarrow: blocks in a drawn order into a
  window, and minibatches of its rows in a drawn order. The training does it all, and trains.
- `memory`: the same training with data in memory, of the file's first 512 MiB.
- `data_loader` and `mosaic`: minibatches of random rows, without a training, by two processes each.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import parquet

from scripts.common import record

CASE = Path(__file__).with_name("stream_case.py")
COLUMNS, GROUP, MOST = 32, 1 << 16, 1 << 22  # the last: rows that are trained on in memory, too
RESULTS = Path(__file__).parent / "results" / "stream_cpu_x86-64_2-cores.csv"
CASES = (
    ("reading_parquet", "rows.parquet"),
    ("shuffling", "rows.parquet"),
    ("training", "rows.parquet"),
    ("reading_npy", "rows.npy"),
    ("shuffling", "rows.npy"),
    ("training", "rows.npy"),
    ("data_loader", "rows.npy"),
    ("training", "part.npy"),
    ("memory", "part.npy"),
    ("reading_few_parquet", "rows.parquet"),
    ("shuffling_few", "rows.parquet"),
    ("training_few", "rows.parquet"),
)
AGAINST = {
    ("training", "rows.parquet"): ("reading_parquet", "shuffling"),
    ("training", "rows.npy"): ("reading_npy", "shuffling", "data_loader"),
    ("training", "part.npy"): ("memory",),
    ("training_few", "rows.parquet"): ("reading_few_parquet", "shuffling_few"),
}
CACHE, DISK = "cache", "disk"
Key = tuple[str, str, str]


def make(folder: Path, gib: float) -> None:
    """rows.npy and rows.parquet with the same rows, unless they are there."""
    rows = int(gib * 2**30) // (4 * COLUMNS) // GROUP * GROUP
    if (folder / "part.npy").exists():
        return
    names = [f"x{column}" for column in range(COLUMNS - 1)] + ["y"]
    drawn = np.random.default_rng(0)
    schema = pyarrow.schema([(name, pyarrow.float32()) for name in names])
    array = np.lib.format.open_memmap(folder / "rows.npy", "w+", np.float32, (rows, COLUMNS))
    with parquet.ParquetWriter(folder / "rows.parquet", schema) as out:
        for start in range(0, rows, GROUP):
            block = drawn.standard_normal((GROUP, COLUMNS), dtype=np.float32)
            array[start : start + GROUP] = block
            out.write_table(pyarrow.table([*block.T.copy()], schema=schema), row_group_size=GROUP)
    np.save(folder / "part.npy", array[: min(rows, MOST)])
    os.sync()  # so that the page cache can forget them


def measured(case: str, file: Path, python: str = sys.executable) -> dict[str, Any]:
    ended = subprocess.run([python, CASE, case, file], capture_output=True, text=True, env=os.environ)
    if ended.returncode:
        raise SystemExit(f"{case} {file}: {ended.stderr[-2000:]}")
    return json.loads(ended.stdout.splitlines()[-1])


def main(*words: str) -> None:
    """Measures, prints and records all cases."""
    given = dict(word.split("=", 1) for word in words)
    folder, repeats = Path(given.get("folder", "/tmp/rows")), int(given.get("repeats", "3"))
    folder.mkdir(exist_ok=True)
    make(folder, float(given.get("gib", "4")))
    only = given.get("only", "").split(",")
    runs = [(case, sys.executable, folder / file) for case, file in CASES if only == [""] or case in only]
    if python := given.get("mosaic"):
        if not (folder / "mds").exists():
            measured("mosaic_writing", folder / "mds", python)
        runs.append(("mosaic", python, folder / "mds"))
    found: dict[Key, list[dict[str, Any]]] = {}
    for _ in range(repeats):
        for case, python, file in runs:
            one = measured(case, file, python)
            for origin, part in ((CACHE, one), (DISK, one | one.get("cold", {"rows": 0}))):
                if part["rows"]:
                    found.setdefault((case, file.name, origin), []).append(part)
                    speed, processor = f"{_speed(part) / 1e6:.2f} M rows/s", f"{_processor(part):.3f} s/M"
                    print(case, file.name, origin, speed, processor, f"{one['gib']:.2f} GiB", flush=True)
            rows = [_row(key, some, found) for key, some in found.items()]
            record.write(Path(given.get("results", RESULTS)), rows)


def _row(key: Key, some: list[dict[str, Any]], found: dict[Key, list[dict[str, Any]]]) -> dict[str, Any]:
    """What was measured of a case, and how it compares with reading alone, or with data in memory."""
    case, file, origin = key
    low, median, high = record.quantiles([_speed(one) for one in some])
    row = {
        "case": case,
        "file": file,
        "from": origin,
        "rows_per_second": round(median),
        "low": round(low),
        "high": round(high),
    }
    row["processor_seconds_per_1e6_rows"] = round(statistics.median(map(_processor, some)), 4)
    row |= {"peak_gib": round(max(one["gib"] for one in some), 3), "window_gib": ""}
    row |= dict.fromkeys(("to_reading", "to_shuffling", "to_memory", "to_data_loader"), "")
    for other in AGAINST.get((case, file), ()):
        if than := found.get((other, file, origin)):
            name = "data_loader" if other == "data_loader" else other.partition("_")[0]
            row[f"to_{name}"] = round(median / statistics.median(map(_speed, than)), 3)
    if case.startswith("training"):
        row["window_gib"] = round(some[0]["window_gib"], 3)
    return row | {"repeats": len(some), **record.where("cpu")}


def _speed(one: dict[str, Any]) -> float:
    return one["rows"] / one["seconds"]


def _processor(one: dict[str, Any]) -> float:
    return 1e6 * one["processor"] / one["rows"]


if __name__ == "__main__":
    main(*sys.argv[1:])
