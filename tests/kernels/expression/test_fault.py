"""Where an equation isn't finite."""

import torch

from packtrain.kernels.expression.fault import first_fault
from packtrain.kernels.language import parse


def test_a_part_without_end_is_shown_by_its_beginning() -> None:
    """Written out, it would double with each equation."""
    halves = [f"x{i + 1} = x{i} - x{i}/2" for i in range(60)]
    graph = parse(["x0 = a*x", *halves, "y = log(-x60^2)"])
    fault = first_fault(graph, torch.ones(1), torch.ones(1, 1))
    assert fault is not None and str(fault) == "y = log(-7.523e-37) is not a number"
