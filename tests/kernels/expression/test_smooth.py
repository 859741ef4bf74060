"""Where a function is smooth its derivative is finite, and what difference quotients of the function say."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from types import ModuleType

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from packtrain.kernels.elementwise.reference import evaluate
from packtrain.kernels.expression import finite_difference, numba_kernel, reference, triton_kernel
from packtrain.kernels.expression.reference import bind, jacobian, predict
from packtrain.kernels.language import Graph, parse
from packtrain.kernels.language.derive import reverse
from packtrain.kernels.language.expr import ONE, ZERO, name, names, node, number, walk
from packtrain.kernels.language.finite import Finite
from packtrain.kernels.least_squares import Problem, by_qr
from packtrain.kernels.least_squares.linearize import by_normal_equations
from tests.helpers import assert_close
from tests.kernels.expression.rows import filled, rows_of
from tests.strategies import Case, graphs, many

# equation, parameters in their order, the input, the derivatives by the parameters
SMOOTH: dict[str, tuple[str, Sequence[float], float, Sequence[float]]] = {
    "0 to a power below 1": ("xt = (k*xh)^n", (0.8, 0.5), 0, (0, 0)),
    "0 to a power above 1": ("xt = (k*xh)^n", (0.8, 2.4), 0, (0, 0)),
    "a quotient to a power": ("xt = (xh/k)^n", (0.8, 0.3), 0, (0, 0)),
    "a power that is 0": ("xt = c*xh + b^n", (2, 3, 0), 0, (0, 0, math.log(3))),
    "0 to the power 0": ("xt = a*(b*xh)^c", (2, 3, 0), 0, (1, 0, 0)),
    "a root of 0": ("xt = sqrt(2*xh/g)", (9.81,), 0, (0,)),
    "a root of a square": ("xt = sqrt((k*xh)^2)", (3,), 0, (0,)),
    "a dose of 0": ("xt = top/(1 + (k/xd)^n)", (2, 3, 1.5), 0, (0, 0, 0)),
    "a dose of 0, flat": ("xt = top/(1 + (k/xd)^n)", (2, 3, 0.5), 0, (0, 0, 0)),
    "an exponential too large": ("xt = a/(1 + exp(k*xh))", (3, 8), 1e3, (0, 0)),
    "an exponential too small": ("xt = a*sqrt(exp(-k*xh))", (3, 8), 1e3, (0, 0)),
    "a hyperbolic cosine": ("xt = a/cosh(k*xh)", (3, 8), 1e3, (0, 0)),
    "a bell over a logarithm": ("xt = a*exp(-(log(xh)/s)^2)", (3, 0.5), 0, (0, 0)),
    "an essential singularity": ("xt = a*exp(-k/xh^2)", (3, 2), 0, (0, 0)),
    "an arc sine's end": ("xt = a*asin(1 + k*xh)", (2, 3), 0, (math.pi / 2, 0)),
    "a gate that is shut": ("xt = a + relu(b - k/xh)", (3, 2, 1), 0, (1, 0, 0)),
    "the larger of two": ("xt = max(a, -k/xh)", (3, 2), 0, (1, 0)),
    "a logistic": ("xt = a*sigmoid(k/xh)", (3, 2), 0, (1, 0)),
    "a hyperbolic tangent": ("xt = a*tanh(k/xh)", (3, 2), 0, (1, 0)),
    "an arc tangent": ("xt = a*atan(k/xh)", (3, 2), 0, (math.pi / 2, 0)),
    "a root that isn't taken": ("xt = a + where(xh < b, 0, sqrt(xh - b)*b)", (1, 2), 1, (1, 0)),
    "its square": ("xt = a*where(xh < b, xh, sqrt(xh - b)^2*a)", (1, 2), 1, (1, 0)),
    "a logarithm that isn't taken": ("xt = where(xh < b, a*xh, a*log(xh - b))", (2, 3), 1, (0, 1)),
    "an overflow that isn't taken": ("xt = where(xh < 10, a*xh, a*(k*xh)^9^9)", (2, 3), 9, (9, 0)),
    "a branch of a branch": ("xt = where(xh > 1, where(xh > 2, a/(xh - 2), a*xh), b)", (2, 3), 2, (2, 0)),
    "the distance from 0": ("xt = c + hypot(a*xh, b*xh)", (1, 2, 3), 0, (1, 0, 0)),
    "the angle of 0": ("xt = c + atan2(a*xh, b*xh)", (1, 2, 3), 0, (1, 0, 0)),
    "a sinc's top": ("xt = c + sinc(k*xh)", (1, 2), 0, (1, 0)),
    "a cube root of 0": ("xt = c + cbrt(k*xh)", (1, 2), 0, (1, 0)),
    "a hyperbolic arc cosine's end": ("xt = c + acosh(1 + k*xh)", (1, 2), 0, (1, 0)),
    "an arc tangent's end": ("xt = a*tanh(log1p(k*xh))", (2, 1), -1, (-1, 0)),
    "an error function far out": ("xt = a*erfc(k/xh)", (2, 1), 0, (0, 0)),
    "an amplitude of 0": ("xt = c + a*xh^n", (2, 0, 0.5), 0, (1, 0, 0)),
}
INNER = 0.0, 1.0, -1.0, 1e-30, 1e30, 0.7, -1.8


def tensor(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@cache
def all_at_once() -> tuple[Case, Tensor]:
    """Each of SMOOTH as an output of one graph at one sample, and its derivatives [P]: compiled once."""
    lines, parameters, inputs, slopes = [], [], [], []
    for i, (text, values, at, derivatives) in enumerate(SMOOTH.values()):
        ((variable, expression),) = parse(text).definitions
        own = {word: f"{word}_{i}" for word in names(expression)}
        ordered = " ".join(own.values())
        lines.append(f"{variable}_{i} = {_renamed(str(expression), own)}")
        assert [word for word in names(parse(lines[-1]).definitions[0][1])] == ordered.split()
        parameters += values
        inputs.append(at)
        slopes += derivatives
    graph = parse(lines)
    case = Case(graph, tensor([parameters]), tensor([inputs]), torch.zeros(1, len(lines)).double(), "sse")
    return case, tensor(slopes)


def _renamed(text: str, words: dict[str, str]) -> str:
    for old, new in words.items():
        text = " ".join(new if word == old else word for word in _words(text))
    return text


def _words(text: str) -> list[str]:
    spaced = "".join(c if c.isalnum() or c in "_." else f" {c} " for c in text)
    return spaced.split()


@pytest.mark.parametrize("key", SMOOTH)
def test_forward_and_reverse(key: str) -> None:
    text, parameters, at, slopes = SMOOTH[key]
    values, forward = jacobian(parse(text), tensor([parameters]), tensor([[at]]))
    assert values.isfinite().all()
    assert_close(forward[0, 0, 0], tensor(slopes))
    backward = reference.loss_and_gradient(
        parse(text), tensor([parameters]), tensor([[at]]), tensor([[0]]), "sse"
    )
    assert_close(backward[1][0], 2 * values[0, 0, 0] * tensor(slopes))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("backend", [reference, numba_kernel, triton_kernel])
def test_the_gradient_of_each_backend(backend: ModuleType, dtype: torch.dtype) -> None:
    case, slopes = all_at_once()
    tensors = (part.to(dtype) for part in (case.parameters, case.inputs, case.targets))
    gradient = backend.loss_and_gradient(case.graph, *tensors, "sse")[1][0]
    assert_close(gradient, _of_squares(case, slopes), dtype)


def _of_squares(case: Case, slopes: Tensor) -> Tensor:
    """The gradient of the sum of squares of outputs that share no parameter."""
    outputs = predict(case.graph, case.parameters, case.inputs)[0, 0]
    counts = [len(values) for _, values, _, _ in SMOOTH.values()]
    return 2 * outputs.repeat_interleave(torch.tensor(counts)) * slopes


def test_finite_differences_too() -> None:
    """A slope of 0 from above meets an infinite quotient."""
    graph = parse("xa = exp(k*x)\nxt = a/(1 + xa)")
    given = tensor([[8, 3]]), tensor([[1e3]]), tensor([[0]])
    assert finite_difference.loss_and_gradient(graph, *given, "sse", delta=1e-4)[1].tolist() == [[0, 0]]


def test_a_sample_of_weight_0_is_out_whatever_it_is() -> None:
    """Its output and derivatives aren't finite: rows of [J | e] by each backend, and their squares."""
    graph = parse("xt = a*log(xh) + b")
    parameters, inputs = tensor([[2, 1]]), tensor([[-1], [0], [1], [2], [3]])
    targets, weights = tensor([[0], [1], [1], [2], [3]]), tensor([0, 0, 1, 0.5, 2])
    whole, part = Problem(inputs, targets, weights), Problem(inputs[2:], targets[2:], weights[2:])

    def model(p: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        return jacobian(graph, p, x)

    for way in (by_qr, by_normal_equations):
        for actual, expected in zip(way(model, parameters, whole), way(model, parameters, part), strict=True):
            assert_close(actual.abs(), expected.abs())
    columns, total = filled(rows_of(graph, True), Case(graph, parameters, inputs, targets, "mse"), 0, weights)
    assert math.isfinite(total) and not columns[:, :2].any() and columns[:, 2:].isfinite().all()
    squares = triton_kernel.squares(graph, parameters, inputs, targets, weights)
    assert_close(squares[0], columns @ columns.T)


def test_a_plain_product_stays_one_where_no_factor_can_be_infinite() -> None:
    a, b = name("a"), name("b")
    finite = Finite([], [])
    wild = [node("exp", a), node("div", a, b), node("pow", a, b), node("pow", a, number(-1)), node("log", a)]
    tame = [a, node("div", a, number(2)), node("pow", a, number(3)), node("tanh", a), node("sub", a, b)]
    assert {finite.chain(b, part).op for part in tame} == {"mul"}
    for part in wild:
        assert finite.chain(b, part) is finite.chain(part, b) is node("gate", b, part)
        assert finite.chain(b, node("tanh", part)).op == "gate"
        assert finite.chain(wild[0], part).op == "chain"
    assert finite.chain(ZERO, wild[0]) is finite.chain(wild[0], number(-0.0)) is ZERO
    assert finite.chain(ONE, wild[0]) is wild[0] and finite.chain(number(2), wild[0]).op == "mul"
    assert str(finite.chain(-b, wild[0])) == "-(b*exp(a))"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("xy = a*exp(-k*x) + c", True),
        ("xy = (a + b*x)/(1 + c*x)", True),
        ("xy = log(a*x)^2", True),
        ("xy = b*log1p(a*x)", True),
        ("xy = asinh(a*x + b)", False),
        ("xy = where(x < c, a*x, b*sin(x))", True),
        ("xy = a*where(x < c, b*x, relu(b))", True),
        ("xy = where(x < c, a*sqrt(b*x), c)", False),
        ("xy = a*where(x < c, b*log(b*x), c)", False),
        ("xy = a/sinh(k*x)", False),
        ("xy = 1/(1 + exp(k*x))", False),
        ("xy = exp(-k/x)", False),
        ("xy = a*x^n", False),
        ("xy = sqrt(a*x)", False),
        ("xy = min(exp(a*x), 1)", False),
    ],
)
def test_what_makes_the_loss_infinite_needs_no_care(text: str, plain: bool) -> None:
    """exp(z) that is infinite is so in the output too, unless something hides it."""
    graph = parse(text)
    for program in (graph.gradient_program, graph.jacobian_program):
        assert all(part.op not in ("gate", "chain") for part in program) == plain


