"""The event files of a run, read back: how far it came."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

import struct
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event

HEADER, FOOTER = 12, 4  # bytes around a record's message: its length with a checksum; the message's checksum


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

    Checksums are not looked at: TensorBoard's own reader computes each in Python, in nine times the time.

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
