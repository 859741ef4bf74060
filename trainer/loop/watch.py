"""What may watch a training."""

from typing import Protocol

from torch import Tensor

from ..engines.base import History
from ..models.evaluate import Evaluation


class Watcher(Protocol):
    """Hears of each slice and each validation of a Session, as TensorBoard and a progress line do."""

    def record(self, history: History) -> None:
        """A slice of steps was made."""
        ...

    def validated(self, steps: Tensor, evaluation: Evaluation, runs: Tensor) -> None:
        """Runs were measured on the validation part after `steps` [R]; those marked had made some since."""
        ...
