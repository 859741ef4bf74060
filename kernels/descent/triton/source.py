"""A graph and a loss -> the Triton source text of one step's loss and gradient, which kernel.py calls."""

from collections.abc import Iterable
from dataclasses import dataclass

from ...common import launch
from ...equations.losses import Loss
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
from ...expression.triton_source import most_alive
from ...expression.triton_table import EQUALS, HEADER, NUMBER, TRITON
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
    p, c, gradient, scratch, x, t, keys, offset, size, samples, scale, seed, step, P: tl.constexpr,
    LANES: tl.constexpr, OWN: tl.constexpr, BITS: tl.constexpr, EVEN: tl.constexpr, BLOCK: tl.constexpr,
    CHUNK: tl.constexpr,
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


def graph_training(graph: Graph, loss: Loss, itemsize: int) -> Training:
    """The module that defines loss_and_gradient(...) of an expression graph.

    It returns `scale` times the loss of `samples` samples x [V, size], t [T, size], in float64, and stores
    its gradient [P]. Sums are taken in the parameters' precision within each lane of each CHUNK of samples,
    then over the lanes, and in float64 over the chunks. With OWN the samples are those at places
    `offset`... of the epoch of `keys` and the next.

    >>> from packtrain.kernels.descent.triton.source import graph_training
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.kernels.loss import loss_of
    >>> training = graph_training(parse("xy = a*x + b"), loss_of("mse"), itemsize=4)
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


def graph_refusal(graph: Graph, loss: Loss, itemsize: int) -> str:
    """Why a graph isn't trained in one kernel, or ''.

    >>> from packtrain.kernels.descent.triton.source import graph_refusal
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.kernels.loss import loss_of
    >>> graph_refusal(parse("xy = a*x + b"), loss_of("mse"), itemsize=4)
    ''
    """
    writer = _writer(graph, loss, itemsize)
    if writer.frugal and writer.live * itemsize // 4 > CROWDED:
        return "its equations need more registers than a program has"
    return ""


def _writer(graph: Graph, loss: Loss, itemsize: int) -> "_Writer":
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

    def __init__(self, graph: Graph, loss: Loss, frugal: bool) -> None:
        self.graph, self.frugal = graph, frugal
        self.size = len(graph.parameters)
        self.outside: list[str] = []
        self.zeros: list[str] = []
        self.loop: list[str] = []
        self.sums: list[str] = []
        self.cotangents: dict[Expr, str] = {}
        self._load("x", len(graph.inputs))
        self._load("t", 1 if loss.of_classes else len(graph.outputs))
        if loss.weighted:
            self._load_row("w0", "x", len(graph.inputs))
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
            self._load_row(f"{letter}{i}", letter, i)

    def _load_row(self, name: str, data: str, row: int) -> None:
        self.loop.append(f"{name} = tl.load({data} + {row} * size + at, mask=inside, other=0)")

    def _begin(self) -> None:
        """Forgets what has been computed but for the loss."""
        self.texts, self.levels = leaves(self.graph)
        self.texts |= self.cotangents
        self.loaded: set[Expr] = set()
        if self.frugal:
            self.loop.append("tl.debug_barrier()")

    @property
    def once(self) -> list[str]:
        """The lines of what doesn't depend on the samples."""
        return self.loop if self.frugal else self.outside

    def _write(self, lines: list[list[str]]) -> None:
        """Takes the assignments of each level to where they belong."""
        self.once.extend([*lines[NOTHING], *lines[PARAMETERS]])
        self.loop += [*lines[INPUTS], *lines[BOTH]]

    def _compute(self, program: Iterable[Expr]) -> None:
        """Writes those statements of `program` that aren't there yet."""
        for part in program:
            if self.graph.is_parameter(part) and part not in self.loaded:
                self.loaded.add(part)
                self.once.append(f"{self.texts[part]} = tl.load(p + {self.texts[part][1:]})")
            self._write(statements([part], self.texts, self.levels, TRITON, NUMBER))

    def _write_loss(self, loss: Loss) -> None:
        self._compute(self.graph.program)
        self.once.extend(f"c{i} = tl.load(c + {i})" for i in range(len(loss.constants)))
        lines, value, self.cotangents = loss_statements(self.graph, loss, self.texts, TRITON, EQUALS, NUMBER)
        self.texts |= self.cotangents
        self._write(lines)
        self.loop.append(f"total += tl.where(inside, {value}, zero)")

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
