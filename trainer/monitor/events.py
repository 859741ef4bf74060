"""TensorBoard event files of many runs, without a thread or an open handle each."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

import io
import os
import socket
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import CRC_TABLE, crc32c
from tensorboard.summary.writer.record_writer import RecordWriter

MOST_WAITING = 1 << 28  # bytes, before they are written unasked
HEADER, FOOTER = 12, 4  # bytes around a record's message: its length with a checksum; the message's checksum


class EventFiles:
    """One event file in each of `folders`, a run's each; what is added is appended at each `flush`."""

    def __init__(self, folders: Sequence[Path]) -> None:
        now = time.time()
        name = f"events.out.tfevents.{int(now):010d}.{socket.gethostname()}.{os.getpid()}"
        self.paths = [folder / name for folder in folders]
        self.waiting = [bytearray() for _ in folders]
        self.size = 0
        first = record(Event(wall_time=now, file_version="brain.Event:2"))
        for run, folder in enumerate(folders):
            folder.mkdir(parents=True, exist_ok=True)
            self._append(run, first)
        self.flush()

    def add(self, step: int, tags: Sequence[str], values: np.ndarray, runs: np.ndarray) -> None:
        """The scalars `values` [K, T] of the runs `runs` [K] at one step, by their `tags` [T]."""
        if len(runs) and tags:
            records = scalar_records(time.time(), step, tuple(tags), values)
            size = records.shape[1]
            joined = memoryview(records.tobytes())
            for place, run in enumerate(runs.tolist()):
                self._append(run, joined[place * size : (place + 1) * size])

    def add_summary(self, run: int, summary: Summary) -> None:
        """Anything else about one run, such as its hyperparameters."""
        self._append(run, record(Event(wall_time=time.time(), summary=summary)))

    def flush(self) -> None:
        """Writes what was added since the last time."""
        for path, waiting in zip(self.paths, self.waiting, strict=True):
            if waiting:
                with path.open("ab") as file:
                    file.write(waiting)
                waiting.clear()
        self.size = 0

    def _append(self, run: int, records: bytes | memoryview) -> None:
        self.waiting[run] += records
        self.size += len(records)
        if self.size > MOST_WAITING:
            self.flush()


def record(event: Event) -> bytes:
    """`event` with the lengths and checksums that event files have around each."""
    buffer = io.BytesIO()
    RecordWriter(buffer).write(event.SerializeToString())
    return buffer.getvalue()


def scalar_records(wall_time: float, step: int, tags: tuple[str, ...], values: np.ndarray) -> np.ndarray:
    """Records [K, bytes] of K events, each with the scalars of one row of `values` [K, T], as float32.

    The records differ in the bytes of the values alone. A CRC is linear: it changes by the XOR of what
    each of those bytes contributes, which depends on the byte and on how many bytes follow it.
    """
    behind, contributions = _layout(tags)
    event = Event(wall_time=wall_time, step=step, summary=_summary(tags))
    zeros = record(event)
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = np.ascontiguousarray(values, "<f4").view(np.uint8)
    change = np.bitwise_xor.reduce(contributions[np.arange(len(behind)), numbers], axis=1)
    records = np.tile(np.frombuffer(zeros, np.uint8), (len(values), 1))
    records[:, len(zeros) - FOOTER - 1 - behind] = numbers
    checksum = _masked(crc32c(zeros[HEADER:-FOOTER]) ^ change)
    records[:, -FOOTER:] = checksum.astype("<u4")[:, None].view(np.uint8)
    return records


@lru_cache(maxsize=16)
def _layout(tags: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Of each of the 4 T bytes of the values: how many bytes follow it in an event; its 256 contributions."""
    size = _summary(tags).ByteSize()
    ends = np.array([_summary(tags[: i + 1]).ByteSize() for i in range(len(tags))])
    behind = (size - ends[:, None] + np.arange(4)[::-1]).reshape(-1)
    table = np.array(CRC_TABLE, np.uint32)
    rows: list[np.ndarray] = [table]
    for _ in range(int(behind.max())):
        rows.append(table[rows[-1] & 0xFF] ^ rows[-1] >> 8)
    return behind, np.stack([rows[count] for count in behind])


def _summary(tags: tuple[str, ...]) -> Summary:
    """A summary of zeros."""
    return Summary(value=[Summary.Value(tag=tag, simple_value=0.0) for tag in tags])


def _masked(crc: np.ndarray) -> np.ndarray:
    """What event files hold in place of a CRC."""
    return (crc >> 15 | crc << 17) + np.uint32(0xA282EAD8)
