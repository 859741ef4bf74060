"""Packtrain: many runs of one model, trained as one program.

`fit(...)` fits an equation to data, `train(...)` and `sweep(...)` train in memory what the command
`packtrain` does. `load(FOLDER)` gives a result back as a `Trained`, which predicts. What can't be done is a
`UserError` of one sentence.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .trainer.api import Fit, Run, Runs, Trained, UserError, fit, load, sweep, train

__all__ = ["Fit", "Run", "Runs", "Trained", "UserError", "fit", "load", "sweep", "train"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'packtrain' has no attribute {name!r}")
    from .trainer import api  # noqa: PLC0415 (torch takes seconds: the command line doesn't wait for it)

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
