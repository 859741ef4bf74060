"""The server's process: queue, routes, pages and local workers, put together, until a signal ends it."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from ...kernels.common.errors import UserError
from ..folder.atomic import replace_json
from .asked import Composer
from .boards import Boards
from .catalogue import catalogue
from .devices import devices_of
from .ending import ended_by_signal
from .folders import Folders
from .guard import WORKER, Guard, Users, refuse_open_host
from .guard.login import login_routes
from .http.app import Service
from .http.data import data_routes
from .keeper import COMMAND, Keeper
from .limits import Limits
from .pages.answers import login_page
from .pages.routes import Pages, make_pages
from .queue.queue import Queue
from .uploads import DataFolder

log = logging.getLogger(__name__)
FILE = "server.json"  # in the service's folder: where it is reached
SILENT = 330.0  # seconds after which what a worker holds is given back: longer than one slice may last
GLANCE = 5.0  # seconds between two looks for silent workers
LAST = 1  # seconds for answers under way, when all workers have ended
CONNECTIONS = 2_000  # at once
FAMILIES = {socket.AF_INET, socket.AF_INET6}


@dataclass(frozen=True)
class Settings:
    """Where a service listens and keeps its files: `port` 0 is any that is free, `data` None its own folder.

    `names` are hosts by which it is reached, as behind a proxy; `worker` is the command of a worker.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 7070
    data: Path | None = None
    devices: str = "auto"
    names: Sequence[str] = ()
    limits: Limits = Limits()
    worker: Sequence[str] = COMMAND

    @property
    def data_folder(self) -> Path:
        """The folder of data."""
        return self.data or self.folder / "data"


class Uvicorn(uvicorn.Server):
    """Leaves signals to the service, which ends its workers first."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


class Server:
    """A service with these settings: opens its folder and takes its port. Raises UserError where it can't.

    `run` serves until a signal ends it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        devices = devices_of(settings.devices)
        folder, limits = make_folder(settings.folder), settings.limits
        self.queue = Queue(folder, limits)
        try:
            data = DataFolder(settings.data_folder, self.queue.store)
            Users(self.queue.store)  # makes its table
            refuse_open_host(settings.host, self.queue.store)
            self.socket = listening(settings.host, settings.port)
            self.port = self.socket.getsockname()[1]
            self.guard = Guard(self.queue.store, folder, settings.host, self.port, settings.names)
        except BaseException:
            self.queue.close()
            raise
        self.folders = Folders(folder / "folders", settings.data_folder)
        self.boards = Boards(folder / "tensorboard", self.folders)
        self.service = Service(
            self.queue, Composer(limits, settings.data_folder), self.guard,
            routers=[data_routes(data)], folders=self.folders, limits=limits,
        )  # fmt: skip
        self.pages = Pages(self.queue, self.service.asked, self.folders, self.boards, catalogue)
        for router in (login_routes(self.guard, login_page()), make_pages(self.pages)):
            self.service.app.include_router(router, include_in_schema=False)
        token = self.guard.users.make_temporary("local", WORKER)
        self.keeper = Keeper(
            devices, self.local_url, token, folder / "workers", settings.data_folder, self.queue.died,
            settings.worker,
        )  # fmt: skip

    @property
    def url(self) -> str:
        """Where people reach it."""
        host = self.settings.host
        shown = f"[{host}]" if ":" in host else host
        return f"http://{socket.gethostname() if host in ('0.0.0.0', '::') else shown}:{self.port}"

    @property
    def local_url(self) -> str:
        """Where its own workers reach it."""
        return f"http://127.0.0.1:{self.port}" if self.settings.host in ("0.0.0.0", "::") else self.url

    @property
    def token_file(self) -> Path:
        """The file with the first admin's token, if it is still there."""
        return self.settings.folder / "token"

    def run(self, ready: Callable[[], None] = lambda: None) -> int:
        """Serves, and calls `ready` once it does -> 130 or 143, after SIGINT or SIGTERM."""
        replace_json(self.settings.folder / FILE, {"url": self.local_url, "pid": os.getpid()})
        try:
            return asyncio.run(self._serve(ready))
        finally:
            (self.settings.folder / FILE).unlink(missing_ok=True)
            self.close()

    def close(self) -> None:
        """Closes what is open."""
        self.pages.close()
        self.boards.close()
        self.folders.close()
        self.service.close()
        self.queue.close()
        self.socket.close()

    async def _serve(self, ready: Callable[[], None]) -> int:
        ended = ended_by_signal()
        server = Uvicorn(self._config())
        serving = asyncio.create_task(server.serve(sockets=[self.socket]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        watching = asyncio.create_task(self._watch())
        await self.keeper.start()
        ready()
        await asyncio.wait({serving, ended}, return_when=asyncio.FIRST_COMPLETED)
        number = ended.result() if ended.done() else signal.SIGTERM
        log.info("ends after %s: workers keep what they have come to", signal.Signals(number).name)
        watching.cancel()
        self.queue.stop()
        self.service.hub.moves.happen()  # leases that wait are told
        await self.keeper.stop()
        self.service.close()
        server.should_exit = True
        await asyncio.gather(serving, watching, return_exceptions=True)
        return 128 + number

    def _config(self) -> uvicorn.Config:
        return uvicorn.Config(
            self.service, http="h11", loop="asyncio", ws="none", log_config=None, access_log=False,
            server_header=False, limit_concurrency=CONNECTIONS, timeout_keep_alive=75,
            timeout_graceful_shutdown=LAST, proxy_headers=False, h11_max_incomplete_event_size=64 << 10,
        )  # fmt: skip

    async def _watch(self) -> None:
        """Gives back what silent workers hold."""
        while True:
            await asyncio.sleep(GLANCE)
            try:
                await asyncio.to_thread(self.queue.forget_silent, SILENT)
            except Exception:
                log.exception("what silent workers hold isn't given back yet")


def make_folder(folder: Path) -> Path:
    """The service's folder, which is its owner's alone. Raises UserError where it can't be made.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     oct(make_folder(Path(folder, "service")).stat().st_mode & 0o777)
    '0o700'
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"can't make the service's folder {folder}: {error.strerror}") from None
    return folder


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises UserError where it can't.

    >>> with listening("127.0.0.1", 0) as taken:
    ...     listening("127.0.0.1", taken.getsockname()[1])
    Traceback (most recent call last):
    packtrain...UserError: port ... of 127.0.0.1 is taken: ...N (0: any that is free)
    """
    try:
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = next(place for place in places if place[0] in FAMILIES)
    except (OSError, StopIteration, UnicodeError):
        raise UserError(f"host is a name or an address of this machine; got {host!r}") from None
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(1024)
    except OSError as error:
        opened.close()
        if isinstance(error, PermissionError):
            raise UserError(f"port {port} needs rights that this user hasn't: take one above 1023") from None
        raise UserError(
            f"port {port} of {host} is taken: stop what listens there, or say port=N (0: any that is free)"
        ) from None
    return opened
