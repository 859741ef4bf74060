import math
import re
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from packtrain.kernels.common import source_cache
from packtrain.kernels.expression.numba_source import NUMBA, rows_source
from packtrain.kernels.expression.reference import jacobian
from packtrain.kernels.language import Graph, parse
from packtrain.kernels.language.ops import OPS
from tests.helpers import assert_close
from tests.kernels.expression.checks import one_operation
from tests.strategies import OFFERED, Case, cases, data, few, many

NAN, INF = math.nan, math.inf
Rows = Callable[..., float]
IN_NUMPY = ("exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "isnan", "log1p")
IN_NUMPY_BY_ANOTHER_NAME = {"asin": np.arcsin, "acos": np.arccos, "atan": np.arctan}


def interpreted(graph: Graph) -> Rows:
    """`rows` of `graph`, without compiling; numpy's functions give inf and NaN where math's raise."""
    space: dict[str, Any] = {}
    exec(rows_source(graph), space)
    space |= {word: getattr(np, word) for word in IN_NUMPY} | IN_NUMPY_BY_ANOTHER_NAME
    return space["rows"].py_func


def filled(rows: Rows, case: Case, run: int, weights: Tensor | None = None) -> tuple[Tensor, float]:
    """[J | e], [P + 1, N T], and the sum of e^2, of one run by `rows`."""
    inputs = case.inputs if case.inputs.dim() == 2 else case.inputs[run]
    targets = case.targets if case.targets.dim() == 2 else case.targets[run]
    columns = np.full((case.parameters.shape[1] + 1, targets.numel()), -77.0)
    root = torch.empty(0, dtype=torch.float64) if weights is None else weights
    with np.errstate(all="ignore"):
        total = rows(
            *(tensor.contiguous().numpy() for tensor in (case.parameters[run], inputs, targets, root)),
            0,
            len(inputs),
            columns,
            0,
        )
    return torch.from_numpy(columns), total


def expected(case: Case, run: int, weights: Tensor | None = None) -> Tensor:
    """[J | e], [P + 1, N T], by the reference."""
    outputs, slopes = jacobian(case.graph, case.parameters, case.inputs)
    errors = outputs - case.targets
    columns = torch.cat([slopes, errors[..., None]], -1)[run]
    if weights is not None:
        columns = columns * weights.sqrt()[:, None, None]
    return columns.flatten(0, 1).T


def same(actual: Tensor, expected: Tensor) -> None:
    """As assert_close, of points where there may be NaN alone."""
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-11, equal_nan=True)


def assert_rows(rows: Rows, case: Case, run: int, weights: Tensor | None = None) -> None:
    """`rows` fills what the reference says, in units of the largest; NaN and infinities alike."""
    columns, total = filled(rows, case, run, weights)
    wanted = expected(case, run, weights)
    unit = wanted[wanted.isfinite()].abs().amax().clamp(min=1) if wanted.isfinite().any() else 1.0
    same(columns / unit, wanted / unit)
    squares = wanted[-1].square().sum()
    same(torch.tensor(total, dtype=torch.float64) / unit**2, squares / unit**2)


def grid(graph: Graph, points: list[float]) -> Case:
    """The operands of each output of `graph` at every pair of `points`: a and b are 1."""
    pairs = torch.cartesian_prod(*[torch.tensor(points, dtype=torch.float64)] * 2)
    ones = torch.ones(1, len(graph.parameters), dtype=torch.float64)
    return Case(graph, ones, pairs, torch.zeros(len(pairs), len(graph.outputs), dtype=torch.float64), "sse")


def test_every_operation_has_a_row() -> None:
    assert set(NUMBA) == set(OPS)


@many
@given(cases(), st.booleans(), st.data())
def test_rows_of_random_graphs_are_the_references(case: Case, weighted: bool, draw: st.DataObject) -> None:
    run = draw.draw(st.integers(0, len(case.parameters) - 1))
    rows = case.inputs.shape[:-1]
    weights = torch.linspace(0.3, 4, rows[-1], dtype=torch.float64) if weighted else None
    count = math.prod(rows) * len(case.graph.outputs)
    targets = torch.linspace(-1, 1, count, dtype=torch.float64).view(*rows, -1)
    try:
        assert_rows(interpreted(case.graph), replace(case, targets=targets), run, weights)
    except ZeroDivisionError:  # a plain 0.0 in Python is not numpy's
        assume(False)


@pytest.mark.parametrize("op", OFFERED)
def test_rows_of_each_operation_are_the_references(op: str) -> None:
    case = data(one_operation(op), "sse", 1, samples=64, per_run=False, seed=1)
    assert_rows(interpreted(case.graph), case, 0)


@pytest.mark.parametrize("weighted", [False, True])
def test_outputs_follow_one_another_within_a_sample(weighted: bool) -> None:
    case = data(parse("xy = a*exp(b*x)\nxz = b*x + c\nxw = 3"), "sse", 2, samples=5, per_run=False, seed=1)
    weights = torch.linspace(0.5, 2, 5, dtype=torch.float64) if weighted else None
    assert_rows(interpreted(case.graph), case, 1, weights)


