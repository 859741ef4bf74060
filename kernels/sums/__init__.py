"""Sums whose order depends on the number of their terms alone."""

from .function import sum_in_order

__all__ = ["sum_in_order"]
