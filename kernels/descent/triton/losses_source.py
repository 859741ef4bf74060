"""A loss -> the Triton source text of sample_loss, the loss of an MLP's outputs in a block of samples."""

from ...equations.losses import OUTPUT, TARGET, Loss
from ...expression.statements import BOTH, INPUTS, PARAMETERS, indented, statements
from ...expression.triton_table import NUMBER, TRITON
from ...language.expr import walk

FORMULA = """
@triton.jit
def sample_loss(y, t, c, w, size, at, inside, T: tl.constexpr):
    dtype: tl.constexpr = y.dtype
    counts = inside[None, :] & (tl.arange(0, y.shape[0])[:, None] < T)
    zero = tl.zeros(y.shape, dtype)
    one = zero + 1.0
    target = columns(t, size, at, T, y.shape[0])
{lines}
    return tl.sum(tl.where(counts, {value}, zero), 0), tl.where(counts, {slope}, zero)
"""

CLASSES = """
@triton.jit
def sample_loss(y, t, c, w, size, at, inside, T: tl.constexpr):
    return cross_entropy(y, t, c, w, size, at, inside, T, {smoothed}, {weighted})
"""


def loss_source(loss: Loss) -> str:
    """sample_loss(y, t, c, w, size, at, inside, T): the loss [BLOCK] of outputs y, and its derivatives.

    y is a tile of T rows and more, t [T, size] or classes [size], c the loss's constants, and w the weights,
    of which those of the samples `at` are read where the loss is weighted. Samples that are not `inside`, and
    rows from T on, add nothing.

    >>> from packtrain.kernels.descent.triton.losses_source import loss_source
    >>> from packtrain.kernels.loss import loss_of
    >>> "y0_2 = y - target" in loss_source(loss_of("mse"))
    True
    """
    if loss.of_classes:
        return CLASSES.format(smoothed=bool(loss.constants), weighted=loss.weighted)
    constants = {leaf: f"c{i}" for i, leaf in enumerate(loss.leaves)}
    texts = {OUTPUT: "y", TARGET: "target"} | constants
    levels = dict.fromkeys(texts, PARAMETERS) | {OUTPUT: BOTH, TARGET: INPUTS}
    lines = [f"{name} = tl.load(c + {i})" for i, name in enumerate(constants.values())]
    for level in statements(walk(loss.value, loss.slope), texts, levels, TRITON, NUMBER, "y0_"):
        lines += level
    value, slope = texts[loss.value], texts[loss.slope]
    if loss.weighted:
        lines.append("weight = tl.load(w + at)[None, :]")
        value, slope = f"{value} * weight", f"{slope} * weight"
    return FORMULA.format(lines=indented(lines, 1), value=value, slope=slope)
