"""Dropout on the GPU: each number times its mask, which is computed on the way there and on the way back."""

# pyright: reportOperatorIssue=false, reportArgumentType=false, reportIndexIssue=false
# (Triton's types are those of its own Python front end)

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..common import launch
from ..random.triton_words import mixed

BLOCK = 1024  # numbers of a program's tile
MOST_COLUMNS = 128  # of a tile


@triton.jit
def mask(rows, columns, rate, scale):
    """scale where a pair is kept, else 0: rows and columns are mixed(n ^ k0) and mixed(o ^ k1)."""
    drawn = (mixed(rows + columns) >> 8).to(tl.int32).to(rate.dtype) * (1.0 / 16777216)
    return tl.where(drawn >= rate, scale, 0.0)


@triton.jit(do_not_specialize=["samples", "parts"])
def dropout_kernel(
    x_ptr, y_ptr, key_ptr, rate_ptr, scale_ptr, samples, parts,
    FEATURES: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """y = x times its mask, of ROWS samples of one run."""
    program = tl.program_id(0).to(tl.int64)
    run, first = program // parts, program % parts * ROWS
    rate, scale = tl.load(rate_ptr + run), tl.load(scale_ptr + run)
    n = first + tl.arange(0, ROWS)
    rows = mixed(n.to(tl.uint32) ^ tl.load(key_ptr + 2 * run).to(tl.uint32))
    key = tl.load(key_ptr + 2 * run + 1).to(tl.uint32)
    for start in range(0, FEATURES, COLUMNS):
        o = start + tl.arange(0, COLUMNS)
        at = (run * samples + n)[:, None] * FEATURES + o[None, :]
        inside = (n < samples)[:, None] & (o < FEATURES)[None, :]
        x = tl.load(x_ptr + at, mask=inside, other=0.0)
        columns = mixed(o.to(tl.uint32) ^ key)
        tl.store(y_ptr + at, x * mask(rows[:, None], columns[None, :], rate, scale), mask=inside)


def dropout_fwd(x: Tensor, keys: Tensor, rates: Tensor, scales: Tensor) -> Tensor:
    """x [R, N, O] times the mask of mask_reference. Raises UserError on a CPU."""
    launch.check_device(x, "dropout's Triton kernel", "backend='reference'")
    x, (runs, samples, features) = launch.aligned(x), x.shape
    y = torch.empty_like(x)
    if x.numel():
        columns = min(MOST_COLUMNS, launch.power_of_2(features))
        parts = launch.parts(samples, BLOCK // columns)
        launch.launch(
            dropout_kernel, runs * parts, x, y, keys.contiguous(), rates, scales, samples, parts,
            FEATURES=features, ROWS=BLOCK // columns, COLUMNS=columns, num_warps=4,
        )  # fmt: skip
    return y
