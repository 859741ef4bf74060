"""Hypothesis strategies that several kernels' tests share: random expression graphs, and data for them."""

import math
from dataclasses import dataclass

import torch
from hypothesis import assume, settings
from hypothesis import strategies as st
from torch import Tensor

from packtrain.kernels.language import ExpressionError, Graph
from packtrain.kernels.language.expr import Expr, name, node, number
from packtrain.kernels.language.ops import FUNCTIONS, OPERATORS
from tests.losses import LOSSES, SMOOTH_LOSSES
from tests.thorough import examples

# The same examples every time. To search for new ones, set derandomize=False here and raise max_examples.
few = settings(max_examples=examples(50), deadline=None, derandomize=True)
many = settings(few, max_examples=examples(300))

OFFERED = {op.name: op.arity for op in (*OPERATORS, *FUNCTIONS.values())}
STEPS = ("lt", "le", "gt", "ge", "sign", "floor", "ceil", "round")  # their slope is 0 where it is defined
KINKED = ("abs", "relu", "min", "max", "mod", "where", *STEPS)

INPUTS = ("x", "xa", "x_2")
PARAMETERS = ("a", "b", "c_1", "pie", "Exp", "sign")  # some look like words of the language
DEFINED = ("xy", "xz", "x1")
NUMBERS = (0, 0.5, 1, 2, 3, -1, -1.5, 3e-2, 1e20, math.pi)


def _positive(part: Expr) -> Expr:
    return node("add", node("softplus", part), number(0.5))


def _bounded(part: Expr) -> Expr:
    return node("mul", number(0.9), node("sin", part))


def tame(op: str, args: list[Expr]) -> list[Expr]:
    """`args`, moved to where `op` is finite and neither large nor steep."""
    if op in ("log", "log1p", "log2", "log10", "sqrt", "cbrt", "lgamma"):
        return [_positive(args[0])]
    if op == "acosh":
        return [node("add", _positive(args[0]), number(1))]
    if op == "pow":
        return [_positive(args[0]), _bounded(args[1])]
    if op in ("div", "mod", "atan2", "hypot"):
        return [args[0], _positive(args[1])]
    if op in ("asin", "acos", "atanh", "tan", "exp", "expm1", "sinh", "cosh", "erfcx"):
        return [_bounded(args[0])]
    return args


@st.composite
def expressions(draw: st.DrawFn, leaves: list[Expr], depth: int, smooth: bool, tamed: bool = True) -> Expr:
    """An expression of at most `depth` operations inside one another, from the whole language.

    Most operations get arguments inside their domain, unless not `tamed`. If `smooth` all do, and none
    has a kink.
    """
    if depth == 0 or draw(st.integers(0, 5)) == 0:
        constants = st.sampled_from(NUMBERS[:-2] if smooth else NUMBERS).map(number)
        return draw(st.sampled_from(leaves) | st.sampled_from(leaves) | constants)
    op = draw(st.sampled_from([op for op in OFFERED if not (smooth and op in KINKED)]))
    args = [draw(expressions(leaves, depth - 1, smooth, tamed)) for _ in range(OFFERED[op])]
    wild = not tamed or (not smooth and draw(st.integers(0, 4)) == 0)
    return node(op, *(args if wild else tame(op, args)))


@st.composite
def graphs(draw: st.DrawFn, depth: int = 3, smooth: bool = False, tamed: bool = True) -> Graph:
    """A graph of 1 to 3 equations, written in any order, with 1 or 2 outputs; see `expressions`."""
    leaves = [name(word) for word in (*INPUTS, *PARAMETERS)]
    definitions: dict[str, Expr] = {}
    for variable in DEFINED[: draw(st.integers(1, len(DEFINED)))]:
        definitions[variable] = draw(expressions(leaves, depth, smooth, tamed))
        leaves += [name(variable)] * 3
    outputs = draw(st.lists(st.sampled_from(list(definitions)), min_size=1, max_size=2, unique=True))
    written = {variable: definitions[variable] for variable in draw(st.permutations(list(definitions)))}
    lines = {variable: f"{variable} = {expression}" for variable, expression in written.items()}
    try:
        return Graph.build(written, outputs, lines)
    except ExpressionError:  # no parameter reaches an output
        assume(False)
        raise


@dataclass(frozen=True)
class Case:
    """What a loss takes: parameters [R, P], inputs [B, V] or [R, B, V], targets likewise."""

    graph: Graph
    parameters: Tensor
    inputs: Tensor
    targets: Tensor
    loss: str


def away_from_zero(generator: torch.Generator, *shape: int) -> Tensor:
    """Float64 numbers of either sign, 0.2 to 1.5 in size: off the kinks, and no two alike."""
    size = 0.2 + 1.3 * torch.rand(shape, generator=generator, dtype=torch.float64)
    return size * (2 * torch.randint(2, shape, generator=generator) - 1)


def data(graph: Graph, loss: str, runs: int, samples: int, per_run: bool, seed: int) -> Case:
    """`graph` with parameters and data `away_from_zero`; the data each run's own if `per_run`."""
    generator = torch.Generator().manual_seed(seed)
    rows = (runs, samples) if per_run else (samples,)
    parameters = away_from_zero(generator, runs, len(graph.parameters))
    inputs = away_from_zero(generator, *rows, len(graph.inputs))
    if loss == "cross_entropy":
        targets = torch.randint(len(graph.outputs), (*rows, 1), generator=generator)
    else:
        targets = away_from_zero(generator, *rows, len(graph.outputs))
    return Case(graph, parameters, inputs, targets, loss)


@st.composite
def cases(draw: st.DrawFn, smooth: bool = False) -> Case:
    """A random graph with a loss, 1 to 3 runs and 1 to 5 samples, shared or each run's own."""
    return data(
        draw(graphs(smooth=smooth)),
        loss=draw(st.sampled_from(SMOOTH_LOSSES if smooth else LOSSES)),
        runs=draw(st.integers(1, 3)),
        samples=draw(st.integers(1, 5)),
        per_run=draw(st.booleans()),
        seed=draw(st.integers(0, 2**31)),
    )
