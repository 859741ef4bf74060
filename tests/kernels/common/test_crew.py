"""Helpers take over calls of machine code, and nobody waits for one that has not begun."""

import time

import numpy as np

from packtrain.kernels.common import crew
from packtrain.kernels.common.crew import IDLE, OFFERED, WORDS
from packtrain.kernels.common.llvm import compiled

ADD = """
define void @add(ptr %out, i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g) {
  %old = load i64, ptr %out
  %ab = add i64 %a, %b
  %new = add i64 %old, %ab
  store i64 %new, ptr %out
  ret void
}
"""


def call(slot: np.ndarray, out: np.ndarray) -> None:
    """Puts add(out, 3, 4, ...) into the slot."""
    slot[1:10] = (CODE.address["add"], out.ctypes.data, 3, 4, 0, 0, 0, 0, 0)


CODE = compiled(ADD, "add")


def test_a_helper_takes_what_is_offered() -> None:
    out = np.zeros((2, 8), np.int64)
    with crew.crew(leaders=1, helpers=2) as slots:
        for slot, place in zip(slots[0], out, strict=True):
            call(slot, place)
            crew._function("offer")(slot.ctypes.data)
        until = time.monotonic() + 30
        while (slots[0, :, 0] != IDLE).any() and time.monotonic() < until:
            time.sleep(0.001)
        assert out[:, 0].tolist() == [7, 7]
        crew._function("finish")(slots[0, 0].ctypes.data)
    assert out[:, 0].tolist() == [7, 7], "it is made once"


def test_a_call_that_nobody_took_is_made_by_the_one_who_offered_it() -> None:
    slot, out = np.zeros(WORDS, np.int64), np.zeros(1, np.int64)
    call(slot, out)
    crew._function("offer")(slot.ctypes.data)
    assert slot[0] == OFFERED and out[0] == 0
    crew._function("finish")(slot.ctypes.data)
    assert slot[0] == IDLE and out[0] == 7
