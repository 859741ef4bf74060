"""What jobs need to go on, bit for bit: checkpoints of packs, and what a job leaves for `continue`."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import torch
from safetensors.numpy import save
from safetensors.torch import load
from torch import Tensor

from packtrain import __version__

from ...data.dataset import Data
from ...folder.curves import decoded, encoded, joined
from ...folder.recording import Recording
from ...folder.seconds import Seconds
from ..packs import LivePack, Work

FORMAT = 1
TENSORS, CURVES = "memory.safetensors", "curves.arrow"


class Unusable(ValueError):
    """A checkpoint that is damaged, or of another version; says why."""


@dataclass(frozen=True, eq=False)
class Kept:
    """Copies of all that jobs' runs need after `step` steps: `tensors`, job after job, and `curves` of each.

    `runs` says how many rows are whose. `whole` is the memory of a pack of one job, of rows of runs or not.
    """

    jobs: list[int]
    runs: list[int]
    step: int
    seconds: Seconds
    tensors: dict[str, Tensor]
    curves: list[Recording]
    whole: bool = False

    def sealed(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The header and the files of a checkpoint."""
        about = {
            "format": FORMAT,
            "version": __version__,
            "jobs": self.jobs,
            "runs": self.runs,
            "step": self.step,
            "seconds": asdict(self.seconds),
            "whole": self.whole,
        }
        tensors = {name: tensor.cpu().contiguous().numpy() for name, tensor in self.tensors.items()}
        files = {TENSORS: save(tensors), CURVES: b"".join(encoded(_table(part)) for part in self.curves)}
        return about | {"sha256": _digest(about, files)}, files

    def of_each(self, steps: Sequence[int]) -> list["Kept"]:
        """The same job by job, each after its own `steps`."""
        if self.whole:
            return [self]
        first, each = 0, []
        host = {name: tensor.cpu() for name, tensor in self.tensors.items()}
        for job, runs, step, curves in zip(self.jobs, self.runs, steps, self.curves, strict=True):
            own = {name: tensor[first : first + runs] for name, tensor in host.items()}
            each.append(Kept([job], [runs], step, self.seconds, own, [curves]))
            first += runs
        return each


def kept(pack: LivePack, jobs: Sequence[Work]) -> Kept:
    """What these jobs of a pack need to go on from where it stands: copies, while it goes on itself."""
    session = pack.session
    assert session.curves
    ids, places = [job.id for job in jobs], [pack.places[job] for job in jobs]
    counts = [len(runs) for runs in places]
    given = ids, counts, pack.step, session.seconds
    if len(pack.places) == 1 and counts == [session.pack.runs]:
        tensors = {name: tensor.detach().clone() for name, tensor in session.memory.items()}
        curves = Recording(session.curves.parameters)
        curves.blocks = list(session.curves.blocks)
        return Kept(*given, tensors, [curves], whole=True)
    rows = torch.tensor([run for runs in places for run in runs], device=session.engine.steps.device)
    tensors = {name: tensor.detach()[rows] for name, tensor in session.memory.items()}
    return Kept(*given, tensors, session.curves.parts(places))


def opened(about: Mapping[str, Any], files: Mapping[str, bytes]) -> Kept:
    """The checkpoint in these files. Raises Unusable where it is damaged, or of another version."""
    plain = {name: value for name, value in about.items() if name != "sha256"}
    if plain.get("format") != FORMAT or plain.get("version") != __version__:
        raise Unusable(f"it is of another version of packtrain ({plain.get('version', 'unknown')})")
    if _digest(plain, files) != about.get("sha256"):
        raise Unusable("its checksum is wrong")
    curves = [_recording(table) for table in decoded(files[CURVES])]
    seconds = Seconds(**about["seconds"])
    return Kept(
        about["jobs"], about["runs"], about["step"], seconds, load(files[TENSORS]), curves, about["whole"]
    )


def restored(checkpoint: Kept, jobs: Sequence[Work], data: Data) -> LivePack:
    """The jobs as one pack that goes on from a checkpoint in which each of them is.

    Raises UserError for what can't be trained, and Unusable where the checkpoint isn't of these jobs.
    """
    pack = LivePack.begin(jobs, data)
    session = pack.session
    assert session.curves
    try:
        rows = _rows(checkpoint, jobs)
        given = checkpoint.tensors
        memory = {
            name: (given[name] if rows is None else given[name][rows]) if name in given else like
            for name, like in session.memory.items()
        }
        session.restore(checkpoint.step, memory)
    except (ValueError, KeyError, RuntimeError, IndexError) as error:
        raise Unusable(f"it doesn't fit the job: {error}") from None
    places = [checkpoint.jobs.index(job.id) for job in jobs]
    session.curves.add([(checkpoint.curves[n], range(checkpoint.runs[n])) for n in places])
    session.add_seconds(checkpoint.seconds)
    return pack


def _rows(checkpoint: Kept, jobs: Sequence[Work]) -> list[int] | None:
    """The rows of these jobs, None for the whole of a checkpoint."""
    if checkpoint.whole and [job.id for job in jobs] == checkpoint.jobs:
        return None
    ends = [0]
    for count in checkpoint.runs:
        ends.append(ends[-1] + count)
    places = [checkpoint.jobs.index(job.id) for job in jobs]
    return [row for n in places for row in range(ends[n], ends[n + 1])]


def _table(curves: Recording) -> pa.Table:
    return joined(curves.blocks)


def _recording(table: pa.Table) -> Recording:
    part = Recording([])
    part.blocks = [table] if len(table) else []
    return part


def _digest(about: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in sorted(files):
        digest.update(files[name])
    return digest.hexdigest()
