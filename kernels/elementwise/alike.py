"""Expressions of float64 numbers on the CPU, with the same bits wherever a number stands in a tensor.

torch's own functions don't promise that: what fills no whole vector is computed in another way.
"""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from ..functions.arrays import of_arrays
from ..functions.table import LLVM
from ..functions.vector import Vector
from ..language.expr import Expr, constant
from .reference import TORCH, Values

# What IEEE 754 rounds correctly, or is exact.
EXACT = {
    "add", "sub", "mul", "div", "neg", "sqrt", "abs", "floor", "ceil", "round", "sign", "relu", "min", "max",
    "lt", "le", "gt", "ge", "where",
}  # fmt: skip
MOST_POWER = 1 << 53  # up to which float64 counts one by one


def evaluate(program: Iterable[Expr], values: Values, counts: Iterable[Expr] = ()) -> None:
    """Adds the value of each part of `program`, in order, to `values`, which holds the leaves.

    Powers whose exponents are one of `counts`, leaves that hold whole numbers from 0 on, are products.

    >>> import torch
    >>> from packtrain.kernels.elementwise.alike import evaluate
    >>> from packtrain.kernels.language.expr import name, walk
    >>> a = name("a")
    >>> evaluate(walk(a * a), values := {a: torch.tensor([3.0], dtype=torch.float64)})
    >>> values[a * a].item()
    9.0
    """
    counts = {*counts}
    for part in program:
        if part not in values:
            values[part] = _value(part, values, counts)


def _value(part: Expr, values: Values, counts: set[Expr]) -> Tensor:
    if part.op == "number":
        return torch.tensor(constant(part), dtype=torch.float64)
    args = [values[arg] for arg in part.args]
    if part.op == "pow" and (part.args[1] in counts or _is_count(part.args[1])):
        return power(args[0], args[1].long())
    return TORCH[part.op](*args) if part.op in EXACT else _by_vectors(LLVM[part.op], args)


def _is_count(part: Expr) -> bool:
    return part.op == "number" and 0 <= constant(part) <= MOST_POWER and constant(part).is_integer()


def _by_vectors(function: Callable[..., Vector], args: list[Tensor]) -> Tensor:
    arrays = np.broadcast_arrays(*(arg.numpy() for arg in args))
    return torch.from_numpy(of_arrays(function, *map(np.atleast_1d, arrays))).view(arrays[0].shape)


def power(base: Tensor, exponent: Tensor) -> Tensor:
    """base^n for whole n from 0 on, by squaring; the two broadcast together.

    >>> import torch
    >>> from packtrain.kernels.elementwise.alike import power
    >>> power(torch.tensor([2.0, 3.0]), torch.tensor([[0], [5]])).tolist()
    [[1.0, 1.0], [32.0, 243.0]]
    """
    result, square = torch.ones_like(exponent * base), base
    for bit in range(int(exponent.max()).bit_length()):
        result = torch.where(exponent >> bit & 1 > 0, result * square, result)
        square = square * square
    return result
