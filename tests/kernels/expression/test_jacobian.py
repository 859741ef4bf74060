import pytest
import torch
from hypothesis import assume, given

from packtrain.kernels.elementwise.reference import evaluate
from packtrain.kernels.expression.reference import jacobian
from packtrain.kernels.language import parse
from packtrain.kernels.language.derive import forward, reverse
from packtrain.kernels.language.expr import ONE, ZERO, name, walk
from packtrain.kernels.language.ops import OPS
from packtrain.kernels.language.partials import PARTIALS
from tests.helpers import assert_close
from tests.kernels.expression.checks import assert_jacobian_exact, near_where_finite, one_operation
from tests.strategies import Case, cases, data, few, many

PRIMER = "xx = xa^2\nxy = ab*xx + ac*xa\nxz = bc*xx + xy\nxw = cd*xx + xz^3"


@many
@given(cases())
def test_the_jacobian_of_random_graphs_is_exact(case: Case) -> None:
    assume(assert_jacobian_exact(case))


@few
@given(cases(smooth=True))
def test_float32_agrees_with_float64(case: Case) -> None:
    exact = jacobian(case.graph, case.parameters.float().double(), case.inputs.float().double())
    single = jacobian(case.graph, case.parameters.float(), case.inputs.float())
    for actual, expected in zip(single, exact, strict=True):
        assert actual.dtype == torch.float32 and actual.isfinite().all()
        assert_close(
            actual / expected.abs().amax().clamp(min=1), expected / expected.abs().amax().clamp(min=1)
        )


@pytest.mark.parametrize("op", PARTIALS)
def test_each_operation_has_its_own_jacobian(op: str) -> None:
    case = data(one_operation(op), "sse", 64, samples=1, per_run=True, seed=1)
    assert assert_jacobian_exact(case) >= 64 * OPS[op].arity // 4


@pytest.mark.parametrize("per_run", [False, True])
@pytest.mark.parametrize("outputs", [["xw"], ["xz", "xw"], ["xw", "xz", "xy"]])
def test_several_outputs_have_a_row_each(outputs: list[str], per_run: bool) -> None:
    case = data(parse(PRIMER, outputs), "sse", 5, samples=7, per_run=per_run, seed=3)
    assert assert_jacobian_exact(case) == 5 * 7 * len(outputs) * 4


@pytest.mark.parametrize("text", ["xy = a", "xy = a + 2", "xy = a*x\nxz = 3", "xy = a*x\nxz = x^2"])
@pytest.mark.parametrize("per_run", [False, True])
def test_outputs_and_slopes_of_any_shape_are_spread_over_runs_and_samples(text: str, per_run: bool) -> None:
    case = data(parse(text), "sse", 3, samples=4, per_run=per_run, seed=1)
    assert assert_jacobian_exact(case) == 3 * 4 * len(case.graph.outputs)


def test_a_parameter_that_does_not_reach_an_output_has_slope_zero() -> None:
    case = data(parse("xy = a*x\nxz = b*exp(c*x)", ["xz", "xy"]), "sse", 2, 3, per_run=False, seed=1)
    assert case.graph.jacobian[0][0] == ZERO and case.graph.jacobian[1][1:] == (ZERO, ZERO)
    _, slopes = jacobian(case.graph, case.parameters, case.inputs)
    assert (slopes != 0).tolist() == [[[[False, True, True], [True, False, False]]] * 3] * 2


def test_a_parameter_that_reaches_no_output_has_slope_zero() -> None:
    case = data(parse("xy = a*x\nxz = b*x", ["xz"]), "sse", 2, 3, per_run=True, seed=1)
    _, slopes = jacobian(case.graph, case.parameters, case.inputs)
    assert not slopes[..., 0].any() and slopes[..., 1].all()


@few
@given(cases(smooth=True))
def test_forward_and_reverse_agree(case: Case) -> None:
    """Both directions give the slopes of each output, though not the same expressions."""
    graph = case.graph
    leaves = [name(parameter) for parameter in graph.parameters]
    roots = [graph.lowered[output] for output in graph.outputs]
    for root, up in zip(roots, forward(roots, leaves), strict=True):
        down = reverse({root: ONE}, set(leaves))
        values = {leaf: case.parameters[:, [i]] for i, leaf in enumerate(leaves)}
        inputs = case.inputs if case.inputs.dim() == 3 else case.inputs[None]
        values |= {name(x): inputs[:, :, i] for i, x in enumerate(graph.inputs)}
        evaluate(walk(*up.values(), *down.values()), values)
        assert {leaf for leaf in leaves if leaf in up} <= set(walk(root))
        for leaf in leaves:
            actual = values[up[leaf]] if leaf in up else torch.zeros_like(values[down[leaf]])
            assert near_where_finite(*torch.broadcast_tensors(actual, values[down[leaf]]))


def test_forward_knows_only_the_wanted_leaves() -> None:
    a, b, x = name("a"), name("b"), name("x")
    product = a * x
    assert forward([product, a, b, x], [a]) == [{a: x}, {a: ONE}, {}, {}]


def test_the_program_of_the_jacobian_follows_that_of_the_prediction() -> None:
    graph = parse(PRIMER, ["xz", "xw"])
    assert not set(graph.program) & set(graph.jacobian_program)
    done = {name(word) for word in (*graph.parameters, *graph.inputs)}
    for part in [*graph.program, *graph.jacobian_program]:
        assert done.issuperset(part.args)
        done.add(part)
    assert done.issuperset(slope for row in graph.jacobian for slope in row)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_jacobian_keeps_the_dtype(dtype: torch.dtype) -> None:
    case = data(parse(PRIMER), "sse", 2, samples=3, per_run=False, seed=1)
    parts = jacobian(case.graph, case.parameters.to(dtype), case.inputs.to(dtype))
    assert [part.dtype for part in parts] == [dtype, dtype]


def test_a_run_that_is_not_finite_leaves_its_neighbours_untouched() -> None:
    case = data(parse(PRIMER), "sse", 4, samples=3, per_run=False, seed=1)
    poisoned = case.parameters.index_fill(0, torch.tensor([2]), torch.nan)
    clean, dirty = (jacobian(case.graph, p, case.inputs)[1] for p in (case.parameters, poisoned))
    assert not dirty[2].isfinite().all()
    assert dirty[[0, 1, 3]].equal(clean[[0, 1, 3]])
