"""Evaluating the runs of an engine."""

from typing import Protocol

from torch import Tensor

from ..data.dataset import Dataset
from ..models.base import Model
from ..models.evaluate import Evaluation, evaluate, evaluate_only
from .base import Engine


class Measure(Protocol):
    """Evaluates runs on a part of the data of a training: all, or those that are marked [R].

    Without a `model` of all runs they are measured as they stand.
    """

    def __call__(
        self, data: Dataset, runs: Tensor | None = None, metrics: bool = True, model: Model | None = None
    ) -> Evaluation: ...


class Alone:
    """Measures here whatever the engine trains."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __call__(
        self, data: Dataset, runs: Tensor | None = None, metrics: bool = True, model: Model | None = None
    ) -> Evaluation:
        model = self.engine.model if model is None else model
        return evaluate(model, data, metrics) if runs is None else evaluate_only(model, data, runs, metrics)
