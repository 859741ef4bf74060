"""An expression of one name -> lines of Python for torch, for people to read and to use elsewhere."""

import math
import re
from collections.abc import Callable

import torch

from ..language.expr import Expr, constant, node, number, walk, written_lines
from ..language.notation import (
    ADDITIVE,
    COMPARISONS,
    LANGUAGE,
    MULTIPLICATIVE,
    Notation,
    Written,
    atom,
    bare,
    binary,
    bracketed,
    call,
    power,
    signed,
    wrap,
)
from .reference import evaluate

ALIKE = (
    "exp", "expm1", "log", "log1p", "log10", "log2", "sqrt", "abs", "sign", "floor", "ceil", "round",
    "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
    "sinc", "sigmoid", "relu", "erf", "erfc", "lgamma",
)  # fmt: skip
NUMBER = re.compile(r"-?(torch\.inf|torch\.nan|[0-9.]+(e[+-]?[0-9]+)?)")
TRUTH = ("(", ").to(z)")  # makes numbers of a comparison


def _number(size: float) -> Written:
    return atom(repr(size).removesuffix(".0") if math.isfinite(size) else f"torch.{size}")


def _tensor(operand: Written) -> Written:
    """A number as a tensor, where torch takes nothing else."""
    return atom(f"z.new_tensor({operand[0]})") if NUMBER.fullmatch(operand[0]) else operand


def _of_tensors(function: str) -> Callable[..., Written]:
    return lambda *operands: call(function)(*map(_tensor, operands))


def _where(condition: Written, first: Written, second: Written) -> Written:
    truth = bare(condition, TRUTH)
    test = truth if truth != condition[0] else f"{wrap(condition, ADDITIVE)} != 0"
    return _of_tensors("torch.where")(atom(test), first, second)


def _cube_root(x: Written) -> Written:
    return binary("*", MULTIPLICATIVE)(
        call("torch.sign")(x), power("**")(call("torch.abs")(x), ("(1/3)", MULTIPLICATIVE))
    )


NOTATION: Notation = {
    **{op: LANGUAGE[op] for op in ("add", "sub", "mul", "div", "neg", "mod")},
    "name": atom,
    "number": signed(_number),
    "pow": power("**"),
    **{function: call(f"torch.{function}") for function in ALIKE},
    "erfcx": call("torch.special.erfcx"),  # its bessel_j0 and bessel_j1 are wrong in the seventh digit
    **{op: bracketed(symbol, TRUTH) for op, symbol in COMPARISONS.items()},
    "where": _where,
    "min": _of_tensors("torch.minimum"),
    "max": _of_tensors("torch.maximum"),
    "atan2": _of_tensors("torch.atan2"),
    "hypot": _of_tensors("torch.hypot"),
    "cbrt": _cube_root,
    "softplus": lambda x: call("torch.logaddexp")(x, call("torch.zeros_like")(x)),
}


def torch_lines(expression: Expr) -> list[tuple[str, str]] | None:
    """(name, text) of assignments, of which the last, a, is the value of an `expression` of z.

    None where it holds a function that torch lacks, or has not exactly. Numbers are put together first.

    >>> from packtrain.kernels.elementwise.torch_source import torch_lines
    >>> from packtrain.kernels.language.formula import read_formula
    >>> torch_lines(read_formula("max(z, 0)*sqrt(4)", ("z",)).root)
    [('a', 'torch.maximum(z, z.new_tensor(0))*2')]
    """
    whole = _folded(expression)
    lacks = {part.op for part in walk(whole)} - NOTATION.keys()
    return None if lacks else written_lines(whole, NOTATION, "a", "part")


def _folded(root: Expr) -> Expr:
    """`root` with each part that is of numbers alone replaced by its value."""
    new: dict[Expr, Expr] = {}
    for part in walk(root):
        args = tuple(new[arg] for arg in part.args)
        new[part] = node(part.op, *args, value=part.value)
        if args and all(arg.op == "number" for arg in args):
            values = {arg: torch.tensor([constant(arg)], dtype=torch.float64) for arg in args}
            evaluate([new[part]], values)
            new[part] = number(float(values[new[part]]))
    return new[root]
