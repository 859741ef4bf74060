"""What is told of data: to their owner everything, in a service no cell and no place on its disk."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...kernels.common.errors import UserError

UNQUOTED = "something else (a service quotes no cells)"
ROW = re.compile(r"\brow \d+")

Check = Callable[[Path], object]


class Discretion:
    """Whether cells are kept back, and what looks at each file before it is read; of the whole process."""

    check: Check | None = None


@contextmanager
def discreet(check: Check) -> Iterator[None]:
    """Inside `with`, in all threads, sentences quote no cell, and each file is read after `check` has let it.

    `check` raises UserError for a file that isn't to be read.

    >>> with discreet(print):
    ...     quoted("secret")
    'something else (a service quotes no cells)'
    """
    before = Discretion.check
    Discretion.check = check
    try:
        yield
    finally:
        Discretion.check = before


def quoted(cell: Any, text: str | None = None) -> str:
    """The cell as sentences have it, in this `text`, if any.

    >>> quoted("red"), quoted(1.0, "1")
    ("'red'", '1')
    """
    return UNQUOTED if Discretion.check else repr(cell) if text is None else text


def told(of_cells: str) -> str:
    """A part of a sentence that is made of cells, and that the sentence can do without.

    >>> told("; there are blue, red")
    '; there are blue, red'
    """
    return "" if Discretion.check else of_cells


def reason(error: BaseException) -> str:
    """Why a file can't be read, as whoever reads it says: such a sentence may quote anything in the file.

    >>> with discreet(print):
    ...     reason(ValueError("CSV parse error: row 7: Expected 2 columns, got 3: 1,2,secret"))
    'row 7 of it'
    """
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if not Discretion.check:
        return text
    row = ROW.search(text)
    return f"{row[0]} of it" if row else type(error).__name__


def kept_back(error: Exception) -> Exception:
    """What may be told of an error that nobody expected, which may quote anything.

    >>> with discreet(print):
    ...     kept_back(KeyError("secret"))
    RuntimeError("the data can't be read: KeyError")
    """
    if isinstance(error, UserError) or not Discretion.check:
        return error
    return RuntimeError(f"the data can't be read: {type(error).__name__}")


def looked_for() -> str:
    """Where files are looked for, for people.

    >>> looked_for().startswith("looked for in /")
    True
    """
    return "looked for in the service's data folder" if Discretion.check else f"looked for in {Path.cwd()}"


def may_read(file: Path) -> None:
    """Raises UserError where a service doesn't read this file; anybody else reads what they may.

    >>> may_read(Path("/etc/hostname"))
    """
    if Discretion.check:
        Discretion.check(file)
