"""The normal equations of robust losses by Triton, against torch's autograd of the loss."""

from types import ModuleType

import pytest
import torch
from torch import Tensor

from packtrain.kernels.common import source_cache
from packtrain.kernels.equations.robust import LEAST
from packtrain.kernels.expression import reference, triton_kernel
from packtrain.kernels.expression.triton_source import squares_source
from packtrain.kernels.language import parse
from tests.helpers import assert_near
from tests.kernels.least_squares.losses import ROBUST, by_autograd, deltas, robust_of
from tests.strategies import Case, data

pytestmark = pytest.mark.usefixtures("poisoned")

GRAPH = parse("xy = a*exp(-b*x) + c\nxz = a*x + b")


def normal_equations(case: Case, name: str, weights: Tensor | None) -> Tensor:
    """[s J | l'/s]^T [s J | l'/s], with 2 l for its last number."""
    outputs, jacobian = reference.jacobian(case.graph, case.parameters, case.inputs)
    errors, slopes = (outputs - case.targets).flatten(1), jacobian.flatten(1, 2)
    if weights is not None:
        root = weights.sqrt().repeat_interleave(2, -1)
        errors, slopes = root * errors, root[..., None] * slopes
    value, slope, curvature = by_autograd(name, errors, deltas(name, len(errors)))
    root = curvature.clamp(min=LEAST).sqrt()
    columns = torch.cat([root[..., None] * slopes, (slope / root)[..., None]], -1)
    products = columns.mT @ columns
    products[:, -1, -1] = 2 * value.sum(1)
    return products


def check(
    name: str, weighted: bool, per_run: bool, dtype: torch.dtype, device: torch.device | str = "cpu"
) -> None:
    case = data(GRAPH, "sse", 3, 70, per_run, seed=3)
    weights = case.inputs[..., 0].abs() if weighted else None
    given = (part.to(device, dtype) for part in (case.parameters, case.inputs, case.targets))
    parameters, inputs, targets = given
    moved = None if weights is None else weights.to(device, dtype)
    loss = robust_of(name), deltas(name, 3).to(device)
    result = triton_kernel.squares(GRAPH, parameters, inputs, targets, moved, *loss)
    assert result.dtype == torch.float64
    assert_near(result, normal_equations(case, name, weights), dtype)


@pytest.mark.sampled
@pytest.mark.emulated
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ROBUST)
def test_normal_equations(name: str, dtype: torch.dtype, device: torch.device) -> None:
    check(name, weighted=False, per_run=False, dtype=dtype, device=device)
    check(name, weighted=True, per_run=True, dtype=dtype, device=device)


def test_a_run_is_the_same_alone_and_in_a_pack() -> None:
    case, constants = data(GRAPH, "sse", 3, 300, False, seed=3), deltas("cauchy", 3)
    given = case.inputs, case.targets, None, robust_of("cauchy")
    together = triton_kernel.squares(GRAPH, case.parameters, *given, constants)
    for run in range(3):
        alone = triton_kernel.squares(GRAPH, case.parameters[[run]], *given, constants[[run]])
        assert torch.equal(alone[0], together[run])


@pytest.mark.parametrize(
    ("old", "new"), [("tl.sqrt(l0_", "tl.sqrt(1.01 * l0_"), ("2.0, dtype", "2.01, dtype")]
)
def test_a_wrong_kernel_is_rejected(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def edited(*given: object) -> ModuleType:
        source = squares_source(*given)  # pyright: ignore[reportArgumentType]
        assert old in source
        return source_cache.load(source.replace(old, new))

    check("cauchy", False, False, torch.float64)
    monkeypatch.setattr(triton_kernel, "_squares", edited)
    with pytest.raises(AssertionError):
        check("cauchy", False, False, torch.float64)
