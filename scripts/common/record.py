"""What every benchmark does with its numbers: quantiles, where they were measured, a table and a CSV file."""

import csv
import platform
import statistics
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[2]


def quantiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The 20th percentile, the median and the 80th percentile."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, _, _, high = statistics.quantiles(values, n=5, method="inclusive")
    return low, statistics.median(values), high


def where(device: str) -> dict[str, str]:
    """The device, the versions of torch and Triton, and the commit."""
    on_cuda = device.startswith("cuda")
    return {
        "device": torch.cuda.get_device_name(device) if on_cuda else f"cpu ({platform.machine()})",
        "torch": torch.__version__,
        "triton": _version("triton"),
        "commit": _commit(),
    }


def _commit() -> str:
    """Blank where the sources are no repository."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.check_output(command, cwd=ROOT, text=True, stderr=subprocess.DEVNULL).strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def write(file: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Writes the rows as CSV, with a column for each of their keys."""
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)


def read(file: Path) -> list[dict[str, Any]]:
    """The rows of a CSV file."""
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))
