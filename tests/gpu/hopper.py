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
    """The product of one group, whose threads are `part`; an operand that is `turned` lies with k across."""

    frame: Frame
    group: int
    kind: str
    k: int

    @property
    def part(self) -> slice:
        """The threads of the group."""
        return slice(self.group * GROUP, (self.group + 1) * GROUP)

    def from_registers(self, registers: Operand) -> Array:
        """A [64, k]."""
        shape = "m16n8k8" if self.kind == "tf32" else "m16n8k16"
        values = [of_all[self.part] for of_all in numbers(self.frame, registers, self.kind)]
        return matrices(values, fragments(shape, self.kind)[0]).reshape(-1, self.k)

    def from_memory(self, descriptor: str, rows: int, turned: bool) -> Array:
        """The operand [rows, k] that a descriptor describes."""
        bits = self.frame.value(descriptor, np.dtype("u8"))[self.part]
        if (bits != bits[0]).any():
            raise Fault("threads that multiply together differ in what")
        width = 4 if self.kind == "tf32" else 2
        reading = Reading(self.group, _places(int(bits[0]), rows, self.k, width, turned), width)
        self.frame.program.products.append(reading)
        bits = read(self.frame, reading)
        values = (bits & TF32).view("f4") if width == 4 else widened(bits, self.kind)
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
    """The bits of the numbers [rows, k]. Raises Fault where a write to them is not ordered by a barrier."""
    at = reading.at.ravel()
    reader = np.full(len(at), TENSOR_CORE + WARP * reading.group)
    return frame.program.spaces["shared"].load(at, reading.width, reader).reshape(reading.at.shape)


def wgmma(frame: Frame, instruction: Instruction, active: Array) -> None:
    """A product, done at once; waiting reads its operands again, so that a write in between is a race."""
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
    # turns: that of A, where A is in memory, and that of B; tf32 has none
    d, a, b, keep, _, _, *turns = instruction.operands
    turn_a, turn_b = len(turns) == 2 and turns[0] == "1", turns[-1:] == ["1"]
    adds = frame.value(keep, TRUTH)
    assert isinstance(d, tuple) and isinstance(b, str)
    results = [frame.value(register, SINGLE).copy() if adds.any() else frame.zeros("f4") for register in d]
    g, t = np.divmod(np.arange(GROUP) % WARP, 4)
    row = 16 * (np.arange(GROUP) // WARP) + g
    for group in range(frame.program.threads // GROUP):
        product = Product(frame, group, instruction.how[-1], k)
        in_memory = isinstance(a, str)
        left = product.from_memory(a, m, turn_a) if in_memory else product.from_registers(a)
        whole = left @ product.from_memory(b, n, turn_b).T
        part = product.part
        for i, result in enumerate(results):
            mine = whole[row + 8 * (i // 2 % 2), 8 * (i // 4) + 2 * t + i % 2]
            result[part] = np.where(adds[part], mine + result[part], mine)
    for register, result in zip(d, results, strict=True):
        frame.put(register, result, frame.mask)


HANDLERS = {"wgmma": wgmma}
