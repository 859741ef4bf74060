"""TensorBoard event files, without a thread or an open handle each."""

import io
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.summary.writer.record_writer import RecordWriter


class EventFile:
    """Scalars of one run, appended to one event file in `folder` at each `flush`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        now = time.time()
        name = f"events.out.tfevents.{int(now):010d}.{socket.gethostname()}.{os.getpid()}"
        self.path = folder / name
        self.waiting = [Event(wall_time=now, file_version="brain.Event:2")]
        self.flush()

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Every scalar, by tag, at one step."""
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        self.waiting.append(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def flush(self) -> None:
        """Writes what was added since the last time."""
        if not self.waiting:
            return
        buffer = io.BytesIO()
        writer = RecordWriter(buffer)
        for event in self.waiting:
            writer.write(event.SerializeToString())
        with self.path.open("ab") as file:
            file.write(buffer.getvalue())
        self.waiting.clear()
