"""The folder of data that jobs may read, and what lies in it: nothing leads out of it."""

import errno
import glob
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ...kernels.common.errors import UserError

FOLDERS = (".zarr",)  # endings of folders that are read as one file
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def inside(folder: Path, path: str) -> Path:
    """The file at `path` below `folder`, which no link leads to. Raises UserError where there is none.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "cup.csv").write_text("t,y")
    ...     inside(Path(folder), "cup.csv").name
    'cup.csv'
    >>> inside(Path("/tmp"), "../etc/passwd")
    Traceback (most recent call last):
    packtrain...UserError: data.path stays in the service's data folder, without ..; got '../etc/passwd'
    """
    parts = _parts(path)
    try:
        with opened(folder, parts[:-1]) as handle:
            about = os.stat(parts[-1], dir_fd=handle, follow_symlinks=False)
            if stat.S_ISDIR(about.st_mode) and parts[-1].endswith(FOLDERS):
                _check_tree(handle, parts[-1], path)
            elif not stat.S_ISREG(about.st_mode):
                raise UserError(
                    f"data.path is a file in the service's data folder, and {path} is none, or a link"
                )
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise UserError(f"data.path leads through no link and no file; got {path!r}") from None
        raise UserError(_not_there(path)) from None
    return folder.joinpath(*parts)


def matching(folder: Path, path: str) -> list[Path]:
    """The file at `path` below `folder`, or those that are like it, such as runs/*.csv. Raises UserError.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "cup.csv").write_text("t,y")
    ...     [file.name for file in matching(Path(folder), "*.csv")]
    ['cup.csv']
    """
    whole = folder.joinpath(*_parts(path))
    if not glob.has_magic(path) or os.path.lexists(whole):
        return [inside(folder, path)]
    return [inside(folder, name) for name in sorted(glob.glob(path, root_dir=folder, recursive=True))]


def within(folder: Path) -> Callable[[Path], Path]:
    """What lets files below `folder` be read, and raises UserError for others.

    >>> within(Path("/nowhere"))(Path("../etc/passwd"))
    Traceback (most recent call last):
    packtrain...UserError: data.path stays in the service's data folder, without ..; got '../etc/passwd'
    """

    def check(file: Path) -> Path:
        is_below = file.is_absolute() and file.is_relative_to(folder)
        return inside(folder, str(file.relative_to(folder) if is_below else file))

    return check


def _not_there(path: str) -> str:
    return f"there is no file {path} in the service's data folder: upload it, as with PUT /api/v1/data/{path}"


def _parts(path: str) -> list[str]:
    """The names that a path goes through. Raises UserError where one could lead elsewhere."""
    if path.startswith("/") or "\\" in path or "\0" in path:
        raise UserError(f"data.path is relative to the service's data folder; got {path!r}")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise UserError(f"data.path stays in the service's data folder, without ..; got {path!r}")
    if not parts or any(part.startswith(".") for part in parts):
        raise UserError(f"data.path is a file in the service's data folder that isn't hidden; got {path!r}")
    return parts


@contextmanager
def opened(folder: Path, parts: list[str]) -> Iterator[int]:
    """A handle on the folder that `parts` lead to, none of which is a link. Raises OSError.

    >>> with opened(Path("/"), []) as handle:
    ...     handle > 0
    True
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts:
            inner = os.open(part, DIRECTORY, dir_fd=handle)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


def _check_tree(handle: int, name: str, path: str) -> None:
    """Raises UserError where a folder that is read as one file holds what is neither file nor folder."""
    for _, folders, files, inner in os.fwalk(name, dir_fd=handle, follow_symlinks=False):
        for each in (*folders, *files):
            mode = os.stat(each, dir_fd=inner, follow_symlinks=False).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise UserError(
                    f"{path} holds files and folders alone, and {each} in it is a link or a device"
                )
