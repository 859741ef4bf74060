"""An MLP whose values don't fit into registers -> the Triton source text of a step, which wide.py makes."""

from dataclasses import dataclass

from ...common.launch import padded
from ...expression.statements import indented
from .network import LANES, Layer, Network
from .source import Cut, Training


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


def wide_training(network: Network) -> Training:
    """The module of an MLP that keeps its values in scratch memory.

    >>> from packtrain.kernels.activation import activation_of
    >>> from packtrain.kernels.descent.triton.network import Network, layers_of
    >>> from packtrain.kernels.descent.triton.wide_source import wide_training
    >>> from packtrain.kernels.loss import loss_of
    >>> layers = layers_of([2, 33, 1], bias=True)
    >>> wide_training(Network(layers, loss_of("mse"), "ieee", activation_of("relu"), dropout=False)).scratch
    57600
    """
    layers, loss, product = network.layers, network.loss, network.product
    first, last, count, tiles = layers[0], layers[-1], len(layers), SCRATCH_TILES[product]
    width, block = max(padded(max(layer.I, layer.O)) for layer in layers), tiles.cut.block
    source = WIDE_LAYERS.format(
        functions=network.functions,
        first=f"{first.weight}, {first.O}, {first.I}",
        places=indented(_places(layers), 1),
        how=network.how,
        layers=count,
        bias=last.bias is not None,
        inputs=first.I,
        outputs=last.O,
        columns=1 if loss.of_classes else last.O,
        weighted=loss.weighted,
        width=width,
        side=min(tiles.side, width),
        span=tiles.span,
        activation="" if network.activation.is_relu else f" {AT_ONCE[product]}, activated, passed_back,",
        drop=f" drop=c + {len(loss.constants)}, seed=seed, step=step," * network.dropout,
    )
    operands = width * (count * width + (count + 1) * block) // (2 if product == "bf16" else 1)
    sums_and_biases, outputs_and_targets = width * count * (width + 2), (2 * width + loss.weighted) * block
    slopes = 0 if network.activation.is_relu else (count - 1) * width * block
    scratch = sums_and_biases + outputs_and_targets + slopes + operands
    return Training(source, tiles.cut, tiles.cut, LANES, scratch)


def _places(layers: list[Layer]) -> list[str]:
    """Statements that turn the first layer's offset and sizes into those of `layer`."""
    return [
        f"{name} = tl.where(layer == {number}, {value}, {name})"
        for number, layer in enumerate(layers[1:], 1)
        for name, value in (("first", layer.weight), ("O", layer.O), ("I", layer.I))
    ]
