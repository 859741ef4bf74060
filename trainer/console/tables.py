"""Tables of which nothing is cut: what is too wide for a terminal goes on below; a pipe has no width."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

EDGES, GAP = 2, 3  # characters around a table, and between its columns
LEAST, UNLIMITED = 20, 1 << 20  # characters


@dataclass(frozen=True)
class Column:
    """A column's label, and the text of each of its rows."""

    label: str
    texts: Sequence[str]
    justify: Literal["left", "right"] = "right"

    @property
    def width(self) -> int:
        """Characters, with the gap before it."""
        return GAP + max(map(cell_len, [self.label, *self.texts]))


def new_console() -> Console:
    """A console that prints text as it is: on a terminal as wide as that, in a pipe without bounds.

    COLUMNS=0 is no width: the terminal is asked, as without it. Nor is less than LEAST.

    >>> new_console().print("[bold] is no markup here")
    [bold] is no markup here
    """
    given = [os.environ.get(name, "") for name in ("COLUMNS", "LINES")]
    unknown = any(text.isdigit() and int(text) == 0 for text in given)
    width, height = shutil.get_terminal_size() if unknown else (None, None)
    console = Console(markup=False, emoji=False, width=width, height=height)
    if not console.is_terminal or console.width < LEAST:
        console.width = LEAST if console.is_terminal else UNLIMITED
    return console


def fits(columns: Sequence[Column], width: int) -> bool:
    """Whether there are columns, and they have room side by side in `width` characters.

    >>> columns = [Column("run", ["0"]), Column("seed", ["12"])]
    >>> fits(columns, 14), fits(columns, 13), fits([], 80)
    (True, False, False)
    """
    return bool(columns) and EDGES + sum(column.width for column in columns) - 1 <= width


def blocks(first: Column, columns: Sequence[Column], width: int) -> Iterator[list[Column]]:
    """The columns in blocks that have room in `width`, each after the `first`, with one at least.

    >>> run, *others = (Column(label, ["0"]) for label in ("run", "seed", "lr", "loss"))
    >>> [[column.label for column in block] for block in blocks(run, others, width=20)]
    [['run', 'seed', 'lr'], ['run', 'loss']]
    """
    block = [first]
    for column in columns:
        if len(block) > 1 and not fits([*block, column], width):
            yield block
            block = [first]
        block.append(column)
    yield block


def filled(columns: Sequence[Column], others: Sequence[Column], width: int) -> list[Column]:
    """`columns`, and the first of the `others` for which there is room beside them.

    >>> run, *others = (Column(label, ["0"]) for label in ("run", "seed", "lr", "loss"))
    >>> [column.label for column in filled([run], others, width=20)]
    ['run', 'seed', 'lr']
    """
    shown = list(columns)
    for column in others:
        if not fits([*shown, column], width):
            break
        shown.append(column)
    return shown


def print_columns(console: Console, columns: Sequence[Column]) -> None:
    """Prints one table; a column that is wider than the console is folded.

    >>> print_columns(new_console(), [Column("run", ["0", "1"])])  # doctest: +NORMALIZE_WHITESPACE
    <BLANKLINE>
      run
     ─────
        0
        1
    <BLANKLINE>
    """
    table = Table(box=box.SIMPLE)
    for column in columns:
        table.add_column(Text(column.label), justify=column.justify, overflow="fold")
    for line in zip(*(column.texts for column in columns), strict=True):
        table.add_row(*map(Text, line))
    console.print(table)


def print_pairs(console: Console, pairs: Sequence[tuple[str, str]]) -> None:
    """Prints a line for each label and its text.

    >>> print_pairs(new_console(), [("loss", "0.5")])  # doctest: +NORMALIZE_WHITESPACE
    <BLANKLINE>
      loss   0.5
    <BLANKLINE>
    """
    table = Table(box=box.SIMPLE, show_header=False)
    table.add_column(style="bold", overflow="fold")
    table.add_column(overflow="fold")
    for pair in pairs:
        table.add_row(*map(Text, pair))
    console.print(table)


def print_plain(console: Console, text: str) -> None:
    """Prints a line unbroken, so that it can be copied: the terminal wraps it.

    >>> print_plain(new_console(), "results  outputs/primer")
    results  outputs/primer
    """
    console.print(text, highlight=False, soft_wrap=True, markup=False)
