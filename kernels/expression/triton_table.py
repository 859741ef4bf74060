"""Operations and numbers as Triton source text: what all generated kernels are made of."""

from collections.abc import Callable
from math import pi
from types import SimpleNamespace
from typing import Any

from ..language.notation import COMPARISONS
from ..special.bessel import j1_over_x
from ..special.digamma import digamma
from ..special.faddeeva import wofz_imag, wofz_real
from ..special.sinc import sinc_slope
from .statements import call
from .text import Text

HEADER = '''"""Generated from equations; the file is named after this text."""

import triton
import triton.language as tl
from triton.language.extra import libdevice

'''

LIBDEVICE = (
    "expm1", "log1p", "log10", "log2", "cbrt", "tan", "asin", "acos", "atan", "atan2", "hypot",
    "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "erfcx", "lgamma", "j0", "j1",
)  # fmt: skip


def _choose(sign: str) -> Callable[..., str]:
    """The row of min or max: x where it compares so or is NaN, else y, be that NaN or not."""
    return lambda x, y: f"tl.where({x} {sign} {y}, {x}, tl.where({x} != {x}, {x}, {y}))"


def _mod(x: Text, y: Text) -> str:
    """What is left of x, plus y where it has the other sign: exact, as in Python."""
    left = x.lines.assign(f"libdevice.fmod({x}, {y})")
    return f"tl.where(({left} != 0.0) & (({left} < 0.0) != ({y} < 0.0)), {left} + {y}, {left})"


def _where(mask: Text, *either: Text | float) -> str:
    """A plain number gets the kernel's own type: by itself it would be a float32."""
    first, second = (x if isinstance(x, Text) else f"tl.full((), {x!r}, dtype)" for x in either)
    return f"tl.where({mask}, {first}, {second})"


def _special(function: Callable[..., Text]) -> Callable[..., Text]:
    """The row of a function of `special`, several lines."""

    def row(*args: Text) -> Text:
        numbers = args[0].lines.functions(TRITON | {"where": _where})
        return function(*args, SimpleNamespace(**numbers))

    return row


# op -> the text of its value, given its operands. A comparison with NaN is false: relu tests for what becomes
# 0, min and max for NaN, so that it stays.
TRITON: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: f"{x} + {y}",
    "sub": lambda x, y: f"{x} - {y}",
    "mul": lambda x, y: f"{x} * {y}",
    "div": lambda x, y: f"{x} / {y}",
    "mod": _mod,
    "neg": lambda x: f"-{x}",
    "pow": call("libdevice.pow"),
    **{op: f"({{}} {sign} {{}}).to(dtype)".format for op, sign in COMPARISONS.items()},
    "where": lambda c, x, y: f"tl.where({c} != 0.0, {x}, {y})",
    **{f: call(f"tl.{f}") for f in ("exp", "log", "sqrt", "abs", "sin", "cos", "floor", "ceil")},
    **{f: call(f"libdevice.{f}") for f in LIBDEVICE},
    "round": call("libdevice.rint"),
    "sigmoid": lambda x: f"1.0 / (1.0 + tl.exp(-{x}))",
    "relu": lambda x: f"tl.where({x} <= 0.0, 0.0, {x})",
    "softplus": lambda x: f"tl.where({x} <= 0.0, 0.0, {x}) + libdevice.log1p(tl.exp(-tl.abs({x})))",
    "sinc": lambda x: f"tl.where({x} == 0.0, 1.0, libdevice.sinpi({x}) / ({x} * {pi}))",
    "sinc_slope": _special(sinc_slope),
    "digamma": _special(digamma),
    "j1_over_x": _special(j1_over_x),
    "wofz_real": _special(wofz_real),
    "wofz_imag": _special(wofz_imag),
    "min": _choose("<"),
    "max": _choose(">"),
    "sign": lambda x: f"tl.where({x} > 0.0, 1.0, tl.where({x} < 0.0, -1.0, {x}))",
    "plogx": lambda p, x: (
        f"tl.where({p} == 0.0, 0.0, tl.where({x} != 0.0, {p} * tl.log({x}), "
        f"tl.where(tl.abs({p}) < float('inf'), 0.0, {p} * tl.log({x}))))"
    ),
    "gate": lambda x, y: f"tl.where({x} == 0.0, 0.0, {x} * {y})",
    "chain": lambda x, y: f"tl.where({x} == 0.0, 0.0, tl.where({y} == 0.0, 0.0, {x} * {y}))",
}

NUMBER = "tl.full((), {}, dtype)".format
EQUALS = "tl.where({} == {}, {}, {})".format
