"""A data set in memory: inputs and targets, a training part and a validation part."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ...kernels.common.errors import UserError
from .rounding import loss_of
from .split import Split


@dataclass(frozen=True)
class Dataset:
    """inputs [N, V] and targets [N, T]; for classification, targets [N, 1] of class indices.

    `one_hot` targets are of classes too: 1 in the column of a sample's class, else 0. With either,
    `target_names` are the classes.
    `mean` and `std` [V], in float64: the inputs were standardized with them. None: they were not.
    `target_mean` and `target_std` [T]: so were the targets, with these.
    `weights` [N], in float64, multiply the samples' losses, or squared errors of fits. None: there are none.
    `rows` [N] are the samples' rows, from 0, in what they were taken from, on the device where that was read.
    None: 0, 1, ..., N - 1.
    `origins` says of inputs and targets where their numbers come from, for people.
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
    origins: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def counted(self) -> "Dataset":
        """The samples that count: those whose weight isn't 0, which are all where there are no weights."""
        if self.weights is None or bool(self.weights.all()):
            return self
        return self.part(self.weights.nonzero()[:, 0])

    def part(self, index: Tensor | slice) -> "Dataset":
        """The samples at `index`: of indices, a mask [N], or a slice."""
        weights = None if self.weights is None else self.weights[index]
        rows = self._places(index) if self.rows is None else self.rows[_beside(self.rows, index)]
        targets = self.targets[index]
        return replace(self, inputs=self.inputs[index], targets=targets, weights=weights, rows=rows)

    def _places(self, index: Tensor | slice) -> Tensor:
        """The rows at `index` where the samples are as they came."""
        return torch.arange(*index.indices(len(self))) if isinstance(index, slice) else index

    def row(self, sample: int) -> int:
        """The number of a sample's row, from 1, in what the data were taken from."""
        return 1 + (sample if self.rows is None else int(self.rows[sample]))

    def to(self, device: torch.device, dtype: torch.dtype) -> "Dataset":
        """The same on `device`, the inputs and targets as `dtype`, but for class indices."""
        targets = self.targets.to(device, dtype if self.targets.is_floating_point() else None)
        weights = None if self.weights is None else self.weights.to(device)
        return replace(self, inputs=self.inputs.to(device, dtype), targets=targets, weights=weights)

    def standardized(self, mean: Tensor, std: Tensor) -> "Dataset":
        """x -> (x - mean) / std, column by column."""
        return replace(self, inputs=(self.inputs - mean) / std, mean=mean, std=std)

    def with_standardized_targets(self, mean: Tensor, std: Tensor) -> "Dataset":
        """t -> (t - mean) / std, column by column."""
        return replace(self, targets=(self.targets - mean) / std, target_mean=mean, target_std=std)

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
        if self.target_mean is None or self.target_std is None:
            return values
        mean, std = (scale.to(values.device) for scale in (self.target_mean, self.target_std))
        return values.double() * std + mean


@dataclass(frozen=True)
class Data:
    """The training part, the parts that are held out to validate and to test by, if any, and `notes`.

    `notes` are sentences for people.
    """

    train: Dataset
    validation: Dataset | None
    notes: tuple[str, ...] = ()
    test: Dataset | None = None

    def to(self, device: torch.device, dtype: torch.dtype) -> "Data":
        """All parts; see Dataset.to."""
        return self.each(lambda part: part.to(device, dtype))

    def each(self, change: Callable[[Dataset], Dataset]) -> "Data":
        """All parts, changed alike."""
        validation, test = (part and change(part) for part in (self.validation, self.test))
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
    data = _parts(whole, split)
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
    train, validation, test = split.parts(len(whole), whole.inputs.device)
    return Data(
        whole.part(train),
        whole.part(validation) if split.validation else None,
        test=whole.part(test) if split.test else None,
    )


def _beside(tensor: Tensor, index: Tensor | slice) -> Tensor | slice:
    """The index on the device of a tensor that it is of."""
    return index if isinstance(index, slice) else index.to(tensor.device)


def _scale(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each column [N, K]; 1 of a constant one, which becomes 0."""
    mean = values.mean(0, dtype=torch.float64)
    std = (values - mean).square().mean(0).sqrt()
    varies = values.amax(0) > values.amin(0)
    return mean, torch.where(varies, std, torch.ones_like(std))


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
