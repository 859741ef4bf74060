"""The cast to uint8 whose rounding error is added to the gradient, or dropped."""

from .function import QuantizeFunction, quantize

__all__ = ["QuantizeFunction", "quantize"]
