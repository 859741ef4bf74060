"""Losses and metrics over a whole data set."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from ...kernels.equations.losses import BINARY
from ...kernels.loss import terms_reference
from ...kernels.sums import sum_in_order
from ..data.dataset import Dataset
from ..data.stream.streamed import Streamed
from ..ranks.group import ALONE, Ranks
from .base import Model
from .metrics import Spread, classes_of, predicted_classes, spread_of, tallies
from .predict import block_of, outputs_of, runs_together

MOST_CLASSES = 100  # of a confusion matrix


@dataclass(frozen=True)
class Evaluation:
    """The loss [R] of R runs on a data set, and their metrics by name, [R] each."""

    loss: Tensor
    metrics: dict[str, Tensor]


@torch.no_grad()
def evaluate(model: Model, data: Dataset, metrics: bool = True, ranks: Ranks = ALONE) -> Evaluation:
    """The loss (a mean, or for sse the sum) over all of `data`, and the `metrics`, in float64.

    Samples of weight 0 count in neither. Blocks and the order of sums depend on the model's width and the
    data alone, so that a run whose predictions have the same bits in any pack has the same loss in any pack,
    and on any number of `ranks`, which share the blocks and all come to the same.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.data.dataset import Dataset
    >>> from packtrain.trainer.models.evaluate import evaluate
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[2.0], [3.0]]), "mse", None)
    >>> data = Dataset(torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [4.0]]), ("x",), ("xy",))
    >>> evaluate(model, data).loss.tolist()
    [0.0, 2.5]
    """
    wanted = model.metrics if metrics else ()
    counted = data.counted
    block = block_of(model)
    if data.streamed:
        return _evaluate_stream(model, data, wanted, block, ranks)
    parts = [
        (runs, _evaluate(model.of(runs), data, wanted, block, ranks)) for runs, data in _parts(model, counted)
    ]
    order = torch.cat([runs for runs, _ in parts]).argsort()
    return Evaluation(
        torch.cat([part.loss for _, part in parts])[order],
        {name: torch.cat([part.metrics[name] for _, part in parts])[order] for name in wanted},
    )


def evaluate_only(model: Model, data: Dataset, runs: Tensor, metrics: bool = True) -> Evaluation:
    """`evaluate` of the runs that the mask `runs` [R] marks; the others cost nothing and have NaN.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.data.dataset import Dataset
    >>> from packtrain.trainer.models.evaluate import evaluate_only
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[2.0], [3.0]]), "mse", None)
    >>> data = Dataset(torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [4.0]]), ("x",), ("xy",))
    >>> evaluate_only(model, data, torch.tensor([False, True])).loss.tolist()
    [nan, 2.5]
    """
    if runs.all():
        return evaluate(model, data, metrics)
    part = evaluate(model.of(runs), data.of(runs), metrics)

    def spread(values: Tensor) -> Tensor:
        return values.new_full(runs.shape, torch.nan).masked_scatter(runs, values)

    return Evaluation(spread(part.loss), {name: spread(values) for name, values in part.metrics.items()})


@torch.no_grad()
def confusion(model: Model, data: Dataset, run: int) -> dict[str, Any] | None:
    """How many samples of each class one run takes for which: {"classes": K names, "counts": [K][K]}.

    A row is the class that samples are of, a column what the model says. None where there is no class, one
    label of several, or more than MOST_CLASSES.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.data.dataset import Dataset
    >>> from packtrain.trainer.models.evaluate import confusion
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> graph = parse(["xno = a*x", "xyes = -a*x"])
    >>> model = ExpressionModel(graph, torch.tensor([[1.0]]), "cross_entropy", None)
    >>> inputs, targets = torch.tensor([[1.0], [-1.0], [2.0]]), torch.tensor([[0], [1], [1]])
    >>> data = Dataset(inputs, targets, ("x",), ("no", "yes"))
    >>> confusion(model, data, run=0)
    {'classes': ['no', 'yes'], 'counts': [[1, 0], [1, 1]]}
    """
    counted = data.of_run(run).counted
    classes = _class_names(model, counted)
    if not 1 < len(classes) <= MOST_CLASSES:
        return None
    size, block = len(classes), block_of(model)
    counts = torch.zeros(size * size, dtype=torch.int64, device=counted.targets.device)
    alone = model.of(torch.tensor([run], device=model.parameters.device))
    for part in counted.in_blocks(block):
        predicted = predicted_classes(outputs_of(alone, part.inputs))[0]
        counts += torch.bincount(classes_of(part.targets) * size + predicted, minlength=size * size)
    return {"classes": classes, "counts": counts.view(size, size).tolist()}


def _class_names(model: Model, data: Dataset) -> list[str]:
    """The classes that samples are of, and the model tells apart; none of numbers, or of several labels."""
    if model.loss_kind.of_classes or data.one_hot:
        return list(data.target_names)
    return ["0", "1"] if model.loss_kind.name == BINARY and data.targets.shape[1] == 1 else []


def _parts(model: Model, data: Dataset) -> Iterator[tuple[Tensor, Dataset]]:
    """Runs that are evaluated together, one part after another, and their data: all have as many samples."""
    everyone = torch.arange(model.runs, device=model.parameters.device)
    if data.segments is None:
        yield from ((runs, data) for runs in everyone.split(runs_together(model, len(data))))
        return
    for runs, count in data.segments.sizes():
        for some in runs.split(runs_together(model, count)):
            yield from ((some, alike) for _, alike in data.of(some).alike())


def _evaluate(model: Model, data: Dataset, wanted: Collection[str], block: int, ranks: Ranks) -> Evaluation:
    """The loss and the `wanted` metrics of runs that are evaluated together, a block of samples at a time."""
    if not len(data):
        unknown = model.parameters.new_full((model.runs,), torch.nan, dtype=torch.float64)
        return Evaluation(unknown, dict.fromkeys(wanted, unknown))
    sums = _Sums(model, data, wanted, block)
    for part, (outputs,) in _predicted([model], data.in_blocks(block), ranks):
        sums.add(part, outputs)
    return sums.evaluation()


def _evaluate_stream(
    model: Model, data: Dataset, wanted: Collection[str], block: int, ranks: Ranks
) -> Evaluation:
    """The same of all runs: each block is read once for all of them."""
    everyone = torch.arange(model.runs, device=model.parameters.device)
    together = everyone.split(runs_together(model, len(data)))
    added = [_Sums(model.of(runs), data, wanted, block) for runs in together]
    for part, outputs in _predicted([sums.model for sums in added], data.in_blocks(block), ranks):
        for sums, own in zip(added, outputs, strict=True):
            sums.add(part, own)
    parts = [sums.evaluation() for sums in added]
    metrics = {name: torch.cat([part.metrics[name] for part in parts]) for name in wanted}
    return Evaluation(torch.cat([part.loss for part in parts]), metrics)


def _predicted(
    models: list[Model], parts: Iterable[Dataset], ranks: Ranks
) -> Iterator[tuple[Dataset, list[Tensor]]]:
    """Each part with the models' outputs for it: of as many parts as there are ranks each computes one."""
    if ranks.size == 1:
        yield from ((part, [outputs_of(model, part.inputs) for model in models]) for part in parts)
        return
    rest = iter(parts)
    while some := list(islice(rest, ranks.size)):
        sizes = [part.inputs.shape[-2] for part in some]
        own = ranks.own(len(some))
        mine = some[own.start if own else 0].inputs
        outputs = [
            ranks.everywhere(_filled(outputs_of(model, mine), max(sizes))[: len(own)], len(some))
            for model in models
        ]
        for place, (part, size) in enumerate(zip(some, sizes, strict=True)):
            yield part, [of_model[place, :, :size] for of_model in outputs]


