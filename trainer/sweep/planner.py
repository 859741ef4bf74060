"""A command with -m -> the plan of its packs, each composed and checked before the first one starts."""

import copy
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
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
from ..folder.command import typed_for
from ..folder.plan import Asked, Plan, PlannedPack, digests
from .grid import Choice, Grid, make_grid

SUBDIR = "hydra", "sweep", "subdir"
ComposedConfigs = dict[tuple[str, ...], DictConfig]  # by the overrides of their jobs


@dataclass(frozen=True)
class Job:
    """What becomes a pack: the config of its job and the overrides that composed it, or why it is refused."""

    overrides: list[str]
    values: dict[str, Any]
    config: DictConfig
    runs: int = 0
    refused: str = ""


def asked_by(config: DictConfig, overrides: list[str]) -> Asked:
    """What must be the same for a sweep to go on."""
    command = typed_for(config)
    return Asked(command.config_name, command.config_dirs, overrides)


def make_plan(loader: ConfigLoader, config: DictConfig, asked: Asked) -> tuple[Plan, ComposedConfigs]:
    """The packs that were asked for, and the configs of their jobs.

    Raises UserError where none of them can be trained, or where two would share a folder; Hydra's
    exceptions where a config can't be composed.
    """
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(asked.overrides)
    packs: list[PlannedPack] = []
    composed: ComposedConfigs = {}
    for part in _parts(loader, config, make_grid(parsed)):
        folder = _folder(part.config, len(packs))
        overrides = [*part.overrides, f"hydra.sweep.subdir={quoted(folder)}"]
        composed[tuple(overrides)] = part.config
        first = packs[-1].first + packs[-1].runs if packs else 0
        packs.append(PlannedPack(folder, overrides, part.values, first, part.runs, part.refused))
    _check(packs)
    command = typed_for(config)
    files = digests(composed.values())
    return Plan(asked, command.typed, command.cwd, packs, files=files), composed


def _check(packs: list[PlannedPack]) -> None:
    if all(pack.refused for pack in packs):
        raise UserError(f"{packs[0].name}: {packs[0].refused}".removeprefix(": "))
    folder, count = Counter(pack.folder for pack in packs).most_common(1)[0]
    if count > 1:
        raise UserError(
            f"hydra.sweep.subdir gives {count} packs the folder {folder}; "
            "with ${hydra.job.num} in it, as by default, each has its own"
        )


def _parts(
    loader: ConfigLoader, config: DictConfig, grid: Grid, chosen: tuple[Choice, ...] = ()
) -> Iterator[Job]:
    """The packs of each combination of structure: one, or several.

    Those are where search.max_pack cuts it, and where something follows a packed field, by ${...}, that
    can't differ inside a pack.
    """
    for more in grid.combinations():
        choices = (*chosen, *more)
        overrides = [*grid.shared, *(choice.override for choice in choices)]
        composed = loader.load_sweep_config(config, overrides)
        if apart := _apart(composed, grid.fields):
            yield from _parts(loader, config, grid.apart(apart), choices)
        else:
            yield from _cut(loader, config, Job(overrides, _values(choices), composed))


def _values(choices: Iterable[Choice]) -> dict[str, Any]:
    return {choice.field: choice.value for choice in choices}


def _apart(config: DictConfig, fields: Collection[str]) -> set[str]:
    """Those of the packed `fields` that something follows which can't differ inside a pack."""
    varied = {field: OmegaConf.select(config, field) for field in fields}
    if not varied or config.pack.zip:
        return set()
    found = following(config, varied, [*interpolated(config), SUBDIR])
    return set().union(*(sources for place, sources in found.items() if not is_per_run(dotted(place))))


def _cut(loader: ConfigLoader, config: DictConfig, part: Job) -> Iterator[Job]:
    """The part, or the parts that search.max_pack makes of it."""
    try:
        cuts = list(_cuts(_pack(part.config, part.overrides)))
    except (UserError, OmegaConfBaseException) as error:
        yield replace(part, refused=sentence(error))
        return
    for start, stop in cuts:
        cut = [f"pack.slice=[{start},{stop}]"] if len(cuts) > 1 else []
        own = loader.load_sweep_config(config, part.overrides + cut) if cut else part.config
        yield Job(part.overrides + cut, part.values, own, stop - start)


def _pack(config: DictConfig, overrides: list[str]) -> Pack:
    """The pack that a job's config asks for."""
    asked = copy.deepcopy(config)
    with read_write(asked), open_dict(asked):
        del asked["hydra"]
    pack = make_pack(asked, overrides)
    if (kind := pack.config.search.kind) != "grid":
        raise UserError(f"search={kind} is a sweep by itself, without -m; with -m, search=grid")
    return pack


def _cuts(pack: Pack) -> Iterator[tuple[int, int]]:
    """[from, to) of each part; the starts of one model stay together where they fit."""
    most, starts = pack.config.search.max_pack or pack.runs, pack.config.model.starts
    size = most - most % starts if most >= starts else most
    for start in range(0, pack.runs, size):
        yield start, min(start + size, pack.runs)


def _folder(config: DictConfig, number: int) -> str:
    """The job's folder in the sweep's, which its config then says too."""
    with read_write(config), open_dict(config):
        config.hydra.job.num = config.hydra.job.id = number
        config.hydra.sweep.subdir = str(config.hydra.sweep.subdir)
    return config.hydra.sweep.subdir
