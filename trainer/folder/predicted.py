"""What a model's outputs mean: numbers, classes with their probabilities, and the columns that tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...kernels.common.errors import UserError
from ...kernels.equations.losses import BINARY, Loss
from ..models.metrics import LINKS, predicted_classes

PREDICTED, PROBABILITY = "predicted.", "probability."  # columns
CLASS = "class"  # where nobody knows the name of the column that classes are of


@dataclass(frozen=True)
class Meaning:
    """What outputs [..., T] with these `targets` mean: of classes the column `label`, else numbers.

    `one_hot`: an output a class, with another loss than cross_entropy.
    """

    loss: Loss
    targets: Sequence[str]
    label: str = ""
    one_hot: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, of which one is right; none of numbers, and where each output says yes or no."""
        if self.loss.of_classes or self.one_hot:
            return tuple(self.targets)
        return ("0", "1") if self._is_binary and len(self.targets) == 1 else ()

    @property
    def _is_binary(self) -> bool:
        return self.loss.name == BINARY

    def probabilities(self, outputs: Tensor) -> Tensor:
        """The probability of each label [..., K] in float64; of several yes or no, that of each yes [..., T].

        Raises UserError where outputs are no logits.

        >>> import torch
        >>> from packtrain.kernels.loss import loss_of
        >>> meaning = Meaning(loss_of("cross_entropy"), ["no", "yes"])
        >>> meaning.probabilities(torch.tensor([[0.0, 0.0]])).tolist()
        [[0.5, 0.5]]
        """
        if self.loss.of_classes:
            return outputs.double().softmax(-1)
        if not self._is_binary:
            raise UserError(
                f"model.loss={self.loss.name} has no probabilities; cross_entropy has one a class, "
                f"and {BINARY} one an output"
            )
        yes = outputs.double().sigmoid()
        return torch.cat([1 - yes, yes], -1) if self.labels else yes

    def classes(self, outputs: Tensor) -> np.ndarray:
        """The label of each sample [...]. Raises UserError of numbers, and of several yes or no.

        >>> import torch
        >>> from packtrain.kernels.loss import loss_of
        >>> Meaning(loss_of("cross_entropy"), ["no", "yes"]).classes(torch.tensor([[0.0, 2.0]])).tolist()
        ['yes']
        """
        if not self.labels:
            raise UserError(f"model.loss={self.loss.name} predicts {', '.join(self.targets)}, and no classes")
        of_runs = outputs if outputs.dim() == 3 else outputs[None]
        index = predicted_classes(of_runs).view(outputs.shape[:-1])
        return np.array(self.labels)[index.cpu().numpy()]

    def columns(self, outputs: Tensor) -> Mapping[str, np.ndarray]:
        """What outputs [B, T] predict, by columns: predicted.NAME, and of logits probability.NAME.

        >>> import torch
        >>> from packtrain.kernels.loss import loss_of
        >>> Meaning(loss_of("mse"), ["y"]).columns(torch.tensor([[1.5]]))
        {'predicted.y': array([1.5], dtype=float32)}
        """
        if not self.labels and not self._is_binary:
            values = LINKS[self.loss.name](outputs.double()) if self.loss.name in LINKS else outputs
            return _named(PREDICTED, self.targets, values)
        label = self.label or (CLASS if len(self.targets) > 1 else self.targets[0])
        columns = {f"{PREDICTED}{label}": self.classes(outputs)} if self.labels else {}
        if not self.labels:
            columns = _named(PREDICTED, self.targets, (outputs > 0).long())
        return columns | self.of_probabilities(outputs)

    def of_probabilities(self, outputs: Tensor) -> dict[str, np.ndarray]:
        """The columns probability.NAME of outputs [B, T], none where they are no logits.

        >>> import torch
        >>> from packtrain.kernels.loss import loss_of
        >>> Meaning(loss_of("mse"), ["a", "b"], one_hot=True).of_probabilities(torch.ones(1, 2))
        {}
        """
        if not (self.loss.of_classes or self._is_binary):
            return {}
        return _named(PROBABILITY, self.labels or self.targets, self.probabilities(outputs))


def _named(prefix: str, names: Sequence[str], values: Tensor) -> dict[str, np.ndarray]:
    array = values.cpu().numpy()
    return {f"{prefix}{name}": array[:, place] for place, name in enumerate(names)}
