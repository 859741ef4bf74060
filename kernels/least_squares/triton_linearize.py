"""The linear problems of many small fits of a graph, in one launch on the GPU."""

from torch import Tensor

from ..expression.triton_triangle import triangles
from ..language.graph import Graph
from .linearize import checked
from .problem import Linear, Problem


def by_triton(graph: Graph, parameters: Tensor, problem: Problem) -> Linear:
    """The linear problem that by_qr makes, of fits of any sizes: a Linearizer, once it has its graph.

    parameters [R, P]. A fit's bits depend on its own parameters and samples alone.
    """
    loss = problem.loss
    rule, constants = (None, None) if loss is None else (loss.rule, loss.constants)
    samples = problem.inputs, problem.targets, problem.weights
    return checked(*triangles(graph, parameters, problem.places(len(parameters)), *samples, rule, constants))
