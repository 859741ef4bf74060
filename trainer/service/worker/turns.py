"""Whose turn it is on the device, among the structures that a worker trains."""

import time
from collections.abc import Callable, Mapping, Sequence

from ..queue.turn import Candidate, next_pack
from .hands import Stack

Of = Callable[[int], tuple[str, int]]


class Turns:
    """Chooses a stack by priority, fair share, and age.

    `of` gives the user and the priority of a job; `used` are the device seconds of the last hour, by user.
    """

    def __init__(self, of: Of, clock: Callable[[], float] = time.monotonic) -> None:
        self.of, self.clock = of, clock
        self.used: Mapping[str, float] = {}

    def __call__(self, stacks: Sequence[Stack]) -> Stack:
        """The stack whose turn it is.

        >>> Turns(lambda id: ("ada", 0))([Stack("a", "a")]).name
        'a'
        """
        if len(stacks) == 1:
            return stacks[0]
        candidates = [self._candidate(stack) for stack in stacks]
        chosen = next_pack(candidates, self.used, self.clock())
        return stacks[next(n for n, candidate in enumerate(candidates) if candidate is chosen)]

    def _candidate(self, stack: Stack) -> Candidate:
        known = {self.of(job.id) for job in stack.jobs}
        users = tuple(sorted({user for user, _ in known}))
        begun = min(held.began for held in stack.packs)
        return Candidate(users, max(priority for _, priority in known), begun, stack.seconds)
