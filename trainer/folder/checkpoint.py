"""Checkpoints: all that a training needs to go on, bit for bit, in files that are whole or not there."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from ...kernels.common.errors import UserError
from ..data.foreign import UNREADABLE
from .atomic import remove_drafts, replace
from .places import NAMES
from .seconds import Seconds

FORMAT = 1  # of the files
NEVER = 1 << 62
NO_ROOM = MemoryError, RuntimeError  # Python's and torch's, which say nothing against the file
Tell = Callable[[str], object]  # says a sentence to whoever watches


class Stateful(Protocol):
    """What changes as a training goes on, such as a session: `memory` is tensors, named PART/NAME."""

    @property
    def memory(self) -> Mapping[str, Tensor]: ...

    def restore(self, step: int, memory: Mapping[str, Tensor]) -> None:
        """Restores the state saved after `step` steps; `memory` holds that of other parts too.

        Raises ValueError, KeyError or RuntimeError where it doesn't fit.
        """
        ...


def part_of(memory: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """The tensors of one part, without its name.

    >>> part_of({"engine/a": torch.ones(1), "judge/b": torch.ones(1)}, "judge")
    {'b': tensor([1.])}
    """
    own = {name: tensor for name, tensor in memory.items() if name.startswith(f"{part}/")}
    return {name.removeprefix(f"{part}/"): tensor for name, tensor in own.items()}


@dataclass(frozen=True)
class Checkpoint:
    """A training after `step` steps and `seconds`: its `settings`, and the memory of its parts."""

    step: int
    seconds: Seconds
    settings: dict[str, Any]
    memory: Mapping[str, Tensor]


class Checkpoints:
    """Writes checkpoints of a training's `parts` into `folder`, and keeps the last `keep` of them.

    One is due after `every` steps, an int, or seconds, a float; never where it is None. A thread writes a
    copy of the parts' tensors while the training goes on. Where it can't, `tell` gets a sentence, and the
    checkpoint before it stays. The end of `with` waits for what is being written.
    `spent` are the seconds of the training up to the checkpoint that was restored.
    """

    def __init__(
        self,
        folder: Path,
        settings: dict[str, Any],
        parts: Sequence[Stateful],
        every: float | None,
        keep: int,
        tell: Tell,
    ) -> None:
        self.folder, self.settings, self.parts = folder, settings, parts
        self.every, self.keep, self.tell = every, keep, tell
        self.saved, self.spent, self.clock = -1, Seconds(), time.perf_counter()
        self.thread = ThreadPoolExecutor(1)
        self.writing: Future[None] | None = None

    def __enter__(self) -> "Checkpoints":
        if self.every is not None:
            self.folder.mkdir(exist_ok=True)
            remove_drafts(self.folder)
        return self

    def __exit__(self, *error: object) -> None:
        self.wait()
        self.thread.shutdown()

    def restore(self, checkpoint: Checkpoint) -> None:
        """Restores the state of all parts. Raises UserError where the checkpoint doesn't fit them."""
        try:
            for part in self.parts:
                part.restore(checkpoint.step, checkpoint.memory)
        except (ValueError, KeyError, RuntimeError) as error:
            raise UserError(f"{self.folder} doesn't fit this training: {error}") from None
        self.saved, self.spent = checkpoint.step, checkpoint.seconds

    def next(self, step: int) -> int:
        """The next step after `step` at which one is due."""
        return step - step % self.every + self.every if isinstance(self.every, int) else NEVER

    def save_if_due(self, step: int, seconds: Seconds) -> None:
        """Saves the parts where a checkpoint is due; a thread writes it."""
        if isinstance(self.every, int):
            due = step % self.every == 0
        else:
            due = self.every is not None and time.perf_counter() - self.clock > self.every
        if due:
            self.save(step, seconds)

    def save(self, step: int, seconds: Seconds) -> None:
        """Saves the parts as they are after `step` steps, unless they were saved there."""
        if self.every is None or step == self.saved:
            return
        self.wait()
        copies = {
            name: tensor.detach().clone(memory_format=torch.contiguous_format)
            for part in self.parts
            for name, tensor in part.memory.items()
        }
        checkpoint = Checkpoint(step, seconds, self.settings, copies)
        self.writing = self.thread.submit(_keep, self.folder, checkpoint, self.keep)
        self.saved, self.clock = step, time.perf_counter()

    def wait(self) -> None:
        """Waits until nothing is being written, and tells what went wrong."""
        writing, self.writing = self.writing, None
        if writing is None:
            return
        try:
            writing.result()
        except OSError as error:
            newest = max(self.folder.glob(NAMES), default=None)
            left = f"{newest.name} is the newest" if newest else "there is none yet"
            self.tell(f"can't write a checkpoint into {self.folder} ({error.strerror}); {left}")


def newest(folder: Path, tell: Tell) -> Checkpoint | None:
    """The newest checkpoint in `folder` that can be read and whose checksum is right; None without.

    `tell` gets a sentence for each newer one, which is renamed to step-N.unreadable. Raises MemoryError or
    RuntimeError where there is no room to read it.

    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.checkpoint import newest
    >>> newest(Path("nowhere"), print) is None
    True
    """
    for file in sorted(folder.glob(NAMES), reverse=True):
        try:
            return read(file)
        except UNREADABLE as error:
            if type(error) in NO_ROOM:
                raise
            tell(f"{file} is no checkpoint that can be used ({error}): looking for the one before it")
            with suppress(OSError):
                file.rename(file.with_suffix(".unreadable"))
    return None


def read(file: Path) -> Checkpoint:
    """The checkpoint in `file`. Raises one of UNREADABLE, such as ValueError where its checksum is wrong.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.checkpoint import Checkpoints, read
    >>> from packtrain.trainer.folder.seconds import Seconds
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Checkpoints(Path(folder), {"seed": 0}, {}, every=10, keep=2, tell=print) as checkpoints:
    ...         checkpoints.save(10, Seconds(total=3.0))
    ...     checkpoint = read(Path(folder, "step-000000000010.safetensors"))
    >>> checkpoint.step, checkpoint.seconds.total, checkpoint.settings
    (10, 3.0, {'seed': 0})
    """
    with safe_open(file, "pt") as opened:
        text, checksum = (opened.metadata()[key] for key in ("packtrain", "sha256"))
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    if _checksum(text, tensors) != checksum:
        raise ValueError("its checksum is wrong")
    about = json.loads(text)
    if about["format"] != FORMAT:
        raise ValueError("it is of another version of packtrain")
    return Checkpoint(int(about["step"]), _seconds(about["seconds"]), dict(about["asked"]), tensors)


def _seconds(saved: Any) -> Seconds:
    """The seconds in a checkpoint; earlier versions of packtrain saved one number, those of its steps."""
    return Seconds(**saved) if isinstance(saved, dict) else Seconds(float(saved), float(saved))


def _keep(folder: Path, checkpoint: Checkpoint, keep: int) -> None:
    """Writes a checkpoint, and then removes all but the last `keep`."""
    tensors = {name: tensor.cpu() for name, tensor in checkpoint.memory.items()}
    step, seconds = checkpoint.step, asdict(checkpoint.seconds)
    text = json.dumps({"format": FORMAT, "step": step, "seconds": seconds, "asked": checkpoint.settings})
    content = save(tensors, {"packtrain": text, "sha256": _checksum(text, tensors)})
    replace(folder / f"step-{step:012d}.safetensors", lambda draft: draft.write_bytes(content))
    for file in sorted(folder.glob(NAMES))[:-keep]:
        file.unlink()


def _checksum(text: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the text, and of each tensor's name, type, shape and numbers."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
