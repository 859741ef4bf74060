"""The constants of a pack's loss."""

import torch
from torch import Tensor

from ...kernels.equations.losses import Loss
from ..config.equations import LOSS_CONSTANTS
from ..config.pack import Pack


def constants_in_runs(pack: Pack, loss: Loss, like: Tensor) -> Tensor:
    """The constants of the loss in each run, [R, C], with the dtype and device of `like`.

    >>> import torch
    >>> from packtrain.trainer.config.pack import Pack
    >>> from packtrain.trainer.config.schema import Config, ModelConfig
    >>> from packtrain.trainer.config.equations import loss_in
    >>> from packtrain.trainer.models.losses import constants_in_runs
    >>> config = Config(model=ModelConfig("mlp", loss="huber"))
    >>> pack = Pack(config, {"model.loss_constants.delta": [1.0, 2.0]}, 2)
    >>> constants_in_runs(pack, loss_in(config.model), torch.zeros(2, 5))
    tensor([[1.],
            [2.]])
    """
    given = {**loss.defaults, **pack.config.model.loss_constants}
    columns = [pack.over.get(LOSS_CONSTANTS + word, [given.get(word)] * pack.runs) for word in loss.constants]
    values = torch.tensor(columns, dtype=torch.float64).view(len(columns), pack.runs)
    return values.T.to(like.device, like.dtype).contiguous()
