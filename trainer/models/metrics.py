"""What predictions are judged by beside the loss: scikit-learn's metrics, of R runs at once.

Samples come in blocks. What is added up of them are sums in a fixed order, or counts, which have no
rounding: so a run's metrics have the same bits in any pack.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ...kernels.equations.losses import BINARY, Loss
from ...kernels.sums import sum_in_order

OF_NUMBERS = "rmse", "mae", "r2"
OF_CLASSES = "accuracy", "balanced_accuracy", "f1"
RANKED = ("roc_auc",)  # dear: all outputs are kept, and sorted
MAXIMIZED = (*OF_CLASSES, *RANKED, "r2")
LINKS: dict[str, Callable[[Tensor], Tensor]] = {"poisson": torch.exp}  # loss -> targets of outputs
MOST_SCORES = 1 << 26  # of a run that are sorted


def metrics_of(loss: Loss, one_hot: bool = False) -> tuple[str, ...]:
    """The names of what a model with this loss is judged by beside it, on targets that may be `one_hot`.

    >>> from packtrain.kernels.loss import loss_of
    >>> from packtrain.trainer.models.metrics import metrics_of
    >>> metrics_of(loss_of("cross_entropy"))
    ('accuracy', 'balanced_accuracy', 'f1', 'roc_auc')
    >>> metrics_of(loss_of("mse")), metrics_of(loss_of("mse"), one_hot=True)[3:]
    (('rmse', 'mae', 'r2'), ('accuracy', 'balanced_accuracy', 'f1'))
    """
    if loss.of_classes or loss.name == BINARY:
        return OF_CLASSES + RANKED
    return OF_NUMBERS + OF_CLASSES if one_hot else OF_NUMBERS


class Tally(ABC):
    """What some metrics need of the samples so far, of R runs."""

    @abstractmethod
    def add(self, outputs: Tensor, targets: Tensor) -> None:
        """A block of samples: outputs [R, B, T], targets [B, T] or [R, B, T], of classes T = 1."""

    @abstractmethod
    def metrics(self) -> dict[str, Tensor]:
        """The metrics by name, [R] each, in float64."""


@dataclass(frozen=True)
class Spread:
    """How many samples there are, and the sum of their targets' squares about the mean, [R, T] or [1, T]."""

    count: int
    squares: Tensor


def spread_of(blocks: Callable[[], Iterable[Tensor]]) -> Spread:
    """The spread of targets that come in `blocks` [B, T] or [R, B, T], twice.

    >>> import torch
    >>> from packtrain.trainer.models.metrics import spread_of
    >>> spread_of(lambda: [torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0]])]).squares.tolist()
    [[2.0]]
    """
    count, total, varies, first = 0, torch.zeros(()), torch.zeros(()), torch.zeros(())
    for targets in map(_of_runs, blocks()):
        first = first if count else targets[:, :1]
        total = total + _over_samples(targets) if count else _over_samples(targets)
        differs = (targets != first).any(1)
        varies = varies | differs if count else differs
        count += targets.shape[1]
    mean = (total / count)[:, None]
    squares = [_over_samples((targets - mean).square()) for targets in map(_of_runs, blocks())]
    return Spread(count, sum(squares[1:], squares[0]).where(varies, 0))


def _of_runs(targets: Tensor) -> Tensor:
    return targets.double() if targets.dim() == 3 else targets.double()[None]


class Numbers(Tally):
    """rmse and mae over samples and targets; r2 = 1 - sum (y - t)^2 / sum (t - m)^2, averaged over targets.

    m is the mean of a target; a constant one has 1 where it is met exactly, else 0. `targets` are those of
    all samples. `link` makes of outputs what is compared with them.

    >>> import torch
    >>> from packtrain.trainer.models.metrics import Numbers, spread_of
    >>> targets = torch.tensor([[1.0], [2.0], [3.0]])
    >>> tally = Numbers(1, spread_of(lambda: [targets]))
    >>> tally.add(torch.tensor([[[1.0], [2.0], [4.0]]]), targets)
    >>> tally.metrics()["r2"].tolist()
    [0.5]
    """

    def __init__(
        self, runs: int, targets: "Spread", link: Callable[[Tensor], Tensor] = lambda outputs: outputs
    ) -> None:
        self.link, self.count, self.spread = link, targets.count, targets.squares
        self.squares, self.sizes = self.spread.new_zeros(2, runs, self.spread.shape[-1])

    def add(self, outputs: Tensor, targets: Tensor) -> None:
        errors = self.link(outputs.double()) - targets
        self.squares += _over_samples(errors.square())
        self.sizes += _over_samples(errors.abs())

    def metrics(self) -> dict[str, Tensor]:
        means = (sum_in_order(sums) / sums.shape[1] / self.count for sums in (self.squares, self.sizes))
        mse, mae = means
        unexplained = self.squares / self.spread
        constant = (self.squares > 0).double()
        r2 = 1 - unexplained.where(self.spread > 0, constant)
        few = self.count < 2
        return {
            "rmse": mse.sqrt(),
            "mae": mae,
            "r2": torch.full_like(mse, torch.nan) if few else sum_in_order(r2) / r2.shape[1],
        }


