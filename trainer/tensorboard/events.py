"""TensorBoard event files of many runs, without a thread or an open handle each."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

import io
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.tensorflow_stub.errors import DataLossError, OutOfRangeError
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import CRC_TABLE, PyRecordReader_New, crc32c
from tensorboard.summary.writer.record_writer import RecordWriter
from torch import Tensor

from ..folder.event_file import FOOTER, HEADER

PREFIX = "events.out.tfevents."  # of the files' names
MOST_WAITING = 1 << 28  # bytes, before they are flushed without a call
TOGETHER = 1 << 13  # records that are encoded at a time


class EventFiles:
    """One event file in each of `folders`, a run's each; what is added is appended at each `flush`.

    The files end with `marks`, by which they are known wherever they are. What can't be written waits in
    memory, up to a point, and `problem` says why.
    """

    def __init__(self, folders: Sequence[Path], marks: Sequence[str] = ()) -> None:
        now = time.time()
        name = f"{PREFIX}{int(now):010d}.{socket.gethostname()}.{os.getpid()}"
        ends = [f".{mark}" for mark in marks] or [""] * len(folders)
        self.paths = [folder / f"{name}{end}" for folder, end in zip(folders, ends, strict=True)]
        self.lengths = [0] * len(folders)  # of what is written
        self.waiting = [bytearray() for _ in folders]
        self.size, self.problem = 0, ""

    def begin(self) -> None:
        """Makes the folders, and writes the record that every event file begins with."""
        first = record(Event(wall_time=time.time(), file_version="brain.Event:2"))
        for run, path in enumerate(self.paths):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._append(run, first)
        self.flush()

    @property
    def memory(self) -> dict[str, Tensor]:
        """How long each file is, and what waits to be appended to it, one after another."""
        return {
            "lengths": torch.tensor(self.lengths),
            "sizes": torch.tensor([len(waiting) for waiting in self.waiting]),
            "waiting": torch.from_numpy(np.frombuffer(b"".join(self.waiting), np.uint8).copy()),
        }

    def restore(self, memory: Mapping[str, Tensor]) -> None:
        """Restores the files to what they were when `memory` was taken: what was written since is cut off.

        Of a file that has lost its end since, the records that are whole stay.
        """
        waiting = memory["waiting"].split(memory["sizes"].tolist())
        for run, length in enumerate(memory["lengths"].tolist()):
            self.lengths[run] = _cut(self.paths[run], length)
            self.waiting[run][:] = bytes(waiting[run].numpy())
        self.size = len(memory["waiting"])

    def add(self, steps: np.ndarray, tags: Sequence[str], values: np.ndarray, runs: np.ndarray) -> None:
        """Adds N points, each of one run: `values` [N, T] of the `tags` [T] at `steps` [N] of `runs` [N].

        They should be in the order of the steps.
        """
        if not tags:
            return
        for part in _batches(steps):
            records = scalar_records(time.time(), steps[part], tuple(tags), values[part])
            size = records.shape[1]
            joined = memoryview(records.tobytes())
            for place, run in enumerate(runs[part].tolist()):
                self._append(run, joined[place * size : (place + 1) * size])

    def add_summary(self, run: int, summary: Summary, step: int = 0) -> None:
        """Adds anything else about one run, such as its hyperparameters."""
        self._append(run, record(Event(wall_time=time.time(), step=step, summary=summary)))

    def add_graph(self, run: int, graph: GraphDef) -> None:
        """Adds what the Graphs tab shows of one run."""
        self._append(run, record(Event(wall_time=time.time(), graph_def=graph.SerializeToString())))

    def flush(self) -> None:
        """Writes what was added since the last time; what can't be written now is tried again."""
        self.problem = ""
        for run, waiting in enumerate(self.waiting):
            if waiting:
                self._write(run, waiting)
        self.size = sum(map(len, self.waiting))

    def _write(self, run: int, waiting: bytearray) -> None:
        path = self.paths[run]
        try:
            with path.open("ab") as file:
                file.write(waiting)
        except OSError as error:
            self.problem = f"can't write {path}: {error.strerror}"
            with suppress(OSError):
                os.truncate(path, self.lengths[run])
            return
        self.lengths[run] += len(waiting)
        waiting.clear()

    def _append(self, run: int, records: bytes | memoryview) -> None:
        self.waiting[run] += records
        self.size += len(records)
        if self.size > MOST_WAITING:
            self.flush()
            if self.problem:
                self._give_up()

    def _give_up(self) -> None:
        """Drops all that waits."""
        for waiting in self.waiting:
            waiting.clear()
        self.size = 0


