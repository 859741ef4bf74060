"""What trainings leave in a folder, as a few SHA-256 sums: all but what depends on the clock."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event

from packtrain.trainer.data.foreign import UNREADABLE
from packtrain.trainer.folder.checkpoint import NAMES, Checkpoint, part_of, read
from packtrain.trainer.folder.curves import read_curves
from packtrain.trainer.folder.event_file import messages

SPEED = "speed/samples_per_second"


def left_in(folder: Path) -> dict[str, str]:
    """{"subfolder: what": sum} for each training in or below `folder`: see left_by."""
    trainings = sorted(file.parent for file in folder.rglob("model.safetensors"))
    return {
        f"{training.relative_to(folder)}: {what}": total
        for training in trainings
        for what, total in left_by(training).items()
    }


def left_by(training: Path) -> dict[str, str]:
    """Sums of the parameters, the state to go on with, the recorded points, the curves and the results."""
    last = max(checkpoints(training), key=lambda checkpoint: checkpoint.step, default=None)
    memory = part_of(last.memory, "engine") if last else {}
    result = json.loads((training / "result.json").read_text())
    for of_this_time in ("seconds", "ranks", "split", "shares"):
        result.pop(of_this_time, None)
    return {
        "parameters": _sum((training / "model.safetensors").read_bytes()),
        "memory": _sum(*(name.encode() + memory[name].numpy().tobytes() for name in sorted(memory))),
        "points": _sum(json.dumps(points_in(training)).encode()),
        "curves": _sum(json.dumps(read_curves(training).table.to_pydict()).encode()),
        "results": _sum(json.dumps(result).encode(), (training / "runs.csv").read_bytes()),
    }


def points_in(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """{'run/tag': [(step, value), ...]} in the order of recording; a point recorded twice is there twice."""
    points: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for file in sorted(folder.glob("tensorboard*/*/events.out.tfevents.*")):
        for message in messages(file.read_bytes()):
            event = Event.FromString(message)
            for value in event.summary.value:
                if value.HasField("simple_value") and value.tag != SPEED:
                    tag = f"{file.parent.relative_to(folder)}/{value.tag}"
                    points[tag].append((event.step, value.simple_value))
    return points


def checkpoints(folder: Path) -> Iterator[Checkpoint]:
    """Those in and below `folder` that can be read."""
    for file in _files(folder):
        if loads(file):
            yield read(file)


def unloadable(folder: Path) -> int:
    """How many of the checkpoints in and below `folder` can't be read."""
    return sum(not loads(file) for file in _files(folder))


def loads(file: Path) -> bool:
    """`file` is a checkpoint that can be read."""
    try:
        read(file)
    except UNREADABLE:
        return False
    return True


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob(f"checkpoint/{NAMES}"))


def _sum(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()
