"""Quantization to 8 bits on the GPU: the cast and its rounding error, in one pass."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..common import launch

BLOCK = 1024


@triton.jit(do_not_specialize=["size"])
def quantize_kernel(x_ptr, quantized_ptr, error_ptr, size, ERROR: tl.constexpr, BLOCK: tl.constexpr):
    """q = x after a saturating cast to uint8 and back, and with ERROR e = x - q: BLOCK numbers."""
    start = tl.program_id(0).to(tl.int64) * BLOCK
    n = tl.arange(0, BLOCK)
    inside = n < tl.minimum(size - start, BLOCK).to(tl.int32)
    x = tl.load(x_ptr + start + n, mask=inside, other=0.0)
    wide = x if x.dtype == tl.float64 else x.to(tl.float32)
    clamped = tl.where(wide < 0, 0.0, tl.where(wide > 255, 255.0, wide))  # NaN stays NaN
    quantized = tl.floor(clamped)
    tl.store(quantized_ptr + start + n, quantized.to(x.dtype), mask=inside)
    if ERROR:
        tl.store(error_ptr + start + n, (wide - quantized).to(x.dtype), mask=inside)


def quantize_fwd(x: Tensor, wants_error: bool = True) -> tuple[Tensor, Tensor | None]:
    """(q, e) of any shape, as quantize_reference defines them, or (q, None)."""
    x = launch.aligned(x)
    quantized, error = torch.empty_like(x), torch.empty_like(x) if wants_error else None
    if x.numel():
        programs = launch.parts(x.numel(), BLOCK)
        launch.launch(
            quantize_kernel, programs, x, quantized, quantized if error is None else error, x.numel(),
            ERROR=wants_error, BLOCK=BLOCK, num_warps=4,
        )  # fmt: skip
    return quantized, error