def _cut(path: Path, length: int) -> int:
    """Cuts an event file to `length`, or to its whole records where it is shorter -> its length then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = path.stat().st_size if path.exists() else 0
    end = length if size >= length else whole_records(path) if size else 0
    with path.open("ab") as file:
        file.truncate(end)
    return end


def whole_records(path: Path) -> int:
    """The bytes of the whole records at the beginning of the file.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "events"
    ...     _ = file.write_bytes(record(Event(step=1)) + record(Event(step=2))[:-3])
    ...     whole_records(file) == len(record(Event(step=1)))
    True
    """
    reader, end = PyRecordReader_New(str(path)), 0
    with suppress(DataLossError, OutOfRangeError):
        while True:
            reader.GetNext()
            end += HEADER + len(reader.record() or b"") + FOOTER
    return end


def record(event: Event) -> bytes:
    """`event` with the length and checksums that event files have around each.

    >>> len(record(Event(step=1))) - len(Event(step=1).SerializeToString())
    16
    """
    buffer = io.BytesIO()
    RecordWriter(buffer).write(event.SerializeToString())
    return buffer.getvalue()


def scalar_records(
    wall_time: float, steps: np.ndarray, tags: tuple[str, ...], values: np.ndarray
) -> np.ndarray:
    """Records [N, bytes] of N events: at each of the `steps` [N] a row of `values` [N, T] as float32.

    The steps take equally many bytes as varints, so the records differ in the bytes of step and values alone.
    A CRC is linear: it changes by the XOR of a term for each changed byte, which depends on the change and on
    how many bytes follow.

    >>> scalar_records(0.0, np.array([1, 2]), ("loss",), np.array([[0.5], [0.25]])).shape
    (2, 33)
    """
    size = int(_varint_size(steps[0]))
    behind, contributions = _layout(tags, size)
    event = Event(wall_time=wall_time, step=int(steps[0]), summary=_summary(tags))
    first = np.frombuffer(record(event), np.uint8)
    places = len(first) - FOOTER - 1 - behind
    new = np.concatenate([_varints(steps, size), _float32_bytes(values)], 1)
    change = np.bitwise_xor.reduce(contributions[np.arange(len(behind)), new ^ first[places]], axis=1)
    records = np.tile(first, (len(steps), 1))
    records[:, places] = new
    checksum = _masked(crc32c(first[HEADER:-FOOTER].tobytes()) ^ change)
    records[:, -FOOTER:] = checksum.astype("<u4")[:, None].view(np.uint8)
    return records


@lru_cache(maxsize=64)
def _layout(tags: tuple[str, ...], size: int) -> tuple[np.ndarray, np.ndarray]:
    """For each byte of the step and of the values: how many bytes follow it; its 256 contributions."""
    summary = _summary(tags)
    ends = np.array([_summary(tags[: i + 1]).ByteSize() for i in range(len(tags))])
    behind_values = summary.ByteSize() - ends[:, None] + np.arange(4)[::-1]
    behind_step = Event(summary=summary).ByteSize() + np.arange(size)[::-1]
    behind = np.concatenate([behind_step, behind_values.reshape(-1)])
    table = np.array(CRC_TABLE, np.uint32)
    rows: list[np.ndarray] = [table]
    for _ in range(int(behind.max())):
        rows.append(table[rows[-1] & 0xFF] ^ rows[-1] >> 8)
    return behind, np.stack([rows[count] for count in behind])


def _batches(steps: np.ndarray) -> Iterator[np.ndarray]:
    """The places of at most TOGETHER steps that take equally many bytes as varints, small ones first."""
    sizes = _varint_size(steps)
    for size in np.unique(sizes):
        places = np.flatnonzero(sizes == size)
        yield from np.split(places, range(TOGETHER, len(places), TOGETHER))


def _varint_size(steps: np.ndarray) -> np.ndarray:
    """Bytes that a step takes; 0 is left out."""
    return np.searchsorted(1 << np.arange(0, 63, 7), steps, side="right")


def _varints(steps: np.ndarray, size: int) -> np.ndarray:
    """[N, size]: seven bits a byte, the lowest first, each but the last with the eighth bit set."""
    bits = steps[:, None] >> 7 * np.arange(size) & 0x7F
    return (bits | np.where(np.arange(size) < size - 1, 0x80, 0)).astype(np.uint8)


def _float32_bytes(values: np.ndarray) -> np.ndarray:
    """[N, 4 T]."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.ascontiguousarray(values, "<f4").view(np.uint8)


def _summary(tags: tuple[str, ...]) -> Summary:
    """A summary of zeros."""
    return Summary(value=[Summary.Value(tag=tag, simple_value=0.0) for tag in tags])


def _masked(crc: np.ndarray) -> np.ndarray:
    """What event files hold in place of a CRC."""
    return (crc >> 15 | crc << 17) + np.uint32(0xA282EAD8)
