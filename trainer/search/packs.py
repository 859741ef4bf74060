"""A round of a search as packs: what each of them trains, and how it is trained in this process."""

import copy
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from ...kernels.common.errors import UserError
from ..config import schema
from ..config.grammar import quoted
from ..config.interpolation import settled
from ..config.overrides import given_by
from ..config.pack import Pack, make_pack
from ..config.sentences import sentence
from ..console.training import Ended, never, run
from ..folder.plan import PlannedPack
from ..ranks.crew import Crew
from ..sweep.planner import apart
from .space import Point
from .structure import Compose, Group, Structures, grouped, spelled, words_of

log = logging.getLogger(__name__)
RANKED = "objective", "direction", "over_seeds"  # the fields that rank the runs of a round
SEARCH, OVER = "search", "pack.over."
DRIVERS = (
    "search.space",
    "search.storage",
)  # which say nothing to the packs, and may say too much in their files
MISTAKES = UserError, OmegaConfBaseException
Stop = Callable[[], str]


@dataclass(frozen=True)
class RoundPack:
    """A pack of a round: its place in the plan, its config, and where its runs stand in the round.

    `pack` is what it trains, None where it is refused. `words` compose its config as a job of a launcher.
    """

    planned: PlannedPack
    places: list[int]
    config: DictConfig
    overrides: list[str]
    pack: Pack | None
    words: list[str]


@dataclass(frozen=True)
class Trained:
    """What became of packs: `reasons` says of those that failed why, by their folders.

    `stopped` tells that a signal ended the training, with the exit `code`; `error` is the first failure.
    """

    reasons: dict[str, str] = field(default_factory=dict)
    stopped: bool = False
    code: int = 0
    error: Exception | None = None


class Trainer(Protocol):
    """Trains the packs of a round."""

    @property
    def compose(self) -> Compose:
        """Makes the config of a command with some overrides, without Hydra's part. Raises UserError."""
        ...

    def train(self, root: Path, packs: Sequence[RoundPack]) -> Trained:
        """Trains packs into their folders below `root`; one that fails leaves the others alone."""
        ...


def packs_of_round(
    number: int, points: Sequence[Point], structures: Structures, most: int | None = None
) -> list[RoundPack]:
    """The packs of round `number`, in which each of the points is a run: of one structure, `most` runs each.

    The runs of the search are numbered on from pack to pack.
    """
    used = [structures.used(point) for point in points]
    groups = grouped(used, structures.fields, most)
    groups = [part for group in groups for part in group.cut(_most(structures, group))]
    packs: list[RoundPack] = []
    first = number * len(points)
    for place, group in enumerate(groups):
        one = len(groups) == 1 and not structures.fields
        packs.append(_pack(str(number) if one else f"{number}-{place}", first, group, structures))
        first += len(group.points)
    return packs


def _most(structures: Structures, group: Group) -> int | None:
    """1 where nothing of what differs may be given to each run of a pack: not even the same seed."""
    nothing = not group.points[0] and structures.config(group.values).loop.steps is None
    return 1 if nothing and apart(structures.cfg, ["seed"]) else None


def _pack(folder: str, first: int, group: Group, structures: Structures) -> RoundPack:
    over = _over(structures.config(group.values), group.points)
    config = of_round(structures.config(group.values), over)
    asked = [word for word in structures.overrides if word.partition("=")[0] not in over]
    asked += words_of(group.values)
    overrides = list(filter(_is_the_packs, asked))
    runs, refused, pack = len(group.points), "", None
    try:
        pack = make_pack(config, overrides)
    except MISTAKES as error:
        runs, refused = 0, sentence(error)
    planned = PlannedPack(folder, [], group.values, first, runs, refused)
    job = [word for word in asked if not word.lstrip("+~").startswith(DRIVERS)]
    job += [f"pack.over={spelled(over)}", "pack.zip=true", f"hydra.sweep.subdir={quoted(folder)}"]
    return RoundPack(planned, group.places, config, overrides, pack, job)


