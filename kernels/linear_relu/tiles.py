"""How the work of a linear layer is cut up: a table by (product, I, O, B), never by the number of runs.

What is chosen here changes the order of sums, so it is fixed. What leaves that order alone (the stages of a
pipelined loop, loads by pointers or tensor descriptors, the number of programs) is left to autotuning or to
the device. All of it compiles for sm_80 and sm_90 without spills.
"""

from dataclasses import dataclass

from ..common import launch
from ..common.launch import padded

NARROW = 128  # features up to which a layer's weight may be one tile, held through a pass over the samples
LEAST_ROWS = 512  # samples of one part of a weight's gradient: the parts' memory is small beside the samples'
MOST_PARTS = 256  # of a weight's gradient: about two for each processor of an H100


@dataclass(frozen=True)
class Tile:
    """rows x cols of a result, `depth` at a time, by `warps` warps; so many programs share a processor."""

    rows: int
    cols: int
    depth: int
    warps: int
    programs_a_processor: int = 1


def forward_tile(precision: str, itemsize: int, features: int, outputs: int) -> Tile | None:
    """The tile of the narrow forward pass, samples x outputs; None where the layer is wide.

    >>> from packtrain.kernels.linear_relu.tiles import forward_tile
    >>> forward_tile("ieee", itemsize=4, features=10, outputs=64), forward_tile("ieee", 4, 10, 65)
    (Tile(rows=64, cols=64, depth=16, warps=8, programs_a_processor=1), None)
    """
    side = max(padded(features), padded(outputs))
    if side > (64 if itemsize == 8 or (itemsize == 4 and precision == "ieee") else NARROW):
        return None
    rows = {2: 128, 4: 64 if side <= 64 else 32, 8: 32}[itemsize]
    return Tile(rows, padded(outputs), padded(features), 8 if itemsize > 2 or side > 64 else 4)


def backward_tile(
    precision: str, itemsize: int, dy_itemsize: int, features: int, outputs: int, hopper: bool
) -> Tile | None:
    """The tile of the one-pass backward, samples x features; None where it would spill, or the layer is wide.

    `itemsize` is that of x and of the weight in a product, `dy_itemsize` that of dy.

    >>> from packtrain.kernels.linear_relu.tiles import backward_tile
    >>> backward_tile("ieee", 2, 2, features=10, outputs=64, hopper=True)
    Tile(rows=64, cols=64, depth=64, warps=8, programs_a_processor=1)
    """
    side = max(padded(features), padded(outputs))
    largest = max(itemsize, dy_itemsize)
    if largest == 2 and side <= (NARROW if hopper else 64):
        return Tile(64, side, side, 8 if side > 32 else 4)
    if largest == 4 and side <= (64 if hopper or (itemsize == 4 and precision == "ieee") else 32):
        return Tile(32, side, side, 8)
    return None


def product_tile(precision: str, itemsize: int, dy_itemsize: int, hopper: bool) -> Tile:
    """The tile of one product of a wide layer; its two item sizes are as for backward_tile.

    >>> from packtrain.kernels.linear_relu.tiles import product_tile
    >>> product_tile("ieee", 2, 2, hopper=True)
    Tile(rows=128, cols=128, depth=64, warps=8, programs_a_processor=1)
    """
    if itemsize == dy_itemsize == 2:
        return Tile(128, 128, 64 if hopper else 32, 8)
    if itemsize == 2 and not hopper:
        return Tile(64, 64, 32, 4, 2)
    if itemsize == 2 or precision == "tf32":
        return Tile(128, 128, 32, 8)
    return Tile(64, 64, 16, 4, 2)


def part_rows(samples: int, multiple: int, tiles: int = 1) -> int:
    """Samples of one part of a weight's gradient of `tiles` tiles: a multiple of `multiple`.

    >>> from packtrain.kernels.linear_relu.tiles import part_rows
    >>> [part_rows(samples, multiple=64) for samples in (100, 10_000, 1_000_000)]
    [512, 512, 3968]
    """
    rows = max(LEAST_ROWS, launch.parts(samples, max(1, MOST_PARTS // tiles)))
    return launch.round_up(rows, multiple)
