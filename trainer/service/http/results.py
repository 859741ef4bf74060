"""What jobs left, over HTTP: rows, curves, files, and the run folder as the command would have left it."""

import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter
from fastapi import Path as PathParameter
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse

from .context import Context
from .errors import problems
from .jobs import Id
from .shown import Curves, Rows, finite

LOG = "log"  # as workers name it
TYPES = {
    ".json": "application/json", ".csv": "text/csv; charset=utf-8", ".png": "image/png",
    ".log": "text/plain; charset=utf-8",
}  # fmt: skip
NAME = re.compile(r"\w[\w.\- ]*(/\w[\w.\- ]*)*")
Name = Annotated[str, PathParameter(max_length=200, description="as in the job's `files`")]


def result_routes(context: Context) -> APIRouter:
    """What is below GET /jobs/ID.

    >>> [route.path for route in result_routes(None).routes][:2]
    ['/jobs/{id}/runs', '/jobs/{id}/curves']
    """
    router = APIRouter(tags=["results"])

    @router.get("/jobs/{id}/runs", response_model=None, responses=_ok(Rows) | problems(404))
    async def runs(id: Id) -> Response:
        """The rows of its runs; all of many runs are in the file runs.csv."""
        job = context.job(id)
        rows = (job.result or {}).get("run", [])
        return JSONResponse({"id": id, "runs": job.runs, "rows": finite(rows)})

    @router.get("/jobs/{id}/curves", response_model=None, responses=_ok(Curves) | problems(404))
    async def curves(id: Id) -> Response:
        """The losses on the way, of ten runs at most; all that was recorded is in the file curves.parquet."""
        context.job(id)
        curve = context.queue.curve(id) or {"step": [], "runs": []}
        return JSONResponse(finite(curve))

    @router.get("/jobs/{id}/model.safetensors", response_class=Response, responses=_binary())
    async def model(id: Id) -> Response:
        """The parameters of all its runs."""
        return _sent(context.file(id, "model.safetensors"), "model.safetensors")

    @router.get("/jobs/{id}/files/{name:path}", response_class=Response, responses=_binary())
    async def file(id: Id, name: Name) -> Response:
        """A file that it left; a picture is drawn when it is asked for."""
        if context.queue.file(id, name) is None and name.endswith(".png") and context.folders:
            return await _picture(context, id, name)
        return _sent(context.file(id, name), name)

    @router.get("/jobs/{id}/log", response_class=Response, responses=_text() | problems(404))
    async def log(id: Id) -> Response:
        """What was logged while it trained."""
        job = context.job(id)
        if LOG not in job.files:
            return PlainTextResponse(f"{job.message}\n" if job.message else "")
        return _sent(context.file(id, LOG), "train.log")

    @router.get("/jobs/{id}/folder.tar", response_class=Response, responses=_binary(501))
    async def folder(id: Id) -> Response:
        """Its run folder, with the files that the command would have left, bit for bit, as a tar file."""
        context.job(id)
        folders = _folders(context)
        await folders.folder_of(context.queue, id)
        pieces = folders.tar_of(context.queue, id)
        return StreamingResponse(pieces, media_type="application/x-tar", headers=_attached(f"job-{id}.tar"))

    return router


def _ok(model: Any) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model}}


def _binary(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"description": "the file", "content": content}, **problems(404, *statuses)}


def _text() -> dict[int | str, dict[str, Any]]:
    content = {"text/plain": {"schema": {"type": "string"}}}
    return {200: {"description": "what was logged", "content": content}}


def _folders(context: Context) -> Any:
    if context.folders is None:
        raise HTTPException(501, "this server makes no run folders: fetch single files")
    return context.folders


async def _picture(context: Context, id: int, name: str) -> Response:
    """A picture of its run folder."""
    context.job(id)
    place = await _folders(context).folder_of(context.queue, id) / name
    if not NAME.fullmatch(name) or not place.is_file():
        raise HTTPException(404, f"job {id} has no picture {name}")
    return FileResponse(place, media_type="image/png")


def _sent(content: bytes | Path, name: str) -> Response:
    """A file, which a browser never takes for a page."""
    kind = TYPES.get(Path(name).suffix, "application/octet-stream")
    headers = {} if kind == "image/png" else _attached(Path(name).name)
    if isinstance(content, Path):
        return FileResponse(content, media_type=kind, headers=headers)
    return Response(content, media_type=kind, headers=headers)


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f"attachment; filename*=utf-8''{quote(name)}"}
