"""Fitted equations, for people and for use elsewhere."""

import math

from ...kernels.common.errors import UserError
from ...kernels.language.latex import latex
from ...kernels.language.numpy_source import numpy_source
from ..console.fit import uncertain
from ..folder.fitted import Definitions, fitted_equations
from ..folder.trained import Trained
from ..models.expression import ExpressionModel


def equation_texts(trained: Trained, run: int, about: dict[str, dict]) -> dict[str, str]:
    """file -> its content, the fitted equations: as text, as LaTeX, and as a Python function.

    `about` says of each parameter what is known: its standard error. Raises UserError where one isn't finite.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.export.equations import equation_texts
    >>> from packtrain.trainer.folder.trained import Trained
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[2.0]]), "mse", None)
    >>> trained = Trained(model, {"best_run": 0}, ("x",), ("xy",), None, None)
    >>> equation_texts(trained, 0, {"a": {"value": 2.0, "stderr": None}})["equations.txt"].split("\\n\\n")
    ['xy = a*x', 'a = 2', 'xy = 2*x\\n']
    """
    assert isinstance(trained.model, ExpressionModel)
    graph = trained.model.graph
    values = {name: float(value) for name, value in trained.parameters(run).items()}
    if not all(map(math.isfinite, values.values())):
        raise UserError(f"run {run} has parameters that are not finite numbers, so it has no equations")
    equations, fitted = fitted_equations(trained, values)
    parameters = [f"{name} = {uncertain(value, about[name])}" for name, value in values.items()]
    text = "\n".join([*_lines(equations), "", *parameters, "", *_lines(fitted)])
    return {
        "equations.txt": text + "\n",
        "equations.tex": f"\\begin{{align*}}\n{latex(fitted)}\n\\end{{align*}}\n",
        "equations.py": numpy_source(graph, equations, values),
    }


def _lines(equations: Definitions) -> list[str]:
    return [f"{variable} = {expression}" for variable, expression in equations]
