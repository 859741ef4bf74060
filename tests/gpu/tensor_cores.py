"""Products of a warp's tensor cores, and the matrices that warps load and store, by PTX's manual.

A fragment says how a matrix lies in the registers of a warp: of each number that a lane holds, in order, the
(row, column) for all lanes.
"""

from functools import cache
from typing import Any

import numpy as np

from tests.gpu.frame import Frame
from tests.gpu.memory import WARP, Array, Fault
from tests.gpu.operations import WORD, kind_of, widened
from tests.gpu.text import Instruction, Operand

Fragment = list[tuple[Array, Array]]

TF32 = np.uint32(0xFFFFE000)  # the bits that tensor cores read of a float32


@cache
def fragments(shape: str, kind: str) -> tuple[Fragment, Fragment, Fragment]:
    """The fragments of A, B and C of mma.sync.SHAPE with operands of this type."""
    g, t = np.divmod(np.arange(WARP), 4)
    sums = [(g + 8 * (i // 2), 2 * t + i % 2) for i in range(4)]
    if shape == "m16n8k16" and kind in ("bf16", "f16"):
        rows = [(g + 8 * (i // 2 % 2), 2 * t + i % 2 + 8 * (i // 4)) for i in range(8)]
        return rows, [(2 * t + i % 2 + 8 * (i // 2), g) for i in range(4)], sums
    if shape == "m8n8k4" and kind == "f64":
        return [(g, t)], [(t, g)], sums[:2]
    deep = {("m16n8k8", "tf32"): 2, ("m16n8k16", "f64"): 4}[shape, kind]
    rows = [(g + 8 * (i % 2), t + 4 * (i // 2)) for i in range(2 * deep)]
    return rows, [(t + 4 * i, g) for i in range(deep)], sums


def mma(frame: Frame, instruction: Instruction, active: Array) -> None:
    """D = A B + C."""
    frame.need_warps(active)
    d, *operands = instruction.operands
    shape, (kind, out) = instruction.how[2], instruction.how[-2:]
    how = fragments(shape, kind)
    a, b, c = (
        matrices(numbers(frame, registers, format), fragment)
        for registers, format, fragment in zip(operands, (kind, kind, out), how, strict=True)
    )
    product = (np.matmul(a, b) + c).astype(kind_of(out))
    assert isinstance(d, tuple)
    for register, (row, column) in zip(d, how[2], strict=True):
        frame.put(register, np.ascontiguousarray(product[:, row, column]).ravel(), active)


def numbers(frame: Frame, registers: Operand, kind: str) -> list[Array]:
    """The numbers in these registers, in order, [T] each."""
    assert isinstance(registers, tuple)
    if kind in ("f32", "f64"):
        return [frame.value(register, kind_of(kind)) for register in registers]
    words = [frame.value(register, WORD) for register in registers]
    if kind == "tf32":
        return [(word & TF32).view("f4") for word in words]
    return [
        widened(word >> np.uint32(shift) & np.uint32(0xFFFF), kind) for word in words for shift in (0, 16)
    ]


def matrices(values: list[Array], fragment: Fragment) -> Array:
    """The matrix of each warp [W, rows, columns], in float64."""
    rows, columns = (1 + max(int(place[axis].max()) for place in fragment) for axis in (0, 1))
    whole = np.full((len(values[0]) // WARP, rows, columns), np.nan)
    for value, (row, column) in zip(values, fragment, strict=True):
        whole[:, row, column] = value.reshape(-1, WARP)
    return whole


def ldmatrix(frame: Frame, instruction: Instruction, active: Array) -> None:
    """Loads 8 x 8 matrices of 16 bits; lanes 0-7, 8-15, ... hold the addresses of their rows."""
    to, address = instruction.operands
    assert isinstance(to, tuple)
    for register, places in zip(to, _places(frame, instruction, address, len(to), active), strict=True):
        value = frame.zeros("u4")
        for at, shift in zip(places, (0, 16), strict=True):
            half = frame.program.spaces["shared"].load(at[active], 2, frame.program.every[active])
            value[active] |= half.astype("u4") << np.uint32(shift)
        frame.put(register, value, active)


def stmatrix(frame: Frame, instruction: Instruction, active: Array) -> None:
    """Stores 8 x 8 matrices of 16 bits, as ldmatrix loads them."""
    address, source = instruction.operands
    assert isinstance(source, tuple)
    for register, places in zip(
        source, _places(frame, instruction, address, len(source), active), strict=True
    ):
        value = frame.value(register, WORD)
        for at, shift in zip(places, (0, 16), strict=True):
            half = (value >> np.uint32(shift)).astype("u2")
            frame.program.spaces["shared"].store(at[active], half[active], frame.program.every[active])


def _places(
    frame: Frame, instruction: Instruction, address: Any, count: int, active: Array
) -> list[tuple[Array, Array]]:
    """The addresses of each thread's two numbers, in each of `count` matrices."""
    frame.need_warps(active)
    every = frame.program.every
    rows = frame.zeros("i8")
    rows[active] = frame.addresses(address, active)
    if (rows[active & (every % WARP < 8 * count)] % 16).any():
        raise Fault("a row of a matrix begins at no multiple of 16")
    g, t = np.divmod(every % WARP, 4)
    first = every - every % WARP
    halves = [(2 * t + half, g) if "trans" in instruction.how else (g, 2 * t + half) for half in (0, 1)]
    places = [[rows[first + 8 * i + row] + 2 * column for row, column in halves] for i in range(count)]
    return [(low, high) for low, high in places]


HANDLERS = {"mma": mma, "ldmatrix": ldmatrix, "stmatrix": stmatrix}
