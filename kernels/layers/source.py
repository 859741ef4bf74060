"""An MLP -> the LLVM IR of its loss and gradient, summed over a block of samples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..equations.activations import RELU, Activation
from ..equations.losses import Loss
from ..functions.routine import Routine
from ..functions.vector import BITS, Module, Place, constant
from . import gradients, losses, products
from .activations import add_activated
from .dropout import add_dropped
from .tiles import REGISTER, lanes_of

CACHED = 1 << 21  # bytes of a block's values: more would not stay near a core
LEAST, MOST = 256, 1024  # samples of a block
SUMS = (
    "ptr %p, ptr %c, ptr %keys, i64 %first, ptr %x, i64 %x_stride, ptr %t, i64 %t_stride, i64 %size, "
    "ptr %out, ptr %scratch"
)


@dataclass(frozen=True)
class LayersSource:
    """The IR of sums(p, c, keys, first, x, x_stride, t, t_stride, size, out, scratch), for blocks of up to
    `block` samples.

    It adds the sum of the loss over `size` samples, at least 1, to out[0], and that of the gradient to
    out[1 + i], in float64. p is weight_0 [O, I], bias_0 [O], weight_1, ...; c are the loss's constants;
    x [V, samples], with one more row of weights where the loss is weighted, and t [T, samples], or
    [1, samples] of 64-bit classes, have a row every `stride` numbers. `scratch` is memory
    for `room` numbers, which holds nothing between two calls.
    """

    text: str
    block: int
    room: int


@dataclass(frozen=True)
class Layer:
    """A layer, and where its weight [outputs, inputs] and its bias [outputs] begin in p."""

    inputs: int
    outputs: int
    weight: int
    bias: int


def layers_source(
    widths: Sequence[int],
    bias: bool,
    loss: Loss,
    kind: str,
    activation: Activation = RELU,
    dropout: bool = False,
) -> LayersSource:
    """The sums of an MLP, `activation` between its layers, in numbers of the kind double or float.

    With `dropout` the numbers at c end with the rate and the scale, and `keys` [L, 2] are of hidden layers.

    A block is as large as its values stay in the cache: widths, activation and loss alone decide.

    >>> from packtrain.kernels.layers.source import layers_source
    >>> from packtrain.kernels.loss import loss_of
    >>> layers_source([2, 10, 2], bias=True, loss=loss_of("cross_entropy"), kind="float").block
    1024
    """
    module, layers = Module(), layers_of(widths, bias)
    size = BITS[kind] // 8
    slopes = 0 if activation.is_relu else sum(widths[1:-1])
    of_sample = sum(widths) + slopes + loss.weighted + (8 // size if loss.of_classes else widths[-1])
    block = min(MOST, max(LEAST, 1 << (CACHED // (of_sample * size)).bit_length() - 1))
    most = block + lanes_of(kind)
    _add_routines(module, layers, bias, loss, kind, activation, dropout)
    _add_sums(module, layers, bias, loss, kind, activation, dropout, most)
    return LayersSource(module.text(), block, most * (of_sample + dropout) + REGISTER // size)


def layers_of(widths: Sequence[int], bias: bool) -> list[Layer]:
    """The layers in order, as their parameters lie one after another.

    >>> from packtrain.kernels.layers.source import layers_of
    >>> layers_of([2, 3, 1], bias=True)[1]
    Layer(inputs=3, outputs=1, weight=9, bias=12)
    """
    layers, at = [], 0
    for inputs, outputs in pairwise(widths):
        weight, at = at, at + outputs * inputs
        layers.append(Layer(inputs, outputs, weight, at))
        at += outputs * bias
    return layers


def _add_routines(
    module: Module,
    layers: list[Layer],
    bias: bool,
    loss: Loss,
    kind: str,
    activation: Activation,
    dropout: bool,
) -> None:
    outputs, inputs = [layer.outputs for layer in layers], [layer.inputs for layer in layers]
    products.add_forward(module, kind, outputs, bias)
    products.add_to_inputs(module, kind, inputs[1:], activation, dropout)
    if not activation.is_relu:
        add_activated(module, kind, activation)
    if dropout:
        add_dropped(module, kind, has_slopes=not activation.is_relu)
    gradients.add_to_weights(module, kind, outputs, inputs)
    gradients.add_to_bias(module, kind, outputs)
    _add_fetch(module, "fetch", kind, lanes_of(kind))
    losses.add_loss(module, kind, loss)
    if loss.of_classes:
        _add_fetch(module, "fetch_classes", "i64", lanes_of(kind))


def _add_fetch(module: Module, name: str, kind: str, lanes: int) -> None:
    """to = x, the last sample repeated until vectors are whole: x [rows, size] -> to [rows, samples]."""
    routine = Routine(module)
    body = routine.body
    with routine.loop("%rows") as row:
        x, to = routine.at("%x", kind, (row, "%x_stride")), routine.at("%to", kind, (row, "%stride"))
        with routine.loop("%size", lanes) as n:
            body.store(body.load(body.pointer(x, kind, n), kind, lanes), body.pointer(to, kind, n))
        whole, last = body.value(f"and i64 %size, {-lanes}"), routine.add("%size", -1)
        with routine.loop("%samples", 1, whole) as n:
            inside = body.value(f"icmp slt i64 {n}, {last}")
            at = body.value(f"select i1 {inside}, i64 {n}, i64 {last}")
            body.store(body.load(body.pointer(x, kind, at), kind, 1), body.pointer(to, kind, n))
    routine.define(name, "ptr %x, i64 %x_stride, ptr %to, i64 %rows, i64 %size, i64 %samples, i64 %stride")


def _add_sums(
    module: Module,
    layers: list[Layer],
    bias: bool,
    loss: Loss,
    kind: str,
    activation: Activation,
    dropout: bool,
    most: int,
) -> None:
    """Forward through the layers, the loss, and back: derivatives take the place of values."""
    routine = Routine(module)
    body, lanes = routine.body, lanes_of(kind)
    samples = body.value(f"and i64 {routine.add('%size', lanes - 1)}, {-lanes}")
    stride = body.value(f"or i64 {samples}, {lanes}")  # an odd number of vectors: rows don't share cache sets
    shape = f"i64 {samples}, i64 {stride}"
    inputs, outputs = layers[0].inputs + loss.weighted, [layer.outputs for layer in layers]
    slopes = [] if activation.is_relu else [sum(outputs[:-1])]
    places = _places(body, kind, most, [inputs, *outputs, *slopes, *[1] * dropout])
    values, mixed, targets = places[: len(layers) + 1], places[-2], places[-1]
    apart = [f"i64 {most * sum(outputs)}"] * len(slopes)  # from values to their slopes

    def call(name: str, *arguments: str) -> None:
        body.add(f"call void @{name}({', '.join(arguments)}, {shape}) noinline")

    def at(base: str, kind: str, *index: str | tuple[str, str]) -> str:
        return f"ptr {routine.at(base, kind, *index)}"

    drop = at("%c", kind, str(len(loss.constants)))
    slope = [drop] if dropout and not slopes else apart  # what the slopes of hidden layers are known by
    call("fetch", f"ptr %x, i64 %x_stride, {values[0]}, i64 {inputs}, i64 %size")
    if loss.of_classes:
        call("fetch_classes", f"ptr %t, i64 %t_stride, {targets}, i64 1, i64 %size")
    else:
        call("fetch", f"ptr %t, i64 %t_stride, {targets}, i64 {layers[-1].outputs}, i64 %size")
    steps = list(zip(layers, pairwise(values), strict=True))
    for layer, (x, y) in steps:
        last = layer is layers[-1]
        low = constant(-math.inf if last or slopes else 0.0, kind)
        weight, b = at("%p", kind, str(layer.weight)), at("%p", kind, str(layer.bias))
        call("forward", weight, b, f"{kind} {low}, {x}, {y}, i64 {layer.outputs}, i64 {layer.inputs}")
        if slopes and not last:
            call("activated", y, *apart, f"i64 {layer.outputs}")
        if dropout and not last:
            key = at("%keys", "i64", str(2 * layers.index(layer)))
            call("dropped", y, key, drop, f"i64 %first, {mixed}", *apart, f"i64 {layer.outputs}")
    weights = at(values[0].removeprefix("ptr "), kind, (str(layers[0].inputs), stride))
    call("loss", f"{values[-1]}, {targets}, ptr %c, {weights}, ptr %out, i64 {layers[-1].outputs}, i64 %size")
    for layer, (x, dz) in reversed(steps):
        out = at("%out", "double", str(1 + layer.weight))
        call("to_weights", f"{dz}, {x}, {out}, i64 {layer.outputs}, i64 {layer.inputs}")
        if bias:
            call("to_bias", dz, at("%out", "double", str(1 + layer.bias)), f"i64 {layer.outputs}")
        if layer is not layers[0]:
            weight = at("%p", kind, str(layer.weight))
            call("to_inputs", weight, dz, x, *slope, f"i64 {layer.inputs}, i64 {layer.outputs}")
    routine.define("sums", SUMS)


def _places(place: Place, kind: str, most: int, rows: list[int]) -> list[str]:
    """Where matrices with so many `rows` of `most` numbers lie in the scratch memory, and what follows them.

    They begin where a vector lies in one cache line.
    """
    ahead = place.pointer("%scratch", "i8", str(REGISTER - 1))
    place.module.declare("ptr @llvm.ptrmask.p0.i64(ptr, i64)")
    first = place.value(f"call ptr @llvm.ptrmask.p0.i64(ptr {ahead}, i64 {-REGISTER})")
    starts = [most * sum(rows[:number]) for number in range(len(rows) + 1)]
    return [f"ptr {place.pointer(first, kind, str(start))}" for start in starts]
