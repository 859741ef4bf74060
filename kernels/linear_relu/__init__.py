"""Linear layers with ReLU, for R runs at once."""

from .function import linear, linear_relu, linear_relu_chain

__all__ = ["linear", "linear_relu", "linear_relu_chain"]
