"""Runs a kernel's programs one after another, all threads of a program at once."""

from collections.abc import Sequence

import numpy as np

from tests.gpu import control, copies, exchange, hopper, tensor_cores
from tests.gpu.frame import Frame
from tests.gpu.memory import Array
from tests.gpu.program import Handler, Launch, Program

HANDLERS: dict[str, Handler] = {
    **control.HANDLERS,
    **exchange.HANDLERS,
    **tensor_cores.HANDLERS,
    **hopper.HANDLERS,
    **copies.HANDLERS,
}


def run(launch: Launch, parameters: Sequence[Array]) -> None:
    """Runs all programs with `parameters` [T], unsigned integers. Raises Fault where a kernel is wrong."""
    entry = launch.module.functions["entry"]
    with np.errstate(all="ignore"):
        for number in range(launch.programs):
            program = Program(launch, number, HANDLERS)
            Frame(program, entry, dict(zip(entry.parameters, parameters, strict=True))).run()
