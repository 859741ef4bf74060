"""Branches, calls, barriers, and sums that carry."""

import numpy as np

from tests.gpu.frame import Frame
from tests.gpu.memory import WARP, Array, Fault
from tests.gpu.operations import WORD
from tests.gpu.text import Instruction


def bra(frame: Frame, instruction: Instruction, active: Array) -> None:
    (label,) = instruction.operands
    assert isinstance(label, str)
    target, stay = frame.function.labels[label], frame.mask & ~active
    if not stay.any():
        frame.at = target
    elif active.any():
        frame.wait(target, active)
        frame.mask = stay


def ret(frame: Frame, instruction: Instruction, active: Array) -> None:
    frame.mask = frame.mask & ~active


def trap(frame: Frame, instruction: Instruction, active: Array) -> None:
    if active.any():
        raise Fault("a trap")


def call(frame: Frame, instruction: Instruction, active: Array) -> None:
    """call (results), name, (parameters)"""
    frame.need_all(active, "call a function")
    *first, name, given = instruction.operands
    results = first[0] if first else ()
    assert isinstance(name, str) and isinstance(given, tuple) and isinstance(results, tuple)
    function = frame.program.module.functions[name]
    values = [frame.parameters[each] for each in given]
    found = Frame(frame.program, function, dict(zip(function.parameters, values, strict=True))).run()
    for mine, theirs in zip(results, function.results, strict=True):
        frame.parameters[mine] = found[theirs]


def bar(frame: Frame, instruction: Instruction, active: Array) -> None:
    clock = frame.program.clock
    if instruction.how[0] == "warp":
        frame.need_warps(active)
        clock.warps[np.unique(frame.program.every[active] // WARP)] += 1
    else:
        frame.need_all(active, "wait at a barrier")
        clock.all += 1


def fence(frame: Frame, instruction: Instruction, active: Array) -> None:
    """Orders what a thread does, which here is in order."""


def add_with_carry(frame: Frame, instruction: Instruction, active: Array) -> None:
    """mad.lo.cc, madc.hi and their like: sums of words, beyond which one is carried to the next."""
    to, *operands = instruction.operands
    values = [frame.value(each, WORD).astype("u8") for each in operands]
    if instruction.name.startswith("mad"):
        product = values[0] * values[1]
        part = product >> np.uint64(32) if instruction.how[0] == "hi" else product & np.uint64(0xFFFFFFFF)
        values = [part, values[2]]
    total = values[0] + values[1]
    if instruction.name.endswith("c"):
        total = total + frame.carry
    if "cc" in instruction.how:
        frame.carry = (total >> np.uint64(32)).astype("u4")
    frame.put(to, total.astype("u4"), active)


HANDLERS = {
    "bra": bra, "ret": ret, "exit": ret, "trap": trap, "call": call, "bar": bar, "barrier": bar,
    "fence": fence, "add": add_with_carry, "addc": add_with_carry, "mad": add_with_carry,
    "madc": add_with_carry,
}  # fmt: skip
