"""The second pass of a two-pass sum: no atomics, so repeats agree bit for bit."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..common import launch

BLOCK_S = 256  # parts that one program adds
BLOCK_M = 16  # columns of one program, where there are so many


@triton.jit(do_not_specialize=["parts", "kept", "count"])
def sum_parts_kernel(
    part_ptr, out_ptr, parts, kept, count, M: tl.constexpr, BLOCK_S: tl.constexpr, BLOCK_M: tl.constexpr
):  # fmt: skip
    """part [R, S, M] -> out [R, kept, M]: (run, i, columns) adds BLOCK_S parts and divides by `count`."""
    COLUMNS: tl.constexpr = (M + BLOCK_M - 1) // BLOCK_M
    program = tl.program_id(0).to(tl.int64)
    m = (program % COLUMNS) * BLOCK_M + tl.arange(0, BLOCK_M)
    run, i = program // COLUMNS // kept, program // COLUMNS % kept
    s = i * BLOCK_S + tl.arange(0, BLOCK_S)
    inside = (s[:, None] < parts) & (m[None, :] < M)
    found = tl.load(part_ptr + (run * parts + s[:, None]) * M + m[None, :], mask=inside, other=0.0)
    total = tl.sum(found.to(tl.float64), 0) / count
    dtype = out_ptr.dtype.element_ty
    rounded = total if dtype == tl.float64 else total.to(tl.float32).to(dtype)
    tl.store(out_ptr + (run * kept + i) * M + m, rounded, mask=m < M)


def sum_parts(part: Tensor, dtype: torch.dtype, count: int = 1) -> Tensor:
    """Partial sums [R, S, M] -> their sum over `count`, [R, M] in `dtype`, in an order that S alone decides.

    Added in float64, BLOCK_S parts at a time, round after round until one is left.
    """
    runs, parts, columns = part.shape
    if part.numel() == 0:
        return part.new_zeros(runs, columns, dtype=dtype)
    kept = launch.parts(parts, BLOCK_S)
    last = kept == 1
    out = part.new_empty(runs, kept, columns, dtype=dtype if last else torch.float64)
    block = min(BLOCK_M, launch.power_of_2(columns))
    programs = runs * kept * launch.parts(columns, block)
    divisor = count if last else 1
    launch.launch(
        sum_parts_kernel, programs, part, out, parts, kept, divisor, columns, BLOCK_S, block, num_warps=4
    )
    return out[:, 0] if last else sum_parts(out, dtype, count)
