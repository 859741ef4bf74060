"""Tables of which nothing is cut: one that is too wide for a terminal goes on below, in a pipe none is."""

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
        return GAP + max(map(cell_len, [self.label, *self.texts]))


def new_console() -> Console:
    """A console that prints text as it is: on a terminal as wide as that, in a pipe without bounds.

    COLUMNS=0 is no width: the terminal is asked, as without it. Nor is less than LEAST.
    """
    given = [os.environ.get(name, "") for name in ("COLUMNS", "LINES")]
    unknown = any(text.isdigit() and int(text) == 0 for text in given)
    width, height = shutil.get_terminal_size() if unknown else (None, None)
    console = Console(markup=False, emoji=False, width=width, height=height)
    if not console.is_terminal or console.width < LEAST:
        console.width = LEAST if console.is_terminal else UNLIMITED
    return console


def fits(columns: Sequence[Column], width: int) -> bool:
    """There are columns, and they have room side by side."""
    return bool(columns) and EDGES + sum(each.width for each in columns) - 1 <= width


def blocks(first: Column, columns: Sequence[Column], width: int) -> Iterator[list[Column]]:
    """As many columns side by side as there is room for, one at least, each time after the `first`."""
    block = [first]
    for each in columns:
        if len(block) > 1 and not fits([*block, each], width):
            yield block
            block = [first]
        block.append(each)
    yield block


def filled(columns: Sequence[Column], others: Sequence[Column], width: int) -> list[Column]:
    """`columns`, and the first of the `others` for which there is room beside them."""
    shown = list(columns)
    for each in others:
        if not fits([*shown, each], width):
            break
        shown.append(each)
    return shown


def print_columns(console: Console, columns: Sequence[Column]) -> None:
    """One table; a column that is wider than the console is folded."""
    table = Table(box=box.SIMPLE)
    for each in columns:
        table.add_column(Text(each.label), justify=each.justify, overflow="fold")
    for line in zip(*(each.texts for each in columns), strict=True):
        table.add_row(*map(Text, line))
    console.print(table)


def print_pairs(console: Console, pairs: Sequence[tuple[str, str]]) -> None:
    """A line for each label and its text."""
    table = Table(box=box.SIMPLE, show_header=False)
    table.add_column(style="bold", overflow="fold")
    table.add_column(overflow="fold")
    for pair in pairs:
        table.add_row(*map(Text, pair))
    console.print(table)


def print_plain(console: Console, text: str) -> None:
    """A line that is for the terminal to wrap, so that it can be copied."""
    console.print(text, highlight=False, soft_wrap=True, markup=False)
