"""Where an equation or its derivative is not finite: the sample, and the part that begins it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..language.expr import Expr, walk
from ..language.graph import Graph
from .reference import bind, evaluate

BLOCK = 1 << 14  # samples that are looked at together
SHOWN = 60  # characters of a part
WORDS = {math.inf: "infinite", -math.inf: "minus infinity"}


@dataclass(frozen=True)
class Fault:
    """The part whose operands are finite while it is not, at a `sample`, and what needs it."""

    sample: int
    part: str
    value: float
    needed_by: str

    def __str__(self) -> str:
        """'(k/xd)^n is infinite'."""
        text = self.part if len(self.part) <= SHOWN else f"{self.part[:SHOWN]}..."
        return f"{text} is {WORDS.get(self.value, 'not a number')}{self.needed_by}"


def first_fault(graph: Graph, parameters: Tensor, inputs: Tensor, derivatives: bool = True) -> Fault | None:
    """The first sample where an output isn't finite, or if `derivatives` one of its slopes; None without.

    parameters [P] of one run, finite; inputs [N, V].
    """
    wanted = [*_outputs(graph), *(_slopes(graph) if derivatives else ())]
    program = walk(*(part for part, _ in wanted))
    for start in range(0, len(inputs), BLOCK):
        block = inputs[start : start + BLOCK]
        values = bind(graph, parameters[None], block)
        evaluate(program, values)
        bad = torch.stack([~values[part].isfinite().expand(1, len(block))[0] for part, _ in wanted])
        if bool(bad.any()):
            sample = int(bad.any(0).nonzero()[0])
            part, needed_by = wanted[int(bad[:, sample].nonzero()[0])]
            begun = _begun_by(part, {each: _at(value, sample) for each, value in values.items()})
            return Fault(start + sample, str(begun), _at(values[begun], sample), needed_by)
    return None


def _outputs(graph: Graph) -> Iterator[tuple[Expr, str]]:
    return ((graph.lowered[output], "") for output in graph.outputs)


def _slopes(graph: Graph) -> Iterator[tuple[Expr, str]]:
    for row in graph.jacobian:
        for parameter, slope in zip(graph.parameters, row, strict=True):
            yield slope, f", which the derivative by {parameter} needs"


def _at(value: Tensor, sample: int) -> float:
    return float(value[0, sample if value.shape[1] > 1 else 0])


def _begun_by(part: Expr, values: Mapping[Expr, float]) -> Expr:
    """From a part that isn't finite down to the first one that has finite operands."""
    while worse := [arg for arg in part.args if not math.isfinite(values[arg])]:
        part = worse[0]
    return part
