"""The lines of a job's runs.csv, a page at a time."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

LINES = 100  # of a page
MOST_COLUMNS = 40


@dataclass(frozen=True)
class RunsPage:
    """Some lines, of which each begins with the run's index; `after` is where the next page begins."""

    head: list[str]
    lines: list[list[str]]
    after: int | None


def runs_page(content: bytes | Path, after: int = -1, lines: int = LINES) -> RunsPage:
    """The runs behind the run `after`, by their index.

    >>> runs_page(b"index,seed\\r\\n0,7\\r\\n1,8\\r\\n", after=0)
    RunsPage(head=['index', 'seed'], lines=[['1', '8']], after=None)
    """
    with _opened(content) as file:
        reader = csv.reader(file)
        head = next(reader, [])[:MOST_COLUMNS]
        some = list(islice(_behind(reader, after), lines + 1))
    shown = [[_short(cell) for cell in line[:MOST_COLUMNS]] for line in some[:lines]]
    return RunsPage(head, shown, int(some[lines - 1][0]) if len(some) > lines else None)


def _behind(reader: Iterator[list[str]], after: int) -> Iterator[list[str]]:
    return (line for line in reader if line and line[0].isdigit() and int(line[0]) > after)


def _opened(content: bytes | Path) -> io.TextIOBase:
    if isinstance(content, bytes):
        return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")
    return content.open(encoding="utf-8", newline="")


def _short(cell: str) -> str:
    """Five digits of a number, as tables of the command have."""
    if "." not in cell and "e" not in cell:
        return cell
    try:
        return f"{float(cell):.5g}"
    except ValueError:
        return cell
