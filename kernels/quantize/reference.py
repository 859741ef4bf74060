"""The definition of quantization to 8 bits."""

from torch import Tensor


def quantize_reference(x: Tensor) -> tuple[Tensor, Tensor]:
    """(q, e): q = x after a saturating cast to uint8 and back, e = x - q. Any shape; NaN stays NaN.

    >>> import torch
    >>> from packtrain.kernels.quantize.reference import quantize_reference
    >>> [part.tolist() for part in quantize_reference(torch.tensor([2.75, -1.0, 300.0]))]
    [[2.0, 0.0, 255.0], [0.75, -1.0, 45.0]]
    """
    quantized = x.clamp(0, 255).trunc()
    return quantized, x - quantized
