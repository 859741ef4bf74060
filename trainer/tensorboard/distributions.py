"""What TensorBoard shows of a training beside curves: histograms, and precision-recall curves."""

from ..engines.base import History
from ..folder.result import Result
from ..session import Session
from .board import Board
from .layers import Layers
from .losses import Losses
from .precision_recall import pr_curves
from .shelf import MOST_SHOWN


class Distributions:
    """Hands to a `board` the histograms of an MLP's weights and gradients, and of the losses of many runs.

    At the end there are the precision-recall curves of what says yes or no.
    """

    def __init__(self, session: Session, board: Board) -> None:
        self.board = board
        pack, steps = session.pack, int(session.engine.steps.max())
        self.layers = Layers(session, board.add_of_run)
        self.losses = Losses(pack.runs, steps, pack.config.monitor.every, board.add_summary)

    def next(self, step: int) -> int:
        """The step after `step` that a slice of steps has to end at."""
        return self.layers.next(step)

    def begin(self) -> None:
        """Adds those of the starting values."""
        self.layers.record()

    def record(self, history: History) -> None:
        """Adds those of a slice of steps."""
        self.losses.record(history)
        self.layers.record()

    def end(self) -> None:
        """Adds those of the last weights."""
        self.layers.end()

    def add_results(self, result: Result) -> None:
        """Adds what there is of results: of few runs, or of the best."""
        self.layers.add_best(result)
        best = [] if result.best_run is None else [result.best_run]
        for run in range(result.pack.runs) if result.pack.runs <= MOST_SHOWN else best:
            for curve in pr_curves(result, run):
                self.board.add_of_run(run, curve, result.rows[run]["steps"])
