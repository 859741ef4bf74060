"""`packtrain board FOLDER`: TensorBoard on this machine, of a training, a sweep, or several of them."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

from ...kernels.common.errors import UserError
from ..console.report import shown
from ..folder.places import ALL_EVENTS, EVENTS, SUMMARY
from ..tensorboard.names import legal

HOST = "127.0.0.1"  # nobody else's machine can reach it
SELECTED = 40  # runs up to which TensorBoard's Scalars show curves by themselves
DEPTH = 4  # folders below the given one in which trainings are looked for
PORTS = 50  # that are tried, one after another
SAMPLES = "scalars=5000,images=100,histograms=200,pr_curves=200,text=100"  # points of a curve that are kept


def board(folder: Path, every: bool = False, port: int = 6006) -> None:
    """Serves TensorBoard with the curves in `folder` until Ctrl-C, and says where.

    Of many runs there are the best and a summary, or `every` one. The next free port is taken. A folder of
    several trainings shows each by its name. Raises UserError where there are no curves.

    >>> board(Path("nowhere"))
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: nowhere holds no curves for TensorBoard: ...
    """
    with _logdir(folder, every) as (logdir, what), _until_a_signal() as ended:
        address = _start(logdir, folder.absolute().name, port)
        print(f"TensorBoard shows {what}: {address} (Ctrl-C ends it)", flush=True)
        ended.wait()


@contextmanager
def _logdir(folder: Path, every: bool) -> Iterator[tuple[Path, str]]:
    """What TensorBoard reads, and that in words: a folder of ours, or a passing one of links to several."""
    if own := _own(folder, every):
        yield own, str(shown(own))
        return
    trainings = list(_trainings(folder))
    if not trainings:
        raise UserError(
            f"{folder} holds no curves for TensorBoard: no training in it or below has a folder {EVENTS}, "
            "which is there unless monitor.tensorboard=false"
        )
    with TemporaryDirectory(prefix="packtrain-board-") as links:
        yield Path(links), _link_all(Path(links), folder, trainings, every)


def _own(folder: Path, every: bool) -> Path | None:
    """The folder of event files that a training or sweep has, or that `folder` is itself; None without."""
    names = (ALL_EVENTS, EVENTS) if every else (EVENTS,)
    places = [folder / name for name in names] + [folder] * (folder.name in (EVENTS, ALL_EVENTS))
    return next((place for place in places if place.is_dir()), None)


def _trainings(folder: Path, depth: int = DEPTH) -> Iterator[Path]:
    """The trainings and sweeps below."""
    for inside in sorted(folder.iterdir()) if depth and folder.is_dir() else ():
        if not inside.is_dir() or inside.name.startswith("."):
            continue
        if (inside / EVENTS).is_dir():
            yield inside
        else:
            yield from _trainings(inside, depth - 1)


def _link_all(links: Path, root: Path, trainings: Sequence[Path], every: bool) -> str:
    """Links each training, by its name, below `links` -> what they are in words.

    Of more runs than TensorBoard opens with there is the best of each training, and of more trainings the
    last ones.
    """
    folders = {training: _own(training, every) or training for training in trainings}
    many = not every and sum(len(_runs(folder)) for folder in folders.values()) > SELECTED
    last = sorted(trainings, key=_changed)[-SELECTED:] if many else trainings
    for training in sorted(last):
        runs = _runs(folders[training])
        source = runs[0] if runs and (many or len(runs) == 1) else folders[training]
        os.symlink(source.absolute(), links / legal(" ".join(training.relative_to(root).parts)))
    which = "the best run of each of " if many else ""
    left = f", the last of {len(trainings)}" if len(last) < len(trainings) else ""
    count = "1 training" if len(last) == 1 else f"{len(last)} trainings"
    return f"{which}{count} in {shown(root)}{left}{'; all=true shows all' if many else ''}"


def _runs(folder: Path) -> list[Path]:
    """The folders of runs, the best first, and the summary last."""
    inside = [path for path in folder.iterdir() if path.is_dir()]
    return sorted(inside, key=lambda path: (path.name == SUMMARY, path.name))


def _changed(training: Path) -> float:
    return training.stat().st_mtime


def _free(port: int) -> int:
    """`port`, or the next one that is free; any, where none of the next is."""
    for candidate in range(port, min(port + PORTS, 1 << 16)):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((HOST, candidate))
            except OSError:
                continue
        if candidate != port:
            print(f"packtrain: port {port} is taken: this is {candidate}", file=sys.stderr)
        return candidate
    return 0


def _start(logdir: Path, title: str, port: int) -> str:
    """Starts TensorBoard in this process -> its address."""
    # TensorBoard's server takes a second to import, and no other command needs it
    from tensorboard import program  # noqa: PLC0415 (see above)
    from tensorboard.data.server_ingester import NoDataServerError, get_server_binary  # noqa: PLC0415 (likewise)

    try:
        get_server_binary()
        fast = "true"  # without its note that this is an experiment
    except NoDataServerError:
        fast = "false"
    options: dict[str, Any] = {"logdir": str(logdir), "host": HOST, "load_fast": fast}
    options |= {"window_title": title, "samples_per_plugin": SAMPLES, "reload_interval": 5}
    while True:
        free = _free(port)
        server = program.TensorBoard()
        arguments = [f"--{name}={value}" for name, value in (options | {"port": free}).items()]
        server.configure(argv=["tensorboard", *arguments])
        try:
            return server.launch()
        except program.TensorBoardPortInUseError:  # another process took it at this moment
            port = free + 1


@contextmanager
def _until_a_signal() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; the latter ends the process with 143."""
    ended, received = threading.Event(), []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        ended.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if signal.SIGTERM in received:
        sys.exit(128 + signal.SIGTERM)
