"""A training, from config and data to results: the one path of every door."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..kernels.common import compiling
from ..kernels.common.errors import UserError
from .config.pack import Pack
from .config.schema import Config
from .data.dataset import Data
from .engines.at_work import at_work
from .engines.build import make_engine, untrained
from .engines.measure import Alone, Measure
from .engines.prepare import Prepared, prepared
from .engines.rows import Row, Rows
from .engines.team import Team
from .folder.checkpoint import NEVER, part_of
from .folder.curves import Curves
from .folder.objective import NONE, Objective, loss_of
from .folder.recording import Recording
from .folder.result import Result, head, run_rows, summary
from .folder.seconds import Seconds, Stopwatch
from .folder.tested import add_test
from .loop.best import Best
from .loop.slices import Slices
from .loop.validation import Validation
from .loop.watch import Watcher
from .models.base import Model
from .models.evaluate import Evaluation, confusion
from .pruning.judge import Judge, make_judge, why
from .pruning.objective import chosen_objective, over_seeds
from .ranks.crew import Crew

LOOKED_AT = "its result was asked for before its end"


class Session:
    """A training that can be begun, advanced, looked at and ended.

        session = Session.prepare(pack)
        while not session.done:
            session.advance()
        result = session.result()

    It prints nothing, writes no file, reads no signal, and leaves torch as it was: sessions of different
    precision and device can take turns in one process, and each ends with the bits that it has alone.
    `watchers` hear of each slice and validation; `curves` is one of them, where they are kept in memory.
    `choice` says what computes, and why. Made by `prepare`.
    """

    def __init__(self, begun: Prepared) -> None:
        self.pack, self.compute, self.data, self.choice = begun.pack, begun.compute, begun.data, begun.choice
        self.engine, self.before = begun.engine, begun.before
        pack, data, engine, config = self.pack, self.data, self.engine, self.pack.config
        self.measure: Measure = engine.measure if isinstance(engine, Team) else Alone(engine)
        self.objective: Objective | None = chosen_objective(config)
        self.over_seeds = over_seeds(config)
        self.judge: Judge | None = make_judge(engine, pack, data, self.measure)
        self.validation = Validation(engine, data.validation, config.monitor.validate_every, self.measure)
        self.best = Best(engine) if config.model.best else None
        self.curves: Recording | None = None
        self.watchers: list[Watcher] = []
        self.slices, self.stopwatch = Slices(), Stopwatch()
        self.reason, self.interrupted = "", False

    @classmethod
    def prepare(
        cls,
        pack: Pack | Config,
        data: Data | None = None,
        keep_curves: bool = False,
        crew: Crew | None = None,
    ) -> "Session":
        """A training before its first step: data, model, engine, and the losses at the starting values.

        A Config stands for the pack that its `pack.over` makes. Without `data` the config's are loaded.
        With `keep_curves` the losses that are recorded stay in memory, as `curves`. The ranks of a `crew`,
        which have begun to prepare this pack, share the training.
        Raises UserError or ExpressionError for what can't be trained.

        >>> from packtrain.trainer.config.schema import *
        >>> config = Config(
        ...     model=ModelConfig("expression", expressions=["xy = a*x"]),
        ...     data=DataConfig("table", table={"x": [1, 2, 3], "xy": [2, 4, 6]}),
        ...     optimizer=OptimizerConfig("levenberg_marquardt"),
        ...     loop=LoopConfig(steps=50, batch_size="full"),
        ... )
        >>> session = Session.prepare(config)
        >>> while not session.done:
        ...     session.advance()
        >>> session.result().rows[0]["parameters"]["a"]["value"]
        2.0
        """
        stopwatch = Stopwatch()
        with stopwatch.running():
            session = cls(prepared(pack, data, crew))
        session.stopwatch.seconds = stopwatch.seconds
        if keep_curves:
            session.curves = Recording(list(session.engine.model.scalars))
            session.watchers.append(session.curves)
        return session

    @classmethod
    def joined(cls, pack: Pack, parts: Sequence[tuple["Session", Sequence[int]]]) -> "Session":
        """Some runs of sessions of one structure that have made equally many steps, as one; `pack` is theirs.

        Each run goes on as it would have. The sessions that they come from are to be left alone.
        """
        first = parts[0][0]
        assert all(session.step == first.step for session, _ in parts)
        places = [torch.tensor(runs, device=first.engine.steps.device) for _, runs in parts]
        compute, data = first.compute, first.data
        with at_work(compute):
            model, choice = untrained(pack, data.train, compute)
            engine = make_engine(pack, model, data.train, choice)
        before = torch.cat([part.before.loss[runs] for (part, _), runs in zip(parts, places, strict=True)])
        session = cls(Prepared(pack, compute, data, choice, engine, model, Evaluation(before, {})))
        given = [(part.memory, runs) for (part, _), runs in zip(parts, places, strict=True)]
        session.restore(first.step, {name: _rows(name, given) for name in session.memory})
        session.stopwatch, session.slices = first.stopwatch, first.slices
        if first.curves:
            session.curves = Recording(list(model.scalars))
            session.curves.add([(part.curves, runs) for part, runs in parts if part.curves])
            session.watchers.append(session.curves)
        return session

    @property
    def step(self) -> int:
        """The steps that have been made."""
        return self.engine.step

    @property
    def done(self) -> bool:
        """No run has a step to take, or the training was ended."""
        return bool(self.reason) or self.engine.done

    @property
    def seconds(self) -> Seconds:
        """What the training has taken so far."""
        return self.stopwatch.seconds

    def advance(self, until: int = NEVER) -> None:
        """Makes one slice of steps, up to the step `until` at most; then runs may be validated, and pruned.

        A slice takes about a fifth of a second. loop.max_seconds ends the training after one.
        """
        if self.done or until <= self.step:
            raise UserError(
                f"advance makes steps after step {self.step:,} of a session that isn't done; this one is "
                f"{'' if self.done else 'not '}done, and `until` is {until:,}"
            )
        engine, judge = self.engine, self.judge
        pause = self.validation.next(engine.step)
        rung = judge.next(engine.step) if judge else NEVER
        most = min(until, pause, rung, int(engine.steps.max()), engine.horizon)
        with self.stopwatch.running(training=True), at_work(self.compute):
            self._make_steps(min(engine.step + self.slices.count, most))
            evaluation = self._validate(engine.steps_done == engine.step) if engine.step == pause else None
            if self.best and evaluation:
                self.best.keep(evaluation)
            if judge and engine.step == rung and not engine.done:
                judge.judge(evaluation)
        self._end_in_time()

    def _make_steps(self, until: int) -> None:
        began = compiling.clock()
        history = self.engine.advance(until)
        history.last.cpu()  # waits for the device, so that the clock is right
        for watcher in self.watchers:
            watcher.record(history)
        self.slices.adapt(compiling.clock() - began)

    def _validate(self, runs: Tensor) -> Evaluation | None:
        """Evaluates the runs that are marked [R] on the validation part, if there is one."""
        measured = self.validation.measure(runs)
        if measured is None:
            return None
        for watcher in self.watchers:
            watcher.validated(self.engine.steps_done, *measured)
        return measured[0]

    def _chosen(self, marked: Tensor) -> tuple[Model, Evaluation | None, Tensor | None]:
        """The models that the runs end with, their validation, and with model.best the steps they are of."""
        validation = self._validate(marked)
        if self.best is None or self.data.validation is None:
            return self.engine.model, validation, None
        model, steps = self.best.chosen(validation)
        return model, self.measure(self.data.validation, marked, model=model), steps

    def _end_in_time(self) -> None:
        limit = self.pack.config.loop.max_seconds
        if limit is not None and not self.done and self.seconds.train > limit:
            self.end(f"loop.max_seconds={limit:g} was reached")

    def end(self, reason: str, interrupted: bool = False) -> None:
        """Ends the training where it stands; runs with steps to go say the `reason`.

        `interrupted` says that it may be resumed.
        """
        self.reason, self.interrupted = reason, interrupted

    def result(self) -> Result:
        """The results of the runs as they stand, or stood at their best, measured now over all data."""
        with self.stopwatch.running(), at_work(self.compute):
            rows, model = self._measured(torch.ones_like(self.engine.alive), self.done)
            together = self.engine.report(rows)
        curves = self.curves and self.curves.curves(*self._last(slice(None)))
        return self._result(self.pack, slice(None), rows, model, curves, together)

    def results(self, parts: Sequence[tuple[Pack, Sequence[int]]]) -> list[Result]:
        """The result of each part, a pack and which of the runs it is, as of a training of its own.

        The runs of a part have ended; the others may go on. Of first-order engines alone: a report on fits is
        one on all of them.
        """
        places = [torch.tensor(runs, device=self.engine.steps.device) for _, runs in parts]
        marked = torch.zeros_like(self.engine.alive)
        marked[torch.cat(places)] = True
        with self.stopwatch.running(), at_work(self.compute):
            rows, model = self._measured(marked, ended=True)
        recordings = self.curves.parts([runs for _, runs in parts]) if self.curves else [None] * len(parts)
        results = []
        for (pack, runs), place, recording in zip(parts, places, recordings, strict=True):
            own = rows.of(np.array(runs)).gathered()
            own.columns["values"] = pack.over
            curves = recording and recording.curves(*self._last(place))
            results.append(self._result(pack, place, own, model.of(place), curves))
        return results

    def _measured(self, marked: Tensor, ended: bool) -> tuple[Rows, Model]:
        """A row for each run, measured where it is `marked` [R], and the models that the runs end with."""
        engine = self.engine
        reason = self.reason or ("" if engine.done else LOOKED_AT)
        model, validation, best_steps = self._chosen(marked)
        given = None if self.best is None else model
        after = self.measure(self.data.train, marked, model=given)
        endings = engine.endings(reason, why(self.pack.config.search))
        rows = run_rows(self.pack, model, endings, self.before, after, validation, best_steps)
        if self.data.test is not None and ended and not self.interrupted:
            add_test(rows.columns, self.measure(self.data.test, marked, model=given))
        return rows, model

    def _result(
        self,
        pack: Pack,
        runs: Any,
        rows: Rows,
        model: Model,
        curves: Curves | None,
        together: Row | None = None,
    ) -> Result:
        """The result of the `runs` that `pack` is of: their indices, or a slice."""
        about = head(pack, self.compute, self.engine, self.choice, self.seconds, runs)
        if self.data.notes:
            about["notes"] = list(self.data.notes)
        about["interrupted"] = self.interrupted
        if isinstance(self.engine, Team):
            about |= self.engine.about
        over_seeds = None if self.over_seeds == NONE else loss_of(rows, self.over_seeds)
        objective = self.objective or over_seeds
        result = summary(about, rows, together, objective)
        result |= self._confusion(result["best_run"], model)
        grid = self.data.groups.shape if self.data.groups else None
        return Result(
            pack, rows, result, model, self.data.train, objective, curves, grid, self.data.validation
        )

    def _last(self, runs: Any) -> tuple[Tensor, Tensor]:
        """The steps of these runs, and their parameters worth a curve."""
        model = self.engine.model
        columns = list(model.scalars.values())
        return self.engine.steps_done[runs], model.parameters.detach()[runs][:, columns]

    def _confusion(self, best: int | None, model: Model) -> Row:
        """{"confusion": which classes the best run takes for which}; {} where there are no classes."""
        part = "training" if self.data.validation is None else "validation"
        with at_work(self.compute):
            data = self.data.validation or self.data.train
            counted = None if best is None else confusion(model, data, best)
        return {"confusion": {"run": best, "part": part, **counted}} if counted else {}

    @property
    def memory(self) -> dict[str, Tensor]:
        """All that steps change, live tensors by name: with the step, enough to go on, bit for bit."""
        parts = {"engine": self.engine, "monitor": self.validation, "best": self.best, "judge": self.judge}
        tensors: dict[str, Tensor] = {}
        for name, part in parts.items():
            if part:
                tensors |= {f"{name}/{key}": tensor for key, tensor in part.memory.items()}
        return tensors

    def restore(self, step: int, memory: Mapping[str, Tensor]) -> None:
        """Restores the state saved after `step` steps, whatever was reached or said since.

        Raises ValueError or KeyError where the memory doesn't fit, or there is no such step.
        """
        if not 0 <= step <= (last := int(self.engine.steps.max())):
            raise UserError(f"step is 0 to {last:,}, the steps of this training; got {step:,}")
        with at_work(self.compute):
            self.engine.restore(step, part_of(memory, "engine"))
            self.validation.restore(step, part_of(memory, "monitor"))
            if self.best:
                self.best.restore(part_of(memory, "best"))
            if self.judge:
                self.judge.restore(step, part_of(memory, "judge"))
        self.reason, self.interrupted = "", False
        if self.curves:
            self.curves.forget(step)

    def add_seconds(self, spent: Seconds) -> None:
        """Adds the time of earlier parts of the training, which counts for loop.max_seconds too."""
        self.stopwatch.seconds += spent
        self._end_in_time()


def _rows(name: str, given: Sequence[tuple[Mapping[str, Tensor], Tensor]]) -> Tensor:
    """The rows of a tensor in several memories; a state that one lacks matters in others alone: it is 0."""
    like = next(memory[name] for memory, _ in given if name in memory)
    none = like.new_zeros(1, *like.shape[1:])
    return torch.cat(
        [
            memory[name][runs] if name in memory else none.repeat_interleave(len(runs), 0)
            for memory, runs in given
        ]
    )
