"""Tables for people, as text and as HTML; nothing of them is cut off."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Literal

GAP = 3  # spaces between columns


@dataclass(frozen=True)
class SheetColumn:
    """A column's label, the text of each of its rows, and where they stand."""

    label: str
    texts: Sequence[str]
    justify: Literal["left", "right"]

    @cached_property
    def width(self) -> int:
        """Characters."""
        return max(map(len, [self.label, *self.texts]))

    def aligned(self, text: str) -> str:
        """A text, as wide as the column."""
        return text.rjust(self.width) if self.justify == "right" else text.ljust(self.width)


@dataclass(frozen=True)
class Sheet:
    """A `title`, what is to be said before (`about`), a table, and what is to be said below it (`notes`).

    `labels` head the columns, those that begin with > stand at the right, as numbers do. `lines` are their
    texts, none where there is no table.

    >>> from packtrain.kernels.language.sheet import Sheet
    >>> print(Sheet("Forward", ("vertex", ">value"), (("xy", "6"), ("xz", "-12"))))
    Forward
    <BLANKLINE>
      vertex   value
     ────────────────
      xy           6
      xz         -12
    """

    title: str
    labels: tuple[str, ...] = ()
    lines: tuple[tuple[str, ...], ...] = ()
    about: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> list["SheetColumn"]:
        """The columns, of which a label that began with > is without it."""
        texts = zip(*self.lines, strict=True) if self.lines else ((),) * len(self.labels)
        pairs = zip(self.labels, texts, strict=True)
        return [
            SheetColumn(label.removeprefix(">"), cells, "right" if label.startswith(">") else "left")
            for label, cells in pairs
        ]

    def __str__(self) -> str:
        parts = [self.title, *(f"  {text}" for text in self.about)]
        if self.lines:
            parts += ["", *_table(self.columns)]
        if self.notes:
            parts += ["", *(f"  {text}" for text in self.notes)]
        return "\n".join(parts)

    @property
    def html(self) -> str:
        """The same for a notebook."""
        notes = "".join(f"<p>{escape(text)}</p>" for text in self.notes)
        about = "".join(f"<p>{escape(text)}</p>" for text in self.about)
        return f"<h4>{escape(self.title)}</h4>{about}{self._table_html()}{notes}"

    def _table_html(self) -> str:
        if not self.lines:
            return ""
        sides = [column.justify for column in self.columns]
        head = _row_html("th", (column.label for column in self.columns), sides)
        body = "".join(_row_html("td", line, sides) for line in self.lines)
        return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def text_of(sheets: Iterable[Sheet]) -> str:
    """Sheets below one another.

    >>> from packtrain.kernels.language.sheet import Sheet, text_of
    >>> text_of([Sheet("Forward"), Sheet("Backward")])
    'Forward\\n\\n\\nBackward'
    """
    return "\n\n\n".join(map(str, sheets))


def html_of(sheets: Iterable[Sheet]) -> str:
    """The same for a notebook.

    >>> from packtrain.kernels.language.sheet import Sheet, html_of
    >>> html_of([Sheet("x < y")])
    '<h4>x &lt; y</h4>'
    """
    return "".join(sheet.html for sheet in sheets)


def _table(columns: Sequence[SheetColumn]) -> Iterator[str]:
    """A line of labels, a rule, and the lines of texts."""

    def line(texts: Iterable[str]) -> str:
        cells = (column.aligned(text) for column, text in zip(columns, texts, strict=True))
        return f"  {(' ' * GAP).join(cells)}".rstrip()

    yield line(column.label for column in columns)
    yield f" {'─' * (sum(column.width + GAP for column in columns) - GAP + 2)}"
    yield from map(line, zip(*(column.texts for column in columns), strict=True))


def _row_html(tag: str, texts: Iterable[str], sides: Sequence[str]) -> str:
    cells = zip(texts, sides, strict=True)
    inside = (
        f'<{tag} style="text-align:{side};padding:2px 8px">{escape(text)}</{tag}>' for text, side in cells
    )
    return f"<tr>{''.join(inside)}</tr>"
