"""The event files of a run, read back: one curve of it, and how far it came."""
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


def read_curve(folder: Path, tag: str) -> np.ndarray:
    """[2, S]: the steps of the scalar `tag` and its values there; of more than MOST_POINTS some, evenly.

    Checksums are not looked at: TensorBoard's own reader computes each in Python, in nine times the time.

    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.event_file import read_curve
    >>> read_curve(Path("nowhere"), "loss/train").shape
    (2, 0)
    """
    files = sorted(folder.glob("events.out.tfevents.*"))
    texts = [text for file in files for text in messages(file.read_bytes()) if tag.encode() in text]
    some = texts[:: -(-len(texts) // MOST_POINTS) or 1] + texts[-1:]
    events = [Event.FromString(text) for text in some]
    points = {e.step: value.simple_value for e in events for value in e.summary.value if value.tag == tag}
    return np.array(sorted(points.items()), float).reshape(-1, 2).T


def last_step(folder: Path) -> int | None:
    """The last step in the event files of a run, None without.

    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.event_file import last_step
    >>> last_step(Path("nowhere")) is None
    True
    """
    try:
        files = [file.read_bytes() for file in folder.glob("events.out.tfevents.*")]
        last = [text for file in files for text in deque(messages(file), 1)]
        return max((Event.FromString(text).step for text in last), default=None)
    except (OSError, DecodeError):  # what is there is something else
        return None


def messages(records: bytes) -> Iterator[bytes]:
    """The messages of the records that are whole: each has a header, its message and a footer.

    >>> from packtrain.trainer.folder.event_file import messages
    >>> record = (3).to_bytes(8, "little") + b"...." + b"abc" + b"...."
    >>> list(messages(record + record[:-1]))
    [b'abc']
    """
    at = HEADER
    while at <= len(records):
        (size,) = struct.unpack_from("<Q", records, at - HEADER)
        if at + size + FOOTER <= len(records):
            yield records[at : at + size]
        at += size + FOOTER + HEADER
