"""The losses of a block in LLVM IR, and their derivatives by the model's outputs, in place of these.

Each adds the sum over the samples to the number in float64 at `out`. y and t have a row every `stride`
numbers. What fills the last vector behind the last sample adds nothing, and its derivatives are 0.
"""

import math

from ..functions.instructions import total, where
from ..functions.routine import Routine
from ..functions.table import LLVM
from ..functions.vector import Module, Vector
from .tiles import lanes_of

PARAMETERS = "ptr %y, ptr %t, ptr %out, i64 %rows, i64 %size, i64 %samples, i64 %stride"


def squared_errors(module: Module, kind: str) -> None:
    """out += sum (y - t)^2, and y becomes 2 (y - t): y and t [rows, samples].

    >>> from packtrain.kernels.functions.vector import Module
    >>> from packtrain.kernels.layers.losses import squared_errors
    >>> squared_errors(module := Module(), "double")
    >>> "void @loss(" in module.text()
    True
    """
    routine = Routine(module)
    lanes, body = lanes_of(kind), routine.body
    sum_ = routine.variable(body.number(0, kind, lanes))
    with routine.loop("%samples", lanes) as n:
        counts = _counts(routine, n, lanes)
        with routine.loop("%rows") as k:
            place = routine.at("%y", kind, (k, "%stride"), n)
            t = body.load(routine.at("%t", kind, (k, "%stride"), n), kind, lanes)
            error = where(counts, body.load(place, kind, lanes) - t, 0)
            sum_.set(sum_.get() + error * error)
            body.store(error + error, place)
    _add_to_out(routine, sum_.get())
    routine.define("loss", PARAMETERS)


def cross_entropy(module: Module, kind: str) -> None:
    """out += sum log sum exp(y) - y_t, and y becomes softmax(y) - (1 at t).

    y [classes, samples], t [samples] of 64-bit integers.

    >>> from packtrain.kernels.functions.vector import Module
    >>> from packtrain.kernels.layers.losses import cross_entropy
    >>> cross_entropy(module := Module(), "float")
    >>> "void @loss(" in module.text()
    True
    """
    routine = Routine(module)
    lanes, body = lanes_of(kind), routine.body
    sum_ = routine.variable(body.number(0, kind, lanes))
    with routine.loop("%samples", lanes) as n:
        t = body.load(body.pointer("%t", "i64", n), "i64", lanes)
        top, of_class = _top_and_chosen(routine, kind, n, t)
        of_all = _exponentials(routine, kind, n, top)
        counts = _counts(routine, n, lanes)
        with routine.loop("%rows") as k:
            place = routine.at("%y", kind, (k, "%stride"), n)
            softmax = body.load(place, kind, lanes) / of_all
            body.store(where(counts, softmax - _is_class(routine, k, t).to(kind), 0), place)
        sum_.set(sum_.get() + where(counts, LLVM["log"](of_all) + (top - of_class), 0))
    _add_to_out(routine, sum_.get())
    routine.define("loss", PARAMETERS)


def _top_and_chosen(routine: Routine, kind: str, n: str, t: Vector) -> tuple[Vector, Vector]:
    """The largest y of each sample, and the one of its class."""
    lanes, body = t.lanes, routine.body
    top, chosen = (routine.variable(body.number(value, kind, lanes)) for value in (-math.inf, 0))
    with routine.loop("%rows") as k:
        y = body.load(routine.at("%y", kind, (k, "%stride"), n), kind, lanes)
        top.set(where(top.get() > y, top.get(), y))
        chosen.set(where(_is_class(routine, k, t), y, chosen.get()))
    return top.get(), chosen.get()


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
