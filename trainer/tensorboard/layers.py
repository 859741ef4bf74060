"""Histograms of an MLP's weights and gradients, a layer each, while it trains."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from tensorboard.compat.proto.summary_pb2 import Summary
from torch import Tensor

from ..data.dataset import Dataset
from ..folder.checkpoint import NEVER
from ..folder.result import Result
from ..models.base import Model
from ..models.mlp import MLPModel
from ..session import Session
from .histogram import MOST_POINTS, histogram, spacing
from .shelf import MOST_SHOWN

SAMPLES = 256  # of which gradients are
APART = 10  # steps, at least
MOST_HISTOGRAMS = 1000  # of a training
WORK, SHARE = 1e9, 0.01  # samples times parameters of all gradients: at most so many, or a part of training's
log = logging.getLogger(__name__)
Add = Callable[[int, Summary, int], None]  # of a run, at a step


class Layers:
    """Writes histograms of the weights of an MLP's runs and of their gradients, a layer each, by `add`.

    Where there are more runs than TensorBoard opens with, there are those of the best run at its end alone.
    A gradient is that of the loss over some samples of the training part, without dropout: a function of the
    weights, which changes nothing. At which steps there are histograms is one of the config, so that a
    training that is resumed has the same.
    """

    def __init__(self, session: Session, add: Add) -> None:
        self.session, self.add = session, add
        model = session.engine.model
        self.follows = isinstance(model, MLPModel) and model.runs <= MOST_SHOWN
        self.every = self._every() if self.follows else NEVER

    def _every(self) -> int:
        """The steps between two histograms, of which there are fewer where each costs more."""
        engine = self.session.engine
        runs, size = engine.model.parameters.shape
        trained = float((engine.steps * engine.batches).sum()) * size
        affordable = max(WORK, SHARE * trained) / (runs * size * min(SAMPLES, len(self.session.data.train)))
        few = MOST_HISTOGRAMS / (2 * runs * len(engine.model.layout))
        return spacing(int(engine.steps.max()), APART, int(max(2, min(MOST_POINTS, affordable, few))))

    def next(self, step: int) -> int:
        """The step after `step` at which some are due."""
        return NEVER if self.every == NEVER else step - step % self.every + self.every

    def record(self) -> None:
        """Adds those of the runs that train, where some are due."""
        engine = self.session.engine
        if self.follows and engine.step % self.every == 0:
            going = engine.alive & (engine.steps_done == engine.step)
            self._add(engine.model, going.nonzero()[:, 0].tolist(), engine.steps_done.tolist())

    def end(self) -> None:
        """Adds those of the runs as they ended, where there are none of that step."""
        engine = self.session.engine
        if self.follows:
            between = engine.steps_done % self.every != 0
            self._add(engine.model, between.nonzero()[:, 0].tolist(), engine.steps_done.tolist())

    def add_best(self, result: Result) -> None:
        """Adds those of the best run of a result, where runs weren't followed."""
        run = result.best_run
        if run is not None and isinstance(result.model, MLPModel) and not self.follows:
            self._add(result.model, [run], {run: result.rows[run]["steps"]})

    def _add(self, model: Model, runs: Sequence[int], steps: Mapping[int, int] | Sequence[int]) -> None:
        """Adds those of these runs, at their own steps."""
        for run in runs:
            for tag, values in self._of_run(model, run):
                summary = histogram(tag, values)
                if summary is not None:
                    self.add(run, summary, steps[run])

    def _of_run(self, model: Model, run: int) -> Iterator[tuple[str, np.ndarray]]:
        """(tag, numbers) of each layer of a run."""
        alone = model.of(torch.tensor([run], device=model.parameters.device))
        kinds = {"weights": alone.parameters.detach()}
        try:
            with self.session.compute.entered():
                kinds["weights/gradients"] = gradient(alone, self.session.data.train.of_run(run))
        except torch.OutOfMemoryError:
            log.warning("no histograms of gradients: the device's memory has no room for one")
        for kind, numbers in kinds.items():
            for name, values in alone.parts(numbers).items():
                yield f"{kind}/{name}", values.flatten().cpu().numpy()


def gradient(model: Model, data: Dataset) -> Tensor:
    """dL/dp [R, P] of the loss over at most SAMPLES of the samples that count, evenly, nothing dropped.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[2.0]]), "mse", None)
    >>> data = Dataset(torch.tensor([[1.0]]), torch.tensor([[5.0]]), ("x",), ("xy",))
    >>> gradient(model, data).tolist()
    [[-6.0]]
    """
    some = data.counted.some(SAMPLES)
    weights = None if some.weights is None else some.weights.to(model.parameters.dtype)
    with torch.enable_grad():
        loss = model.loss(some.inputs, some.targets, weights)
        return torch.autograd.grad(loss.sum(), model.parameters)[0]
