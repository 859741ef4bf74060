"""Asynchronous copies into shared memory, cp.async: they arrive when they are waited for."""

import numpy as np

from tests.gpu.frame import Frame
from tests.gpu.memory import Array, Fault
from tests.gpu.operations import WORD
from tests.gpu.program import Copy
from tests.gpu.text import Instruction


def cp(frame: Frame, instruction: Instruction, active: Array) -> None:
    """cp.async, its commit_group and its wait_group."""
    groups = frame.program.copies  # the last is open
    if instruction.how[1] == "commit_group":
        groups.append([])
    elif instruction.how[1] == "wait_group":
        (left,) = instruction.operands
        done = len(groups) - 1 - int(str(left), 0)
        for copy in (copy for group in groups[: max(0, done)] for copy in group):
            _write(frame, copy, copy.content)
        del groups[: max(0, done)]
    elif instruction.how[1] in ("ca", "cg"):
        groups[-1].append(_begun(frame, instruction, active))
    else:
        raise Fault("no meaning is known of it")


def _begun(frame: Frame, instruction: Instruction, active: Array) -> Copy:
    """Begins a copy: reads at once, with 0 beyond each thread's size, and leaves garbage at the target."""
    target, source, size, *smaller = instruction.operands
    width = int(str(size), 0)
    at, of, threads = (
        frame.addresses(target, active),
        frame.addresses(source, active),
        frame.program.every[active],
    )
    wanted = frame.value(smaller[0], WORD)[active] if smaller else np.full(len(at), width)
    if (at % width).any() or (of[wanted > 0] % width).any():
        raise Fault(f"a copy begins at no multiple of {width}")
    content = np.zeros((len(at), width), np.uint8)
    for i in range(0, width, 4):
        some = wanted >= i + 4
        word = frame.program.spaces["global"].load(of[some] + i, 4, threads[some])
        content[some, i : i + 4] = word[:, None].view(np.uint8)
    copy = Copy(at, content, threads)
    _write(frame, copy, np.full_like(content, 0xFF))
    return copy


def _write(frame: Frame, copy: Copy, content: Array) -> None:
    for i in range(0, content.shape[1], 4):
        word = np.ascontiguousarray(content[:, i : i + 4]).view("u4")[:, 0]
        frame.program.spaces["shared"].store(copy.at + i, word, copy.threads)


HANDLERS = {"cp": cp}
