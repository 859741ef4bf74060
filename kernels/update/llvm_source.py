"""A rule -> LLVM IR: the update of one run, a vector of parameters at a time."""

from dataclasses import dataclass

from ..equations.rule import Rule
from ..expression.llvm_source import evaluate
from ..functions.instructions import any_lane, intrinsic_name, where
from ..functions.loop import LANES
from ..functions.routine import Routine
from ..functions.vector import BITS, Module, Vector
from ..language.expr import Expr, name

UPDATE = (
    "ptr noalias %p, ptr noalias %g, ptr noalias %state, ptr noalias %old, ptr noalias %old_state, "
    "ptr noalias %c, ptr noalias %table, i64 %at, i64 %settings, i64 %size, ptr noalias %finite"
)


def update_source(rule: Rule, kind: str) -> str:
    """The function update(p, g, state, old, old_state, c, table, at, settings, size, finite) of one run.

    It replaces the parameters p [P] and the state [K, P], of which it writes the old ones into `old` and
    `old_state`, and writes into `finite`, a 64-bit integer, whether all new ones are finite. c [C] are the
    run's constants; its coefficients stand from number `at` of `table` on, `settings` apart.

    >>> from packtrain.kernels.equations.optimizers import rule_of
    >>> from packtrain.kernels.update.llvm_source import update_source
    >>> "fdiv <16 x float>" in update_source(rule_of("adam"), "float")
    True
    """
    routine = Routine(Module())
    body, lanes = routine.body, LANES[kind]
    given = {
        part: body.load_splat(body.pointer("%c", kind, str(i)), kind, lanes)
        for i, part in enumerate(rule.constants)
    }
    for i, part in enumerate(rule.coefficients):
        given[part] = body.load_splat(routine.at("%table", kind, "%at", ("%settings", i)), kind, lanes)
    wrong = routine.variable(body.number(0, kind, lanes))  # NaN in a lane that had a number that isn't finite

    def step(part: "_Part") -> None:
        new = _updated(rule, part, given)
        wrong.set(wrong.get() + part.counted(sum((value - value for value in new[1:]), new[0] - new[0])))

    with routine.loop("%size", lanes) as first:
        step(_Part(routine, kind, first))
    whole = body.value(f"and i64 %size, -{lanes}")
    left = body.value(f"sub i64 %size, {whole}")
    with routine.when(body.value(f"icmp sgt i64 {left}, 0")):
        step(_Part(routine, kind, whole, body.lanes(lanes) < body.splat(left, "i64", lanes)))
    total = wrong.get()
    finite = body.value(f"zext i1 {any_lane(total.is_nan())} to i64")
    body.add(f"store i64 {body.value(f'xor i64 {finite}, 1')}, ptr %finite")
    routine.define("update", UPDATE)
    return body.module.text()


def _updated(rule: Rule, part: "_Part", given: dict[Expr, Vector]) -> list[Vector]:
    """Replaces what the part holds by what it returns: the new parameters, and each new state."""
    places = [("%p", "%old", 0), *(("%state", "%old_state", k) for k in range(len(rule.states)))]
    old = [part.load(new, k) for new, _, k in places]
    leaves = dict(zip((name("p"), *map(name, rule.states)), old, strict=True))
    values = leaves | {name("g"): part.load("%g")} | given
    evaluate(rule.program, values)
    results = [values[root] for root in rule.results]
    for (new, kept, k), before, after in zip(places, old, results, strict=True):
        part.store(before, kept, k)
        part.store(after, new, k)
    return results


@dataclass(frozen=True)
class _Part:
    """A vector of parameters, from number `first` on; those that the `mask` leaves out aren't there."""

    routine: Routine
    kind: str
    first: str
    mask: Vector | None = None

    def load(self, base: str, row: int = 0) -> Vector:
        """The numbers of a row of P; 0 where there is none."""
        body, pointer, lanes = self.routine.body, self._at(base, row), LANES[self.kind]
        if self.mask is None:
            return body.load(pointer, self.kind, lanes)
        zero = body.number(0, self.kind, lanes)
        function = f"@llvm.masked.load.{intrinsic_name(zero)}.p0"
        body.module.declare(f"{zero.type} {function}(ptr, i32, {self.mask.type}, {zero.type})")
        arguments = (
            f"ptr {pointer}, {self._align}, {self.mask.type} {self.mask.text}, {zero.type} {zero.text}"
        )
        return zero.of(body.value(f"call {zero.type} {function}({arguments})"))

    def store(self, value: Vector, base: str, row: int = 0) -> None:
        """Writes them."""
        body, pointer = self.routine.body, self._at(base, row)
        if self.mask is None:
            return body.store(value, pointer)
        function = f"@llvm.masked.store.{intrinsic_name(value)}.p0"
        body.module.declare(f"void {function}({value.type}, ptr, i32, {self.mask.type})")
        body.add(
            f"call void {function}({value.type} {value.text}, ptr {pointer}, {self._align}, "
            f"{self.mask.type} {self.mask.text})"
        )

    def counted(self, value: Vector) -> Vector:
        """0 where there is no parameter."""
        return value if self.mask is None else where(self.mask, value, 0)

    @property
    def _align(self) -> str:
        return f"i32 {BITS[self.kind] // 8}"

    def _at(self, base: str, row: int) -> str:
        return self.routine.at(base, self.kind, self.first, ("%size", row))
