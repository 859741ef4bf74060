"""A graph's equations with the numbers that its parameters came to."""

from collections.abc import Mapping

from ...kernels.language import Graph
from ...kernels.language.expr import Expr, name, number, substitute
from ..models.expression import ExpressionModel
from .trained import Trained

Definitions = list[tuple[str, Expr]]


def fitted_equations(trained: Trained, values: Mapping[str, float]) -> tuple[Definitions, Definitions]:
    """The equations of a graph, of its inputs as the data have them, without and with these `values`.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.folder.fitted import fitted_equations
    >>> from packtrain.trainer.folder.trained import Trained
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[2.0]]), "mse", None)
    >>> trained = Trained(model, {"best_run": 0}, ("x",), ("xy",), None, None)
    >>> [(variable, str(expression)) for variable, expression in fitted_equations(trained, {"a": 2.0})[1]]
    [('xy', '2*x')]
    """
    assert isinstance(trained.model, ExpressionModel)
    equations = _with_raw_inputs(trained, trained.model.graph)
    return equations, _put(equations, {name: number(value) for name, value in values.items()})


def _put(equations: Definitions, leaves: dict[str, Expr]) -> Definitions:
    expressions = substitute([e for _, e in equations], leaves)
    return [(v, e) for (v, _), e in zip(equations, expressions, strict=True)]


def _with_raw_inputs(trained: Trained, graph: Graph) -> Definitions:
    """The graph's equations, of inputs that were not standardized."""
    if trained.mean is None or trained.std is None:
        return list(graph.definitions)
    scale = zip(trained.inputs, trained.mean.tolist(), trained.std.tolist(), strict=True)
    raw = {word: (name(word) - number(mean)) / number(std) for word, mean, std in scale}
    return _put(list(graph.definitions), raw)
