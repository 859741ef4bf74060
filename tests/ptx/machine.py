"""Runs a kernel's programs one after another, all threads of a program at once."""

from collections.abc import Sequence

import numpy as np

from tests.ptx import control, copies, exchange, hopper, tensor_cores
from tests.ptx.frame import Frame
from tests.ptx.memory import Array
from tests.ptx.program import Handler, Launch, Program

HANDLERS: dict[str, Handler] = {
    **control.HANDLERS,
    **exchange.HANDLERS,
    **tensor_cores.HANDLERS,
    **hopper.HANDLERS,
    **copies.HANDLERS,
}


def run(launch: Launch, parameters: Sequence[Array]) -> None:
    """Runs all programs with `parameters` [T], unsigned integers. Raises Fault at what none may do."""
    entry = launch.module.functions["entry"]
    with np.errstate(all="ignore"):
        for number in range(launch.programs):
            program = Program(launch, number, HANDLERS)
            Frame(program, entry, dict(zip(entry.parameters, parameters, strict=True))).run()
