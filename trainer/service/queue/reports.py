"""Reports: how far jobs have come, and what they came to, taken from who holds them only."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from sqlite3 import Connection
from typing import Any

from ..jobs import State
from .changes import Changes, Given, Holder
from .files import INSIDE, check_name
from .parts import Parts

MEMORY = "memory"  # the file that an ended job goes on from
NO_ROOM = "it found no memory, not even alone"


class Reports:
    """Takes in what workers say."""

    def __init__(self, parts: Parts) -> None:
        self.parts, self.memory = parts, parts.memory

    def report(
        self, name: str, header: Mapping[str, Any], files: Mapping[str, bytes]
    ) -> "Future[dict[str, Any]]":
        """Large files are written at once, the rest with the next commit. Full, UserError."""
        answer: Future[dict[str, Any]] = Future()
        answer.set_running_or_notify_cancel()
        given = answer, Holder(name, str(header.get("start", ""))), header, files
        if any(len(content) > INSIDE for content in files.values()):
            self.parts.disk.submit(self._begin, *given)
        else:
            self._begin(*given)
        return answer

    def _begin(
        self,
        answer: "Future[dict[str, Any]]",
        holder: Holder,
        header: Mapping[str, Any],
        files: Mapping[str, bytes],
    ) -> None:
        try:
            given = self._written(holder, files)
            self._charge(holder, header.get("seconds") or {})
        except Exception as error:
            answer.set_exception(error)
            return

        def write(db: Connection) -> Changes:
            return _taken(Changes(db), holder, header, given)

        done = self.parts.store.write(write, lambda changes: self._then(holder, header, changes))
        done.add_done_callback(lambda done: self._answer(answer, done, holder, header, given))

    def _written(self, holder: Holder, files: Mapping[str, bytes]) -> dict[int, list[Given]]:
        """The files by job, of those that it holds."""
        with self.memory.lock:
            held = set(self.memory.held_by(holder.worker, holder.start))
        given: dict[int, list[Given]] = {}
        for path, content in files.items():
            job, _, name = path.partition("/")
            check_name(name)
            if job.isdecimal() and int(job) in held:
                given.setdefault(int(job), []).append(self._put(int(job), name, content))
        return given

    def _put(self, job: int, name: str, content: bytes) -> Given:
        if len(content) <= INSIDE:
            return Given(name, len(content), content, None)
        return Given(name, len(content), None, self.parts.files.put(job, name, content))

    def _charge(self, holder: Holder, seconds: Mapping[str, float]) -> None:
        with self.memory.lock:
            now, held = time.monotonic(), self.memory.held_by(holder.worker, holder.start)
            if worker := self.memory.workers.get(holder.worker):
                worker.heard = now
            for id, spent in seconds.items():
                if job := held.get(int(id)):
                    self.memory.usage.add(job.user, float(spent), now)

    def _then(self, holder: Holder, header: Mapping[str, Any], changes: Changes) -> None:
        with self.memory.lock:
            for job in self.memory.let_go(holder.worker, holder.start, ids_of(header.get("ended"))):
                self.memory.usage.runs_ended += job.runs
            for job in self.memory.let_go(holder.worker, holder.start, ids_of(header.get("given_back"))):
                self.memory.waiting.add(replace(job, tag=changes.tags.get(job.id, job.tag)))
            for id in changes.ended:
                self.memory.ended(id)
        self.parts.files.remove(changes.unused)
        self.parts.tell(changes.events)

    def _answer(
        self,
        answer: "Future[dict[str, Any]]",
        done: "Future[Changes]",
        holder: Holder,
        header: Mapping[str, Any],
        given: Mapping[int, Sequence[Given]],
    ) -> None:
        if error := done.exception():
            self.parts.files.remove(file.place for files in given.values() for file in files)
            answer.set_exception(error)
            return
        with self.memory.lock:
            said = ids_of(header.get("progress"))
            stale = self.memory.to_let_go(holder.worker, holder.start, said)
        answer.set_result({"cancelled": stale})


def ids_of(said: Iterable[Mapping[str, Any] | int] | None) -> list[int]:
    """The jobs that a part of a report is about.

    >>> ids_of([{"id": 17, "step": 3}]), ids_of([17]), ids_of(None)
    ([17], [17], [])
    """
    return [int(each["id"] if isinstance(each, Mapping) else each) for each in said or ()]


def _taken(
    changes: Changes, holder: Holder, header: Mapping[str, Any], given: Mapping[int, Sequence[Given]]
) -> Changes:
    """All that a report says, in its order."""
    for id, seconds in (header.get("seconds") or {}).items():
        if changes.held(int(id), holder):
            changes.db.execute("update job set seconds = seconds + ? where id = ?", (float(seconds), int(id)))
    for progress in header.get("progress") or ():
        _progress(changes, holder, progress)
    for ended in header.get("ended") or ():
        _end(changes, holder, ended, given.get(int(ended["id"]), ()))
    back = ids_of(header.get("given_back"))
    if header.get("retry") == "halves":
        changes.blame(back, holder, str(header.get("reason") or NO_ROOM))
    else:
        for id in back:
            changes.give_back(id, holder)
    told = {int(ended["id"]) for ended in header.get("ended") or ()}
    changes.unused += [
        file.place for id, files in given.items() if id not in told for file in files if file.place
    ]
    return changes


def _progress(changes: Changes, holder: Holder, progress: Mapping[str, Any]) -> None:
    row = changes.held(int(progress["id"]), holder)
    if row is None or row["state"] != State.RUNNING:
        return
    _put_progress(changes, progress)
    data = {name: progress.get(name) for name in ("step", "steps", "loss", "losses") if name in progress}
    changes.event("progress", int(progress["id"]), row["user"], data)


def _put_progress(changes: Changes, said: Mapping[str, Any]) -> None:
    values = said["step"], said["steps"], said.get("loss"), int(said["id"])
    changes.db.execute("update job set step = ?, steps = max(steps, ?), loss = ? where id = ?", values)


def _end(changes: Changes, holder: Holder, ended: Mapping[str, Any], files: Sequence[Given]) -> None:
    """What a job came to; one that was cancelled stays so, whatever it came to meanwhile."""
    id, state = int(ended["id"]), State(ended["state"])
    row = changes.held(id, holder, "state, user, checkpoint")
    if row is None:
        changes.unused += [file.place for file in files if file.place]
        return
    cancelled = row["state"] == State.CANCELLED
    state = State.CANCELLED if cancelled else state
    result, curve = (
        json.dumps(ended[name]) if ended.get(name) is not None else None for name in ("result", "curve")
    )
    if "step" in ended:
        _put_progress(changes, ended)
    memory = any(file.name == MEMORY for file in files)
    kept = None if memory or state == State.FINISHED else row["checkpoint"]
    changes.db.execute(
        "update job set holder = null, state = ?, message = ?, refused = ?, ended = coalesce(ended, ?),"
        " seconds = max(seconds, ?), result = ?, curve = ?, checkpoint = ?, tag = '' where id = ?",
        (
            str(state), ended.get("message") or "", bool(ended.get("refused")), time.time(),
            float(ended.get("seconds") or 0), result, curve, kept, id,
        ),
    )  # fmt: skip
    changes.drop_checkpoint(row["checkpoint"])
    changes.put_files(id, files)
    changes.ended.append(id)
    if not cancelled:
        data = {"message": ended.get("message") or "", "name": changes.row(id, "name")["name"]}
        changes.event(state, id, row["user"], data)
