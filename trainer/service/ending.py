"""The signals that end a process of the service."""

import asyncio
import os
import signal
import sys
from functools import partial


def ended_by_signal() -> "asyncio.Future[int]":
    """The number of the first SIGINT or SIGTERM; a second one ends the process at once.

    >>> async def interrupted():
    ...     ended = ended_by_signal()
    ...     os.kill(os.getpid(), signal.SIGTERM)
    ...     return await ended
    >>> asyncio.run(interrupted())
    15
    """
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def end(number: int) -> None:
        if ended.done():
            print("packtrain: stopped at once", file=sys.stderr, flush=True)
            os._exit(128 + number)
        ended.set_result(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, partial(end, int(number)))
    return ended
