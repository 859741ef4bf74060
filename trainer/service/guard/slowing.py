"""Wrong tokens are answered slowly, right ones at once, so that nobody can lock others out."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

FIRST, MOST = 0.05, 1.6  # seconds
FORGOTTEN = 60.0  # seconds after which an address has a clean slate
ADDRESSES = 1000  # of which is known how often they failed
WAITING = 100  # answers held back at a time


class Slowing:
    """How often each address failed of late. Addresses beyond the last 1,000 are forgotten."""

    def __init__(self, first: float = FIRST, clock: Callable[[], float] = time.monotonic) -> None:
        self.first = first
        self.clock = clock
        self.failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self.waiting = 0

    def seconds(self, address: str) -> float:
        """Notes a failure, and says for how long its answer is held back: each is twice the last."""
        count, when = self.failures.pop(address, (0, 0.0))
        count = count + 1 if count and self.clock() - when < FORGOTTEN else 1
        self.failures[address] = count, self.clock()
        while len(self.failures) > ADDRESSES:
            self.failures.popitem(last=False)
        return min(self.first * 2 ** min(count - 1, 10), MOST)

    async def hold_back(self, address: str) -> bool:
        """Waits after a failure. False, at once, where too many wait already."""
        seconds = self.seconds(address)
        if self.waiting >= WAITING:
            return False
        self.waiting += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            self.waiting -= 1
        return True
