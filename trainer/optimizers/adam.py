"""Adam, and AdamW with its decoupled weight decay."""

from collections.abc import Mapping

import torch
from torch import Tensor

from .base import Hyper, State, column


class Adam:
    """m <- b1 m + (1-b1) g;  v <- b2 v + (1-b2) g^2;  p <- p - lr m^ / (sqrt(v^) + eps).

    m^ and v^ are m / (1 - b1^t) and v / (1 - b2^t). Weight decay adds w p to g, as in torch.optim.Adam; where
    it is `decoupled`, it makes p <- (1 - lr w) p instead, as in torch.optim.AdamW.
    Kingma and Ba (2015); Loshchilov and Hutter (2019).
    """

    kind = "adam"

    def __init__(self, hyper: Hyper, like: Tensor, decoupled: bool = False) -> None:
        self.decoupled = decoupled
        self.betas = hyper("beta1"), hyper("beta2")
        self.decay = hyper("weight_decay")
        self.weight_decay = column(self.decay, like)
        self.gains = column(1 - self.betas[0], like), column(1 - self.betas[1], like)
        self.beta2 = column(self.betas[1], like)
        self.eps = column(hyper("eps"), like)
        added = torch.zeros_like(self.weight_decay) if decoupled else self.weight_decay
        self.constants = torch.cat([added, *self.gains, self.beta2, self.eps], 1)

    def start(self, parameters: Tensor) -> State:
        """m = v = 0, [R, P] each."""
        return {"m": torch.zeros_like(parameters), "v": torch.zeros_like(parameters)}

    def table(self, lr: Tensor, step: Tensor) -> Tensor:
        """lr / (1 - b1^t), sqrt(1 - b2^t) and, where decay is decoupled, 1 - lr w: [S, 3, R]."""
        t = step[:, None] + 1
        corrections = [1 - power(beta, t) for beta in self.betas]
        shrink = 1 - lr * self.decay if self.decoupled else torch.ones_like(lr)
        return torch.stack([lr / corrections[0], corrections[1].sqrt(), shrink], 1)

    def update(
        self, parameters: Tensor, gradient: Tensor, state: Mapping[str, Tensor], now: Tensor
    ) -> tuple[Tensor, State]:
        """See the class."""
        rate, root, shrink = now
        if self.decoupled:
            parameters = parameters * shrink
        else:
            gradient = gradient + self.weight_decay * parameters
        m = state["m"] + self.gains[0] * (gradient - state["m"])
        v = self.beta2 * state["v"] + self.gains[1] * gradient * gradient
        return parameters - rate * m / (v.sqrt() / root + self.eps), {"m": m, "v": v}


def adamw(hyper: Hyper, like: Tensor) -> Adam:
    """AdamW: Adam with decoupled weight decay.

    >>> import torch
    >>> from packtrain.trainer.optimizers.adam import adamw
    >>> values = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.1}
    >>> rule = adamw(lambda name: torch.tensor([values[name]], dtype=torch.float64), torch.ones(1, 2))
    >>> rule.table(lr=torch.tensor([[0.5]]), step=torch.tensor([0]))[0, 2].item()  # 1 - lr w
    0.95
    """
    return Adam(hyper, like, decoupled=True)


def power(base: Tensor, exponent: Tensor) -> Tensor:
    """base^n for whole n, by squaring: base [R], exponent [S, 1] -> [S, R].

    Products alone round alike wherever a number stands in a tensor; torch.pow does not.

    >>> import torch
    >>> from packtrain.trainer.optimizers.adam import power
    >>> power(torch.tensor([2.0, 3.0]), torch.tensor([[0], [5]])).tolist()
    [[1.0, 1.0], [32.0, 243.0]]
    """
    result, square = torch.ones_like(exponent * base), base
    for bit in range(int(exponent.max()).bit_length()):
        result = torch.where(exponent >> bit & 1 > 0, result * square, result)
        square = square * square
    return result
