"""A graph explained at one sample, computed in float64."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ..common.errors import UserError, nearest
from ..elementwise.reference import Values, evaluate
from ..equations.losses import Loss, loss_of
from ..language.chain import LOSS, slopes_down
from ..language.explain import Explanation, Numbers, Output, explanation
from ..language.expr import Expr, name, walk
from ..language.graph import Graph, cotangent
from ..loss.reference import loss_reference
from .reference import bind

DELTA = 1e-4
SUM = "sum"  # the loss where there are no targets
OF_CLASSES = "log(exp(y_1) + ... + exp(y_K)) - y_t"


def explain(
    graph: Graph,
    parameters: Tensor,
    inputs: Tensor,
    targets: Tensor | None = None,
    loss: str | Loss = "mse",
    constants: Tensor | None = None,
    weight: float = 1.0,
    weighs_errors: bool = False,
    delta: float = DELTA,
) -> Explanation:
    """A graph at one sample: parameters [P], inputs [V], targets [T], or of classes [1].

    `constants` [C] are the loss's; `weight` is the sample's, which multiplies the loss, or the squared error
    inside it where it `weighs_errors`. Without targets the loss is the sum of the outputs. `delta` is the
    step of finite differences.

    >>> import torch
    >>> from packtrain.kernels.expression.explain import explain
    >>> from packtrain.kernels.language import parse
    >>> about = explain(parse("xy = a*x"), torch.tensor([2.0]), torch.tensor([3.0]), torch.tensor([1.0]))
    >>> about.loss, about.gradient
    (25.0, {'a': 30.0})
    """
    kind = loss_of(loss)
    values = _values(graph, parameters, inputs)
    outputs = torch.cat([values[name(output)] for output in graph.outputs], 1)[None]
    if targets is None:
        total, seeds = outputs.sum(), torch.ones_like(outputs[0, 0])
    else:
        total, seeds = _loss(kind, outputs, targets[None], constants, weight, weighs_errors)
    slopes = dict(zip(graph.outputs, seeds.tolist(), strict=True))
    differences = _differences(graph, values, delta)
    by_differences = slopes_down({LOSS: slopes, **dict(reversed(differences.items()))})
    numbers = Numbers(
        {str(leaf.value): value.item() for leaf, value in values.items() if leaf.op == "name"},
        _partials(graph, values),
        differences,
        _gradient(graph, values, seeds),
        {word: by_differences.get(word, 0.0) for word in graph.parameters},
        tuple(_outputs(graph, kind, outputs[0, 0], targets, slopes)),
        total.item(),
    )
    if targets is None:
        return explanation(graph, numbers, SUM, "y_1 + ... + y_T", delta)
    formula = _formula(kind, len(graph.outputs), constants, weight, weighs_errors)
    return explanation(graph, numbers, kind.name, formula, delta)


def explain_values(
    graph: Graph,
    values: Mapping[str, float],
    targets: Mapping[str, float] | None = None,
    loss: str = "mse",
    delta: float = DELTA,
) -> Explanation:
    """`explain`, given numbers by name: of all inputs and parameters, and the targets of all outputs.

    Of classes the targets are 1 for the output of the sample's class, and 0 for the others. Raises UserError
    for a name that is missing, or isn't there.

    >>> from packtrain.kernels.expression.explain import explain_values
    >>> from packtrain.kernels.language import parse
    >>> explain_values(parse("xy = a*x"), {"a": 2, "x": 3}, {"xy": 1}).gradient
    {'a': 30.0}
    """
    _check("values", values, (*graph.inputs, *graph.parameters))
    parameters, inputs = (_ordered(values, words) for words in (graph.parameters, graph.inputs))
    if targets is None:
        return explain(graph, parameters, inputs, loss=loss, delta=delta)
    _check("targets", targets, graph.outputs)
    goal = _ordered(targets, graph.outputs)
    goal = goal.argmax()[None] if loss_of(loss).of_classes else goal
    return explain(graph, parameters, inputs, goal, loss, delta=delta)


def _ordered(values: Mapping[str, float], words: tuple[str, ...]) -> Tensor:
    return torch.tensor([float(values[word]) for word in words], dtype=torch.float64)


def _check(what: str, given: Mapping[str, float], known: tuple[str, ...]) -> None:
    for word in given:
        if word not in known:
            raise UserError(f"{what} has {word}{nearest(word, known)}; the graph has {', '.join(known)}")
    if missing := [word for word in known if word not in given]:
        raise UserError(f"{what} is a number for each of {', '.join(known)}; there is none for {missing[0]}")


def _values(graph: Graph, parameters: Tensor, inputs: Tensor) -> Values:
    """leaf or part -> its value [1, 1], of every name and all that stands in its equation."""
    values = bind(graph, parameters.double()[None], inputs.double()[None])
    for variable, expression in graph.definitions:
        evaluate(walk(expression), values)
        values[name(variable)] = values[expression]
    return values


def _loss(
    kind: Loss, outputs: Tensor, targets: Tensor, constants: Tensor | None, weight: float, inside: bool
) -> tuple[Tensor, Tensor]:
    """L [] and dL/dy [T] of outputs [1, 1, T]."""
    root = weight**0.5 if inside else 1.0
    weights = outputs.new_full((1,), 1.0 if inside else weight)
    goal = root * targets.double() if targets.is_floating_point() else targets
    constants = None if constants is None else constants.double()[None]
    value, slope = loss_reference(kind, root * outputs, goal, constants, weights)
    return value[0], root * slope[0, 0]


def _partials(graph: Graph, values: Values) -> dict[str, dict[str, float]]:
    evaluate(walk(*(slope for own in graph.slopes.values() for slope in own.values())), values)
    return {
        variable: {word: values[slope].item() for word, slope in own.items()}
        for variable, own in graph.slopes.items()
    }


def _differences(graph: Graph, values: Values, delta: float) -> dict[str, dict[str, float]]:
    """variable -> name -> (f(name + delta) - f(name))/delta, all names of an equation at once."""
    return {
        variable: _differences_of(expression, [*graph.slopes[variable]], values, delta)
        for variable, expression in graph.definitions
    }


def _differences_of(expression: Expr, words: list[str], values: Values, delta: float) -> dict[str, float]:
    if not words:
        return {}
    steps = delta * torch.eye(len(words), dtype=torch.float64)
    moved = {name(word): values[name(word)] + step[:, None] for word, step in zip(words, steps, strict=True)}
    evaluate(walk(expression), moved)
    slopes = (moved[expression] - values[expression]) / delta
    return dict(zip(words, slopes[:, 0].tolist(), strict=True))


def _gradient(graph: Graph, values: Values, seeds: Tensor) -> dict[str, float]:
    """dL/dp as training takes it, by `graph.gradient`."""
    inside = {name(word): values[name(word)] for word in (*graph.parameters, *graph.inputs)}
    inside |= {cotangent(o): seed.view(1, 1) for o, seed in zip(graph.outputs, seeds, strict=True)}
    evaluate([*graph.program, *graph.gradient_program], inside)
    slopes = zip(graph.parameters, graph.gradient, strict=True)
    return {word: inside[slope].item() for word, slope in slopes}


def _outputs(
    graph: Graph, kind: Loss, outputs: Tensor, targets: Tensor | None, slopes: Mapping[str, float]
) -> list[Output]:
    goals: list[float | None] = [None] * len(graph.outputs)
    if targets is not None and kind.of_classes:
        goals = [float(place == int(targets)) for place in range(len(goals))]
    elif targets is not None:
        goals = [*targets.double().tolist()]
    values = zip(graph.outputs, outputs.tolist(), goals, strict=True)
    return [Output(word, value, goal, slopes[word]) for word, value, goal in values]


def _formula(kind: Loss, outputs: int, constants: Tensor | None, weight: float, inside: bool) -> str:
    """The loss of one sample, in words where it is more than its equation."""
    text = OF_CLASSES if kind.formula is None else str(kind.formula.root)
    values = [*kind.defaults.values()] if constants is None else constants.tolist()
    named = [f"{word} = {value:g}" for word, value in zip(kind.constants, values, strict=True)]
    said = {
        f"with {', '.join(named)}": named,
        f"the {'mean' if kind.mean else 'sum'} over {outputs} outputs": outputs > 1 and kind.formula,
        f"times the sample's weight {weight:g}": weight != 1 and not inside,
        f"whose (y - t)^2 has the weight {weight:g}": weight != 1 and inside,
    }
    return ", ".join([text, *(words for words, holds in said.items() if holds)])
