"""How much a request may ask for, and the sentences of what is more."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...kernels.common.errors import UserError
from ...kernels.equations.optimizers import OPTIMIZERS
from .jobs import Asked


@dataclass(frozen=True)
class Limits:
    """What one request, and one user, may take of the server.

    Bytes of a `body`, and of what a worker sends or of a file of data (`large`); overrides of a job (`words`)
    and characters of one (`word`); `runs` of a job; `jobs` of a sweep, and of a `batch`; jobs of one user
    that are `waiting`; event streams that are open (`listeners`), and events that wait in one (`buffer`);
    seconds of a long poll (`wait`) and until one who sends too much may try again (`retry_after`).
    """

    body: int = 8 << 20
    large: int = 4 << 30
    words: int = 1_000
    word: int = 1 << 20
    runs: int = 1 << 16
    jobs: int = 1_000
    batch: int = 1_000
    waiting: int = 50_000
    listeners: int = 1_000
    buffer: int = 1_000
    wait: float = 60.0
    retry_after: int = 10

    def check_words(self, overrides: Sequence[str]) -> None:
        """Raises UserError for too many overrides, and for one that is too long.

        >>> Limits(word=8).check_words(["seed=123456"])
        Traceback (most recent call last):
        packtrain...UserError: an override has at most 8 characters here; got 11: seed=123...
        """
        if len(overrides) > self.words:
            raise UserError(f"a job has at most {self.words:,} overrides here; got {len(overrides):,}")
        for word in overrides:
            if len(word) > self.word:
                start = word[: min(self.word, 40)]
                raise UserError(
                    f"an override has at most {self.word:,} characters here; got {len(word):,}: {start}..."
                )

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
        raise UserError(
            f"{asked.runs:,} runs of {parameters(asked):,} parameters take at least {least / 1e9:.1f} GB, and "
            f"no device here has more than {memory / 1e9:.1f}: submit fewer runs at once"
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
