"""data.class_weights: a weight for every sample, by its class."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ...kernels.common.errors import UserError, nearest
from .dataset import Data, Dataset
from .discretion import told

BALANCED = "balanced"


def with_class_weights(data: Data, given: Any) -> Data:
    """The data whose samples' weights are multiplied by those `given` for their classes.

    `given` is balanced, which makes all classes weigh the same (N / (K n) where n of N samples are of one of
    the K classes, as in scikit-learn, by the training part), or a mapping from classes to weights, in which a
    class that is missing has the weight 1. Raises UserError.

    >>> import torch
    >>> from packtrain.trainer.data.class_weights import with_class_weights
    >>> from packtrain.trainer.data.dataset import Data, Dataset
    >>> data = Data(Dataset(torch.ones(4, 1), torch.tensor([[0], [0], [0], [1]]), ("x",), ("a", "b")), None)
    >>> with_class_weights(data, "balanced").train.weights.tolist()
    [0.6666666666666666, 0.6666666666666666, 0.6666666666666666, 2.0]
    """
    labels, index = _classes(data.train)
    if given == BALANCED:
        counts = torch.bincount(index, minlength=len(labels)).double()
        weights = torch.where(counts > 0, len(index) / (len(labels) * counts), 1.0)
    else:
        weights = _of_mapping(given, labels)
    return data.each(lambda part: _weighted(part, weights))


def _weighted(part: Dataset, weights: Tensor) -> Dataset:
    own = weights.to(part.targets.device)[_classes(part)[1]]
    return replace(part, weights=own if part.weights is None else own * part.weights)


def _classes(part: Dataset) -> tuple[tuple[str, ...], Tensor]:
    """The names of the classes, and the class of each sample [N]. Raises UserError where there are none."""
    if part.classes is None:
        raise UserError(
            f"data.class_weights are for classes, and {', '.join(part.target_names)} has numbers: "
            "model.loss=cross_entropy takes classes, and data.columns={weights: COLUMN} a weight for each "
            "sample"
        )
    return part.classes


def _of_mapping(given: Any, labels: tuple[str, ...]) -> Tensor:
    if not isinstance(given, Mapping):
        raise UserError(
            "data.class_weights is balanced, or classes with their weights such as "
            f"{{{told(labels[0]) or 'red'}: 2}}; got {given!r}"
        )
    weights = torch.ones(len(labels), dtype=torch.float64)
    for label, value in given.items():
        if str(label) not in labels:
            raise UserError(
                f"data.class_weights: there is no class {label!r}"
                + told(f"{nearest(str(label), labels)}; there are {', '.join(labels[:20])}")
            )
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < torch.inf:
            raise UserError(f"data.class_weights: the weight of {label} is 0 or more; got {value!r}")
        weights[labels.index(str(label))] = value
    if not bool(weights.any()):
        raise UserError("data.class_weights: every weight is 0, so there is nothing to learn")
    return weights
