"""What search=random and search=optuna do: rounds of suggested values, each trained as one pack."""

import copy
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from ...kernels.common.errors import UserError
from ..config import schema
from ..config.interpolation import settled
from ..config.overrides import given_by
from ..config.pack import Pack, make_pack, refuse_apart
from ..config.precedence import left_of
from ..console.next_steps import next_steps
from ..console.training import Ended, never, run
from ..folder.command import command_of
from ..folder.digits import number
from ..folder.lock import locked
from ..folder.objective import Objective
from ..folder.plan import (
    Plan,
    PlannedPack,
    check_files,
    check_same,
    digests,
    is_finished,
    read_plan,
    unfinished,
    write_plan,
)
from ..folder.ranking import PRUNED, Row, lines_best_first, nested
from ..folder.stored import read_table
from ..pruning.objective import make_objective
from ..ranks.crew import Crew
from ..sweep.report import report
from .random import RandomSearch
from .space import WHERE, Point, Space, read_space

Stop = Callable[[], str]
ROUNDS = "search.rounds"  # may differ when a search goes on
RANKED = "objective", "direction", "over_seeds"  # the fields that rank the runs of a round


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
    console: Console,
    stop: Stop = never,
    crew: Crew | None = None,
) -> Ended:
    """Trains the rounds of the search in `cfg`, and writes and prints the results of all.

    `pack` is the pack of `cfg`, of one run. Rounds that are finished in `root` are not trained again. `stop`
    is called before each slice of a round, and says why to stop there, '' to go on. The ranks of a `crew`
    share each round.
    Raises UserError for a search that makes no sense, before anything is trained.
    """
    with locked(root):
        return _search(cfg, pack, overrides, root, console, stop, crew)


def _search(
    cfg: DictConfig,
    pack: Pack,
    overrides: Sequence[str],
    root: Path,
    console: Console,
    stop: Stop,
    crew: Crew | None,
) -> Ended:
    space = _space(cfg, pack, given_by(overrides))
    objective = make_objective(pack.config)
    plan = _plan(root, cfg, pack.config.search, objective, overrides)
    check_files(root, plan)
    searcher = _searcher(pack.config, space, objective, root)
    write_plan(root, plan)
    code = 0
    for planned in plan.packs:
        points = searcher.ask(planned.first, planned.runs)
        folder = root / planned.folder
        if not is_finished(folder):
            console.print(f"round {int(planned.folder) + 1} of {len(plan.packs)}", highlight=False)
            code = _train(_as_grid(cfg, points), overrides, folder, console, stop, crew).code
        if not is_finished(folder):
            break
        lines = _lines(folder)
        pruned = {line["index"]: line["steps"] for line in lines if line["outcome"].startswith(PRUNED)}
        searcher.tell(planned.first, [objective.of(nested(line)) for line in lines], pruned)
    waiting = unfinished(root, plan)
    report(root, plan, {planned.folder: "the search was stopped before its end" for planned in waiting})
    best = _best(lines_best_first(_lines(root), objective)[0], space, objective)
    if best:
        next_steps(console, best=best)
    return Ended(code if waiting else int(not best), bool(waiting))


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
    refuse_apart(cfg, {field: OmegaConf.select(cfg, field) for field in space})
    return space


def _plan(
    root: Path, cfg: DictConfig, settings: schema.SearchConfig, objective: Objective, overrides: Sequence[str]
) -> Plan:
    """The rounds as packs of a sweep; a search that goes on may have more of them than before."""
    command = command_of(HydraConfig.instance().cfg)
    lasting = [override for override in overrides if not override.startswith(f"{ROUNDS}=")]
    before = read_plan(root)
    if before:
        check_same(root, before, command, lasting)
    rounds = max(settings.rounds, len(before.packs) if before else 0)
    runs = settings.runs_per_round
    packs = [PlannedPack(str(i), [], {}, i * runs, runs) for i in range(rounds)]
    files = before.files if before else digests([cfg])
    return Plan(command, lasting, packs, objective, files)


def _searcher(config: schema.Config, space: Space, objective: Objective, root: Path) -> Searcher:
    if config.search.kind == "random":
        return RandomSearch(space, config.search.seed)
    try:
        from .study import OptunaSearch  # noqa: PLC0415 (Optuna is an optional extra)
    except ModuleNotFoundError as error:
        raise UserError(f"search=optuna needs {error.name}: pip install 'packtrain[optuna]'") from None
    return OptunaSearch(space, config.search, objective.maximized, root, f"{config.name}/{root.name}")


def _as_grid(cfg: DictConfig, points: Sequence[Point]) -> DictConfig:
    """The config of a round: an ordinary pack, a run for each point."""
    round_cfg = copy.deepcopy(cfg)
    names = {*RANKED, *(schema.JUDGED if cfg.search.pruner else ())}
    round_cfg.search = schema.SearchConfig("grid", **{name: cfg.search[name] for name in names})
    round_cfg.pack = schema.PackConfig(
        over={field: [point[field] for point in points] for field in points[0]}, zip=True
    )
    if "loop.steps" in points[0]:
        round_cfg.loop.epochs = None
    return round_cfg


def _train(
    cfg: DictConfig,
    overrides: Sequence[str],
    folder: Path,
    console: Console,
    stop: Stop,
    crew: Crew | None,
) -> Ended:
    """Trains a round, in a folder that has the files that Hydra would write."""
    others = [override for override in overrides if not override.startswith("search")]
    pack, hydra = make_pack(cfg, others), folder / ".hydra"
    hydra.mkdir(parents=True, exist_ok=True)
    if (of_search := folder.parent / ".hydra" / "hydra.yaml").exists():
        shutil.copy(of_search, hydra)
    OmegaConf.save(settled(cfg, pack.first()), hydra / "config.yaml")
    OmegaConf.save(OmegaConf.create(others), hydra / "overrides.yaml")
    return run(pack, folder, console, stop=stop, crew=crew)


def _lines(folder: Path) -> list[Row]:
    return read_table(folder / "runs.csv").to_pylist()


def _best(line: Row, space: Space, objective: Objective) -> str:
    """The run of a line, its objective and its point; '' where it can't be used."""
    value = objective.of(nested(line))
    point = " ".join(f"{field}={number(line[field])}" for field in space)
    return "" if value is None else f"run {line['index']}, with {objective.name} {number(value)}, has {point}"
