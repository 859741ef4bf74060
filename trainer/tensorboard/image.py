"""Pictures in TensorBoard."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

import struct
from pathlib import Path

from tensorboard.compat.proto.summary_pb2 import Summary

SIZE = slice(16, 24)  # of a PNG: its width and height
RGBA = 4
GROUP = "pictures"  # of tags


def image(name: str, png: Path) -> Summary:
    """The PNG file as TensorBoard has it, under pictures/NAME.

    Time Series are in the order of tags, and should begin with the loss.

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
    return Summary(value=[Summary.Value(tag=f"{GROUP}/{name}", image=about)])
