"""Jobs over HTTP: submitting, looking, waiting, ending them, and what they left."""

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..guard import require
from ..jobs import Job, State
from .context import Context
from .errors import problems
from .shown import MOST, BatchRequest, ContinueRequest, JobRequest, Jobs, JobShown, many, shown

Id = Annotated[int, Path(ge=1, le=MOST, description="the job's number")]
Number = Annotated[int | None, Query(ge=0, le=MOST)]
Key = Annotated[
    str | None,
    Header(min_length=1, max_length=200, description="of the client's own: the same key is the same job"),
]


def job_routes(context: Context) -> APIRouter:
    """POST and GET /jobs, and what is below.

    >>> [route.path for route in job_routes(None).routes][:3]
    ['/jobs', '/jobs/batch', '/jobs']
    """
    router = APIRouter(tags=["jobs"])
    taken: dict[int | str, dict[str, Any]] = {
        201: {"model": JobShown | Jobs, "description": "taken, and on the disk"},
        200: {"model": JobShown | Jobs, "description": "what was taken with this key before"},
        **problems(409, 507),
    }

    @router.post("/jobs", status_code=201, response_model=None, responses=taken)
    async def submit(asking: JobRequest, request: Request, idempotency_key: Key = None) -> Response:
        """Takes a job, or with `multirun` a sweep: 201 once it is on the disk."""
        begun = time.time()
        jobs, left_out = await _submit(context, asking, request, idempotency_key)
        status = 200 if jobs[0].created < begun else 201
        return JSONResponse(many(jobs, left_out) if asking.multirun else shown(jobs[0], True), status)

    @router.post("/jobs/batch", status_code=201, response_model=None, responses=taken | _jobs(201))
    async def submit_batch(batch: BatchRequest, request: Request, idempotency_key: Key = None) -> Response:
        """Takes many requests: all are checked before the first is taken."""
        context.limits.check_batch(len(batch.jobs))
        begun = time.time()
        jobs, left_out = await _submit_all(context, batch.jobs, request, idempotency_key)
        known = bool(jobs) and all(job.created < begun for job in jobs)
        return JSONResponse(many(jobs, left_out), 200 if known else 201)

    @router.get("/jobs", response_model=None, responses=_jobs(200) | problems())
    async def listed(
        before: Number = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        state: State | None = None,
        user: Annotated[str | None, Query(max_length=200)] = None,
        sweep: Number = None,
    ) -> Response:
        """The newest jobs first, without their results; the next page is that `before` the last one's id."""
        jobs = context.queue.jobs(before=before, limit=limit, user=user, state=state, sweep=sweep)
        return JSONResponse(many(jobs))

    one: dict[int | str, dict[str, Any]] = {200: {"model": JobShown}, **problems(404, 409, 507)}

    @router.get("/jobs/{id}", response_model=None, responses=one)
    async def get(
        id: Id, wait: Annotated[float, Query(ge=0, description="seconds, until it has ended")] = 0.0
    ) -> Response:
        """A job with its result; with `wait` when it has ended, or so many seconds later (60 at most)."""
        job = context.job(id)
        if wait and not job.state.is_end:
            await context.hub.ended(id, min(wait, context.limits.wait))
            job = context.job(id)
        return JSONResponse(shown(job, True))

    @router.post("/jobs/{id}/cancel", response_model=None, responses=one)
    async def cancel(id: Id, request: Request) -> Response:
        """Ends a job. One that has ended stays as it is."""
        require(request, owner=context.job(id).user)
        return JSONResponse(shown(await asyncio.wrap_future(context.queue.cancel(id)), True))

    @router.post("/jobs/{id}/continue", response_model=None, responses=one)
    async def proceed(id: Id, request: Request, asking: ContinueRequest | None = None) -> Response:
        """Lets a job that has ended go on from what it left; `overrides` such as loop.steps may be others."""
        job = context.job(id)
        require(request, owner=job.user)
        new = asking.overrides if asking else []
        asked = (await context.checked([*job.overrides, *new])).asked[0] if new else None
        return JSONResponse(shown(await asyncio.wrap_future(context.queue.proceed(id, asked)), True))

    @router.delete("/jobs/{id}", status_code=204, response_model=None, responses=problems(404, 409))
    async def delete(id: Id, request: Request) -> Response:
        """Removes a job that has ended, and all that it left."""
        job = context.job(id)
        require(request, owner=job.user)
        if not job.state.is_end:
            raise HTTPException(409, f"job {id} is {job.state}: cancel it before it is deleted")
        await asyncio.wrap_future(context.queue.delete(id))
        if context.folders:
            context.folders.remove(id)
        return Response(status_code=204)

    return router


def _jobs(status: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Jobs}}


async def _submit(
    context: Context, asking: JobRequest, request: Request, key: str | None
) -> tuple[list[Job], list[str]]:
    user = require(request)
    checked = await context.checked(asking.overrides, asking.multirun)
    jobs = context.queue.submit(checked.asked, user.name, asking.priority, key)
    return await asyncio.wrap_future(jobs), checked.left_out


async def _submit_all(
    context: Context, askings: Sequence[JobRequest], request: Request, key: str | None
) -> tuple[list[Job], list[str]]:
    """All jobs of a batch: none of them is taken where one is refused. Raises UserError."""
    user = require(request)
    checked = []
    for place, asking in enumerate(askings):
        with context.naming(f"jobs[{place}]"):
            checked.append(await context.checked(asking.overrides, asking.multirun))
    taken = [
        context.queue.submit(part.asked, user.name, asking.priority, key and f"{key}/{place}")
        for place, (part, asking) in enumerate(zip(checked, askings, strict=True))
    ]
    jobs = await asyncio.gather(*map(asyncio.wrap_future, taken))
    return [job for part in jobs for job in part], [text for part in checked for text in part.left_out]
