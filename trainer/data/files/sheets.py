"""Excel's workbooks: the first sheet of an XLSX that has rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pyarrow

from .content import Content, by_name, column_of
from .science import needing


def xlsx_size(file: Path) -> int:
    """The bytes that the workbook unpacks to."""
    with ZipFile(file) as archive:
        return sum(member.file_size for member in archive.infolist())


def read_xlsx(file: Path) -> Content:
    """The columns of the first sheet that has rows; the first row names them. Formulas are their values.

    Raises UserError where openpyxl isn't installed.
    """
    with needing(file, "openpyxl"):
        import openpyxl  # noqa: PLC0415 (an extra: only this format needs it)
    book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    try:
        sheets = [(sheet.title, [*sheet.iter_rows(values_only=True)]) for sheet in book.worksheets]
    finally:
        book.close()
    full = [(title, rows) for title, rows in sheets if any(map(_has_cells, rows))]
    if not full:
        return Content()
    title, rows = full[0]
    others = ", ".join(title for title, _ in full[1:])
    notes = [f"{file}: read is the sheet {title}, not {others}"] if others else []
    header, *rows = [row for row in rows if _has_cells(row)]
    columns = [
        (str(name).strip(), _column([row[i] for row in rows]))
        for i, name in enumerate(header)
        if name is not None
    ]
    return by_name(columns, notes)


def _has_cells(row: Sequence[Any]) -> bool:
    return any(cell is not None for cell in row)


def _column(cells: list[Any]) -> np.ndarray | str:
    """Cells of one kind as Arrow has them, others as they are."""
    try:
        return column_of(pyarrow.chunked_array([pyarrow.array(cells)]))
    except (pyarrow.ArrowException, OverflowError):
        column = np.empty(len(cells), dtype=object)
        column[:] = cells
        return column
