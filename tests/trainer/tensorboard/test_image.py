"""A picture, as TensorBoard's own reader finds it."""

import struct
import zlib
from pathlib import Path

from packtrain.trainer.tensorboard.image import write_images
from tests.trainer.curves import images


def png(width: int, height: int) -> bytes:
    """A black picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\0\0\0\xff" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_tensorboard_has_the_last_picture_alone(tmp_path: Path) -> None:
    for width in (3, 5):
        (tmp_path / "sweep.png").write_bytes(png(width, 2))
        write_images(tmp_path, {"sweep": tmp_path / "sweep.png"})
        assert images(tmp_path) == {"sweep": [png(width, 2)]}
