"""Helpers of a thread that runs machine code: threads that take over part of its calls, if they come first.

A thread offers a call in the slot of a helper, which is numbers in memory: the state, the function's address,
its eleven arguments, and whether the helper may go. Once it has done its own part it finishes the slot: it
makes the call itself where nobody has begun. So it never waits for a helper that the machine has no core for.
"""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Thread

import numpy as np

from .llvm import MachineCode, compiled

WORDS = 16  # of a slot: two cache lines, so that helpers don't disturb each other
IDLE, OFFERED, TAKEN = range(3)
DISMISSED = 13  # the word that says so
PATIENCE = 1000  # looks at a slot, before others get the core

_ARGUMENTS = "\n".join(
    f"""  %at{i} = getelementptr i64, ptr %slot, i64 {i}
  %a{i} = load i64, ptr %at{i}"""
    for i in range(1, 13)
)
SOURCE = f"""
declare i32 @sched_yield()

define void @offer(ptr %slot) {{
  store atomic i64 {OFFERED}, ptr %slot release, align 8
  ret void
}}

define void @dismiss(ptr %slot) {{
  %flag = getelementptr i64, ptr %slot, i64 {DISMISSED}
  store atomic i64 1, ptr %flag release, align 8
  ret void
}}

define i1 @take(ptr %slot) {{
  %pair = cmpxchg ptr %slot, i64 {OFFERED}, i64 {TAKEN} acquire monotonic
  %taken = extractvalue {{ i64, i1 }} %pair, 1
  br i1 %taken, label %compute, label %end
compute:
{_ARGUMENTS}
  %function = inttoptr i64 %a1 to ptr
  call void %function({", ".join(f"i64 %a{i}" for i in range(2, 13))})
  store atomic i64 {IDLE}, ptr %slot release, align 8
  br label %end
end:
  ret i1 %taken
}}

define void @finish(ptr %slot) {{
  %taken = call i1 @take(ptr %slot)
  br i1 %taken, label %end, label %wait
wait:
  call void @look(ptr %slot, i64 {TAKEN})
  %state = load atomic i64, ptr %slot acquire, align 8
  %busy = icmp eq i64 %state, {TAKEN}
  br i1 %busy, label %wait, label %end
end:
  ret void
}}

define void @serve(ptr %slot) {{
  %flag = getelementptr i64, ptr %slot, i64 {DISMISSED}
  br label %wait
wait:
  %taken = call i1 @take(ptr %slot)
  call void @look(ptr %slot, i64 {IDLE})
  %dismissed = load atomic i64, ptr %flag acquire, align 8
  %over = icmp eq i64 %dismissed, 1
  br i1 %over, label %end, label %wait
end:
  ret void
}}

define void @look(ptr %slot, i64 %while) {{
  br label %loop
loop:
  %n = phi i64 [0, %0], [%next, %more]
  %state = load atomic i64, ptr %slot monotonic, align 8
  %same = icmp eq i64 %state, %while
  br i1 %same, label %more, label %end
more:
  %next = add i64 %n, 1
  %patient = icmp slt i64 %next, {PATIENCE}
  br i1 %patient, label %loop, label %yield
yield:
  %ignored = call i32 @sched_yield()
  br label %end
end:
  ret void
}}
"""


@cache
def code() -> MachineCode:
    """offer(slot), finish(slot), serve(slot), which returns once the slot is dismissed, and dismiss(slot).

    >>> from packtrain.kernels.common.crew import code
    >>> sorted(code().address)
    ['dismiss', 'finish', 'offer', 'serve']
    """
    return compiled(SOURCE, "offer", "finish", "serve", "dismiss")


@contextmanager
def crew(leaders: int, helpers: int) -> Iterator[np.ndarray]:
    """Within it each of so many threads has so many helpers: the slots [leaders, helpers, WORDS].

    >>> from packtrain.kernels.common.crew import crew
    >>> with crew(leaders=1, helpers=2) as slots:
    ...     slots.shape
    (1, 2, 16)
    """
    slots = np.zeros((leaders, helpers, WORDS), np.int64)
    pointers = [slot.ctypes.data for slot in slots.reshape(-1, WORDS)]
    threads = [Thread(target=_function("serve"), args=(pointer,), daemon=True) for pointer in pointers]
    for thread in threads:
        thread.start()
    try:
        yield slots
    finally:
        for pointer in pointers:
            _function("dismiss")(pointer)
        for thread in threads:
            thread.join()


@cache
def _function(name: str) -> Callable[[int], None]:
    return ctypes.CFUNCTYPE(None, ctypes.c_int64)(code().address[name])
