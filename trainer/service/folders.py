"""Run folders of jobs, made from what is stored of them when somebody asks: a cache, bounded by bytes."""

import asyncio
import io
import json
import os
import shutil
import tarfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from ...kernels.common.errors import UserError
from .jobs import Job
from .painting import Painter
from .run_folder import MEMORY, RESULT, write_run_folder

MOST_BYTES = 4 << 30
CHUNK = 1 << 18  # bytes of a file that are in memory at a time
Mark = dict[str, Any]


class Stored(Protocol):
    """What a queue knows of jobs."""

    def job(self, id: int) -> Job | None: ...

    def file(self, id: int, name: str) -> bytes | Path | None: ...


class Folders:
    """The run folders below `folder`, one a job, named by its number; `data` is the folder of data.

    Those who ask for the same one at the same time share its making, and pictures are made by a process of
    their own. Where all of them have more than `most_bytes`, those go that were asked for longest ago.
    """

    def __init__(
        self, folder: Path, data: Path, most_bytes: int = MOST_BYTES, painter: Painter | None = None
    ) -> None:
        self.folder, self.data, self.most_bytes = folder, data, most_bytes
        self.painter = painter or Painter(folder / "painter.log")
        self.writers = ThreadPoolExecutor(1, "folders")
        self.waiters = ThreadPoolExecutor(1, "pictures")
        self.making: dict[tuple[int, bool], Future[Path]] = {}
        self.used: Counter[int] = Counter()  # folders that are being read, or made
        self.lock = Lock()

    async def folder_of(self, queue: Stored, id: int, pictures: bool = True) -> Path:
        """The run folder of a job as it is now, with its pictures and events where it has ended.

        Raises UserError where there is no such job, or its overrides can't be composed any more.
        """
        return await asyncio.shield(asyncio.wrap_future(self.begun(queue, id, pictures)))

    def begun(self, queue: Stored, id: int, pictures: bool = True) -> Future[Path]:
        """The same, without waiting for it."""
        with self.lock:
            if making := self.making.get((id, pictures)):
                return making
            if pictures:
                making = self.waiters.submit(self._painted, queue, id)
            else:
                making = self.writers.submit(self._written, queue, id)
            self.making[id, pictures] = making
        making.add_done_callback(lambda _: self.making.pop((id, pictures), None))
        return making

    def said(self, id: int) -> list[str]:
        """What went wrong when its pictures were made."""
        return list(self._mark(id).get("said") or [])

    async def tar_of(self, queue: Stored, id: int, pictures: bool = True) -> AsyncIterator[bytes]:
        """The folder as a tar file, piece by piece. Raises UserError as `folder_of`, at the first piece."""
        with self._using(id):
            folder = await self.folder_of(queue, id, pictures)
            pieces = tar_pieces(folder)
            while piece := await asyncio.to_thread(next, pieces, b""):
                yield piece

    def remove(self, id: int) -> None:
        """Removes the folder of a job that was deleted."""
        self._mark_file(id).unlink(missing_ok=True)
        shutil.rmtree(self.folder / str(id), ignore_errors=True)

    def close(self) -> None:
        """Ends the process that makes pictures; what is being made is given up."""
        self.painter.close()
        self.waiters.shutdown(wait=False, cancel_futures=True)
        self.writers.shutdown(wait=False, cancel_futures=True)

    def _written(self, queue: Stored, id: int) -> Path:
        """The folder with what is stored of the job, which may have changed since it was made."""
        job = queue.job(id)
        if job is None:
            raise UserError(f"there is no job {id}")
        place, version = self.folder / str(id), _version(job)
        with self._using(id):
            if self._mark(id).get("version") == version and place.is_dir():
                os.utime(self._mark_file(id))
                return place
            draft = self.folder / f".{id}"
            shutil.rmtree(draft, ignore_errors=True)
            write_run_folder(draft, job, _files(queue, job), self.data, place)
            self.remove(id)
            draft.rename(place)
            self._remember(id, {"version": version, "bytes": _size(place), "said": None})
            self._forget_old()
        return place

    def _painted(self, queue: Stored, id: int) -> Path:
        """The folder with pictures and events, if it has results."""
        with self._using(id):
            place = self.begun(queue, id, pictures=False).result()
            mark = self._mark(id)
            if (place / RESULT).exists() and mark.get("said") is None:
                with self._memory(queue, id) as memory:
                    said = self.painter.paint(place, memory)
                self._remember(id, mark | {"bytes": _size(place), "said": said})
                self._forget_old()
        return place

    @contextmanager
    def _memory(self, queue: Stored, id: int) -> Iterator[Path | None]:
        """Inside `with`, a file of what the job goes on from, if it left that."""
        content = queue.file(id, MEMORY)
        if not isinstance(content, bytes):
            yield content
            return
        file = self.folder / f".{id}.memory"
        try:
            file.write_bytes(content)
            yield file
        finally:
            file.unlink(missing_ok=True)

    @contextmanager
    def _using(self, id: int) -> Iterator[None]:
        """Inside `with`, the folder stays."""
        with self.lock:
            self.used[id] += 1
        try:
            yield
        finally:
            with self.lock:
                self.used[id] -= 1
                if not self.used[id]:
                    del self.used[id]

    def _mark_file(self, id: int) -> Path:
        return self.folder / f"{id}.json"

    def _mark(self, id: int) -> Mark:
        """What is known of a folder that is whole, {} of others."""
        try:
            return dict(json.loads(self._mark_file(id).read_text()))
        except (OSError, ValueError):
            return {}

    def _remember(self, id: int, mark: Mark) -> None:
        draft = self.folder / f".{id}.json"
        draft.write_text(json.dumps(mark))
        draft.replace(self._mark_file(id))

    def _forget_old(self) -> None:
        """Removes folders, the oldest first, until there is room."""
        known = {}
        for file in self.folder.glob("[0-9]*.json"):
            with suppress(OSError, ValueError):
                known[int(file.stem)] = file.stat().st_mtime_ns, int(json.loads(file.read_text())["bytes"])
        total = sum(size for _, size in known.values())
        for id, (_, size) in sorted(known.items(), key=lambda item: item[1]):
            if total <= self.most_bytes:
                return
            if id not in self.used:
                self.remove(id)
                total -= size


