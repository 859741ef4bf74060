"""A data set in memory: inputs and targets, a training part and a validation part."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ...kernels.common.errors import UserError
from ...kernels.common.segments import Segments
from ...kernels.equations.losses import BINARY
from .discretion import quoted
from .features import Feature
from .impute import impute
from .order import Blocks
from .rounding import loss_of
from .split import Split
from .units import in_units, scaled

# loss -> the targets outside of which it has no minimum
RANGES = {"poisson": (0.0, math.inf, "0 or more"), BINARY: (0.0, 1.0, "0 to 1")}


@dataclass(frozen=True)
class Dataset:
    """inputs [N, V] and targets [N, T]; for classification, targets [N, 1] of class indices.

    `one_hot` targets are of classes too: 1 in the column of a sample's class, else 0. With either,
    `target_names` are the classes, and `label` the column that says a sample's.
    `mean` and `std` [V], in float64: the inputs were standardized with them. None: they were not.
    `target_mean` and `target_std` [T]: so were the targets, with these.
    `weights` [N], in float64, multiply the samples' losses, or squared errors of fits. None: there are none.
    They are 1/sigma^2 of measurements with known errors sigma where they are `absolute`.
    `rows` [N] are the samples' rows, from 0, in what they were taken from, on the device where that was read.
    None: 0, 1, ..., N - 1.
    `origins` says of inputs and targets where their numbers come from, for people.
    `features` say how the inputs are made of a table's columns: see features.py. None of them: they were
    made here, and are numbers by their own names.
    `segments` say which samples are those of each of R runs. None: all are of every run. `faults` say why a
    run's are of no use, for those that have none left.
    `columns` are others of what they were taken from, in float64, whole: `rows` say which cell is a sample's.
    `blocks` are those in which they stand, where they are shuffled by blocks. None: one by one.
    Of runs that have n samples each, `alike` makes inputs [R, n, V], targets [R, n, T] and weights [R, n].
    """

    inputs: Tensor
    targets: Tensor
    input_names: tuple[str, ...]
    target_names: tuple[str, ...]
    mean: Tensor | None = None
    std: Tensor | None = None
    target_mean: Tensor | None = None
    target_std: Tensor | None = None
    weights: Tensor | None = None
    rows: Tensor | None = None
    one_hot: bool = False
    absolute: bool = False
    label: str = ""
    origins: Mapping[str, str] = field(default_factory=dict)
    features: tuple[Feature, ...] = ()
    segments: Segments | None = None
    faults: Mapping[int, str] = field(default_factory=dict)
    columns: Mapping[str, Tensor] = field(default_factory=dict)
    blocks: Blocks | None = None

    def __len__(self) -> int:
        return self.inputs.shape[-2]

    @property
    def streamed(self) -> bool:
        """Whether the samples stay in their files, and `inputs` and `targets` hold but a few of them."""
        return False

    @property
    def identity(self) -> str:
        """What tells them from others, of those that stay in their files."""
        return ""

    @property
    def of_runs(self) -> bool:
        """Whether the samples are stacked: each run has its own, of equal number."""
        return self.inputs.dim() == 3

    def of(self, runs: Tensor) -> "Dataset":
        """The data of these runs: indices, or a mask [R]."""
        if self.segments is None:
            return self
        places = torch.arange(len(self.segments), device=runs.device)[runs].tolist()
        faults = {place: self.faults[run] for place, run in enumerate(places) if run in self.faults}
        return replace(self, segments=self.segments.of(runs), faults=faults)

    def of_run(self, run: int) -> "Dataset":
        """The samples of one run."""
        if self.segments is None:
            return self
        start, count = int(self.segments.starts[run]), int(self.segments.counts[run])
        return replace(self, segments=None, faults={}).part(slice(start, start + count))

    def alike(self) -> Iterator[tuple[Tensor, "Dataset"]]:
        """Runs [K] that have equally many samples, and these, stacked."""
        assert self.segments is not None
        for runs, places in self.segments.by_size():
            yield runs, self._stacked(runs, places)

    def _stacked(self, runs: Tensor, places: Tensor) -> "Dataset":
        weights = None if self.weights is None else self.weights[places]
        rows = places if self.rows is None else self.rows[_beside(self.rows, places)]
        inputs, targets = self.inputs[places], self.targets[places]
        own = {"inputs": inputs, "targets": targets, "weights": weights, "rows": rows}
        return replace(self.of(runs), **own, segments=None)

    @property
    def missing_targets(self) -> Tensor:
        """Which targets [N, T] are missing: NaN, or -1 of classes."""
        of_classes = self.one_hot or not self.targets.is_floating_point()
        return self.targets < 0 if of_classes else self.targets.isnan()

    @property
    def counted(self) -> "Dataset":
        """The samples that count: those whose weight isn't 0, which are all where there are no weights."""
        if self.weights is None or bool(self.weights.all()):
            return self
        if self.segments is None:
            return self.part(self.weights.nonzero()[:, 0])
        mask = self.weights != 0
        return replace(self.part(mask), segments=self.segments.kept(mask))

    def part(self, index: Tensor | slice) -> "Dataset":
        """The samples at `index`: of indices, a mask [N], or a slice; of runs alike a slice of each."""
        if self.of_runs:
            assert isinstance(index, slice) and self.rows is not None
            inputs, targets, rows = self.inputs[:, index], self.targets[:, index], self.rows[:, index]
            weights = None if self.weights is None else self.weights[:, index]
            return replace(self, inputs=inputs, targets=targets, weights=weights, rows=rows)
        weights = None if self.weights is None else self.weights[index]
        rows = self._places(index) if self.rows is None else self.rows[_beside(self.rows, index)]
        targets = self.targets[index]
        return replace(self, inputs=self.inputs[index], targets=targets, weights=weights, rows=rows)

    def in_blocks(self, size: int) -> Iterator["Dataset"]:
        """Parts of `size` samples, in order."""
        for start in range(0, len(self), size):
            yield self.part(slice(start, start + size))

    def target_blocks(self, size: int) -> Iterator[Tensor]:
        """The targets of the same parts."""
        for start in range(0, len(self), size):
            yield self.targets[..., start : start + size, :]

    def some(self, most: int) -> "Dataset":
        """At most so many of the samples, evenly from the first to the last."""
        if len(self) <= most:
            return self
        places = torch.linspace(0, len(self) - 1, most, dtype=torch.float64, device=self.inputs.device)
        return self.part(places.round().long())

    def _places(self, index: Tensor | slice) -> Tensor:
        """The rows at `index` where the samples are as they came."""
        if isinstance(index, slice):
            return torch.arange(*index.indices(len(self)))
        return index.nonzero()[:, 0] if index.dtype == torch.bool else index

    def row(self, sample: int) -> int:
        """The number of a sample's row, from 1, in what the data were taken from."""
        return 1 + (sample if self.rows is None else int(self.rows[sample]))

    def to(self, device: torch.device, dtype: torch.dtype) -> "Dataset":
        """The same on `device`, the inputs and targets as `dtype`, but for class indices."""
        targets = self.targets.to(device, dtype if self.targets.is_floating_point() else None)
        weights = None if self.weights is None else self.weights.to(device)
        segments = self.segments and self.segments.to(device)
        inputs = self.inputs.to(device, dtype)
        return replace(self, inputs=inputs, targets=targets, weights=weights, segments=segments)

    def standardized(self, mean: Tensor, std: Tensor) -> "Dataset":
        """x -> (x - mean) / std, column by column."""
        return replace(self, inputs=scaled(self.inputs, mean, std), mean=mean, std=std)

    def with_standardized_targets(self, mean: Tensor, std: Tensor) -> "Dataset":
        """t -> (t - mean) / std, column by column; errors are then relative ones."""
        targets = scaled(self.targets, mean, std)
        return replace(self, targets=targets, target_mean=mean, target_std=std, absolute=False)

    @property
    def classes(self) -> tuple[tuple[str, ...], Tensor] | None:
        """The names of the classes, and the class of each sample [N]; None where the targets are numbers."""
        targets = self.targets
        if self.one_hot:
            return self.target_names, targets.argmax(1)
        if not targets.is_floating_point():
            return self.target_names, targets[:, 0]
        if targets.shape[1] == 1 and bool(((targets == 0) | (targets == 1)).all()):
            return ("0", "1"), targets[:, 0].long()
        return None

    def in_units(self, values: Tensor) -> Tensor:
        """Outputs or targets [..., T] in the units that the targets came in; of scaled ones in float64."""
        return in_units(values, self.target_mean, self.target_std)