def test_a_parameter_that_is_fixed_is_not_differentiated() -> None:
    """The derivative by an exponent is NaN at a negative base."""

    graph = replace(parse("xy = a*x^n"), fixed=frozenset({"n"}))
    given = tensor([[2, 3]]), tensor([[-1.5]])
    assert jacobian(graph, *given)[1].tolist() == [[[[-(1.5**3), 0]]]]
    for backend in (reference, numba_kernel, triton_kernel):
        gradient = backend.loss_and_gradient(graph, *given, tensor([[0]]), "sse")[1]
        assert_close(gradient, tensor([[2 * 2 * 1.5**6, 0]]))


@st.composite
def special(draw: st.DrawFn) -> tuple[Graph, Tensor, Tensor]:
    """A random graph, parameters [1, P] and a sample [1, V] that are 0, 1, -1, tiny, huge or ordinary."""
    graph = draw(graphs(tamed=False))
    parameters, inputs = (
        [draw(st.sampled_from(INNER)) for _ in words] for words in (graph.parameters, graph.inputs)
    )
    return graph, tensor([parameters]), tensor([inputs])


def quotients(graph: Graph, parameters: Tensor, inputs: Tensor, column: int) -> tuple[Tensor, Tensor]:
    """Difference quotients [4, T] by a parameter, for steps of two sizes to either side, and what moved."""
    value = predict(graph, parameters, inputs)[0, 0]
    size = 1e-4 * max(abs(float(parameters[0, column])), 1)
    moved = parameters.repeat(4, 1)
    moved[:, column] += tensor([size, size / 8, -size, -size / 8])
    change = predict(graph, moved, inputs)[:, 0] - value
    return change / (moved[:, [column]] - parameters[:, [column]]), change.abs() / value.abs()


