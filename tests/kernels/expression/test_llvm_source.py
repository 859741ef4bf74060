"""A graph's machine code against the reference, at ordinary points and wild ones, in any place of a block."""

import ctypes
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from packtrain.kernels.common.llvm import MachineCode, compiled
from packtrain.kernels.expression import numba_kernel
from packtrain.kernels.expression.llvm_source import BLOCK, predict_source, rows_source, sums_source
from packtrain.kernels.expression.reference import jacobian
from packtrain.kernels.functions.loop import LANES
from packtrain.kernels.functions.table import LLVM
from packtrain.kernels.language import Graph, parse
from packtrain.kernels.language.expr import name, node
from packtrain.kernels.language.ops import OPS
from packtrain.kernels.loss import loss_of
from tests.kernels.expression.checks import one_operation
from tests.kernels.expression.rows import NUMBER, filled, rows_of
from tests.strategies import OFFERED, Case, cases, data, few

NAN, INF = math.nan, math.inf
POINTS = [NAN, INF, -INF, 0.0, 0.3, -0.3, 1.0, -1.0, 2.0, -2.5, 800.0, -800.0]


def expected(case: Case, run: int, weights: Tensor | None = None) -> Tensor:
    """[J | e], [P + 1, N T], by the reference."""
    outputs, slopes = jacobian(case.graph, case.parameters, case.inputs)
    errors = outputs - case.targets
    columns = torch.cat([slopes, errors[..., None]], -1)[run]
    if weights is not None:
        columns = columns * weights.sqrt()[:, None, None]
    return columns.flatten(0, 1).T


def same(actual: Tensor, expected: Tensor, message: str = "") -> None:
    """As assert_close, of numbers among which there may be NaN."""
    torch.testing.assert_close(
        actual, expected, rtol=1e-9, atol=1e-11, equal_nan=True, msg=lambda text: f"{message}: {text}"
    )


def assert_rows(code: MachineCode, case: Case, run: int, weights: Tensor | None = None) -> None:
    """The rows are what the reference says, in units of the largest; NaN and infinities alike."""
    columns, total = filled(code, case, run, weights)
    wanted = expected(case, run, weights)
    unit = wanted[wanted.isfinite()].abs().amax().clamp(min=1) if wanted.isfinite().any() else 1.0
    same(columns / unit, wanted / unit)
    squares = wanted[-1].square().sum()
    same(torch.tensor(total, dtype=torch.float64) / unit**2, squares / unit**2)


def of_inputs(op: str) -> Graph:
    """op(a*xa, b*xb, ...)."""
    expression = node(op, *(name(letter) * name(f"x{letter}") for letter in "abc"[: OPS[op].arity]))
    return Graph.build({"xy": expression}, None, {"xy": f"xy = {expression}"})


def grid(graph: Graph, points: list[float]) -> Case:
    """The inputs of `graph` at every pair or triple of `points`; the parameters are 1."""
    pairs = torch.cartesian_prod(*[torch.tensor(points, dtype=torch.float64)] * len(graph.inputs))
    ones = torch.ones(1, len(graph.parameters), dtype=torch.float64)
    inputs = pairs.view(len(pairs), -1)
    return Case(graph, ones, inputs, torch.zeros(len(pairs), len(graph.outputs), dtype=torch.float64), "sse")


def test_every_operation_has_a_row() -> None:
    assert set(LLVM) == set(OPS)


@few
@given(cases(), st.booleans(), st.data())
def test_rows_of_random_graphs_are_the_references(case: Case, weighted: bool, draw: st.DataObject) -> None:
    run = draw.draw(st.integers(0, len(case.parameters) - 1))
    rows = case.inputs.shape[:-1]
    weights = torch.linspace(0.3, 4, rows[-1], dtype=torch.float64) if weighted else None
    count = math.prod(rows) * len(case.graph.outputs)
    targets = torch.linspace(-1, 1, count, dtype=torch.float64).view(*rows, -1)
    assert_rows(rows_of(case.graph, weighted), replace(case, targets=targets), run, weights)


