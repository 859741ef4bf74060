"""Equations: text -> graph -> partial derivatives, and back to text."""

from .caret import ExpressionError
from .graph import Graph
from .notes import notes
from .parse import parse

__all__ = ["ExpressionError", "Graph", "notes", "parse"]
