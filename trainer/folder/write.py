"""A result, written into its run folder: result.json, runs.csv, runs.parquet, model.safetensors, curves."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from ..data.features import as_data
from ..engines.rows import finite
from ..models.base import Model
from ..models.expression import ExpressionModel
from .atomic import json_text, replace
from .curves import FILE as CURVES
from .curves import write_curves
from .maps import maps_of
from .result import Result
from .settings import settings_of
from .table import SETTINGS, settings_table, table_of, write_csv, write_parquet
from .trained import SCALES

MODEL, RUNS, RESULT = "model.safetensors", "runs.csv", "result.json"


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
    for name, content in contents(result):
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        replace(file, partial(_save, content))


def contents(result: Result) -> Iterator[tuple[str, bytes]]:
    """The name of each file that `write` writes, with its content; result.json is the last.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> config = Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"]),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=9),
    ... )
    >>> [name for name, _ in contents(Session.prepare(config).result())]
    ['model.safetensors', 'runs.csv', 'runs.parquet', 'result.json']
    """
    yield MODEL, _model(result)
    table = table_of(result.rows)
    yield RUNS, _made(write_csv, table)
    settings = settings_of(result.rows, result.objective) if result.objective else []
    if len(settings) > 1:
        yield SETTINGS, _made(write_csv, settings_table(settings))
    yield "runs.parquet", _made(write_parquet, table)
    for name, values in maps_of(result.rows, result.groups, result.grid).items():
        yield f"maps/{name}.npy", _made(np.save, values)
    if result.curves is not None:
        yield CURVES, _made(write_curves, [result.curves.table])
    yield RESULT, json_text(finite(result.summary)).encode()


def _save(content: bytes, draft: Path) -> None:
    draft.write_bytes(content)


def _made(write: Callable[[Any, Any], object], what: Any) -> bytes:
    """What `write` writes of it into a file."""
    file = io.BytesIO()
    write(file, what)
    return file.getvalue()


def _model(result: Result) -> bytes:
    data, config = result.data, result.pack.config
    tensors = {name: part.detach().contiguous().cpu().numpy() for name, part in result.model.named().items()}
    scales = zip(SCALES, (data.mean, data.std, data.target_mean, data.target_std), strict=True)
    tensors |= {name: scale.cpu().contiguous().numpy() for name, scale in scales if scale is not None}
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
    return save(tensors, {"packtrain": json.dumps(about)})


def _variables(model: Model) -> dict[str, list[str]]:
    """The graph's, which data.columns may name too."""
    return {"variables": list(model.graph.variables)} if isinstance(model, ExpressionModel) else {}
