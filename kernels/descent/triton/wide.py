"""The loss and gradient of one run's MLP in Triton whose layers are too wide for registers.

Layers are padded with zeros to WIDTH features, and weights are multiplied in tiles of SIDE x SIDE. The
program's scratch memory holds

- weight_sums and bias_sums, the gradients summed over a CHUNK of samples, and the biases;
- the last layer's outputs, the targets and, where there are any, the weights of a BLOCK of samples;
- the weights, in the format of products;
- the input of each layer [WIDTH, BLOCK], in that format, which its derivative replaces on the way back;
- where the activation is no ReLU, z of each hidden layer, which the slope f'(z) replaces.

A barrier stands between a write by some threads and a read or write by others. Each part is a function that
isn't inlined: in one large function the compiler would keep all addresses in registers. There are barriers
between these functions too, since the compiler doesn't see that one may write to shared memory that
another still reads. place(layer) returns the offset of a layer's weight [O, I] in the parameters, O and I.
"""

# pyright: reportArgumentType=false, reportGeneralTypeIssues=false, reportIndexIssue=false
# pyright: reportOperatorIssue=false
# (Triton's types are those of its own Python front end)

import triton
import triton.language as tl

from ...random.reference import Purpose
from ...random.triton_permutation import samples as permuted
from ...random.triton_words import pair_keys
from .layers import columns, mask_at, mask_of, masked, relu

ROWS = tl.constexpr(16)  # that are copied at a time
DROPOUT = tl.constexpr(int(Purpose.DROPOUT))
SOME = tl.constexpr(32)  # samples whose losses are computed at a time, of up to 64 outputs in float32


@triton.jit
def wide_loss_and_gradient(
    p, c, gradient, scratch, x, t, keys, offset, size, samples, scale, place: tl.constexpr,
    loss: tl.constexpr, PRODUCT: tl.constexpr, PRECISION: tl.constexpr, LAYERS: tl.constexpr,
    BIAS: tl.constexpr, WEIGHTED: tl.constexpr, V: tl.constexpr, T: tl.constexpr, ROWS_T: tl.constexpr,
    WIDTH: tl.constexpr, SIDE: tl.constexpr, MOST: tl.constexpr, OWN: tl.constexpr, BITS: tl.constexpr,
    BLOCK: tl.constexpr, CHUNK: tl.constexpr,
    AT_ONCE: tl.constexpr = 0, activated: tl.constexpr = None, passed_back: tl.constexpr = None,
    drop=None, seed=None, step=None,
):  # fmt: skip
    """scale times the loss, and its gradient: as loss_and_gradient of source.graph_training.

    `drop` points to the rate and the scale of dropout, where there is any.
    """
    SPAN: tl.constexpr = MOST if MOST < BLOCK else BLOCK
    weight_sums, bias_sums = scratch, scratch + LAYERS * WIDTH * WIDTH
    biases = bias_sums + LAYERS * WIDTH
    outputs = biases + LAYERS * WIDTH
    targets = outputs + WIDTH * BLOCK
    sample_weights = targets + WIDTH * BLOCK
    weights = (sample_weights + WEIGHTED * BLOCK).to(tl.pointer_type(PRODUCT), bitcast=True)
    values = weights + LAYERS * WIDTH * WIDTH
    _copy_parameters(p, weights, biases, place, LAYERS, BIAS, WIDTH)
    value = tl.zeros((), tl.float64)
    for chunk in range(0, samples, CHUNK):
        for start in range(chunk, tl.minimum(chunk + CHUNK, samples), BLOCK):
            first, left = start == chunk, tl.minimum(samples - start, BLOCK).to(tl.int32)
            tl.debug_barrier()
            _copy_samples(
                x, t, values, targets, sample_weights, keys, offset + start, size, left, V, ROWS_T, WIDTH,
                WEIGHTED, OWN, BITS, BLOCK,
            )  # fmt: skip
            tl.debug_barrier()
            for layer in range(LAYERS):
                _forward(
                    weights, biases, values, outputs, layer, PRECISION, LAYERS, WIDTH, SIDE, BLOCK, SPAN,
                    activated, drop, seed, step, start,
                )  # fmt: skip
                tl.debug_barrier()
                if activated is not None:
                    _activate(
                        values, biases, place, layer, LAYERS, WIDTH, BLOCK, AT_ONCE, activated, drop, seed,
                        step, start,
                    )  # fmt: skip
                    tl.debug_barrier()
            dy = values + LAYERS * WIDTH * BLOCK
            last_bias = bias_sums + (LAYERS - 1) * WIDTH
            value += _losses(
                outputs, targets, c, sample_weights, dy, last_bias, left, first, loss, T, WIDTH, BLOCK
            )
            tl.debug_barrier()
            for back in range(LAYERS):
                layer = LAYERS - 1 - back
                _add_weight_sums(weight_sums, values, layer, first, PRECISION, WIDTH, SIDE, BLOCK, SPAN)
                if layer > 0:
                    tl.debug_barrier()
                    _backward(
                        weights, values, bias_sums, layer, first, PRECISION, WIDTH, SIDE, BLOCK, SPAN, LAYERS,
                        passed_back, drop,
                    )  # fmt: skip
                    tl.debug_barrier()
        tl.debug_barrier()
        _add_gradient(gradient, weight_sums, bias_sums, place, chunk == 0, scale, LAYERS, BIAS, WIDTH)
    return value * scale


