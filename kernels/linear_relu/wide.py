"""Layers of any size: three products, each with the ReLU's mask applied as it loads its operand."""

# pyright: reportArgumentType=false
# (Triton's types are those of its own Python front end)

import triton
import triton.language as tl


@triton.jit
def _table(
    ptr, runs, rows, COLS: tl.constexpr,
    BLOCK_R: tl.constexpr, BLOCK_C: tl.constexpr, DESCRIPTORS: tl.constexpr,
):  # fmt: skip
    """What `_tile` reads from: a tensor descriptor of [runs, rows, COLS], or the pointer."""
    if DESCRIPTORS:
        return tl.make_tensor_descriptor(
            ptr, [runs, rows, COLS], [rows.to(tl.int64) * COLS, COLS, 1], [1, BLOCK_R, BLOCK_C]
        )
    else:
        return ptr


@triton.jit
def _tile(
    table, run, row, col, rows, COLS: tl.constexpr,
    BLOCK_R: tl.constexpr, BLOCK_C: tl.constexpr, DESCRIPTORS: tl.constexpr,
):  # fmt: skip
    """The tile [BLOCK_R, BLOCK_C] of a table [runs, rows, COLS] at (run, row, col), 0 outside."""
    if DESCRIPTORS:
        return table.load([run.to(tl.int32), row, col]).reshape(BLOCK_R, BLOCK_C)
    else:
        r, c = tl.arange(0, BLOCK_R), tl.arange(0, BLOCK_C)
        inside = (r[:, None] < rows - row) & (c[None, :] < COLS - col)
        start = (run * rows + row) * COLS + col
        return tl.load(table + start + (r[:, None] * COLS + c[None, :]), mask=inside, other=0.0)


@triton.jit
def _operand(
    table, run, at, k, rows, COLS: tl.constexpr, DEPTH_FIRST: tl.constexpr,
    BLOCK: tl.constexpr, BLOCK_K: tl.constexpr, DESCRIPTORS: tl.constexpr,
):  # fmt: skip
    """[BLOCK, BLOCK_K] of an operand that is stored so, or (DEPTH_FIRST) as its transpose."""
    if DEPTH_FIRST:
        return tl.trans(_tile(table, run, k, at, rows, COLS, BLOCK_K, BLOCK, DESCRIPTORS))
    else:
        return _tile(table, run, at, k, rows, COLS, BLOCK, BLOCK_K, DESCRIPTORS)