@dataclass(frozen=True)
class Groups:
    """G groups, in the order in which they first appear: `keys` maps each column to its value in each group.

    `faults` maps a group of no use to the reason. `shape` is that of the grid that they stand on, if any.
    `nameless` rows have no key, and are left out.
    """

    keys: Mapping[str, list[Any]]
    faults: Mapping[int, str]
    shape: tuple[int, ...] | None = None
    nameless: int = 0

    def __len__(self) -> int:
        return len(next(iter(self.keys.values())))


@dataclass(frozen=True)
class Data:
    """The training part, the parts that are held out to validate and to test by, if any, and `notes`.

    `notes` are sentences for people.
    `groups` are the groups whose samples the `segments` of all parts are, None where there are none.
    """

    train: Dataset
    validation: Dataset | None
    notes: tuple[str, ...] = ()
    test: Dataset | None = None
    groups: Groups | None = None

    def to(self, device: torch.device, dtype: torch.dtype) -> "Data":
        """All parts; see Dataset.to."""
        return self.each(lambda part: part.to(device, dtype))

    def each(self, change: Callable[[Dataset], Dataset]) -> "Data":
        """All parts, changed alike."""
        held_out = (None if part is None else change(part) for part in (self.validation, self.test))
        validation, test = held_out
        return replace(self, train=change(self.train), validation=validation, test=test)


