"""NaN goes through relu, min, max and abs: into outputs, losses and derivatives, on every backend."""

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from packtrain.kernels.elementwise.reference import TORCH
from packtrain.kernels.expression import (
    finite_difference,
    numba_kernel,
    reference,
    triton_kernel,
    triton_table,
)
from packtrain.kernels.functions import table
from packtrain.kernels.functions.instructions import where
from packtrain.kernels.language import Graph, parse
from tests.kernels.expression.rows import filled, rows_of
from tests.losses import LOSSES
from tests.strategies import Case

pytestmark = pytest.mark.usefixtures("poisoned", "without_caches")

EQUATIONS = [
    "xrelu = relu(a*x)",
    "xabs = abs(b*x)",
    "xmin = min(c*x, 0.5)",
    "xmin_of = min(0.5, d*x)",
    "xmax = max(e*x, -0.5)",
    "xmax_of = max(-0.5, f*x)",
    "xsoft = softplus(g*x)",
]
PARAMETERS = len(EQUATIONS)  # one each
BACKENDS: dict[str, ModuleType] = {
    "reference": reference,
    "numba": numba_kernel,
    "triton": triton_kernel,
}
TABLES: dict[str, dict[str, Callable[..., Any]]] = {
    "reference": TORCH,
    "numba": table.LLVM,
    "triton": triton_table.TRITON,
}
SAMPLES = 5
backends = pytest.mark.parametrize("backend", BACKENDS)

# Rows that lose NaN, which the checks must reject.
LOSING: dict[str, dict[str, Callable[..., Any]]] = {
    "reference": {
        "relu": lambda x: torch.where(x > 0, x, 0),
        "min": torch.fmin,
        "max": torch.fmax,
        "sign": lambda x: torch.sign(x).nan_to_num(0),
    },
    "numba": {
        "relu": lambda x: where(x > 0, x, 0),
        "min": lambda x, y: where(x < y, x, y),
        "max": lambda x, y: where(x > y, x, y),
        "sign": lambda x: where(x > 0, x.number(1), where(x < 0, x.number(-1), 0)),
    },
    "triton": {
        "relu": lambda x: f"tl.where({x} > 0.0, {x}, 0.0)",
        "min": lambda x, y: f"tl.where({x} < {y}, {x}, {y})",
        "max": lambda x, y: f"tl.where({x} > {y}, {x}, {y})",
        "sign": lambda x: f"tl.where({x} > 0.0, 1.0, tl.where({x} < 0.0, -1.0, 0.0))",
    },
}
EDITS = [(backend, op) for backend, rows in LOSING.items() for op in rows]


@pytest.fixture
def without_caches() -> None:
    """Sources are written again, from the tables as they are."""
    for cached in (
        numba_kernel._predict,
        numba_kernel.sums,
        triton_kernel._predict,
        triton_kernel._loss,
        triton_kernel._squares,
    ):
        cached.cache_clear()


def pack(loss: str) -> tuple[Tensor, Tensor, Tensor]:
    """Parameters [P + 1, P], inputs [B, 1], targets: run i has NaN as its parameter i, the last run none."""
    parameters = torch.full((PARAMETERS + 1, PARAMETERS), 1.5, dtype=torch.float64)
    parameters[:PARAMETERS].fill_diagonal_(math.nan)
    inputs = torch.linspace(-1, 1, SAMPLES, dtype=torch.float64)[:, None] + 0.1
    classes = loss == "cross_entropy"
    targets = torch.ones(SAMPLES, 1, dtype=torch.int64) if classes else inputs.repeat(1, PARAMETERS)
    return parameters, inputs, targets


def check_parameters(backend: ModuleType, loss: str, device: torch.device) -> None:
    """NaN of a parameter is that of its equation's output, of the loss, and of the derivatives it is in."""
    parameters, inputs, targets = (tensor.to(device) for tensor in pack(loss))
    graph = parse(EQUATIONS)
    where = parameters.isnan()
    outputs = backend.predict(graph, parameters, inputs)
    assert outputs.isnan().equal(where[:, None].expand_as(outputs))
    value, gradient = backend.loss_and_gradient(graph, parameters, inputs, targets, loss)
    assert value.isnan().equal(where.any(1))
    # each output's own derivative, but for cross_entropy, which every output is in
    wanted = where.any(1, keepdim=True).expand_as(where) if loss == "cross_entropy" else where
    assert gradient.isnan().equal(wanted)


