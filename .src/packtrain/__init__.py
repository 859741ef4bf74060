"""Packtrain: many runs of one model, trained as one program.

`fit(...)` fits an equation to data, `train(...)` and `sweep(...)` train in memory what the command
`packtrain` does, and `explain(...)` shows what a training computes. `load(FOLDER)` gives a result back as a
`Trained`, which predicts. `connect()` gives a service that trains. What can't be done is a `UserError` of one
sentence.
"""

from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .trainer.api import (
        Explained,
        ExpressionError,
        Fit,
        Run,
        Runs,
        Trained,
        UserError,
        explain,
        fit,
        load,
        sweep,
        train,
    )
    from .trainer.door.estimators import Classifier, Regressor
    from .trainer.service.client.connection import connect

ESTIMATORS = "Classifier", "Regressor"
__all__ = [
    "Classifier",
    "Explained",
    "ExpressionError",
    "Fit",
    "Regressor",
    "Run",
    "Runs",
    "Trained",
    "UserError",
    "connect",
    "explain",
    "fit",
    "load",
    "sweep",
    "train",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'packtrain' has no attribute {name!r}")
    if name in ESTIMATORS:
        return getattr(_estimators(), name)
    if name == "connect":
        from .trainer.service.client.connection import connect  # noqa: PLC0415 (httpx is an extra; torch isn't needed)

        return connect
    from .trainer import api  # noqa: PLC0415 (torch takes seconds: the command line doesn't wait for it)

    return getattr(api, name)


def _estimators() -> ModuleType:
    """The module that needs scikit-learn. Raises UserError without it."""
    try:
        from .trainer.door import estimators  # noqa: PLC0415 (scikit-learn is an extra)
    except ModuleNotFoundError as error:
        if error.name != "sklearn":
            raise
        from .trainer.api import UserError  # noqa: PLC0415 (as above)

        raise UserError("the estimators need scikit-learn: pip install 'packtrain[sklearn]'") from None
    return estimators


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
