"""A function of LLVM IR as it is written: loops, and variables that end up in registers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce

from .vector import Module, Place, Vector


@dataclass(frozen=True)
class Variable:
    """A vector that a loop changes. LLVM keeps it in a register."""

    place: Place
    pointer: str
    kind: str
    lanes: int

    def get(self) -> Vector:
        """What it holds now."""
        return self.place.load(self.pointer, self.kind, self.lanes)

    def set(self, value: Vector) -> None:
        """Changes it."""
        self.place.store(value, self.pointer)


class Routine:
    """The lines of one function, in `body`; numbers of kind i64 are names or Python's."""

    def __init__(self, module: Module) -> None:
        self.begin, self.body = Place(module), Place(module)

    def define(self, name: str, parameters: str) -> None:
        """Adds the function to its module, of the `parameters` that its lines use."""
        self.body.add("ret void")
        self.body.module.define(name, parameters, [*self.begin.lines, *self.body.lines])

    def variable(self, value: Vector) -> Variable:
        """A new variable that holds `value`."""
        pointer = self.begin.value(f"alloca {value.type}")
        variable = Variable(self.body, pointer, value.kind, value.lanes)
        variable.set(value)
        return variable

    @contextmanager
    def loop(self, stop: str, step: int = 1, start: str | int = 0) -> Iterator[str]:
        """Around what is done for each index from `start` on, while index + step <= stop."""
        counter, name = self.begin.value("alloca i64"), self._label("loop")
        self.body.lines += [f"store i64 {start}, ptr {counter}", f"br label %{name}", f"{name}:"]
        index = self.body.value(f"load i64, ptr {counter}")
        following = self.add(index, step)
        inside = self.body.value(f"icmp sle i64 {following}, {stop}")
        self.body.lines += [f"br i1 {inside}, label %{name}.do, label %{name}.end", f"{name}.do:"]
        yield index
        self.body.lines += [f"store i64 {following}, ptr {counter}", f"br label %{name}", f"{name}.end:"]

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """Around what is done if the i1 is true."""
        name = self._label("when")
        self.body.lines += [f"br i1 {condition}, label %{name}, label %{name}.end", f"{name}:"]
        yield
        self.body.lines += [f"br label %{name}.end", f"{name}.end:"]

    def tiles(
        self, total: str, sizes: Sequence[int], work: Callable[[str, int], None], first: str | int = 0
    ) -> None:
        """work(first, size) for parts of first..total-1: as many of the first size as go in, and so on."""
        for size in sizes:
            last = self.begin.value("alloca i64")
            self.body.add(f"store i64 {first}, ptr {last}")
            with self.loop(total, size, first) as index:
                work(index, size)
                self.body.add(f"store i64 {self.add(index, size)}, ptr {last}")
            first = self.body.value(f"load i64, ptr {last}")

    def add(self, a: str, b: str | int) -> str:
        """a + b."""
        return self.body.value(f"add i64 {a}, {b}")

    def multiply(self, a: str, b: str | int) -> str:
        """a * b."""
        return self.body.value(f"mul i64 {a}, {b}")

    def at(self, base: str, kind: str, *terms: str | tuple[str, str | int]) -> str:
        """The address of the element that is the sum of the terms; a pair is a product."""
        parts = [term if isinstance(term, str) else self.multiply(*term) for term in terms]
        return self.body.pointer(base, kind, reduce(self.add, parts))

    def _label(self, what: str) -> str:
        return f"{what}{next(self.body.module.names)}"
