"""Activations between the layers of an MLP in LLVM IR, where a ReLU isn't part of its product."""

from ..equations.activations import Activation, Z
from ..expression.llvm_source import evaluate
from ..functions.routine import Routine
from ..functions.vector import Module
from .tiles import lanes_of


def add_activated(module: Module, kind: str, activation: Activation) -> None:
    """y = f(y), and f'(y) goes %apart numbers behind: y [rows, samples].

    >>> from packtrain.kernels.activation import activation_of
    >>> from packtrain.kernels.functions.vector import Module
    >>> from packtrain.kernels.layers.activations import add_activated
    >>> add_activated(module := Module(), "float", activation_of("tanh"))
    >>> "void @activated(" in module.text()
    True
    """
    routine = Routine(module)
    body, lanes = routine.body, lanes_of(kind)
    with routine.loop("%rows") as row:
        start = routine.at("%y", kind, (row, "%stride"))
        with routine.loop("%samples", lanes) as n:
            place = body.pointer(start, kind, n)
            evaluate(activation.program, values := {Z: body.load(place, kind, lanes)})
            body.store(values[activation.value], place)
            body.store(values[activation.slope], body.pointer(place, kind, "%apart"))
    routine.define("activated", "ptr %y, i64 %apart, i64 %rows, i64 %samples, i64 %stride")
