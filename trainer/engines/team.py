"""The engine of a pack that several ranks train, as the first of them has it."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ...kernels.common.errors import UserError
from ..config.pack import Pack
from ..data.dataset import Data, Dataset
from ..data.digest import digest
from ..models.base import Model
from ..models.evaluate import Evaluation
from ..ranks.crew import Crew
from .base import Engine, History
from .build import untrained
from .devices import Compute
from .least_squares import LeastSquaresEngine
from .member import PARTS, Member, Standing, Taken
from .merged import joined, merged
from .outcome import Ending
from .rows import Row, Rows
from .sharing import NOTHING, RUNS, SAMPLES

UNEVEN = 1.25  # times its even share: a rank with so many runs to train gives some away


def shared_out(training: Tensor, ranks: int) -> list[Tensor]:
    """Which runs each rank has, in order: of those that are `training` [R], and of the others, equally many.

    >>> [runs.tolist() for runs in shared_out(torch.tensor([True, True, False, False, True]), 2)]
    [[0, 1, 2], [3, 4]]
    """
    from_each = [mask.nonzero()[:, 0].cpu().tensor_split(ranks) for mask in (training, ~training)]
    return [torch.cat(parts).sort().values for parts in zip(*from_each, strict=True)]


class Team:
    """Trains R runs through the ranks of a `crew`, by runs or by samples; see Engine and PrunableEngine.

    `member` is this rank's part, an ordinary engine of its `shares`. By runs each rank has some of them, and
    no run's arithmetic knows of another's; by samples each has all. The parameters of all runs are fetched
    when `model` or `memory` is asked for. `measure` shares out the runs that it evaluates. `notes` say what a
    person should know of the `split`.
    """

    def __init__(
        self,
        crew: Crew,
        pack: Pack,
        data: Data,
        compute: Compute,
        split: str,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.crew, self.pack, self.data, self.compute = crew, pack, data, compute
        self.split, self.notes = split, notes
        self.step = 0
        self.member: Member = crew.hand
        everyone = torch.ones(pack.runs, dtype=torch.bool)
        self.shares = self._shares(everyone)
        taken: list[Taken | None] = crew.ask_each("take", [(runs, self._together) for runs in self.shares])
        parameters = self._whole([part and part.parameters for part in taken])
        self._model, self.choice = untrained(pack, data.train, compute, parameters)
        self.fresh = True  # whether the model has the parameters of this step
        self.steps = self._whole([part and part.steps for part in taken])
        self.batches = self._whole([part and part.batches for part in taken])
        self._stand([part and part.standing for part in taken])
        self.kind, self.backend = self.own.kind, self.own.backend
        self.capture, self.order = self.own.capture, self.own.order

    @property
    def own(self) -> Engine:
        """The engine of this rank."""
        assert self.member.engine is not None
        return self.member.engine

    @property
    def about(self) -> Row:
        """For result.json: how many ranks there are, how they share, and how many runs each has."""
        return {
            "ranks": self.crew.ranks.size,
            "split": self.split,
            "shares": [len(runs) for runs in self.shares],
        }

    @property
    def model(self) -> Model:
        """The models of all runs as they stand."""
        if not self.fresh:
            parameters = self._whole(self.crew.ask("parameters"))
            self._model.parameters.detach().copy_(parameters)
            self.fresh = True
        return self._model

    @property
    def steps_done(self) -> Tensor:
        """Of each run: [R]."""
        return self.taken

    @property
    def memory(self) -> dict[str, Tensor]:
        """All that the steps change: [R, ...] by name, fetched now."""
        parts: list[dict[str, Tensor] | None] = self.crew.ask("memory")
        names = dict.fromkeys(name for part in parts if part for name in part)
        return {
            name: self._whole([None if part is None else _part(part, name) for part in parts])
            for name in names
        }

    @property
    def done(self) -> bool:
        """No run has a step to take."""
        return not self.horizons

    @property
    def horizon(self) -> int:
        """The step up to which one call of `advance` may go."""
        return min(self.horizons)

    def advance(self, until_step: int) -> History:
        """Trains every run up to `until_step` and says what happened on the way."""
        parts = self.crew.ask("advance", until_step)
        self._stand([part and part[2] for part in parts])
        made = [(runs, *part[:2]) for runs, part in zip(self.shares, parts, strict=True) if part and part[1]]
        self.step = max(step for _, step, _ in made)
        self.fresh = False
        histories = [_numbered(history, runs, step < self.step) for runs, step, history in made]
        return joined(histories[:1] if self._together else histories)

    def stop(self, runs: Tensor, rung: int) -> None:
        """Lets the runs [R] that are marked go, at this rung (from 1); the others are shared out again."""
        mask = runs.cpu()
        self._stand(self.crew.ask_each("stop", [(mask[own], rung) for own in self.shares]))
        training = self.training.cpu()
        busiest = max(int(training[own].sum()) for own in self.shares)
        even = math.ceil(int(training.sum()) / self.crew.ranks.size)
        if self.split == RUNS and busiest > UNEVEN * even:
            self._take(self._shares(training), self.step, self.memory)

    def restore(self, step: int, memory: Mapping[str, Tensor]) -> None:
        """Restores the state saved after `step` steps. Raises ValueError where it doesn't fit."""
        for name, part in memory.items():
            if len(part) != self.pack.runs:
                raise ValueError(f"{name} has to be of {self.pack.runs} runs")
        given = [({name: part[own] for name, part in memory.items()},) for own in self.shares]
        self._stand(self.crew.ask_each("restore", [(step, *rows) for rows in given]))
        self.step, self.fresh = step, False
        if self.split == RUNS:
            self._take(self._shares(self.training.cpu()), step, memory)

    def endings(self, reason: str, pruned: str = "") -> list[Ending]:
        """How each run ended; `reason` is why training stopped early, `pruned` why runs were pruned."""
        parts = self.crew.ask("endings", reason, pruned)
        if self._together:
            return parts[0]
        of_run = {
            run: ending
            for own, part in zip(self.shares, parts, strict=True)
            for run, ending in zip(own.tolist(), part or (), strict=True)
        }
        return [of_run[run] for run in range(self.pack.runs)]

    def report(self, rows: Rows) -> Row:
        """Adds what the ranks know of their runs to the rows' columns -> what is known of all together."""
        if not isinstance(self.own, LeastSquaresEngine):
            return {}
        parts = [rows.of(own.numpy()).gathered().columns for own in self.shares]
        reports = self.crew.ask_each("report", [(columns,) for columns in parts])
        if self._together:
            rows.columns.update(reports[0])
        else:
            made = [(own.numpy(), part) for own, part in zip(self.shares, reports, strict=True) if part]
            rows.columns.update(merged(made, self.pack.runs))
        return self.own.report_together(rows, self.data.train.counted)

    def measure(
        self, data: Dataset, runs: Tensor | None = None, metrics: bool = True, model: Model | None = None
    ) -> Evaluation:
        """Evaluates the runs that are marked, each rank some of them; see Measure. The others have NaN.

        By samples ranks share those of runs that are fewer than ranks.
        """
        part = next(name for name in PARTS if getattr(self.data, name) is data)
        wanted = torch.ones(self.pack.runs, dtype=torch.bool) if runs is None else runs.cpu()
        given = None if model is None else model.parameters.detach()
        by_all = self._together and int(wanted.sum()) < self.crew.ranks.size
        places, orders = [], []
        for own, of_member in self._measured_by(wanted, by_all):
            places.append(own)
            rows = () if given is None else (given[own.to(given.device)],)
            orders.append((part, of_member, metrics, by_all, *rows))
        parts: list[Evaluation | None] = self.crew.ask_each("measure", orders)
        losses = self._spread([part and part.loss for part in parts], places)
        names = next((list(part.metrics) for part in parts if part), [])
        values = {
            name: self._spread([part and part.metrics[name] for part in parts], places) for name in names
        }
        return Evaluation(losses, values)

    def _measured_by(self, wanted: Tensor, by_all: bool) -> list[tuple[Tensor, Tensor]]:
        """For each rank: which runs it evaluates, and where these stand among its own."""
        if self._together:
            every, ranks = wanted.nonzero()[:, 0], self.crew.ranks.size
            return [(runs, runs) for runs in ([every] * ranks if by_all else every.tensor_split(ranks))]
        return [(own[wanted[own]], wanted[own].nonzero()[:, 0]) for own in self.shares]

    @property
    def _together(self) -> bool:
        return self.split == SAMPLES

    def _shares(self, training: Tensor) -> list[Tensor]:
        ranks = self.crew.ranks.size
        if self._together:
            return [torch.arange(len(training))] * ranks
        if self.split == NOTHING:
            return [torch.arange(len(training)), *[torch.empty(0, dtype=torch.int64)] * (ranks - 1)]
        return shared_out(training, ranks)

    def _take(self, shares: list[Tensor], step: int, memory: Mapping[str, Tensor]) -> None:
        """Gives the ranks other runs, which go on as they stand."""
        if all(torch.equal(new, old) for new, old in zip(shares, self.shares, strict=True)):
            return
        self.shares = shares
        rows = [{name: part[runs] for name, part in memory.items()} for runs in shares]
        given = [(runs, self._together, step, part) for runs, part in zip(shares, rows, strict=True)]
        taken: list[Taken | None] = self.crew.ask_each("take", given)
        self._stand([part and part.standing for part in taken])

    def _stand(self, parts: Sequence[Standing | None]) -> None:
        """Takes down how the runs stand."""
        self.taken = self._whole([part and part.taken for part in parts])
        self.alive = self._whole([part and part.alive for part in parts])
        self.training = self._whole([part and part.training for part in parts])
        self.horizons = [part.horizon for part in parts if part and part.horizon is not None]

    def _whole(self, parts: Sequence[Tensor | None]) -> Tensor:
        """What each rank has of its runs, of all runs."""
        if self._together:
            assert parts[0] is not None
            return parts[0]
        like = next(part for part in parts if part is not None)
        whole = like.new_empty(self.pack.runs, *like.shape[1:], device=self.compute.device)
        for own, part in zip(self.shares, parts, strict=True):
            if part is not None:
                whole[own.to(whole.device)] = part.to(whole.device)
        return whole

    def _spread(self, parts: Sequence[Tensor | None], places: Sequence[Tensor]) -> Tensor:
        """Numbers of some runs, of all: NaN of the others."""
        dtype = next((part.dtype for part in parts if part is not None), torch.float64)
        whole = torch.full((self.pack.runs,), math.nan, dtype=dtype, device=self.compute.device)
        for runs, part in zip(places, parts, strict=True):
            if part is not None:
                whole[runs.to(whole.device)] = part.to(whole.device)
        return whole


