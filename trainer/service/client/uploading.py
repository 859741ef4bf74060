"""Data for jobs: files and frames, sent to the service under names that say what is in them."""

import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from ....kernels.common.errors import UserError

DIGITS, LONGEST = 12, 100  # of the SHA-256 in a name, and of the rest
OTHER = re.compile(r"[^A-Za-z0-9._-]+")
PACKED = ".gz", ".bz2", ".xz", ".zst"
PIECE = 1 << 20  # bytes
EXPECTED = "data is the path of a file, a frame of pandas, Polars or PyArrow, or a mapping of names to arrays"


def opened(data: Any) -> tuple[str, AbstractContextManager[BinaryIO]]:
    """The name of the data, as rows-1f3a5c7b9d0e.csv, and their bytes: a file's own, a frame's as Parquet.

    Raises UserError for what can't be read.

    >>> name, file = opened({"x": [1, 2]})
    >>> name.startswith("data-"), name.endswith(".parquet")
    (True, True)
    """
    if isinstance(data, (str, Path)):
        file = _file(Path(data))
        return _named(file, Path(data)), file
    content = _parquet(data)
    return _named(io.BytesIO(content), Path("data.parquet")), nullcontext(io.BytesIO(content))


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """What is in the file, from its beginning.

    >>> list(pieces(io.BytesIO(b"x,y")))
    [b'x,y']
    """
    file.seek(0)
    while piece := file.read(PIECE):
        yield piece


def _file(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}") from None


def _named(file: BinaryIO, path: Path) -> str:
    """The name of the file, with the hash of what is in it; endings, as .csv.gz, stay."""
    digest = hashlib.sha256()
    for piece in pieces(file):
        digest.update(piece)
    packed = path.suffix.lower() in PACKED
    endings = "".join(path.suffixes[-2 if packed else -1 :])
    stem = path.name.removesuffix(endings)
    plain = OTHER.sub("-", stem).strip("-_")[:LONGEST]
    return f"{plain or 'data'}-{digest.hexdigest()[:DIGITS]}{OTHER.sub('', endings)}"


def _parquet(data: Any) -> bytes:
    """A frame as a Parquet file. Raises UserError for what is none."""
    import pyarrow  # noqa: PLC0415 (half a second, for those who send frames)
    from pyarrow import parquet  # noqa: PLC0415 (likewise)

    sink = pyarrow.BufferOutputStream()
    try:
        parquet.write_table(_table(data), sink)
    except (pyarrow.ArrowException, TypeError, ValueError) as error:
        raise UserError(f"{EXPECTED}; got {type(data).__name__}: {error}") from None
    return sink.getvalue().to_pybytes()


def _table(data: Any) -> Any:
    import narwhals  # noqa: PLC0415 (as in _parquet)
    import pyarrow  # noqa: PLC0415 (likewise)

    if isinstance(data, Mapping):
        return pyarrow.table(dict(_columns(data)))
    frame = narwhals.from_native(data)
    return (frame.collect() if isinstance(frame, narwhals.LazyFrame) else frame).to_arrow()


def _columns(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Tensors, arrays and lists as columns of numbers; what is [N, K] as name_0, name_1, ..."""
    for name, column in data.items():
        column = column.detach().cpu().numpy() if hasattr(column, "detach") else column
        if getattr(column, "ndim", 1) == 2:
            yield from ((f"{name}_{place}", part) for place, part in enumerate(column.T))
        else:
            yield str(name), list(column) if isinstance(column, range) else column
