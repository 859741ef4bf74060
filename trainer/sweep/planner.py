"""A command with -m -> the plan of its packs, each composed and checked before the first one starts."""

import copy
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from ...kernels.common.errors import UserError
from ..config.grammar import quoted
from ..config.interpolation import dotted, following, interpolated
from ..config.pack import Pack, make_pack
from ..config.schema import is_per_run
from ..config.sentences import sentence
from ..folder.command import command_of
from ..folder.plan import Plan, PlannedPack, digests
from .grid import Choice, Grid, make_grid

SUBDIR = "hydra", "sweep", "subdir"
ComposedConfigs = dict[tuple[str, ...], DictConfig]  # by the overrides of their jobs


def groups_in(pack: Pack) -> int:
    """How many groups data.group makes, each of which has all runs of the pack; 1 without.

    >>> from packtrain.trainer.config.schema import Config
    >>> groups_in(Pack(Config(), {}, 1))
    1
    """
    if pack.config.data.group is None:
        return 1
    from ..data.sources import count_groups  # noqa: PLC0415 (torch takes seconds, and other packs don't need it)

    return count_groups(pack.config.data)


@dataclass(frozen=True)
class Job:
    """A planned job: the `overrides` that composed its `config`, and the `values` of structural fields.

    Its pack has `runs` runs; or none, and `refused` says why the config can't be trained.
    """

    overrides: list[str]
    values: dict[str, Any]
    config: DictConfig
    runs: int = 0
    refused: str = ""


def make_plan(loader: ConfigLoader, config: DictConfig, overrides: list[str]) -> tuple[Plan, ComposedConfigs]:
    """The plan of the packs that the `overrides` make, and the configs of their jobs.

    Raises UserError where none of them can be trained, or where two would share a folder; Hydra's
    exceptions where a config can't be composed.
    """
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(overrides)
    packs: list[PlannedPack] = []
    composed: ComposedConfigs = {}
    for job in jobs(loader, config, make_grid(parsed)):
        folder = _folder(job.config, len(packs))
        in_folder = [*job.overrides, f"hydra.sweep.subdir={quoted(folder)}"]
        composed[tuple(in_folder)] = job.config
        first = packs[-1].first + packs[-1].runs if packs else 0
        packs.append(PlannedPack(folder, in_folder, job.values, first, job.runs, job.refused))
    _check(packs)
    return Plan(command_of(config), overrides, packs, files=digests(composed.values())), composed


def _check(packs: list[PlannedPack]) -> None:
    if all(pack.refused for pack in packs):
        raise UserError(f"{packs[0].name}: {packs[0].refused}".removeprefix(": "))
    folder, count = Counter(pack.folder for pack in packs).most_common(1)[0]
    if count > 1:
        raise UserError(
            f"hydra.sweep.subdir gives {count} packs the folder {folder}; "
            "with ${hydra.job.num} in it, as by default, each has its own"
        )


def jobs(
    loader: ConfigLoader,
    config: DictConfig,
    grid: Grid,
    chosen: tuple[Choice, ...] = (),
    groups: Callable[[Pack], int] = groups_in,
) -> Iterator[Job]:
    """One job or several for each combination of structure, below the `chosen` ones.

    Several where search.max_pack cuts it, and where a field that can't differ inside a pack follows one
    that does, by ${...}. `groups` counts those of a pack's data. Raises IsSearch for a search.

    >>> from packtrain.trainer.config.compose import composed, config_loader
    >>> typed = ["experiment=debug", "seed=1,2", "optimizer=adam,sgd"]
    >>> grid = make_grid(OverridesParser.create().parse_overrides(typed))
    >>> with config_loader() as loader:
    ...     [(job.values, job.runs) for job in jobs(loader, composed(loader, []), grid)]
    [({'optimizer': 'adam'}, 2), ({'optimizer': 'sgd'}, 2)]
    """
    for more in grid.combinations():
        choices = (*chosen, *more)
        overrides = [*grid.shared, *(choice.override for choice in choices)]
        composed = loader.load_sweep_config(config, overrides)
        if own := apart(composed, grid.fields):
            yield from jobs(loader, config, grid.apart(own), choices, groups)
        else:
            yield from _cut(loader, config, Job(overrides, _values(choices), composed), groups)


def _values(choices: Iterable[Choice]) -> dict[str, Any]:
    return {choice.field: choice.value for choice in choices}


def apart(config: DictConfig, fields: Collection[str]) -> set[str]:
    """The packed `fields` that need a pack for each value: what follows them can't differ inside one.

    >>> from packtrain.trainer.config.schema import Config
    >>> config = OmegaConf.merge(OmegaConf.structured(Config), {"data": {"seed": "${seed}"}})
    >>> apart(config, ["seed", "optimizer.lr"])
    {'seed'}
    """
    varied = {field: OmegaConf.select(config, field) for field in fields}
    if not varied or config.pack.zip:
        return set()
    followers = following(config, varied, [*interpolated(config), SUBDIR])
    return set().union(*(sources for place, sources in followers.items() if not is_per_run(dotted(place))))


def _cut(loader: ConfigLoader, config: DictConfig, job: Job, groups: Callable[[Pack], int]) -> Iterator[Job]:
    """The job, or the jobs that search.max_pack makes of it."""
    try:
        pack = pack_of(job.config, job.overrides)
        cuts = list(_cuts(pack, pack.runs * groups(pack)))
    except IsSearch:
        raise
    except (UserError, OmegaConfBaseException) as error:
        yield replace(job, refused=sentence(error))
        return
    for start, stop in cuts:
        cut = [f"pack.slice=[{start},{stop}]"] if len(cuts) > 1 else []
        own = loader.load_sweep_config(config, job.overrides + cut) if cut else job.config
        yield Job(job.overrides + cut, job.values, own, stop - start)


class IsSearch(UserError):
    """A config is a search, which isn't one pack."""


def pack_of(config: DictConfig, overrides: list[str]) -> Pack:
    """The pack of a job's config. Raises UserError for one that can't be trained, IsSearch for a search.

    >>> from packtrain.trainer.config.compose import composed, config_loader
    >>> with config_loader() as loader:
    ...     config = composed(loader, ["experiment=debug", "pack.over={seed: '1,2'}"])
    >>> pack_of(config, []).over
    {'seed': [1, 2]}
    """
    pack = make_pack(without_hydra(config), overrides)
    if (kind := pack.config.search.kind) != "grid":
        raise IsSearch(f"search={kind} is a sweep by itself, without others around it: search=grid")
    return pack


def without_hydra(config: DictConfig) -> DictConfig:
    """The config without Hydra's part.

    >>> without_hydra(OmegaConf.create({"seed": 3, "hydra": {"verbose": False}}))
    {'seed': 3}
    """
    ours = copy.deepcopy(config)
    with read_write(ours), open_dict(ours):
        del ours["hydra"]
    return ours


def _cuts(pack: Pack, runs: int) -> Iterator[tuple[int, int]]:
    """[from, to) of the runs in each cut; the starts of one model stay together where they fit."""
    most, starts = pack.config.search.max_pack or runs, pack.config.model.starts
    size = most - most % starts if most >= starts else most
    for start in range(0, runs, size):
        yield start, min(start + size, runs)


def _folder(config: DictConfig, number: int) -> str:
    """The folder of job `number` in the sweep's; its config says number and folder from then on."""
    with read_write(config), open_dict(config):
        config.hydra.job.num = config.hydra.job.id = number
        config.hydra.sweep.subdir = str(config.hydra.sweep.subdir)
    return config.hydra.sweep.subdir
