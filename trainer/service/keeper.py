"""Keeps local workers alive: one a device, watched for what it touches, and started again when it ends."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from .devices import CPU

log = logging.getLogger(__name__)
COMMAND = sys.executable, "-m", "packtrain.trainer.service.worker"
LIMITS = {"begin": 300.0, "slice": 300.0, "end": 300.0, "warm": 600.0}  # seconds of one doing
GROWN = 75  # the exit code of a worker that wants to be started anew
TOUCHES = "begin", "slice", "end"  # the doings that may be why a worker ends
SHORTEST, LONGEST = 0.1, 30.0  # seconds before a worker is started again, twice as many each time
LIVED = 60.0  # seconds after which a worker is taken to be well
STOPPING = 8.0  # seconds from SIGTERM to SIGKILL
TELLING = 10.0  # seconds for the queue to take it in
GLANCE = 0.5  # seconds between two looks at how long something takes
LOG, LINE = 10 << 20, 1 << 24  # bytes of a log, and of one line of what a worker says
NAME = "local-"  # begins the name of every local worker
BOUND = """
import ctypes, os, signal, sys
ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)
if os.getppid() == int(sys.argv[1]):
    os.execvp(sys.argv[2], sys.argv[2:])
"""  # ends with the process that started it, also where that is killed: PR_SET_PDEATHSIG outlives exec

Died = Callable[[str, Sequence[int], str], Future[None]]  # as Queue.died


@dataclass
class Local:
    """A local worker, and what it says that it does; `restarts` counts its processes but for the first."""

    name: str
    device: str
    pid: int | None = None
    hand: list[int] = field(default_factory=list)
    doing: str = ""
    since: float = field(default_factory=time.monotonic)
    late: str = ""  # what it did when it was ended for doing it too long
    restarts: int = 0

    def hears(self, line: bytes) -> bool:
        """Takes in a line that the worker says; False for what is none of these."""
        with suppress(ValueError, TypeError, KeyError):
            said = json.loads(line)
            self.hand, self.doing = [int(id) for id in said["hand"]], str(said["doing"])
            self.since = time.monotonic()
            return True
        return False

    @property
    def touched(self) -> list[int]:
        """The jobs that it had in its hand."""
        return self.hand if self.doing in TOUCHES else []


class Keeper:
    """Workers on these devices, each a process of `command` that is told its `server` and `token`.

        keeper = Keeper(devices, server, token, folder / "workers", data, died)
        await keeper.start()
        ...
        await keeper.stop()  # while the server still answers: they give back what they hold

    `died(name, hand, reason)`, as of a Queue, hears of each process that has ended, before there is another
    of its name.
    """

    def __init__(
        self,
        devices: Sequence[str],
        server: str,
        token: str,
        logs: Path,
        data: Path,
        died: Died,
        command: Sequence[str] = COMMAND,
        limits: Mapping[str, float] = LIMITS,
    ) -> None:
        self.locals = [Local(f"{NAME}{number}", device) for number, device in enumerate(devices)]
        self.logs, self.data, self.died, self.command, self.limits = logs, data, died, command, limits
        self._environment = {"PACKTRAIN_SERVER": server, "PACKTRAIN_TOKEN": token}
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Starts them, and goes on keeping them; returns at once."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self._tasks = [asyncio.create_task(self._keep(local)) for local in self.locals]

    async def stop(self) -> None:
        """Asks them to stop, and ends those that don't in 8 seconds."""
        self._stopping.set()
        for local in self.locals:
            _signal(local, signal.SIGTERM)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=STOPPING)
            for local in self.locals:
                _signal(local, signal.SIGKILL)
            await asyncio.gather(*late, return_exceptions=True)

    async def _keep(self, local: Local) -> None:
        """One process after another."""
        pause = SHORTEST
        while not self._stopping.is_set():
            began = time.monotonic()
            code = await self._once(local)
            if self._stopping.is_set():
                return
            local.restarts += 1
            if code == GROWN:
                continue
            progress = local.touched or time.monotonic() - began > LIVED
            pause = SHORTEST if progress else min(2 * pause, LONGEST)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    async def _once(self, local: Local) -> int:
        """One process from its start to its end -> its exit code."""
        local.hand, local.doing, local.since, local.late = [], "", time.monotonic(), ""
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", BOUND, str(os.getpid()), *self.command,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=self._environment_of(local), cwd=self.data, limit=LINE, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            log.error("worker %s can't be started: %s", local.name, error)
            return 1
        local.pid = process.pid
        assert process.stdout and process.stderr
        output = Log(self.logs / f"{local.name}.log")
        if self._stopping.is_set():
            _signal(local, signal.SIGTERM)
        watching = asyncio.create_task(self._watch(local))
        try:
            await asyncio.gather(_listen(process.stdout, local, output), _copy(process.stderr, output))
            code = await process.wait()
        finally:
            local.pid = None
            watching.cancel()
            output.close()
        await self._tell(local, code)
        return code

    def _environment_of(self, local: Local) -> dict[str, str]:
        visible = "" if local.device == CPU else local.device.partition(":")[2]
        own = {"PACKTRAIN_WORKER": local.name, "CUDA_VISIBLE_DEVICES": visible}
        return {**os.environ, **self._environment, **own}

    async def _watch(self, local: Local) -> None:
        """Ends a process that does one thing for too long."""
        while True:
            await asyncio.sleep(GLANCE)
            limit = self.limits.get(local.doing)
            if limit is not None and time.monotonic() - local.since > limit:
                local.late = f"{local.doing} for more than {limit:g} s"
                _signal(local, signal.SIGKILL)
                return

    async def _tell(self, local: Local, code: int) -> None:
        """Says that a process has ended, and whom to blame."""
        asked = self._stopping.is_set() or code in (0, GROWN)
        reason = _reason(local, code)
        if not asked:
            log.warning("worker %s: %s, with jobs %s in its hand", local.name, reason, local.touched)
        try:
            told = self.died(local.name, [] if asked else local.touched, reason)
            await asyncio.wait_for(asyncio.wrap_future(told), TELLING)
        except Exception:
            log.exception("the end of worker %s isn't noted yet", local.name)


class Log:
    """A file that begins anew when it is large; the one before stays beside it as NAME.log.1."""

    def __init__(self, file: Path) -> None:
        self.file, self._open = file, file.open("ab")

    def write(self, content: bytes) -> None:
        """Adds to it."""
        if self._open.tell() + len(content) > LOG:
            self._open.close()
            self.file.rename(f"{self.file}.1")
            self._open = self.file.open("ab")
        self._open.write(content)
        self._open.flush()

    def close(self) -> None:
        """Closes the file."""
        self._open.close()


async def _listen(stream: asyncio.StreamReader, local: Local, output: Log) -> None:
    while line := await stream.readline():
        if not local.hears(line):
            output.write(line)


async def _copy(stream: asyncio.StreamReader, output: Log) -> None:
    while content := await stream.read(1 << 16):
        output.write(content)


def _reason(local: Local, code: int) -> str:
    if local.late:
        return f"its worker was ended, since it did {local.late},"
    if code < 0:
        return f"its worker was ended by {signal.Signals(-code).name}"
    return f"its worker ended with code {code}"


def _signal(local: Local, number: signal.Signals) -> None:
    if local.pid:
        with suppress(ProcessLookupError):
            os.kill(local.pid, number)