class Classes(Tally):
    """Accuracy; the mean recall of the classes that occur; the mean F1 of those that occur or are predicted.

    A sample's class is the place of its largest output; of one output, a logit, it is 1 above 0.

    >>> import torch
    >>> from packtrain.trainer.models.metrics import Classes
    >>> tally = Classes(1, 2, torch.device("cpu"))
    >>> tally.add(torch.tensor([[[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]]), torch.tensor([[1], [0], [0]]))
    >>> tally.metrics()["balanced_accuracy"].tolist()
    [0.75]
    """

    def __init__(self, runs: int, classes: int, device: torch.device) -> None:
        counts = torch.zeros(3, runs, classes, dtype=torch.int64, device=device)
        self.actual, self.right, self.predicted = counts

    def add(self, outputs: Tensor, targets: Tensor) -> None:
        predicted = predicted_classes(outputs)
        actual = classes_of(targets).expand_as(predicted)
        self.actual.scatter_add_(1, actual, torch.ones_like(actual))
        self.predicted.scatter_add_(1, predicted, torch.ones_like(predicted))
        self.right.scatter_add_(1, predicted, (predicted == actual).long())

    def metrics(self) -> dict[str, Tensor]:
        right, predicted, actual = (count.double() for count in (self.right, self.predicted, self.actual))
        of_class = actual + predicted
        return {
            "accuracy": sum_in_order(right) / actual.sum(1),
            "balanced_accuracy": _mean_where(right / actual, actual > 0),
            "f1": _mean_where(2 * right / of_class, of_class > 0),
        }


class Labels(Tally):
    """Several outputs, each of which says yes above 0: scikit-learn's multilabel metrics.

    Accuracy is the share of samples with every label right; F1, of yes, and the balanced accuracy are means
    over the labels.

    >>> import torch
    >>> from packtrain.trainer.models.metrics import Labels
    >>> tally = Labels(1, 2, torch.device("cpu"))
    >>> tally.add(torch.tensor([[[2.0, -1.0], [2.0, 1.0]]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    >>> tally.metrics()["accuracy"].tolist()
    [0.5]
    """

    def __init__(self, runs: int, labels: int, device: torch.device) -> None:
        self.samples = 0
        self.whole = torch.zeros(runs, dtype=torch.int64, device=device)
        self.counts = torch.zeros(2, 2, runs, labels, dtype=torch.int64, device=device)  # [actual, predicted]

    def add(self, outputs: Tensor, targets: Tensor) -> None:
        predicted, actual = outputs > 0, targets > 0.5
        self.samples += targets.shape[-2]
        self.whole += (predicted == actual).all(2).sum(1)
        for t in (0, 1):
            for p in (0, 1):
                self.counts[t, p] += ((actual == t) & (predicted == p)).sum(1)

    def metrics(self) -> dict[str, Tensor]:
        (tn, fp), (fn, tp) = self.counts.double()
        recalls = torch.stack([tp / (tp + fn), tn / (tn + fp)], -1)
        balanced = _mean_where(recalls.flatten(0, 1), recalls.flatten(0, 1).isfinite())
        f1 = (2 * tp / (2 * tp + fp + fn)).nan_to_num(0.0)
        return {
            "accuracy": self.whole.double() / self.samples,
            "balanced_accuracy": sum_in_order(balanced.view_as(tp)) / tp.shape[1],
            "f1": sum_in_order(f1) / f1.shape[1],
        }


class Ranks(Tally):
    """roc_auc: how often a sample of a class has a higher score than one of the others; half of a tie counts.

    Of more than two classes, or of several labels, it is the mean over them, each against the rest, of those
    that some samples are of and some aren't. It is NaN where there is none, where a score isn't finite, and
    of more than MOST_SCORES. The score is the logit; of more than two outputs for one class their softmax.

    >>> import torch
    >>> from packtrain.trainer.models.metrics import Ranks
    >>> tally = Ranks(1, torch.device("cpu"), exclusive=True)
    >>> tally.add(torch.tensor([[[0.0, 1.0], [0.0, 3.0], [0.0, 2.0]]]), torch.tensor([[0], [1], [1]]))
    >>> tally.metrics()["roc_auc"].tolist()
    [1.0]
    """

    def __init__(self, runs: int, device: torch.device, exclusive: bool) -> None:
        self.unknown = torch.full((runs,), torch.nan, dtype=torch.float64, device=device)
        self.exclusive, self.count = exclusive, 0
        self.blocks: list[tuple[Tensor, Tensor]] = []  # scores [R, B, K], targets

    def add(self, outputs: Tensor, targets: Tensor) -> None:
        scores = self._scores(outputs.double())
        self.count += scores[0].numel()
        self.blocks = [*self.blocks, (scores, targets)] if self.count <= MOST_SCORES else []

    def _scores(self, outputs: Tensor) -> Tensor:
        if not self.exclusive:
            return outputs
        if outputs.shape[2] == 2:
            return outputs[..., 1:] - outputs[..., :1]
        return outputs.softmax(-1)

    def metrics(self) -> dict[str, Tensor]:
        areas = list(self._areas()) or [self.unknown]
        return {"roc_auc": sum_in_order(torch.stack(areas, 1)) / len(areas)}

    def _areas(self) -> Iterator[Tensor]:
        """roc_auc [R] of each column of the scores of which some samples are and some aren't."""
        if not self.blocks:
            return
        scores, targets = (torch.cat(parts, -2) for parts in zip(*self.blocks, strict=True))
        if targets.dim() == 2:
            yield from self._areas_of(scores, targets)
            return
        alone = zip(scores.split(1), targets, strict=True)
        means = [list(self._areas_of(*run)) or [self.unknown[:1]] for run in alone]
        yield torch.cat([sum_in_order(torch.stack(areas, 1)) / len(areas) for areas in means])

    def _areas_of(self, scores: Tensor, targets: Tensor) -> Iterator[Tensor]:
        for column in range(scores.shape[2]):
            of_class = targets[:, 0] == (column if scores.shape[2] > 1 else 1)
            positive = of_class if self.exclusive else targets[:, column] > 0.5
            if bool(positive.any()) and not bool(positive.all()):
                yield roc_auc(scores[..., column], positive)


