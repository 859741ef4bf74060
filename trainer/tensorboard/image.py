"""A picture in TensorBoard."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

import struct
from pathlib import Path

from tensorboard.compat.proto.summary_pb2 import Summary

from .events import EventFiles

SIZE = slice(16, 24)  # of a PNG: its width and height
RGBA = 4


def write_image(tag: str, png: Path) -> None:
    """Writes an event file beside `png` that holds it under `tag`, in place of any other that is there.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     png = Path(folder) / "sweep.png"
    ...     _ = png.write_bytes(bytes(24))  # as far as it is read here
    ...     write_image("sweep", png)
    ...     len(list(Path(folder).glob("events.out.tfevents.*")))
    1
    """
    for old in png.parent.glob("events.out.tfevents.*"):
        old.unlink()
    content = png.read_bytes()
    width, height = struct.unpack(">II", content[SIZE])
    image = Summary.Image(width=width, height=height, colorspace=RGBA, encoded_image_string=content)
    files = EventFiles([png.parent])
    files.begin()
    files.add_summary(0, Summary(value=[Summary.Value(tag=tag, image=image)]))
    files.flush()
