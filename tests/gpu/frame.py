"""One call of a function by the threads of a program: their registers, and where in the function they are."""

from typing import Any

import numpy as np

from tests.gpu.memory import WARP, Array, Fault
from tests.gpu.operations import TRUTH, Kind, operation
from tests.gpu.program import Handler, Program
from tests.gpu.text import Address, Function, Instruction, Operand

WIDTHS = {"%rd": "u8", "%rs": "u2", "%r": "u4", "%p": "bool", "%SP": "u8"}  # of registers, by their names
ADDRESS = np.dtype("u8")
TOGETHER = {"bar", "barrier", "call", "ldmatrix", "mma", "redux", "shfl", "stmatrix", "wgmma"}


class Frame:
    """`registers` [T] and `parameters` [T] by name: unsigned integers or bool.

    The threads of `mask` execute an instruction at once. After a branch the threads that are the least far go
    first, while the others are `waiting` at their places. Before an instruction that threads execute
    TOGETHER, those that come first are `gathered` there until the others have come or can't.
    """

    def __init__(self, program: Program, function: Function, parameters: dict[str, Array]) -> None:
        self.program, self.function, self.parameters = program, function, parameters
        self.registers: dict[str, Array] = {}
        self.carry = self.zeros("u4")
        self.mask = program.whole
        self.waiting: dict[int, Array] = {}
        self.gathered: dict[int, Array] = {}
        self.at = 0

    def run(self) -> dict[str, Array]:
        """Executes the function -> its parameters, results among them. Raises Fault."""
        while self.waiting or self.gathered or self.mask.any():
            if self.waiting or self.gathered:
                self._meet()
            instruction = self.function.instructions[self.at]
            if instruction.name in TOGETHER and self.waiting:
                self.gathered[self.at], self.mask = self.mask, np.zeros_like(self.mask)
                continue
            self.at += 1
            try:
                self._execute(instruction)
            except Fault as fault:
                raise Fault(f"{fault}: {instruction}, program {self.program.number}") from None
        return self.parameters

    def _meet(self) -> None:
        """Picks the threads that are the least far, and adds those that are at the same place."""
        groups = self.waiting or self.gathered
        if groups and (not self.mask.any() or (self.waiting and min(groups) < self.at)):
            if self.mask.any():
                self.wait(self.at, self.mask)
            self.at = min(groups)
            self.mask = groups.pop(self.at)
        for others in (self.waiting, self.gathered):
            if self.at in others:
                self.mask = self.mask | others.pop(self.at)
                self.mask = self.program.whole if self.mask.all() else self.mask

    def wait(self, at: int, threads: Array) -> None:
        """Lets threads wait for the others at an instruction."""
        self.waiting[at] = self.waiting[at] | threads if at in self.waiting else threads

    def _execute(self, instruction: Instruction) -> None:
        self.program.count(self.mask)
        active = self.mask
        if instruction.guard:
            holds = self.value(instruction.guard, TRUTH)
            active = active & (~holds if instruction.negated else holds)
        handler = self._handler(instruction)
        if handler:
            handler(self, instruction, active)
            return
        known = operation(instruction.name, instruction.how)
        if known is None:
            raise Fault("no meaning is known of it")
        to, *operands = instruction.operands
        values = [self.value(operand, kind) for operand, kind in zip(operands, known.takes, strict=True)]
        self.put(to, known.compute(*values), active)

    def _handler(self, instruction: Instruction) -> Handler | None:
        """What executes an instruction that is more than an operation."""
        name, how = instruction.name, instruction.how
        plain = {
            "mov": not any(isinstance(operand, tuple) for operand in instruction.operands),
            "setp": not how or not how[-1].endswith("x2"),
            "add": "cc" not in how,
            "mad": "cc" not in how,
        }
        return None if plain.get(name) else self.program.handlers.get(name)

    def value(self, operand: Operand, kind: Kind) -> Array:
        """The numbers [T] of an operand. Raises Fault where a register has no value yet."""
        assert isinstance(operand, str)
        bits = self.registers.get(operand)
        if bits is None:
            return self._constant(operand, kind)
        if bits.dtype == kind:
            return bits
        if TRUTH in (bits.dtype, kind):
            return bits.astype(kind)
        return bits.astype(f"u{kind.itemsize}", copy=False).view(kind)

    def _constant(self, text: str, kind: Kind) -> Array:
        known = self.program.known.get(text)
        if known is not None:
            return np.broadcast_to(known, self.program.threads).astype(kind)
        if text.startswith("%"):
            raise Fault(f"{text} has no value yet")
        return np.full(self.program.threads, _bits(text, kind)).astype(f"u{kind.itemsize}").view(kind)

    def put(self, to: Operand, values: Array, active: Array) -> None:
        """Puts numbers [T] into a register of the active threads; the register `_` drops them."""
        assert isinstance(to, str)
        if to == "_":
            return
        width = next((width for name, width in WIDTHS.items() if to.startswith(name)), f"u{values.itemsize}")
        values = _in_register(values, np.dtype(width))
        if active is not self.program.whole and not active.all():
            values = np.where(active, values, self.registers.get(to, np.zeros_like(values)))
        self.registers[to] = values

    def zeros(self, kind: str) -> Array:
        """A 0 for each thread [T]."""
        return np.zeros(self.program.threads, kind)

    def addresses(self, operand: Operand, active: Array) -> Array:
        """The addresses that the active threads read or write."""
        assert isinstance(operand, Address)
        return self.value(operand.base, ADDRESS)[active].astype("i8") + operand.offset

    def need_all(self, active: Array, what: str) -> None:
        """Raises Fault where some threads do it, and others don't."""
        if not active.all():
            raise Fault(f"some threads {what}, others don't")

    def need_warps(self, active: Array) -> None:
        """Raises Fault where some threads of a warp take part, and others don't."""
        warps = active.reshape(-1, WARP)
        if (warps.any(1) != warps.all(1)).any():
            raise Fault("some threads of a warp take part, others don't")


def _bits(text: str, kind: Kind) -> Any:
    """A number as the unsigned integer that a register of this type holds."""
    if text.startswith(("0f", "0d")):
        return int(text[2:], 16)
    if kind == TRUTH:
        return int(int(text, 0) != 0)
    return int(text.rstrip("U"), 0) & (1 << 8 * kind.itemsize) - 1


def _in_register(values: Array, width: Kind) -> Array:
    """The bits of numbers, extended by their sign or by 0."""
    if values.dtype == width:
        return values
    if TRUTH in (values.dtype, width):
        return values.astype(width)
    if values.dtype.kind == "f":
        values = values.view(f"u{values.itemsize}")
    return values.astype(width)
