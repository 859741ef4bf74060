"""What search=random and search=optuna do: rounds of suggested values, a pack for each structure."""

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from omegaconf import DictConfig
from rich.console import Console

from ...kernels.common.errors import UserError
from ..config import schema
from ..config.interpolation import raw
from ..config.overrides import given_by
from ..config.pack import Pack
from ..config.precedence import left_of
from ..console.next_steps import next_steps
from ..console.training import Ended
from ..folder.command import Command
from ..folder.digits import number
from ..folder.lock import locked
from ..folder.objective import Objective
from ..folder.plan import (
    FILE,
    Plan,
    PlannedPack,
    check_files,
    check_same,
    digests,
    is_finished,
    read_plan,
    read_result,
    unfinished,
    write_plan,
)
from ..folder.ranking import PRUNED, Row, lines_best_first, nested
from ..folder.stored import read_table
from ..pruning.objective import make_objective
from ..sweep.others import untrained, wait_for_jobs
from ..sweep.report import report
from .fields import WHERE
from .packs import RoundPack, Trainer, packs_of_round
from .random import RandomSearch
from .space import Point, Space, read_space
from .structure import Structures

ROUNDS = "search.rounds"  # may differ when a search goes on
STOPPED = "the search was stopped before its end"


class Searcher(Protocol):
    """Suggests the values of the runs, and learns from their results."""

    def ask(self, first: int, runs: int) -> list[Point]:
        """The points of the runs first .. first + runs - 1: the same ones at every call."""
        ...

    def tell(self, first: int, values: Sequence[float | None], pruned: Mapping[int, int]) -> None:
        """Takes the objective of the runs from `first` on, None for a run that can't be used.

        `pruned` maps those of them (counted from 0) that were stopped at a rung to their steps.
        """
        ...


def search(
    cfg: DictConfig,
    pack: Pack,
    overrides: Sequence[str],
    root: Path,
    command: Command,
    trainer: Trainer,
    console: Console,
) -> Ended:
    """Trains the rounds of the search in `cfg`, and writes and prints the results of all.

    `pack` is the pack of `cfg`, of one run, and `command` what asked for it by these `overrides`. Packs that
    are finished in `root` are not trained again; one that fails is told as failed, and the rounds go on.
    Raises UserError for a search that makes no sense, before anything is trained.
    """
    _refuse_password(cfg)
    with locked(root), _writing(pack.config, root):
        return _Search(cfg, pack, overrides, root, command, trainer, console).run()


class _Search:
    """A search in its folder `root`."""

    def __init__(
        self,
        cfg: DictConfig,
        pack: Pack,
        overrides: Sequence[str],
        root: Path,
        command: Command,
        trainer: Trainer,
        console: Console,
    ) -> None:
        self.root, self.console, self.trainer = root, console, trainer
        self.settings = pack.config.search
        self.space = _space(cfg, pack, given_by(overrides))
        self.objective = make_objective(pack.config)
        self.structures = Structures(cfg, self.space, overrides, trainer.compose)
        before = self._before(command, overrides)
        self.rounds = _rounds(before, self.settings)
        files = before.files if before else digests([cfg])
        self.plan = Plan(command, _lasting(overrides), _joined(self.rounds), self.objective, files)
        self.searcher = _searcher(pack.config, self.space, self.objective, root, is_new=before is None)
        self.reasons: dict[str, str] = {}

    def run(self) -> Ended:
        """Trains what isn't finished, and writes and prints the results."""
        write_plan(self.root, self.plan)
        wait_for_jobs(self.root, self.plan.packs)
        code, stopped = 0, False
        for round_ in range(len(self.rounds)):
            packs = self._ask(round_)
            code, stopped = self._train(round_, packs)
            if stopped:
                break
            self._tell(round_, packs)
        return self._end(code, stopped)

    def _before(self, command: Command, overrides: Sequence[str]) -> Plan | None:
        """The plan in the folder, None in a new one. Raises UserError for that of another search."""
        before = read_plan(self.root)
        if before:
            check_same(self.root, before, command, _lasting(overrides))
            check_files(self.root, before)
        return before

    def _ask(self, round_: int) -> list[RoundPack]:
        """The packs of a round, written into the plan. Raises UserError where the first has none to train."""
        runs = self.settings.runs_per_round
        points = self.searcher.ask(round_ * runs, runs)
        packs = packs_of_round(round_, points, self.structures, self.settings.max_pack)
        refused = next((pack.planned for pack in packs if pack.planned.refused), None)
        if refused and round_ == 0 and not any(pack.pack for pack in packs):
            (self.root / FILE).unlink()
            raise UserError(f"{refused.name}: {refused.refused}".removeprefix(": "))
        self.rounds[round_] = [pack.planned for pack in packs]
        new = [pack.config for pack in packs if str(pack.config.data.path) not in self.plan.files]
        files = self.plan.files | digests(new)
        self.plan = replace(self.plan, packs=_joined(self.rounds), files=files)
        write_plan(self.root, self.plan)
        return packs

    def _train(self, round_: int, packs: Sequence[RoundPack]) -> tuple[int, bool]:
        """Trains what isn't finished of a round -> the exit code, and whether that ends the search.

        A round without any result ends it: what it lacks, the next ones would lack too.
        """
        left = {pack.folder for pack in untrained(self.root, [pack.planned for pack in packs])}
        waiting = [pack for pack in packs if pack.planned.folder in left]
        if not waiting:
            return 0, False
        self.console.print(f"round {round_ + 1} of {len(self.rounds)}", highlight=False)
        trained = self.trainer.train(self.root, waiting)
        self.reasons |= trained.reasons
        nothing = not any(read_result(self.root / pack.planned.folder) for pack in packs)
        if nothing and trained.error and round_ == 0:
            raise trained.error
        return (trained.code, True) if trained.stopped else (1, nothing)

    def _tell(self, round_: int, packs: Sequence[RoundPack]) -> None:
        """Tells the searcher what a round came to: None for the runs of a pack that failed."""
        runs = self.settings.runs_per_round
        values: list[float | None] = [None] * runs
        pruned: dict[int, int] = {}
        for pack in packs:
            folder = self.root / pack.planned.folder
            lines = _lines(folder) if is_finished(folder) else []
            for place, line in zip(pack.places, lines, strict=False):
                values[place] = self.objective.of(nested(line))
                if line["outcome"].startswith(PRUNED):
                    pruned[place] = line["steps"]
        self.searcher.tell(round_ * runs, values, pruned)

    def _end(self, code: int, stopped: bool) -> Ended:
        """Writes and prints the results of all."""
        waiting = unfinished(self.root, self.plan.packs)
        report(self.root, self.plan, self.reasons, STOPPED)
        best = _best(self.root, self.space, self.objective)
        if best:
            next_steps(self.console, best=best)
        return Ended(code if stopped else int(bool(waiting) or not best), stopped)


