"""Files of data over HTTP: what is there, and one more."""

from typing import Any

from fastapi import APIRouter, HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from ..guard import User, require
from ..uploads import DataFile, DataFolder, Refused, Upload

PART = 1 << 20  # bytes that are written at a time


def data_routes(data: DataFolder) -> APIRouter:
    """GET /data, and PUT /data/NAME, whose body is the file.

    >>> [route.path for route in data_routes(None).routes]
    ['/data', '/data/{name:path}']
    """
    router = APIRouter()

    @router.get("/data")
    async def listed() -> list[dict[str, Any]]:
        """The files that data.path may name, with their sizes and who uploaded them."""
        return [_as_json(file) for file in await run_in_threadpool(data.files)]

    @router.put("/data/{name:path}", responses={status: {} for status in (201, 403, 409, 413, 422, 507)})
    async def put(name: str, request: Request) -> Response:
        """Stores the body as the file of this name: 201 once it is durable. Only its owner may replace it."""
        user = require(request)
        try:
            file = await _stored(data, name, user, request)
        except Refused as refused:
            raise HTTPException(refused.status, str(refused)) from None
        return JSONResponse(_as_json(file), 201)

    return router


async def _stored(data: DataFolder, name: str, user: User, request: Request) -> DataFile:
    length = request.headers.get("content-length", "")
    size = int(length) if length.isdecimal() else None
    with data.upload(name, user, size) as upload:
        try:
            await _receive(upload, request)
        except ClientDisconnect:
            raise Refused(400, f"{name} didn't arrive whole: nothing was stored") from None
        return await run_in_threadpool(upload.keep)


async def _receive(upload: Upload, request: Request) -> None:
    waiting: list[bytes] = []
    async for part in request.stream():
        waiting.append(part)
        if sum(map(len, waiting)) >= PART:
            await run_in_threadpool(upload.write, b"".join(waiting))
            waiting = []
    await run_in_threadpool(upload.write, b"".join(waiting))


def _as_json(file: DataFile) -> dict[str, Any]:
    return {"name": file.name, "size": file.size, "user": file.user}
