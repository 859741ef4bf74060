"""Where an equation or its derivative is not finite: the sample, and the part that begins it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..elementwise.reference import evaluate
from ..language.expr import Expr, walk, written
from ..language.graph import Graph
from .reference import bind

BLOCK = 1 << 14  # samples that are evaluated together
SHOWN = 60  # characters of a part
WORDS = {math.inf: "infinite", -math.inf: "minus infinity"}


@dataclass(frozen=True)
class Fault:
    """At `sample`, `part` has a `value` that isn't finite, though its operands are.

    needed_by: ', which the derivative by n needs', or '' where an output does.
    """

    sample: int
    part: str
    value: float
    needed_by: str

    def __str__(self) -> str:
        """'(k/xd)^n is infinite'."""
        text = self.part if len(self.part) <= SHOWN else f"{self.part[:SHOWN]}..."
        return f"{text} is {WORDS.get(self.value, 'not a number')}{self.needed_by}"


def first_fault(graph: Graph, parameters: Tensor, inputs: Tensor, derivatives: bool = True) -> Fault | None:
    """The fault at the first sample where an output, or if `derivatives` a slope, isn't finite; else None.

    parameters [P] of one run, finite; inputs [N, V].

    >>> import torch
    >>> from packtrain.kernels.expression.fault import first_fault
    >>> from packtrain.kernels.language import parse
    >>> str(first_fault(parse("xy = a*log(x)"), torch.ones(1), torch.tensor([[2.0], [-1.0]])))
    'log(x) is not a number'
    """
    wanted = _wanted(graph, derivatives)
    program = walk(*(part for part, _ in wanted))
    for start in range(0, len(inputs), BLOCK):
        block = inputs[start : start + BLOCK]
        values = bind(graph, parameters[None], block)
        evaluate(program, values)
        bad = torch.stack([~values[part].isfinite().expand(1, len(block))[0] for part, _ in wanted])
        if bool(bad.any()):
            sample = int(bad.any(0).nonzero()[0])
            root, needed_by = wanted[int(bad[:, sample].nonzero()[0])]
            part = _origin(root, {part: _at(value, sample) for part, value in values.items()})
            return Fault(start + sample, written(part, most=SHOWN + 1), _at(values[part], sample), needed_by)
    return None


def is_finite(graph: Graph, parameters: Tensor, inputs: Tensor, derivatives: bool = True) -> Tensor:
    """Whether each of R runs has no fault: [R] of parameters [R, P] and inputs [N, V] or [R, N, V].

    >>> import torch
    >>> from packtrain.kernels.expression.fault import is_finite
    >>> from packtrain.kernels.language import parse
    >>> is_finite(parse("xy = log(a*x)"), torch.tensor([[1.0], [-1.0]]), torch.tensor([[2.0]]))
    tensor([ True, False])
    """
    wanted = _wanted(graph, derivatives)
    program = walk(*(part for part, _ in wanted))
    finite = torch.ones(len(parameters), dtype=torch.bool, device=parameters.device)
    for start in range(0, inputs.shape[-2], BLOCK):
        values = bind(graph, parameters, inputs[..., start : start + BLOCK, :])
        evaluate(program, values)
        for part, _ in wanted:
            finite &= values[part].isfinite().all(1)
    return finite


def _wanted(graph: Graph, derivatives: bool) -> list[tuple[Expr, str]]:
    return [*_outputs(graph), *(_slopes(graph) if derivatives else ())]


def _outputs(graph: Graph) -> Iterator[tuple[Expr, str]]:
    return ((graph.lowered[output], "") for output in graph.outputs)


def _slopes(graph: Graph) -> Iterator[tuple[Expr, str]]:
    for row in graph.jacobian:
        for parameter, slope in zip(graph.parameters, row, strict=True):
            yield slope, f", which the derivative by {parameter} needs"


def _at(value: Tensor, sample: int) -> float:
    return float(value[0, sample if value.shape[1] > 1 else 0])


def _origin(part: Expr, values: Mapping[Expr, float]) -> Expr:
    """From a part that isn't finite down to the first one that has finite operands."""
    while worse := [arg for arg in part.args if not math.isfinite(values[arg])]:
        part = worse[0]
    return part
