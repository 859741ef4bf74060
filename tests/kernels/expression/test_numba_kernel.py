"""Loops that Numba compiles for a graph, against the float64 reference."""

import pytest
import torch
from hypothesis import assume, given, settings

from packtrain.kernels.expression import numba_kernel
from packtrain.kernels.expression.llvm_source import BLOCK
from packtrain.kernels.language import parse
from tests.kernels.expression.checks import agrees, every_operation, numbers_of
from tests.losses import LOSSES
from tests.strategies import Case, cases, data, few
from tests.thorough import examples

PRIMER = "xx = xa^2\nxy = ab*xx + ac*xa\nxz = bc*xx + xy\nxw = cd*xx + xz^3"


@pytest.mark.sampled
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("per_run", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_primer(loss: str, per_run: bool, dtype: torch.dtype) -> None:
    assert agrees(numba_kernel, data(parse(PRIMER, ["xy", "xw"]), loss, 3, 130, per_run, seed=3), dtype)


@pytest.mark.parametrize("samples", [1, BLOCK - 1, BLOCK, 3 * BLOCK + 5])
@pytest.mark.parametrize("text", ["xy = a*x^2 + b", "xy = a*x1 + b*x2\nxz = xy^2\nxw = xy + b"])
def test_any_number_of_samples(text: str, samples: int) -> None:
    for per_run in (False, True):
        assert agrees(numba_kernel, data(parse(text), "mse", 3, samples, per_run, seed=3), torch.float64)


@settings(few, max_examples=examples(4))
@given(cases())
def test_random_graphs(case: Case) -> None:
    assume(agrees(numba_kernel, case))


def test_relu_has_no_zero_with_a_sign() -> None:
    """1/relu(a*x) is one infinity where a*x is 0 of either sign."""
    parameters = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    inputs = torch.tensor([[0.0], [-0.0], [2.0]], dtype=torch.float64)
    outputs = numba_kernel.predict(parse("xy = relu(a*x)"), parameters, inputs)[..., 0]
    assert outputs.tolist() == [[0, 0, 0], [0, 0, 2]] and not outputs.signbit().any()


def test_all_cores_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    case = data(parse(PRIMER), "mse", 5, 4 * BLOCK + 7, False, seed=3)
    given = case.graph, case.parameters.float(), case.inputs.float(), case.targets.float(), "mse"
    alone = [numba_kernel.loss_and_gradient(case.graph, p[None], *given[2:]) for p in given[1]]
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    value, gradient = numba_kernel.loss_and_gradient(*given)
    assert value.equal(torch.cat([run[0] for run in alone]))
    assert gradient.equal(torch.cat([run[1] for run in alone]))


def test_every_operation() -> None:
    for case in every_operation():
        assert agrees(numba_kernel, case) == numbers_of(case)
