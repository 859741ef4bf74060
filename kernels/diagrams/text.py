"""Text in a box of a diagram, in letters of one width: how wide it is, and how it is made to fit."""

from textwrap import wrap
from unicodedata import combining, east_asian_width

LETTER = 0.603  # of the size of a font: the widest of FONTS
FONTS = "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"
MORE, TIE = "…", "\N{NO-BREAK SPACE}"


def width(text: str, size: float) -> float:
    """The pixels that `text` takes in letters of `size` pixels.

    >>> width("xy = a*x", 10), width("温度", 10)
    (48.24, 24.12)
    """
    return round(size * LETTER * sum(map(_cells, text)), 3)


def shortened(text: str, most: int) -> str:
    """`text`, or its beginning where it has more than `most` letters.

    >>> shortened("b*cos(xx) + a", 8), shortened("a", 8)
    ('b*cos(x…', 'a')
    """
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}{MORE}"


def wrapped(text: str, across: int, most: int) -> list[str]:
    """At most so many lines of an equation, of at most `across` letters, broken between its terms.

    >>> wrapped("xy = a*x + b*exp(-c*(x - 1)) + d", 22, 2)
    ['xy = a*x', '+ b*exp(-c*(x - 1)) …']
    """
    lines = wrap(_tied(text), across, max_lines=most, placeholder=f" {MORE}", drop_whitespace=True)
    return [line.replace(TIE, " ") for line in lines] or [""]


def _tied(text: str) -> str:
    """`text` whose spaces in parentheses and backticks, and behind + and -, are no places to break at."""
    depth, quoted, tied = 0, False, []
    for i, letter in enumerate(text):
        quoted ^= letter == "`"
        depth += (letter == "(") - (letter == ")")
        tied.append(TIE if letter == " " and (depth or quoted or text[i - 1] in "+-") else letter)
    return "".join(tied)


def number(value: float | None, digits: int = 5) -> str:
    """A number in so many digits.

    >>> number(0.123456789), number(float("nan")), number(None), number(-1e-30, 3)
    ('0.12346', 'nan', 'unknown', '-1e-30')
    """
    return "unknown" if value is None else f"{value:.{digits}g}"


def _cells(letter: str) -> int:
    return 0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1
