"""A result, written into its run folder: result.json, runs.csv, runs.parquet, model.safetensors, curves."""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
from safetensors.torch import save

from ..data.features import as_data
from ..engines.rows import finite
from ..models.base import Model
from ..models.expression import ExpressionModel
from .atomic import replace, replace_json
from .curves import FILE as CURVES
from .curves import write_curves
from .maps import maps_of
from .result import Result
from .settings import settings_of
from .table import table_of, write_csv, write_parquet, write_settings
from .trained import SCALES


def write(folder: Path, result: Result) -> None:
    """Writes the four files into `folder`, each whole or not at all; result.json, the last, says it is done.

    Curves are written where the result has them. Where several settings are ranked over seeds there is
    settings.csv, too; of a cube's fits there are maps, each a file in the folder `maps`.

    Raises OSError, with the file's name, where one can't be written.

    >>> import tempfile
    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"]),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=9),
    ... )
    >>> session = Session.prepare(config)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder), session.result())
    ...     print(sorted(file.name for file in Path(folder).iterdir()))
    ['model.safetensors', 'result.json', 'runs.csv', 'runs.parquet']
    """
    replace(folder / "model.safetensors", lambda file: _save_model(file, result))
    table = table_of(result.rows)
    replace(folder / "runs.csv", lambda file: write_csv(file, table))
    write_settings(folder, settings_of(result.rows, result.objective) if result.objective else [])
    replace(folder / "runs.parquet", lambda file: write_parquet(file, table))
    if maps := maps_of(result.rows, result.groups, result.grid):
        (folder / "maps").mkdir(exist_ok=True)
        for name, values in maps.items():
            replace(folder / "maps" / f"{name}.npy", partial(_save_map, values))
    if result.curves is not None:
        table = result.curves.table
        replace(folder / CURVES, lambda file: write_curves(file, [table]))
    replace_json(folder / "result.json", finite(result.summary))


def _save_model(file: Path, result: Result) -> None:
    data, config = result.data, result.pack.config
    tensors = {name: part.detach().contiguous().cpu() for name, part in result.model.named().items()}
    scales = zip(SCALES, (data.mean, data.std, data.target_mean, data.target_std), strict=True)
    tensors |= {name: scale.cpu() for name, scale in scales if scale is not None}
    about = {
        "model": asdict(config.model) | _variables(result.model),
        "precision": config.compute.precision,
        "inputs": data.input_names,
        "targets": data.target_names,
        "features": as_data(data.features),
        "label": data.label,
        "one_hot": data.one_hot,
    }
    if groups := result.groups:
        about["groups"] = {"keys": groups.keys, "runs": groups.runs}
    file.write_bytes(save(tensors, {"packtrain": json.dumps(about)}))


def _save_map(values: np.ndarray, file: Path) -> None:
    with file.open("wb") as out:
        np.save(out, values)


def _variables(model: Model) -> dict[str, list[str]]:
    """The graph's, which data.columns may name too."""
    return {"variables": list(model.graph.variables)} if isinstance(model, ExpressionModel) else {}
