"""The definition: an expression graph in eager torch, one operation after another."""

from collections.abc import Iterable

import torch
from torch import Tensor

from ..elementwise.reference import Values, evaluate
from ..equations.losses import Loss, loss_of
from ..language.expr import name
from ..language.graph import Graph, cotangent
from ..loss.reference import loss_reference


def predict(graph: Graph, parameters: Tensor, inputs: Tensor) -> Tensor:
    """y = f(x; p): parameters [R, P], inputs [B, V] or [R, B, V] -> outputs [R, B, T].

    >>> import torch
    >>> from packtrain.kernels.expression.reference import predict
    >>> from packtrain.kernels.language import parse
    >>> predict(parse("xy = a*x"), torch.tensor([[3.0]]), torch.tensor([[1.0], [2.0]])).tolist()
    [[[3.0], [6.0]]]
    """
    values = bind(graph, parameters, inputs)
    evaluate(graph.program, values)
    return stack([values[graph.lowered[output]] for output in graph.outputs], parameters, inputs)


def loss_and_gradient(
    graph: Graph,
    parameters: Tensor,
    inputs: Tensor,
    targets: Tensor,
    loss: str | Loss,
    constants: Tensor | None = None,
    weights: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """(L, dL/dp): parameters [R, P], inputs [B, V] or [R, B, V], targets likewise -> [R], [R, P].

    `constants` [R, C] are the loss's, `weights` [B] or [R, B] the samples'.

    The gradient is `graph.gradient`, made by the table of derivatives; torch's autograd takes no part.

    >>> import torch
    >>> from packtrain.kernels.expression.reference import loss_and_gradient
    >>> from packtrain.kernels.language import parse
    >>> graph, one = parse("xy = a*x"), torch.ones(1, 1)
    >>> [part.tolist() for part in loss_and_gradient(graph, 3 * one, one, one, "mse")]
    [[4.0], [[4.0]]]
    """
    values = bind(graph, parameters, inputs)
    evaluate(graph.program, values)
    outputs = stack([values[graph.lowered[o]] for o in graph.outputs], parameters, inputs)
    value, slope = loss_reference(loss_of(loss), outputs, targets, constants, weights)
    return value, _pulled_back(graph, values, slope, parameters, inputs).sum(1)


def sample_gradients(graph: Graph, parameters: Tensor, inputs: Tensor, slope: Tensor) -> Tensor:
    """What each sample adds to dL/dp, by its dL/dy: `slope` [R, B, T] -> [R, B, P]; see loss_and_gradient.

    >>> import torch
    >>> from packtrain.kernels.expression.reference import sample_gradients
    >>> from packtrain.kernels.language import parse
    >>> x = torch.tensor([[2.0], [5.0]])
    >>> sample_gradients(parse("xy = a*x"), torch.ones(1, 1), x, torch.ones(1, 2, 1)).tolist()
    [[[2.0], [5.0]]]
    """
    values = bind(graph, parameters, inputs)
    evaluate(graph.program, values)
    return _pulled_back(graph, values, slope, parameters, inputs)


def _pulled_back(graph: Graph, values: Values, slope: Tensor, parameters: Tensor, inputs: Tensor) -> Tensor:
    """The slopes by the outputs [R, B, T], times those of the outputs: [R, B, P]. Adds to `values`."""
    values |= {cotangent(o): s for o, s in zip(graph.outputs, slope.unbind(-1), strict=True)}
    evaluate(graph.gradient_program, values)
    return stack([values[part] for part in graph.gradient], parameters, inputs)


def jacobian(graph: Graph, parameters: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """(y, dy/dp): parameters [R, P], inputs [B, V] or [R, B, V] -> [R, B, T], [R, B, T, P].

    >>> import torch
    >>> from packtrain.kernels.expression.reference import jacobian
    >>> from packtrain.kernels.language import parse
    >>> [part.tolist() for part in jacobian(parse("xy = a*x^2"), torch.ones(1, 1), torch.tensor([[2.0]]))]
    [[[[4.0]]], [[[[4.0]]]]]
    """
    values = bind(graph, parameters, inputs)
    evaluate(graph.program, values)
    evaluate(graph.jacobian_program, values)
    outputs = stack([values[graph.lowered[o]] for o in graph.outputs], parameters, inputs)
    slopes = [stack([values[part] for part in row], parameters, inputs) for row in graph.jacobian]
    return outputs, slopes[0][:, :, None] if len(slopes) == 1 else torch.stack(slopes, 2)


def bind(graph: Graph, parameters: Tensor, inputs: Tensor) -> Values:
    """leaf -> its value: a parameter's is [R, 1], an input's [1, B] or [R, B].

    >>> import torch
    >>> from packtrain.kernels.expression.reference import bind
    >>> from packtrain.kernels.language import parse
    >>> values = bind(parse("xy = a*x"), torch.ones(3, 1), torch.ones(5, 1))
    >>> {str(leaf): list(value.shape) for leaf, value in values.items()}
    {'a': [3, 1], 'x': [1, 5]}
    """
    per_run = inputs if inputs.dim() == 3 else inputs[None]
    leaves = {name(p): parameters[:, i, None] for i, p in enumerate(graph.parameters)}
    return leaves | {name(x): per_run[:, :, i] for i, x in enumerate(graph.inputs)}


def stack(columns: Iterable[Tensor], parameters: Tensor, inputs: Tensor) -> Tensor:
    """Columns that broadcast to [R, B] -> [R, B, columns].

    >>> import torch
    >>> from packtrain.kernels.expression.reference import stack
    >>> list(stack([torch.ones(1, 5), torch.ones(3, 1)], torch.ones(3, 7), torch.ones(5, 2)).shape)
    [3, 5, 2]
    """
    shape = parameters.shape[0], inputs.shape[-2]
    return torch.stack([column.expand(shape) for column in columns], -1)
