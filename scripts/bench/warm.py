"""Engines that have compiled, and are timed over the same training again and again."""

from dataclasses import dataclass

from packtrain.kernels.descent.block import Block, Descent
from packtrain.trainer.engines.fused import FusedEngine
from packtrain.trainer.engines.tabulated import TabulatedEngine
from scripts.bench import timing
from scripts.common.engines import train

COMPARED = 5  # the step whose losses are compared; by then the step engine has replayed its graph
ENOUGH = 0.05  # seconds


@dataclass(frozen=True)
class Spent:
    """The seconds of so many steps: the training as a whole, and the fused engine's launches alone."""

    steps: int
    seconds: float
    launches: float = 0.0

    @property
    def a_step(self) -> float:
        """Seconds of the training by step."""
        return self.seconds / self.steps


class Timed:
    """A descent whose launches are timed."""

    def __init__(self, descent: Descent, device: str) -> None:
        self.descent, self.device = descent, device
        self.states = descent.states
        self.marks: list[tuple[timing.Mark, timing.Mark]] = []

    def advance(self, block: Block, rows: slice) -> None:
        """Launches, between two marks."""
        start = timing.mark(self.device)
        self.descent.advance(block, rows)
        self.marks.append((start, timing.mark(self.device)))

    def seconds(self) -> float:
        """Seconds of the launches since the last call."""
        marks, self.marks = self.marks, []
        return sum(timing.between(start, stop) for start, stop in marks)


class Warm:
    """An engine past its first steps, which trains again and again from where it began.

    `losses` [R] are those of the step COMPARED. `steps` take at least ENOUGH seconds, or are `most`. Raises
    RuntimeError where a run diverges: from then on its steps would cost nothing.
    """

    def __init__(self, engine: TabulatedEngine, device: str, most: int) -> None:
        self.engine = engine
        self.timed: Timed | None = None
        if isinstance(engine, FusedEngine):
            self.timed = engine.descent = Timed(engine.descent, device)
        self.start = {name: numbers.clone() for name, numbers in engine.memory.items()}
        train(engine, COMPARED)
        self.losses = engine.last.clone()
        self.steps = self._enough(most)

    def again(self) -> Spent:
        """Trains `steps` from the start."""
        return self._spent(self.steps)

    def _enough(self, most: int) -> int:
        count = 1
        while count < most and self._spent(count).seconds < ENOUGH:
            count = min(most, 4 * count)
        return count

    def _spent(self, steps: int) -> Spent:
        """Trains so many steps on minibatches that are not gathered yet: those from the next block on."""
        self.engine.restore(self.engine.horizon, self.start)
        if self.timed:
            self.timed.marks.clear()
        seconds = train(self.engine, self.engine.step + steps)
        if not self.engine.alive.all():
            raise RuntimeError("a run diverges")
        return Spent(steps, seconds, self.timed.seconds() if self.timed else 0.0)
