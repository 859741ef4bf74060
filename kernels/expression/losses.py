"""The losses as lines of generated code: a sample's loss l, and its derivatives s0, s1, ... by outputs."""

from collections.abc import Callable, Sequence

from .statements import Table

Equals = Callable[[int, str, str], str]  # (class, a, b) -> the text of a where t0 is that class, else b


def loss_lines(loss: str, outputs: Sequence[str], table: Table, equals: Equals) -> list[str]:
    """Lines over the texts of the outputs, the targets t0, t1, ... and the constants `zero` and `one`.

    `table` writes operations, and `equals` the comparison with a class.

    >>> from packtrain.kernels.expression.losses import loss_lines
    >>> loss_lines("mse", ["y"], {}, lambda k, a, b: "")
    ['e0 = y - t0', 'l = e0 * e0', 's0 = e0 + e0']
    """
    if loss == "cross_entropy":
        return _cross_entropy(outputs, table, equals)
    return _squared_errors(outputs)


def _squared_errors(outputs: Sequence[str]) -> list[str]:
    """l = sum (y - t)^2."""
    places = range(len(outputs))
    return [
        *(f"e{k} = {y} - t{k}" for k, y in enumerate(outputs)),
        "l = " + " + ".join(f"e{k} * e{k}" for k in places),
        *(f"s{k} = e{k} + e{k}" for k in places),
    ]


def _cross_entropy(outputs: Sequence[str], table: Table, equals: Equals) -> list[str]:
    """l = log sum exp(y) - y_t, with the largest y subtracted first, so that exp can't overflow."""
    places = range(len(outputs))
    lines = [f"top = {outputs[0]} + zero"]
    lines += [f"top = {table['max']('top', y)}" for y in outputs[1:]]
    lines += [f"d{k} = {y} - top" for k, y in enumerate(outputs)]
    lines += [f"z{k} = {table['exp'](f'd{k}')}" for k in places]
    lines += ["z = " + " + ".join(f"z{k}" for k in places), "chosen = zero"]
    lines += [f"chosen = {equals(k, y, 'chosen')}" for k, y in enumerate(outputs)]
    lines += [f"l = {table['log']('z')} + top - chosen"]
    return lines + [f"s{k} = z{k} / z - {equals(k, 'one', 'zero')}" for k in places]


def loss_and_slopes(loss, outputs, targets, table):
    if loss == "cross_entropy":
        return _of_classes(outputs, targets[0], table)
    errors = [y - t for y, t in zip(outputs, targets, strict=True)]
    value = errors[0] * errors[0]
    for error in errors[1:]:
        value = value + error * error
    return value, [error + error for error in errors]


def _of_classes(outputs, target, table):
    from ..functions.vector import where

    top = outputs[0]
    for y in outputs[1:]:
        top = table["max"](top, y)
    parts = [table["exp"](y - top) for y in outputs]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    chosen = outputs[0].number(0)
    for k, y in enumerate(outputs):
        chosen = where(target == k, y, chosen)
    value = table["log"](total) + top - chosen
    return value, [
        part / total - where(target == k, top.number(1), top.number(0)) for k, part in enumerate(parts)
    ]
