"""The second pass of a sum in two passes: no atomics, so repeats agree bit for bit."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..common import launch

BLOCK_S = 256  # parts that a program adds
BLOCK_M = 16  # columns of a program, where there are so many


@triton.jit(do_not_specialize=["parts", "sums", "count"])
def sum_parts_kernel(
    part_ptr, out_ptr, parts, sums, count, M: tl.constexpr, BLOCK_S: tl.constexpr, BLOCK_M: tl.constexpr
):  # fmt: skip
    """part [R, S, M] -> out [R, sums, M]: (run, i, columns) adds BLOCK_S parts and divides by `count`."""
    COLUMNS: tl.constexpr = (M + BLOCK_M - 1) // BLOCK_M
    program = tl.program_id(0).to(tl.int64)
    m = (program % COLUMNS) * BLOCK_M + tl.arange(0, BLOCK_M)
    run, i = program // COLUMNS // sums, program // COLUMNS % sums
    s = i * BLOCK_S + tl.arange(0, BLOCK_S)
    inside = (s[:, None] < parts) & (m[None, :] < M)
    terms = tl.load(part_ptr + (run * parts + s[:, None]) * M + m[None, :], mask=inside, other=0.0)
    total = tl.sum(terms.to(tl.float64), 0) / count
    dtype = out_ptr.dtype.element_ty
    rounded = total if dtype == tl.float64 else total.to(tl.float32).to(dtype)
    tl.store(out_ptr + (run * sums + i) * M + m, rounded, mask=m < M)


def sum_parts(part: Tensor, dtype: torch.dtype, count: int = 1) -> Tensor:
    """Partial sums [R, S, M] -> their sum / count, [R, M] in `dtype`, in an order that depends on S alone.

    They are added in float64, BLOCK_S at a time, in rounds until one is left.
    """
    runs, parts, columns = part.shape
    if part.numel() == 0:
        return part.new_zeros(runs, columns, dtype=dtype)
    sums = launch.parts(parts, BLOCK_S)
    last = sums == 1
    out = part.new_empty(runs, sums, columns, dtype=dtype if last else torch.float64)
    block = min(BLOCK_M, launch.power_of_2(columns))
    programs = runs * sums * launch.parts(columns, block)
    divisor = count if last else 1
    launch.launch(
        sum_parts_kernel, programs, part, out, parts, sums, divisor, columns, BLOCK_S, block, num_warps=4
    )
    return out[:, 0] if last else sum_parts(out, dtype, count)
