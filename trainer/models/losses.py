"""config.model.loss and its constants -> the loss of a pack."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ...kernels.equations.losses import SMOOTHING, Loss, loss_of
from ..config.pack import Pack
from ..config.schema import ModelConfig

CONSTANTS = "model.loss_constants."


def configured_loss(config: ModelConfig, weighted: bool = False, varied: Mapping[str, object] = {}) -> Loss:
    """The loss that a config names; `varied` are the fields that differ between the runs.

    >>> from packtrain.trainer.config.schema import ModelConfig
    >>> from packtrain.trainer.models.losses import configured_loss
    >>> config = ModelConfig("mlp", loss="cross_entropy", loss_constants={"label_smoothing": 0.1})
    >>> configured_loss(config).constants
    ('label_smoothing',)
    """
    smoothed = SMOOTHING in config.loss_constants or CONSTANTS + SMOOTHING in varied
    return loss_of(config.loss, smoothed, weighted)


def constants_in_runs(pack: Pack, loss: Loss, like: Tensor) -> Tensor:
    """The constants of the loss in each run, [R, C], with the dtype and device of `like`.

    >>> import torch
    >>> from packtrain.trainer.config.pack import Pack
    >>> from packtrain.trainer.config.schema import Config, ModelConfig
    >>> from packtrain.trainer.models.losses import configured_loss, constants_in_runs
    >>> config = Config(model=ModelConfig("mlp", loss="huber"))
    >>> pack = Pack(config, {"model.loss_constants.delta": [1.0, 2.0]}, 2)
    >>> constants_in_runs(pack, configured_loss(config.model), torch.zeros(2, 5))
    tensor([[1.],
            [2.]])
    """
    given = {**loss.defaults, **pack.config.model.loss_constants}
    columns = [pack.over.get(CONSTANTS + word, [given.get(word)] * pack.runs) for word in loss.constants]
    values = torch.tensor(columns, dtype=torch.float64).view(len(columns), pack.runs)
    return values.T.to(like.device, like.dtype).contiguous()