def _space(cfg: DictConfig, pack: Pack, given: Mapping[str, str]) -> Space:
    """search.space, where nothing else says what differs between the runs."""
    kind = pack.config.search.kind
    if pack.over:
        raise UserError(
            f"search={kind} says what differs between the runs, and {', '.join(pack.over)} would differ too: "
            "give one value, as in seed=0, or put it into search.space"
        )
    space = left_of(read_space(cfg), cfg, given, WHERE)
    if not space:
        raise UserError(f"search={kind} needs a space, and each field of the experiment's is given: {WHERE}")
    return space


def _lasting(overrides: Sequence[str]) -> list[str]:
    """The overrides that a search has to its end."""
    return [override for override in overrides if not override.startswith(f"{ROUNDS}=")]


def _rounds(before: Plan | None, settings: schema.SearchConfig) -> list[list[PlannedPack]]:
    """The packs of each round, one where they aren't known; a search that goes on may have more of them."""
    known: dict[int, list[PlannedPack]] = {}
    for pack in before.packs if before else []:
        known.setdefault(int(pack.folder.partition("-")[0]), []).append(pack)
    runs = settings.runs_per_round
    return [
        known.get(i) or [PlannedPack(str(i), [], {}, i * runs, runs)]
        for i in range(max(settings.rounds, len(known)))
    ]


def _joined(rounds: Sequence[Sequence[PlannedPack]]) -> list[PlannedPack]:
    return [pack for packs in rounds for pack in packs]


def _refuse_password(cfg: DictConfig) -> None:
    """Raises UserError for a database's password that was typed: the folder's files say what was typed."""
    storage = raw(cfg, ("search", "storage"))
    if isinstance(storage, str) and re.search(r"://[^/@]*:[^/@]+@|[?&]password=", storage):
        raise UserError(
            "a password in search.storage would stand in the search's files: put the address into an "
            "environment variable, as in 'search.storage=${oc.env:STUDIES}', or the password into ~/.pgpass"
        )


def _writing(config: schema.Config, root: Path) -> AbstractContextManager[None]:
    """Inside `with`, no other process writes the study in search.storage."""
    if config.search.storage is None:
        return nullcontext()
    try:
        from .storage import one_writer  # noqa: PLC0415 (Optuna is an optional extra)
    except ModuleNotFoundError:  # which _searcher will say
        return nullcontext()
    return one_writer(config.search.storage, study_name(config, root))


def study_name(config: schema.Config, root: Path) -> str:
    """The name of the study of the search in `root`.

    >>> study_name(schema.Config("digits"), Path("outputs/a"))
    'digits/a'
    """
    return f"{config.name}/{root.name}"


def _searcher(
    config: schema.Config, space: Space, objective: Objective, root: Path, is_new: bool
) -> Searcher:
    if config.search.kind == "random":
        return RandomSearch(space, config.search.seed)
    try:
        from .study import OptunaSearch  # noqa: PLC0415 (Optuna is an optional extra)
    except ModuleNotFoundError as error:
        raise UserError(f"search=optuna needs {error.name}: pip install 'packtrain[optuna]'") from None
    return OptunaSearch(space, config.search, objective.maximized, root, study_name(config, root), is_new)


def _lines(folder: Path) -> list[Row]:
    return read_table(folder / "runs.csv").to_pylist() if (folder / "runs.csv").exists() else []


def _best(root: Path, space: Space, objective: Objective) -> str:
    """The best run, its objective and its point; '' where none can be used."""
    lines = lines_best_first(_lines(root), objective)
    value = objective.of(nested(lines[0])) if lines else None
    if value is None:
        return ""
    values = {field: lines[0].get(field) for field in space}
    point = " ".join(f"{field}={number(value)}" for field, value in values.items() if value is not None)
    return f"run {lines[0]['index']}, with {objective.name} {number(value)}, has {point}"
