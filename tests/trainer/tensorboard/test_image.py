"""A picture, as TensorBoard's own reader finds it."""

import struct
import zlib
from pathlib import Path

from packtrain.trainer.tensorboard.events import EventFiles
from packtrain.trainer.tensorboard.image import image
from tests.trainer.curves import images


def png(width: int, height: int) -> bytes:
    """A black picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\0\0\0\xff" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_tensorboard_has_the_picture(tmp_path: Path) -> None:
    (tmp_path / "sweep.png").write_bytes(png(5, 2))
    files = EventFiles([tmp_path])
    files.add_summary(0, image("sweep", tmp_path / "sweep.png"))
    files.flush()
    assert images(tmp_path) == {"pictures/sweep": [png(5, 2)]}
