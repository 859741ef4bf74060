"""Figures of what is promised about trust: what is let in, what is lost, what comes back the same.

    python -m scripts.bench.trust [SECTION...] [--out FILE.csv]

Each section tries hard to break its promise, and says how far it came. The tests assert the same in
smaller numbers. In FILE.csv the rows of other sections stay.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from scripts.bench import (
    disks,
    divergence,
    fuzz_parser,
    kills,
    mutations,
    order_of_calls,
    record,
    resume_matrix,
    saves,
)

SECTIONS: dict[str, Callable[[], Mapping[str, object]]] = {
    "parser": fuzz_parser.figures,
    "kills": kills.figures,
    "saves": saves.figures,
    "resume": resume_matrix.figures,
    "disks": disks.figures,
    "divergence": divergence.figures,
    "order": order_of_calls.figures,
    "mutations": mutations.figures,
}


def main() -> None:
    asked = _arguments()
    for name in asked.section or SECTIONS:
        figures = SECTIONS[name]()
        Console().print(_table(name, figures))
        if asked.out:
            _write(asked.out, name, figures)
    place = record.where("cpu")
    print(f"{place['device']}, commit {place['commit']}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench.trust", description=(__doc__ or "").splitlines()[0]
    )
    known = ", ".join(SECTIONS)
    parser.add_argument("section", nargs="*", metavar="SECTION", help=f"{known}; all, if none is named")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    for name in asked.section:
        if name not in SECTIONS:
            parser.error(f"there is no section {name}; there are {known}")
    return asked


def _write(file: Path, name: str, figures: Mapping[str, object]) -> None:
    """The figures of one section, in the place of those that the file has."""
    rows = record.read(file) if file.exists() else []
    new = [{"section": name, "what": what, "value": value} for what, value in figures.items()]
    kept = [row for row in rows if row["section"] != name]
    record.write(file, [*kept, *({**row, **record.where("cpu")} for row in new)])


def _table(name: str, figures: Mapping[str, object]) -> Table:
    table = Table(title=name, box=box.SIMPLE, show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right", overflow="fold")
    for what, value in figures.items():
        table.add_row(what, f"{value:,}" if isinstance(value, int) else str(value))
    return table


if __name__ == "__main__":
    main()
