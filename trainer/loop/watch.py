"""What may watch a training: it is told of each slice, and of each validation."""

from typing import Protocol

from torch import Tensor

from ..engines.base import History
from ..models.evaluate import Evaluation


class Watcher(Protocol):
    """Whoever is told what happens in a Session, such as TensorBoard's curves or a progress line."""

    def record(self, history: History) -> None:
        """A slice of steps was made."""
        ...

    def validated(self, evaluation: Evaluation, runs: Tensor) -> None:
        """Runs were measured on the validation part; those marked [R] had made steps since the last time."""
        ...
