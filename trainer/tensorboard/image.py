"""Pictures in TensorBoard."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

import struct
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.summary_pb2 import Summary

from .events import EventFiles

SIZE = slice(16, 24)  # of a PNG: its width and height
RGBA = 4


def write_images(folder: Path, pictures: Mapping[str, Path]) -> None:
    """Writes an event file into `folder` that holds PNG files by their tags, in place of any that is there.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     png = Path(folder) / "sweep.png"
    ...     _ = png.write_bytes(bytes(24))  # as far as it is read here
    ...     write_images(Path(folder), {"sweep": png})
    ...     len(list(Path(folder).glob("events.out.tfevents.*")))
    1
    """
    for old in folder.glob("events.out.tfevents.*"):
        old.unlink()
    files = EventFiles([folder])
    files.begin()
    for tag, png in pictures.items():
        files.add_summary(0, image(tag, png))
    files.flush()


def image(tag: str, png: Path) -> Summary:
    """The PNG file as TensorBoard has it, under `tag`.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     png = Path(folder) / "fit.png"
    ...     _ = png.write_bytes(bytes(16) + bytes([0, 0, 2, 0, 0, 0, 1, 0]))
    ...     image("fit", png).value[0].image.width
    512
    """
    content = png.read_bytes()
    width, height = struct.unpack(">II", content[SIZE])
    about = Summary.Image(width=width, height=height, colorspace=RGBA, encoded_image_string=content)
    return Summary(value=[Summary.Value(tag=tag, image=about)])
