"""Packtrain: many runs of one model, trained as one program. `trainer.load(folder)` gives a result back."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainer.results import Trained, load

__all__ = ["Trained", "load"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'trainer' has no attribute {name!r}")
    from trainer import results  # noqa: PLC0415 (torch takes seconds: the command line doesn't wait for it)

    return getattr(results, name)
