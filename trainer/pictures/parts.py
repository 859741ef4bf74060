"""What is drawn of any model: samples in their own units, and what a run predicts there."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..data.dataset import Dataset
from ..data.features import Feature
from ..data.units import in_units, scaled
from ..engines.rows import Row, numbers
from ..folder.predicted import Meaning
from ..folder.result import Result
from ..models.metrics import LINKS, classes_of, predicted_classes
from ..models.mlp import MLPModel
from ..models.predict import predict
from .style import DATA

MOST_SAMPLES, LEAST_SAMPLES = 200_000, 1_000  # of a part, of which predictions are drawn
MOST_WORK = 10**10  # parameters times samples: less than a second
COLORS = {"training": DATA, "validation": "#e69f00"}


@dataclass(frozen=True)
class Part:
    """Samples of one part of the data: inputs [N, V], targets [N, T], and the `outputs` [N, T] there.

    Numbers are in their own units. Of very many samples there are some, evenly; `count` is of all.
    """

    name: str
    count: int
    inputs: np.ndarray
    targets: np.ndarray
    outputs: np.ndarray

    def some(self, most: int) -> "Part":
        """At most so many of the samples, evenly."""
        places = evenly(len(self.inputs), most)
        columns = (part[places] for part in (self.inputs, self.targets, self.outputs))
        return Part(self.name, self.count, *columns)

    @property
    def classes(self) -> np.ndarray:
        """The class of each sample [N], where targets are classes."""
        return classes_of(torch.from_numpy(self.targets)).numpy()

    @property
    def predicted(self) -> np.ndarray:
        """The class that each sample is taken for [N], where outputs are those of classes."""
        return predicted_classes(torch.from_numpy(self.outputs)[None])[0].numpy()


def evenly(count: int, most: int) -> np.ndarray:
    """The places of at most so many of `count` samples, evenly.

    >>> evenly(5, most=3), evenly(2, most=3)
    (array([0, 2, 4]), array([0, 1]))
    """
    return np.linspace(0, count - 1, min(count, most)).round().astype(int)


@dataclass(frozen=True)
class Predictor:
    """One run of a result, which predicts in the targets' own units."""

    result: Result
    run: int

    @property
    def row(self) -> Row:
        """Of result.json."""
        return self.result.rows[self.run]

    @property
    def features(self) -> Sequence[Feature]:
        """How inputs are made of columns."""
        data = self.result.data
        return data.features or [Feature(name, name) for name in data.input_names]

    @property
    def meaning(self) -> Meaning:
        """Of the outputs."""
        data = self.result.data
        return Meaning(self.result.model.loss_kind, data.target_names, data.label, data.one_hot)

    def outputs(self, inputs: np.ndarray) -> np.ndarray:
        """Outputs [B, T] in float64 for inputs [B, V] in their own units; logits where they are classes'."""
        data = self.result.data
        mean, std = (None if scale is None else scale.cpu() for scale in (data.mean, data.std))
        return self._outputs(scaled(torch.from_numpy(inputs), mean, std)).numpy()

    def affordable(self, least: int, most: int) -> int:
        """How many samples may be predicted for a picture: a large model takes its time."""
        return min(most, max(least, MOST_WORK // self.result.model.parameters.shape[1]))

    @cached_property
    def parts(self) -> list[Part]:
        """The training part, and the validation part if there is one: the samples that count."""
        held_out = self.result.validation
        parts = {"training": self.result.data, **({} if held_out is None else {"validation": held_out})}
        return [self._part(name, data.of_run(self.run).counted) for name, data in parts.items()]

    def _part(self, name: str, data: Dataset) -> Part:
        shown = data.some(self.affordable(LEAST_SAMPLES, MOST_SAMPLES))
        inputs, targets = shown.inputs.cpu(), data.in_units(shown.targets).cpu()
        mean, std = (None if scale is None else scale.cpu() for scale in (data.mean, data.std))
        own = in_units(inputs, mean, std).double().numpy()
        return Part(name, len(data), own, targets.numpy(), self._outputs(inputs).numpy())

    def _outputs(self, inputs: Tensor) -> Tensor:
        """[B, T] for inputs [B, V] as the model takes them."""
        model, data = self.result.model, self.result.data
        alone = model.of(torch.tensor([self.run], device=model.parameters.device))
        outputs = data.in_units(predict(alone, inputs)[0].double()).cpu()
        link = LINKS.get(model.loss_kind.name)
        return outputs if link is None else link(outputs)


def drawn_run(result: Result) -> int:
    """The best run; where none is of use, that of the least loss, or the first.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("mlp", widths=[1, 4, 1]),
    ...     data=DataConfig("table", table={"x": [1, 2], "target": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> drawn_run(session.result())
    0
    """
    if result.best_run is not None:
        return result.best_run
    losses = numbers(result.rows, "loss", "train", "last")
    return int(np.nanargmin(losses)) if np.isfinite(losses).any() else 0


def headline(result: Result, run: int, metric: str) -> str:
    """What a picture of one run is of: the experiment, the run, and what it is judged by.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     name="line", model=ModelConfig("mlp", widths=[1, 4, 1]),
    ...     data=DataConfig("table", table={"x": [1, 2], "target": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> headline(session.result(), 0, "r2").partition(": ")[0]
    'line'
    """
    of_run = f", run {run} of {result.pack.runs:,}" if result.pack.runs > 1 else ""
    value = result.rows[run]["metrics"].get(metric)
    part = "training" if result.validation is None else "validation"
    judged = "" if value is None else f": {metric} {value:.4g} on the {part} part"
    return f"{result.pack.config.name}{of_run}{judged}"


def is_of_numbers(result: Result) -> bool:
    """Whether it is of an MLP whose outputs are compared with numbers, all runs on the same samples.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("mlp", widths=[1, 4, 1]),
    ...     data=DataConfig("table", table={"x": [1, 2], "target": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> is_of_numbers(session.result())
    True
    """
    model = result.model
    of_numbers = isinstance(model, MLPModel) and "r2" in model.metrics and not result.data.one_hot
    return of_numbers and result.data.segments is None
