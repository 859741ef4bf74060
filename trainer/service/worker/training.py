"""A worker's trainings: jobs are begun in packs, advanced in turn, and end, each for itself."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ....kernels.common.errors import UserError
from ..jobs import State
from ..packs import LivePack, Work
from .data import Loaded
from .growth import Growth
from .hands import Hands, Held, Stack, Turn
from .leased import Ended, Leased
from .memory import Kept, Unusable, kept, restored
from .searches import Searches
from .sending import MOST_RUNS, ended, failed, stopped

log = logging.getLogger(__name__)
CHECKPOINT_SECONDS = 30.0
AGAIN = "begun again, since its checkpoint can't be used: "
Hand = Callable[[Sequence[int], str], object]


@dataclass(eq=False)
class Own:
    """What is known of a job here: how it was leased, its device `seconds`, those not yet `told`, its log."""

    leased: Leased
    seconds: float = 0.0
    told: float = 0.0
    log: list[str] = field(default_factory=list)


class Trainer:
    """Trains what it is given, one slice of one pack at a time.

    `hand` hears which jobs are about to be touched. What has ended waits in `out`, checkpoints in `saved`.
    One job's failure never loses its neighbours: what fails together is tried again in halves.
    """

    def __init__(
        self,
        data: Loaded,
        hand: Hand = lambda ids, doing: None,
        turn: Turn | None = None,
        clock: Callable[[], float] = time.monotonic,
        every: float = CHECKPOINT_SECONDS,
        scratch: Path | None = None,
    ) -> None:
        self.data, self.hand, self.clock, self.every = data, hand, clock, every
        self.hands, self.growth = Hands(turn, clock), Growth()
        self.searches = Searches(hand, data.identity, scratch)
        self.own: dict[int, Own] = {}
        self.out: list[Ended] = []
        self.saved: list[Kept] = []
        self.parts = 0  # that failed packs were cut into
        self.told = 0  # the place of the next job whose progress is said

    def take(self, jobs: Sequence[Leased], checkpoints: Mapping[str, Kept | Unusable]) -> None:
        """Begins jobs: those that may share a pack as one, those of one checkpoint where it left them."""
        together: dict[tuple[str, str | None], list[Leased]] = {}
        for job in jobs:
            if job.search:
                self.searches.take(job)
                continue
            self.own[job.id] = Own(job)
            together.setdefault((job.stack, job.checkpoint), []).append(job)
        for (stack, name), some in together.items():
            works = [job.work for job in some]
            checkpoint = checkpoints.get(name) if name else None
            for part in self.growth.parts(works):
                with self.searches.paused():
                    self._begin(part, stack, checkpoint)

    def _begin(self, jobs: Sequence[Work], stack: str, checkpoint: Kept | Unusable | None = None) -> None:
        self.hand([job.id for job in jobs], "begin")
        began = self.clock()
        try:
            data = self.data.of(jobs[0].pack)
        except Exception as error:  # it is every job's
            self._fail(jobs, error)
            return
        try:
            with self.growth.measured(jobs):
                pack = self._restored(jobs, data, checkpoint) or LivePack.begin(jobs, data)
        except Exception as error:
            self._failed(jobs, stack, error)
            return
        self._charge(jobs, self.clock() - began)
        self._settle(self.hands.add(pack, jobs[0].key, stack))

    def _restored(
        self, jobs: Sequence[Work], data: object, checkpoint: Kept | Unusable | None
    ) -> LivePack | None:
        """The jobs where their checkpoint left them; None where there is none, or it can't be used."""
        try:
            if isinstance(checkpoint, Unusable):
                raise checkpoint
            return restored(checkpoint, jobs, data) if checkpoint else None  # pyright: ignore[reportArgumentType]
        except Unusable as error:
            for job in jobs:
                self.own[job.id].log.append(f"{AGAIN}{error}")
            log.warning("%d jobs are %s%s", len(jobs), AGAIN, error)
            return None

    def advance(self) -> bool:
        """Makes one slice of the pack whose turn it is, delivers what has ended -> whether there was one."""
        self.out += self.searches.ended()
        chosen = self.hands.next()
        if chosen is None:
            return False
        with self.searches.paused():
            self._slice(*chosen)
        return True

    def _slice(self, stack: Stack, held: Held, until: int) -> None:
        jobs = held.pack.jobs
        self.hand([job.id for job in jobs], "slice")
        try:
            self._charge(jobs, self.hands.advance(stack, held, until))
            self._deliver(held)
        except Exception as error:
            self.hands.drop(stack, held)
            self._failed(held.pack.jobs, stack.name, error)
            return
        self._save_if_due(self._settle(stack))

    def _settle(self, stack: Stack) -> list[Held]:
        """Merges packs that have come equally far -> what they became; where that fails they stay apart."""
        try:
            return self.hands.settle(stack)
        except Exception as error:
            log.warning("packs of %s can't be merged: %s", stack.name, error)
            for held in stack.packs[1:]:
                self.parts += 1
                self.hands.move(stack, held, f"{stack.name}!{self.parts}")
            return []

    def _deliver(self, held: Held) -> None:
        """Puts what has ended out, each job with its files and what it needs to go on."""
        pack = held.pack
        if not (done := pack.ended()):
            return
        self.hand([job.id for job in done], "end")
        began = self.clock()
        memories = kept(pack, done).of_each([made for made, _ in pack.steps_of(done)])
        results = list(pack.delivered())
        self._charge(done, self.clock() - began)
        for (job, result), memory in zip(results, memories, strict=True):
            own = self.own.pop(job.id)
            self.out.append(ended(job.id, result, memory, own.seconds, "\n".join(own.log)))

    def _failed(self, jobs: Sequence[Work], stack: str, error: Exception) -> None:
        """What fails together is begun again in halves, which stay apart; what fails alone has failed."""
        if len(jobs) < 2:
            self._fail(jobs, error)
            return
        log.warning("%d jobs failed together, and are tried in halves: %s", len(jobs), error)
        for half in (jobs[: len(jobs) // 2], jobs[len(jobs) // 2 :]):
            self.parts += 1
            self._begin(half, f"{stack}!{self.parts}")

    def _fail(self, jobs: Sequence[Work], error: Exception) -> None:
        if not isinstance(error, UserError):
            log.error("jobs %s failed", [job.id for job in jobs], exc_info=error)
        for job in jobs:
            own = self.own.pop(job.id)
            self.out.append(failed(job.id, error, own.seconds, "\n".join(own.log)))

    def cancel(self, ids: Sequence[int]) -> None:
        """Lets jobs go; what they need to go on is kept."""
        gone = set(ids)
        self.searches.cancel(ids)
        for stack in list(self.hands.stacks.values()):
            for held in list(stack.packs):
                if jobs := [job for job in held.pack.jobs if job.id in gone]:
                    self._let_go(held, jobs)
            self._settle(stack)

    def _let_go(self, held: Held, jobs: Sequence[Work]) -> None:
        memories = kept(held.pack, jobs).of_each([made for made, _ in held.pack.steps_of(jobs)])
        held.pack.without(jobs)
        for job, memory in zip(jobs, memories, strict=True):
            own = self.own.pop(job.id)
            self.out.append(stopped(job.id, State.CANCELLED, memory, own.seconds, log="\n".join(own.log)))

    def _save_if_due(self, merged: Sequence[Held]) -> None:
        now = self.clock()
        for held in self.hands:
            was_saved = held in merged and held.saved > held.began
            if now - held.saved > self.every or was_saved:
                self.save(held)

    def save(self, held: Held) -> None:
        """Puts a checkpoint of a pack into `saved`."""
        if held.pack.step and held.pack.jobs:
            self.saved.append(kept(held.pack, held.pack.jobs))
        held.saved = self.clock()

    def save_all(self) -> None:
        """Puts checkpoints of all packs into `saved`."""
        for held in self.hands:
            self.save(held)

    @property
    def held(self) -> list[int]:
        """The jobs in its hands."""
        return [*self.own, *self.searches.held]

    def progress(self, most: int = 1 << 30) -> list[dict[str, object]]:
        """How far so many jobs are; the next call begins with the next ones."""
        jobs = [(held.pack, job) for held in self.hands for job in held.pack.jobs]
        first = self.told % max(len(jobs), 1)
        self.told = first + most
        some = [*jobs[first:], *jobs[:first]][:most]
        packs = dict.fromkeys(pack for pack, _ in some)
        return [line for pack in packs for line in _progress(pack, [job for p, job in some if p is pack])]

    def untold_seconds(self) -> dict[int, float]:
        """The device seconds of each job since the last call."""
        new = {id: own.seconds - own.told for id, own in self.own.items() if own.seconds > own.told}
        for id in new:
            self.own[id].told = self.own[id].seconds
        return new | self.searches.untold_seconds()

    def _charge(self, jobs: Sequence[Work], seconds: float) -> None:
        """Each job's share, by its runs."""
        runs = sum(job.pack.runs for job in jobs)
        for job in jobs:
            if job.id in self.own:
                self.own[job.id].seconds += seconds * job.pack.runs / runs


def _progress(pack: LivePack, jobs: Sequence[Work]) -> Iterator[dict[str, object]]:
    losses = np.where(np.isfinite(pack.latest.loss), pack.latest.loss, np.inf)
    for job, (step, steps) in zip(jobs, pack.steps_of(jobs), strict=True):
        own = losses[pack.places[job]]
        some = [loss if math.isfinite(loss) else None for loss in own[:MOST_RUNS].tolist()]
        least = float(own.min())
        told = {"loss": least if math.isfinite(least) else None, "losses": some}
        yield {"id": job.id, "step": step, "steps": steps, **told}
