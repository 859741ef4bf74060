"""Compiles what serves all formulas on the CPU, and keeps it: python -m packtrain.kernels.warm.

The first training and the first fit would take this time otherwise. The command compiles in two processes,
each what the other has no part of: Numba compiles one function at a time, and keeps an index of each.
"""

import subprocess
import sys

import numpy as np
import torch
from torch import Tensor

from .common import source_cache
from .descent.block import Batches, Block, Record, Runs, Shuffle
from .descent.numba.descent import NumbaDescent
from .descent.numba.gather import gather, gather_windows
from .descent.numba.sums import graph_sums
from .equations.optimizers import rule_of
from .expression import numba_kernel
from .language import Graph, parse
from .least_squares import Problem, Rules
from .least_squares.inference import infer
from .least_squares.numba_solver import NumbaSolver, best_candidates
from .least_squares.shared import SharedSolver
from .loss import loss_of
from .random import Purpose, epoch_keys
from .random.windows import Windows

LINE = parse("xy = a*x")
PLANE = parse("xy = a*x1 + b*x2")
CLASSES = parse("xp = a*x; xq = b*x")
FITS = "fits"  # the word that lets the command compile what fits need, alone


def main() -> None:
    """Runs every loop once."""
    _descents()
    _fits()


def _descents() -> None:
    """Runs the loops of trainings, for each type of numbers: float32, float64, and classes."""
    for dtype in (torch.float32, torch.float64):
        ones = torch.ones(1, 1, dtype=dtype)
        for graph, targets, loss in (
            (LINE, ones, "mse"),
            (CLASSES, torch.zeros(1, 1).long(), "cross_entropy"),
        ):
            _descend(graph, ones, targets, loss)
            numba_kernel.loss_and_gradient(graph, ones.expand(1, len(graph.parameters)), ones, targets, loss)
        pair = ones.expand(1, 2).contiguous()
        numba_kernel.loss_and_gradient(PLANE, pair, pair, ones, "mse")
        numba_kernel.predict(LINE, ones, ones)
    _tell()


def _descend(graph: Graph, inputs: Tensor, targets: Tensor, loss: str) -> None:
    """A step of one run, and the minibatch of an order."""
    ones = inputs.new_ones(1, len(graph.parameters))
    index = torch.zeros(1, dtype=torch.int64)
    data = Batches(inputs[None], targets[None])
    gather(inputs, targets, Shuffle(epoch_keys(index[0], Purpose.ORDER, 0, 1), 0, batch=1), 0, data)
    windows = Windows(
        index, index + 1, epoch_keys(index[0], Purpose.WINDOWS, 0, 1), index.new_tensor([0, 1]), index, index
    )
    gather_windows(inputs, targets, windows, 0, data)
    windows.samples(0, 1, 1)
    rule = rule_of("adam")
    constants = inputs.new_ones(1, 5)
    runs = Runs(ones, constants, ones[:, :0], index, index, index + 1, index.clone(), index == 0, None)
    record = Record(
        inputs.new_empty(2, 1),
        inputs.new_empty(2, 1),
        inputs.new_empty(2, 1, 0),
        index[:0],
        inputs[0].clone(),
    )
    descent = NumbaDescent(graph_sums(graph, loss_of(loss), inputs.dtype), rule, runs, record, 1)
    descent.advance(Block(0, data, inputs.new_ones(1, 3, 1), index), slice(0, 1))


def _fits() -> None:
    """Runs the loops of fits, alone and joint."""
    ones = torch.ones(1, 1, dtype=torch.float64)
    problem = Problem(ones, ones)
    rules = Rules.unbounded(problem, ones)
    given = LINE, problem, ones.clone(), rules, True
    everything = torch.ones(1, dtype=torch.bool), torch.zeros(1, dtype=torch.int64)
    for solver in (NumbaSolver(*given), SharedSolver(*given, *everything)):
        solver.advance(2)
        for _, linear in solver.solutions():
            infer(linear.root, rules.free)
    bound = torch.full((1,), torch.inf, dtype=torch.float64)
    best_candidates(LINE, problem, ones[None], np.array([True]), -bound, bound, 1)
    _tell()


def _tell() -> None:
    if problem := source_cache.untold():
        print(problem)


def _command(words: list[str]) -> int:
    """All of it in two processes, or with the word FITS a part of it -> the exit code.

    A process that is ended is so with the other.
    """
    if words == [FITS]:
        _fits()
        return 0
    with subprocess.Popen([sys.executable, "-m", "packtrain.kernels.warm", FITS]) as other:
        try:
            _descents()
        except BaseException:
            other.terminate()
            raise
    return other.returncode


if __name__ == "__main__":
    sys.exit(_command(sys.argv[1:]))
