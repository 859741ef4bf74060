"""data.missing=impute: what takes the place of missing inputs, learned from the training part."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ...kernels.common.errors import UserError
from ..config.schema import IMPUTE
from .features import ORDINAL, SECONDS, Feature, of_origin


def impute(
    features: Sequence[Feature], parts: Sequence[Tensor]
) -> tuple[tuple[Feature, ...], list[Tensor], list[str]]:
    """The features with what they fill in, the `parts` [N, V] of inputs filled in, and sentences for people.

    Features whose `fill` is NaN learn it from the first part, the one that is trained on: the mean of numbers
    and times, and the most frequent of ordinal categories, as scikit-learn's SimpleImputer. Raises UserError
    where a column has no value there.

    >>> import torch
    >>> from packtrain.trainer.data.features import Feature
    >>> from packtrain.trainer.data.impute import impute
    >>> inputs = torch.tensor([[1.0], [3.0], [torch.nan]])
    >>> features, (filled,), notes = impute([Feature("x", "time", fill=torch.nan)], [inputs])
    >>> filled.flatten().tolist(), features[0].fill, notes
    ([1.0, 3.0, 2.0], 2.0, ['time: 1 missing value became the mean, 2 (data.missing=impute)'])
    """
    known, filled, notes, place = list(features), list(parts), [], 0
    for i, feature in enumerate(features):
        if feature.fill != feature.fill:  # NaN
            fill = _learned(feature, parts[0][:, place])
            known[i] = replace(feature, fill=fill)
            count = sum(int(part[:, place].isnan().sum()) for part in parts)
            if count:
                filled = [_filled(part, place, fill) for part in filled]
                notes.append(_told(feature, fill, count))
        place += len(feature.names)
    return tuple(known), filled, notes


def _learned(feature: Feature, values: Tensor) -> float:
    present = values[~values.isnan()]
    if not len(present):
        raise UserError(
            f"column {feature.column} has no value in the training part, so that data.missing={IMPUTE} could "
            "learn what to fill in: leave the column out"
        )
    most_frequent = feature.kind == ORDINAL
    return float(present.mode().values) if most_frequent else float(present.mean(dtype=torch.float64))


def _filled(part: Tensor, place: int, fill: float) -> Tensor:
    part = part.clone()
    part[:, place].nan_to_num_(fill)
    return part


def _told(feature: Feature, fill: float, count: int) -> str:
    if feature.kind == ORDINAL:
        became = f"the most frequent, {feature.categories[int(fill)]}"
    else:
        became = f"the mean, {of_origin(feature, fill) if feature.kind == SECONDS else f'{fill:.6g}'}"
    values = "1 missing value" if count == 1 else f"{count:,} missing values"
    return f"{feature.column}: {values} became {became} (data.missing={IMPUTE})"
