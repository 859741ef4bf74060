"""A service that trains nothing: the routes that a client asks for, and what goes wrong on the way."""

import io
import json
import tarfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "secret"
API = "/api/v1"
ENDS = "finished", "failed", "cancelled"
DROPPED, LOST, BUSY, GONE = "dropped", "lost", "busy", "gone"  # before it is read, its answer, 429, 503


class Fake:
    """Jobs in memory. `troubles` befall the next requests, one each; `folder` is what finished jobs leave."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.jobs: list[dict[str, Any]] = []
        self.keys: dict[str, list[int]] = {}
        self.events: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []
        self.answered: list[tuple[str, str]] = []
        self.troubles: deque[str] = deque()
        self.data: dict[str, bytes] = {}
        self.changed = Condition()
        self.at_once: str | None = None  # the state in which new jobs end
        self.cut: set[int] = set()  # streams end after these events
        self.starts: list[str | None] = []  # Last-Event-ID of each stream
        self.prefix = ""  # of the names in a tar
        self.hearts = 0  # comments that streams send
        self.url = ""

    def submitted(self, words: list[str], priority: int, key: str, sweep: int = 0) -> dict[str, Any]:
        """A new job."""
        id = len(self.jobs) + 1
        job = {"id": id, "user": "ann", "priority": priority, "overrides": words, "name": "debug", "runs": 1}
        job |= {"state": "queued", "created": 0.0, "step": 0, "steps": 0, "loss": None, "message": ""}
        job |= {"sweep": sweep or id, "idempotency": key, "result": None, "refused": False, "seconds": 0.0}
        self.jobs.append(job)
        if self.at_once:
            self.end(id, self.at_once)
        return job

    def end(self, id: int, state: str = "finished", **about: Any) -> None:
        """The job ends."""
        result = self.result if state == "finished" else None
        self.change(id, state, result=result, **about)

    @property
    def result(self) -> dict[str, Any]:
        """What finished jobs have."""
        return (
            json.loads((self.folder / "result.json").read_text())
            if self.folder
            else {"best_run": None, "run": []}
        )

    def change(self, id: int, kind: str = "progress", **about: Any) -> None:
        """Something happens to the job."""
        with self.changed:
            job = self.jobs[id - 1]
            job |= about | ({} if kind == "progress" else {"state": kind})
            data = {name: job[name] for name in ("step", "steps", "loss", "message")}
            self.events.append({"kind": kind, "job": id, "user": "ann", "data": data})
            self.changed.notify_all()


@contextmanager
def serving(fake: Fake) -> Iterator[Fake]:
    """Inside `with`, the fake is at its `url`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"fake": fake}))
    server.daemon_threads = True
    server.handle_error = lambda request, client_address: None  # of clients that went
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    fake: Fake
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        """Any method; likewise below."""
        parts = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self.route = parts.path.removeprefix(API).strip("/").split("/")
        self.fake.asked.append((self.command, self.path.removeprefix(API)))
        size = int(self.headers.get("Content-Length", 0))
        self.body = self._chunks() if "Transfer-Encoding" in self.headers else self.rfile.read(size)
        trouble = self.fake.troubles.popleft() if self.fake.troubles else ""
        if trouble == DROPPED:
            self._drop()
        elif trouble in (BUSY, GONE):
            status = 429 if trouble == BUSY else 503
            self._answer(status, {"detail": "too many wait"}, {"Retry-After": "0"})
        elif self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._answer(401, {"detail": "this token is nobody's"})
        else:
            self.lost = trouble == LOST
            self._do()
            self.fake.answered.append((self.command, self.path.removeprefix(API)))

    do_POST = do_PUT = do_DELETE = do_GET

    def _do(self) -> None:
        match self.command, self.route:
            case "POST", ["jobs", *batch]:
                self._submit(bool(batch) and batch[0] == "batch", batch)
            case "GET", ["jobs"]:
                self._list()
            case "GET", ["jobs", id]:
                self._one(int(id))
            case "GET", ["jobs", id, "folder.tar"]:
                self._send(200, self._tar(), {"Content-Type": "application/x-tar"})
            case "GET", ["jobs", _, "files", name]:
                assert self.fake.folder
                self._send(200, (self.fake.folder / name).read_bytes())
            case "PUT", ["data", name]:
                self.fake.data[name] = self.body
                self._answer(201, {"name": name})
            case "GET", ["events"]:
                self._stream()
            case "GET", ["fields"]:
                self._answer(200, {"seed": {"type": "int"}})
            case "DELETE", ["jobs", id]:
                self._send(204, b"")
            case _:
                self._answer(404, {"detail": f"no {self.path}"})

    def _submit(self, many: bool, rest: list[str]) -> None:
        if rest and not many:
            self._act(int(rest[0]), rest[1])
            return
        body, key = json.loads(self.body), self.headers["Idempotency-Key"]
        assert key, "a submission without a key"
        asked = body["jobs"] if many else _jobs_of(body)
        if "seed=x" in asked[0]["overrides"]:
            self._answer(422, {"detail": "seed is a whole number; got x"})
            return
        with self.fake.changed:
            ids, status = self.fake.keys.get(key), 200
            if ids is None:
                status, first = 201, len(self.fake.jobs) + 1
                jobs = [self.fake.submitted(a["overrides"], a.get("priority", 0), key, first) for a in asked]
                self.fake.keys[key] = ids = [job["id"] for job in jobs]
        jobs = [self.fake.jobs[id - 1] for id in ids]
        self._answer(status, {"jobs": jobs} if many or body.get("multirun") else jobs[0])

    def _act(self, id: int, what: str) -> None:
        if what == "cancel":
            self.fake.end(id, "cancelled")
        elif what == "continue":
            self.fake.change(id, "queued", overrides=json.loads(self.body)["overrides"])
        self._answer(200, self.fake.jobs[id - 1])

    def _list(self) -> None:
        jobs = [{**job, "result": None} for job in reversed(self.fake.jobs)]
        jobs = [job for job in jobs if job["id"] < int(self.query.get("before", len(jobs) + 1))]
        jobs = [job for job in jobs if self.query.get("state", job["state"]) == job["state"]]
        self._answer(200, jobs[: int(self.query.get("limit", 50))])

    def _one(self, id: int) -> None:
        if id > len(self.fake.jobs):
            self._answer(404, {"detail": f"there is no job {id}"})
            return
        job = self.fake.jobs[id - 1]
        with self.fake.changed:
            wait = float(self.query.get("wait", 0))
            self.fake.changed.wait_for(lambda: job["state"] in ENDS, wait)
        self._answer(200, job)

    def _tar(self) -> bytes:
        assert self.fake.folder
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as tar:
            for path in sorted(self.fake.folder.rglob("*")):
                tar.add(
                    path,
                    f"{self.fake.prefix}{path.relative_to(self.fake.folder)}",
                    recursive=False,
                )
        return content.getvalue()

    def _stream(self) -> None:
        start = self.headers.get("Last-Event-ID")
        self.fake.starts.append(start)
        if len(self.fake.starts) > 20:
            self._answer(500, {"detail": "nothing ever comes to an end here"})
            return
        with self.fake.changed:
            sent = len(self.fake.events) if start is None else int(start)
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b": hello\n\n")
        while sent not in self.fake.cut:
            if self.fake.hearts:
                self.fake.hearts -= 1
                self.wfile.write(b": still here\n\n")
            with self.fake.changed:
                if not self.fake.changed.wait_for(lambda sent=sent: len(self.fake.events) > sent, 1):
                    return
                event = self.fake.events[sent]
            sent += 1
            text = f"id: {sent}\nevent: {event['kind']}\ndata: {json.dumps(event)}\n\n"
            try:
                self.wfile.write(text.encode())
            except OSError:
                return
        self.fake.cut.discard(sent)

    def _answer(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(content).encode(), headers)

    def _send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        if getattr(self, "lost", False):
            self._drop()
            return
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _drop(self) -> None:
        self.close_connection = True

    def _chunks(self) -> bytes:
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content


def _jobs_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Of a sweep a job for each value of the last word."""
    if not body.get("multirun"):
        return [body]
    *shared, last = body["overrides"]
    field, _, values = last.partition("=")
    return [{**body, "overrides": [*shared, f"{field}={value}"]} for value in values.split(",")]
