"""The linear problems of a graph's fits on the GPU: many small ones in one launch, or a large one."""

from torch import Tensor

from ..equations.robust import Robust
from ..expression import triton_kernel
from ..expression.triton_triangle import triangles
from ..language.graph import Graph
from .linearize import checked
from .problem import Linear, Problem


def by_triton(graph: Graph, parameters: Tensor, problem: Problem) -> Linear:
    """The linear problem that by_qr makes, of fits of any sizes: a Linearizer of a graph.

    parameters [R, P]. A fit's bits depend on its own parameters and samples alone.
    """
    places = problem.places(len(parameters))
    return checked(*triangles(graph, parameters, places, *_samples(problem), *_loss(problem)))


def squares(graph: Graph, parameters: Tensor, problem: Problem) -> Tensor:
    """The normal equations of fits of one size, in one pass over the samples: Squares of a graph."""
    return triton_kernel.squares(graph, parameters, *_samples(problem), *_loss(problem))


def _samples(problem: Problem) -> tuple[Tensor, Tensor, Tensor | None]:
    return problem.inputs, problem.targets, problem.weights


def _loss(problem: Problem) -> tuple[Robust | None, Tensor | None]:
    loss = problem.loss
    return (None, None) if loss is None else (loss.rule, loss.constants)
