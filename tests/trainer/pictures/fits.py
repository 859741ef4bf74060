"""Fits to draw, as a user asks for them."""

from collections.abc import Mapping, Sequence
from typing import Any

from packtrain.trainer.config.schema import (
    ComputeConfig,
    Config,
    DataConfig,
    EngineConfig,
    LoopConfig,
    ModelConfig,
    OptimizerConfig,
)
from packtrain.trainer.folder.result import Result
from packtrain.trainer.session import Session

X = [1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 12.0, 15.0]
Y = [109.0, 149.0, 165.0, 191.0, 213.0, 215.0, 221.0, 218.0]
SATURATING = "xy = b1*(1-exp(-b2*x))"


def fit(
    expressions: Sequence[str] = (SATURATING,),
    table: Mapping[str, Any] | None = None,
    initial: Mapping[str, Any] | None = None,
    steps: int = 200,
    optimizer: str = "levenberg_marquardt",
    data: Mapping[str, Any] | None = None,
    **model: Any,
) -> Result:
    """The result of a fit; by itself that of eight points of a saturating curve."""
    initial = {"b1": 200, "b2": 0.5} if initial is None else dict(initial)
    session = Session.prepare(
        Config(
            model=ModelConfig(
                "expression", **{"expressions": [*expressions], "loss": "sse", "initial": initial, **model}
            ),
            data=DataConfig("table", table=dict(table or {"x": X, "xy": Y}), **(data or {})),
            optimizer=OptimizerConfig(optimizer),
            engine=EngineConfig("step" if optimizer == "adam" else "auto"),
            loop=LoopConfig(steps=steps, batch_size="full"),
            compute=ComputeConfig(device="cpu", precision="fp64"),
        )
    )
    while not session.done:
        session.advance()
    return session.result()
