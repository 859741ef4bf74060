"""What was trained in memory -> a run folder, or a sweep's, as the command writes them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ...kernels.common.errors import UserError
from ..data.table import Table
from ..folder.atomic import replace as replace_file
from ..folder.command import Command
from ..folder.lock import FILE as LOCK
from ..folder.lock import locked
from ..folder.plan import Plan, PlannedPack, write_plan
from ..folder.result import Result
from ..folder.write import write
from ..pictures.drawn import draw_pictures
from ..pictures.style import can_draw
from ..sweep.report import draw_sweep_pictures, write_results

DATA = "data.parquet"


@dataclass(frozen=True)
class SavedConfig:
    """What a pack was asked for: its composed config, the overrides, and data that came from memory."""

    config: DictConfig
    overrides: list[str]
    table: Table | None = None


def save_pack(folder: Path, saved: SavedConfig, result: Result) -> Path:
    """Writes a run folder, which packtrain.load and `packtrain show` read -> the folder.

    Data that came from memory go into data.parquet there, and pictures are drawn as at the end of a command.
    Raises UserError where the folder holds something.

    >>> import tempfile, packtrain
    >>> runs = packtrain.train("experiment=debug", "loop.steps=2", "monitor.pictures=false")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sorted(file.name for file in runs.save(folder + "/out").iterdir())
    ['.hydra', '.lock', 'curves.parquet', 'model.safetensors', 'result.json', 'runs.csv', 'runs.parquet']
    """
    _refuse_occupied(folder)
    with locked(folder):
        _write_pack(folder, saved, result)
        if result.pack.config.monitor.pictures and can_draw():
            draw_pictures(result, folder)
    return folder


def save_sweep(folder: Path, packs: Sequence[tuple[PlannedPack, SavedConfig, Result]]) -> Path:
    """Writes a sweep's folder, with a run folder for each pack -> the folder. Raises UserError likewise.

    >>> import tempfile, packtrain
    >>> words = "experiment=debug", "loop.steps=2", "monitor.pictures=false"
    >>> runs = packtrain.sweep({"optimizer": ["adam", "sgd"]}, *words)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sorted(file.name for file in runs.save(folder + "/out").iterdir())[:5]
    ['.lock', '0', '1', 'curves.parquet', 'result.json']
    """
    _refuse_occupied(folder)
    overrides = [text for place, _, _ in packs[:1] for text in place.overrides]
    plan = Plan(Command("train", [], overrides, os.getcwd()), overrides, [place for place, _, _ in packs])
    with locked(folder):
        write_plan(folder, plan)
        for place, saved, result in packs:
            (folder / place.folder).mkdir()
            _write_pack(folder / place.folder, saved, result)
        write_results(folder, plan, {})
        draw_sweep_pictures(folder, plan)
    return folder


def _refuse_occupied(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(file.name != LOCK for file in folder.iterdir())):
        raise UserError(f"{folder} holds something already: name a folder that is new or empty")


def _write_pack(folder: Path, saved: SavedConfig, result: Result) -> None:
    about = folder / ".hydra"
    about.mkdir()
    config = saved.config
    if saved.table is not None:
        _write_table(folder / DATA, saved.table)
        config = OmegaConf.merge(config, {"data": {"path": str((folder / DATA).absolute())}})
    OmegaConf.save(config, about / "config.yaml")
    OmegaConf.save(saved.overrides, about / "overrides.yaml")
    OmegaConf.save({"hydra": {"runtime": {"cwd": os.getcwd()}}}, about / "hydra.yaml")
    write(folder, result)


def _write_table(file: Path, table: Table) -> None:
    """The columns of one length, as Parquet."""
    import pyarrow  # noqa: PLC0415 (half a second, for those who save)
    from pyarrow import parquet  # noqa: PLC0415 (likewise)

    rows = table.rows(list(table.columns))
    columns: dict[str, Any] = {name: column for name, column in table.columns.items() if len(column) == rows}
    replace_file(file, lambda to: parquet.write_table(pyarrow.table(columns), to))