def tar_pieces(folder: Path) -> Iterator[bytes]:
    """A tar file of all files in `folder`, piece by piece.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.txt").write_text("whole")
    ...     content = b"".join(tar_pieces(Path(folder)))
    >>> tarfile.open(fileobj=io.BytesIO(content)).getnames()
    ['a.txt']
    """
    total = 0
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as file:
            for piece in _member(file, path.relative_to(folder).as_posix()):
                total += len(piece)
                yield piece
    end = 2 * tarfile.BLOCKSIZE
    yield bytes(end + -(total + end) % tarfile.RECORDSIZE)


def _member(file: io.BufferedReader, name: str) -> Iterator[bytes]:
    """Its header, and as much content as that says, whatever happens to it; filled up to whole blocks."""
    about = os.fstat(file.fileno())
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = about.st_size, int(about.st_mtime), 0o644
    yield info.tobuf(tarfile.PAX_FORMAT)
    left = info.size
    while left:
        piece = file.read(min(CHUNK, left)) or bytes(min(CHUNK, left))
        left -= len(piece)
        yield piece
    if info.size % tarfile.BLOCKSIZE:
        yield bytes(-info.size % tarfile.BLOCKSIZE)


def _version(job: Job) -> list[Any]:
    """What changes where the folder has to be made again."""
    return [str(job.state), job.started, job.ended, job.message, sorted(map(list, job.files.items()))]


def _files(queue: Stored, job: Job) -> Iterator[tuple[str, bytes | Path]]:
    for name in job.files:
        content = queue.file(job.id, name)
        if content is not None:
            yield name, content


def _size(folder: Path) -> int:
    """The bytes of its files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
