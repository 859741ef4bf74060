"""The checkpoint of a training that has ended, from what its worker kept: `resume` goes on from there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..config.checks import checkpoint_interval
from ..console.monitor import PART
from ..data.digest import digest
from ..finished import Finished
from ..folder.checkpoint import Checkpoints, Tell
from ..folder.curve_file import CurveFile
from ..folder.curves import joined
from ..folder.experiment import read_pack
from ..folder.places import CHECKPOINTS
from ..folder.resuming import ENGINE, NUMBERS, SAMPLES, Settings, settings_of
from .envelope import opened
from .worker.memory import Kept, Unusable
from .worker.memory import opened as kept_in


@dataclass(frozen=True)
class Remembered:
    """A part of a training that has ended."""

    memory: Mapping[str, Tensor]

    def restore(self, step: int, memory: Mapping[str, Tensor]) -> None:
        """It doesn't go on itself."""
        raise NotImplementedError


def write_checkpoint(finished: Finished, memory: Path, board: Mapping[str, Tensor], tell: Tell) -> None:
    """Writes the checkpoint that the command would have left, if its config asks for one.

    `memory` is the file that the worker sent, `board` what TensorBoard's files go on from. What can't be used
    is told.
    """
    pack = read_pack(finished.folder)
    every = checkpoint_interval(pack.config.checkpoint.every)
    if every is None:
        return
    try:
        kept = kept_in(*opened(memory.read_bytes()))
    except (Unusable, ValueError, KeyError) as error:
        tell(f"it has no checkpoint to go on from: {error}")
        return
    parts = [Remembered(kept.tensors), Remembered(_monitors(kept, board))]
    settings = settings_of(pack) | _done_by(finished)
    folder, keep = finished.folder / CHECKPOINTS, pack.config.checkpoint.keep
    with Checkpoints(folder, settings, parts, every, keep, tell) as checkpoints:
        checkpoints.save(kept.step, kept.seconds)


def _monitors(kept: Kept, board: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What the monitor of a command remembers: how many rows of curves are written, and that none waits."""
    empty = CurveFile(Path(), []).memory
    rows = torch.tensor(len(joined(kept.curves[0].blocks)))
    own = {**empty, "curves.rows": rows, **board}
    return {f"{PART}/{name}": part for name, part in own.items()}


def _done_by(finished: Finished) -> Settings:
    """What trained, and what on, as the command's checkpoint says."""
    result, data = finished.stored.result, finished.data
    inputs, targets = len(data.train.input_names), len(data.train.target_names)
    return {
        ENGINE: f"engine={result['engine']} by {result['backend']}",
        SAMPLES: f"{len(data.train)} samples of {inputs} inputs and {targets} targets",
        NUMBERS: digest(data),
    }
