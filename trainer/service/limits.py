"""How much a request may ask for, and the sentences of what is more."""

import re
from dataclasses import dataclass
from itertools import pairwise

from ...kernels.common.errors import UserError
from ...kernels.equations.optimizers import OPTIMIZERS
from .jobs import Asked


@dataclass(frozen=True)
class Limits:
    """What one request, and one user, may take of the server.

    Jobs of one user that are `waiting`, and `runs` of a job; jobs of a sweep (`jobs`), and of a `batch`;
    bytes of a `body`, of what a worker sends (`sent`), and of a file of data (`data`); event streams that are
    open (`listeners`), and events that are in memory for them (`buffer`); requests that wait to be checked
    (`pending`); seconds of a long poll (`wait`), and until one who asks too much may ask again
    (`retry_after`). How long overrides may be, request_rules says.
    """

    waiting: int = 50_000
    runs: int = 1 << 16
    body: int = 8 << 20
    sent: int = 1 << 30
    data: int = 4 << 30
    jobs: int = 1_000
    batch: int = 1_000
    listeners: int = 1_000
    buffer: int = 1_000
    pending: int = 1_000
    wait: float = 60.0
    retry_after: float = 5.0

    def check_batch(self, requests: int) -> None:
        """Raises UserError for a batch of none, or of too many.

        >>> Limits().check_batch(0)
        Traceback (most recent call last):
        packtrain.kernels.common.errors.UserError: a batch has from 1 to 1,000 requests; got 0
        """
        if not 1 <= requests <= self.batch:
            raise UserError(f"a batch has from 1 to {self.batch:,} requests; got {requests:,}")

    def check_runs(self, runs: int) -> None:
        """Raises UserError for a job of too many runs.

        >>> Limits(runs=100).check_runs(128)
        Traceback (most recent call last):
        packtrain...UserError: a job has at most 100 runs here, and this one has 128: ...
        """
        if runs > self.runs:
            raise UserError(
                f"a job has at most {self.runs:,} runs here, and this one has {runs:,}: "
                "several jobs share packs by themselves"
            )

    def check_jobs(self, jobs: int) -> None:
        """Raises UserError for a sweep of too many jobs.

        >>> Limits(jobs=10).check_jobs(11)
        Traceback (most recent call last):
        packtrain...UserError: a sweep has at most 10 jobs here, and this one has more: ...
        """
        if jobs > self.jobs:
            raise UserError(
                f"a sweep has at most {self.jobs:,} jobs here, and this one has more: submit it in parts"
            )


def check_memory(asked: Asked, memory: int | None) -> None:
    """Raises UserError for a job that no device has the `memory` (bytes) for; None where that isn't known.

    >>> model = {"kind": "mlp", "widths": [1000, 1000, 10]}
    >>> base = {"model": model, "optimizer": {"kind": "adam"}, "compute": {"precision": "fp32"}}
    >>> check_memory(Asked([], "digits", "", base, {}, {}, 1000), 8 << 30)
    Traceback (most recent call last):
    packtrain...UserError: 1,000 runs of 1,011,010 parameters take at least 16.2 GB, and no device here ...
    """
    if memory is not None and (least := least_bytes(asked)) > memory:
        what = f"{asked.runs:,} runs of {parameters(asked):,} parameters"
        raise UserError(
            f"{what} take at least {least / 1e9:.1f} GB, and no device here has more than "
            f"{memory / 1e9:.1f}: submit fewer runs at once"
        )


def least_bytes(asked: Asked) -> int:
    """What its parameters, their gradients and the optimizer's state take at least: data come to it.

    >>> model = {"kind": "mlp", "widths": [10, 20, 1]}
    >>> base = {"model": model, "optimizer": {"kind": "sgd"}, "compute": {"precision": "fp64"}}
    >>> least_bytes(Asked([], "run", "", base, {}, {}, 4)) == 4 * 241 * 3 * 8
    True
    """
    lines = [line.split(" = ") for line in OPTIMIZERS.get(asked.base["optimizer"]["kind"], ())]
    states = [name for name, value in lines if name not in "pg" and re.search(rf"\b{name}\b", value)]
    size = 8 if asked.base["compute"]["precision"] == "fp64" else 4
    return asked.runs * parameters(asked) * (2 + len(states)) * size


def parameters(asked: Asked) -> int:
    """The parameters of one run, as far as that can be said without data.

    >>> parameters(Asked([], "", "", {"model": {"kind": "mlp", "widths": [10, 20, 1]}}, {}, {}, 1))
    241
    """
    model = asked.base["model"]
    if model["kind"] != "mlp":
        return 1 + len(asked.fields.get("model.initial") or ())
    widths = model["widths"] or []
    return sum((width + 1) * following for width, following in pairwise(widths))
