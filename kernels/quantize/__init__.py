"""The cast to uint8 whose rounding error is added to the gradient."""

from .function import QuantizeFunction, quantize

__all__ = ["QuantizeFunction", "quantize"]
