"""Dropout: its masks in every language to the bit, and its gradient."""

import ctypes

import pytest
import torch
import triton
import triton.language as tl
from torch import Tensor

from packtrain.kernels.common import launch
from packtrain.kernels.common.llvm import KINDS, compiled
from packtrain.kernels.descent.triton.layers import mask_of
from packtrain.kernels.dropout import Dropout, dropout, kernel
from packtrain.kernels.dropout.reference import mask_reference
from packtrain.kernels.functions.vector import Module
from packtrain.kernels.layers.dropout import add_dropped
from packtrain.kernels.layers.tiles import lanes_of
from packtrain.kernels.random import Purpose, pair_keys, pair_words
from packtrain.kernels.random.triton_words import pair_keys as triton_keys
from tests.kernels import edited

DTYPES = [torch.float32, torch.float64]
RATES = [0.0, 0.25, 0.9]
DROPOUT = tl.constexpr(int(Purpose.DROPOUT))
SEEDS = torch.tensor([3, 2**40, 2**62])


def keys_of(step: int = 5, layer: int = 1) -> Tensor:
    return pair_keys(SEEDS, Purpose.DROPOUT, torch.tensor(step), layer + 1)[:, layer]


def drawn(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)


def test_a_mask_says_what_is_kept_by_its_words() -> None:
    runs = Dropout.make(RATES, torch.float64)
    mask = mask_reference(keys_of(), runs.rates, runs.scales, 40, 50)
    words = pair_words(keys_of(), torch.arange(40), torch.arange(50))
    for rate, run, word in zip(RATES, mask, words, strict=True):
        kept = (word >> 8) / 2**24 >= rate
        assert run.equal(kept.double() * (1 / (1 - rate)))
        assert abs(kept.double().mean() - (1 - rate)) < 0.03


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_edge_of_a_rate_is_kept(dtype: torch.dtype) -> None:
    """A rate that a number equals exactly, and the next one, in the parameters' dtype."""
    keys = keys_of()[:1]
    word = int(pair_words(keys, torch.arange(1), torch.arange(1)))
    exact = torch.tensor([(word >> 8) / 2**24], dtype=dtype)
    above = exact.nextafter(torch.ones_like(exact))
    assert mask_reference(keys, exact, exact, 1, 1).item() == exact.item() > 0
    assert mask_reference(keys, above, above, 1, 1).item() == 0


@pytest.mark.parametrize("backend", ["reference", "triton"])
def test_the_gradient_is_autograds(backend: str) -> None:
    runs, x = Dropout.make(RATES, torch.float64), drawn(3, 17, 9, dtype=torch.float64)
    given = x.clone().requires_grad_()
    y = dropout(given, keys_of(), runs, backend)
    mask = mask_reference(keys_of(), runs.rates, runs.scales, 17, 9)
    assert y.equal(x * mask) and y[0].equal(x[0])
    slope = drawn(3, 17, 9, dtype=torch.float64).flip(0)
    y.backward(slope)
    assert given.grad is not None and given.grad.equal(slope * mask)
    small = x[:, :1, :3].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: dropout(x, keys_of(), runs, backend), small)


def check_kernel(x: Tensor, device: torch.device) -> None:
    runs = Dropout.make(RATES, x.dtype)
    expected = x * mask_reference(keys_of(), runs.rates, runs.scales, *x.shape[1:])
    there = Dropout(runs.rates.to(device), runs.scales.to(device))
    assert dropout(x.to(device), keys_of().to(device), there, "triton").cpu().equal(expected)


@pytest.mark.emulated
@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (33, 10), (9, 130), (70, 128)])
def test_the_kernel_drops_what_the_reference_drops(
    shape: tuple[int, int], dtype: torch.dtype, device: torch.device
) -> None:
    check_kernel(drawn(3, *shape, dtype=dtype), device)


def test_inputs_that_are_not_contiguous_give_the_same() -> None:
    check_kernel(drawn(3, 10, 20).mT, torch.device("cpu"))