def roc_auc(scores: Tensor, positive: Tensor) -> Tensor:
    """The area under the ROC curve of the scores [R, N] of samples that are `positive` or not [N]: [R].

    NaN where a score is. The pairs are counted in integers.

    >>> import torch
    >>> from packtrain.trainer.models.metrics import roc_auc
    >>> roc_auc(torch.tensor([[0.1, 0.4, 0.35, 0.8]]), torch.tensor([False, False, True, True])).tolist()
    [0.75]
    """
    ours = scores[:, positive].contiguous()
    others = scores[:, ~positive].sort(1).values
    below = torch.searchsorted(others, ours) + torch.searchsorted(others, ours, right=True)  # twice: for ties
    area = below.sum(1).double() / (2 * ours.shape[1] * others.shape[1])
    return area.masked_fill(scores.isnan().any(1), torch.nan)


def predicted_classes(outputs: Tensor) -> Tensor:
    """The class [R, B] of outputs [R, B, T]: the place of the largest; of one output, 1 where it is above 0.

    >>> import torch
    >>> from packtrain.trainer.models.metrics import predicted_classes
    >>> predicted_classes(torch.tensor([[[0.5, 2.0], [1.0, 0.0]]])).tolist()
    [[1, 0]]
    """
    return outputs.argmax(-1) if outputs.shape[2] > 1 else (outputs[..., 0] > 0).long()


def classes_of(targets: Tensor) -> Tensor:
    """The classes [..., B] of targets: indices [..., B, 1], 0 or 1 as numbers, or one-hot [..., B, T].

    >>> import torch
    >>> from packtrain.trainer.models.metrics import classes_of
    >>> classes_of(torch.tensor([[0.0, 1.0], [1.0, 0.0]])).tolist(), classes_of(torch.tensor([[3]])).tolist()
    ([1, 0], [3])
    """
    if targets.shape[-1] > 1:
        return targets.argmax(-1)
    return (targets[..., 0] > 0.5).long() if targets.is_floating_point() else targets[..., 0]


def tallies(
    names: Collection[str],
    loss: Loss,
    targets: Tensor,
    classes: int,
    runs: int,
    spread: Callable[[], Spread] | None = None,
) -> list[Tally]:
    """What adds up the metrics of these `names`, of `runs` models of so many `classes`, where they have some.

    `targets` [N, T] are those of all samples, or with a `spread`, which says that of all, some of them.

    >>> import torch
    >>> from packtrain.kernels.loss import loss_of
    >>> from packtrain.trainer.models.metrics import tallies
    >>> made = tallies(["f1"], loss_of("cross_entropy"), torch.ones(3, 1), 2, 1)
    >>> [type(tally).__name__ for tally in made]
    ['Classes']
    """
    made: list[Tally] = []
    binary, width, device = loss.name == BINARY, targets.shape[-1], targets.device
    if not {*OF_NUMBERS}.isdisjoint(names):
        of_all = spread() if spread else spread_of(lambda: [targets])
        made.append(Numbers(runs, of_all, *([LINKS[loss.name]] if loss.name in LINKS else [])))
    if not {*OF_CLASSES}.isdisjoint(names):
        several = binary and width > 1
        made.append(
            Labels(runs, width, device) if several else Classes(runs, 2 if binary else classes, device)
        )
    if not {*RANKED}.isdisjoint(names):
        made.append(Ranks(runs, device, exclusive=not binary))
    return made


def _over_samples(values: Tensor) -> Tensor:
    """The sums over samples, [R, B, T] -> [R, T], in an order that depends on B alone."""
    runs, samples, targets = values.shape
    return sum_in_order(values.movedim(2, 1).reshape(runs * targets, samples)).view(runs, targets)


def _mean_where(values: Tensor, known: Tensor) -> Tensor:
    """The mean of each row [R, K] where it is known; NaN where nothing is."""
    return sum_in_order(values.where(known, 0.0)) / known.sum(1)