@triton.jit(do_not_specialize=["runs", "m_size", "k_size", "steps", "parts"])
def linear_relu_product_kernel(
    a_ptr, mask_ptr, b_ptr, bias_ptr, out_mask_ptr, out_ptr, sums_ptr,
    runs, m_size, k_size, steps, parts,
    N: tl.constexpr, A_COLS: tl.constexpr, B_COLS: tl.constexpr,
    A_DEPTH_FIRST: tl.constexpr, B_DEPTH_FIRST: tl.constexpr, SHARED_A: tl.constexpr, SHARED_B: tl.constexpr,
    MASK: tl.constexpr, BIAS: tl.constexpr, RELU: tl.constexpr, MASK_OUT: tl.constexpr, SUMS: tl.constexpr,
    PRODUCT: tl.constexpr, PRECISION: tl.constexpr, SUM: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP: tl.constexpr,
    DESCRIPTORS: tl.constexpr,
):  # fmt: skip
    """out [R, S, M, N] = A B^T of each part of the depth K; with SUMS, sums [R, S, M] of A's rows.

    A is [M, K] and B [N, K], each stored so or DEPTH_FIRST, as its transpose; a part is `steps` times
    BLOCK_K deep. With MASK A is 0 where mask <= 0. Then bias and RELU; with MASK_OUT out is 0 where
    out_mask <= 0. A mask that is NaN lets pass. Each program computes one tile after another; GROUP rows
    of tiles share the L2 cache.
    """
    a_rows = k_size if A_DEPTH_FIRST else m_size
    b_rows = k_size if B_DEPTH_FIRST else tl.full((), N, tl.int32)
    A_R: tl.constexpr = BLOCK_K if A_DEPTH_FIRST else BLOCK_M
    A_C: tl.constexpr = BLOCK_M if A_DEPTH_FIRST else BLOCK_K
    B_R: tl.constexpr = BLOCK_K if B_DEPTH_FIRST else BLOCK_N
    B_C: tl.constexpr = BLOCK_N if B_DEPTH_FIRST else BLOCK_K
    a_table = _table(a_ptr, 1 if SHARED_A else runs, a_rows, A_COLS, A_R, A_C, DESCRIPTORS)
    b_table = _table(b_ptr, 1 if SHARED_B else runs, b_rows, B_COLS, B_R, B_C, DESCRIPTORS)
    mask_table = mask_ptr
    if MASK:
        mask_table = _table(mask_ptr, runs, a_rows, A_COLS, A_R, A_C, DESCRIPTORS)

    TILES_N: tl.constexpr = (N + BLOCK_N - 1) // BLOCK_N
    tiles_m = tl.cdiv(m_size, BLOCK_M)
    in_part = tiles_m * TILES_N
    total = in_part.to(tl.int64) * runs * parts
    for tile in range(tl.program_id(0).to(tl.int64), total, tl.num_programs(0)):
        inside, outside = (tile % in_part).to(tl.int32), tile // in_part
        part, run = (outside % parts).to(tl.int32), outside // parts
        first_m = inside // (GROUP * TILES_N) * GROUP
        together = tl.minimum(tiles_m - first_m, GROUP)
        m = (first_m + inside % (GROUP * TILES_N) % together) * BLOCK_M
        n = inside % (GROUP * TILES_N) // together * BLOCK_N
        a_run, b_run = run * (0 if SHARED_A else 1), run * (0 if SHARED_B else 1)

        total_mn = tl.zeros([BLOCK_M, BLOCK_N], SUM)
        total_m = tl.zeros([BLOCK_M], SUM)
        for step in range(part * steps, tl.minimum((part + 1) * steps, tl.cdiv(k_size, BLOCK_K))):
            k = step * BLOCK_K  # so the compiler sees that it is a multiple
            a = _operand(a_table, a_run, m, k, a_rows, A_COLS, A_DEPTH_FIRST, BLOCK_M, BLOCK_K, DESCRIPTORS)
            if MASK:
                mask = _operand(
                    mask_table, run, m, k, a_rows, A_COLS, A_DEPTH_FIRST, BLOCK_M, BLOCK_K, DESCRIPTORS
                )
                a = tl.where(mask.to(SUM) <= 0, 0.0, a.to(SUM))
            if SUMS and n == 0:
                total_m += tl.sum(a.to(SUM), 1)
            b = _operand(b_table, b_run, n, k, b_rows, B_COLS, B_DEPTH_FIRST, BLOCK_N, BLOCK_K, DESCRIPTORS)
            total_mn = tl.dot(a.to(PRODUCT), tl.trans(b), total_mn, input_precision=PRECISION, out_dtype=SUM)

        rows, cols = m + tl.arange(0, BLOCK_M), n + tl.arange(0, BLOCK_N)
        if BIAS:
            total_mn += tl.load(bias_ptr + run * N + cols, mask=cols < N, other=0.0).to(SUM)[None, :]
        if RELU:
            total_mn = tl.where(total_mn <= 0, 0.0, total_mn)  # NaN stays NaN
        in_out = (rows[:, None] < m_size) & (cols[None, :] < N)
        start = (outside * m_size + m) * N + n
        offsets = tl.arange(0, BLOCK_M)[:, None] * N + tl.arange(0, BLOCK_N)[None, :]
        if MASK_OUT:
            out_mask = tl.load(out_mask_ptr + start + offsets, mask=in_out, other=0.0).to(SUM)
            total_mn = tl.where(out_mask <= 0, 0.0, total_mn)
        tl.store(out_ptr + start + offsets, total_mn.to(out_ptr.dtype.element_ty), mask=in_out)
        if SUMS and n == 0:
            tl.store(sums_ptr + outside * m_size + rows, total_m, mask=rows < m_size)
