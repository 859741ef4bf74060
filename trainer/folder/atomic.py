"""Files that a reader sees whole or not at all, whatever ends the writer."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

DRAFT = re.compile(r"\..+\.[0-9]+")  # the name of a file that is being written: .NAME.PROCESS


def replace(file: Path, save: Callable[[Path], Any]) -> None:
    """`save` writes beside `file`; what it wrote is on the disk before it takes the name of `file`.

    Raises OSError, with `file` as its filename, where that can't be done; `file` is then as it was.
    """
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        save(draft)
        draft.chmod(0o666 & ~_umask())
        _sync(draft)
        draft.replace(file)
        _sync(file.parent)
    except OSError as error:
        if error.errno is not None:
            error.filename = str(file)
        raise
    finally:
        draft.unlink(missing_ok=True)


def replace_json(file: Path, content: Any) -> None:
    """`content` as JSON in `file`. Raises ValueError for a number that JSON doesn't have."""
    text = json.dumps(content, indent=1, allow_nan=False)
    replace(file, lambda draft: draft.write_text(text + "\n"))


def remove_drafts(folder: Path) -> None:
    """What a process that was killed had begun to write."""
    for file in folder.glob(".*"):
        if DRAFT.fullmatch(file.name):
            file.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """What is in a file, or which names are in a folder, survives a power failure from here on."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """What the user denies to others: safetensors' files would be denied all."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
