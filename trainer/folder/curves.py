"""Curves, read back from the event files of a run."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

import struct
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event

HEADER, FOOTER = 12, 4  # bytes around a record's message: its length with a checksum; the message's checksum
MOST_POINTS = 500


def run_name(run: int, runs: int) -> str:
    """The folder of one run among those of its pack; a single run has the pack's."""
    return f"run-{run:04d}" if runs > 1 else "."


def read_curve(folder: Path, tag: str) -> np.ndarray:
    """[2, S]: the steps of the scalar `tag` and its values there; of more than MOST_POINTS some, evenly.

    Checksums are not looked at: TensorBoard's own reader computes each in Python, in nine times the time.
    """
    files = sorted(folder.glob("events.out.tfevents.*"))
    found = [each for file in files for each in messages(file.read_bytes()) if tag.encode() in each]
    events = [Event.FromString(each) for each in found[:: -(-len(found) // MOST_POINTS) or 1] + found[-1:]]
    points = {e.step: each.simple_value for e in events for each in e.summary.value if each.tag == tag}
    return np.array(sorted(points.items()), float).reshape(-1, 2).T


def last_step(folder: Path) -> int | None:
    """The last step that the event files of a run tell of, None without."""
    try:
        files = [file.read_bytes() for file in folder.glob("events.out.tfevents.*")]
        last = [each for file in files for each in deque(messages(file), 1)]
        return max((Event.FromString(each).step for each in last), default=None)
    except (OSError, DecodeError):  # what is there is something else
        return None


def messages(records: bytes) -> Iterator[bytes]:
    """The messages of the records that are whole."""
    at = HEADER
    while at <= len(records):
        (size,) = struct.unpack_from("<Q", records, at - HEADER)
        if at + size + FOOTER <= len(records):
            yield records[at : at + size]
        at += size + FOOTER + HEADER
