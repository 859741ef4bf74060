"""`packtrain fit FILE`: the columns of a file, and formulas by field that could fit them, as commands."""

import shlex
from collections.abc import Iterator, Sequence

from rich.console import Console

from ..console.tables import Column, print_columns, print_plain
from ..data.contents import Contents, contents, groups_in
from ..data.formulas import Formula, formulas
from ..data.table import Table

X, Y = "x", "y"  # columns of these names are the input and the target


def show_models(console: Console, path: str, table: Table) -> None:
    """Prints the formulas that the columns of `table`, the file at `path`, could fit, and the columns.

    >>> import numpy as np
    >>> from packtrain.trainer.console.tables import new_console
    >>> table = Table("points.csv", {"x": np.arange(9.0), "y": np.arange(9.0)})
    >>> show_models(new_console(), "points.csv", table)
    <BLANKLINE>
    Dose and response
      packtrain fit points.csv 'y = base + emax*x/(ec50 + x)'  # Emax
    ...
    """
    columns, rows = contents(table), len(next(iter(table.columns.values())))
    numeric = [column.name for column in columns if column.is_numeric]
    groups = groups_in(columns, rows)
    for field, commands in _by_field(path, numeric, groups, rows):
        console.print(f"\n{field}", style="bold")
        for command in commands:
            print_plain(console, f"  {command}")
    console.print(f"\n{table.source}: {rows:,} rows", style="bold")
    print_columns(console, _table(columns))
    for name, reason in table.refused.items():
        print_plain(console, f"  {name} can't be used: {reason}")
    print_plain(console, f"  {_next(path, numeric)}")


def _by_field(
    path: str, numeric: Sequence[str], groups: Sequence[str], rows: int
) -> Iterator[tuple[str, list[str]]]:
    """Each field with its commands: formulas of two columns, or of all that are numeric."""
    told = f" group={shlex.quote(groups[0])}" if len(groups) == 1 else ""
    commands: dict[str, list[str]] = {}
    for formula in formulas():
        if len(formula.graph.parameters) < rows and (places := _places(formula, numeric)):
            equation = shlex.quote(formula.of_columns(*places))
            about = formula.name.replace("`", "")
            command = f"packtrain fit {shlex.quote(path)} {equation}{told}  # {about}"
            commands.setdefault(formula.field, []).append(command)
    yield from commands.items()


def _places(formula: Formula, numeric: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """The columns that are its inputs and its targets; None where it has others than two columns, or all."""
    inputs, outputs = len(formula.graph.inputs), len(formula.graph.outputs)
    if inputs + outputs not in {2, len(numeric)} or inputs + outputs > len(numeric):
        return None
    ordered = sorted(numeric, key=lambda name: (name == Y) - (name == X))
    return ordered[:inputs], ordered[-outputs:]


def _table(columns: Sequence[Contents]) -> list[Column]:
    return [
        Column("column", [column.name for column in columns], "left"),
        Column("holds", [column.kind for column in columns], "left"),
        Column("from", [column.least for column in columns]),
        Column("to", [column.greatest for column in columns]),
        Column("different", [f"{column.different:,}" for column in columns]),
        Column("missing", [f"{column.missing:,}" for column in columns]),
    ]


def _next(path: str, numeric: Sequence[str]) -> str:
    if len(numeric) < 2:
        return "a fit needs two columns of numbers, one that is measured and one that it depends on"
    return (
        "names in an equation that are no columns are parameters; where one starts may be said, as in a=1; "
        "packtrain fit --help explains"
    )
