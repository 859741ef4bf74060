"""Runs commands of packtrain in one process, under an audit hook, and says what they did that they must not.

    python tests/audited.py '{"ours": [FOLDER...], "writable": [FOLDER...], "commands": [[ARGUMENT...]...]}'

Prints {"found": [[event, detail, where]...], "seen": {"modules": [...], "written": [...]}}. What was found
is code executed from text, classes unpickled and processes started by code in the folders `ours` (by the
nearest frame: what libraries do is theirs), and whichever code it was, the network used and files written
outside of the folders `writable`. What was seen is how much there was to find it in: the modules of `ours`
that ran, and the files that were written inside.
"""

import json
import os
import sys
from pathlib import Path
from types import FrameType
from typing import Any

BY_OURS = (
    "exec", "compile", "code.__new__", "pickle.find_class", "marshal.loads", "marshal.load", "ctypes.dlopen",
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.Popen",
)  # fmt: skip
BY_ANY = "socket.connect", "socket.bind", "socket.getaddrinfo", "urllib.Request"
CHANGES = "os.mkdir", "os.rename", "os.remove", "os.link", "os.symlink", "os.truncate", "os.chmod"
LOOKED_AT = frozenset((*BY_OURS, *BY_ANY, *CHANGES, "open"))
CARRIERS = tuple(f"/{name}.py" for name in ("subprocess", "os", "socket", "pickle"))  # who called them did it
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

found: list[tuple[str, str, str]] = []
modules: set[str] = set()
written: set[str] = set()


def watch(ours: tuple[str, ...], writable: tuple[str, ...]) -> None:
    """Notes events in `found` from now on, until the process ends: a hook can't be taken back."""

    def hook(event: str, details: tuple[Any, ...]) -> None:
        if event not in LOOKED_AT:  # nearly all
            return
        see(event, details)
        if event in BY_OURS:
            frame = _nearest(sys._getframe(1))
            if frame and frame.f_code.co_filename.startswith(ours):
                note(event, details, f"{frame.f_code.co_filename}:{frame.f_lineno}")
        elif event in BY_ANY or (_writes(event, details) and not _path(details).startswith(writable)):
            note(event, details, "")

    def see(event: str, details: tuple[Any, ...]) -> None:
        if event == "exec" and details[0].co_filename.startswith(ours):
            modules.add(details[0].co_filename)
        elif _writes(event, details) and _path(details).startswith(writable):
            written.add(_path(details))

    def note(event: str, details: tuple[Any, ...], where: str) -> None:
        found.append((event, ascii(details)[:200], where))

    sys.addaudithook(hook)


def _nearest(frame: FrameType | None) -> FrameType | None:
    while frame and frame.f_code.co_filename.endswith(CARRIERS):
        frame = frame.f_back
    return frame


def _writes(event: str, details: tuple[Any, ...]) -> bool:
    if event == "open":
        return bool((details[2] or 0) & WRITES) and not isinstance(details[0], int)
    return event in CHANGES


def _path(details: tuple[Any, ...]) -> str:
    """What is written, once its links and dots are resolved."""
    return os.path.realpath(os.fsdecode(details[0]))


def main() -> None:
    request = json.loads(sys.argv[1])
    sys.path[0] = str(Path(__file__).parents[1] / ".src")
    watch(tuple(request["ours"]), tuple(request["writable"]))
    from packtrain.trainer.terminal.main import main as cli  # noqa: PLC0415 (its imports are watched too)

    for arguments in request["commands"]:
        sys.argv[1:] = arguments
        try:
            cli()
        except SystemExit as end:
            assert not end.code, arguments
    print(json.dumps({"found": found, "seen": {"modules": sorted(modules), "written": sorted(written)}}))


if __name__ == "__main__":
    main()
