"""A graph and a loss -> the Triton source text of one step's loss and gradient, which kernel.py calls."""

from collections.abc import Iterable
from dataclasses import dataclass

from ...common import launch
from ...expression.statements import (
    BOTH,
    INPUTS,
    NOTHING,
    PARAMETERS,
    indented,
    leaves,
    loss_statements,
    statements,
)
from ...expression.triton_source import EQUALS, HEADER, TRITON, most_alive
from ...language.expr import Expr, walk
from ...language.graph import Graph

ROOMY = 128  # registers of a thread, for the values and sums of one sample; beyond, the writer is `frugal`
CROWDED = 640  # live values of a `frugal` gradient, in registers; beyond, it isn't trained in one kernel
REGISTERS = 64  # of a thread, for the samples that it takes at once and the sums over them
MOST_A_THREAD = 8  # samples
WARP = 32
WARPS = 4  # that share a step of many samples

GRAPH = """
from packtrain.kernels.random.triton_permutation import samples as permuted


@triton.jit
def loss_and_gradient(
    p, gradient, scratch, x, t, keys, offset, size, samples, scale, P: tl.constexpr, LANES: tl.constexpr,
    OWN: tl.constexpr, BITS: tl.constexpr, EVEN: tl.constexpr, BLOCK: tl.constexpr, CHUNK: tl.constexpr,
):
    dtype = p.dtype.element_ty
    n, lane = tl.arange(0, BLOCK), tl.arange(0, LANES)
    zero = tl.zeros([BLOCK], dtype)
    one = zero + 1.0
{outside}
    value, totals = tl.zeros((), tl.float64), tl.zeros([LANES], tl.float64)
    for chunk in range(0, samples, CHUNK):
        total = zero
{zeros}
        for start in range(chunk, tl.minimum(chunk + CHUNK, samples), BLOCK):
            inside = tl.full([BLOCK], True, tl.int1) if EVEN else n < samples - start
            at = start + n
            if OWN:
                at = permuted(tl.where(inside, offset + at, 0), keys, size, BITS)
{loop}
        value += tl.sum(total, 0).to(tl.float64)
{sums}
    tl.store(gradient + lane, totals * scale, mask=lane < P)
    return value * scale
"""


@dataclass(frozen=True)
class Cut:
    """A step's samples are taken `block` at a time, by `warps` warps."""

    block: int
    warps: int


@dataclass(frozen=True)
class Training:
    """The `source` of a module that defines loss_and_gradient(...), and how its work is cut.

    A step of few samples is cut as `small`, one of many as `large`; `lanes` parameters are updated at a time;
    `scratch` is how many numbers of memory a run's program needs.
    """

    source: str
    small: Cut
    large: Cut
    lanes: int
    scratch: int = 0


