"""The losses as lines of generated code: l of a sample, and its derivative s0, ... by each output."""

from collections.abc import Callable, Sequence

from .statements import Table

Equals = Callable[[int, str, str], str]  # (class, a, b) -> the text of a where t0 is that class, else b


def loss_lines(loss: str, outputs: Sequence[str], table: Table, equals: Equals) -> list[str]:
    """Lines over the outputs' texts, the targets t0, ... and the constants `zero` and `one`."""
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
    """l = log sum exp(y) - y_t, with the largest y taken out for safety."""
    places = range(len(outputs))
    lines = [f"top = {outputs[0]} + zero"]
    lines += [f"top = {table['max']('top', y)}" for y in outputs[1:]]
    lines += [f"d{k} = {y} - top" for k, y in enumerate(outputs)]
    lines += [f"z{k} = {table['exp'](f'd{k}')}" for k in places]
    lines += ["z = " + " + ".join(f"z{k}" for k in places), "chosen = zero"]
    lines += [f"chosen = {equals(k, y, 'chosen')}" for k, y in enumerate(outputs)]
    lines += [f"l = {table['log']('z')} + top - chosen"]
    return lines + [f"s{k} = z{k} / z - {equals(k, 'one', 'zero')}" for k in places]
