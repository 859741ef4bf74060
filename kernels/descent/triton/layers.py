"""Linear layers and losses of one run in Triton, for a block of samples: values are [features, BLOCK].

AT is the offset of a layer's weight [O, I] or bias [O] in the run's parameters. The sides of a tile are
powers of two; it is 0 outside the matrix that it holds. Operands are multiplied in the format PRODUCT,
products summed in the parameters' dtype. dz and dx are derivatives of the loss by z and x.
"""

# pyright: reportArgumentType=false, reportGeneralTypeIssues=false, reportIndexIssue=false
# (Triton's types are those of its own Python front end)

import triton
import triton.language as tl

from ...dropout.kernel import mask
from ...random.triton_words import mixed


@triton.jit
def weight_of(
    p, AT: tl.constexpr, O: tl.constexpr, I: tl.constexpr, BLOCK_O: tl.constexpr, BLOCK_I: tl.constexpr
):
    """A weight [O, I] as a tile."""
    o, i = tl.arange(0, BLOCK_O)[:, None], tl.arange(0, BLOCK_I)[None, :]
    return tl.load(p + AT + o * I + i, mask=(o < O) & (i < I), other=0.0)


@triton.jit
def bias_of(p, AT: tl.constexpr, O: tl.constexpr, BLOCK_O: tl.constexpr):
    """A bias [O] as a tile."""
    o = tl.arange(0, BLOCK_O)
    return tl.load(p + AT + o, mask=o < O, other=0.0)


@triton.jit
def columns(x, size, at, V, BLOCK_V: tl.constexpr):
    """The samples `at` of x [V, size]."""
    v = tl.arange(0, BLOCK_V)[:, None]
    return tl.load(x + v * size + at[None, :], mask=v < V, other=0.0)


@triton.jit
def linear(weight, x, bias, PRODUCT: tl.constexpr, PRECISION: tl.constexpr):
    """W x + b."""
    dtype = weight.dtype
    z = tl.dot(weight.to(PRODUCT), x.to(PRODUCT), input_precision=PRECISION, out_dtype=dtype)
    return z + bias[:, None]


@triton.jit
def relu(z):
    """max(0, z), NaN staying NaN."""
    return tl.where(z <= 0, 0.0, z)


@triton.jit
def linear_of_few(
    p, x, size, at, bias, AT: tl.constexpr, O: tl.constexpr, I: tl.constexpr, PRODUCT: tl.constexpr
):
    """W x + b of the samples `at` of x [I, size]; I is so small that no tiles are multiplied."""
    o = tl.arange(0, bias.shape[0])
    z = tl.zeros([bias.shape[0], at.shape[0]], bias.dtype) + bias[:, None]
    for i in tl.static_range(I):
        w = tl.load(p + AT + o * I + i, mask=o < O, other=0.0)
        z += rounded(w, PRODUCT)[:, None] * rounded(tl.load(x + i * size + at), PRODUCT)[None, :]
    return z


@triton.jit
def rounded(x, PRODUCT: tl.constexpr):
    """x rounded to PRODUCT, in the dtype of x."""
    return x.to(PRODUCT).to(x.dtype)


@triton.jit
def product(a, b):
    """a b, rounded, so that it isn't fused with the sum: threads that sum in another order would differ."""
    return tl.fma(a, b, tl.zeros(a.shape, a.dtype))


@triton.jit
def weight_gradient(total, dz, x, PRODUCT: tl.constexpr, PRECISION: tl.constexpr):
    """total + dz x^T, the gradient of W summed over samples."""
    return tl.dot(
        dz.to(PRODUCT), tl.trans(x.to(PRODUCT)), total, input_precision=PRECISION, out_dtype=total.dtype
    )


@triton.jit
def weight_gradient_of_few(total, dz, x, size, at, I: tl.constexpr, PRODUCT: tl.constexpr):
    """total + dz x^T of the samples `at` of x [I, size], as linear_of_few."""
    column = tl.arange(0, total.shape[1])[None, :]
    dz = rounded(dz, PRODUCT)
    for i in tl.static_range(I):
        row = rounded(tl.load(x + i * size + at), PRODUCT)[None, :]
        sums = tl.sum(product(dz, tl.broadcast_to(row, dz.shape)), 1)
        total += tl.where(column == i, sums[:, None], 0.0)
    return total


