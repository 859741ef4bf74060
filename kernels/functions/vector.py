"""Vectors of numbers in LLVM's IR, with Python's operators: the values that generated machine code computes.

A `Vector` is the name of a value in the text of a function. What is computed from vectors is written to the
innermost of their places: so what a loop does not change stands before it.

Nothing is contracted or reordered, unless it says so: (a*b) + c rounds twice, and fma(a, b, c) once.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

BITS = {"double": 64, "float": 32, "i64": 64, "i32": 32, "i16": 16, "i8": 8, "i1": 1}
SHORT = {"double": "f64", "float": "f32"}  # in the names of LLVM's intrinsics
INTEGER = {"double": "i64", "float": "i32"}  # of the same size
Number = float | int


@dataclass
class Module:
    """What the functions of one module share: what they declare, and how many values they have named."""

    declarations: dict[str, None] = field(default_factory=dict)
    names: count = field(default_factory=count)
    functions: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The module's IR."""
        return "\n".join([*self.declarations, *self.functions, ""])

    def declare(self, function: str) -> None:
        """Declares a function of LLVM's or of the C library, as `double @sin(double)`."""
        self.declarations[f"declare {function}"] = None

    def define(self, name: str, parameters: str, lines: "Sequence[str]") -> None:
        """Adds the function `name`, which returns nothing."""
        body = "\n".join(line if line.endswith(":") else f"  {line}" for line in lines)
        self.functions.append(f"define void @{name}({parameters}) nounwind {{\nentry:\n{body}\n}}")


@dataclass(eq=False)
class Place:
    """A stretch of a function's lines. `depth` is how many loops are around it."""

    module: Module
    depth: int = 0
    lines: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        """Adds a line that has no value."""
        self.lines.append(line)

    def value(self, expression: str) -> str:
        """Adds a line that computes `expression`; returns the name of its value."""
        name = f"%v{next(self.module.names)}"
        self.lines.append(f"{name} = {expression}")
        return name

    def inside(self) -> "Place":
        """A new place, one loop further in."""
        return Place(self.module, self.depth + 1)

    def number(self, value: Number, kind: str, lanes: int) -> "Vector":
        """`value` in each lane."""
        return Vector(self, f"splat ({kind} {constant(value, kind)})", kind, lanes)

    def splat(self, scalar: str, kind: str, lanes: int) -> "Vector":
        """The value named `scalar` in each lane."""
        vector = f"<{lanes} x {kind}>"
        one = self.value(f"insertelement {vector} poison, {kind} {scalar}, i64 0")
        return Vector(
            self,
            self.value(f"shufflevector {vector} {one}, {vector} poison, <{lanes} x i32> zeroinitializer"),
            kind,
            lanes,
        )

    def pointer(self, base: str, kind: str, index: str) -> str:
        """The address of element `index`, an i64, behind `base`."""
        return self.value(f"getelementptr inbounds {kind}, ptr {base}, i64 {index}")

    def load(self, pointer: str, kind: str, lanes: int) -> "Vector":
        """The numbers that lie side by side from `pointer` on."""
        text = self.value(f"load <{lanes} x {kind}>, ptr {pointer}, align {BITS[kind] // 8}")
        return Vector(self, text, kind, lanes)

    def load_splat(self, pointer: str, kind: str, lanes: int) -> "Vector":
        """The number at `pointer`, in each lane."""
        return self.splat(self.value(f"load {kind}, ptr {pointer}, align {BITS[kind] // 8}"), kind, lanes)

    def store(self, vector: "Vector", pointer: str) -> None:
        """Writes the numbers side by side from `pointer` on."""
        self.add(f"store {vector.type} {vector.text}, ptr {pointer}, align {BITS[vector.kind] // 8}")

    def lanes(self, lanes: int) -> "Vector":
        """0, 1, 2, ... as i64."""
        numbers = ", ".join(f"i64 {lane}" for lane in range(lanes))
        return Vector(self, f"<{numbers}>", "i64", lanes)


