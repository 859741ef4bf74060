"""Files that tests stream, and trainings on them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import torch
from pyarrow import feather, parquet
from safetensors.torch import save_file

from packtrain.trainer.config.pack import make_pack
from packtrain.trainer.config.schema import (
    Config,
    DataConfig,
    EngineConfig,
    LoopConfig,
    ModelConfig,
    MonitorConfig,
    OptimizerConfig,
    PackConfig,
)
from packtrain.trainer.data.dataset import Data
from packtrain.trainer.session import Session
from tests.trainer.sessions import drive

ROWS = 900
FORMATS = "parquet", "feather", "arrow", "npy", "npz", "safetensors"
BLOCKS = {"shuffle": "blocks", "block": 50, "window": 200}  # 18 blocks in 5 windows: more than stay in memory


def columns(rows: int = ROWS) -> dict[str, np.ndarray]:
    """y = 1.5 x - 0.3 z, with noise, and a word that says which of the two is larger."""
    drawn = np.random.default_rng(0).normal(size=(3, rows)).astype(np.float32)
    x, z, noise = drawn
    words = np.where(x > z, "left", "right").astype(object)
    return {"x": x, "z": z, "y": (1.5 * x - 0.3 * z + 0.1 * noise).astype(np.float32), "side": words}


def write(folder: Path, kind: str, rows: int = ROWS, **others: np.ndarray) -> Path:
    """A file of that kind of the columns, words where it can hold them."""
    made, file = columns(rows) | others, folder / f"data.{kind}"
    numbers = {name: column for name, column in made.items() if column.dtype != object}
    if kind == "parquet":
        parquet.write_table(pyarrow.table(made), file, row_group_size=70)
    elif kind in ("feather", "arrow"):
        compression = "lz4" if kind == "feather" else "uncompressed"
        feather.write_feather(pyarrow.table(made), file, compression, chunksize=64)
    elif kind == "npy":
        np.save(file, np.stack([*numbers.values()], 1))
    elif kind == "npz":
        np.savez(file, allow_pickle=False, **numbers)
    else:
        save_file({name: torch.from_numpy(column) for name, column in numbers.items()}, file)
    return file


def config(
    path: Path | str, kind: str = "stream", engine: str = "fused", steps: int = 150, **data: Any
) -> Config:
    """Three runs of an equation; 150 steps are 5 epochs and more."""
    names = {"x": "x_0", "z": "x_1", "y": "x_2"} if str(path).endswith("npy") else {"x": "x", "z": "z"}
    return Config(
        name="streamed",
        model=ModelConfig("expression", expressions=["y = a*x + b*z"]),
        data=DataConfig(kind, path=str(path), columns=names, **(BLOCKS | data)),
        optimizer=OptimizerConfig("adam", lr=0.01),
        loop=LoopConfig(batch_size=32, steps=steps),
        engine=EngineConfig(engine),
        monitor=MonitorConfig(tensorboard=False, progress=False, pictures=False),
        pack=PackConfig(over={"seed": "range(0,3)"}),
    )


def prepared(given: Config, data: Data | None = None) -> Session:
    return Session.prepare(make_pack(given), data, keep_curves=True)


def outcome(session: Session) -> tuple[Any, ...]:
    """All that a training ends with: parameters, rows and curves, as text where they may be NaN."""
    drive(session)
    result = session.result()
    curves = result.curves
    assert curves is not None
    lines = [{name: curves.line(run, name).tolist() for name in curves.names} for run in range(3)]
    return result.model.parameters.tolist(), repr(list(result.rows)), lines
