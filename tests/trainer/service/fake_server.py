"""A server in this process, as a worker sees it: it keeps what it is told, and gives what waits."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from threading import Condition
from typing import Any

import httpx

from packtrain.trainer.config.pack import Pack
from packtrain.trainer.service.envelope import opened
from packtrain.trainer.service.structure import difference, joins, key_of
from packtrain.trainer.service.worker.link import Link


@dataclass
class FakeServer:
    """Answers requests as the server's routes do."""

    waiting: list[dict[str, Any]] = field(default_factory=list)
    structures: dict[str, Any] = field(default_factory=dict)
    ended: dict[int, dict[str, Any]] = field(default_factory=dict)
    files: dict[int, dict[str, bytes]] = field(default_factory=dict)
    checkpoints: dict[str, bytes] = field(default_factory=dict)
    newest: dict[int, str] = field(default_factory=dict)
    given_back: list[int] = field(default_factory=list)
    progress: dict[int, dict[str, Any]] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    leased: dict[int, dict[str, Any]] = field(default_factory=dict)
    cancelled: list[int] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    broken: int = 0  # so many requests aren't answered
    reports: int = 0
    moved: Condition = field(default_factory=Condition)

    def link(self, start: str = "one", patience: float = 5.0) -> Link:
        """A worker's way to it."""
        transport = httpx.MockTransport(self.answer)
        return Link("http://here", "token", "worker", start, patience, transport)

    def submit(self, id: int, pack: Pack, checkpoint: str | None = None, **given: Any) -> None:
        """A job that waits from now on."""
        key = key_of(pack)
        base = self.structures.setdefault(key, pack.config)
        job = {
            **{"id": id, "user": "ada", "priority": 0, "created": 0.0, "key": key, "tag": "", "name": ""},
            **{
                "fields": difference(base, pack.config),
                "over": pack.over,
                "runs": pack.runs,
                "overrides": [],
            },
            **{"joins": joins(pack.config), "search": False, "checkpoint": checkpoint, **given},
        }
        with self.moved:
            self.waiting.append(job)
            self.moved.notify_all()

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What the server would say."""
        assert request.headers["Authorization"] == "Bearer token"
        if self.broken:
            self.broken -= 1
            raise httpx.ConnectError("refused")
        *_, who, what = request.url.path.split("/")
        with self.moved:
            if who == "checkpoints":
                body = self.checkpoints.get(what)
                return httpx.Response(404 if body is None else 200, content=body or b"")
            header, files = opened(request.content)
            answer = getattr(self, f"_{what}")(header, files, request)
            self.moved.notify_all()
        return answer

    def wait(self, for_what: Any, seconds: float = 60.0) -> None:
        """Waits until something is so."""
        with self.moved:
            assert self.moved.wait_for(for_what, seconds)

    def _lease(self, header: Mapping[str, Any], files: Any, request: httpx.Request) -> httpx.Response:
        self.asked.append(dict(header))
        until = time.monotonic() + float(request.url.params["wait"])

        def given() -> list[dict[str, Any]]:
            return [job for job in self.waiting if job["key"] not in header["busy"]]

        while not (given() or self.cancelled) and (left := until - time.monotonic()) > 0:
            self.moved.wait(left)
        jobs, room = [], header["room"]
        for job in given():
            if job["runs"] <= room:
                jobs.append(job)
                room -= job["runs"]
        taken = {job["id"] for job in jobs}
        self.waiting = [job for job in self.waiting if job["id"] not in taken]
        self.leased |= {job["id"]: job for job in jobs}
        keys = {job["key"] for job in jobs}
        structures = {key: asdict(config) for key, config in self.structures.items() if key in keys}
        cancelled, self.cancelled = self.cancelled, []
        told = {"cancelled": cancelled, "used": {}, "share": {}, "stop": False}
        return httpx.Response(200, json={"jobs": jobs, "structures": structures, **told})

    def _report(self, header: Mapping[str, Any], files: Mapping[str, bytes], _: Any) -> httpx.Response:
        self.reports += 1
        for line in header["ended"]:
            if self.leased.pop(line["id"], None):
                self.ended[line["id"]] = line
                prefix = f"{line['id']}/"
                own = {name.removeprefix(prefix): c for name, c in files.items() if name.startswith(prefix)}
                self.files[line["id"]] = own
        self.progress |= {line["id"]: line for line in header["progress"]}
        for id in header["given_back"]:
            self.given_back.append(id)
            self.waiting.append(self.leased.pop(id) | {"checkpoint": self.newest.get(id)})
        for id, seconds in header["seconds"].items():
            self.seconds[int(id)] = self.seconds.get(int(id), 0.0) + seconds
        return httpx.Response(200, json={"cancelled": []})

    def _checkpoints(self, header: Mapping[str, Any], files: Any, request: httpx.Request) -> httpx.Response:
        name = f"c{len(self.checkpoints)}"
        self.checkpoints[name] = request.content
        self.newest |= dict.fromkeys(header["jobs"], name)
        return httpx.Response(204)
