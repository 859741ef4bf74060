"""The uint8 cast that keeps its rounding error and adds it to the gradient."""

from .function import QuantizeFunction, quantize

__all__ = ["QuantizeFunction", "quantize"]
