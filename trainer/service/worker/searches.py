"""Searches: rounds of packs, trained by the product's own door, slice by slice in turn with the packs."""

import io
import json
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from ....kernels.common import source_cache
from ...config.compose import composed, config_loader
from ...config.pack import Pack, make_pack
from ...folder.command import command_of
from ...folder.curves import read_curves
from ...folder.places import CHECKPOINTS, EVENTS
from ...search.packs import InProcess
from ...search.rounds import search
from ...sweep.planner import without_hydra
from ..jobs import State
from .leased import Ended, Leased
from .sending import come_to, curve_of, failed

LEFT_OUT = {CHECKPOINTS, EVENTS, "curves.arrow"}
HIDDEN = ".hydra"  # a folder whose files are sent as those of `hydra`
CANCELLED = "it was cancelled"
Hand = Callable[[Sequence[int], str], object]


class Baton:
    """Whoever holds it may use the device; who waits gets it in the order of asking."""

    def __init__(self) -> None:
        self.moved = threading.Condition()
        self.tickets, self.turn = 0, 0

    def take(self) -> None:
        """Waits for one's turn."""
        with self.moved:
            ticket, self.tickets = self.tickets, self.tickets + 1
            self.moved.wait_for(lambda: self.turn == ticket)

    def give(self) -> None:
        """Lets the next one have it."""
        with self.moved:
            self.turn += 1
            self.moved.notify_all()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Inside `with`, nobody else uses the device.

        >>> baton = Baton()
        >>> with baton.held():
        ...     baton.turn
        0
        """
        self.take()
        try:
            yield
        finally:
            self.give()


class Searches:
    """Searches that were leased, one at a time, in a thread of their own.

    Each has a folder below `scratch`, from which it goes on where it was stopped. What has ended waits in
    `out`. `check` raises UserError for data that may not be read.
    """

    def __init__(self, hand: Hand, check: Callable[[Pack], object], scratch: Path | None = None) -> None:
        self.hand, self.check, self.scratch = hand, check, scratch
        self.baton, self.out = Baton(), SimpleQueue[Ended]()
        self.waiting: deque[Leased] = deque()
        self.now: Leased | None = None
        self.reason = ""  # why the one that is trained shall stop
        self.closing = False
        self.seconds: dict[int, float] = {}
        self.untold: dict[int, float] = {}
        self.leaving: dict[int, None] = {}  # those that have ended, and of which nobody has heard
        self.thread: threading.Thread | None = None

    @property
    def held(self) -> list[int]:
        """The searches that have not ended, or of which that isn't known."""
        now = self.now
        known = [*([now] if now else []), *list(self.waiting)]
        return list(dict.fromkeys([*(job.id for job in known), *list(self.leaving)]))

    def take(self, job: Leased) -> None:
        """Begins a search, after those that came before it."""
        self.waiting.append(job)
        self._next()

    def cancel(self, ids: Sequence[int]) -> None:
        """Lets searches go."""
        for job in [job for job in self.waiting if job.id in ids]:
            self.waiting.remove(job)
            self.leaving[job.id] = None
            self.out.put(Ended(job.id, State.CANCELLED, {"seconds": 0.0}))
        if self.now and self.now.id in ids:
            self.reason = CANCELLED

    def ended(self) -> Iterator[Ended]:
        """Those that have ended since the last call."""
        with suppress(Empty):
            while True:
                ended = self.out.get_nowait()
                self.leaving.pop(ended.id, None)
                yield ended
        self._next()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside `with`, no search uses the device."""
        if self.now is None:
            yield
            return
        with self.baton.held():
            yield

    def close(self, seconds: float) -> None:
        """Stops the one that is trained, which may be gone on with."""
        self.closing, self.reason = True, "SIGTERM came"
        if self.thread:
            self.thread.join(seconds)

    def _next(self) -> None:
        if self.now is None and self.waiting and not self.closing:
            self.now, self.reason = self.waiting.popleft(), ""
            self.thread = threading.Thread(target=self._run, args=(self.now,), name="search", daemon=True)
            self.thread.start()

    def _run(self, job: Leased) -> None:
        self.baton.take()
        began = time.monotonic()

        def between() -> str:
            """Lets a slice of the packs be made."""
            nonlocal began
            self._charge(job, began)
            self.baton.give()
            self.baton.take()
            self.hand([job.id], "slice")
            began = time.monotonic()
            return self.reason

        try:
            self.hand([job.id], "begin")
            ended = self._searched(job, between)
        except Exception as error:
            ended = failed(job.id, error, self.seconds.get(job.id, 0.0))
        finally:
            self.baton.give()
        if ended:
            self.leaving[job.id] = None
            self.out.put(ended)
            self.now = None

    def _searched(self, job: Leased, between: Callable[[], str]) -> Ended | None:
        """Searches -> what became of it; None where it is to go on elsewhere."""
        folder = self._folder(job)
        whole = _composed(job.overrides)
        config = _unwatched(whole)
        pack = make_pack(config, job.overrides)
        self.check(pack)
        _write_hydra(folder / HIDDEN, whole, job.overrides)
        console = Console(file=io.StringIO())
        trainer = InProcess(lambda words: _unwatched(_composed(words)), console, between, self.check)
        search(config, pack, job.overrides, folder, command_of(whole), trainer, console)
        seconds = {"seconds": self.seconds.get(job.id, 0.0)}
        if self.reason == CANCELLED:
            return Ended(job.id, State.CANCELLED, seconds)
        return None if self.reason else _result(job.id, folder, seconds)

    def _folder(self, job: Leased) -> Path:
        """Its own, also beside those of other services on this machine."""
        scratch = self.scratch or source_cache.private_folder() / "searches"
        return scratch / f"{job.id}-{job.created:.6f}"

    def untold_seconds(self) -> dict[int, float]:
        """The device seconds of searches since the last call."""
        new, self.untold = self.untold, {}
        return new

    def _charge(self, job: Leased, began: float) -> None:
        spent = time.monotonic() - began
        for charged in (self.seconds, self.untold):
            charged[job.id] = charged.get(job.id, 0.0) + spent


def _composed(overrides: Sequence[str]) -> DictConfig:
    """The config of these overrides, with Hydra's part. Raises UserError."""
    with config_loader() as loader:
        return composed(loader, overrides)