@pytest.mark.sampled(20)
@pytest.mark.parametrize("op", OFFERED)
def test_rows_of_each_operation_are_the_references(op: str) -> None:
    case = data(one_operation(op), "sse", 1, samples=64, per_run=False, seed=1)
    assert_rows(rows_of(case.graph), case, 0)


@pytest.mark.sampled(20)
@pytest.mark.parametrize("op", OFFERED)
def test_rows_at_wild_points_are_the_references(op: str) -> None:
    wild = grid(of_inputs(op), POINTS)
    columns, _ = filled(rows_of(wild.graph), wild, 0)
    wanted = expected(wild, 0)
    if op in ("lgamma", "j0", "j1"):  # torch has NaN at poles and at infinity
        columns = columns.masked_fill(wanted.isnan(), NAN)
    same(columns, wanted, op)


@pytest.mark.parametrize("weighted", [False, True])
def test_several_outputs(weighted: bool) -> None:
    case = data(parse("xy = a*exp(b*x)\nxz = b*x + c\nxw = 3"), "sse", 2, samples=5, per_run=False, seed=1)
    weights = torch.linspace(0.5, 2, 5, dtype=torch.float64) if weighted else None
    assert_rows(rows_of(case.graph, weighted), case, 1, weights)


@pytest.mark.parametrize("kind", LANES)
def test_what_depends_on_parameters_alone_is_computed_once(kind: str) -> None:
    before, inside = predict_source(parse("xy = floor(a)*x + ceil(b*x)"), kind).split("loop:")
    assert "llvm.floor" in before.partition("define")[2] and "llvm.ceil" not in before.partition("define")[2]
    assert "llvm.ceil" in inside and "llvm.floor" not in inside


def test_integer_powers_are_products() -> None:
    products = predict_source(parse("xy = a*x^13"), "double")
    assert products.count("fmul") == 6 and "call" not in products.partition("loop:")[2]


def test_names_make_no_difference() -> None:
    assert rows_source(parse("xy = a*x + b"), True) == rows_source(parse("xout = slope*xin + total"), True)


@pytest.mark.sampled
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("op", OFFERED)
def test_the_place_of_a_sample_changes_no_bit(op: str, dtype: torch.dtype) -> None:
    """Nor do its neighbours: among wild ones, rare paths are taken for some lanes alone."""
    graph = of_inputs(op)
    points = [*POINTS[3:9], 1e-3, 7.7, 1e6, 1e300 if dtype == torch.float64 else 1e30]
    inputs = grid(graph, points).inputs.to(dtype)
    parameters = torch.ones(1, len(graph.parameters), dtype=dtype)
    outputs = numba_kernel.predict(graph, parameters, inputs)[0]
    for first in (1, 5, len(inputs) - 1):
        alone = numba_kernel.predict(graph, parameters, inputs[first:])[0]
        torch.testing.assert_close(alone, outputs[first:], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("samples", [1, 7, 16, 17, BLOCK])
def test_what_lies_behind_the_last_sample_is_not_read(samples: int) -> None:
    """The columns are as long as the samples, and what follows is another column, or NaN."""
    graph = parse("xy = a*exp(b*x1) + x2")
    case = data(graph, "sse", 1, samples=samples, per_run=False, seed=1)
    code = compiled(sums_source(graph, loss_of("sse"), "double"), "sums")
    call = ctypes.CFUNCTYPE(None, *[NUMBER] * 11)
    found = []
    for stride in (samples, samples + 1):
        x, t = np.full((2, stride), NAN), np.full((1, stride), NAN)
        x[:, :samples], t[:, :samples] = case.inputs.T.numpy(), case.targets.T.numpy()
        p, out = case.parameters[0].numpy(), np.zeros(3)
        at = [array.ctypes.data for array in (p, x, t, out)]
        call(code.address["sums"])(at[0], 0, 0, 0, at[1], stride, at[2], stride, samples, at[3], 0)
        found.append(out)
    assert np.isfinite(found[0]).all() and (found[0] == found[1]).all()


def test_no_text_of_the_users_stands_in_the_source() -> None:
    graph = parse("xdef_ = lambda_*xclass_ + import_^2")
    words = set(re.findall(r"\w+", rows_source(graph, False)))
    assert not words & {*graph.parameters, *graph.inputs, *graph.expressions}