@triton.jit
def _tile(
    ptr, row, column, STRIDE: tl.constexpr, TILE_ROWS: tl.constexpr, TILE_COLUMNS: tl.constexpr
):  # fmt: skip
    """Pointers to a tile of a table whose rows are STRIDE apart."""
    r, c = tl.arange(0, TILE_ROWS)[:, None], tl.arange(0, TILE_COLUMNS)[None, :]
    return ptr + (row * STRIDE + column) + (r * STRIDE + c)


@triton.jit(noinline=True)
def _copy_parameters(
    p, weights, biases, place: tl.constexpr, LAYERS: tl.constexpr, BIAS: tl.constexpr, WIDTH: tl.constexpr
):
    every = tl.arange(0, WIDTH)
    for layer in range(LAYERS):
        first, O, I = place(layer)
        for row in range(0, WIDTH, ROWS):
            o = row + tl.arange(0, ROWS)[:, None]
            w = tl.load(p + first + o * I + every[None, :], mask=(o < O) & (every[None, :] < I), other=0.0)
            tl.store(_tile(weights, layer * WIDTH + row, 0, WIDTH, ROWS, WIDTH), w)
        b = tl.zeros([WIDTH], p.dtype.element_ty)
        if BIAS:
            b = tl.load(p + first + O * I + every, mask=every < O, other=0.0)
        tl.store(biases + layer * WIDTH + every, b)


