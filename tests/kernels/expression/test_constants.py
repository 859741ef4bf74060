"""Equations without an input: constants, on every backend."""

from types import ModuleType

import pytest
import torch

from packtrain.kernels.expression import numba_kernel, reference, triton_kernel
from packtrain.kernels.language import parse
from tests.helpers import assert_close
from tests.kernels.expression.checks import agrees, assert_exact
from tests.kernels.expression.test_jacobian import assert_jacobian_exact
from tests.strategies import data

GRAPH = parse(["xz = a + exp(b)", "xy = a*xz"], ["xy", "xz"])


@pytest.mark.parametrize("per_run", [False, True])
@pytest.mark.parametrize("backend", [numba_kernel, triton_kernel])
def test_constants_are_fitted_to_samples(backend: ModuleType, per_run: bool) -> None:
    case = data(GRAPH, "mse", 3, 130, per_run, seed=1)
    assert case.inputs.shape[-2:] == (130, 0)
    assert assert_exact(case) == 6 and assert_jacobian_exact(case) == 3 * 130 * 4
    agrees(backend, case)


def test_their_normal_equations() -> None:
    case = data(GRAPH, "mse", 2, 130, False, seed=2)
    products = triton_kernel.squares(GRAPH, case.parameters, case.inputs, case.targets, None)
    outputs, slopes = reference.jacobian(GRAPH, case.parameters, case.inputs)
    rows = torch.cat([slopes, (outputs - case.targets)[..., None]], -1).flatten(1, 2)
    assert_close(products, rows.mT @ rows)
