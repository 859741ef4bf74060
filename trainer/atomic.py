"""Files that a reader sees whole or not at all, whatever ends the writer."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def replace(file: Path, save: Callable[[Path], Any]) -> None:
    """`save` writes beside `file`; what it wrote is on the disk before it takes the name of `file`."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        save(draft)
        draft.chmod(0o666 & ~_umask())
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def replace_json(file: Path, content: Any) -> None:
    """`content` as JSON in `file`. Raises ValueError for a number that JSON doesn't have."""
    text = json.dumps(content, indent=1, allow_nan=False)
    replace(file, lambda draft: draft.write_text(text + "\n"))


def _umask() -> int:
    """What the user denies to others: safetensors' files would be denied all."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
