"""Dropout between the layers of an MLP in LLVM IR: the masks of kernels.dropout, in machine code."""

from ..functions.instructions import where
from ..functions.routine import Routine
from ..functions.vector import Module, Vector
from ..random.reference import MIX
from .tiles import lanes_of


def add_dropped(module: Module, kind: str, has_slopes: bool) -> None:
    """y = y m, where m is the mask of dropout.reference: y [rows, samples].

    `key` points to the layer's two keys, `drop` to the run's rate and scale; the block's first sample is
    number `first` of its minibatch. `mixed` is memory for a word a sample. Where the slopes of an activation
    lie %apart numbers behind y (`has_slopes`), they are multiplied, too.

    >>> from packtrain.kernels.functions.vector import Module
    >>> from packtrain.kernels.layers.dropout import add_dropped
    >>> add_dropped(module := Module(), "float", has_slopes=False)
    >>> "void @dropped(" in module.text()
    True
    """
    routine = Routine(module)
    body, lanes = routine.body, lanes_of(kind)
    of_samples, of_features = (
        body.load_splat(body.pointer("%key", "i64", index), "i64", lanes).to("i32") for index in "01"
    )
    rate, scale = (body.load_splat(body.pointer("%drop", kind, index), kind, lanes) for index in "01")
    with routine.loop("%samples", lanes) as n:
        number = (body.splat(routine.add("%first", n), "i64", lanes) + body.lanes(lanes)).to("i32")
        body.store(mixed(number ^ of_samples), body.pointer("%mixed", "i32", n))
    with routine.loop("%rows") as row:
        start = routine.at("%y", kind, (row, "%stride"))
        column = mixed(body.splat(row, "i64", lanes).to("i32") ^ of_features)
        with routine.loop("%samples", lanes) as n:
            word = mixed(body.load(body.pointer("%mixed", "i32", n), "i32", lanes) + column)
            drawn = word.shifted_right(8).to(kind) * 2.0**-24
            mask, place = where(drawn >= rate, scale, 0), body.pointer(start, kind, n)
            body.store(body.load(place, kind, lanes) * mask, place)
            if has_slopes:
                at = body.pointer(place, kind, "%apart")
                slope = body.load(at, kind, lanes)
                body.store(where(drawn >= rate, slope * scale, 0), at)  # an infinite one, too
    apart = "i64 %apart, " if has_slopes else ""
    shape = "i64 %rows, i64 %samples, i64 %stride"
    routine.define("dropped", f"ptr %y, ptr %key, ptr %drop, i64 %first, ptr %mixed, {apart}{shape}")


def mixed(word: Vector) -> Vector:
    """What MurmurHash3's finalizer makes of 32-bit words, but for its last shift: as in random.reference.

    >>> from packtrain.kernels.functions.vector import Module, Place
    >>> from packtrain.kernels.layers.dropout import mixed
    >>> mixed(Place(Module()).number(1, "i32", 8)).kind
    'i32'
    """
    first, second = (factor - (1 << 32) for factor in MIX)  # the same bits, with a sign
    word = (word ^ word.shifted_right(16)) * first
    return (word ^ word.shifted_right(13)) * second