def check_inputs(backend: ModuleType, loss: str, device: torch.device) -> None:
    """NaN of one sample is that of its outputs, and of the loss and the whole gradient."""
    parameters, inputs, targets = (tensor.to(device) for tensor in pack(loss))
    parameters = parameters[-1:]
    inputs[2] = math.nan
    graph = parse(EQUATIONS)
    where = inputs.isnan()[None].expand(1, -1, PARAMETERS)
    assert backend.predict(graph, parameters, inputs).isnan().equal(where)
    value, gradient = backend.loss_and_gradient(graph, parameters, inputs, targets, loss)
    assert value.isnan().all() and gradient.isnan().all()


def check_fit(backend: str, device: torch.device) -> None:
    """NaN of a parameter is that of its own column of [J | e], and of e."""
    parameters, inputs, targets = (tensor.to(device) for tensor in pack("mse"))
    where = torch.cat([parameters.isnan(), parameters.isnan().any(1, keepdim=True)], 1)
    assert COLUMNS[backend](parse(EQUATIONS), parameters, inputs, targets).equal(where)


def reference_columns(graph: Graph, parameters: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
    """Which columns of [J | e] hold NaN, for each run [R, P + 1]."""
    outputs, slopes = reference.jacobian(graph, parameters, inputs)
    return torch.cat([slopes, (outputs - targets)[..., None]], -1).isnan().any(1).any(1)


def numba_columns(graph: Graph, parameters: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
    code, case = rows_of(graph), Case(graph, parameters, inputs, targets, "mse")
    return torch.stack([filled(code, case, run)[0].isnan().any(1) for run in range(len(parameters))])


def triton_columns(graph: Graph, parameters: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
    products = triton_kernel.squares(graph, parameters, inputs, targets, None)
    return products.diagonal(dim1=1, dim2=2).isnan()


COLUMNS = {"reference": reference_columns, "numba": numba_columns, "triton": triton_columns}


def device_of(backend: str, device: torch.device) -> torch.device:
    """Triton's is the one that is tested."""
    return device if backend == "triton" else torch.device("cpu")


@pytest.mark.sampled(8)
@pytest.mark.emulated
@pytest.mark.parametrize("loss", LOSSES)
@backends
def test_nan_of_a_parameter(backend: str, loss: str, device: torch.device) -> None:
    check_parameters(BACKENDS[backend], loss, device_of(backend, device))


@pytest.mark.sampled(12)
@pytest.mark.emulated
@pytest.mark.parametrize("loss", LOSSES)
@backends
def test_nan_of_an_input(backend: str, loss: str, device: torch.device) -> None:
    check_inputs(BACKENDS[backend], loss, device_of(backend, device))


@pytest.mark.emulated
@backends
def test_nan_in_a_fit(backend: str, device: torch.device) -> None:
    check_fit(backend, device_of(backend, device))


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("backend", "op"), EDITS)
def test_a_row_that_loses_nan_is_rejected(backend: str, op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TABLES[backend], op, LOSING[backend][op])
    cpu = torch.device("cpu")
    with pytest.raises(AssertionError):
        check_fit(backend, cpu)
    if op == "sign":  # in a gradient it is multiplied by the loss's own slope, which is NaN
        return
    for check in (check_parameters, check_inputs):
        with pytest.raises(AssertionError):
            check(BACKENDS[backend], "mse", cpu)


@pytest.mark.parametrize("loss", LOSSES)
def test_nan_reaches_finite_differences(loss: str) -> None:
    parameters, inputs, targets = pack(loss)
    given = parse(EQUATIONS), parameters, inputs, targets, loss
    value, gradient = finite_difference.loss_and_gradient(*given, delta=1e-3)
    assert value.isnan().equal(parameters.isnan().any(1))
    assert gradient.isnan()[parameters.isnan()].all() and not gradient[-1].isnan().any()
