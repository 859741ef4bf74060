"""Layers of up to 128 features: the weight is one tile, and one pass over the samples makes everything."""

import triton
import triton.language as tl


@triton.jit
def _rows(ptr, start, stop, COLS: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_C: tl.constexpr):
    """Rows start..stop-1 of a table of COLS columns as a tile [BLOCK_R, BLOCK_C], 0 outside."""
    r, c, left = tl.arange(0, BLOCK_R), tl.arange(0, BLOCK_C), tl.minimum(stop - start, BLOCK_R).to(tl.int32)
    inside = (r[:, None] < left) & (c[None, :] < COLS)
    return tl.load(ptr + start * COLS + r[:, None] * COLS + c[None, :], mask=inside, other=0.0)


@triton.jit
def _put_rows(ptr, tile, start, stop, COLS: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_C: tl.constexpr):
    r, c, left = tl.arange(0, BLOCK_R), tl.arange(0, BLOCK_C), tl.minimum(stop - start, BLOCK_R).to(tl.int32)
    inside = (r[:, None] < left) & (c[None, :] < COLS)
    at = ptr + start * COLS + r[:, None] * COLS + c[None, :]
    tl.store(at, tile.to(ptr.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["runs", "samples", "rows"])
def linear_relu_fwd_kernel(
    x_ptr, weight_ptr, bias_ptr, y_ptr, runs, samples, rows,
    I: tl.constexpr, O: tl.constexpr, SHARED: tl.constexpr, BIAS: tl.constexpr, RELU: tl.constexpr,
    PRODUCT: tl.constexpr, PRECISION: tl.constexpr, SUM: tl.constexpr,
    BLOCK_B: tl.constexpr, BLOCK_I: tl.constexpr, BLOCK_O: tl.constexpr,
):  # fmt: skip
    """y = x W^T + b, or with RELU max(0, x W^T + b), of `rows` samples of one run."""
    program = tl.program_id(0).to(tl.int64)
    run, first, zero = program % runs, program // runs * rows, program * 0
    x_ptr += 0 if SHARED else run * samples * I
    y_ptr += run * samples * O
    weight = _rows(weight_ptr + run * O * I, zero, O, I, BLOCK_O, BLOCK_I)
    bias = tl.zeros([BLOCK_O], SUM)
    if BIAS:
        o = tl.arange(0, BLOCK_O)
        bias = tl.load(bias_ptr + run * O + o, mask=o < O, other=0.0).to(SUM)
    for start in range(first, tl.minimum(first + rows, samples), BLOCK_B):
        x = _rows(x_ptr, start, samples, I, BLOCK_B, BLOCK_I)
        y = tl.dot(x, tl.trans(weight), input_precision=PRECISION, out_dtype=SUM) + bias[None, :]
        if RELU:
            y = tl.where(y <= 0, 0.0, y)  # NaN stays NaN
        _put_rows(y_ptr, y, start, samples, O, BLOCK_B, BLOCK_O)


@triton.jit(do_not_specialize=["runs", "samples", "rows", "parts"])
def linear_relu_bwd_kernel(
    x_ptr, weight_ptr, y_ptr, dy_ptr, dx_ptr, part_ptr, runs, samples, rows, parts,
    I: tl.constexpr, O: tl.constexpr, SHARED: tl.constexpr, BIAS: tl.constexpr,
    MASK_OUTPUT: tl.constexpr, MASK_INPUT: tl.constexpr, WANT_DX: tl.constexpr,
    PRODUCT: tl.constexpr, PRECISION: tl.constexpr, SUM: tl.constexpr,
    BLOCK_B: tl.constexpr, BLOCK_I: tl.constexpr, BLOCK_O: tl.constexpr,
):  # fmt: skip
    """dx of one part of one run's samples, and the part's dz^T x and sum dz: part [R, S, O I + O]."""
    program = tl.program_id(0).to(tl.int64)
    run, part, zero = program % runs, program // runs, program * 0
    x_ptr += 0 if SHARED else run * samples * I
    dx_ptr += run * samples * I
    y_ptr += run * samples * O
    dy_ptr += run * samples * O
    weight = tl.zeros([BLOCK_O, BLOCK_I], PRODUCT)
    if WANT_DX:
        weight = _rows(weight_ptr + run * O * I, zero, O, I, BLOCK_O, BLOCK_I)
    dw = tl.zeros([BLOCK_O, BLOCK_I], SUM)
    db = tl.zeros([BLOCK_O], SUM)
    for start in range(part * rows, tl.minimum((part + 1) * rows, samples), BLOCK_B):
        dz = _rows(dy_ptr, start, samples, O, BLOCK_B, BLOCK_O).to(SUM)
        if MASK_OUTPUT:
            y = _rows(y_ptr, start, samples, O, BLOCK_B, BLOCK_O).to(SUM)
            dz = tl.where(y <= 0, 0.0, dz)
        if BIAS:
            db += tl.sum(dz, 0)
        dz = dz.to(PRODUCT)
        x = _rows(x_ptr, start, samples, I, BLOCK_B, BLOCK_I)
        dw = tl.dot(tl.trans(dz), x, dw, input_precision=PRECISION, out_dtype=SUM)
        if WANT_DX:
            dx = tl.dot(dz, weight, input_precision=PRECISION, out_dtype=SUM)
            if MASK_INPUT:
                dx = tl.where(x.to(SUM) <= 0, 0.0, dx)
            _put_rows(dx_ptr, dx, start, samples, I, BLOCK_B, BLOCK_I)
    part_ptr += (run * parts + part) * (O * I + (O if BIAS else 0))
    _put_rows(part_ptr, dw, zero, O, I, BLOCK_O, BLOCK_I)
    if BIAS:
        o = tl.arange(0, BLOCK_O)
        tl.store(part_ptr + O * I + o, db, mask=o < O)
