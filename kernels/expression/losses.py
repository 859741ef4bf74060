"""The losses of one sample: l, and its derivatives by the outputs.

They are written over abstract numbers, whatever has arithmetic operators: `Text`, which writes generated
code, or vectors of machine code.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Functions = Mapping[str, Callable[..., Any]]  # op -> the function of such numbers
Equals = Callable[[Any, int, Any, Any], Any]  # (target, k, a, b) -> a where the target is class k, else b


def loss_and_slopes(
    loss: str, outputs: Sequence[Any], targets: Sequence[Any], table: Functions, equals: Equals
) -> tuple[Any, list[Any]]:
    """(l, dl/dy) of outputs y and targets t, which are one class for `cross_entropy`.

    >>> from packtrain.kernels.expression.losses import loss_and_slopes
    >>> loss_and_slopes("mse", [3.0, 5.0], [1.0, 2.0], {}, lambda *_: None)
    (13.0, [4.0, 6.0])
    """
    if loss == "cross_entropy":
        return cross_entropy(outputs, targets[0], table, equals)
    return squared_errors(outputs, targets)


def squared_errors(outputs: Sequence[Any], targets: Sequence[Any]) -> tuple[Any, list[Any]]:
    """l = sum (y - t)^2.

    >>> from packtrain.kernels.expression.losses import squared_errors
    >>> squared_errors([3.0], [1.0])
    (4.0, [4.0])
    """
    errors = [y - t for y, t in zip(outputs, targets, strict=True)]
    return _sum([e * e for e in errors]), [e + e for e in errors]


def cross_entropy(
    outputs: Sequence[Any], target: Any, table: Functions, equals: Equals
) -> tuple[Any, list[Any]]:
    """l = log sum exp(y) - y_t, with the largest y subtracted first, so that exp can't overflow.

    `table` has exp, log and max.

    >>> import math
    >>> from packtrain.kernels.expression.losses import cross_entropy
    >>> table = {"exp": math.exp, "log": math.log, "max": max}
    >>> loss, slopes = cross_entropy([0.0, 0.0], 1, table, lambda t, k, a, b: a if t == k else b)
    >>> round(loss, 4), slopes
    (0.6931, [0.5, -0.5])
    """
    top = chosen = outputs[0]
    for k, y in enumerate(outputs[1:], 1):
        top, chosen = table["max"](top, y), equals(target, k, y, chosen)
    powers = [table["exp"](y - top) for y in outputs]
    total = _sum(powers)
    slopes = [power / total - equals(target, k, 1.0, 0.0) for k, power in enumerate(powers)]
    return table["log"](total) + top - chosen, slopes


def _sum(numbers: Sequence[Any]) -> Any:
    total = numbers[0]
    for each in numbers[1:]:
        total = total + each
    return total
