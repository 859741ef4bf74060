"""What search=random and search=optuna do: round after round of suggestions, each trained as one pack."""

import copy
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from ...kernels.common.errors import UserError
from ..config import schema
from ..config.interpolation import settled
from ..config.overrides import given_by
from ..config.pack import Pack, make_pack, refuse_apart
from ..config.precedence import left_of
from ..console.fit import number
from ..console.report import next_steps
from ..console.training import Ended, run
from ..folder.command import typed_for
from ..folder.lock import locked
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
from ..folder.ranking import PRUNED, Objective, Row, lines_best_first, nested
from ..folder.stored import read_table
from ..pruning.objective import make_objective
from ..sweep.planner import asked_by
from ..sweep.report import report
from .random import RandomSearch
from .space import WHERE, Point, Space, read_space

ROUNDS = "search.rounds"  # may differ when a search goes on
RANKED = "objective", "direction"  # what the runs of a round are ranked by


class Searcher(Protocol):
    """Where the values of the runs come from."""

    def ask(self, first: int, runs: int) -> list[Point]:
        """The points of the runs first .. first + runs - 1: the same ones whenever it is asked."""
        ...

    def tell(self, first: int, values: Sequence[float | None], pruned: Mapping[int, int]) -> None:
        """What these runs came to, None where one is of no use.

        `pruned` are those of them, counted from 0, that were stopped at a rung, each with its steps.
        """
        ...


def search(cfg: DictConfig, pack: Pack, overrides: Sequence[str], root: Path, console: Console) -> Ended:
    """Trains the rounds that a config asks for, writes and prints the results of all.

    `pack` is the config's own, of one run. Rounds that are finished in `root` are not trained again.
    Raises UserError for a search that makes no sense, before anything is trained.
    """
    with locked(root):
        return _search(cfg, pack, overrides, root, console)


def _search(cfg: DictConfig, pack: Pack, overrides: Sequence[str], root: Path, console: Console) -> Ended:
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
            code = _train(_as_grid(cfg, points), overrides, folder, console).code
        if not is_finished(folder):
            break
        lines = _lines(folder)
        pruned = {line["index"]: line["steps"] for line in lines if line["outcome"].startswith(PRUNED)}
        searcher.tell(planned.first, [objective.of(nested(line)) for line in lines], pruned)
    waiting = unfinished(root, plan)
    report(root, plan, {each.folder: "the search was stopped before its end" for each in waiting})
    best = _told(lines_best_first(_lines(root), objective)[0], space, objective)
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
    root: Path, cfg: DictConfig, asked: schema.SearchConfig, objective: Objective, overrides: Sequence[str]
) -> Plan:
    """The rounds as packs of a sweep; a search that goes on may have more of them than before."""
    job: Any = HydraConfig.instance().cfg
    lasting = asked_by(job, [each for each in overrides if not each.startswith(f"{ROUNDS}=")])
    before = read_plan(root)
    if before:
        check_same(root, before, lasting)
    rounds = max(asked.rounds, len(before.packs) if before else 0)
    runs = asked.runs_per_round
    packs = [PlannedPack(str(i), [], {}, i * runs, runs) for i in range(rounds)]
    command = typed_for(job)
    files = before.files if before else digests([cfg])
    return Plan(lasting, command.typed, command.cwd, packs, objective, files)


def _searcher(asked: schema.Config, space: Space, objective: Objective, root: Path) -> Searcher:
    if asked.search.kind == "random":
        return RandomSearch(space, asked.search.seed)
    try:
        from .study import OptunaSearch  # noqa: PLC0415 (Optuna is an optional extra)
    except ModuleNotFoundError as error:
        raise UserError(f"search=optuna needs {error.name}: pip install 'packtrain[optuna]'") from None
    return OptunaSearch(space, asked.search, objective.maximized, root, f"{asked.name}/{root.name}")


def _as_grid(cfg: DictConfig, points: Sequence[Point]) -> DictConfig:
    """The config of a round: an ordinary pack, whose runs have the values of the points."""
    round_cfg = copy.deepcopy(cfg)
    names = schema.JUDGED if cfg.search.pruner else RANKED
    judged = {name: cfg.search[name] for name in names}
    round_cfg.search = schema.SearchConfig("grid", **judged)
    round_cfg.pack = schema.PackConfig(
        over={field: [point[field] for point in points] for field in points[0]}, zip=True
    )
    if "loop.steps" in points[0]:
        round_cfg.loop.epochs = None
    return round_cfg


def _train(cfg: DictConfig, overrides: Sequence[str], folder: Path, console: Console) -> Ended:
    """Trains a round, in a folder that has what Hydra would write."""
    kept = [each for each in overrides if not each.startswith("search")]
    pack, asked = make_pack(cfg, kept), folder / ".hydra"
    asked.mkdir(parents=True, exist_ok=True)
    if (hydras := folder.parent / ".hydra" / "hydra.yaml").exists():
        shutil.copy(hydras, asked)
    OmegaConf.save(settled(cfg, pack.first()), asked / "config.yaml")
    OmegaConf.save(OmegaConf.create(kept), asked / "overrides.yaml")
    return run(pack, folder, console)


def _lines(folder: Path) -> list[Row]:
    return read_table(folder / "runs.csv").to_pylist()


def _told(line: Row, space: Space, objective: Objective) -> str:
    """Which run it is, what it came to and where; '' where it is of no use."""
    value = objective.of(nested(line))
    point = " ".join(f"{field}={number(line[field])}" for field in space)
    return "" if value is None else f"run {line['index']}, with {objective.name} {number(value)}, has {point}"
