"""The pages of one job: what was asked, how it goes, what came of it, and what may be done with it."""

import asyncio
import re
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute

from ....kernels.common.errors import UserError
from ...folder.digits import number
from ..guard import require
from ..jobs import Asked, Job
from .answers import REFRESH, by_htmx, done, page, part, refused, status_of, to
from .closing import closing_parts
from .curve import Line, lines_of, picture
from .runs import runs_page
from .shared import Pages, new_router, place_of
from .shown import about
from .words import command

PICTURE = re.compile(r"[a-z_]+\.png")
STEPS = "loop.steps"
GLANCE = 0.3  # seconds for which a page waits for pictures
DOWNLOADS = {
    "folder.tar": "the run folder",
    "model.safetensors": "parameters",
    "files/runs.csv": "runs.csv",
    "files/curves.parquet": "curves.parquet",
    "files/result.json": "result.json",
}


def job_routes(pages: Pages) -> list[BaseRoute]:
    """What is below /jobs/ID.

    >>> [route.path for route in job_routes(None)][:2]
    ['/jobs/{id}', '/jobs/{id}/now']
    """
    router = new_router()

    @router.get("/jobs/{id}")
    async def show(id: int, request: Request) -> Response:
        return _whole(pages, request, pages.job(id))

    @router.get("/jobs/{id}/now")
    async def now(id: int, request: Request) -> Response:
        """How it goes; once it has ended, the whole page is asked for."""
        job = pages.job(id)
        answer = part("now.html", **_now(pages, request, job))
        if job.state.is_end:
            answer.headers[REFRESH] = "true"
        return answer

    @router.get("/jobs/{id}/runs")
    async def runs(id: int, request: Request, after: int = -1) -> Response:
        job = pages.job(id)
        content = pages.queue.file(id, "runs.csv")
        shown = await asyncio.to_thread(runs_page, b"" if content is None else content, after)
        return page("runs.html", place_of(request), job=job, runs=shown, after=after)

    @router.get("/jobs/{id}/pictures")
    async def pictures(id: int, request: Request) -> Response:
        values = await _pictures(pages, pages.job(id))
        if by_htmx(request):
            return part("pictures.html", **values)
        return page("pictures_page.html", place_of(request), **values)

    @router.get("/jobs/{id}/pictures/{name}")
    async def picture_file(id: int, name: str) -> Response:
        pages.job(id)
        file = await pages.folders.folder_of(pages.queue, id) / name
        if not PICTURE.fullmatch(name) or not file.is_file():
            return Response(f"job {id} has no picture {name}", 404, media_type="text/plain")
        return FileResponse(file, media_type="image/png")

    @router.post("/jobs/{id}/cancel")
    async def cancel(id: int, request: Request) -> Response:
        pages.own_job(request, id)
        await done(pages.queue.cancel(id))
        return to(f"/jobs/{id}")

    @router.post("/jobs/{id}/continue")
    async def proceed(id: int, request: Request) -> Response:
        job = pages.own_job(request, id)
        steps = str((await request.form()).get("steps", "")).strip()
        try:
            await done(pages.queue.proceed(id, await _with_steps(pages, job, steps)))
        except UserError as error:
            return _whole(pages, request, job, status_of(error), str(error))
        return to(f"/jobs/{id}")

    @router.post("/jobs/{id}/delete")
    async def delete(id: int, request: Request) -> Response:
        job = pages.own_job(request, id)
        try:
            await done(pages.queue.delete(id))
        except UserError as error:
            return refused(place_of(request), 409, str(error), f"/jobs/{job.id}")
        pages.folders.remove(id)
        return to("/")

    return router.routes


async def _with_steps(pages: Pages, job: Job, steps: str) -> Asked | None:
    """The job with another number of steps, None where it stays. Raises UserError."""
    if not steps or steps == str(job.steps):
        return None
    if not steps.isdecimal():
        raise UserError(f"it goes on to a step, a whole number such as 20000; got {steps!r}")
    words = [word for word in job.overrides if word.partition("=")[0] not in (STEPS, "loop.epochs")]
    return (await pages.check([*words, f"{STEPS}={steps}"], False))[0]


def _whole(
    pages: Pages, request: Request, job: Job, status: int = 200, sentence: str = ""
) -> Response:  # fmt: skip
    values = _now(pages, request, job, sentence)
    terminal = command(job.overrides)
    values |= {"terminal": terminal, "submit": command(job.overrides, "submit")}
    values |= {
        "parts": closing_parts(job.result) if job.result else [],
        "downloads": _downloads(job),
        "has_runs": "runs.csv" in job.files,
        "made": None,
        "wait": "1ms",
        "said": [],
    }
    return page("job.html", place_of(request), status, **values)


def _now(pages: Pages, request: Request, job: Job, sentence: str = "") -> dict[str, Any]:
    lines, names = _curve(pages, job)
    return {
        "job": job,
        "ended": job.state.is_end,
        "about": about(job),
        "loss": "" if job.loss is None else number(job.loss),
        "picture": picture(lines, names, 0 if job.state.is_end else job.steps),
        "dashed": any(line.kind == "validation" for line in lines),
        "may_change": require(request).may_change(job.user),
        "sentence": sentence,
    }


def _curve(pages: Pages, job: Job) -> tuple[list[Line], list[str]]:
    """The lines of its first runs, and what these are called."""
    stored = pages.queue.curve(job.id) if job.state.is_end else None
    lines = lines_of(stored) if stored else pages.live.lines(job.id)
    count = max((line.number for line in lines), default=-1) + 1
    if job.runs == 1:
        return lines, [job.name][:count]
    rows = (job.result or {}).get("run")
    values = {row.get("index"): row.get("values") for row in rows or () if isinstance(row, dict)}
    return lines, [_name(run, values.get(run) or {}) for run in range(count)]


def _name(run: int, values: Mapping[str, Any]) -> str:
    words = (f"{field.rpartition('.')[2]}={number(value)}" for field, value in values.items())
    return f"{run} {' '.join(words)}".strip()[:60]


def _downloads(job: Job) -> list[dict[str, str]]:
    there = {name for name in DOWNLOADS if name.removeprefix("files/") in job.files or name == "folder.tar"}
    return [
        {"name": text, "link": f"/api/v1/jobs/{job.id}/{name}"}
        for name, text in DOWNLOADS.items()
        if name in there
    ]


async def _pictures(pages: Pages, job: Job) -> dict[str, Any]:
    """The names of its pictures, None while they are drawn."""
    values: dict[str, Any] = {"job": job, "made": None, "wait": "1s", "said": []}
    making: Future[Path] = pages.folders.begun(pages.queue, job.id)
    try:
        folder = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(making)), GLANCE)
    except TimeoutError:
        return values
    except (UserError, OSError, ValueError) as error:
        return values | {"made": [], "said": [str(error)]}
    names = sorted(file.name for file in folder.glob("*.png") if PICTURE.fullmatch(file.name))
    return values | {"made": names, "said": pages.folders.said(job.id)}
