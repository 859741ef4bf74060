"""What a worker holds, and which of its packs is advanced next."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ...loop.slices import SLICE_SECONDS
from ..packs import LivePack, Work

ALONE_SECONDS = 1.0  # for which a new pack is left alone, so that short runs end in one piece
SHORT_SECONDS = 0.05  # of a slice, where several packs wait for one another
NEVER = 1 << 62

Turn = Callable[[Sequence["Stack"]], "Stack"]


@dataclass(eq=False)
class Held:
    """A pack, when it `began`, and when it was `saved` last."""

    pack: LivePack
    began: float
    saved: float


@dataclass(eq=False)
class Stack:
    """The packs of one structure `key` that may become one: the youngest, which has come least far, first.

    `name` tells stacks of one structure apart. Youngest and oldest are advanced in `turn`.
    """

    name: str
    key: str
    packs: list[Held] = field(default_factory=list)
    turn: int = 0
    seconds: float = 0.0

    @property
    def jobs(self) -> list[Work]:
        """All jobs of its packs."""
        return [job for held in self.packs for job in held.pack.jobs]


class Hands:
    """The packs of a worker.

    `turn` chooses the structure whose turn it is. Packs of a structure that have come equally far become one.
    """

    def __init__(self, turn: Turn | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.turn, self.clock = turn or least_served, clock
        self.stacks: dict[str, Stack] = {}
        self.pace: dict[str, float] = {}  # runs x steps of a slice, by structure
        self.merges = self.added = 0

    def add(self, pack: LivePack, key: str, name: str) -> Stack:
        """Takes a pack of the structure `key` into the stack `name`; one that never merges has its own."""
        now = self.clock()
        held = Held(pack, now, now)
        if not pack.merges:
            self.added += 1
            name = f"{name}~{self.added}"
        stack = self.stacks.get(name)
        if stack is None:
            stack = self.stacks[name] = Stack(name, key)
        stack.packs.append(held)
        stack.packs.sort(key=lambda held: held.pack.step)
        if key in self.pace:
            pack.session.slices.count = max(1, int(self.pace[key] / pack.session.pack.runs / 2))
        return stack

    def busy(self) -> list[str]:
        """The structures whose waiting jobs shall wait: a pack of theirs is in its first second."""
        now = self.clock()
        young = (s for s in self.stacks.values() if any(now - h.began < ALONE_SECONDS for h in s.packs))
        return sorted({stack.key for stack in young})

    def __iter__(self) -> Iterator[Held]:
        for stack in self.stacks.values():
            yield from stack.packs

    @property
    def jobs(self) -> list[Work]:
        """All jobs."""
        return [job for stack in self.stacks.values() for job in stack.jobs]

    @property
    def runs(self) -> int:
        """The rows that all packs have in memory."""
        return sum(held.pack.session.pack.runs for held in self)

    def next(self) -> tuple[Stack, Held, int] | None:
        """Whose turn it is: a stack, its pack, and the step up to which that may go; None of no pack."""
        if not self.stacks:
            return None
        stack = self.turn(list(self.stacks.values()))
        stack.turn += 1
        if stack.turn % 2 == 0:
            return stack, stack.packs[-1], NEVER
        until = stack.packs[1].pack.step if len(stack.packs) > 1 else NEVER
        return stack, stack.packs[0], until

    def advance(self, stack: Stack, held: Held, until: int) -> float:
        """Makes a slice of a pack -> its seconds."""
        session = held.pack.session
        alone = len(self.stacks) == 1 and len(stack.packs) == 1
        session.slices.seconds = SLICE_SECONDS if alone else SHORT_SECONDS
        began = self.clock()
        if not session.done:
            session.advance(until)
        seconds = self.clock() - began
        stack.seconds += seconds
        self.pace[stack.key] = float(session.slices.count * session.pack.runs)
        return seconds

    def settle(self, stack: Stack) -> list[Held]:
        """After a slice: empty packs go, those that have come equally far become one -> what was merged.

        A pack of which half the runs have left is made again without them.
        """
        stack.packs = [held for held in stack.packs if held.pack.jobs]
        stack.packs.sort(key=lambda held: held.pack.step)
        merged: list[Held] = []
        place = 0
        while place + 1 < len(stack.packs):
            young, old = stack.packs[place : place + 2]
            if young.pack.step == old.pack.step:
                stack.packs[place : place + 2] = [self._merged(young, old)]
                merged = [held for held in merged if held is not young] + [stack.packs[place]]
            else:
                place += 1
        for held in stack.packs:
            if held.pack.merges and not held.pack.session.done:
                self._slim(held)
        if not stack.packs:
            self.stacks.pop(stack.name, None)
        return merged

    def _merged(self, young: Held, old: Held) -> Held:
        self.merges += 1
        pack = old.pack.merged(young.pack)
        return Held(pack, old.began, min(young.saved, old.saved))

    def _slim(self, held: Held) -> None:
        if 2 * held.pack.left <= held.pack.session.pack.runs:
            held.pack = held.pack.merged()

    def drop(self, stack: Stack, held: Held) -> None:
        """Lets a pack go."""
        stack.packs = [other for other in stack.packs if other is not held]
        if not stack.packs:
            self.stacks.pop(stack.name, None)

    def move(self, stack: Stack, held: Held, name: str) -> None:
        """Puts a pack into a stack of its own."""
        self.drop(stack, held)
        self.stacks[name] = Stack(name, stack.key, [held], seconds=stack.seconds)


def least_served(stacks: Sequence[Stack]) -> Stack:
    """The one that has had the device for the shortest time; of equals the first.

    >>> least_served([Stack("a", "a", seconds=2.0), Stack("b", "b", seconds=1.0)]).name
    'b'
    """
    return min(stacks, key=lambda stack: stack.seconds)
