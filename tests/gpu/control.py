"""Branches, calls, barriers, and sums that carry."""

import numpy as np

from tests.gpu.frame import Frame
from tests.gpu.memory import WARP, Array, Fault
from tests.gpu.operations import WORD
from tests.gpu.text import Instruction


def bra(frame: Frame, instruction: Instruction, active: Array) -> None:
    """Active threads jump to the label; where others stay, the jumpers wait there until they are met."""
    (label,) = instruction.operands
    assert isinstance(label, str)
    target, staying = frame.function.labels[label], frame.mask & ~active
    if not staying.any():
        frame.at = target
    elif active.any():
        frame.wait(target, active)
        frame.mask = staying


def ret(frame: Frame, instruction: Instruction, active: Array) -> None:
    """Active threads are done with the function."""
    frame.mask = frame.mask & ~active


def trap(frame: Frame, instruction: Instruction, active: Array) -> None:
    """Raises Fault: the kernel gives up."""
    if active.any():
        raise Fault("a trap")


def call(frame: Frame, instruction: Instruction, active: Array) -> None:
    """call (results), name, (parameters)"""
    frame.need_all(active, "call a function")
    *first, name, arguments = instruction.operands
    results = first[0] if first else ()
    assert isinstance(name, str) and isinstance(arguments, tuple) and isinstance(results, tuple)
    function = frame.program.module.functions[name]
    values = [frame.parameters[argument] for argument in arguments]
    returned = Frame(frame.program, function, dict(zip(function.parameters, values, strict=True))).run()
    for mine, theirs in zip(results, function.results, strict=True):
        frame.parameters[mine] = returned[theirs]


def bar(frame: Frame, instruction: Instruction, active: Array) -> None:
    """A barrier of all threads, or bar.warp of a warp's: the clock ticks for them."""
    clock = frame.program.clock
    if instruction.how[0] == "warp":
        frame.need_warps(active)
        clock.warps[np.unique(frame.program.every[active] // WARP)] += 1
    else:
        frame.need_all(active, "wait at a barrier")
        clock.all += 1


def fence(frame: Frame, instruction: Instruction, active: Array) -> None:
    """Orders what a thread does: nothing to do, since everything is executed in order here."""


def add_with_carry(frame: Frame, instruction: Instruction, active: Array) -> None:
    """add.cc, addc, mad.lo.cc, madc.hi, ...: sums of words with the carry of the sum before."""
    to, *operands = instruction.operands
    values = [frame.value(operand, WORD).astype("u8") for operand in operands]
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
