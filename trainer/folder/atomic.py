"""Files that a reader sees whole or not at all, however the writer ends."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

DRAFT = re.compile(r"\..+\.[0-9]+")  # the name of a file that is being written: .NAME.PROCESS


def replace(file: Path, save: Callable[[Path], Any]) -> None:
    """`save` writes a draft beside `file`, which takes its name when it is on the disk.

    Permissions are those of a new file. Raises OSError, with `file` as its filename, where it can't be
    written; `file` is then as it was.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.atomic import replace
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     replace(Path(folder, "a.txt"), lambda draft: draft.write_text("whole"))
    ...     Path(folder, "a.txt").read_text()
    'whole'
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
    """Writes `content` as JSON. Raises OSError, and ValueError for a number that JSON doesn't have.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.atomic import replace_json
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     replace_json(Path(folder, "a.json"), [1, None])
    ...     Path(folder, "a.json").read_text().split()
    ['[', '1,', 'null', ']']
    """
    text = json_text(content)
    replace(file, lambda draft: draft.write_text(text))


def json_text(content: Any) -> str:
    """What replace_json writes. Raises ValueError for a number that JSON doesn't have.

    >>> json_text({"a": [1]})
    '{\\n "a": [\\n  1\\n ]\\n}\\n'
    """
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def remove_drafts(folder: Path) -> None:
    """Removes the drafts of a process that was killed.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.atomic import remove_drafts
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, ".result.json.4711").touch()
    ...     remove_drafts(Path(folder))
    ...     list(Path(folder).iterdir())
    []
    """
    for file in folder.glob(".*"):
        if DRAFT.fullmatch(file.name):
            file.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Makes what is in a file, or which names are in a folder, survive a power failure."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """The permissions that new files lack; those of safetensors lack all but the user's own."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
