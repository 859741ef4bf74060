"""The definition of quantization to 8 bits."""

from torch import Tensor


def quantize_reference(x: Tensor) -> tuple[Tensor, Tensor]:
    """(q, e): q = x as a saturating cast to uint8 and back leaves it, e = x - q. Any shape; NaN stays NaN."""
    quantized = x.clamp(0, 255).trunc()
    return quantized, x - quantized
