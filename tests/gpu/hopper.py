"""Products of four warps at once, of operands in shared memory: wgmma, by PTX's manual."""

import re
from dataclasses import dataclass

import numpy as np

from tests.gpu.frame import Frame
from tests.gpu.memory import WARP, Array, Fault
from tests.gpu.operations import SINGLE, TRUTH, widened
from tests.gpu.program import Reading
from tests.gpu.tensor_cores import TF32, fragments, matrices, numbers
from tests.gpu.text import Instruction, Operand

GROUP = 128  # threads that multiply together
TENSOR_CORE = 10**6  # in place of a thread: only barriers order what it reads


@dataclass(frozen=True)
class Product:
    """m x n x k of one group, whose threads are `part`; `turned` operands lie with k across."""

    frame: Frame
    group: int
    kind: str
    k: int

    @property
    def part(self) -> slice:
        return slice(self.group * GROUP, (self.group + 1) * GROUP)

    def from_registers(self, registers: Operand) -> Array:
        """A [64, k]."""
        shape = "m16n8k8" if self.kind == "tf32" else "m16n8k16"
        values = [each[self.part] for each in numbers(self.frame, registers, self.kind)]
        return matrices(values, fragments(shape, self.kind)[0]).reshape(-1, self.k)

    def from_memory(self, descriptor: str, rows: int, turned: bool) -> Array:
        """An operand [rows, k], where and how its descriptor says that it lies."""
        bits = self.frame.value(descriptor, np.dtype("u8"))[self.part]
        if (bits != bits[0]).any():
            raise Fault("threads that multiply together differ in what")
        width = 4 if self.kind == "tf32" else 2
        reading = Reading(self.group, _places(int(bits[0]), rows, self.k, width, turned), width)
        self.frame.program.products.append(reading)
        found = read(self.frame, reading)
        values = (found & TF32).view("f4") if width == 4 else widened(found, self.kind)
        return values.astype("f8")


def _places(descriptor: int, rows: int, k: int, width: int, turned: bool) -> Array:
    """The addresses [rows, k]: the canonical layouts of matrix descriptors.

    Eight rows of 16, 32, 64 or 128 bytes (`atom`) lie one behind another; their 16-byte pieces are swapped
    by bits of their address.
    """
    start, leading, stride = (((descriptor >> place) & 0x3FFF) << 4 for place in (0, 16, 32))
    mode = descriptor >> 62
    atom, swapped = {0: (16, 0), 1: (128, 7), 2: (64, 3), 3: (32, 1)}[mode]
    row, column = np.arange(rows)[:, None], np.arange(k)[None, :]
    along, across = (row, column) if turned else (column, row)
    piece, inside = along // (atom // width), along % (atom // width) * width
    group, below = across // 8, across % 8 * atom
    if turned and mode == 0:
        leading, stride = stride, leading
    at = start + inside + below + piece * leading + group * stride
    return at ^ (((at >> 7) & swapped) << 4)


def read(frame: Frame, reading: Reading) -> Array:
    """The numbers; whoever writes there has to be behind a barrier."""
    at = reading.at.ravel()
    reader = np.full(len(at), TENSOR_CORE + WARP * reading.group)
    return frame.program.spaces["shared"].load(at, reading.width, reader).reshape(reading.at.shape)


def wgmma(frame: Frame, instruction: Instruction, active: Array) -> None:
    frame.need_all(active, "multiply")
    if instruction.how[0] == "mma_async":
        _multiply(frame, instruction)
    elif instruction.how[0] == "wait_group":
        for reading in frame.program.products:
            read(frame, reading)
        frame.program.products = []


def _multiply(frame: Frame, instruction: Instruction) -> None:
    """D = A B, to which D is added where `keep` says so."""
    m, n, k = map(int, re.findall(r"\d+", instruction.how[3]))
    d, a, b, keep, _, _, *turns = (
        instruction.operands
    )  # turns: of A, if it is in memory, and of B; of tf32 none
    turn_a, turn_b = len(turns) == 2 and turns[0] == "1", turns[-1:] == ["1"]
    kept = frame.value(keep, TRUTH)
    assert isinstance(d, tuple) and isinstance(b, str)
    results = [frame.value(each, SINGLE).copy() if kept.any() else frame.zeros("f4") for each in d]
    g, t = np.divmod(np.arange(GROUP) % WARP, 4)
    row = 16 * (np.arange(GROUP) // WARP) + g
    for group in range(frame.program.threads // GROUP):
        product = Product(frame, group, instruction.how[-1], k)
        in_memory = isinstance(a, str)
        left = product.from_memory(a, m, turn_a) if in_memory else product.from_registers(a)
        found = left @ product.from_memory(b, n, turn_b).T
        part = product.part
        for i, result in enumerate(results):
            mine = found[row + 8 * (i // 2 % 2), 8 * (i // 4) + 2 * t + i % 2]
            result[part] = np.where(kept[part], mine + result[part], mine)
    for each, result in zip(d, results, strict=True):
        frame.put(each, result, frame.mask)


HANDLERS = {"wgmma": wgmma}
