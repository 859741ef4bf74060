"""CSV and its kin: text with commas, semicolons or tabs, packed or not, with comments, as people have it."""

import gzip
import mmap
import re
from pathlib import Path

import pyarrow
import pyarrow.csv

from ....kernels.common.errors import UserError
from ..cells import MISSING
from ..memory import available_memory, check_memory
from .content import Content, of_arrow_table
from .sniff import decimal_of, delimiter_of, without_comments

SAMPLE = 1 << 16  # bytes by which separator and decimal sign are told
PART = 1 << 24  # bytes that are unpacked at a time
UTF8, UTF16 = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
NO_UTF8 = "its text isn't in UTF-8: save the file as UTF-8"

Text = bytes | mmap.mmap


def read_text(file: Path) -> Content:
    """The columns of a file of separated values. The notes say what wasn't to be expected.

    Raises UserError for UTF-16, and ValueError, or Arrow's errors, for what is no table.

    >>> import tempfile
    >>> from packtrain.trainer.data.files.text import read_text
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "cup.csv")
    ...     _ = file.write_text("t;y\\n0;1,5\\n1;2,5\\n")
    ...     read_text(file).columns["y"].tolist()
    [1.5, 2.5]
    """
    text = _unpacked(file) if file.suffix.lower() == ".gz" else _mapped(file)
    if not len(text):
        return Content()
    _check_encoding(file, text[:SAMPLE])
    text, notes = _without_comments(text)
    lines = _first_lines(text)
    delimiter = delimiter_of(lines)
    decimal = decimal_of(lines, delimiter)
    if ".tsv" in file.suffixes and delimiter != "\t":
        notes.append(f"the cells are separated by {delimiter!r}")
    if decimal == ",":
        notes.append("commas are decimal signs: 1,5 is 1.5")
    table = _parsed(text, delimiter, decimal)
    content = of_arrow_table(table, [f"{file}: {note}" for note in notes])
    foreign = [field.name.strip() for field in table.schema if pyarrow.types.is_binary(field.type)]
    return Content(content.columns, content.refused | dict.fromkeys(foreign, NO_UTF8), content.notes)


def _mapped(file: Path) -> Text:
    with file.open("rb") as opened:
        size = opened.seek(0, 2)
        return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) if size else b""


def _unpacked(file: Path) -> bytes:
    """The whole text. Raises UserError where it unpacks to more than the memory."""
    parts, size = [], 0
    with gzip.open(file) as packed:
        while part := packed.read(PART):
            parts.append(part)
            size += len(part)
            check_memory(
                2 * PART, available_memory(), f"{file}, unpacked to {size:,} bytes,", "take fewer rows"
            )
    return b"".join(parts)


def _check_encoding(file: Path, text: bytes) -> None:
    """Raises UserError for UTF-16, whose every second byte is 0 where its letters are Latin."""
    if text[:2] in UTF16 or (len(text) > 3 and not (any(text[1:40:2]) and any(text[0:40:2]))):
        raise UserError(
            f"{file} is text in UTF-16, and expected is UTF-8: save it so (in Excel 'CSV UTF-8'), or convert "
            f"it: iconv -f UTF-16 -t UTF-8 {file.name} > utf8.csv"
        )


def _without_comments(text: Text) -> tuple[Text, list[str]]:
    begin = len(UTF8) if text[: len(UTF8)] == UTF8 else 0
    if text[begin : begin + 1] != b"#" and text.find(b"\n#") < 0:
        return text, []
    lines, notes = without_comments(bytes(text[begin:]).splitlines(keepends=True))
    return b"".join(lines), notes


def _first_lines(text: Text) -> list[str]:
    """The first lines that aren't empty, whole ones."""
    lines = text[:SAMPLE].decode("utf-8-sig", errors="replace").splitlines()
    whole = lines if len(text) <= SAMPLE or len(lines) == 1 else lines[:-1]
    return [line for line in whole if line.strip()]


def _parsed(text: Text, delimiter: str, decimal: str) -> pyarrow.Table:
    """Arrow's table. What is missing in columns of numbers is null; a column of nothing else is text."""
    table = _read(text, delimiter, decimal, {})
    empty = [field.name for field in table.schema if pyarrow.types.is_null(field.type)]
    if not empty or len(set(table.column_names)) < table.num_columns:
        return table
    return _read(text, delimiter, decimal, dict.fromkeys(empty, pyarrow.string()))


def _read(text: Text, delimiter: str, decimal: str, types: dict[str, pyarrow.DataType]) -> pyarrow.Table:
    serial = pyarrow.csv.ReadOptions(use_threads=False)  # with threads, errors name no row
    separated = pyarrow.csv.ParseOptions(delimiter=delimiter)
    numbers = pyarrow.csv.ConvertOptions(null_values=MISSING, decimal_point=decimal, column_types=types)
    try:
        return pyarrow.csv.read_csv(pyarrow.BufferReader(pyarrow.py_buffer(text)), serial, separated, numbers)
    except pyarrow.ArrowInvalid as error:  # Arrow counts the header as a row; we don't
        raise ValueError(re.sub(r"Row #(\d+)", lambda row: f"row {int(row[1]) - 1}", str(error))) from None
