"""The definition: each operation in eager torch, and expressions of them, element by element."""

import operator
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from ..language.expr import Expr, constant
from ..special.bessel import j0, j1, j1_over_x
from ..special.digamma import digamma
from ..special.faddeeva import wofz_imag, wofz_real
from ..special.sinc import sinc_slope


def chained(left: Tensor, right: Tensor) -> Tensor:
    """left * right, and 0 where a factor is exactly 0, even if the other is infinite or NaN.

    >>> import torch
    >>> from packtrain.kernels.elementwise.reference import chained
    >>> chained(torch.tensor([0.0, 2.0]), torch.tensor([torch.inf, 3.0])).tolist()
    [0.0, 6.0]
    """
    return (left * right).masked_fill((left == 0) | (right == 0), 0)


def cube_root(x: Tensor) -> Tensor:
    """x^(1/3), of either sign.

    >>> import torch
    >>> from packtrain.kernels.elementwise.reference import cube_root
    >>> cube_root(torch.tensor([-8.0, 0.0, 27.0])).tolist()
    [-2.0, 0.0, 3.0]
    """
    rough = x.abs() ** (1 / 3) * torch.sign(x)
    better = rough - (rough - x / (rough * rough)) / 3
    return torch.where(better.isfinite(), better, rough)


def _compared(compare: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """The row of a comparison: 1 or 0, of the operands' type."""
    return lambda x, y: compare(x, y).to(torch.result_type(x, y))


def _special(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The row of a function of `special`."""
    return lambda *args: function(*args, TENSORS)


TORCH: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
    "mod": torch.remainder,
    "pow": operator.pow,
    "lt": _compared(torch.lt),
    "le": _compared(torch.le),
    "gt": _compared(torch.gt),
    "ge": _compared(torch.ge),
    "where": lambda c, x, y: torch.where(c != 0, x, y),
    "exp": torch.exp,
    "expm1": torch.expm1,
    "log": torch.log,
    "log1p": torch.log1p,
    "log10": torch.log10,
    "log2": torch.log2,
    "sqrt": torch.sqrt,
    "cbrt": cube_root,
    "abs": torch.abs,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "round": torch.round,
    "sin": torch.sin,
    "cos": torch.cos,
    "tan": torch.tan,
    "asin": torch.asin,
    "acos": torch.acos,
    "atan": torch.atan,
    "atan2": torch.atan2,
    "hypot": torch.hypot,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "tanh": torch.tanh,
    "asinh": torch.asinh,
    "acosh": torch.acosh,
    "atanh": torch.atanh,
    "sinc": torch.sinc,
    "sinc_slope": _special(sinc_slope),
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "erf": torch.erf,
    "erfc": torch.erfc,
    "erfcx": torch.special.erfcx,
    "lgamma": torch.lgamma,
    "digamma": _special(digamma),
    "j0": _special(j0),
    "j1": _special(j1),
    "j1_over_x": _special(j1_over_x),
    "wofz_real": _special(wofz_real),
    "wofz_imag": _special(wofz_imag),
    "min": torch.minimum,
    "max": torch.maximum,
    "sign": lambda x: torch.where(x.isnan(), x, torch.sign(x)),
    "plogx": lambda p, x: (p * torch.log(x)).masked_fill((p == 0) | ((x == 0) & p.isfinite()), 0),
    "gate": lambda x, y: (x * y).masked_fill(x == 0, 0),
    "chain": chained,
}

TENSORS = SimpleNamespace(**TORCH | {"where": torch.where})  # what `special` computes with

TAKES_NUMBERS = {"add", "sub", "mul", "div", "pow"}  # whose right operand may be a plain number

Values = dict[Expr, Tensor]  # part -> its value; all broadcast together


def evaluate(program: Iterable[Expr], values: Values) -> None:
    """Adds the value of each part of `program`, in order, to `values`, which holds the leaves.

    >>> import torch
    >>> from packtrain.kernels.elementwise.reference import evaluate
    >>> from packtrain.kernels.language.expr import name, walk
    >>> a = name("a")
    >>> evaluate(walk(a * a), values := {a: torch.tensor([[3.0]])})
    >>> values[a * a].item()
    9.0
    """
    like = next(iter(values.values()))
    for part in program:
        if part not in values:
            values[part] = _apply(part, values, like)


def _apply(part: Expr, values: Values, like: Tensor) -> Tensor:
    if part.op == "number":
        return like.new_full((1,) * like.dim(), constant(part))
    args: list[Any] = [values[arg] for arg in part.args]
    if part.op in TAKES_NUMBERS and part.args[-1].op == "number":
        args[-1] = constant(part.args[-1])  # x^2 with a plain 2 is a multiplication
    return TORCH[part.op](*args)
