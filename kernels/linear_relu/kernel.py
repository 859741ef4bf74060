"""Linear layers with ReLU on the GPU: the launchers of their kernels, as operators of torch.

The kernels are in narrow.py and wide.py, how they are cut up is in tiles.py. Only the output of a layer's
ReLU is kept: the gradient is 0 where that is at most 0, and passes where it is NaN.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..common import launch
from ..sums.kernel import sum_parts
from . import tiles
from .narrow import linear_relu_bwd_kernel, linear_relu_fwd_kernel
from .wide import linear_relu_product_kernel

PROGRAMS_A_PROCESSOR = 4
GROUP = 8  # rows of tiles that are computed together, so that they find their operands in the L2 cache

STAGES = 3  # of the narrow kernels' pipelines

# What autotuning may choose for the products of wide layers: nothing here changes the order of a sum.
LOADS = [
    triton.Config({"DESCRIPTORS": by_descriptor}, num_stages=stages, num_warps=None)  # pyright: ignore
    for by_descriptor, stages in ((False, 3), (True, 3), (True, 4))
]


def _loads(configs: list[triton.Config], named: dict[str, Any], **meta: Any) -> list[triton.Config]:
    """Those of LOADS that are possible: tensor descriptors need a Hopper GPU and rows of whole 16 bytes."""
    rows = [(named["a_ptr"], meta["A_COLS"]), (named["b_ptr"], meta["B_COLS"])]
    whole = all(table.element_size() * columns % launch.ALIGNMENT == 0 for table, columns in rows)
    possible = whole and launch.has_tensor_descriptors(named["a_ptr"])
    return [config for config in configs if possible or not config.kwargs["DESCRIPTORS"]]


_product = launch.tuned(
    linear_relu_product_kernel,
    LOADS,
    ["N", "A_COLS", "B_COLS", "A_DEPTH_FIRST", "B_DEPTH_FIRST", "MASK", "PRECISION"],
    _loads,
)


def _format(product: str, dtype: torch.dtype) -> dict[str, Any]:
    """The kernels' arguments that say how operands of `dtype` are multiplied and summed."""
    return {
        "PRODUCT": launch.DTYPES[dtype],
        "PRECISION": "tf32" if product == "tf32" and dtype == torch.float32 else "ieee",
        "SUM": tl.float64 if dtype == torch.float64 else tl.float32,
    }


@torch.library.custom_op("packtrain::linear_relu_fwd", mutates_args=())
def linear_relu_fwd(
    x: Tensor, weight: Tensor, bias: Tensor | None, relu: bool, product: str, dtype: torch.dtype
) -> Tensor:
    """y = x W^T + b, or max(0, x W^T + b) with `relu`: x [B, I] or [R, B, I] -> y [R, B, O] in `dtype`.

    weight [R, O, I] is rounded to the dtype of x; bias [R, O] or None.
    """
    runs, outputs, features = weight.shape
    samples = x.shape[-2]
    y = x.new_empty(runs, samples, outputs, dtype=dtype)
    if not y.numel():
        return y
    x, weight = launch.aligned(x), launch.aligned(weight.to(x.dtype))
    bias = None if bias is None else launch.aligned(bias)
    how = _format(product, x.dtype)
    tile = tiles.forward_tile(how["PRECISION"], x.itemsize, features, outputs)
    if tile is None:
        _multiply(x, weight, y, samples, features, how, bias=bias, relu=relu)
        return y
    programs = max(1, PROGRAMS_A_PROCESSOR * launch.processors(x) // runs)
    rows = launch.round_up(launch.parts(samples, programs), tile.rows)
    launch.launch(
        linear_relu_fwd_kernel, runs * launch.parts(samples, rows),
        x, weight, weight if bias is None else bias, y, runs, samples, rows,
        I=features, O=outputs, SHARED=x.dim() == 2, BIAS=bias is not None, RELU=relu, **how,
        BLOCK_B=tile.rows, BLOCK_I=launch.padded(features), BLOCK_O=launch.padded(outputs),
        num_warps=tile.warps, num_stages=STAGES,
    )  # fmt: skip
    return y


@linear_relu_fwd.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor | None, relu: bool, product: str, dtype: torch.dtype) -> Tensor:
    return x.new_empty(weight.shape[0], x.shape[-2], weight.shape[1], dtype=dtype)


@torch.library.custom_op("packtrain::linear_relu_bwd", mutates_args=())
def linear_relu_bwd(
    x: Tensor,
    weight: Tensor,
    y: Tensor | None,
    dy: Tensor,
    mask_input: bool,
    want_dx: bool,
    want_db: bool,
    product: str,
) -> tuple[Tensor, Tensor]:
    """dx = dz W [R, B, I], and dW = dz^T x beside db = sum dz [R, O I (+ O)], of dz = dy, 0 where y <= 0.

    Without y, dz = dy. With `mask_input` dx is 0 where x <= 0: the backward pass of the ReLU that made x.
    dx is empty unless `want_dx`, db is left out unless `want_db`. Sums are of parts, cut by B alone and
    added in order.
    """
    runs, outputs, features = weight.shape
    dx = x.new_empty((runs, x.shape[-2], features) if want_dx else 0)
    if dy.numel() == 0:
        return dx, weight.new_zeros(runs, outputs * (features + want_db))
    dtype = weight.dtype
    x, weight, dy = launch.aligned(x), launch.aligned(weight.to(x.dtype)), launch.aligned(dy)
    y = None if y is None else launch.aligned(y)
    how = _format(product, x.dtype)
    tile = tiles.backward_tile(
        how["PRECISION"], x.itemsize, dy.itemsize, features, outputs, launch.has_tensor_descriptors(x)
    )
    if tile is not None:
        return dx, _bwd_in_one_pass(x, weight, y, dy, dx, mask_input, want_db, tile, how, dtype)
    return dx, _bwd_by_products(x, weight, y, dy, dx, mask_input, want_db, how, dtype)