def _unwatched(whole: DictConfig) -> DictConfig:
    """The config without Hydra's part, and without what others do: events, pictures, a bar."""
    config = without_hydra(whole)
    config.monitor.tensorboard = config.monitor.progress = config.monitor.pictures = False
    return config


def _write_hydra(folder: Path, whole: DictConfig, overrides: Sequence[str]) -> None:
    """Writes what Hydra would write into a search's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(without_hydra(whole), folder / "config.yaml")
    OmegaConf.save(OmegaConf.create({"hydra": whole.hydra}), folder / "hydra.yaml")
    OmegaConf.save(OmegaConf.create(list(overrides)), folder / "overrides.yaml")


def _result(id: int, folder: Path, about: dict[str, Any]) -> Ended:
    """What a search has left, read now: its folder goes."""
    result = json.loads((folder / "result.json").read_text())
    curve = curve_of(read_curves(folder))
    files = dict(_files(folder, result))
    shutil.rmtree(folder, ignore_errors=True)

    def make() -> Mapping[str, bytes]:
        return files

    return Ended(id, State.FINISHED, {**about, **come_to(result), "curve": curve}, make)


def _files(folder: Path, result: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """The files below a folder by name, and the parameters of the pack that has the best run."""
    for file in sorted(folder.rglob("*")):
        parts = file.relative_to(folder).parts
        if file.is_file() and not LEFT_OUT.intersection(parts) and not file.name.startswith("."):
            yield "/".join(part.removeprefix(".") for part in parts), file.read_bytes()
    best = next((row for row in result["run"] if row["index"] == result["best_run"]), None)
    if best:
        yield "model.safetensors", (folder / best["pack"] / "model.safetensors").read_bytes()
