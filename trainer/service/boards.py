"""TensorBoard of some jobs: a process on a port of its own, which sees the events of these jobs alone."""

import hashlib
import os
import secrets
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from ...kernels.common.errors import UserError
from ..folder.places import ALL_EVENTS, EVENTS, SUMMARY
from ..tensorboard.names import legal
from .folders import Folders, Stored
from .jobs import Job

COMMAND = (sys.executable, "-m", "packtrain.trainer.service.board_process")
MOST_JOBS, MOST_BOARDS = 40, 3
STARTING = 60.0  # seconds


@dataclass(eq=False)
class Board:
    """A selection of jobs that somebody looks at, or is about to.

    `address` says where, when it is there; `said` what went wrong for single jobs.
    """

    jobs: list[int]
    folder: Path
    used: float
    making: "Future[str]" = field(default_factory=Future)
    process: "subprocess.Popen[str] | None" = None
    said: list[str] = field(default_factory=list)

    @property
    def address(self) -> str | None:
        """Where it is, None before it is there. Raises UserError where it couldn't be made."""
        return self.making.result() if self.making.done() else None

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or couldn't be made."""
        if not self.making.done():
            return False
        return self.making.exception() is not None or self.process is None or self.process.poll() is not None

    def end(self) -> None:
        """Ends the process, and removes the links."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe:
                    with suppress(OSError):
                        pipe.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Boards:
    """The TensorBoards of a service, a few at a time; their events are linked below `folder`.

    Each process ends by itself after an hour in which nobody looked, and with the server, however that ends.
    """

    def __init__(self, folder: Path, folders: Folders, command: Sequence[str] = COMMAND) -> None:
        self.folder, self.folders, self.command = folder, folders, tuple(command)
        self.boards: dict[str, Board] = {}
        self.makers = ThreadPoolExecutor(1, "tensorboard")
        self.lock = Lock()
        shutil.rmtree(folder, ignore_errors=True)  # of a server that was killed

    def of(self, queue: Stored, jobs: Sequence[int]) -> Board:
        """The board of these jobs, which is begun where there is none.

        Raises UserError where they are none or too many, or one isn't there.
        """
        chosen = list(dict.fromkeys(jobs))
        if not 1 <= len(chosen) <= MOST_JOBS:
            raise UserError(
                f"TensorBoard shows 1 to {MOST_JOBS} jobs at once, and {len(chosen)} are selected"
            )
        known = [_known(queue, id) for id in chosen]
        name = hashlib.sha256(repr(sorted(chosen)).encode()).hexdigest()[:16]
        with self.lock:
            board = self.boards.get(name)
            if board is None or board.is_over:
                self._make_room(name)
                board = self.boards[name] = Board(chosen, self.folder / name, time.monotonic())
                board.making = self.makers.submit(self._made, board, queue, known)
            board.used = time.monotonic()
            return board

    def close(self) -> None:
        """Ends all of them."""
        self.makers.shutdown(wait=False, cancel_futures=True)
        with self.lock:
            for board in self.boards.values():
                board.end()

    def _make_room(self, name: str) -> None:
        """Ends those that are over, that of this name, and the one that was asked for longest ago."""
        over = [key for key, board in self.boards.items() if board.is_over or key == name]
        made = sorted((b.used, key) for key, b in self.boards.items() if b.making.done() and key not in over)
        left = len(self.boards) - len(over)
        over += [key for _, key in made[: max(0, left - MOST_BOARDS + 1)]]
        for key in over:
            self.boards.pop(key).end()

    def _made(self, board: Board, queue: Stored, jobs: Sequence[Job]) -> str:
        """Links the events, and starts the process -> its address. Raises UserError where there are none."""
        shutil.rmtree(board.folder, ignore_errors=True)
        board.folder.mkdir(parents=True)
        for job in jobs:
            try:
                place = self.folders.begun(queue, job.id).result()
            except (UserError, OSError, ValueError) as error:
                board.said.append(f"job {job.id}: {error}")
                continue
            count = link_events(place, board.folder / legal(f"{job.id} {job.name}"))
            if not count:
                board.said.append(f"job {job.id} has no curves for TensorBoard: it is {job.state}")
        if not any(board.folder.iterdir()):
            raise UserError("; ".join(board.said))
        return self._started(board)

    def _started(self, board: Board) -> str:
        secret = secrets.token_urlsafe(16)
        command = [*self.command, str(board.folder)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        board.process = process
        assert process.stdin and process.stdout
        with suppress(OSError):
            process.stdin.write(f"{secret}\n")
            process.stdin.flush()
        there = select.select([process.stdout], [], [], STARTING)[0]
        address = process.stdout.readline().strip() if there else ""
        if not address.startswith("http://127.0.0.1:"):
            raise UserError("TensorBoard could not be started")
        return address


def link_events(folder: Path, links: Path) -> int:
    """Links the event files of a run folder, each in the folder of its run, below `links` -> how many.

    Of many runs the best, and their summary. A single run's stand in `links` itself.

    >>> link_events(Path("nowhere"), Path("links"))
    0
    """
    runs = [path for path in (folder / EVENTS, folder / ALL_EVENTS) if path.is_dir()][:1]
    files = [file for path in runs for file in sorted(path.glob("*/*tfevents*")) if file.is_file()]
    alone = len({file.parent for file in files if file.parent.name != SUMMARY}) == 1
    for file in files:
        place = links if alone and file.parent.name != SUMMARY else links / legal(file.parent.name)
        place.mkdir(parents=True, exist_ok=True)
        link = place / file.name
        try:
            os.link(file, link)
        except OSError:
            shutil.copyfile(file, link)
    return len(files)


def _known(queue: Stored, id: int) -> Job:
    job = queue.job(id)
    if job is None:
        raise UserError(f"there is no job {id}")
    return job
