"""A loop over a block of samples, a vector of them at a time, in LLVM's IR."""

from .instructions import intrinsic_name, total, where
from .vector import BITS, Module, Place, Vector

LANES = {"double": 8, "float": 16}  # samples of a vector, 64 bytes: the order of sums depends on it


class SampleLoop:
    """A function's body: what stands before the loop, in `before`, and in it, in `inside`.

    The last vector may not be whole: it is read from copies of the columns' ends, whose lanes behind the
    last sample repeat the first one, and `counts` is false there. The function has an argument `size`, the
    number of samples, at least 1.
    """

    def __init__(self, kind: str) -> None:
        self.module = Module()
        self.kind, self.lanes = kind, LANES[kind]
        self.before, self.phis = Place(self.module), Place(self.module)
        self.inside, self.after = self.before.inside(), Place(self.module)
        self.before.lines += [f"%whole = and i64 %size, -{self.lanes}", "%left = sub i64 %size, %whole"]
        self.inside.lines += ["%is_whole = icmp slt i64 %n, %whole"]
        first = self.before.lanes(self.lanes)
        self.at_end = first < self.before.splat("%left", "i64", self.lanes)
        ahead = self.inside.splat(self.inside.value("sub i64 %size, %n"), "i64", self.lanes)
        self.counts = first < ahead

    def parameter(self, pointer: str, index: int) -> Vector:
        """Number `index` behind `pointer`, the same for all samples."""
        return self.before.load_splat(
            self.before.pointer(pointer, self.kind, str(index)), self.kind, self.lanes
        )

    def column(self, pointer: str, stride: str, index: int, kind: str) -> Vector:
        """The samples of column `index`, where columns are `stride` numbers of `kind` apart."""
        before, inside, lanes = self.before, self.inside, self.lanes
        start = self.column_of(pointer, stride, index, kind)
        copy = before.value(f"alloca <{lanes} x {kind}>, align 64")
        before.store(self._end(before.pointer(start, kind, "%whole"), start, kind), copy)
        here = inside.pointer(start, kind, "%n")
        return inside.load(inside.value(f"select i1 %is_whole, ptr {here}, ptr {copy}"), kind, lanes)

    def column_of(self, pointer: str, stride: str, index: int, kind: str = "") -> str:
        """Where column `index` begins."""
        return self.before.pointer(
            pointer, kind or self.kind, self.before.value(f"mul i64 {stride}, {index}")
        )

    def _end(self, pointer: str, start: str, kind: str) -> Vector:
        """What is left from `pointer` on, and where nothing is left, the number at `start`."""
        place, mask = self.before, self.at_end
        other = place.load_splat(start, kind, self.lanes)
        function = f"@llvm.masked.load.{intrinsic_name(other)}.p0"
        place.module.declare(f"{other.type} {function}(ptr, i32, {mask.type}, {other.type})")
        arguments = (
            f"ptr {pointer}, i32 {BITS[kind] // 8}, {mask.type} {mask.text}, {other.type} {other.text}"
        )
        return Vector(place, place.value(f"call {other.type} {function}({arguments})"), kind, self.lanes)

    def store(self, vector: Vector, pointer: str) -> None:
        """Writes the samples' values from `pointer` on, whose memory ends at a multiple of the lanes."""
        self.inside.store(vector, self.inside.pointer(pointer, vector.kind, "%n"))

    def sum(self, vector: Vector, pointer: str, index: int) -> None:
        """Adds the sum over the samples to the double number `index` behind `pointer`.

        Each lane is summed in the vector's own precision, and the lanes in float64.
        """
        name = f"%sum{next(self.module.names)}"
        term = where(self.counts, vector, 0)
        longer = Vector(self.inside, name, vector.kind, vector.lanes) + term
        zero = vector.number(0)
        self.phis.add(f"{name} = phi {vector.type} [{zero.text}, %begin], [{longer.text}, %latch]")
        after = self.after
        value = total(Vector(after, longer.text, vector.kind, vector.lanes).to("double"))
        at = after.pointer(pointer, "double", str(index))
        so_far = after.value(f"load double, ptr {at}, align 8")
        after.add(f"store double {after.value(f'fadd double {so_far}, {value}')}, ptr {at}, align 8")

    def define(self, name: str, parameters: str) -> str:
        """The module with the function `name` alone, which returns nothing."""
        begin = [
            "br label %begin",
            "begin:",
            "br label %loop",
            "loop:",
            "%n = phi i64 [0, %begin], [%next, %latch]",
        ]
        latch = ["br label %latch", "latch:", f"%next = add i64 %n, {self.lanes}"]
        latch += ["%more = icmp slt i64 %next, %size", "br i1 %more, label %loop, label %end", "end:"]
        lines = [*self.before.lines, *begin, *self.phis.lines, *self.inside.lines, *latch, *self.after.lines]
        self.module.define(name, parameters, [*lines, "ret void"])
        return self.module.text()
