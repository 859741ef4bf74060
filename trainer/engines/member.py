"""What each of several ranks has of a training: an ordinary engine, and what the first rank asks of it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..config.pack import Pack
from ..data.dataset import Data
from ..models.evaluate import Evaluation, evaluate
from ..ranks.group import ALONE, Ranks
from ..ranks.mail import RankLostError
from .at_work import at_work
from .base import Engine, History, PrunableEngine
from .build import make_engine, untrained
from .devices import Compute
from .outcome import Ending
from .rows import Row, Rows

PARTS = "train", "validation", "test"
T = TypeVar("T")


@dataclass(frozen=True)
class Standing:
    """How the runs of a rank stand: `taken` steps, whether `alive` and `training`, [K] each.

    `horizon` is the step up to which the rank may go, None where it has no run to train.
    """

    taken: Tensor
    alive: Tensor
    training: Tensor
    horizon: int | None


@dataclass(frozen=True)
class Taken:
    """What a rank says of the runs that it took: their parameters, and what doesn't change of the engine."""

    parameters: Tensor
    steps: Tensor
    batches: Tensor
    standing: Standing


class Member:
    """This rank's part of a training of `pack` on `data`: the runs `runs` [K], which `take` gives it.

    Those that share each step's samples have all runs each, and `together` in their engines. `all_ranks` are
    the ranks that there are.
    """

    def __init__(self, pack: Pack, data: Data, compute: Compute, all_ranks: Ranks) -> None:
        self.pack, self.whole, self.compute, self.all_ranks = pack, data, compute, all_ranks
        self.together = False
        self.runs = torch.empty(0, dtype=torch.int64)
        self.data = data
        self.engine: Engine | None = None

    def take(
        self,
        runs: Tensor,
        together: bool = False,
        step: int = 0,
        memory: Mapping[str, Tensor] | None = None,
    ) -> Taken | None:
        """Makes an engine of these runs, which goes on from a `memory` after `step` steps."""
        self.runs, self.engine, self.together = runs, None, together
        if not len(runs):
            return None
        with at_work(self.compute):
            pack, self.data = self.pack, self.whole
            if len(runs) < pack.runs:
                places = runs.to(self.compute.device)
                pack, self.data = pack.of(runs.tolist()), self.whole.each(lambda part: part.of(places))
            model, choice = untrained(pack, self.data.train, self.compute)
            self.engine = make_engine(
                pack, model, self.data.train, choice, self.all_ranks if together else ALONE
            )
            if memory is not None:
                self._restore(self.engine, step, memory)
            return Taken(
                model.parameters.detach(), self.engine.steps, self.engine.batches, self._standing(self.engine)
            )

    def restore(self, step: int, memory: Mapping[str, Tensor]) -> Standing | None:
        """Restores the state of its runs after `step` steps."""
        return self._do(lambda engine: (self._restore(engine, step, memory), self._standing(engine))[1])

    def advance(self, until: int) -> tuple[int, History | None, Standing] | None:
        """Makes steps up to `until` -> the step that was reached, and what happened."""

        def advance(engine: Engine) -> tuple[int, History | None, Standing]:
            with self._with_others(self.together):
                history = None if engine.done else engine.advance(until)
            return engine.step, history, self._standing(engine)

        return self._do(advance)

    @contextmanager
    def _with_others(self, together: bool) -> Iterator[None]:
        """Inside `with`, what goes wrong can't be mended by one rank, if it is done by all `together`."""
        try:
            yield
        except Exception as error:
            if together:
                raise RankLostError(f"rank {self.all_ranks.rank} can't go on: {error}") from error
            raise

    def stop(self, runs: Tensor, rung: int) -> Standing | None:
        """Lets those of its runs go that are marked [K]."""

        def stop(engine: Engine) -> Standing:
            assert isinstance(engine, PrunableEngine)
            engine.stop(runs.to(self.compute.device), rung)
            return self._standing(engine)

        return self._do(stop)

    def memory(self) -> dict[str, Tensor] | None:
        """All that the steps change."""
        return self._do(lambda engine: dict(engine.memory))

    def parameters(self) -> Tensor | None:
        """[K, P]."""
        return self._do(lambda engine: engine.model.parameters.detach())

    def measure(
        self, part: str, places: Tensor, metrics: bool, by_all: bool, parameters: Tensor | None = None
    ) -> Evaluation | None:
        """Evaluates those of its runs that stand at `places`, with these parameters if they are given.

        `by_all` ranks the same runs, whose samples they share.
        """
        if not len(places):
            return None

        def measure(engine: Engine) -> Evaluation:
            where = places.to(self.compute.device)
            model, data = engine.model.of(where), getattr(self.data, part)
            if parameters is not None:
                model.parameters.detach().copy_(parameters)
            with self._with_others(by_all):
                return evaluate(model, data.of(where), metrics, self.all_ranks if by_all else ALONE)

        return self._do(measure)

    def endings(self, reason: str, pruned: str) -> list[Ending] | None:
        """How its runs ended."""
        return self._do(lambda engine: engine.endings(reason, pruned))

    def report(self, columns: Row) -> Row | None:
        """What its engine adds to the columns of its runs."""

        def report(engine: Engine) -> Row:
            rows = Rows(columns)
            engine.report(rows)
            return {name: column for name, column in rows.columns.items() if name in ("fit", "parameters")}

        return self._do(report)

    def _do(self, work: Callable[[Engine], T]) -> T | None:
        """What `work` makes of the engine, None where there is none."""
        if self.engine is None:
            return None
        with at_work(self.compute):
            return work(self.engine)

    def _restore(self, engine: Engine, step: int, memory: Mapping[str, Tensor]) -> None:
        engine.restore(step, {name: part.to(self.compute.device) for name, part in memory.items()})

    def _standing(self, engine: Engine) -> Standing:
        horizon = None if engine.done else engine.horizon
        return Standing(engine.steps_done.clone(), engine.alive.clone(), engine.training.clone(), horizon)


def any_of(parts: list[Any]) -> Any:
    """The first that isn't None.

    >>> any_of([None, 3])
    3
    """
    return next(part for part in parts if part is not None)
