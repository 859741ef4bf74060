"""Figures of what is promised about trust: what is let in, what is lost, what comes back the same.

    python -m scripts.bench.trust [SECTION...]

Each section tries hard to break its promise, and says how far it came. The tests assert the same in
smaller numbers.
"""

import argparse
from collections.abc import Callable, Mapping

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
    for name in _asked():
        Console().print(_table(name, SECTIONS[name]()))
    place = record.where("cpu")
    print(f"{place['device']}, commit {place['commit']}")


def _asked() -> list[str]:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench.trust", description=(__doc__ or "").splitlines()[0]
    )
    known = ", ".join(SECTIONS)
    parser.add_argument("section", nargs="*", metavar="SECTION", help=f"{known}; all, if none is named")
    asked = parser.parse_args().section
    for name in asked:
        if name not in SECTIONS:
            parser.error(f"there is no section {name}; there are {known}")
    return asked or list(SECTIONS)


def _table(name: str, figures: Mapping[str, object]) -> Table:
    table = Table(title=name, box=box.SIMPLE, show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right", overflow="fold")
    for what, value in figures.items():
        table.add_row(what, f"{value:,}" if isinstance(value, int) else str(value))
    return table


if __name__ == "__main__":
    main()
