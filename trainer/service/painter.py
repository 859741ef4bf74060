"""A process that makes what torch has to draw of run folders: pictures and TensorBoard's events.

The server starts it when somebody asks, `python -m packtrain.trainer.service.painter`, and hands it folders
by lines of JSON on its stdin; it answers each with a line on its stdout, and ends when it has had none for a
while, or its stdin ends.
"""

import contextlib
import json
import logging
import os
import select
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from ..data.discretion import discreet

IDLE = 60.0  # seconds
SECONDS = 30.0  # of processor time, after which no picture of a folder is begun
log = logging.getLogger(__name__)


def paint(folder: Path, memory: Path | None = None) -> list[str]:
    """Makes the pictures and the events of the training in `folder`, as its config asks -> what went wrong.

    Of the file `memory`, in which is what the training goes on from, a checkpoint is made.
    Raises UserError where no training has ended there, or its data can't be read any more.

    >>> paint(Path("nowhere"))
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: nowhere holds no finished training or sweep: ...
    """
    # torch, matplotlib and TensorBoard take seconds, and the process is up before
    from ..finished import Finished  # noqa: PLC0415 (see above)
    from ..folder.plan import read_plan  # noqa: PLC0415 (likewise)
    from ..pictures import drawn  # noqa: PLC0415 (likewise)
    from ..pictures.style import can_draw  # noqa: PLC0415 (likewise)
    from .continued import write_checkpoint  # noqa: PLC0415 (likewise)
    from .redrawn import draw_training, paint_search  # noqa: PLC0415 (likewise)
    from .replayed import write_events  # noqa: PLC0415 (likewise)

    said: list[str] = []
    drawn.SECONDS = SECONDS
    if plan := read_plan(folder):
        return paint_search(folder, plan)
    finished = Finished.read(folder, run="0")  # where all diverged, none is the best
    monitor = finished.pack.config.monitor
    pictures = draw_training(finished, said.append) if monitor.pictures and can_draw() else {}
    written = {}
    if monitor.tensorboard:
        problem, written = write_events(finished, pictures)
        said += [problem] if problem else []
    if memory:
        write_checkpoint(finished, memory, written, said.append)
    return said


def answered(line: bytes, make: Callable[[Path, Path | None], list[str]] = paint) -> dict[str, Any]:
    """The answer to one line: what went wrong of its folder, nothing where all is well.

    >>> answered(b'{"folder": "nowhere"}', lambda folder, memory: [])
    {'folder': 'nowhere', 'said': []}
    """
    asked = json.loads(line)
    folder, memory = asked["folder"], asked.get("memory")
    try:
        said = make(Path(folder), memory and Path(memory))
    except Exception as error:
        log.exception("%s could not be drawn", folder)
        said = [f"{type(error).__name__}: {error}"]
    return {"folder": folder, "said": said}


def serve(asked: BinaryIO, answers: BinaryIO, idle: float = IDLE) -> None:
    """Answers lines until they end, or none comes for so many seconds.

    >>> with open(os.devnull, "rb") as asked, open(os.devnull, "wb") as answers:
    ...     serve(asked, answers)
    """
    while select.select([asked], [], [], idle)[0]:
        line = asked.readline()
        if not line:
            return
        answers.write(json.dumps(answered(line)).encode() + b"\n")
        answers.flush()


def _main() -> None:
    """Serves stdin and stdout; what anything else prints goes to stderr."""
    os.environ.setdefault("MPLBACKEND", "agg")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    ended = contextlib.suppress(BrokenPipeError, KeyboardInterrupt)
    with ended, discreet(lambda file: file), open(0, "rb", buffering=0) as asked:
        serve(asked, answers)


if __name__ == "__main__":
    _main()