@triton.jit
def input_gradient(weight, dz, x, PRODUCT: tl.constexpr, PRECISION: tl.constexpr, scale=None):
    """dz of the layer before, whose ReLU made x: W^T dz, 0 where x <= 0; where x is NaN, not 0.

    Where x was dropped it is 0, and dz too; with dropout dz is multiplied by the scale of what was kept.
    """
    dx = input_derivative(weight, dz, PRODUCT, PRECISION)
    if scale is not None:
        dx = dx * scale
    return rounded(tl.where(x <= 0, 0.0, dx), PRODUCT)


@triton.jit
def mask_of(x, o, n, keys, rate, scale):
    """The mask of dropout for a tile x: of the features o and the samples at n of the minibatch."""
    return tl.broadcast_to(mask_at(o[:, None], n[None, :], keys, rate, scale), x.shape)


@triton.jit
def mask_at(o, n, keys, rate, scale):
    """The mask of dropout of the features o and the samples at n of the minibatch, broadcast."""
    return mask(mixed(n.to(tl.uint32) ^ keys[0]), mixed(o.to(tl.uint32) ^ keys[1]), rate, scale)


@triton.jit
def masked(slope, mask):
    """slope mask, and 0 where the mask is 0, even if the slope is infinite."""
    return tl.where(mask == 0, 0.0, slope * mask)


@triton.jit
def first_rows(x, O: tl.constexpr):
    """x, but 0 behind its first O rows."""
    return tl.where(tl.arange(0, x.shape[0])[:, None] < O, x, 0.0)


@triton.jit
def input_derivative(weight, dz, PRODUCT: tl.constexpr, PRECISION: tl.constexpr):
    """W^T dz."""
    return tl.dot(
        tl.trans(weight.to(PRODUCT)), dz.to(PRODUCT), input_precision=PRECISION, out_dtype=weight.dtype
    )


@triton.jit
def cross_entropy(
    y, t, c, w, size, at, inside, T: tl.constexpr, SMOOTHED: tl.constexpr, WEIGHTED: tl.constexpr
):
    """log sum exp(y) - y_t of each sample, and its derivatives softmax(y) - (1 at t).

    SMOOTHED: c points to the label smoothing s, and (1 - s) y_t + s mean(y) stands for y_t. WEIGHTED: both
    are multiplied by the samples' weights w.
    """
    k = tl.arange(0, y.shape[0])[:, None]
    hit = k == tl.load(t + at).to(tl.int32)[None, :]
    y = tl.where(k < T, y, float("-inf"))
    top = tl.max(y, 0)
    exps = tl.exp(y - top[None, :])
    sum_of_exp = tl.sum(exps, 0)
    chosen, wanted = tl.sum(tl.where(hit, y, 0.0), 0), tl.where(hit, 1.0, 0.0)
    if SMOOTHED:
        smoothing = tl.load(c)
        share, rest = smoothing / T, 1.0 - smoothing
        chosen = rest * chosen + share * tl.sum(tl.where(k < T, y, 0.0), 0)
        wanted = tl.where(k < T, rest * wanted + share, 0.0)
    loss = tl.log(sum_of_exp) + top - chosen
    dy = exps / sum_of_exp[None, :] - wanted
    if WEIGHTED:
        weight = tl.load(w + at)
        loss, dy = loss * weight, dy * weight[None, :]
    return tl.where(inside, loss, 0.0), tl.where(inside[None, :], dy, 0.0)


@triton.jit
def add_weight(gradient, AT: tl.constexpr, O: tl.constexpr, I: tl.constexpr, sums, chunk, scale):
    """Adds a weight's gradient over one chunk of samples, scaled, to that of the chunks before."""
    o, i = tl.arange(0, sums.shape[0])[:, None], tl.arange(0, sums.shape[1])[None, :]
    inside = (o < O) & (i < I)
    _add(gradient + AT + o * I + i, sums, inside, chunk, scale)


@triton.jit
def add_bias(gradient, AT: tl.constexpr, O: tl.constexpr, sums, chunk, scale):
    """As add_weight, of a bias."""
    o = tl.arange(0, sums.shape[0])
    _add(gradient + AT + o, sums, o < O, chunk, scale)


@triton.jit
def _add(at, sums, inside, chunk, scale):
    before = tl.load(at, mask=inside & (chunk > 0), other=0.0)
    tl.debug_barrier()  # several threads may load what one of them stores
    tl.store(at, before + sums.to(tl.float64) * scale, mask=inside)