@dataclass(frozen=True, eq=False, slots=True)
class Vector:
    """`lanes` numbers of a `kind`: double, float, i64, i32, or i1 for what comparisons give.

    Arithmetic and comparisons work lane by lane; an operand may be a plain number. Comparisons with NaN are
    false, but for !=.
    """

    place: Place
    text: str
    kind: str
    lanes: int

    __hash__ = None  # pyright: ignore[reportAssignmentType] (== compares lane by lane)

    @property
    def type(self) -> str:
        """The type in IR."""
        return f"<{self.lanes} x {self.kind}>"

    @property
    def is_float(self) -> bool:
        """It holds numbers with a fraction."""
        return self.kind in SHORT

    def number(self, value: Number) -> "Vector":
        """`value` in each lane of a vector like this one."""
        return self.place.number(value, self.kind, self.lanes)

    def __add__(self, other: "Vector | Number") -> "Vector":
        return self._arithmetic("fadd", "add", other)

    def __radd__(self, other: Number) -> "Vector":
        return self.number(other) + self

    def __sub__(self, other: "Vector | Number") -> "Vector":
        return self._arithmetic("fsub", "sub", other)

    def __rsub__(self, other: Number) -> "Vector":
        return self.number(other) - self

    def __mul__(self, other: "Vector | Number") -> "Vector":
        return self._arithmetic("fmul", "mul", other)

    def __rmul__(self, other: Number) -> "Vector":
        return self.number(other) * self

    def __truediv__(self, other: "Vector | Number") -> "Vector":
        return self._arithmetic("fdiv", "", other)

    def __rtruediv__(self, other: Number) -> "Vector":
        return self.number(other) / self

    def __neg__(self) -> "Vector":
        if not self.is_float:
            return 0 - self
        return self.of(self.place.value(f"fneg {self.type} {self.text}"))

    def __and__(self, other: "Vector | Number") -> "Vector":
        return self._arithmetic("", "and", other)

    def __or__(self, other: "Vector | Number") -> "Vector":
        return self._arithmetic("", "or", other)

    def __xor__(self, other: "Vector | Number") -> "Vector":
        return self._arithmetic("", "xor", other)

    def __invert__(self) -> "Vector":
        return self ^ self.number(-1 if self.kind != "i1" else 1)

    def __lshift__(self, other: "Vector | Number") -> "Vector":
        return self._arithmetic("", "shl", other)

    def __rshift__(self, other: "Vector | Number") -> "Vector":
        """Shifts right; the sign stays."""
        return self._arithmetic("", "ashr", other)

    def shifted_right(self, other: "Vector | Number") -> "Vector":
        """Shifts right; zeros come in."""
        return self._arithmetic("", "lshr", other)

    def __lt__(self, other: "Vector | Number") -> "Vector":
        return self._compare("olt", "slt", other)

    def __le__(self, other: "Vector | Number") -> "Vector":
        return self._compare("ole", "sle", other)

    def __gt__(self, other: "Vector | Number") -> "Vector":
        return self._compare("ogt", "sgt", other)

    def __ge__(self, other: "Vector | Number") -> "Vector":
        return self._compare("oge", "sge", other)

    def __eq__(self, other: "Vector | Number") -> "Vector":  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._compare("oeq", "eq", other)

    def __ne__(self, other: "Vector | Number") -> "Vector":  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._compare("une", "ne", other)

    def is_nan(self) -> "Vector":
        """Where it is NaN."""
        return self._compare("uno", "", self)

    def bits(self) -> "Vector":
        """The same bits as integers."""
        return self._cast("bitcast", INTEGER[self.kind])

    def as_floats(self, kind: str) -> "Vector":
        """The same bits, of integers, as numbers of `kind`."""
        return self._cast("bitcast", kind)

    def to(self, kind: str) -> "Vector":
        """The numbers converted to `kind`: rounded from double to float, cut off from a float to an integer.

        A number that the integer can't hold gives anything at all.
        """
        if kind == self.kind:
            return self
        wider = BITS[kind] > BITS[self.kind]
        if self.is_float:
            verb = ("fpext" if wider else "fptrunc") if kind in SHORT else "fptosi"
        else:
            verb = "sitofp" if kind in SHORT else "sext" if wider else "trunc"
        return self._cast("uitofp" if self.kind == "i1" and kind in SHORT else verb, kind)

    def binary(self, verb: str, other: "Vector | Number") -> "Vector":
        """IR's instruction `verb`, as "fadd contract", of this vector and another."""
        a, b = together(self, other)
        return a.of(a.place.value(f"{verb} {a.type} {a.text}, {b.text}"))

    def _cast(self, verb: str, kind: str) -> "Vector":
        to = f"<{self.lanes} x {kind}>"
        return Vector(
            self.place, self.place.value(f"{verb} {self.type} {self.text} to {to}"), kind, self.lanes
        )

    def of(self, text: str) -> "Vector":
        """The value named `text`, a vector like this one."""
        return Vector(self.place, text, self.kind, self.lanes)

    def _arithmetic(self, of_floats: str, of_integers: str, other: "Vector | Number") -> "Vector":
        return self.binary(of_floats if self.is_float else of_integers, other)

    def _compare(self, of_floats: str, of_integers: str, other: "Vector | Number") -> "Vector":
        a, b = together(self, other)
        verb = f"fcmp {of_floats}" if a.is_float else f"icmp {of_integers}"
        return Vector(a.place, a.place.value(f"{verb} {a.type} {a.text}, {b.text}"), "i1", a.lanes)


def together(*operands: "Vector | Number") -> list[Vector]:
    """The operands as vectors of one kind, in the innermost of their places.

    >>> from packtrain.kernels.functions.vector import Module, Place, together
    >>> [vector.kind for vector in together(Place(Module()).number(2, "float", 16), 1)]
    ['float', 'float']
    """
    vectors = [operand for operand in operands if isinstance(operand, Vector)]
    place = max((vector.place for vector in vectors), key=lambda place: place.depth)
    like = next((vector for vector in vectors if vector.kind != "i1"), vectors[0])
    return [
        Vector(place, operand.text, operand.kind, operand.lanes)
        if isinstance(operand, Vector)
        else place.number(operand, like.kind, like.lanes)
        for operand in operands
    ]


def constant(value: Number, kind: str) -> str:
    """The number as IR has it: that of a float is written as the double of the same value.

    >>> from packtrain.kernels.functions.vector import constant
    >>> constant(1, "double"), constant(7, "i64")
    ('0x3FF0000000000000', '7')
    """
    if kind not in SHORT:
        return str(int(value))
    if kind == "float":
        value = struct.unpack("f", struct.pack("f", value))[0]
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
