"""Dropout by the stateless generator: a mask is a function of (seed, step, layer, sample, feature)."""

from .function import Dropout, dropout

__all__ = ["Dropout", "dropout"]