def _filled(outputs: Tensor, samples: int) -> Tensor:
    """[R, B, T] -> [1, R, samples, T]."""
    whole = outputs.new_zeros(1, len(outputs), samples, outputs.shape[2])
    whole[0, :, : outputs.shape[1]] = outputs
    return whole


class _Sums:
    """What adds up the losses and metrics of runs that are evaluated together, block by block of `data`."""

    def __init__(self, model: Model, data: Dataset, wanted: Collection[str], block: int) -> None:
        self.model, self.data, self.wanted = model, data, wanted
        self.total = model.parameters.new_zeros(model.runs, dtype=torch.float64)
        classes, few = len(data.target_names), data.targets

        def spread() -> Spread:
            return spread_of_targets(data, block)

        self.tallies = tallies(wanted, model.loss_kind, few, classes, model.runs, spread)

    def add(self, part: Dataset, outputs: Tensor) -> None:
        outputs = outputs.double()
        self.total += sum_in_order(_losses(self.model, outputs, part).flatten(1))
        compared = part.in_units(outputs), part.in_units(part.targets)
        for tally in self.tallies:
            tally.add(*compared)

    def evaluation(self) -> Evaluation:
        count = len(self.data) * self.model.loss_kind.terms(self.data.targets.shape[-1])
        metrics = {name: values for tally in self.tallies for name, values in tally.metrics().items()}
        return Evaluation(self.total / (count or 1), {name: metrics[name] for name in self.wanted})


def spread_of_targets(data: Dataset, block: int) -> Spread:
    """How far the targets lie apart, in their units; of a stream, which is read for it twice, only once.

    >>> import torch
    >>> from packtrain.trainer.data.dataset import Dataset
    >>> from packtrain.trainer.models.evaluate import spread_of_targets
    >>> data = Dataset(torch.ones(3, 1), torch.tensor([[1.0], [2.0], [3.0]]), ("x",), ("y",))
    >>> spread_of_targets(data, block=2).squares.tolist()
    [[2.0]]
    """
    known = data.stream.kept if isinstance(data, Streamed) else {}
    if ("spread", block) not in known:
        known["spread", block] = spread_of(
            lambda: (data.in_units(targets) for targets in data.target_blocks(block))
        )
    return known["spread", block]


def _losses(model: Model, outputs: Tensor, part: Dataset) -> Tensor:
    """The terms of the loss, each times its sample's weight where there are weights."""
    if part.weights is not None and model.weighs_errors:
        root = part.weights.sqrt()[..., None]
        return terms_reference(model.loss_kind, root * outputs, root * part.targets, model.loss_constants)
    losses = terms_reference(model.loss_kind, outputs, part.targets, model.loss_constants)
    return losses if part.weights is None else losses * part.weights[..., None]
