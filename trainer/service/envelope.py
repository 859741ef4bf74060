"""What a worker and the server send one another: a JSON header and files, as one body."""

import json
from collections.abc import Mapping
from typing import Any

LENGTH = 8  # bytes, little-endian, of the header's length


def sealed(header: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """One body of a header and files by name.

    >>> opened(sealed({"jobs": [17]}, {"17/runs.csv": b"index"}))
    ({'jobs': [17]}, {'17/runs.csv': b'index'})
    """
    sizes = {name: len(content) for name, content in files.items()}
    text = json.dumps([header, sizes], allow_nan=False).encode()
    return b"".join([len(text).to_bytes(LENGTH, "little"), text, *files.values()])


def opened(body: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The header and the files of a body. Raises ValueError for what is none.

    >>> opened(b"")
    Traceback (most recent call last):
    ValueError: no envelope: 0 bytes
    """
    start = LENGTH + int.from_bytes(body[:LENGTH], "little")
    if not LENGTH < start <= len(body):
        raise ValueError(f"no envelope: {len(body)} bytes")
    header, sizes = json.loads(body[LENGTH:start])
    files = {}
    for name, size in sizes.items():
        files[name] = body[start : start + size]
        start += size
    if start != len(body):
        raise ValueError(f"no envelope: {len(body)} bytes, of which its files take {start}")
    return header, files
