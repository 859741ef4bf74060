"""Searches whose packs are jobs of a launcher of Hydra's, as hydra/launcher=joblib or submitit_slurm."""

import copy
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

from ...kernels.common.errors import UserError
from ..config.compose import as_sentences
from ..config.grammar import quoted
from ..config.pack import make_pack
from ..console.tables import new_console
from ..folder.attempts import Attempts, newest_checkpoint
from ..folder.command import command_of
from ..folder.plan import PlannedPack
from ..sweep.others import untrained
from ..sweep.planner import without_hydra
from ..sweep.sweep import Launched, Sweep
from .fields import WHERE
from .packs import RoundPack, Trained
from .rounds import search
from .structure import spelled

OWN = "hydra.mode", "hydra.sweep.dir"  # what jobs are told otherwise than the command


class Composer:
    """Composes configs as those of the command were, of which `config` is one, Hydra's part included."""

    def __init__(self, loader: ConfigLoader, config: DictConfig) -> None:
        self.loader, self.config = loader, config

    def __call__(self, overrides: Sequence[str]) -> DictConfig:
        """The config of these overrides, without Hydra's part. Raises UserError."""
        with as_sentences():
            return without_hydra(self.loader.load_sweep_config(self.config, list(overrides)))


class LaunchedPacks:
    """Trains packs as jobs of a sweep's launcher.

    Where a job is lost another goes on with its pack, until three in a row have come no further.
    """

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.compose = Composer(sweep.context.config_loader, sweep.config)

    def train(self, root: Path, packs: Sequence[RoundPack]) -> Trained:
        """See Trainer."""
        waiting = [replace(pack.planned, overrides=pack.words) for pack in packs]
        attempts = {pack.folder: Attempts() for pack in waiting}
        reasons: dict[str, str] = {}
        launched = Launched([])
        while waiting := _begun(root, waiting, attempts):
            launched = self.sweep.launch(waiting)
            reasons |= launched.reasons(waiting)
            waiting = untrained(root, launched.lost(root, waiting))
            for pack in waiting:
                attempts[pack.folder].whys[-1] = reasons[pack.folder]
        reasons |= {folder: tried.failed for folder, tried in attempts.items() if tried.failed}
        return Trained(reasons, launched.stopped, launched.code)


def _begun(root: Path, packs: Sequence[PlannedPack], attempts: Mapping[str, Attempts]) -> list[PlannedPack]:
    """The packs, each with another attempt, without those that had enough."""
    for pack in packs:
        tried, folder = attempts[pack.folder], root / pack.folder
        why = tried.whys[-1] if tried.whys else ""
        tried.begin(newest_checkpoint(folder))
        if why and not tried.failed:
            print(f"packtrain: {folder}: {why}; another job goes on with it", file=sys.stderr)
    return [pack for pack in packs if not attempts[pack.folder].failed]


def run_search(sweep: Sweep, overrides: Sequence[str]) -> None:
    """The search that a command with -m asks for by these overrides, in the folder hydra.sweep.dir.

    Fields with several values, as optimizer=adam,sgd, are searched too. Raises UserError for a search that
    makes no sense, before anything is trained, and SystemExit with the exit code.
    """
    with sweep.ended():
        words = list(in_space(overrides, sweep.context.config_loader))
        trainer = LaunchedPacks(sweep)
        cfg = trainer.compose(words)
        pack = make_pack(cfg, words)
        if pack.config.search.kind == "grid":
            raise UserError(f"{sweep.root} holds a search: take another hydra.sweep.dir")
        command = command_of(sweep.config)
        hydras = [word for word in command.typed if word.startswith("hydra") and not word.startswith(OWN)]
        command = replace(command, typed=[*words, *hydras])
        ended = search(cfg, pack, words, sweep.root, command, trainer, new_console())
    if ended.code or ended.interrupted:
        sys.exit(ended.code)


def launcher_of(config: DictConfig, root: Path, task: TaskFunction) -> LaunchedPacks:
    """What trains the packs of a search that was asked for without -m as jobs of the launcher of `config`.

    `task` is what Hydra calls for each of them, and `root` the search's folder.
    """
    hydra: Any = GlobalHydra.instance().hydra
    context = HydraContext(hydra.config_loader, Callbacks(config))
    ours = copy.deepcopy(config)
    with read_write(ours.hydra), open_dict(ours.hydra):
        ours.hydra.sweep.dir = str(root)
        kept = [word for word in config.hydra.overrides.hydra if word.partition("=")[0] not in OWN]
        ours.hydra.overrides.hydra = [*kept, "hydra.mode=MULTIRUN", f"hydra.sweep.dir={quoted(str(root))}"]
    launcher = Plugins.instance().instantiate_launcher(context, task, ours)
    return LaunchedPacks(Sweep(context, launcher, ours))


def in_space(overrides: Sequence[str], loader: ConfigLoader | None = None) -> Iterator[str]:
    """The overrides, those with several values as entries of search.space. Raises UserError.

    `loader` knows the options that a glob names.

    >>> list(in_space(["seed=3", "optimizer=adam,sgd", "optimizer.lr=interval(0.1, 1)"]))[1:]
    ['search.space.optimizer={choices: [adam, sgd]}', 'search.space.optimizer.lr={low: 0.1, high: 1.0}']
    """
    for override in OverridesParser.create(config_loader=loader).parse_overrides(list(overrides)):
        if override.is_sweep_override():
            yield f"{WHERE}.{override.get_key_element().lstrip('+')}={spelled(_space(override))}"
        else:
            yield str(override.input_line)


def _space(override: Override) -> dict[str, Any]:
    """The values of a field as search.space has them."""
    value: Any = override.value()
    if isinstance(value, IntervalSweep):
        log = {"log": True} if "log" in value.tags else {}
        return {"low": value.start, "high": value.end, **log}
    if isinstance(value, ChoiceSweep) and value.shuffle:
        raise UserError(f"{override.input_line}: a search draws values itself, without a shuffle")
    return {"choices": [Override._convert_value(one) for one in override.sweep_iterator()]}
