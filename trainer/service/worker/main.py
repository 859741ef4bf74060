"""The process of a worker: python -m packtrain.trainer.service.worker.

PACKTRAIN_SERVER, PACKTRAIN_TOKEN and PACKTRAIN_WORKER say where it belongs; the folder that it is started in
holds the data. It ends with 143 after SIGTERM, when all that it held is kept and given back; with 75 where it
has grown, and wants to be started anew; with 0 where the server says stop; with 1 where that is gone.
"""

import gc
import json
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from packtrain import __version__

from ....kernels import warm
from ....kernels.common.errors import UserError
from ...data.memory import available_memory
from ..structure import config_of
from .data import MOST_BYTES, Loaded
from .growth import resident
from .leased import Leased, leased
from .link import Asking, Gone, Link
from .memory import Kept, Unusable, opened
from .reporting import Reporting
from .training import Trainer
from .turns import Turns

log = logging.getLogger(__name__)
STOPPED, GROWN, GONE = 143, 75, 1
ASK_SECONDS = 0.05  # between two questions while there is something to train
IDLE_SECONDS = 15.0  # for which an idle worker's question stays open
SEARCHING_SECONDS = 0.5  # and that of one that only searches
GLANCE = 0.5  # seconds between two looks at the parent, while idle
LAST_SECONDS = 6.0  # after SIGTERM, for what is still to be sent
ROOM_TO_GROW = 2 << 30  # bytes
SCRATCH: Path | None = None  # where searches write; without one, in the cache


class Worker:
    """Takes jobs from the server of `link`, trains them, and sends what they came to, until it is to end."""

    def __init__(self, link: Link, data: Path, said: Any = sys.stdout) -> None:
        self.link, self.said = link, said
        self.turns = Turns(self._of)
        self.trainer = Trainer(Loaded(data), self.hand, self.turns, scratch=SCRATCH)
        self.reporting, self.asking = Reporting(link, self.trainer), Asking(link)
        self.parent, self.code = os.getppid(), None
        self.largest = resident() + MOST_BYTES + ROOM_TO_GROW
        self.doing = ""

    def hand(self, ids: Sequence[int], doing: str) -> None:
        """Says what is about to be touched, for whoever must know whom to blame."""
        self.doing = doing
        print(json.dumps({"hand": list(ids), "doing": doing}), file=self.said, flush=True)

    def stop(self, number: int = signal.SIGTERM, frame: FrameType | None = None) -> None:
        """Ends after the slice that is being made."""
        self.code = STOPPED

    def run(self) -> int:
        """Works until it is to end -> the exit code."""
        try:
            while self.code is None:
                self.turn()
        except Gone as error:
            log.error("%s", error)
            return GONE
        return self._end(self.code)

    def turn(self) -> None:
        """One slice, and what comes before and after it."""
        self._ask()
        idle = not self.trainer.hands.jobs
        if idle and self.doing != "idle":
            self.hand([], "idle")
        if answer := self.asking.answer(GLANCE if idle else 0.0):
            self._take(answer)
        if cancelled := self.reporting.cancelled[:]:
            del self.reporting.cancelled[: len(cancelled)]
            self.trainer.cancel(cancelled)
        self.trainer.advance()
        self.reporting.send()
        if os.getppid() != self.parent:
            self.code = STOPPED
        elif idle and resident() > self.largest and not self.reporting.held:
            self.code = GROWN

    def _of(self, id: int) -> tuple[str, int]:
        own = self.trainer.own[id].leased
        return own.user, own.priority

    def _ask(self) -> None:
        busy = bool(self.trainer.hands.jobs)
        if self.asking.asked or (busy and time.monotonic() - self.asking.since < ASK_SECONDS):
            return
        held = self.reporting.held
        about = {
            "version": __version__,
            "device": _device(),
            "room": self.trainer.growth.room(self.trainer.hands.runs),
            "busy": self.trainer.hands.busy(),
            "held": held,
            "memory": available_memory(),
        }
        wait = IDLE_SECONDS if not held else SEARCHING_SECONDS
        self.asking.ask(about, 0.0 if busy else wait)

    def _take(self, answer: Mapping[str, Any]) -> None:
        """Begins what came, lets go what was cancelled."""
        if answer.get("stop"):
            self.code = 0
        self.turns.used = answer.get("used", {})
        self.trainer.cancel(answer.get("cancelled", []))
        bases = {key: config_of(config) for key, config in answer.get("structures", {}).items()}
        jobs = [leased(job, bases[job["key"]]) for job in answer["jobs"]]
        self.trainer.take(jobs, self._checkpoints(jobs))

    def _checkpoints(self, jobs: Sequence[Leased]) -> dict[str, Kept | Unusable]:
        checkpoints: dict[str, Kept | Unusable] = {}
        for name in dict.fromkeys(job.checkpoint for job in jobs if job.checkpoint):
            try:
                checkpoints[name] = opened(*self.link.checkpoint(name))
            except (ValueError, KeyError) as error:
                checkpoints[name] = error if isinstance(error, Unusable) else Unusable(str(error))
        return checkpoints

    def _end(self, code: int) -> int:
        """Keeps all that is in its hands, and gives it back."""
        try:
            self.trainer.searches.close(LAST_SECONDS / 2)
            self.trainer.out += self.trainer.searches.ended()
            self.trainer.save_all()
            self.reporting.send()
            if held := [*self.trainer.held, *self._last_given()]:
                self.reporting.give_back(held)
            self.reporting.outbox.wait(LAST_SECONDS)
        except Gone as error:
            log.error("%s", error)
        self.link.close()
        return code

    def _last_given(self) -> list[int]:
        """The jobs of the answer to a question that is still open."""
        waits = self.asking.asked and bool(self.trainer.held)
        answer = self.asking.answer(2 * SEARCHING_SECONDS) if waits else None
        return [job["id"] for job in answer["jobs"]] if answer else []


def _device() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def main() -> int:
    """Works for the server that the environment names -> the exit code."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of every request
    try:
        server, token, name = (os.environ[f"PACKTRAIN_{word}"] for word in ("SERVER", "TOKEN", "WORKER"))
    except KeyError as missing:
        print(f"packtrain: a worker needs {missing.args[0]}: packtrain work sets it", file=sys.stderr)
        return 2
    link = Link(server, token, name, secrets.token_hex(8))
    worker = Worker(link, Path.cwd())
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the parent
    worker.hand([], "warm")
    warm.main()
    gc.collect()
    gc.freeze()  # what was imported is here to stay, and needn't be looked through
    try:
        return worker.run()
    except UserError as error:
        print(f"packtrain: {error}", file=sys.stderr)
        return 2
