"""The losses of a block in LLVM IR, and their derivatives by the model's outputs, in place of these.

It adds the sum over the samples to the number in float64 at `out`. y and t have a row every `stride`
numbers. What fills the last vector behind the last sample adds nothing, and its derivatives are 0.
"""

import math
from collections.abc import Callable

from ..equations.losses import OUTPUT, TARGET, Loss
from ..expression.llvm_source import evaluate
from ..functions.instructions import total, where
from ..functions.routine import Routine
from ..functions.table import LLVM
from ..functions.vector import Module, Vector
from ..language.expr import walk
from .tiles import lanes_of

PARAMETERS = "ptr %y, ptr %t, ptr %c, ptr %w, ptr %out, i64 %rows, i64 %size, i64 %samples, i64 %stride"


def add_loss(module: Module, kind: str, loss: Loss) -> None:
    """out += sum w l(y, t), and y becomes w dl/dy: y and t [rows, samples], constants c, weights w [samples].

    Of classes t is [samples] of 64-bit integers. w is read where the loss is weighted.

    >>> from packtrain.kernels.functions.vector import Module
    >>> from packtrain.kernels.layers.losses import add_loss
    >>> from packtrain.kernels.loss import loss_of
    >>> add_loss(module := Module(), "double", loss_of("huber"))
    >>> "void @loss(" in module.text()
    True
    """
    routine = Routine(module)
    lanes, body = lanes_of(kind), routine.body
    constants = [
        body.load_splat(body.pointer("%c", kind, str(i)), kind, lanes) for i in range(len(loss.constants))
    ]
    sum_ = routine.variable(body.number(0, kind, lanes))
    with routine.loop("%samples", lanes) as n:
        counts = _counts(routine, n, lanes)
        weight = body.load(body.pointer("%w", kind, n), kind, lanes) if loss.weighted else None

        def counted(value: Vector) -> Vector:
            return where(counts, value if weight is None else value * weight, 0)

        if loss.of_classes:
            sum_.set(sum_.get() + counted(_cross_entropy(routine, kind, n, constants, counted)))
        else:
            with routine.loop("%rows") as k:
                place = routine.at("%y", kind, (k, "%stride"), n)
                t = body.load(routine.at("%t", kind, (k, "%stride"), n), kind, lanes)
                value, slope = _of_formula(loss, body.load(place, kind, lanes), t, constants)
                sum_.set(sum_.get() + counted(value))
                body.store(counted(slope), place)
    _add_to_out(routine, sum_.get())
    routine.define("loss", PARAMETERS)


def _of_formula(loss: Loss, y: Vector, t: Vector, constants: list[Vector]) -> tuple[Vector, Vector]:
    """l(y, t) and dl/dy."""
    leaves = zip(loss.leaves, constants, strict=True)
    values = {OUTPUT: y, TARGET: t, **dict(leaves)}
    evaluate(walk(loss.value, loss.slope), values)
    return values[loss.value], values[loss.slope]


def _cross_entropy(
    routine: Routine, kind: str, n: str, constants: list[Vector], counted: Callable[[Vector], Vector]
) -> Vector:
    """log sum exp(y) - y_t, and y becomes softmax(y) - (1 at t), counted; constants: label_smoothing.

    With a label smoothing s, (1 - s) y_t + s mean(y) stands for y_t.
    """
    body, lanes = routine.body, lanes_of(kind)
    t = body.load(body.pointer("%t", "i64", n), "i64", lanes)
    top, of_class, mean = _top_and_chosen(routine, kind, n, t)
    of_all = _exponentials(routine, kind, n, top)
    smoothing = constants[0] if constants else None
    with routine.loop("%rows") as k:
        place = routine.at("%y", kind, (k, "%stride"), n)
        softmax, wanted = body.load(place, kind, lanes) / of_all, _is_class(routine, k, t).to(kind)
        if smoothing is not None:
            wanted = (1 - smoothing) * wanted + smoothing / _number_of_rows(routine, kind, lanes)
        body.store(counted(softmax - wanted), place)
    if smoothing is not None:
        of_class = (1 - smoothing) * of_class + smoothing * mean
    return LLVM["log"](of_all) + (top - of_class)


def _top_and_chosen(routine: Routine, kind: str, n: str, t: Vector) -> tuple[Vector, Vector, Vector]:
    """The largest y of each sample, the one of its class, and their mean."""
    lanes, body = t.lanes, routine.body
    top, chosen, sum_ = (routine.variable(body.number(value, kind, lanes)) for value in (-math.inf, 0, 0))
    with routine.loop("%rows") as k:
        y = body.load(routine.at("%y", kind, (k, "%stride"), n), kind, lanes)
        top.set(where(top.get() > y, top.get(), y))
        chosen.set(where(_is_class(routine, k, t), y, chosen.get()))
        sum_.set(sum_.get() + y)
    return top.get(), chosen.get(), sum_.get() / _number_of_rows(routine, kind, lanes)


def _number_of_rows(routine: Routine, kind: str, lanes: int) -> Vector:
    return routine.body.splat("%rows", "i64", lanes).to(kind)


def _exponentials(routine: Routine, kind: str, n: str, top: Vector) -> Vector:
    """y becomes exp(y - top); returns its sum over the classes."""
    lanes, body = top.lanes, routine.body
    sum_ = routine.variable(body.number(0, kind, lanes))
    with routine.loop("%rows") as k:
        place = routine.at("%y", kind, (k, "%stride"), n)
        power = LLVM["exp"](body.load(place, kind, lanes) - top)
        sum_.set(sum_.get() + power)
        body.store(power, place)
    return sum_.get()


def _is_class(routine: Routine, k: str, t: Vector) -> Vector:
    return t == routine.body.splat(k, "i64", t.lanes)


def _counts(routine: Routine, n: str, lanes: int) -> Vector:
    """Which of the samples from n on are of the block."""
    body = routine.body
    return body.splat(n, "i64", lanes) + body.lanes(lanes) < body.splat("%size", "i64", lanes)


def _add_to_out(routine: Routine, sums: Vector) -> None:
    body = routine.body
    so_far = body.load("%out", "double", 1)
    body.store(so_far + body.splat(total(sums), sums.kind, 1).to("double"), "%out")
