"""Packtrain: many runs of one model, trained as one program.

`load(FOLDER)` gives a result back as a `Trained`, which predicts. All else is the command `packtrain`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .trainer.api import Trained, load

__all__ = ["Trained", "load"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'packtrain' has no attribute {name!r}")
    from .trainer import api  # noqa: PLC0415 (torch takes seconds: the command line doesn't wait for it)

    return getattr(api, name)
