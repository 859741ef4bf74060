"""Trainings of every kind that are resumed from a checkpoint, in the middle of an epoch and at its end.

Each dies once the checkpoint of one step is written, and is resumed from its folder alone; it must leave
what an uninterrupted one leaves, bit for bit.
"""

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from rich.console import Console

from packtrain.trainer.config.pack import Pack
from packtrain.trainer.console.training import run
from packtrain.trainer.folder.checkpoint import Checkpoints
from packtrain.trainer.folder.seconds import Seconds
from scripts.common.engines import pack_of
from scripts.trust.leavings import left_in

MODELS = {"graph": ("experiment=primer", "optimizer.lr=1e-4"), "MLP": ("experiment=gaussians",)}
ORDERS = {"shuffled": "shared", "each run's own": "own", "sequential": "sequential"}
NOISE = "data.noise=0", "data.noise=0.1"
SCHEDULES = "constant", "linear_warmup schedule.warmup_steps=10", "cosine"
OPTIMIZERS = "sgd optimizer.momentum=0.9", "adam", "adamw optimizer.weight_decay=0.1"
ENGINES = "step compute.backend=reference", "fused compute.backend=numba"
COMMON = (
    "data.size=100", "data.validation=0.2", "loop.batch_size=20", "loop.steps=20", "monitor.every=1",
    "monitor.validate_every=7", "monitor.progress=false", "monitor.pictures=false", "compute.device=cpu",
    'pack.over={seed: "0,1"}',
)  # fmt: skip
PLACES = 6, 8  # the middle and the end of an epoch, which has four steps
FITS = (
    "experiment=danwood", "compute.precision=fp64", "monitor.every=1", "monitor.progress=false",
    "pack.over={model.initial.b1: '1,40,0.5,0.77'}", "compute.device=cpu",
)  # fmt: skip


class DiedError(Exception):
    """Ends a training as a crash does."""


def figures() -> dict[str, object]:
    """Every combination, dying at each of PLACES."""
    commands = list(all_commands())
    faults = [fault for command in commands for fault in faults_of(command)]
    return {
        "trainings: model x order x noise x optimizer x schedule x engine, and fits": len(commands),
        "resumed, in the middle and at the end of an epoch": len(PLACES) * len(commands),
        "not as uninterrupted": len(faults),
        **{f"fault {i}": fault for i, fault in enumerate(faults[:5])},
    }


def all_commands() -> Iterator[tuple[str, ...]]:
    """The command lines: all combinations of first-order trainings, and the fits."""
    for model, order, noise, *choices in itertools.product(
        MODELS, ORDERS.values(), NOISE, OPTIMIZERS, SCHEDULES, ENGINES
    ):
        groups = zip(("optimizer", "schedule", "engine"), choices, strict=True)
        words = [word for group, choice in groups for word in f"{group}={choice}".split()]
        if model == "graph" or noise == NOISE[0]:  # the MLP's data are random by themselves
            more = [noise] if model == "graph" else []
            yield *MODELS[model], *COMMON, *words, f"loop.order={order}", *more
    for backend, optimizer in itertools.product(
        ("reference", "numba"), ("levenberg_marquardt", "gauss_newton")
    ):
        yield *FITS, f"compute.backend={backend}", f"optimizer={optimizer}"


def faults_of(command: Sequence[str]) -> list[str]:
    """The places where a training that dies, and is resumed, doesn't end as one that doesn't die."""
    with TemporaryDirectory() as base:
        whole = Path(base) / "whole"
        _train(pack_of(*command), whole)
        expected = left_in(whole)
        folders = {place: Path(base) / str(place) for place in PLACES}
        return [
            f"{' '.join(command)} at {place}"
            for place, folder in folders.items()
            if not _is_resumed(command, place, folder) or left_in(folder) != expected
        ]


def _is_resumed(command: Sequence[str], place: int, folder: Path) -> bool:
    """Trains into `folder`, dies at step `place` and trains again -> whether that went on from there."""
    pack = pack_of(*command, f"checkpoint.every={place}")
    with patch.object(Checkpoints, "save_if_due", _dying_at(place)):
        try:
            _train(pack, folder)
        except DiedError:
            return f"going on from step {place}" in _train(pack, folder)
    return False


def _train(pack: Pack, folder: Path) -> str:
    """Trains into `folder` -> what that prints."""
    output = io.StringIO()
    run(pack, folder, Console(file=output))
    return output.getvalue()


def _dying_at(at: int) -> Callable[[Checkpoints, int, Seconds], None]:
    """A save_if_due that dies after the save at step `at`."""
    save_if_due = Checkpoints.save_if_due

    def save_and_die(checkpoints: Checkpoints, step: int, seconds: Seconds) -> None:
        save_if_due(checkpoints, step, seconds)
        if step == at:
            raise DiedError

    return save_and_die
