"""Equations and numbers as pictures have them: Matplotlib's mathtext."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ...kernels.language import Graph
from ...kernels.language.expr import name
from ...kernels.language.latex import latex

MOST_EQUATIONS = 4  # of a title
FONT, LEAST_FONT = 12.0, 7.0  # points
PLAIN = -3, 5  # powers of ten between which a number has no exponent
POINTS = 72  # an inch


def symbol(word: str) -> str:
    """A parameter or variable: its letter in italics, what follows as its index.

    >>> symbol("b1"), symbol("alpha")
    ('$b_{1}$', '$\\\\alpha$')
    """
    written = f"${latex([(word, name(word))]).partition(' &=')[0]}$"
    return written if width(written) else word


def equation(graph: Graph, inches: float) -> tuple[str, float]:
    """The graph's equations, a line each, and the size of letters with which they are `inches` wide.

    Of many equations there are the first; one too long, or with what mathtext lacks, stands as it was typed.

    >>> from packtrain.kernels.language import parse
    >>> equation(parse("y = a*exp(-k*t)", variables=["y", "t"]), inches=6)
    ('$y = a \\\\, \\\\exp\\\\left(-k \\\\, t\\\\right)$', 12.0)
    """
    definitions = graph.definitions[:MOST_EQUATIONS]
    lines = [_equation(variable, expression, inches) for variable, expression in definitions]
    if len(graph.definitions) > MOST_EQUATIONS:
        lines.append(f"... ({len(graph.definitions)} equations)")
    widest = max(filter(None, map(width, lines)), default=0.0)
    return "\n".join(lines), min(FONT, FONT * inches / widest) if widest else FONT


def _equation(variable: str, expression: Any, inches: float) -> str:
    """An equation in mathtext, or where that won't do, as it is typed."""
    text = (
        latex([(variable, expression)])
        .replace("&= ", "= ")
        .replace(r"\cdot", r"\,")
        .replace(r"\frac", r"\dfrac")
    )
    wide = width(f"${text}$")
    if wide and FONT * inches / wide >= LEAST_FONT:
        return f"${text}$"
    plain = f"{variable} = {expression}"
    most = int(inches * POINTS / (0.6 * LEAST_FONT))
    return plain if len(plain) <= most else f"{plain[: most - 4]} ..."


@lru_cache(256)
def width(text: str) -> float | None:
    """The inches that a text takes in letters of FONT points; None of mathtext that isn't understood.

    >>> width("$\\\\nothing$"), width("$a + b$") > 0.3
    (None, True)
    """
    from matplotlib.font_manager import FontProperties  # noqa: PLC0415 (an optional dependency, and slow)
    from matplotlib.mathtext import MathTextParser  # noqa: PLC0415 (likewise)

    escaped = text if text.startswith("$") else text.replace("$", r"\$")
    try:
        box = MathTextParser("path").parse(escaped, dpi=POINTS, prop=FontProperties(size=FONT))
    except ValueError:
        return None
    return float(box.width) / POINTS


def measured(value: float | None, stderr: float | None) -> str:
    """A number with its standard error of two digits, to that place; of one without it five digits.

    >>> measured(0.76886, 0.018282), measured(20.0, None), measured(123456.7, 1234.5)
    ('0.769 ± 0.018', '20', '(1.235 ± 0.012)$\\\\times10^{5}$')
    >>> measured(1.5e-8, None)
    '1.5$\\\\times10^{-8}$'
    """
    if value is None or not math.isfinite(value):
        return "-"
    if not stderr or not math.isfinite(stderr):
        return _scaled(value)
    power = _power(max(abs(value), stderr))
    power = 0 if PLAIN[0] <= power < PLAIN[1] else power
    places = max(0, 1 - _power(stderr / 10.0**power))
    text = f"{value / 10.0**power:.{places}f} ± {stderr / 10.0**power:.{places}f}"
    return f"({text})$\\times10^{{{power}}}$" if power else text


def shortened(text: str, most: int) -> str:
    """A name of at most so many letters: of a longer one its beginning and its end.

    >>> shortened("a name that is long", most=10), shortened("short", most=10)
    ('a nam…long', 'short')
    """
    if len(text) <= most:
        return text
    end = (most - 1) // 2
    return f"{text[: most - 1 - end]}…{text[len(text) - end :]}"


def all_shortened(names: Sequence[str], most: int) -> list[str]:
    """Names of at most so many letters; where some become alike, each begins with its place, from 0.

    >>> all_shortened(["cat", "a name that is long"], most=10)
    ['cat', 'a nam…long']
    >>> all_shortened(["all of the first names", "all of the other names"], most=10)
    ['0 all…ames', '1 all…ames']
    """
    short = [shortened(name, most) for name in names]
    if len(set(short)) == len(set(names)):
        return short
    return [shortened(f"{place} {name}", most) for place, name in enumerate(names)]


def _scaled(value: float) -> str:
    digits, _, power = f"{value:.5g}".partition("e")
    return f"{digits}$\\times10^{{{int(power)}}}$" if power else digits


def _power(value: float) -> int:
    return math.floor(math.log10(value)) if value else 0
