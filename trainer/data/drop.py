"""data.missing=drop: samples that lack a value are left out."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ...kernels.common.errors import UserError
from ..config.schema import DROP
from .dataset import Dataset


def without_missing(whole: Dataset, source: str) -> tuple[Dataset, list[str]]:
    """The samples that lack nothing, and a sentence for people on those that do, if any.

    What is missing is NaN, or -1 of a class. Raises UserError where every sample lacks something.

    >>> import torch
    >>> from packtrain.trainer.data.dataset import Dataset
    >>> from packtrain.trainer.data.drop import without_missing
    >>> from packtrain.trainer.data.features import Feature
    >>> inputs, targets = torch.tensor([[1.0], [torch.nan]]), torch.zeros(2, 1)
    >>> whole = Dataset(inputs, targets, ("x",), ("y",), features=(Feature("x", "time"),))
    >>> part, notes = without_missing(whole, "points.csv")
    >>> len(part), notes
    (1, ['points.csv: 1 of 2 rows has a missing value and is left out (data.missing=drop): time 1'])
    """
    masks = dict(_masks(whole))
    missing = torch.stack([*masks.values()]).any(0)
    count = int(missing.sum())
    if not count:
        return whole, []
    by_column = ", ".join(f"{name} {int(mask.sum()):,}" for name, mask in masks.items() if mask.any())
    if count == len(whole):
        raise UserError(f"{source}: data.missing={DROP} leaves no row, since each lacks a value: {by_column}")
    said = "has a missing value and is" if count == 1 else "have a missing value and are"
    note = f"{source}: {count:,} of {len(whole):,} rows {said} left out (data.missing={DROP}): {by_column}"
    return whole.part((~missing).nonzero()[:, 0]), [note]


def _masks(whole: Dataset) -> Iterator[tuple[str, Tensor]]:
    """(a column, or what is missing, and in which samples [N])."""
    place = 0
    for feature in whole.features:
        yield feature.column, whole.inputs[:, place].isnan()  # of several inputs of one column, all are NaN
        place += len(feature.names)
    missing = whole.missing_targets
    names = whole.target_names if missing.shape[1] == len(whole.target_names) else ()
    if names and not whole.one_hot:
        yield from zip(names, missing.T, strict=True)
    else:
        yield "the class", missing.any(1)
    if whole.weights is not None:
        yield "the weight", whole.weights.isnan()
