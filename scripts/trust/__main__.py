"""Figures of what is promised about trust: what is let in, what is lost, what comes back the same.

    python -m scripts.trust [SECTION...] [--out FILE.csv]

Each section tries hard to break its promise, and says how far it came. The tests assert the same in
smaller numbers. In FILE.csv the rows of other sections stay.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from scripts.common import record
from scripts.trust import (
    coverage,
    disks,
    divergence,
    fuzz_parser,
    kills,
    mutations,
    order_of_calls,
    ranks,
    resume_matrix,
    saves,
    service,
)

SECTIONS: dict[str, Callable[[], Mapping[str, object]]] = {
    "parser": fuzz_parser.figures,
    "kills": kills.figures,
    "ranks": ranks.figures,
    "saves": saves.figures,
    "resume": resume_matrix.figures,
    "disks": disks.figures,
    "service": service.figures,
    "divergence": divergence.figures,
    "order": order_of_calls.figures,
    "mutations": mutations.figures,
    "coverage": coverage.figures,
}


def main() -> None:
    """Runs the sections that are named, else all."""
    arguments = _arguments()
    for name in arguments.section or SECTIONS:
        figures = SECTIONS[name]()
        Console().print(_table(name, figures))
        if arguments.out:
            _write(arguments.out, name, figures)
    place = record.where("cpu")
    print(f"{place['device']}, commit {place['commit']}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.trust", description=(__doc__ or "").splitlines()[0]
    )
    known = ", ".join(SECTIONS)
    parser.add_argument("section", nargs="*", metavar="SECTION", help=f"{known}; all, if none is named")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    for name in arguments.section:
        if name not in SECTIONS:
            parser.error(f"there is no section {name}; there are {known}")
    return arguments


def _write(file: Path, section: str, figures: Mapping[str, object]) -> None:
    """Writes the figures of one section, in place of those that the file has."""
    rows = record.read(file) if file.exists() else []
    others = [row for row in rows if row["section"] != section]
    place = record.where("cpu")
    new = [{"section": section, "what": what, "value": value, **place} for what, value in figures.items()]
    record.write(file, [*others, *new])


def _table(name: str, figures: Mapping[str, object]) -> Table:
    table = Table(title=name, box=box.SIMPLE, show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right", overflow="fold")
    for what, value in figures.items():
        table.add_row(what, f"{value:,}" if isinstance(value, int) else str(value))
    return table


if __name__ == "__main__":
    main()
