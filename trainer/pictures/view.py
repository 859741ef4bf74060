"""What is drawn of a run of equations: its samples, thinned where they are many, and the outputs there."""

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..data.dataset import Dataset
from ..folder.result import Result
from ..models.expression import ExpressionModel
from .fitted import Fitted, Outputs
from .scales import is_log

MOST_SAMPLES = 200_000  # of which predictions are drawn
FINE = 600  # places of a curve
CPU = torch.device("cpu")


class View(Fitted):
    """A run to draw. Inputs [B, V] are in the units that they came in, targets and outputs [B, T]."""

    @cached_property
    def shown(self) -> Dataset:
        """Its samples that count, of very many some, evenly."""
        data = self.counted.some(MOST_SAMPLES)
        return data.to(CPU, torch.float64)

    @cached_property
    def inputs(self) -> np.ndarray:
        return self._in_units(self.shown.inputs)

    @cached_property
    def targets(self) -> np.ndarray:
        return self.shown.targets.numpy()

    @cached_property
    def values(self) -> Outputs:
        """The outputs at the samples."""
        return self.outputs(self.shown.inputs)

    @cached_property
    def weights(self) -> np.ndarray | None:
        """Of the samples [B], None where they are all alike."""
        weights = self.shown.weights
        return None if weights is None or weights.min() == weights.max() else weights.numpy()

    @cached_property
    def sigma(self) -> np.ndarray | None:
        """The known errors of the measurements [B] (data.columns.sigma), None where they aren't."""
        weights = self.shown.weights
        return None if weights is None or "chi_square" not in self.fit else weights.numpy() ** -0.5

    @cached_property
    def left_out(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of samples of weight 0."""
        weights = self.samples.weights
        index = slice(0) if weights is None else (weights == 0).nonzero()[:, 0]
        data = self.samples.part(index).to(CPU, torch.float64)
        return self._in_units(data.inputs), data.targets.numpy()

    @cached_property
    def is_log(self) -> bool:
        """Whether the axis of the first input is logarithmic."""
        return len(self.inputs) > 2 and is_log(self.inputs[:, 0].tolist())

    @cached_property
    def curve(self) -> tuple[np.ndarray, Outputs]:
        """The one input at FINE places over its range, and the outputs there."""
        x = self.inputs[:, 0]
        x = x[np.isfinite(x)] if np.isfinite(x).any() else np.zeros(1)
        places = (np.geomspace if self.is_log else np.linspace)(x.min(), x.max(), FINE)
        return places, self.outputs(self._as_taken(torch.from_numpy(places)[:, None]))

    def label(self, name: str) -> str:
        """What an axis is called: the column of a variable, or its name."""
        column = self.result.pack.config.data.columns.get(name)
        return column if isinstance(column, str) else name

    def _in_units(self, inputs: Tensor) -> np.ndarray:
        data = self.result.data
        if data.mean is None or data.std is None:
            return inputs.numpy()
        return (inputs * data.std.cpu() + data.mean.cpu()).numpy()

    def _as_taken(self, inputs: Tensor) -> Tensor:
        """Inputs in units -> as the model takes them."""
        data = self.result.data
        if data.mean is None or data.std is None:
            return inputs
        return (inputs - data.mean.cpu()) / data.std.cpu()


def has_picture(result: Result) -> bool:
    """Whether runs can be drawn: of equations whose outputs are compared with numbers.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("mlp", widths=[1, 4, 1]),
    ...     data=DataConfig("table", table={"x": [1, 2], "target": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> has_picture(session.result())
    False
    """
    model = result.model
    return isinstance(model, ExpressionModel) and "r2" in model.metrics and not model.one_hot
