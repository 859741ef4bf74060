"""Leases: who trains what, and what happens where a worker goes away."""

import json
import time
from collections.abc import Collection, Mapping, Sequence
from sqlite3 import Connection
from typing import Any

from .changes import Changes, Holder, begun_again
from .memory import Worker
from .parts import Parts
from .turn import Waiting

TOGETHER = 4096  # runs that one lease gives
RUNNING = 20_000  # jobs of one user at a time
PATIENCE = 60.0  # seconds after which a job that found no room isn't overtaken any more
GIVEN = (
    "id, user, priority, created, key, tag, name, fields, over, runs, overrides, joins, search, checkpoint,"
    " checkpoint_version"
)
NOTHING = {"jobs": [], "structures": {}, "used": {}, "share": {}}


class Leases:
    """Gives jobs to workers, and takes them back."""

    def __init__(self, parts: Parts) -> None:
        self.parts, self.memory = parts, parts.memory
        self.stopping = False

    def lease(self, name: str, about: Mapping[str, Any]) -> dict[str, Any]:
        """What a worker shall train now, and which of its jobs it shall let go. Never waits for the disk."""
        now = time.monotonic()
        with self.memory.lock:
            if about.get("start") in self.memory.former.get(name, ()):
                return {**NOTHING, "cancelled": sorted(about.get("held") or ()), "stop": True}
            worker = self._known(name, about)
            stale = self._reconcile(name, worker, about.get("held"))
            used = self.memory.usage.of_last_hour(now)
            jobs = [] if self.stopping else self._chosen(worker, about, used, now)
            for job in jobs:
                self.memory.waiting.remove(job.id)
                worker.held[job.id] = job
                worker.stale.discard(job.id)
            self._mark(Holder(name, worker.start, worker.version), [job.id for job in jobs])
        rows = self._given([job.id for job in jobs], worker.version)
        return {
            "jobs": [_leased(row) for row in rows],
            "structures": self._structures({row["key"] for row in rows}),
            "cancelled": sorted(stale),
            "used": used,
            "share": _shares(used),
            "stop": self.stopping,
        }

    def forget_silent(self, seconds: float) -> None:
        """Takes back what workers hold that weren't heard of for so long."""
        with self.memory.lock:
            last = time.monotonic() - seconds
            for name in [name for name, worker in self.memory.workers.items() if worker.heard < last]:
                self.take_back(name, self.memory.workers[name], list(self.memory.workers[name].held))
                del self.memory.workers[name]

    def take_back(self, name: str, worker: Worker, ids: Collection[int]) -> None:
        """Jobs that a worker no longer holds wait again, those that shall be trained."""
        if not ids:
            return
        holder = Holder(name, worker.start)
        gone = list(ids)
        for job in self.memory.let_go(name, worker.start, gone):
            self.memory.waiting.add(job)

        def write(db: Connection) -> Changes:
            changes = Changes(db)
            for id in gone:
                changes.give_back(id, holder)
            return changes

        self.parts.store.write(write, self._tell, owed=True)

    def _tell(self, changes: Changes) -> None:
        self.parts.files.remove(changes.unused)
        self.parts.tell(changes.events)

    def _known(self, name: str, about: Mapping[str, Any]) -> Worker:
        start, worker = str(about.get("start", "")), self.memory.workers.get(name)
        if worker and worker.start != start:
            self.take_back(name, worker, list(worker.held))
            self.memory.has_ended(name, worker.start)
            worker = None
        worker = worker or Worker(start)
        worker.heard = time.monotonic()
        worker.version, worker.device = str(about.get("version", "")), str(about.get("device", ""))
        self.memory.workers[name] = worker
        return worker

    def _reconcile(self, name: str, worker: Worker, held: Collection[int] | None) -> set[int]:
        """What a worker shall let go; what it doesn't know that it holds is taken back."""
        if held is None:
            return set(worker.stale)
        self.take_back(name, worker, worker.held.keys() - set(held))
        return (set(held) - worker.held.keys()) | (worker.stale & set(held))

    def _chosen(
        self, worker: Worker, about: Mapping[str, Any], used: Mapping[str, float], now: float
    ) -> list[Waiting]:
        room = int(about.get("room", 0))
        left = min(room, TOGETHER)
        if left <= 0:
            return []
        has, chosen, running = set(about.get("held") or ()), [], self._running()
        queue = self.memory.waiting.in_turn(used, now, self.memory.usage.price, set(about.get("busy") or ()))
        for job in queue:
            if left <= 0:
                break
            if job.id in has or running.get(job.user, 0) >= RUNNING:
                continue
            first = not chosen and (job.runs <= room or not worker.held)
            if job.runs > left and not first:
                if now - job.since > PATIENCE:
                    break
                continue
            chosen.append(job)
            running[job.user] = running.get(job.user, 0) + 1
            left -= job.runs
        return chosen

    def _running(self) -> dict[str, int]:
        running: dict[str, int] = {}
        for worker in self.memory.workers.values():
            for job in worker.held.values():
                running[job.user] = running.get(job.user, 0) + 1
        return running

    def _given(self, ids: Sequence[int], version: str) -> list[dict[str, Any]]:
        """The rows of jobs in their order; without checkpoints of other versions."""
        rows = {row["id"]: dict(row) for row in self.parts.reader.of(ids, GIVEN)}
        for row in rows.values():
            if begun_again(row["checkpoint"], row.pop("checkpoint_version"), version):
                row["checkpoint"] = None
        return [rows[id] for id in ids if id in rows]

    def _mark(self, holder: Holder, ids: Sequence[int]) -> None:
        if not ids:
            return

        def write(db: Connection) -> Changes:
            changes = Changes(db)
            for id in ids:
                changes.begin(id, holder)
            return changes

        self.parts.store.write(write, self._tell, owed=True)

    def _structures(self, keys: Collection[str]) -> dict[str, Any]:
        rows = self.parts.reader.parts("select key, config from structure where key in", list(keys))
        return {row["key"]: json.loads(row["config"]) for row in rows}


def _leased(row: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: json.loads(row[name]) for name in ("fields", "over", "overrides")}
    flags = {name: bool(row[name]) for name in ("joins", "search")}
    return {**row, **texts, **flags}


def _shares(used: Mapping[str, float]) -> dict[str, float]:
    total = sum(used.values())
    return {user: seconds / total for user, seconds in used.items() if total}