@linear_relu_bwd.register_fake
def _(
    x: Tensor,
    weight: Tensor,
    y: Tensor | None,
    dy: Tensor,
    mask_input: bool,
    want_dx: bool,
    want_db: bool,
    product: str,
) -> tuple[Tensor, Tensor]:
    runs, outputs, features = weight.shape
    dx = x.new_empty((runs, x.shape[-2], features) if want_dx else 0)
    return dx, weight.new_empty(runs, outputs * (features + want_db))


def _bwd_in_one_pass(
    x: Tensor,
    weight: Tensor,
    y: Tensor | None,
    dy: Tensor,
    dx: Tensor,
    mask_input: bool,
    want_db: bool,
    tile: tiles.Tile,
    how: dict[str, Any],
    dtype: torch.dtype,
) -> Tensor:
    runs, outputs, features = weight.shape
    samples = x.shape[-2]
    rows = tiles.part_rows(samples, tile.rows)
    parts = launch.parts(samples, rows)
    part = x.new_empty(runs, parts, outputs * (features + want_db), dtype=_sum_dtype(how))
    launch.launch(
        linear_relu_bwd_kernel, runs * parts,
        x, weight, dy if y is None else y, dy, dx, part, runs, samples, rows, parts,
        I=features, O=outputs, SHARED=x.dim() == 2, BIAS=want_db,
        MASK_OUTPUT=y is not None, MASK_INPUT=mask_input, WANT_DX=dx.numel() > 0, **how,
        BLOCK_B=tile.rows, BLOCK_I=launch.padded(features), BLOCK_O=launch.padded(outputs),
        num_warps=tile.warps, num_stages=STAGES,
    )  # fmt: skip
    return sum_parts(part, dtype)


def _bwd_by_products(
    x: Tensor,
    weight: Tensor,
    y: Tensor | None,
    dy: Tensor,
    dx: Tensor,
    mask_input: bool,
    want_db: bool,
    how: dict[str, Any],
    dtype: torch.dtype,
) -> Tensor:
    runs, outputs, features = weight.shape
    samples = x.shape[-2]
    if dx.numel():
        _multiply(
            dy, weight, dx, samples, outputs, how,
            b_depth_first=True, mask=y, out_mask=x if mask_input else None,
        )  # fmt: skip
    tile = tiles.product_tile(how["PRECISION"], x.itemsize, dy.itemsize, launch.has_tensor_descriptors(x))
    depth = tiles.part_rows(
        samples, tile.depth, launch.parts(outputs, tile.rows) * launch.parts(features, tile.cols)
    )
    parts = launch.parts(samples, depth)
    part = x.new_empty(runs * parts, outputs, features, dtype=_sum_dtype(how))
    sums = part.new_empty(runs, parts, outputs) if want_db else None
    _multiply(
        dy, x, part, outputs, samples, how,
        a_depth_first=True, b_depth_first=True, mask=y, part_depth=depth, sums=sums, runs=runs,
    )  # fmt: skip
    dw = sum_parts(part.view(runs, parts, -1), dtype)
    return dw if sums is None else torch.cat([dw, sum_parts(sums, dtype)], 1)


def _multiply(
    a: Tensor,
    b: Tensor,
    out: Tensor,
    m: int,
    k: int,
    how: dict[str, Any],
    a_depth_first: bool = False,
    b_depth_first: bool = False,
    mask: Tensor | None = None,
    bias: Tensor | None = None,
    relu: bool = False,
    out_mask: Tensor | None = None,
    part_depth: int | None = None,
    sums: Tensor | None = None,
    runs: int | None = None,
) -> None:
    """out [R, S, M, N] = A B^T: see linear_relu_product_kernel."""
    n = out.shape[-1]
    tile = tiles.product_tile(how["PRECISION"], b.itemsize, a.itemsize, launch.has_tensor_descriptors(a))
    runs, depth = runs or len(out), part_depth or launch.round_up(k, tile.depth)
    parts = launch.parts(k, depth)
    count = runs * parts * launch.parts(m, tile.rows) * launch.parts(n, tile.cols)
    if a.device.type == "cuda":
        if launch.has_tensor_descriptors(a):
            triton.set_allocator(_scratch)
        count = min(count, tile.programs_a_processor * launch.processors(a))
    launch.launch(
        _product, count,
        a, a if mask is None else mask, b, a if bias is None else bias, a if out_mask is None else out_mask,
        out, out if sums is None else sums, runs, m, k, launch.parts(depth, tile.depth), parts,
        N=n, A_COLS=a.shape[-1], B_COLS=b.shape[-1], A_DEPTH_FIRST=a_depth_first, B_DEPTH_FIRST=b_depth_first,
        SHARED_A=a.dim() == 2, SHARED_B=b.dim() == 2, MASK=mask is not None, BIAS=bias is not None, RELU=relu,
        MASK_OUT=out_mask is not None, SUMS=sums is not None, **how,
        BLOCK_M=tile.rows, BLOCK_N=tile.cols, BLOCK_K=tile.depth, GROUP=GROUP,
        num_warps=tile.warps,
    )  # fmt: skip


def _scratch(size: int, alignment: int, stream: int | None) -> Tensor:
    """Where a kernel keeps its tensor descriptors."""
    return torch.empty(size, dtype=torch.int8, device="cuda")


def _sum_dtype(how: dict[str, Any]) -> torch.dtype:
    return torch.float64 if how["SUM"] is tl.float64 else torch.float32
