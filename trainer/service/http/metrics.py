"""Numbers about the service, for Prometheus, and whether it lives and is ready."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..queue.queue import Queue
from .errors import Problem

RUNS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
ALIVE = 60.0  # seconds since a worker was heard of
FRESH = 5.0  # seconds for which an answer of /readyz holds
PATIENCE = 5.0  # seconds that a commit may take
TABLE = "create table if not exists ready (id integer primary key check (id = 1), at real not null)"
NOTE = "insert or replace into ready values (1, ?)"
NUMBERS: dict[str, Any] = {
    "description": "numbers", "content": {"text/plain": {"schema": {"type": "string"}}}
}  # fmt: skip
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class State(BaseModel):
    """That all is well."""

    status: str


class Metrics:
    """What is counted here; what the queue knows is asked for when somebody looks."""

    def __init__(self, queue: Queue) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(OfQueue(queue))
        self.requests = self._histogram(
            "request_seconds", "Seconds of requests that don't wait.", SECONDS, "method", "route", "status"
        )
        self.leased = self._histogram("lease_runs", "Runs of one structure that a lease gave.", RUNS)
        self.device = Counter(
            "packtrain_device_seconds", "Seconds of a device, by worker.", ["worker"], registry=self.registry
        )

    def lease(self, jobs: Iterable[Mapping[str, Any]]) -> None:
        """Counts the packs that may be made of what was leased."""
        runs: dict[tuple[str, str], int] = {}
        for job in jobs:
            pack = job["key"], job.get("tag", "")
            runs[pack] = runs.get(pack, 0) + job["runs"]
        for count in runs.values():
            self.leased.observe(count)

    def report(self, worker: str, header: Mapping[str, Any]) -> None:
        """Counts the device's seconds in a report."""
        seconds = header.get("seconds")
        given = seconds.values() if isinstance(seconds, Mapping) else ()
        total = sum(value for value in given if isinstance(value, (int, float)))
        if 0 < total < float("inf"):
            self.device.labels(worker).inc(total)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)

    def timed(self, app: ASGIApp) -> ASGIApp:
        """The app, the seconds of whose requests are counted; those that wait for something aren't."""

        async def timed_app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return await app(scope, receive, send)
            begun, status = time.perf_counter(), 500

            async def watched(message: Message) -> None:
                nonlocal status
                status = message.get("status", status)
                await send(message)

            try:
                await app(scope, receive, watched)
            finally:
                route = getattr(scope.get("route"), "path", "none")
                if b"wait=" not in scope["query_string"] and not route.endswith("/events"):
                    seconds = time.perf_counter() - begun
                    self.requests.labels(_method(scope), route, str(status)).observe(seconds)

        return timed_app

    def _histogram(self, name: str, about: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"packtrain_{name}", about, labels, buckets=buckets, registry=self.registry)


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "PUT", "DELETE") else "other"


class OfQueue(Collector):
    """What the queue counts."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue

    def describe(self) -> Iterable[Metric]:
        """Nothing: it would have to be counted for that."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The numbers as they are now."""
        counts = self.queue.counts()
        jobs = GaugeMetricFamily("packtrain_jobs", "Jobs by state.", labels=["state"])
        for state, count in counts["states"].items():
            jobs.add_metric([state], count)
        workers = [worker for worker in counts["workers"].values() if worker["silent"] < ALIVE]
        commits = CounterMetricFamily("packtrain_commits", "Commits of the database.", counts["commits"])
        yield from (jobs, commits)
        for name, about, value in (
            ("runs_waiting", "Runs of jobs that wait.", counts["runs_waiting"]),
            ("oldest_waiting_seconds", "Since the job was submitted that waits longest.", oldest(self.queue)),
            ("leases", "Jobs that workers hold.", counts["leases"]),
            ("workers", "Workers that were heard of within a minute.", len(workers)),
        ):
            yield GaugeMetricFamily(f"packtrain_{name}", about, value)


def oldest(queue: Queue) -> float:
    """Seconds since the job was submitted that has waited longest, 0 where none waits.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     queue = Queue(Path(folder))
    ...     oldest(queue)
    ...     queue.close()
    0.0
    """
    rows = queue.store.read("select created from job where state = 'queued' order by id limit 1")
    return max(0.0, time.time() - rows[0]["created"]) if rows else 0.0


class Readiness:
    """Whether the service does its work: the database writes, and a worker is there."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.said, self.until = "", 0.0
        queue.store.table(TABLE)

    async def why_not(self) -> str:
        """Why it isn't ready, '' where it is; asked often, it says for a while what it said before."""
        if time.monotonic() >= self.until:
            self.said = await self._writes() or self._worker()
            self.until = time.monotonic() + FRESH
        return self.said

    async def _writes(self) -> str:
        try:
            write = self.queue.store.do([(NOTE, (time.time(),))])
            await asyncio.wait_for(asyncio.wrap_future(write), PATIENCE)
        except TimeoutError:
            return f"the database wrote nothing in {PATIENCE:g} s"
        except Exception as error:  # whatever it is
            return f"the database can't write: {error}"
        return ""

    def _worker(self) -> str:
        workers = self.queue.counts()["workers"].values()
        alive = any(worker["silent"] < ALIVE for worker in workers)
        return "" if alive else "no worker was heard of within a minute"


def root_routes(metrics: Metrics, readiness: Readiness) -> APIRouter:
    """/healthz, /readyz and /metrics.

    >>> [route.path for route in root_routes(None, None).routes]
    ['/healthz', '/readyz', '/metrics']
    """
    router = APIRouter(tags=["health"])

    @router.get("/healthz", response_model=State)
    async def healthz() -> State:
        """That the process lives."""
        return State(status="alive")

    @router.get(
        "/readyz", response_model=State, responses={503: {"model": Problem, "description": "not now"}}
    )
    async def readyz() -> Response:
        """Whether the database writes, and a worker is there."""
        reason = await readiness.why_not()
        return JSONResponse({"detail": reason} if reason else {"status": "ready"}, 503 if reason else 200)

    @router.get("/metrics", response_class=Response, responses={200: NUMBERS})
    async def numbers() -> Response:
        """Numbers about the service, for Prometheus."""
        return Response(metrics.text(), media_type=PROMETHEUS)

    return router
