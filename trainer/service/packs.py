"""Jobs that are trained as one pack: begun together, merged where equally far, delivered as they end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from ..config.pack import Pack
from ..config.schema import LEAST_SQUARES
from ..data.dataset import Data
from ..data.groups import runs_of_groups
from ..engines.base import History
from ..folder.result import Result
from ..models.evaluate import Evaluation
from ..models.widths import with_widths
from ..session import Session
from .structure import merges, reports_together, together


@dataclass(frozen=True, eq=False)
class Work:
    """What a worker trains for somebody: the `pack` of job `id`, of the structure `key`."""

    id: int
    key: str
    pack: Pack


class Latest:
    """The newest loss of each run that was trained; one of a session's watchers."""

    def __init__(self, runs: int) -> None:
        self.loss = np.full(runs, np.nan)

    def record(self, history: History) -> None:
        """A slice of steps was made."""
        self.loss[history.runs.cpu().numpy()] = history.last.double().cpu().numpy()

    def validated(self, steps: Tensor, evaluation: Evaluation, runs: Tensor) -> None:
        """Runs were measured on the validation part."""


class LivePack:
    """The runs of some jobs of one structure, in one session.

        pack = LivePack.begin(jobs, data)
        while pack.jobs:
            pack.session.advance()
            for job, result in pack.delivered():
                ...

    A job's result has the bits of a training of its own, whoever shares the pack and whenever they came.
    """

    def __init__(self, session: Session, jobs: Sequence[Work]) -> None:
        self.session = session
        self.latest = Latest(session.pack.runs)
        session.watchers.append(self.latest)
        self.places = dict(_placed(session, jobs))  # job -> its runs
        self.left = session.pack.runs  # the runs whose jobs haven't been delivered

    @classmethod
    def begin(cls, jobs: Sequence[Work], data: Data) -> "LivePack":
        """The jobs' runs before their first step. Raises UserError for what can't be trained."""
        return cls(Session.prepare(together([job.pack for job in jobs]), data, keep_curves=True), jobs)

    @property
    def jobs(self) -> list[Work]:
        """Those that haven't been delivered."""
        return list(self.places)

    @property
    def step(self) -> int:
        """How far it has come."""
        return self.session.step

    @property
    def merges(self) -> bool:
        """Whether it may be merged with another pack of its structure."""
        return merges(self.session.pack.config)

    def steps_of(self, jobs: Sequence[Work]) -> list[tuple[int, int]]:
        """How many steps each of its jobs has made, and how many it will make at most."""
        engine, fits = self.session.engine, self.session.pack.config.optimizer.kind in LEAST_SQUARES
        steps = engine.steps.cpu().numpy()
        made = engine.steps_done.cpu().numpy() if fits else np.minimum(steps, self.step)
        places = [self.places[job] for job in jobs]
        return [(int(made[runs].max()), int(steps[runs].max())) for runs in places]

    def ended(self) -> list[Work]:
        """The jobs whose runs have all ended."""
        if self.session.done:
            return self.jobs
        training = self.session.engine.training.tolist()
        return [job for job, runs in self.places.items() if not any(training[run] for run in runs)]

    def delivered(self) -> Iterator[tuple[Work, Result]]:
        """The jobs whose runs have all ended, each with its result; they leave."""
        ended = self.ended()
        results = self._results(ended) if ended else []
        for job, result in zip(ended, results, strict=True):
            self.left -= len(self.places.pop(job))
            yield job, result

    def without(self, jobs: Sequence[Work]) -> None:
        """Lets jobs go that nobody waits for any more."""
        for job in jobs:
            self.left -= len(self.places.pop(job))

    def merged(self, *others: "LivePack") -> "LivePack":
        """The jobs of this pack and of others that have come as far; without others, those that are left."""
        packs = [self, *others]
        jobs = [job for pack in packs for job in pack.jobs]
        parts = [(pack.session, [run for runs in pack.places.values() for run in runs]) for pack in packs]
        return LivePack(Session.joined(together([job.pack for job in jobs]), parts), jobs)

    def _results(self, jobs: Sequence[Work]) -> list[Result]:
        session = self.session
        if len(self.places) == len(jobs) == 1 and self.left == session.pack.runs:
            return [replace(session.result(), pack=self._own(jobs[0]))]
        if reports_together(session.pack.config):
            return [self._alone(job).result() for job in jobs]
        return session.results([(self._own(job), self.places[job]) for job in jobs])

    def _own(self, job: Work) -> Pack:
        """The pack of a job, as its own training would have it."""
        pack, data = runs_of_groups(job.pack, self.session.data)
        return with_widths(pack, data.train)

    def _alone(self, job: Work) -> Session:
        """A session of its own that has come as far as this one, to report on its runs alone."""
        session = Session.prepare(job.pack, self.session.data, keep_curves=True)
        runs = self.places[job]
        memory = {name: tensor[runs] for name, tensor in self.session.memory.items()}
        session.restore(self.steps_of([job])[0][0], {name: memory[name] for name in session.memory})
        assert session.curves and self.session.curves
        session.curves.add([(self.session.curves, runs)])
        session.add_seconds(self.session.seconds)
        return session


def _placed(session: Session, jobs: Sequence[Work]) -> Iterator[tuple[Work, list[int]]]:
    """The runs of each job: of groups more than its pack says, where it is alone."""
    if len(jobs) == 1:
        yield jobs[0], list(range(session.pack.runs))
        return
    first = 0
    for job in jobs:
        yield job, list(range(first, first + job.pack.runs))
        first += job.pack.runs
