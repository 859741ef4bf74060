"""Histograms of a pack's losses over its runs, while they train."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

from collections.abc import Callable

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary

from ..engines.base import History
from .histogram import histogram, spacing

FEWEST = 9  # runs
TAG = "runs/log10 of loss.train"


class Losses:
    """Writes histograms of the training losses of `runs` runs, by `add`, at some of the recorded steps.

    Counted are runs that still train, by the logarithm of their loss: losses are spread over powers of ten.
    `steps` are the most that a run takes, of which every `every`th is recorded.
    """

    def __init__(self, runs: int, steps: int, every: int, add: Callable[[Summary, int], None]) -> None:
        self.follows, self.every, self.add = runs >= FEWEST, spacing(steps, every), add

    def record(self, history: History) -> None:
        """Adds those of the recorded steps that are due."""
        due = [place for place, step in enumerate(history.steps) if step % self.every == 0]
        if not self.follows or not due:
            return
        losses = history.loss[due].double().cpu().numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            powers = np.log10(losses)
        for place, values in zip(due, powers, strict=True):
            summary = histogram(TAG, values)
            if summary is not None:
                self.add(summary, history.steps[place])
