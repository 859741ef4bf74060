"""An MLP and a loss -> the Triton source text of one step's loss and gradient, which kernel.py calls."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...activation.triton_source import registers
from ...common.launch import padded
from ...equations.activations import RELU, Activation
from ...equations.losses import Loss
from ...expression.statements import indented
from ...random import Purpose
from .network import LANES, Layer, Network, layers_of
from .source import Cut, Training
from .wide_source import wide_training


@dataclass(frozen=True)
class RegisterTile:
    """The cut of an MLP whose values stay in registers: weights, activations and sums, each a tile.

    It compiles without spills for up to `layers` layers, `inputs` inputs, and `values` of an activation at
    once, if that calls what the rows of ACTIVATIONS call.
    """

    cut: Cut
    layers: int
    inputs: int
    values: int


# By (product, side of the largest tile), found by compiling for sm_80 and sm_90, with an order of each run's
# own. Any other MLP would spill, and keeps its values in scratch memory.
REGISTER_TILES = {
    ("ieee", 16): RegisterTile(Cut(32, 8), 3, 16, 4),
    ("ieee", 32): RegisterTile(Cut(16, 8), 3, 32, 4),
    ("bf16", 16): RegisterTile(Cut(32, 4), 2, 2, 3),
    ("tf32", 16): RegisterTile(Cut(32, 4), 2, 2, 3),
}


DROPPED = """

from packtrain.kernels.descent.triton.layers import mask_of, masked
from packtrain.kernels.random.triton_words import pair_keys

"""


LAYERS = '''"""Generated from an MLP; the file is named after this text."""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from packtrain.kernels.descent.triton.layers import (
    add_bias, add_weight, bias_of, columns, input_gradient, linear, linear_of_few, relu, weight_of,
    weight_gradient, weight_gradient_of_few, cross_entropy,
)
from packtrain.kernels.random.triton_permutation import samples as permuted

{functions}

@triton.jit
def loss_and_gradient(
    p, c, gradient, scratch, x, t, keys, offset, size, samples, scale, seed, step, P: tl.constexpr,
    LANES: tl.constexpr, OWN: tl.constexpr, BITS: tl.constexpr, EVEN: tl.constexpr, BLOCK: tl.constexpr,
    CHUNK: tl.constexpr,
):
    dtype: tl.constexpr = p.dtype.element_ty
    n = tl.arange(0, BLOCK)
{noise}
    value = tl.zeros((), tl.float64)
    for chunk in range(0, samples, CHUNK):
        total = tl.zeros([BLOCK], dtype)
{zeros}
        for start in range(chunk, tl.minimum(chunk + CHUNK, samples), BLOCK):
            inside = n < samples - start
            at = tl.minimum(start + n, samples - 1)
            if OWN:
                at = permuted(offset + at, keys, size, BITS)
{loop}
        value += tl.sum(total, 0).to(tl.float64)
{sums}
    return value * scale
'''


def layers_training(
    widths: Sequence[int],
    bias: bool,
    loss: Loss,
    product: str = "ieee",
    itemsize: int = 4,
    activation: Activation = RELU,
    dropout: bool = False,
) -> Training:
    """The module that defines loss_and_gradient(...) of an MLP, as that of graph_training.

    With `dropout` the numbers at c end with the rate and the scale of what is kept; how the work is cut
    doesn't depend on it.

    Operands of products are rounded to the format `product`; "ieee" is the parameters' own, of `itemsize`
    bytes. If its values fit into registers, the layers are written out one after another; else wide.py loops
    over them. A weight's gradient is summed in the parameters' precision over each CHUNK of samples, and in
    float64 over the chunks. The last block is filled up with its last sample, whose derivatives are 0 there.

    >>> from packtrain.kernels.descent.triton.layers_source import layers_training
    >>> from packtrain.kernels.loss import loss_of
    >>> [layers_training([2, width, 1], True, loss_of("mse")).scratch for width in (32, 33)]
    [0, 57600]
    """
    product = "fp64" if itemsize == 8 else product
    network = Network(layers_of(widths, bias), loss, product, activation, dropout)
    tile = _register_tile(widths, network)
    if not tile:
        return wide_training(network)
    layers, last = network.layers, len(network.layers)
    loop = [line for layer in layers for line in _forward(layer, network)]
    given = f"z{last}, t, c, x + {widths[0]} * size, size, at, inside, {widths[-1]}"
    loop += [f"l, d{last} = sample_loss({given})", "total += l"]
    loop += [line for layer in reversed(layers) for line in _backward(layer, network)]
    source = LAYERS.format(
        functions=network.functions + DROPPED * dropout,
        noise=indented(_noise(network) if dropout else [], 1),
        zeros=indented([line for layer in layers for line in _zeros(layer)], 2),
        loop=indented(loop, 3),
        sums=indented([line for layer in layers for line in _sums(layer)], 2),
    )
    return Training(source, tile.cut, tile.cut, LANES)


def _noise(network: Network) -> list[str]:
    """What a step's masks are made of: the rate and the scale, and the keys of each hidden layer."""
    constants, numbers = len(network.loss.constants), [layer.number for layer in network.hidden]
    return [
        f"rate, kept = tl.load(c + {constants}), tl.load(c + {constants + 1})",
        *(f"k{l} = pair_keys(seed, {Purpose.DROPOUT:d}, step, {l - 1})" for l in numbers),
    ]


