"""Loads and stores, numbers of other lanes, and registers that are packed or unpacked."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.gpu.frame import Frame
from tests.gpu.memory import WARP, Array, Fault
from tests.gpu.operations import WORD, kind_of, operation, widened
from tests.gpu.text import Address, Instruction


def ld(frame: Frame, instruction: Instruction, active: Array) -> None:
    """Loads one number a thread, or a vector of them, or a parameter."""
    kind, (to, address) = kind_of(instruction.how[-1]), instruction.operands
    assert isinstance(address, Address)
    if instruction.how[0] == "param":
        frame.put(to, frame.parameters[address.base].astype(f"u{kind.itemsize}").view(kind), active)
        return
    targets = to if isinstance(to, tuple) else (to,)
    at = frame.addresses(address, active)
    for i, target in enumerate(targets):
        alignment = kind.itemsize * (1 if i else len(targets))
        values = frame.zeros(f"u{kind.itemsize}")
        values[active] = _load(
            frame, instruction.how[0], at + i * kind.itemsize, kind.itemsize, active, alignment
        )
        frame.put(target, values.view(kind), active)


def _load(frame: Frame, space: str, at: Array, width: int, active: Array, alignment: int) -> Array:
    threads = frame.program.every[active]
    if space == "local":
        return frame.program.stack[threads[:, None], at[:, None] + np.arange(width)].view(f"u{width}")[:, 0]
    return frame.program.spaces[space].load(at, width, threads, alignment)


def st(frame: Frame, instruction: Instruction, active: Array) -> None:
    """Stores one number a thread, or a vector of them, or a parameter."""
    kind, (address, source) = kind_of(instruction.how[-1]), instruction.operands
    assert isinstance(address, Address)
    if instruction.how[0] == "param":
        frame.parameters[address.base] = frame.value(source, kind)
        return
    sources = source if isinstance(source, tuple) else (source,)
    at, threads = frame.addresses(address, active), frame.program.every[active]
    for i, register in enumerate(sources):
        numbers = frame.value(register, kind).view(f"u{kind.itemsize}")[active]
        here, alignment = at + i * kind.itemsize, kind.itemsize * (1 if i else len(sources))
        if instruction.how[0] == "local":
            bytes_of = numbers[:, None].view(np.uint8)
            frame.program.stack[threads[:, None], here[:, None] + np.arange(kind.itemsize)] = bytes_of
        else:
            frame.program.spaces[instruction.how[0]].store(here, numbers, threads, alignment)


def mov(frame: Frame, instruction: Instruction, active: Array) -> None:
    """Packs several registers into one, or unpacks one. A register without a value is packed as garbage."""
    to, source = instruction.operands
    whole = kind_of(instruction.how[-1].replace("u", "b").replace("f", "b"))
    several = to if isinstance(to, tuple) else source
    assert isinstance(several, tuple)
    part = np.dtype(f"u{whole.itemsize // len(several)}")
    shifts = [whole.type(8 * part.itemsize * i) for i in range(len(several))]
    if isinstance(to, tuple):
        bits = frame.value(source, whole)
        for register, shift in zip(to, shifts, strict=True):
            frame.put(register, (bits >> shift).astype(part), active)
        return
    bits = frame.zeros(whole.str)
    for register, shift in zip(several, shifts, strict=True):
        unset = register.startswith("%r") and register not in frame.registers
        bits |= (~frame.zeros(part.str) if unset else frame.value(register, part)).astype(whole) << shift
    frame.put(to, bits, active)


def cvta(frame: Frame, instruction: Instruction, active: Array) -> None:
    """An address in one space as one of all: the same here."""
    to, source = instruction.operands
    frame.put(to, frame.value(source, np.dtype("u8")), active)


def setp(frame: Frame, instruction: Instruction, active: Array) -> None:
    """Compares both 16-bit halves of two words, into two predicates."""
    to, *operands = instruction.operands
    assert isinstance(to, str)
    compare = operation("setp", (instruction.how[0], "f32"))
    assert compare is not None
    kind = instruction.how[-1].removesuffix("x2")
    words = [frame.value(operand, WORD) for operand in operands]
    for shift, predicate in zip((0, 16), to.split("|"), strict=True):
        halves = [widened(word >> np.uint32(shift) & np.uint32(0xFFFF), kind) for word in words]
        frame.put(predicate, compare.compute(*halves), active)


def shfl(frame: Frame, instruction: Instruction, active: Array) -> None:
    """A number of another lane of the warp."""
    to, source, which = instruction.operands[:3]
    frame.need_warps(active)
    if instruction.operands[3] != "31":
        raise Fault("lanes exchange numbers in segments")
    values, n = frame.value(source, WORD), frame.value(which, WORD).astype("i8")
    lane = frame.program.every % WARP
    other = {"bfly": lane ^ n, "idx": n % WARP, "down": lane + n, "up": lane - n}[instruction.how[1]]
    other = np.where((other >= 0) & (other < WARP), other, lane)
    frame.put(to, values[frame.program.every - lane + other], active)


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "max": np.max,
    "min": np.min,
    "add": np.sum,
    "or": np.bitwise_or.reduce,
}


def redux(frame: Frame, instruction: Instruction, active: Array) -> None:
    """The maximum, minimum, sum or bitwise or of a number over all lanes of the warp."""
    to, source = instruction.operands[:2]
    frame.need_warps(active)
    kind = kind_of(instruction.how[-1])
    reduced = REDUCTIONS[instruction.how[1]](frame.value(source, kind).reshape(-1, WARP), axis=1)
    frame.put(to, np.repeat(reduced, WARP).astype(kind), active)


HANDLERS = {"ld": ld, "st": st, "mov": mov, "cvta": cvta, "setp": setp, "shfl": shfl, "redux": redux}
