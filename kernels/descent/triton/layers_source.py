"""An MLP and a loss -> the Triton source text of one step's loss and gradient, which kernel.py calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...activation.triton_source import functions, registers
from ...common import launch
from ...common.launch import padded
from ...equations.activations import Activation, activation_of
from ...equations.losses import Loss
from ...expression.statements import indented
from ...random import Purpose
from .losses_source import loss_source
from .source import Cut, Training

FEW = 4  # inputs, up to which the first layer multiplies no tiles
RELU = activation_of("relu")
LANES = 256  # parameters that are updated at a time

# product -> the format of its operands, and how they are multiplied in it
FORMATS = {
    "fp64": ("dtype", "ieee"),
    "ieee": ("dtype", "ieee"),
    "tf32": ("dtype", "tf32"),
    "bf16": ("tl.bfloat16", "ieee"),
}


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


@dataclass(frozen=True)
class ScratchTiles:
    """The cut of an MLP whose values lie in scratch memory.

    Weights are multiplied in tiles of side x side, with `span` samples at a time.
    """

    side: int
    span: int
    cut: Cut


AT_ONCE = {"fp64": 256, "ieee": 2048, "tf32": 2048, "bf16": 2048}  # numbers that are activated at a time
SCRATCH_TILES = {
    "fp64": ScratchTiles(64, 32, Cut(64, 8)),
    "ieee": ScratchTiles(32, 32, Cut(128, 8)),
    "tf32": ScratchTiles(64, 64, Cut(128, 8)),
    "bf16": ScratchTiles(64, 128, Cut(256, 8)),
}

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


WIDE_LAYERS = '''"""Generated from an MLP; the file is named after this text."""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from packtrain.kernels.descent.triton.layers import columns, cross_entropy
from packtrain.kernels.descent.triton.wide import wide_loss_and_gradient

{functions}

@triton.jit
def place(layer):
    first, O, I = {first}
{places}
    return first, O, I


@triton.jit
def loss_and_gradient(
    p, c, gradient, scratch, x, t, keys, offset, size, samples, scale, seed, step, P: tl.constexpr,
    LANES: tl.constexpr, OWN: tl.constexpr, BITS: tl.constexpr, EVEN: tl.constexpr, BLOCK: tl.constexpr,
    CHUNK: tl.constexpr,
):
    dtype: tl.constexpr = p.dtype.element_ty
    return wide_loss_and_gradient(
        p, c, gradient, scratch, x, t, keys, offset, size, samples, scale, place, sample_loss,
        {how}, {layers}, {bias}, {weighted}, {inputs}, {outputs}, {columns}, {width}, {side}, {span},
        OWN, BITS, BLOCK, CHUNK,{activation}{drop}
    )
'''


DROPPED = """

from packtrain.kernels.descent.triton.layers import mask_of, masked
from packtrain.kernels.random.triton_words import pair_keys

"""

ACTIVATED = """

from packtrain.kernels.descent.triton.layers import first_rows, input_derivative, rounded

"""


@dataclass(frozen=True)
class Layer:
    """Layer `number`, from 1: the offsets of its weight [O, I] and its bias [O] in the parameters."""

    number: int
    I: int
    O: int
    weight: int
    bias: int | None

    @property
    def few(self) -> bool:
        """Whether its inputs are the network's own, and few."""
        return self.number == 1 and self.I <= FEW

    @property
    def tile(self) -> tuple[int, int]:
        """The sides of the tile that holds its weight, [O, I] padded."""
        return padded(self.O), launch.power_of_2(self.I) if self.few else padded(self.I)


def layers_of(widths: Sequence[int], bias: bool) -> list[Layer]:
    """The layers of an MLP whose parameters are weight_0 [O, I], bias_0 [O], weight_1, ...

    >>> from packtrain.kernels.descent.triton.layers_source import layers_of
    >>> layers_of([2, 8, 1], bias=True)[1]
    Layer(number=2, I=8, O=1, weight=24, bias=32)
    """
    layers, at = [], 0
    for number, (features, outputs) in enumerate(pairwise(widths), 1):
        end = at + outputs * features
        layers.append(Layer(number, features, outputs, at, end if bias else None))
        at = end + outputs * bias
    return layers


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
    layers = layers_of(widths, bias)
    product = "fp64" if itemsize == 8 else product
    how = "{}, '{}'".format(*FORMATS[product])
    tile = _register_tile(widths, product, activation)
    if not tile:
        return _wide_training(layers, loss, product, how, activation, dropout)
    loop = [line for layer in layers for line in _forward(layer, len(layers), how, activation, dropout)]
    given = f"z{len(layers)}, t, c, x + {widths[0]} * size, size, at, inside, {widths[-1]}"
    loop += [f"l, d{len(layers)} = sample_loss({given})", "total += l"]
    loop += [line for layer in reversed(layers) for line in _backward(layer, how, activation, dropout)]
    source = LAYERS.format(
        functions=loss_source(loss) + _activation_source(activation) + DROPPED * dropout,
        noise=indented(_noise(layers, len(loss.constants)) if dropout else [], 1),
        zeros=indented([line for layer in layers for line in _zeros(layer)], 2),
        loop=indented(loop, 3),
        sums=indented([line for layer in layers for line in _sums(layer)], 2),
    )
    return Training(source, tile.cut, tile.cut, LANES)


