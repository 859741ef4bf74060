"""Sums in an order of their terms alone, and the second pass of a two-pass sum."""

import pytest
import torch

from packtrain.kernels.sums import kernel, sum_in_order
from packtrain.kernels.sums.kernel import BLOCK_S, sum_parts
from packtrain.kernels.sums.reference import sum_parts_reference
from tests.helpers import assert_near
from tests.kernels import edited

pytestmark = pytest.mark.usefixtures("poisoned")


@pytest.fixture(autouse=True)
def columns_of_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU; elsewhere an interpreted program takes more."""
    monkeypatch.setattr(kernel, "BLOCK_M", 16)


def drawn(*shape: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(device, dtype)


@pytest.mark.sampled
@pytest.mark.emulated
@pytest.mark.parametrize("parts", [0, 1, 2, 255, 256, 257, 600])
@pytest.mark.parametrize(("runs", "columns"), [(1, 1), (3, 5), (2, 70), (65, 3), (0, 2), (2, 0)])
def test_parts_are_added(runs: int, parts: int, columns: int, device: torch.device) -> None:
    for dtype in (torch.float32, torch.float64):
        part = drawn(runs, parts, columns, dtype=dtype, device=device)
        for count in (1, 7):
            total = sum_parts(part, dtype, count)
            assert total.dtype == dtype and total.shape == (runs, columns)
            expected = sum_parts_reference(part, dtype, count)
            if expected.numel():
                assert_near(total, expected)


@pytest.mark.emulated
def test_many_parts_take_several_rounds(device: torch.device) -> None:
    part = drawn(1, BLOCK_S * BLOCK_S + 3, 2, dtype=torch.float64, device=device)
    assert_near(sum_parts(part, torch.float64), sum_parts_reference(part, torch.float64))


def test_a_run_is_the_same_in_any_pack(device: torch.device) -> None:
    part = drawn(64, 300, 5, dtype=torch.float32, device=device)
    whole = sum_parts(part, torch.float32)
    for runs in (slice(3, 4), slice(1, 4)):
        assert sum_parts(part[runs].contiguous(), torch.float32).equal(whole[runs])


def test_float32_parts_are_added_in_float64(device: torch.device) -> None:
    part = torch.tensor([2.0**24, 1, -(2.0**24), 1], device=device).view(1, 4, 1)
    assert sum_parts(part, torch.float32).item() == 2


@pytest.mark.emulated
def test_what_is_not_finite_shows(device: torch.device) -> None:
    part = torch.tensor([[1.0, torch.nan], [torch.inf, 1.0]], device=device)[None]
    assert sum_parts(part, torch.float32).isfinite().tolist() == [[False, False]]


@pytest.mark.parametrize("backend", ["reference", "triton"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_row_has_the_same_sum_in_any_pack(backend: str, dtype: torch.dtype, device: torch.device) -> None:
    for size in (0, 1, 2, 3, 64, 1001, 40_000 if backend == "reference" else 600):
        terms = drawn(5, size, dtype=dtype, device=device)
        before = terms.clone()
        total = sum_in_order(terms, backend)
        assert total.dtype == dtype and terms.equal(before)
        assert_near(total, terms.double().sum(1), dtype)
        assert torch.cat([sum_in_order(row, backend) for row in terms.split(1)]).equal(total)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("i * BLOCK_S + tl.arange(0, BLOCK_S)", "i + tl.arange(0, BLOCK_S)"),
        ("tl.sum(terms.to(tl.float64), 0) / count", "tl.sum(terms.to(tl.float64), 0)"),
        ("(run * parts + s[:, None]) * M", "s[:, None] * M"),
    ],
)
def test_a_wrong_kernel_is_rejected(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    part = drawn(2, 600, 3, dtype=torch.float64, device=torch.device("cpu"))
    assert_near(sum_parts(part, torch.float64, 7), sum_parts_reference(part, torch.float64, 7))
    edited.use(monkeypatch, kernel, "sum_parts_kernel", old, new)
    with pytest.raises(AssertionError):
        assert_near(sum_parts(part, torch.float64, 7), sum_parts_reference(part, torch.float64, 7))