def graph_training(graph: Graph, loss: str, itemsize: int) -> Training:
    """The module that defines loss_and_gradient(...) of an expression graph.

    It returns `scale` times the loss of `samples` samples x [V, size], t [T, size], in float64, and stores
    its gradient [P]. Sums are taken in the parameters' precision within each lane of each CHUNK of samples,
    then over the lanes, and in float64 over the chunks. With OWN the samples are those at places
    `offset`... of the epoch of `keys` and the next.

    >>> from packtrain.kernels.descent.triton.source import graph_training
    >>> from packtrain.kernels.language import parse
    >>> training = graph_training(parse("xy = a*x + b"), "mse", itemsize=4)
    >>> training.small, training.large, training.lanes
    (Cut(block=256, warps=1), Cut(block=1024, warps=4), 2)
    """
    writer = _writer(graph, loss, itemsize)
    source = HEADER + GRAPH.format(
        outside=indented(writer.outside, 1),
        zeros=indented(writer.zeros, 2),
        loop=indented(writer.loop, 3),
        sums=indented(writer.sums, 2),
    )
    numbers = writer.live + (0 if writer.frugal else writer.size)
    a_thread = max(1, min(MOST_A_THREAD, REGISTERS // (numbers * itemsize // 4)))
    block = WARP * (1 << (a_thread.bit_length() - 1))
    small, large = (Cut(block * warps, warps) for warps in (1, 1 if writer.frugal else WARPS))
    return Training(source, small, large, launch.power_of_2(writer.size))


def graph_refusal(graph: Graph, loss: str, itemsize: int) -> str:
    """Why a graph isn't trained in one kernel, or ''.

    >>> from packtrain.kernels.descent.triton.source import graph_refusal
    >>> from packtrain.kernels.language import parse
    >>> graph_refusal(parse("xy = a*x + b"), "mse", itemsize=4)
    ''
    """
    writer = _writer(graph, loss, itemsize)
    if writer.frugal and writer.live * itemsize // 4 > CROWDED:
        return "its equations need more registers than a program has"
    return ""


def _writer(graph: Graph, loss: str, itemsize: int) -> "_Writer":
    writer = _Writer(graph, loss, frugal=False)
    crowded = (writer.live + 2 * writer.size) * itemsize // 4 > ROOMY
    return _Writer(graph, loss, frugal=True) if crowded else writer


class _Writer:
    """Writes the loss and the gradient of a block of samples.

    By default each lane adds up the gradients of its own samples. A `frugal` writer saves registers: it sums
    each derivative over the lanes as soon as it is known; it reads the parameters again for each block and
    after the loss, behind barriers, without which the compiler would read them once; and the gradient
    computes again what the loss computed.
    """

    def __init__(self, graph: Graph, loss: str, frugal: bool) -> None:
        self.graph, self.frugal = graph, frugal
        self.size = len(graph.parameters)
        self.outside: list[str] = []
        self.zeros: list[str] = []
        self.loop: list[str] = []
        self.sums: list[str] = []
        self.cotangents: dict[Expr, str] = {}
        self._load("x", len(graph.inputs))
        self._load("t", 1 if loss == "cross_entropy" else len(graph.outputs))
        self._begin()
        self._write_loss(loss)
        if frugal:
            self._begin()
        self._write_gradient()

    @property
    def live(self) -> int:
        """The most values of a sample that are live at once, its sums left out."""
        return most_alive(self.loop)

    def _load(self, letter: str, columns: int) -> None:
        for i in range(columns):
            self.loop.append(f"{letter}{i} = tl.load({letter} + {i} * size + at, mask=inside, other=0)")

    def _begin(self) -> None:
        """Forgets what has been computed but for the loss."""
        self.texts, self.levels = leaves(self.graph)
        self.texts |= self.cotangents
        self.loaded: set[Expr] = set()
        if self.frugal:
            self.loop.append("tl.debug_barrier()")

    def _compute(self, program: Iterable[Expr]) -> None:
        """Writes those statements of `program` that aren't there yet."""
        once = self.loop if self.frugal else self.outside
        for part in program:
            if self.graph.is_parameter(part) and part not in self.loaded:
                self.loaded.add(part)
                once.append(f"{self.texts[part]} = tl.load(p + {self.texts[part][1:]})")
            lines = statements([part], self.texts, self.levels, TRITON, "tl.full((), {}, dtype)".format)
            once += [*lines[NOTHING], *lines[PARAMETERS]]
            self.loop += [*lines[INPUTS], *lines[BOTH]]

    def _write_loss(self, loss: str) -> None:
        self._compute(self.graph.program)
        lines, value, self.cotangents = loss_statements(self.graph, loss, self.texts, TRITON, EQUALS)
        self.texts |= self.cotangents
        self.loop += [*lines, f"total += tl.where(inside, {value}, zero)"]

    def _write_gradient(self) -> None:
        """A sum over the lanes for each derivative: of a block, or of what each lane has added up."""
        sums = self.loop if self.frugal else self.sums
        sums.append("part = tl.zeros([LANES], dtype)")
        for i, root in enumerate(self.graph.gradient):
            self._compute(walk(root))
            derivative = f"tl.where(inside, {self.texts[root]}, zero)"
            if not self.frugal:
                self.zeros.append(f"g{i} = zero")
                self.loop.append(f"g{i} += {derivative}")
                derivative = f"g{i}"
            sums.append(f"part = tl.where(lane == {i}, tl.sum({derivative}, 0), part)")
        sums.append("totals += part.to(tl.float64)")
