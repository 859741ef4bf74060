"""Where an equation or a derivative is not finite: the sample, the vertex, and the part that begins it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..elementwise.reference import evaluate
from ..language.derive import reverse
from ..language.expr import ONE, Expr, name, names, node, number, substitute, walk, written
from ..language.graph import Graph
from ..language.notation import LANGUAGE, atom, signed
from .reference import bind

BLOCK = 1 << 14  # samples that are evaluated together
SHOWN = 60  # characters of a part
WORDS = {math.inf: "infinite", -math.inf: "minus infinity"}
ROUGH = {**LANGUAGE, "number": signed(lambda size: atom(f"{size:.4g}"))}


@dataclass(frozen=True)
class Fault:
    """At `sample`, `part` has a `value` that isn't finite, though its operands are.

    `place` is the vertex that needs it, as xz, or the partial derivative, as d xz/d a, and `whole` says that
    the part is all of it. `numbers` is the part with its operands' values. `rounded` is the type whose range
    the value is beyond, '' where it isn't finite in float64 either.
    """

    sample: int
    place: str
    part: str
    numbers: str
    value: float
    whole: bool
    rounded: str

    def __str__(self) -> str:
        """'xt = 2/0 is infinite', or 'exp(k*xd) = exp(812) is infinite, which xt needs'."""
        left = self.place if self.whole else shortened(self.part)
        needs = "" if self.whole else f", which {self.place} needs"
        beyond = f" in {self.rounded}" if self.rounded else ""
        return f"{left} = {self.numbers} is {word_of(self.value)}{beyond}{needs}"


def word_of(value: float) -> str:
    """How a value that isn't finite is said.

    >>> from packtrain.kernels.expression.fault import word_of
    >>> word_of(math.inf), word_of(math.nan)
    ('infinite', 'not a number')
    """
    return WORDS.get(value, "not a number")


def shortened(text: str) -> str:
    """The beginning of a text that is long.

    >>> from packtrain.kernels.expression.fault import shortened
    >>> shortened("a + " * 99)[-8:]
    '+ a +...'
    """
    return text if len(text) <= SHOWN else f"{text[:SHOWN].rstrip()}..."


def first_fault(
    graph: Graph, parameters: Tensor, inputs: Tensor, derivatives: bool = True, outputs: bool = True
) -> Fault | None:
    """The fault at the first sample where an output, or if `derivatives` a slope, isn't finite; else None.

    parameters [P] of one run, finite; inputs [N, V]. Without `outputs` slopes alone are looked at.

    >>> import torch
    >>> from packtrain.kernels.expression.fault import first_fault
    >>> from packtrain.kernels.language import parse
    >>> str(first_fault(parse("xy = a*log(x)"), torch.ones(1), torch.tensor([[2.0], [-1.0]])))
    'log(x) = log(-1) is not a number, which xy needs'
    """
    wanted = _wanted(graph, derivatives, outputs)
    program = walk(*(part for part, _ in wanted))
    for start in range(0, len(inputs), BLOCK):
        block = inputs[start : start + BLOCK]
        values = bind(graph, parameters[None], block)
        evaluate(program, values)
        bad = torch.stack([~values[part].isfinite().expand(1, len(block))[0] for part, _ in wanted])
        if bool(bad.any()):
            sample = int(bad.any(0).nonzero()[0])
            root, slope = wanted[int(bad[:, sample].nonzero()[0])]
            here = {part: _at(value, sample) for part, value in values.items()}
            return _fault(graph, start + sample, here, _origin(root, here), slope, parameters.dtype)
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


def _wanted(graph: Graph, derivatives: bool, outputs: bool = True) -> list[tuple[Expr, str]]:
    """What has to be finite, and of a slope the derivative that it is."""
    values = ((graph.lowered[output], "") for output in graph.outputs if outputs)
    return [*values, *(_slopes(graph) if derivatives else ())]


def _slopes(graph: Graph) -> Iterator[tuple[Expr, str]]:
    for output, row in zip(graph.outputs, graph.jacobian, strict=True):
        for parameter, slope in zip(graph.parameters, row, strict=True):
            yield slope, f"d {output}/d {parameter}"


def _at(value: Tensor, sample: int) -> float:
    return float(value[0, sample if value.shape[1] > 1 else 0])


def _origin(part: Expr, values: Mapping[Expr, float]) -> Expr:
    """From a part that isn't finite down to the first one that has finite operands."""
    while worse := [arg for arg in part.args if not math.isfinite(values[arg])]:
        part = worse[0]
    return part


def _fault(
    graph: Graph, sample: int, values: Mapping[Expr, float], part: Expr, slope: str, dtype: torch.dtype
) -> Fault:
    place, whole = _place(graph, part, slope)
    numbers = node(part.op, *(number(values[arg]) for arg in part.args), value=part.value)
    rounded = str(dtype).removeprefix("torch.") if part.args and math.isfinite(_in_double(numbers)) else ""
    texts = written(_by_variables(graph, part), most=SHOWN + 1), written(numbers, ROUGH)
    return Fault(sample, place, *texts, values[part], whole, rounded)


def _by_variables(graph: Graph, part: Expr) -> Expr:
    """The part in terms of the variables on its way, as exp(xz) for exp(a*x + b)."""
    variables = {root: name(variable) for variable, root in graph.lowered.items() if root.args}
    new: dict[Expr, Expr] = {}
    for inner in walk(part):
        own = node(inner.op, *(new[arg] for arg in inner.args), value=inner.value)
        new[inner] = own if inner is part else variables.get(inner, own)
    return new[part]


def _in_double(numbers: Expr) -> float:
    """The value of an expression of numbers, in float64."""
    values = {number(0): torch.zeros(1, dtype=torch.float64)}
    evaluate(walk(numbers), values)
    return float(values[numbers])


def _place(graph: Graph, part: Expr, slope: str) -> tuple[str, bool]:
    """The first vertex, in topological order, that needs the part, and whether it is all of it.

    Of what only derivatives need, the first partial derivative in that order; else the `slope` itself.
    """
    done: set[Expr] = set()
    order = iter(walk(*graph.lowered.values()))
    for variable, root in graph.lowered.items():
        while root not in done:
            done.add(own := next(order))
            if own is part:
                return variable, part is root
    for partial, root in _partials(graph):
        if part in walk(root):
            return partial, part is root
    return slope, False


def _partials(graph: Graph) -> Iterator[tuple[str, Expr]]:
    """'d xz/d a' -> the partial derivative in terms of inputs and parameters, in topological order."""
    for variable, expression in graph.definitions:
        words = [word for word in names(expression) if word not in graph.inputs]
        own = reverse({expression: ONE}, [name(word) for word in words])
        lowered = substitute(own.values(), graph.lowered)
        yield from zip((f"d {variable}/d {word}" for word in words), lowered, strict=True)
