"""What two ranks send one another: any object, its tensors as they lie in memory."""

import io
import os
import pickle
import threading
from datetime import timedelta
from queue import SimpleQueue
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

SILENCE = "PACKTRAIN_RANK_SECONDS"  # names how long a rank may say nothing
SECONDS = 1800.0  # unless that says another number
FOREVER = 10 * 365 * 86400.0
SMALL = 1 << 16  # bytes of tensors that are sent within the message
MOST_PARTS = 63  # of a message: more of them are sent within it


class RankLostError(BaseException):
    """A rank is gone, or says nothing: what was asked of it can't be done.

    It is no Exception, as SystemExit isn't: nothing that goes on after errors can go on after this.
    """


class RankGoneError(RankLostError):
    """The process of a rank has ended."""


def silence() -> float:
    """For how many seconds a rank may say nothing while it is waited for.

    >>> silence()
    1800.0
    """
    return float(os.environ.get(SILENCE, SECONDS))


def packed(something: Any) -> list[bytes | memoryview]:
    """A message: the pickled object first, then the large tensors in it, of which nothing is copied.

    >>> parts = packed({"loss": torch.zeros(1 << 20)})
    >>> len(parts), len(parts[0]) < 1000, unpacked(parts)["loss"].shape
    (2, True, torch.Size([1048576]))
    """
    parts: list[pickle.PickleBuffer] = []

    def apart(buffer: pickle.PickleBuffer) -> bool:
        large = buffer.raw().nbytes >= SMALL and len(parts) < MOST_PARTS
        if large:
            parts.append(buffer)
        return not large

    file = io.BytesIO()
    _Pickler(file, protocol=5, buffer_callback=apart).dump(something)
    return [file.getvalue(), *(part.raw() for part in parts)]


def unpacked(parts: list[bytes | memoryview]) -> Any:
    """What `packed` made a message of.

    >>> unpacked(packed(["advance", 7]))
    ['advance', 7]
    """
    return pickle.loads(parts[0], buffers=parts[1:])


class _Pickler(pickle.Pickler):
    """Pickles tensors as arrays of the host, which protocol 5 leaves where they are."""

    def reducer_override(self, given: Any) -> Any:
        if isinstance(given, Tensor):
            return torch.from_numpy, (given.detach().cpu().contiguous().numpy(),)
        return NotImplemented


def send(something: Any, to: int) -> None:
    """Sends a message to a rank. Raises RankLostError where it is gone."""
    parts = packed(something)
    sizes = torch.zeros(1 + MOST_PARTS, dtype=torch.int64)
    sizes[: len(parts)] = torch.tensor([_size(part) for part in parts])
    try:
        dist.send(sizes, to)
        for part in parts:
            whole = bytearray(part) if isinstance(part, bytes) else part
            dist.send(torch.frombuffer(whole, dtype=torch.uint8), to)
    except (RuntimeError, ValueError) as error:
        raise RankGoneError(f"rank {to} is gone: {_first_line(error)}") from None


def receive(source: int, seconds: float) -> Any:
    """The next message of a rank. Raises RankLostError where it is gone, or says nothing for so long."""
    sizes = torch.empty(1 + MOST_PARTS, dtype=torch.int64)
    _take(sizes, source, seconds)
    parts: list[bytes | memoryview] = []
    for size in filter(None, sizes.tolist()):
        part = torch.empty(size, dtype=torch.uint8)
        _take(part, source, seconds)
        parts.append(memoryview(part.numpy()))  # pyright: ignore[reportArgumentType]
    return unpacked(parts)


def _take(into: Tensor, source: int, seconds: float) -> None:
    """Receives in a thread, since Python hears no signal while gloo waits."""
    try:
        work = dist.irecv(into, source)
        assert work is not None
        _waited(work, timedelta(seconds=seconds))
    except (RuntimeError, ValueError) as error:
        if "imed out" in str(error):
            raise RankLostError(
                f"rank {source} has said nothing for {seconds:g} seconds ({SILENCE} is the limit)"
            ) from None
        raise RankGoneError(f"rank {source} is gone: {_first_line(error)}") from None


def _waited(work: dist.Work, limit: timedelta) -> None:
    ended: SimpleQueue[Exception | None] = SimpleQueue()

    def wait() -> None:
        try:
            work.wait(limit)
        except Exception as error:
            ended.put(error)
        else:
            ended.put(None)

    threading.Thread(target=wait, daemon=True).start()
    if (error := ended.get()) is not None:
        raise error


def _size(part: bytes | memoryview) -> int:
    return part.nbytes if isinstance(part, memoryview) else len(part)


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()[0].partition(". This is")[0]
    return text.rpartition("] ")[2] or type(error).__name__