def _numbered(history: History, runs: Tensor, ended: bool) -> History:
    """A rank's history on the host, with the pack's numbers of its `runs`; no last loss if all ended."""
    last = torch.full_like(history.last, torch.nan) if ended else history.last
    return History(
        history.steps,
        runs[history.runs.cpu()],
        history.loss.cpu(),
        history.gradient_norm.cpu(),
        {name: rate.cpu() for name, rate in history.rates.items()},
        history.scalars.cpu(),
        last.cpu(),
        history.samples,
    )


def check_alike(others: Sequence[tuple[str, str]], data: Data, compute: Compute) -> None:
    """Raises UserError where another rank has other data, or computes on another kind of device.

    `others` are the digests of their data, and the kinds of their devices.

    >>> here = Compute(torch.device("cpu"), torch.float32, "cpu")
    >>> check_alike([], data=None, compute=here)
    """
    own = digest(data) if others else ""
    for rank, (of_data, device) in enumerate(others, 1):
        if device != compute.device.type:
            raise UserError(
                f"rank 0 computes on {compute.device.type}, and rank {rank} on {device}: compute.device"
            )
        if of_data != own:
            raise UserError(
                f"rank {rank} has read other data than rank 0: they need the same files, at the same place"
            )


def _part(memory: Mapping[str, Tensor], name: str) -> Tensor:
    """The runs' part of a memory; of a state that matters in other runs alone, 0."""
    return memory[name] if name in memory else torch.zeros_like(memory["parameters"])
