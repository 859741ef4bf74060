"""A sample's loss and its slopes by the outputs, over abstract numbers: vectors of machine code, or text."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..equations.losses import OUTPUT, TARGET, Loss
from ..language.expr import Expr

Functions = Mapping[str, Callable[..., Any]]  # op -> the function of such numbers
Equals = Callable[[Any, int, Any, Any], Any]  # (target, k, a, b) -> a where the target is class k, else b
Compute = Callable[[Sequence[Expr], dict[Expr, Any]], list[Any]]  # (roots, leaf -> number) -> their values


def sum_of_formulas(
    loss: Loss, outputs: Sequence[Any], targets: Sequence[Any], compute: Compute
) -> tuple[Any, list[Any]]:
    """(sum of l(y, t), each dl/dy) of outputs y and targets t; `compute` knows the loss's constants.

    >>> from packtrain.kernels.expression.losses import sum_of_formulas
    >>> from packtrain.kernels.equations.losses import OUTPUT, TARGET, loss_of
    >>> numbers = lambda roots, leaves: [(leaves[OUTPUT] - leaves[TARGET]) ** 2, 0.0]
    >>> sum_of_formulas(loss_of("mse"), [3.0, 5.0], [1.0, 2.0], numbers)[0]
    13.0
    """
    pairs = [
        compute((loss.value, loss.slope), {OUTPUT: y, TARGET: t})
        for y, t in zip(outputs, targets, strict=True)
    ]
    return _sum([value for value, _ in pairs]), [slope for _, slope in pairs]


def cross_entropy(
    outputs: Sequence[Any], target: Any, table: Functions, equals: Equals, smoothing: Any = None
) -> tuple[Any, list[Any]]:
    """l = log sum exp(y) - y_t, with the largest y subtracted first, so that exp can't overflow.

    With a label `smoothing` s, (1 - s) y_t + s mean(y) stands for y_t. `table` has exp, log and max.

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
    softmax = [power / total for power in powers]
    hits = [equals(target, k, 1.0, 0.0) for k in range(len(outputs))]
    if smoothing is None:
        slopes = [part - hit for part, hit in zip(softmax, hits, strict=True)]
        return table["log"](total) + top - chosen, slopes
    share, rest = smoothing / float(len(outputs)), 1.0 - smoothing
    slopes = [part - (rest * hit + share) for part, hit in zip(softmax, hits, strict=True)]
    return table["log"](total) + top - (rest * chosen + share * _sum(outputs)), slopes


def _sum(numbers: Sequence[Any]) -> Any:
    total = numbers[0]
    for each in numbers[1:]:
        total = total + each
    return total