@triton.jit(noinline=True)
def _copy_samples(
    x, t, values, targets, sample_weights, keys, place, size, left, V: tl.constexpr, ROWS_T: tl.constexpr,
    WIDTH: tl.constexpr, WEIGHTED: tl.constexpr, OWN: tl.constexpr, BITS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Copies `left` samples of x [V, size] and t [ROWS_T, size] from `place` on, the last up to BLOCK."""
    at = place + tl.minimum(tl.arange(0, BLOCK), left - 1)
    if OWN:
        at = permuted(at, keys, size, BITS)
    _copy_rows(x, size, at, values, V, WIDTH)
    _copy_rows(t, size, at, targets, ROWS_T, ROWS_T)
    if WEIGHTED:
        tl.store(sample_weights + tl.arange(0, BLOCK), tl.load(x + V * size + at))


@triton.jit
def _copy_rows(x, size, at, copy, V: tl.constexpr, HEIGHT: tl.constexpr):
    """Copies the samples `at` of x [V, size], and rows of 0 up to HEIGHT."""
    for row in range(0, HEIGHT, ROWS):
        tile = columns(x + row * size, size, at, V - row, ROWS)
        tl.store(_tile(copy, row, 0, at.shape[0], ROWS, at.shape[0]), tile.to(copy.dtype.element_ty))


@triton.jit(noinline=True)
def _forward(
    weights, biases, values, outputs, layer, PRECISION: tl.constexpr, LAYERS: tl.constexpr,
    WIDTH: tl.constexpr, SIDE: tl.constexpr, BLOCK: tl.constexpr, SPAN: tl.constexpr, activated: tl.constexpr,
    drop, seed, step, start,
):  # fmt: skip
    """W a + b of a layer: of the last layer to the outputs; of the others through a ReLU to the next layer's
    input, some of it dropped, or to where `activated` finds it."""
    if drop is not None:
        keys, rate, scale = pair_keys(seed, DROPOUT, step, layer), tl.load(drop), tl.load(drop + 1)
    for o in range(0, WIDTH, SIDE):
        b = tl.load(biases + layer * WIDTH + o + tl.arange(0, SIDE))
        for n in range(0, BLOCK, SPAN):
            z = tl.zeros([SIDE, SPAN], b.dtype) + b[:, None]
            for i in range(0, WIDTH, SIDE):
                w = tl.load(_tile(weights, layer * WIDTH + o, i, WIDTH, SIDE, SIDE))
                a = tl.load(_tile(values, layer * WIDTH + i, n, BLOCK, SIDE, SPAN))
                z = tl.dot(w, a, z, input_precision=PRECISION, out_dtype=z.dtype)
            if layer == LAYERS - 1:
                tl.store(_tile(outputs, o, n, BLOCK, SIDE, SPAN), z)
            elif activated is not None:
                slopes = _slopes(values, z.dtype, LAYERS, WIDTH, BLOCK)
                tl.store(_tile(slopes, layer * WIDTH + o, n, BLOCK, SIDE, SPAN), z)
            else:
                a = relu(z)
                if drop is not None:
                    at = start + n + tl.arange(0, SPAN)
                    a *= mask_of(a, o + tl.arange(0, SIDE), at, keys, rate, scale)
                next_a = _tile(values, (layer + 1) * WIDTH + o, n, BLOCK, SIDE, SPAN)
                tl.store(next_a, a.to(values.dtype.element_ty))


@triton.jit
def _slopes(values, dtype: tl.constexpr, LAYERS: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    """Where z of each hidden layer lies, and then its slopes."""
    return (values + (LAYERS + 1) * WIDTH * BLOCK).to(tl.pointer_type(dtype), bitcast=True)


@triton.jit(noinline=True)
def _activate(
    values, biases, place: tl.constexpr, layer, LAYERS: tl.constexpr, WIDTH: tl.constexpr,
    BLOCK: tl.constexpr, MOST: tl.constexpr, activated: tl.constexpr, drop, seed, step, begin,
):  # fmt: skip
    """f(z) of a hidden layer, some of it dropped, becomes the next layer's input; f'(z) takes the place of
    z."""
    if drop is not None:
        keys, rate, scale = pair_keys(seed, DROPOUT, step, layer), tl.load(drop), tl.load(drop + 1)
    _, O, _ = place(layer)
    NUMBERS: tl.constexpr = WIDTH * BLOCK if WIDTH * BLOCK < MOST else MOST
    z = _slopes(values, biases.dtype.element_ty, LAYERS, WIDTH, BLOCK) + layer * WIDTH * BLOCK
    next_a = values + (layer + 1) * WIDTH * BLOCK
    for start in range(0, tl.where(layer < LAYERS - 1, WIDTH * BLOCK, 0), NUMBERS):
        n = start + tl.arange(0, NUMBERS)
        inside = n < O * BLOCK
        a, slope = activated(tl.load(z + n))
        if drop is not None:
            m = mask_at(n // BLOCK, begin + n % BLOCK, keys, rate, scale)
            a, slope = a * m, masked(slope, m)
        tl.store(next_a + n, tl.where(inside, a, 0.0).to(values.dtype.element_ty))
        tl.debug_barrier()
        tl.store(z + n, tl.where(inside, slope, 0.0))


@triton.jit(noinline=True)
def _losses(
    outputs, targets, c, sample_weights, dy, bias_sums, left, first, loss: tl.constexpr, T: tl.constexpr,
    WIDTH: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The sum of a block's losses, in float64; stores the derivatives dy, and adds them to the last db."""
    dtype: tl.constexpr = outputs.dtype.element_ty
    COUNT: tl.constexpr = SOME // 4 if dtype == tl.float64 else SOME // 2 if WIDTH > 64 else SOME
    total, db = tl.zeros([COUNT], dtype), tl.zeros([WIDTH], dtype)
    for some in range(0, BLOCK, COUNT):
        n = some + tl.arange(0, COUNT)
        y = columns(outputs, BLOCK, n, WIDTH, WIDTH)
        l, part = loss(y, targets, c, sample_weights, BLOCK, n, n < left, T)
        tl.store(_tile(dy, 0, some, BLOCK, WIDTH, COUNT), part.to(dy.dtype.element_ty))
        total += l
        db += tl.sum(part, 1)
    _add(bias_sums + tl.arange(0, WIDTH), db, first)
    return tl.sum(total, 0).to(tl.float64)


@triton.jit(noinline=True)
def _add_weight_sums(
    weight_sums, values, layer, first, PRECISION: tl.constexpr,
    WIDTH: tl.constexpr, SIDE: tl.constexpr, BLOCK: tl.constexpr, SPAN: tl.constexpr,
):  # fmt: skip
    """Adds dz a^T of a layer to its weight's gradient."""
    for o in range(0, WIDTH, SIDE):
        for i in range(0, WIDTH, SIDE):
            at = _tile(weight_sums, layer * WIDTH + o, i, WIDTH, SIDE, SIDE)
            dw = tl.where(first, 0.0, tl.load(at))
            for n in range(0, BLOCK, SPAN):
                dz = tl.load(_tile(values, (layer + 1) * WIDTH + o, n, BLOCK, SIDE, SPAN))
                a = tl.load(_tile(values, layer * WIDTH + i, n, BLOCK, SIDE, SPAN))
                dw = tl.dot(dz, tl.trans(a), dw, input_precision=PRECISION, out_dtype=dw.dtype)
            tl.store(at, dw)


@triton.jit(noinline=True)
def _backward(
    weights, values, bias_sums, layer, first, PRECISION: tl.constexpr,
    WIDTH: tl.constexpr, SIDE: tl.constexpr, BLOCK: tl.constexpr, SPAN: tl.constexpr, LAYERS: tl.constexpr,
    passed_back: tl.constexpr, drop,
):  # fmt: skip
    """dz of the layer before replaces its output a: W^T dz times the slope. Behind a ReLU that is 0 where
    a <= 0; where a is NaN, not 0; with dropout the scale of what was kept."""
    for i in range(0, WIDTH, SIDE):
        db = tl.zeros([SIDE], bias_sums.dtype.element_ty)
        for n in range(0, BLOCK, SPAN):
            at = _tile(values, layer * WIDTH + i, n, BLOCK, SIDE, SPAN)
            if passed_back is None:
                shut = tl.load(at) <= 0
            dx = tl.zeros([SIDE, SPAN], db.dtype)
            for o in range(0, WIDTH, SIDE):
                w = tl.load(_tile(weights, layer * WIDTH + o, i, WIDTH, SIDE, SIDE))
                dz = tl.load(_tile(values, (layer + 1) * WIDTH + o, n, BLOCK, SIDE, SPAN))
                dx = tl.dot(tl.trans(w), dz, dx, input_precision=PRECISION, out_dtype=dx.dtype)
            if passed_back is None:
                if drop is not None:
                    dx *= tl.load(drop + 1)
                da = tl.where(shut, 0.0, dx).to(values.dtype.element_ty)
            else:
                slopes = _slopes(values, db.dtype, LAYERS, WIDTH, BLOCK)
                slope = _tile(slopes, (layer - 1) * WIDTH + i, n, BLOCK, SIDE, SPAN)
                da = passed_back(dx, tl.load(slope)).to(values.dtype.element_ty)
            db += tl.sum(da.to(db.dtype), 1)
            tl.debug_barrier()
            tl.store(at, da)
        _add(bias_sums + (layer - 1) * WIDTH + i + tl.arange(0, SIDE), db, first)


@triton.jit
def _add(at, sums, first):
    """Adds to the sums of the blocks before; those of the first block replace what lies there."""
    total = tl.where(first, 0.0, tl.load(at)) + sums
    tl.debug_barrier()  # several threads may load what one of them stores
    tl.store(at, total)


@triton.jit(noinline=True)
def _add_gradient(
    gradient, weight_sums, bias_sums, place: tl.constexpr, first, scale,
    LAYERS: tl.constexpr, BIAS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Adds the gradient over one chunk of samples, scaled, to that of the chunks before."""
    every = tl.arange(0, WIDTH)
    for layer in range(LAYERS):
        begin, O, I = place(layer)
        for row in range(0, WIDTH, ROWS):
            o = row + tl.arange(0, ROWS)[:, None]
            sums = tl.load(_tile(weight_sums, layer * WIDTH + row, 0, WIDTH, ROWS, WIDTH))
            inside = (o < O) & (every[None, :] < I)
            _add_scaled(gradient + begin + o * I + every[None, :], sums, inside, first, scale)
        if BIAS:
            sums = tl.load(bias_sums + layer * WIDTH + every)
            _add_scaled(gradient + begin + O * I + every, sums, every < O, first, scale)


@triton.jit
def _add_scaled(at, sums, inside, first, scale):
    before = tl.load(at, mask=inside & (first == 0), other=0.0)
    tl.debug_barrier()
    tl.store(at, before + sums.to(tl.float64) * scale, mask=inside)
