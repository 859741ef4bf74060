"""The gradient by finite differences: no derivative table, for comparison and for teaching."""

from torch import Tensor

from ..elementwise.reference import Values, chained, evaluate
from ..equations.losses import Loss, loss_of
from ..language.expr import Expr, name, names, walk
from ..language.graph import Graph
from ..loss.reference import loss_reference
from .reference import bind, stack


def loss_and_gradient(
    graph: Graph,
    parameters: Tensor,
    inputs: Tensor,
    targets: Tensor,
    loss: str | Loss,
    constants: Tensor | None = None,
    weights: Tensor | None = None,
    *,
    delta: float,
) -> tuple[Tensor, Tensor]:
    """(L, dL/dp), where (f(u + delta) - f(u)) / delta stands for df/du.

    f is a variable's expression and u each name in it; the chain rule, from the outputs back along the graph,
    turns these partial derivatives into the gradient.
    parameters [R, P], inputs [B, V] or [R, B, V], targets likewise -> [R], [R, P].

    >>> import torch
    >>> from packtrain.kernels.expression.finite_difference import loss_and_gradient
    >>> from packtrain.kernels.language import parse
    >>> graph, one = parse("xy = a*x"), torch.ones(1, 1, dtype=torch.float64)
    >>> value, gradient = loss_and_gradient(graph, 3 * one, one, one, "mse", delta=0.5)
    >>> value.tolist(), gradient.tolist()
    ([4.0], [[4.0]])
    """
    values = bind(graph, parameters, inputs)
    for variable, expression in graph.definitions:
        values[name(variable)] = _value(expression, values)
    outputs = stack([values[name(o)] for o in graph.outputs], parameters, inputs)
    value, slope = loss_reference(loss_of(loss), outputs, targets, constants, weights)
    slopes = dict(zip(graph.outputs, slope.unbind(-1), strict=True))
    for variable, expression in reversed(graph.definitions):
        if variable not in slopes:
            continue
        for word in names(expression):
            if word in graph.inputs:
                continue
            moved = _value(expression, values | {name(word): values[name(word)] + delta})
            term = chained(slopes[variable], (moved - values[name(variable)]) / delta)
            slopes[word] = slopes[word] + term if word in slopes else term
    zero = slope.new_zeros(())
    gradient = stack([slopes.get(p, zero) for p in graph.parameters], parameters, inputs)
    return value, gradient.sum(1)


def _value(expression: Expr, values: Values) -> Tensor:
    inside = dict(values)
    evaluate(walk(expression), inside)
    return inside[expression]
