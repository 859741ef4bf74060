"""The engine of joint fits: groups that share parameters (model.shared), fitted together."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ...kernels.least_squares import CONVERGED, Rules, Solver, Status, together
from .least_squares import LeastSquaresEngine
from .outcome import Ending
from .pooled import Joint
from .rows import Row, Rows, numbers

LEFT_OUT = "; the other groups were fitted without it"


def start_together(parameters: Tensor, shared: Tensor, joint: Tensor, used: Tensor) -> None:
    """Sets the `shared` columns [P] of parameters [R, P] to the median in each `joint` fit of those `used`.

    >>> import torch
    >>> from packtrain.trainer.engines.shared import start_together
    >>> p = torch.tensor([[1.0, 2.0], [1.0, 9.0], [5.0, 4.0]])
    >>> all_of_them = torch.ones(3, dtype=torch.bool)
    >>> start_together(p, torch.tensor([False, True]), torch.tensor([0, 0, 0]), all_of_them)
    >>> p.tolist()
    [[1.0, 4.0], [1.0, 4.0], [5.0, 4.0]]
    """
    for number in joint.unique().tolist():
        runs = joint == number
        some = runs & used if bool((runs & used).any()) else runs
        start = parameters[some][:, shared].nanmedian(0).values
        parameters[runs[:, None] & shared] = start.repeat(int(runs.sum()))


class JointSolver(Solver, Protocol):
    """A Solver of joint fits, as SharedSolver is."""

    shared: Tensor
    joint: Tensor

    @property
    def shared_rank(self) -> Tensor:
        """How many directions of the shared parameters the data determine: [R]."""
        ...


class SharedEngine(LeastSquaresEngine):
    """As LeastSquaresEngine, of runs of which some are one joint fit, by a JointSolver.

    A joint fit has one status. Groups that are of no use are left out of it, and end with one of their own.
    """

    solver: JointSolver  # pyright: ignore[reportIncompatibleVariableOverride] (it is never another)

    @property
    def joint(self) -> Joint:
        """Which runs are one fit."""
        return Joint(self.solver.joint.numpy(), self.solver.shared_rank.numpy())

    def _look_again(self, runs: Tensor) -> None:
        """As there, but along the local parameters alone; what one group finds holds of all of its fit."""
        converged = runs[torch.isin(self.status[runs], torch.tensor(CONVERGED))]
        for some in converged.split(together(self.problem, self.model.parameters.shape[1])):
            self._look_beside(some[self._silent[some].any(1)])
            self._look_down(some)
        fallen = self.solver.joint[converged[self.status[converged] == Status.SADDLE]]
        self.status[converged[torch.isin(self.solver.joint[converged], fallen)]] = Status.SADDLE

    def _limits(self, runs: Tensor) -> Rules:
        rules = self.rules.of(runs)
        return replace(rules, free=rules.free & ~self.solver.shared)

    @property
    def _silent(self) -> Tensor:
        return super()._silent & ~self.solver.shared

    def endings(self, reason: str, pruned: str = "") -> list[Ending]:
        """How each run ended."""
        endings = super().endings(reason, pruned)
        for run in self.data.faults:
            endings[run] = replace(endings[run], reason=endings[run].reason + LEFT_OUT)
        return endings

    def _explanation(self, run: int, status: Status) -> str:
        if status == Status.NOT_FINITE:
            return super()._explanation(run, status) + LEFT_OUT
        if status == Status.SADDLE:
            together = (self.solver.joint == self.solver.joint[run]).nonzero()[:, 0]
            silent = together[self._silent[together].any(1)].tolist()
            return super()._explanation(silent[0] if silent else run, status)
        return super()._explanation(run, status)

    def _further_on(self) -> dict[int, str]:
        return {}

    def report(self, rows: Rows) -> Row:
        """Adds the report of each run to its row, and returns that of the best joint fit, as joint_fit."""
        fits = super().report(rows)
        return fits | joint_report(self.separate(rows), self._shared_names)

    @property
    def _shared_names(self) -> list[str]:
        return [name for name, column in self.model.scalars.items() if bool(self.solver.shared[column])]

    def separate(self, rows: Rows) -> Sequence[Row]:
        """A row for each joint fit: its first run that is of use, with the sums over its groups."""
        joint, used = self.solver.joint.numpy(), (self.status != Status.NOT_FINITE).numpy()
        loss, rss = numbers(rows, "loss", "train", "last"), numbers(rows, "fit", "rss")
        return [
            _joint_row(rows, np.flatnonzero(joint == number), used, loss, rss, self._shared_names)
            for number in range(joint.max() + 1)
        ]


def _joint_row(
    rows: Rows, runs: np.ndarray, used: np.ndarray, loss: np.ndarray, rss: np.ndarray, names: list[str]
) -> Row:
    some = runs[used[runs]]
    first = rows[int((some if len(some) else runs)[0])]
    return first | {
        "fit": first["fit"] | {"rss": float(rss[some].sum()) if len(some) else math.nan},
        "loss": {"train": {"last": float(loss[some].sum()) if len(some) else math.nan}},
        "parameters": {name: first["parameters"][name] for name in names},
        "groups": len(some),
        "left_out": len(runs) - len(some),
    }


def joint_report(fits: Sequence[Row], names: Sequence[str]) -> Row:
    """Of the best joint fit, the least sum of squares of those that converged: `shared`, and `joint_fit`.

    >>> about = {"value": 2.0, "stderr": 0.5, "ci95": [1.0, 3.0]}
    >>> fit = {"criterion": "cost", "rss": 3.0, "residual_std": 0.5, "degrees_of_freedom": 12}
    >>> row = {"index": 0, "values": {}, "fit": fit, "parameters": {"k": about}, "groups": 4, "left_out": 1}
    >>> report = joint_report([row], ["k"])
    >>> report["shared"]["k"]["value"], report["joint_fit"]["groups"], report["joint_fit"]["rss"]
    (2.0, 4, 3.0)
    """
    good = {status.name.lower() for status in CONVERGED}
    usable = [row for row in fits if row["groups"]]
    if not usable:
        return {}
    best = min(usable, key=lambda row: (row["fit"]["criterion"] not in good, row["fit"]["rss"]))
    about = ("criterion", "rss", "residual_std", "degrees_of_freedom")
    return {
        "shared": {name: best["parameters"][name] for name in names},
        "joint_fit": {
            "fits": len(fits),
            "run": best["index"],
            "groups": best["groups"],
            "left_out": best["left_out"],
            **{key: best["fit"][key] for key in about},
        },
    }
