"""`packtrain.train` and `packtrain.sweep`: what the command trains, in memory."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from ...kernels.common.errors import UserError
from ..config.compose import as_sentences, composed, config_loader
from ..config.pack import Pack, make_pack
from ..config.spelling import sweep_override, words_of
from ..data.frames import table_of
from ..data.table import Table
from ..engines.prepare import load_data
from ..folder.plan import PlannedPack
from ..session import Session
from ..sweep.grid import make_grid
from ..sweep.planner import Job, jobs, pack_of, without_hydra
from . import progress
from .runs import Runs, TrainedPack
from .saving import SavedConfig


def train(
    *overrides: str,
    data: Any = None,
    folder: str | Path | None = None,
    config_dir: str | Path | None = None,
    **fields: Any,
) -> Runs:
    """What `packtrain OVERRIDES` trains, bit for bit, in memory: nothing is written unless asked.

    `overrides` are words of the command, and `fields` the same as values of Python, such as
    experiment="digits", **{"optimizer.lr": 0.01}. `data` in memory (a frame, a mapping of names to arrays, or
    a path: see table_of) take the place of those that the config names. The results are written into
    `folder`, if one is named; `config_dir` is --config-dir. Raises UserError.

    >>> import packtrain
    >>> runs = packtrain.train("experiment=debug", seed=3)
    >>> runs.best.row["outcome"]
    'finished'
    """
    words = words_of(overrides, fields, data)
    with config_loader(config_dir) as loader, as_sentences():
        config = without_hydra(composed(loader, words))
        pack = make_pack(config, words)
    table = None if data is None else table_of(data)
    result = _trained(pack, table)
    place = PlannedPack("0", words, {}, 0, result.pack.runs)
    trained = TrainedPack(place, SavedConfig(config, words, table), result)
    return _saved(Runs([trained], data), folder)


def sweep(
    over: Mapping[str, Any],
    *overrides: str,
    data: Any = None,
    folder: str | Path | None = None,
    config_dir: str | Path | None = None,
    **fields: Any,
) -> Runs:
    """What `packtrain -m` trains, in memory: all combinations of the values in `over`.

    `over` maps fields and choices to their values: a list, a range, an array, or text in Hydra's sweep
    syntax. What may differ inside a pack is one pack; the others train one after another. The rest is as of
    `train`. A combination that can't be trained is left out, with a warning; UserError is raised where that
    is all of them.

    >>> import packtrain
    >>> runs = packtrain.sweep({"optimizer.lr": [1e-3, 1e-2], "seed": range(4)}, experiment="debug")
    >>> len(runs), runs.runs.column_names[:3]
    (8, ['index', 'seed', 'optimizer.lr'])
    """
    words = [*words_of(overrides, fields, data), *(sweep_override(field, v) for field, v in over.items())]
    with config_loader(config_dir) as loader, as_sentences():
        parsed = OverridesParser.create(config_loader=loader).parse_overrides(words)
        grid = make_grid(parsed)
        planned = _usable(list(jobs(loader, composed(loader, grid.shared), grid)))
        packs = [pack_of(job.config, job.overrides) for job in planned]
    table = None if data is None else table_of(data)
    trained: list[TrainedPack] = []
    for number, (job, pack) in enumerate(zip(planned, packs, strict=True)):
        first = trained[-1].place.first + trained[-1].place.runs if trained else 0
        result = _trained(pack, table, f"pack {number + 1} of {len(packs)}" if packs[1:] else "training")
        place = PlannedPack(str(number), job.overrides, job.values, first, result.pack.runs)
        saved = SavedConfig(without_hydra(job.config), job.overrides, table)
        trained.append(TrainedPack(place, saved, result))
    return _saved(Runs(trained, data), folder)


def _trained(pack: Pack, table: Table | None, label: str = "training") -> Any:
    """The result of training the pack."""
    session = Session.prepare(pack, load_data(pack, table), keep_curves=True)
    progress.train(session, label)
    return session.result()


def _usable(planned: list[Job]) -> list[Job]:
    """The jobs that can be trained. Raises UserError where there is none."""
    refused = [job for job in planned if job.refused]
    named = [f"{' '.join(f'{k}={v}' for k, v in job.values.items())}: {job.refused}" for job in refused]
    if len(refused) == len(planned):
        raise UserError(named[0].removeprefix(": "))
    for sentence in named:
        warnings.warn(f"left out: {sentence}", stacklevel=3)
    return [job for job in planned if not job.refused]


def _saved(runs: Runs, folder: str | Path | None) -> Runs:
    if folder is not None:
        runs.save(folder)
    return runs