def test_a_part_of_the_samples_goes_where_it_is_told() -> None:
    case = data(parse("xy = a*exp(b*x)\nxz = b*x + c"), "sse", 1, samples=9, per_run=False, seed=1)
    weights = torch.linspace(0.5, 2, 9, dtype=torch.float64)
    columns = np.full((4, 20), -77.0)
    arrays = [tensor.numpy() for tensor in (case.parameters[0], case.inputs, case.targets, weights)]
    total = interpreted(case.graph)(*arrays, 3, 7, columns, 5)
    wanted = expected(case, 0, weights)[:, 6:14]
    assert_close(torch.from_numpy(columns[:, 5:13]), wanted)
    assert (columns[:, :5] == -77).all() and (columns[:, 13:] == -77).all()
    assert_close(torch.tensor(total), wanted[-1].square().sum())


def test_what_depends_on_parameters_alone_is_computed_once() -> None:
    before, loop = rows_source(parse("xy = exp(a)*x + exp(b*x)")).split("for n in")
    assert before.count("exp(p0)") == 1 and "exp(p0)" not in loop
    assert loop.count("exp(") == 1


def test_integer_powers_are_products() -> None:
    source = rows_source(parse("xy = a*x^2 + b*x^3"))
    assert "x0 * x0" in source
    assert "**" not in source
    assert "**" in rows_source(parse("xy = a*x^2.5"))


@pytest.mark.parametrize(
    "text",
    ["xdef_ = lambda_*xclass_ + import_^2", "x_ = lambda*x__class__ + def\nxor = exec_^2*x_ + return"],
)
def test_no_name_of_the_users_stands_in_the_text(text: str) -> None:
    graph = parse(text)
    words = set(re.findall(r"\w+", rows_source(graph)))
    keywords = {"def", "return"}
    assert not words & {*graph.parameters, *graph.inputs, *graph.expressions} - keywords
    compile(rows_source(graph), "", "exec")


def test_names_make_no_difference() -> None:
    """Two graphs that differ in their names alone share their compiled code."""
    assert rows_source(parse("xy = a*x + b")) == rows_source(parse("xout = slope*xin + total"))


@pytest.fixture(scope="module")
def every_operation() -> Graph:
    """One output for each operation, of a*x and b*xb."""
    lines = []
    for op, arity in OFFERED.items():
        args = ["a*x", "b*xb"][:arity]
        symbol = OPS[op].symbol
        text = f"{op}({', '.join(args)})"
        if symbol:
            text = f"({args[0]}) {symbol} ({args[1]})" if arity == 2 else f"-({args[0]})"
        lines.append(f"xo_{op} = {text}")
    return parse("\n".join(lines))


@pytest.fixture(scope="module")
def compiled(every_operation: Graph) -> ModuleType:
    return source_cache.load(rows_source(every_operation))


POINTS = [NAN, INF, -INF, 0.0, 0.3, -0.3, 1.0, -1.0, 2.0, -2.5, 800.0, -800.0]


def test_compiled_rows_are_the_references_at_wild_points(
    every_operation: Graph, compiled: ModuleType
) -> None:
    case = grid(every_operation, POINTS)
    columns, _ = filled(compiled.rows, case, 0)
    wanted = expected(case, 0)
    for i, output in enumerate(every_operation.outputs):
        own = slice(i, None, len(every_operation.outputs))
        torch.testing.assert_close(
            columns[:, own],
            wanted[:, own],
            rtol=1e-9,
            atol=1e-11,
            equal_nan=True,
            msg=lambda text, output=output: f"{output}: {text}",
        )


def test_compiled_rows_are_the_interpreted_ones(every_operation: Graph, compiled: ModuleType) -> None:
    case = data(every_operation, "sse", 2, samples=20, per_run=True, seed=4)
    weights = torch.linspace(0.5, 2, 20, dtype=torch.float64)
    assert_rows(compiled.rows, case, 1, weights)
    same(filled(compiled.rows, case, 0)[0], filled(interpreted(every_operation), case, 0)[0])


@pytest.mark.parametrize("op", ["relu", "min", "max", "abs", "softplus", "sigmoid"])
@few
@given(st.sampled_from(POINTS), st.sampled_from(POINTS))
def test_kinks_and_infinities_are_the_references(op: str, left: float, right: float) -> None:
    case = grid(one_operation(op), POINTS)
    inputs = torch.tensor([[left]], dtype=torch.float64)
    parameters = torch.tensor([[1.0, right]], dtype=torch.float64)[:, : len(case.graph.parameters)]
    assert_rows(interpreted(case.graph), Case(case.graph, parameters, inputs, torch.zeros(1, 1), "sse"), 0)
