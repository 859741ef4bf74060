"""Graphs and MLPs as diagrams: boxes in columns and wires from left to right, and their SVG."""

from .diagram import Diagram
from .draw import draw
from .drawing import Drawing
from .equations import graph_diagram
from .perceptron import perceptron_diagram
from .svg import svg

__all__ = ["Diagram", "Drawing", "draw", "graph_diagram", "perceptron_diagram", "svg"]
