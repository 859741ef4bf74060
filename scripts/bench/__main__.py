"""Kernels against their peers, in fractions of what the machine can do.

    python -m scripts.bench [linear_relu|mlp|expression] [--device cuda] [--out FILE.csv] [--only TEXT]

Measures the machine's copy bandwidth and matrix peak first. Each case's ways (ours, torch eager,
torch.compile, JAX where it is installed) run in this process in shuffled order, on a GPU as captured
graphs out of a cold cache; a peer whose numbers disagree has no ratio. Writes a row a case, and beside
the CSV file a picture (needs matplotlib).
"""

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import Any

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from scripts.bench import bench_expression, bench_linear_relu, bench_mlp, limits, plot
from scripts.bench.case import FASTER, Case, row
from scripts.common import record

SUITES = {"linear_relu": bench_linear_relu, "mlp": bench_mlp, "expression": bench_expression}


def main() -> None:
    """Runs the suite that is named, else all."""
    arguments = _arguments()
    if arguments.device.startswith("cuda"):
        torch.cuda.set_device(arguments.device)
        with torch.cuda.stream(torch.cuda.Stream()):  # the default one can't be captured
            _run(arguments)
    else:
        _run(arguments)


def _run(arguments: argparse.Namespace) -> None:
    formats = ["fp32"] if arguments.device == "cpu" else ["bf16", "tf32", "fp32"]
    limit = limits.measure(arguments.device, formats)
    peaks = ", ".join(f"{name} {value / 1e12:.3g}" for name, value in limit.matrix.items())
    print(f"{record.where(arguments.device)['device']}: copies at {limit.bandwidth / 1e9:.4g} GB/s read and")
    print(f"written; matrix products at {peaks} TFLOP/s", flush=True)
    for name in [arguments.suite] if arguments.suite else SUITES:
        rows = [
            _measured(case, limit, arguments)
            for case in SUITES[name].cases(arguments.device)
            if arguments.only in " ".join(map(str, case.what.values()))
        ]
        if not rows:
            sys.exit(f"no case of {name} has {arguments.only!r} in its name")
        Console().print(_table(name, rows))
        for measured in rows:
            if measured["trouble"]:
                print(f"{plot.label(measured)}: {measured['trouble']}")
        if arguments.out:
            file: Path = arguments.out
            _write(file if arguments.suite else file.with_stem(f"{file.stem}_{name}"), name, rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("suite", nargs="?", choices=list(SUITES), help="all of them, if none is named")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, help="a CSV file; the picture goes beside it")
    parser.add_argument("--only", default="", help="the cases whose name holds this")
    parser.add_argument("--repeats", type=int, default=30)
    return parser.parse_args()


def _measured(case: Case, limit: limits.Limits, arguments: argparse.Namespace) -> dict[str, Any]:
    measured = row(case, limit, arguments.device, arguments.repeats)
    print(*case.what.values(), f"{measured['microseconds']} us", flush=True)
    return measured


def _table(name: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=f"{name}: medians, and how many times faster than each peer", box=box.SIMPLE)
    peers = [key for key in _keys(rows) if key.startswith(FASTER)]
    for heading in ("case", "us", "of limit", *(key.removeprefix(FASTER) for key in peers)):
        table.add_column(heading, justify="left" if heading == "case" else "right", no_wrap=True)
    for measured in rows:
        ratios = [measured.get(peer, "") for peer in peers]
        numbers = measured["microseconds"], f"{measured['fraction_of_limit']:.0%}", *ratios
        table.add_row(plot.label(measured), *map(str, numbers))
    return table


def _keys(rows: list[dict[str, Any]]) -> list[str]:
    """The columns of all rows, in order; what went wrong last."""
    keys = dict.fromkeys(key for measured in rows for key in measured if key != "trouble")
    return [*keys, *(["trouble"] if any(measured["trouble"] for measured in rows) else [])]


def _write(file: Path, name: str, rows: list[dict[str, Any]]) -> None:
    record.write(file, [{key: measured.get(key, "") for key in _keys(rows)} for measured in rows])
    if importlib.util.find_spec("matplotlib") is None:
        print("no picture: pip install matplotlib")
        return
    plot.draw(rows, file.with_suffix(".svg"), f"{name} on {rows[0]['device']}")


if __name__ == "__main__":
    main()