def prepare(whole: Dataset, split: Split, standardize: bool, targets_too: bool = False) -> Data:
    """Holds out what `split` says; standardizes by the training part alone.

    `standardize` is about inputs, `targets_too` about targets. Raises UserError where no sample is left to
    train on, or the targets are classes.

    >>> import torch
    >>> from packtrain.trainer.data.dataset import Dataset, prepare
    >>> from packtrain.trainer.data.split import Split
    >>> whole = Dataset(torch.arange(10.0)[:, None], torch.zeros(10, 1), ("x",), ("xy",))
    >>> data = prepare(whole, Split(seed=0, validation=0.2), standardize=True)
    >>> len(data.train), len(data.validation), data.train.inputs.mean().abs().item() < 1e-6
    (8, 2, True)
    """
    data = _imputed(_parts(whole, split))
    if standardize:
        scale = _scale(data.train.inputs)
        data = data.each(lambda part: part.standardized(*scale))
    if targets_too:
        if whole.one_hot or not whole.targets.is_floating_point():
            raise UserError(
                "data.standardize scales the targets, and these are classes: data.standardize=inputs"
            )
        of_targets = _scale(data.train.targets)
        data = data.each(lambda part: part.with_standardized_targets(*of_targets))
    return data


def _parts(whole: Dataset, split: Split) -> Data:
    if not (split.validation or split.test):
        return Data(whole, None)
    if whole.segments is None:
        parts = [whole.part(index) for index in split.parts(len(whole), whole.inputs.device)]
    else:
        of_groups = split.within(whole.segments.starts, whole.segments.counts)
        parts = [_of_groups(whole, indices) for indices in zip(*of_groups, strict=True)]
    train, validation, test = parts
    return Data(train, validation if split.validation else None, test=test if split.test else None)


def _of_groups(whole: Dataset, indices: Sequence[Tensor]) -> Dataset:
    """The samples at these indices of each group."""
    counts = torch.tensor([len(index) for index in indices], device=whole.inputs.device)
    return replace(whole.part(torch.cat(list(indices))), segments=Segments.after_another(counts))


def _imputed(data: Data) -> Data:
    """What data.missing=impute fills in, learned from the training part."""
    parts = [part for part in (data.train, data.validation, data.test) if part is not None]
    features, inputs, notes = impute(data.train.features, [part.inputs for part in parts])
    filled = {id(part): own for part, own in zip(parts, inputs, strict=True)}
    data = data.each(lambda part: replace(part, inputs=filled[id(part)], features=features))
    return replace(data, notes=(*data.notes, *notes))


def _beside(tensor: Tensor, index: Tensor | slice) -> Tensor | slice:
    """The index on the device of a tensor that it is of."""
    return index if isinstance(index, slice) else index.to(tensor.device)


def _scale(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each column [N, K]; 1 of a constant one, which becomes 0."""
    mean = values.mean(0, dtype=torch.float64)
    std = (values - mean).square().mean(0).sqrt()
    varies = values.amax(0) > values.amin(0)
    return mean, torch.where(varies, std, torch.ones_like(std))


def check_targets(targets: Tensor, names: Sequence[str], loss: str) -> None:
    """Raises UserError where a loss can't take a target of [N, T]: it would fall without end.

    >>> import torch
    >>> from packtrain.trainer.data.dataset import check_targets
    >>> check_targets(torch.tensor([[-1.0]]), ["y"], "mse")
    """
    low, high, expected = RANGES.get(loss, (-math.inf, math.inf, ""))
    outside = ((targets < low) | (targets > high)).nonzero()
    if len(outside):
        row, column = outside[0].tolist()
        cell = targets[row, column].item()
        raise UserError(
            f"model.loss={loss} takes targets of {expected}; {names[column]} has {quoted(cell, f'{cell:g}')}"
        )


def rounded(data: Dataset, dtype: torch.dtype) -> Iterator[str]:
    """What the cast to `dtype` costs, a sentence a column. Raises UserError where that is too much.

    >>> import torch
    >>> from packtrain.trainer.data.dataset import Dataset, rounded
    >>> data = Dataset(torch.rand(10, 1).double(), torch.zeros(10, 1).double(), ("x",), ("xy",))
    >>> list(rounded(data, torch.float32))
    []
    """
    digits, scaled = str(dtype).removeprefix("torch."), data.mean is not None
    for names, part, is_input in (
        (data.input_names, data.inputs, True),
        (data.target_names, data.targets, False),
    ):
        if part.dtype != torch.float64 or dtype == torch.float64:
            continue
        for i, name in enumerate(names):
            exact = part[:, i]
            lost = loss_of(exact.numpy(), exact.to(dtype).numpy())
            mend = "compute.precision=fp64" + (" or data.standardize=true" if is_input and not scaled else "")
            text = f"{data.origins.get(name, name)}: {digits} has not enough digits: {lost}; {mend} "
            if lost and lost.large:
                raise UserError(f"{text}keeps them apart")
            if lost:
                yield f"{text}would keep them apart"
