"""What a text of separated values is like, told by its first lines: separator, decimal sign, comments."""

import csv
import re
from collections.abc import Sequence

DELIMITERS = ",", ";", "\t"
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")


def delimiter_of(lines: Sequence[str]) -> str:
    """What separates the cells: of comma, semicolon and tab the one that cuts all lines into as many.

    >>> from packtrain.trainer.data.files.sniff import delimiter_of
    >>> delimiter_of(["a;b", "1,5;2"])
    ';'
    """
    widths = {sign: [len(row) for row in csv.reader(lines, delimiter=sign)] for sign in DELIMITERS}
    even = [sign for sign, counts in widths.items() if counts and min(counts) == max(counts) > 1]
    return max(even or DELIMITERS, key=lambda sign: (widths[sign] or [0])[0])


def decimal_of(lines: Sequence[str], delimiter: str) -> str:
    """The decimal sign: a comma where numbers have one and none has a point, and no comma separates cells.

    >>> from packtrain.trainer.data.files.sniff import decimal_of
    >>> decimal_of(["a;b", "1,5;2"], ";"), decimal_of(["a;b", "1,5;2.5"], ";")
    (',', '.')
    """
    if delimiter == ",":
        return "."
    cells = [cell.strip() for row in csv.reader(lines, delimiter=delimiter) for cell in row]
    has_comma = any(COMMA.fullmatch(cell) for cell in cells)
    return "," if has_comma and not any(POINT.fullmatch(cell) for cell in cells) else "."


def without_comments(lines: Sequence[bytes]) -> tuple[list[bytes], list[str]]:
    """The lines without those that begin with #, and sentences on what wasn't to be expected.

    Where the last comment above numbers has as many cells as they, it names the columns, as np.savetxt writes
    it. Where most lines begin with #, these are no comments.

    >>> from packtrain.trainer.data.files.sniff import without_comments
    >>> without_comments([b"# made today", b"# x,y", b"1,2"])
    ([b'x,y', b'1,2'], ['the columns are named by the comment above them: x,y'])
    """
    first = next((i for i, line in enumerate(lines) if not _is_comment(line) and line.strip()), len(lines))
    body = [line for line in lines[first:] if not _is_comment(line)]
    inside = len(lines) - first - len(body)
    if not body:
        return list(lines), []
    if inside >= len(body):
        return list(lines[first:]), []
    said = "1 line that begins with # is" if inside == 1 else f"{inside:,} lines that begin with # are"
    notes = [f"{said} left out"] if inside else []
    header = lines[first - 1].lstrip(b"# \t") if first else b""
    if header and _names(header, body[0]):
        notes.append(
            f"the columns are named by the comment above them: {header.decode(errors='replace').strip()}"
        )
        body.insert(0, header)
    return body, notes


def _is_comment(line: bytes) -> bool:
    return line.startswith(b"#")


def _names(header: bytes, row: bytes) -> bool:
    """Whether the comment has as many cells as the row, some of which are numbers, and none itself."""
    texts = [line.decode(errors="replace").strip() for line in (header, row)]
    delimiter = delimiter_of(texts)
    above, below = csv.reader(texts, delimiter=delimiter)
    counts = [sum(bool(NUMBER.fullmatch(cell.strip())) for cell in cells) for cells in (above, below)]
    return len(above) == len(below) and counts[0] == 0 < counts[1]