def _activation_source(activation: Activation) -> str:
    """The functions of an activation, of which a ReLU needs none."""
    return "" if activation.is_relu else ACTIVATED + functions(activation)


def _noise(layers: list[Layer], constants: int) -> list[str]:
    """What a step's masks are made of: the rate and the scale, and the keys of each hidden layer."""
    keys = [f"pair_keys(seed, {Purpose.DROPOUT:d}, step, {layer.number - 1})" for layer in layers[:-1]]
    return [
        f"rate, kept = tl.load(c + {constants}), tl.load(c + {constants + 1})",
        *(f"k{number} = {made}" for number, made in enumerate(keys, 1)),
    ]


def _register_tile(widths: Sequence[int], product: str, activation: Activation) -> RegisterTile | None:
    """The cut of an MLP whose values stay in registers; None where they would spill."""
    tile = REGISTER_TILES.get((product, max(map(padded, widths))))
    if tile is None or len(widths) - 1 > tile.layers or widths[0] > tile.inputs:
        return None
    values = registers(activation)
    return tile if values is not None and values <= tile.values else None


def _wide_training(
    layers: list[Layer], loss: Loss, product: str, how: str, activation: Activation, dropout: bool
) -> Training:
    """The module of an MLP that keeps its values in scratch memory."""
    first, last, count, tiles = layers[0], layers[-1], len(layers), SCRATCH_TILES[product]
    width, block = max(padded(max(layer.I, layer.O)) for layer in layers), tiles.cut.block
    source = WIDE_LAYERS.format(
        functions=loss_source(loss) + _activation_source(activation),
        first=f"{first.weight}, {first.O}, {first.I}",
        places=indented(_places(layers), 1),
        how=how,
        layers=count,
        bias=last.bias is not None,
        inputs=first.I,
        outputs=last.O,
        columns=1 if loss.of_classes else last.O,
        weighted=loss.weighted,
        width=width,
        side=min(tiles.side, width),
        span=tiles.span,
        activation="" if activation.is_relu else f" {AT_ONCE[product]}, activated, passed_back,",
        drop=f" drop=c + {len(loss.constants)}, seed=seed, step=step," * dropout,
    )
    operands = width * (count * width + (count + 1) * block) // (2 if product == "bf16" else 1)
    sums_and_biases, outputs_and_targets = width * count * (width + 2), (2 * width + loss.weighted) * block
    slopes = 0 if activation.is_relu else (count - 1) * width * block
    scratch = sums_and_biases + outputs_and_targets + slopes + operands
    return Training(source, tiles.cut, tiles.cut, LANES, scratch)


def _places(layers: list[Layer]) -> list[str]:
    """Statements that turn the first layer's offset and sizes into those of `layer`."""
    return [
        f"{name} = tl.where(layer == {number}, {value}, {name})"
        for number, layer in enumerate(layers[1:], 1)
        for name, value in (("first", layer.weight), ("O", layer.O), ("I", layer.I))
    ]


def _forward(layer: Layer, last: int, how: str, activation: Activation, dropout: bool) -> list[str]:
    """z = W a + b of a layer from the activations a before it, and a = f(z), of which dropout drops some."""
    l, shape, (rows, columns) = layer.number, f"{layer.weight}, {layer.O}, {layer.I}", layer.tile
    operand = how.split(",")[0]
    zero = f"tl.zeros([{rows}], dtype)"
    lines = [f"b{l} = {zero if layer.bias is None else f'bias_of(p, {layer.bias}, {layer.O}, {rows})'}"]
    if layer.few:
        lines.append(f"z{l} = linear_of_few(p, x, size, at, b{l}, {shape}, {operand})")
    else:
        if l == 1:
            lines.append(f"a0 = columns(x, size, at, {layer.I}, {columns}).to({operand})")
        lines.append(f"w{l} = weight_of(p, {shape}, {rows}, {columns})")
        lines.append(f"z{l} = linear(w{l}, a{l - 1}, b{l}, {how})")
    if l == last:
        return lines
    lines.append(f"a{l} = relu(z{l})" if activation.is_relu else f"a{l}, s{l} = activated(z{l})")
    if not activation.is_relu and rows > layer.O:
        lines.append(f"a{l}, s{l} = first_rows(a{l}, {layer.O}), first_rows(s{l}, {layer.O})")
    if dropout:
        lines.append(f"m{l} = mask_of(z{l}, tl.arange(0, {rows}), start + n, k{l}, rate, kept)")
        lines.append(
            f"a{l} *= m{l}" if activation.is_relu else f"a{l}, s{l} = a{l} * m{l}, masked(s{l}, m{l})"
        )
    return [*lines, f"a{l} = a{l}.to({operand})"]


def _backward(layer: Layer, how: str, activation: Activation, dropout: bool) -> list[str]:
    """From d, the derivative by the layer's z, those by its weight and bias, and by the z before it."""
    l, operand = layer.number, how.split(",")[0]
    lines = [] if layer.bias is None else [f"db{l} += tl.sum(d{l}, 1)"]
    if layer.few:
        return [*lines, f"dw{l} = weight_gradient_of_few(dw{l}, d{l}, x, size, at, {layer.I}, {operand})"]
    lines.append(f"dw{l} = weight_gradient(dw{l}, d{l}, a{l - 1}, {how})")
    if l == 1:
        return lines
    if activation.is_relu:
        scale = ", kept" * dropout
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
