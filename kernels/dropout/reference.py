"""The definition of dropout's masks."""

import torch
from torch import Tensor

from ..random import pair_words


def mask_reference(keys: Tensor, rates: Tensor, scales: Tensor, samples: int, features: int) -> Tensor:
    """scale where a number is kept, else 0, for each sample n and feature o: [R, samples, features].

    keys [R, 2] are those of pair_keys; it is kept where (word(n, o) >> 8) 2^-24 >= rate, in the dtype of
    rates [R] and scales [R], which hold that number exactly.

    >>> import torch
    >>> from packtrain.kernels.dropout.reference import mask_reference
    >>> half = torch.tensor([0.5])
    >>> mask_reference(torch.tensor([[1, 2]]), half, 1 / half, 2, 4).tolist()
    [[[2.0, 0.0, 2.0, 2.0], [0.0, 0.0, 0.0, 2.0]]]
    """
    first, second = (torch.arange(size, device=keys.device) for size in (samples, features))
    drawn = (pair_words(keys, first, second) >> 8).to(rates.dtype) * 2.0**-24
    return torch.where(drawn >= rates[:, None, None], scales[:, None, None], 0.0)