def test_nan_and_infinity_are_not_hidden() -> None:
    runs = Dropout.make([0.5], torch.float32)
    for value in (torch.nan, torch.inf):
        y = dropout(torch.full((1, 8, 8), value), keys_of()[:1], runs)
        assert not y.isfinite().any()


@pytest.mark.parametrize(
    ("old", "new"),
    [(">= rate, scale", "<= rate, scale"), ("o.to(tl.uint32) ^ key", "(o + 1).to(tl.uint32) ^ key")],
)
def test_a_wrong_kernel_is_rejected(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    edited.use(monkeypatch, kernel, "dropout_kernel", old, new)
    with pytest.raises(AssertionError):
        check_kernel(drawn(3, 10, 20), torch.device("cpu"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("has_slopes", [False, True])
def test_machine_code_drops_what_the_reference_drops(dtype: torch.dtype, has_slopes: bool) -> None:
    kind, first, rows = KINDS[dtype], 1000, 13
    samples = 3 * lanes_of(kind)
    add_dropped(module := Module(), kind, has_slopes)
    code = compiled(module.text(), "dropped")
    runs = Dropout.make(RATES, dtype)
    x, mixed = drawn(2, rows, samples, dtype=dtype), torch.empty(samples, dtype=dtype)
    for run in range(3):
        key, drop, y = keys_of()[run].clone(), torch.stack([runs.rates[run], runs.scales[run]]), x.clone()
        apart = [rows * samples] if has_slopes else []
        call = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * (8 + has_slopes))(code.address["dropped"])
        pointers = y.data_ptr(), key.data_ptr(), drop.data_ptr(), first, mixed.data_ptr()
        call(*pointers, *apart, rows, samples, samples)
        one = slice(run, run + 1)
        mask = mask_reference(keys_of()[one], runs.rates[one], runs.scales[one], first + samples, rows)
        mask = mask[0, first:].T
        assert y[0].equal(x[0] * mask)
        assert y[1].equal(x[1] * mask if has_slopes else x[1])


def test_an_infinite_slope_that_is_dropped_is_0() -> None:
    kind, lanes = "float", lanes_of("float")
    add_dropped(module := Module(), kind, has_slopes=True)
    code, y = compiled(module.text(), "dropped"), torch.full((2, 1, lanes), torch.inf)
    key, drop, mixed = keys_of()[0].clone(), torch.tensor([0.5, 2.0]), torch.empty(lanes)
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 9)(code.address["dropped"])
    call(y.data_ptr(), key.data_ptr(), drop.data_ptr(), 0, mixed.data_ptr(), lanes, 1, lanes, lanes)
    assert set(y[1, 0].tolist()) == {0.0, torch.inf}


@triton.jit
def tile_kernel(seed_ptr, drop_ptr, out_ptr, step, first, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    keys = triton_keys(tl.load(seed_ptr), DROPOUT, step, 1)
    o, n = tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    x = tl.zeros([ROWS, COLUMNS], out_ptr.dtype.element_ty)
    mask = mask_of(x, o, first + n, keys, tl.load(drop_ptr), tl.load(drop_ptr + 1))
    tl.store(out_ptr + o[:, None] * COLUMNS + n[None, :], mask)


@pytest.mark.emulated
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_tiles_of_a_compiled_training_drop_what_the_reference_drops(
    dtype: torch.dtype, device: torch.device
) -> None:
    runs, first, one = Dropout.make(RATES, dtype), 1000, slice(1, 2)
    out, drop = torch.empty(16, 32, dtype=dtype), torch.stack([runs.rates[1], runs.scales[1]])
    out = out.to(device)
    launch.launch(
        tile_kernel,
        1,
        SEEDS[one].to(device),
        drop.to(device),
        out,
        5,
        first,
        ROWS=16,
        COLUMNS=32,
        num_warps=1,
    )
    mask = mask_reference(keys_of()[one], runs.rates[one], runs.scales[one], first + 32, 16)
    assert out.cpu().equal(mask[0, first:].T)
