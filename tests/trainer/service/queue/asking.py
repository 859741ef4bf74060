"""Requests and workers of queues in tests."""

from collections.abc import Mapping
from typing import Any

from packtrain.trainer.service.jobs import Asked
from packtrain.trainer.service.queue.queue import Queue


def asked(seed: int = 0, key: str = "a", runs: int = 1, steps: int = 9) -> Asked:
    """A small request."""
    words = ["experiment=primer", f"seed={seed}", f"loop.steps={steps}"]
    fields = {"seed": seed, "loop.steps": steps}
    return Asked(words, "primer", key, {"seed": 0, "loop": {"steps": 9}}, fields, {}, runs)


class FakeWorker:
    """Talks to a queue as a worker does."""

    def __init__(self, queue: Queue, name: str = "w", start: str = "1", version: str = "v") -> None:
        self.queue, self.name, self.start, self.version = queue, name, start, version
        self.held: list[int] = []

    def lease(self, room: int = 100, busy: tuple[str, ...] = ()) -> dict[str, Any]:
        about = {
            "version": self.version, "device": "cpu", "room": room, "busy": list(busy), "held": self.held,
            "start": self.start,
        }  # fmt: skip
        answer = self.queue.lease(self.name, about)
        self.held += [job["id"] for job in answer["jobs"]]
        self.queue.store.do([]).result(10)  # so that it has been written
        return answer

    def report(self, files: Mapping[str, bytes] | None = None, **said: Any) -> dict[str, Any]:
        done = self.queue.report(self.name, {"start": self.start, **said}, files or {}).result(10)
        gone = [ended["id"] for ended in said.get("ended", [])] + said.get("given_back", [])
        self.held = [id for id in self.held if id not in gone]
        return done

    def end(self, *ids: int, state: str = "finished", files: Mapping[str, bytes] | None = None) -> None:
        shared = {"state": state, "message": "", "seconds": 0.5}
        self.report(files, ended=[{"id": id, **shared, "result": {"run": [id]}} for id in ids])