def _register_tile(widths: Sequence[int], network: Network) -> RegisterTile | None:
    """The cut of an MLP whose values stay in registers; None where they would spill."""
    tile = REGISTER_TILES.get((network.product, max(map(padded, widths))))
    if tile is None or len(widths) - 1 > tile.layers or widths[0] > tile.inputs:
        return None
    values = registers(network.activation)
    return tile if values is not None and values <= tile.values else None


def _forward(layer: Layer, network: Network) -> list[str]:
    """z = W a + b of a layer from the activations a before it, and a = f(z), of which dropout drops some."""
    l, shape, (rows, columns) = layer.number, f"{layer.weight}, {layer.O}, {layer.I}", layer.tile
    how, operand, is_relu = network.how, network.operand, network.activation.is_relu
    zero = f"tl.zeros([{rows}], dtype)"
    lines = [f"b{l} = {zero if layer.bias is None else f'bias_of(p, {layer.bias}, {layer.O}, {rows})'}"]
    if layer.few:
        lines.append(f"z{l} = linear_of_few(p, x, size, at, b{l}, {shape}, {operand})")
    else:
        if l == 1:
            lines.append(f"a0 = columns(x, size, at, {layer.I}, {columns}).to({operand})")
        lines.append(f"w{l} = weight_of(p, {shape}, {rows}, {columns})")
        lines.append(f"z{l} = linear(w{l}, a{l - 1}, b{l}, {how})")
    if layer not in network.hidden:
        return lines
    lines.append(f"a{l} = relu(z{l})" if is_relu else f"a{l}, s{l} = activated(z{l})")
    if not is_relu and rows > layer.O:
        lines.append(f"a{l}, s{l} = first_rows(a{l}, {layer.O}), first_rows(s{l}, {layer.O})")
    if network.dropout:
        lines.append(f"m{l} = mask_of(z{l}, tl.arange(0, {rows}), start + n, k{l}, rate, kept)")
        lines.append(f"a{l} *= m{l}" if is_relu else f"a{l}, s{l} = a{l} * m{l}, masked(s{l}, m{l})")
    return [*lines, f"a{l} = a{l}.to({operand})"]


def _backward(layer: Layer, network: Network) -> list[str]:
    """From d, the derivative by the layer's z, those by its weight and bias, and by the z before it."""
    l, how, operand = layer.number, network.how, network.operand
    lines = [] if layer.bias is None else [f"db{l} += tl.sum(d{l}, 1)"]
    if layer.few:
        return [*lines, f"dw{l} = weight_gradient_of_few(dw{l}, d{l}, x, size, at, {layer.I}, {operand})"]
    lines.append(f"dw{l} = weight_gradient(dw{l}, d{l}, a{l - 1}, {how})")
    if l == 1:
        return lines
    if network.activation.is_relu:
        scale = ", kept" * network.dropout
        return [*lines, f"d{l - 1} = input_gradient(w{l}, d{l}, a{l - 1}, {how}{scale})"]
    back = f"passed_back(input_derivative(w{l}, d{l}, {how}), s{l - 1})"
    return [*lines, f"d{l - 1} = rounded({back}, {operand})"]


def _zeros(layer: Layer) -> list[str]:
    rows, columns = layer.tile
    lines = [f"dw{layer.number} = tl.zeros([{rows}, {columns}], dtype)"]
    return lines if layer.bias is None else [*lines, f"db{layer.number} = tl.zeros([{rows}], dtype)"]


def _sums(layer: Layer) -> list[str]:
    l, rest = layer.number, "chunk, scale"
    lines = [f"add_weight(gradient, {layer.weight}, {layer.O}, {layer.I}, dw{l}, {rest})"]
    if layer.bias is not None:
        lines.append(f"add_bias(gradient, {layer.bias}, {layer.O}, db{l}, {rest})")
    return lines
