"""The closing table of a result, as the command prints it, as tables of a page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from ...console.report import results_table

WIDE = 4000  # letters: a page scrolls, so no column has to go below another


@dataclass(frozen=True)
class Part:
    """A sentence, or a table: its `head`, '' where it has none, and its lines; numbers stand to the right."""

    text: str = ""
    head: tuple[str, ...] = ()
    lines: tuple[tuple[str, ...], ...] = ()
    right: tuple[bool, ...] = ()


class Written(Console):
    """A console that keeps what is printed, as parts."""

    def __init__(self) -> None:
        super().__init__(width=WIDE, color_system=None, quiet=True)
        self.parts: list[Part] = []

    def print(self, *objects: Any, **options: Any) -> None:
        """Keeps a table or a sentence."""
        for printed in objects:
            if isinstance(printed, Table):
                self.parts.append(_part(printed))
            elif text := str(printed).strip():
                self.parts.append(Part(text))


def closing_parts(result: Mapping[str, Any]) -> list[Part]:
    """What the command prints of a result.json; a sentence where it can't be.

    >>> loss = {"train": {"first": 4.0, "last": 0.5}, "validation": None}
    >>> row = {"index": 0, "values": {}, "loss": loss, "metrics": {}, "parameters": {}}
    >>> row |= {"outcome": "finished", "message": "trained all of its 2 steps"}
    >>> result = {"experiment": "debug", "runs": 1, "outcomes": {"finished": 1}, "steps": 2, "samples": 128}
    >>> result |= {"seconds": {"train": 2.0}, "device": "cpu", "precision": "fp32", "run": [row]}
    >>> [part.lines[:1] for part in closing_parts(result)]
    [(), (('loss before', '4'),)]
    """
    console = Written()
    try:
        results_table(console, result, result["run"])
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        return [*console.parts, Part(f"its results can't be shown: {type(error).__name__}: {error}")]
    return console.parts


def _part(table: Table) -> Part:
    columns = [[str(cell) for cell in column.cells] for column in table.columns]
    head = tuple(str(column.header) for column in table.columns) if table.show_header else ()
    right = tuple(column.justify == "right" for column in table.columns)
    return Part(head=head, lines=tuple(zip(*columns, strict=True)), right=right)
