"""Where the documentation's pictures are, and how they are kept small."""

from pathlib import Path

from PIL import Image

from scripts.common import record

PAGES = record.ROOT / "docs" / "pictures"
COLOURS = 256  # a picture of so many takes a third of the bytes, and looks alike


def file_of(name: str) -> Path:
    """The file of the picture of this name.

    >>> file_of("loss").name
    'loss.png'
    """
    return PAGES / f"{name}.png"


def shrink(name: str) -> None:
    """Writes a picture again in so many colours, those that it has most of, and says how large it is."""
    file = file_of(name)
    with Image.open(file) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    print(file.relative_to(record.ROOT), f"{file.stat().st_size:,} bytes", flush=True)
