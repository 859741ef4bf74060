"""Numbers as people read them."""

from typing import Any


def number(value: Any) -> str:
    """Five digits of a float, '-' for None, and anything else as it is.

    >>> number(3.14159265), number(64), number(None)
    ('3.1416', '64', '-')
    """
    return "-" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)


def error_of(stderr: float) -> str:
    """Two digits of a standard error.

    >>> error_of(0.01234), error_of(425.7)
    ('0.012', '430')
    """
    return f"{float(f'{stderr:.2g}'):g}"
