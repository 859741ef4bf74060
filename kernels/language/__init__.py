"""Equations: text -> graph -> partial derivatives, and back to text."""

from .graph import ExpressionError, Graph
from .notes import notes
from .parse import parse

__all__ = ["ExpressionError", "Graph", "notes", "parse"]
