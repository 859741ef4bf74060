"""Linear layers and losses of one run in Numba, for a block of samples: values are [features, samples].

Samples lie side by side, so that every inner loop runs over them. `weight` and `bias` are the offsets of a
layer's weight [O, I] and bias [O] in the run's parameters p; -1 for no bias. dz and dx are derivatives of the
loss by z and x.
"""

from math import exp, isnan, log

from numba import njit

TOGETHER = 8  # sums of up to 10,000 classes: their product doesn't overflow float32

exact = njit(error_model="numpy", fastmath={"contract"})
summed = njit(error_model="numpy", fastmath={"contract", "reassoc", "arcp", "nsz"})


@exact
def forward(p, weight, bias, x, y, relu):
    """y = W x + b, or max(0, W x + b) with `relu`, NaN staying NaN; four features at a time."""
    zero = p.dtype.type(0.0)
    features = x.shape[0]
    for o in range(y.shape[0]):
        at = weight + o * features
        start = p[bias + o] if bias >= 0 else zero
        for n in range(y.shape[1]):
            y[o, n] = start
        for i in range(0, features - features % 4, 4):
            w0, w1, w2, w3 = p[at + i], p[at + i + 1], p[at + i + 2], p[at + i + 3]
            for n in range(y.shape[1]):
                y[o, n] += w0 * x[i, n] + w1 * x[i + 1, n] + w2 * x[i + 2, n] + w3 * x[i + 3, n]
        for i in range(features - features % 4, features):
            w0 = p[at + i]
            for n in range(y.shape[1]):
                y[o, n] += w0 * x[i, n]
        if relu:
            for n in range(y.shape[1]):
                y[o, n] = y[o, n] if y[o, n] > zero or isnan(y[o, n]) else zero


@summed
def backward(p, weight, bias, x, dz, gradient):
    """Writes dW = dz x^T and db = sum dz into `gradient`, laid out as p."""
    features = x.shape[0]
    for o in range(dz.shape[0]):
        for i in range(features):
            total = p.dtype.type(0.0)
            for n in range(dz.shape[1]):
                total += dz[o, n] * x[i, n]
            gradient[weight + o * features + i] = total
        if bias >= 0:
            total = p.dtype.type(0.0)
            for n in range(dz.shape[1]):
                total += dz[o, n]
            gradient[bias + o] = total


@exact
def to_inputs(p, weight, x, dz, dx):
    """dz of the layer before, whose ReLU made x: W^T dz, 0 where x <= 0; where x is NaN, not 0."""
    zero = p.dtype.type(0.0)
    features = x.shape[0]
    for i in range(features):
        for n in range(dx.shape[1]):
            dx[i, n] = zero
        for o in range(dz.shape[0]):
            w = p[weight + o * features + i]
            for n in range(dx.shape[1]):
                dx[i, n] += w * dz[o, n]
        for n in range(dx.shape[1]):
            dx[i, n] = zero if x[i, n] <= zero else dx[i, n]


@summed
def squared_errors(y, t, dz):
    """sum (y - t)^2, and its derivatives 2 (y - t)."""
    total = y.dtype.type(0.0)
    for k in range(y.shape[0]):
        for n in range(y.shape[1]):
            error = y[k, n] - t[k, n]
            total += error * error
            dz[k, n] = error + error
    return total


@exact
def cross_entropy(y, t, dz):
    """sum log sum exp(y) - y_t, and its derivatives softmax(y) - (1 at t).

    One logarithm serves TOGETHER samples: that of the product of their sums of exp(y - max y), each from 1 to
    the number of classes.
    """
    one, total = y.dtype.type(1.0), y.dtype.type(0.0)
    product = one
    for n in range(y.shape[1]):
        top = y[0, n]
        for k in range(1, y.shape[0]):
            top = top if top > y[k, n] else y[k, n]
        sum_of_exp = y.dtype.type(0.0)
        for k in range(y.shape[0]):
            dz[k, n] = exp(y[k, n] - top)
            sum_of_exp += dz[k, n]
        for k in range(y.shape[0]):
            dz[k, n] /= sum_of_exp
        product *= sum_of_exp
        if n % TOGETHER == TOGETHER - 1:
            total += log(product)
            product = one
        total += top - y[t[0, n], n]
        dz[t[0, n], n] -= one
    return total + log(product)
