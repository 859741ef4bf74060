"""Small MLPs to draw, as a user asks for them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from packtrain.trainer.config.schema import (
    ComputeConfig,
    Config,
    DataConfig,
    EngineConfig,
    LoopConfig,
    ModelConfig,
    OptimizerConfig,
    PackConfig,
)
from packtrain.trainer.folder.result import Result
from packtrain.trainer.session import Session

RANDOM = np.random.default_rng(0)
X, Z = RANDOM.uniform(1, 5, 40), RANDOM.normal(size=40) * 1e-6
WORDS = np.array(["blue", "a very long name of a colour", "red"])[np.arange(40) % 3]


def session(
    table: Mapping[str, Any],
    targets: Sequence[str],
    loss: str = "mse",
    widths: Sequence[int] = (8,),
    steps: int = 20,
    runs: int = 1,
    **data: Any,
) -> Session:
    """A training of an MLP on the columns of a table, before its first step."""
    columns = {name: np.asarray(column).tolist() for name, column in table.items()}
    return Session.prepare(
        Config(
            name="net",
            model=ModelConfig("mlp", widths=[*widths], loss=loss, activation="tanh"),
            data=DataConfig("table", table=columns, columns={"targets": [*targets]}, **data),
            optimizer=OptimizerConfig("adam", lr=0.05),
            engine=EngineConfig("step"),
            loop=LoopConfig(steps=steps, batch_size="full"),
            compute=ComputeConfig(device="cpu"),
            pack=PackConfig(over={"seed": [*range(runs)]} if runs > 1 else {}),
        )
    )


def trained(*given: Any, **options: Any) -> Result:
    """Its result."""
    training = session(*given, **options)
    while not training.done:
        training.advance()
    return training.result()