def _over(config: DictConfig, points: Sequence[Point]) -> dict[str, list[Any]]:
    """The values of each field in the runs; where nothing differs, a field with the value that it has."""
    if points[0] or len(points) == 1:
        return {name: [point[name] for point in points] for name in points[0]}
    name = "seed" if config.loop.steps is None else "loop.steps"
    return {name: [OmegaConf.select(config, name)] * len(points)}


def of_round(cfg: DictConfig, over: Mapping[str, list[Any]]) -> DictConfig:
    """The config of a pack of a round: an ordinary one, `over` having a value of each field for each run."""
    config = copy.deepcopy(cfg)
    names = {*RANKED, *(schema.JUDGED if cfg.search.pruner else ())}
    config.search = schema.SearchConfig("grid", **{name: cfg.search[name] for name in names})
    config.pack = schema.PackConfig(over=dict(over), zip=True)
    if "loop.steps" in over:
        config.loop.epochs = None
    return config


def _is_the_packs(override: str) -> bool:
    """Whether an override says what a pack trains, and not how it was chosen."""
    return not override.lstrip("+~").startswith((SEARCH, "pack."))


class InProcess:
    """Trains packs here, one after another; `stop` says before each slice why to stop there, '' to go on.

    `check` raises UserError for a pack that may not be trained. The ranks of a `crew` share each.
    """

    def __init__(
        self,
        compose: Compose,
        console: Console,
        stop: Stop = never,
        check: Callable[[Pack], object] = lambda _: None,
        crew: Crew | None = None,
    ) -> None:
        self.compose, self.console, self.stop, self.check = compose, console, stop, check
        self.crew = crew

    def train(self, root: Path, packs: Sequence[RoundPack]) -> Trained:
        """See Trainer."""
        reasons: dict[str, str] = {}
        first: Exception | None = None
        for pack in packs:
            try:
                ended = self._train(root, pack)
            except Exception as error:
                reasons[pack.planned.folder] = _why(error)
                first = first or error
            else:
                if ended.interrupted:
                    return Trained(reasons, True, ended.code)
        return Trained(reasons, error=first)

    def _train(self, root: Path, pack: RoundPack) -> Ended:
        assert pack.pack is not None, "a refused pack isn't trained"
        self.check(pack.pack)
        folder = root / pack.planned.folder
        write_hydra(pack.config, pack.pack, pack.overrides, folder)
        if (of_search := root / ".hydra" / "hydra.yaml").exists():
            shutil.copy(of_search, folder / ".hydra")
        return run(pack.pack, folder, self.console, stop=self.stop, crew=self.crew)


def _why(error: Exception) -> str:
    """Why a pack failed; a mistake of ours has its traceback in the log."""
    if isinstance(error, MISTAKES):
        return sentence(error)
    log.error("the training failed", exc_info=error)
    return f"{type(error).__name__}: {error}; the train.log has the traceback"


def train_job(cfg: DictConfig, overrides: Sequence[str], folder: Path, console: Console) -> Ended:
    """Trains a pack of a round as a job of a launcher; `overrides` are the words of its RoundPack."""
    given = [path.removeprefix(OVER) for path in given_by(overrides) if path.startswith(OVER)]
    over: Any = OmegaConf.to_container(cfg.pack.over)
    config = of_round(cfg, {path: over[path] for path in given})
    words = [*filter(_is_the_packs, overrides)]
    pack = make_pack(config, words)
    write_hydra(config, pack, words, folder)
    return run(pack, folder, console)


def write_hydra(config: DictConfig, pack: Pack, overrides: Sequence[str], folder: Path) -> None:
    """Writes the files of a pack's config as Hydra would where the pack were trained by itself."""
    hydra = folder / ".hydra"
    hydra.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(settled(config, pack.first()), hydra / "config.yaml")
    OmegaConf.save(OmegaConf.create(list(overrides)), hydra / "overrides.yaml")