def backward(graph: Graph, parameters: Tensor, inputs: Tensor) -> Tensor:
    """dy/dp [T, P] at one sample, by the walk from each output down."""
    leaves = [name(parameter) for parameter in graph.parameters]
    values, rows = bind(graph, parameters, inputs), []
    for output in graph.outputs:
        slopes = reverse({graph.lowered[output]: ONE}, set(leaves))
        evaluate(walk(*slopes.values()), values)
        rows.append(torch.cat([values[slopes[leaf]].flatten() for leaf in leaves]))
    return torch.stack(rows)


def largest(graph: Graph, parameters: Tensor, inputs: Tensor) -> float:
    """Of the values inside: rounding of what is large hides differences, and infinity has a limit's."""
    values = bind(graph, parameters, inputs)
    evaluate(graph.program, values)
    return max(float(value.abs().max()) for value in values.values())


def tied(graph: Graph, parameters: Tensor, inputs: Tensor) -> bool:
    """An operation stands at its kink, where its slope is a convention, although the whole may be smooth."""
    values = bind(graph, parameters, inputs)
    evaluate(graph.program, values)
    kinks = [part for part in graph.program if part.op in ("min", "max", "abs", "relu")]
    sides = [[values[operand] for operand in part.args] for part in kinks]
    return any(bool((first == (other[0] if other else 0)).any()) for first, *other in sides)


@many
@given(special())
def test_random_graphs_at_0_1_and_far_out(given: tuple[Graph, Tensor, Tensor]) -> None:
    """Finite where the quotients agree, and theirs where they are more than rounding; kinks apart."""
    graph, parameters, inputs = given
    slopes, down = jacobian(graph, parameters, inputs)[1][0, 0], backward(graph, parameters, inputs)
    for column in range(parameters.shape[1]):
        expected, change = quotients(graph, parameters, inputs, column)
        agree = (expected - expected[0]).abs().amax(0) <= 1e-2 * expected[0].abs()
        assert slopes[agree, column].isfinite().all() and down[agree, column].isfinite().all()
        if tied(graph, parameters, inputs):
            continue
        seen = agree & (change.amin(0) > 1e-6) & (largest(graph, parameters, inputs) < 1e9)
        for actual in (slopes, down):
            torch.testing.assert_close(actual[seen, column], expected[1, seen], rtol=2e-2, atol=0)
