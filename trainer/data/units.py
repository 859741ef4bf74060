"""Columns in units of their own, and scaled to mean 0 and standard deviation 1: there and back."""

from torch import Tensor


def scaled(values: Tensor, mean: Tensor | None, std: Tensor | None) -> Tensor:
    """(v - mean) / std, column by column of [..., K]; without scales the values as they are.

    >>> import torch
    >>> from packtrain.trainer.data.units import scaled
    >>> scaled(torch.tensor([[3.0], [5.0]]), torch.tensor([1.0]), torch.tensor([2.0])).tolist()
    [[1.0], [2.0]]
    """
    return values if mean is None or std is None else (values - mean) / std


def in_units(values: Tensor, mean: Tensor | None, std: Tensor | None) -> Tensor:
    """v * std + mean, column by column of [..., K], in float64; without scales the values as they are.

    >>> import torch
    >>> from packtrain.trainer.data.units import in_units
    >>> in_units(torch.tensor([[1.0], [2.0]]), torch.tensor([1.0]), torch.tensor([2.0])).tolist()
    [[3.0], [5.0]]
    """
    if mean is None or std is None:
        return values
    return values.double() * std.to(values.device) + mean.to(values.device)
