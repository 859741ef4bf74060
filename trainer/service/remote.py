"""A worker of a service on another machine: its process is kept here, as the server keeps its own."""

import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx

from ...kernels.common.errors import UserError
from .devices import devices_of
from .ending import ended_by_signal
from .envelope import sealed
from .keeper import COMMAND, Keeper, Local

log = logging.getLogger(__name__)
PATIENCE = 10.0  # seconds for an answer
WORKERS = "/api/v1/workers"


class Remote:
    """The worker `name` on a `device`, for the service at `server`; its log is in the folder `logs`.

    Raises UserError for a device that isn't there.
    """

    def __init__(
        self,
        server: str,
        token: str,
        device: str,
        name: str,
        data: Path,
        logs: Path,
        command: Sequence[str] = COMMAND,
    ) -> None:
        devices = devices_of(f"cuda:{device}" if device.isdecimal() else device)
        if not devices:
            raise UserError("a worker works on a device: device=auto, cpu or a number; got 'none'")
        self.device, self.name, self.logs = devices[0], name, logs
        self.client = httpx.Client(
            base_url=f"{server}{WORKERS}", headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE
        )
        self.keeper = Keeper([], server, token, logs, data, self._died, command)
        self.keeper.locals = [Local(name, self.device)]
        self.telling = ThreadPoolExecutor(1, "telling")

    @property
    def log(self) -> Path:
        """What the worker's process says."""
        return self.logs / f"{self.name}.log"

    def check(self) -> None:
        """Raises UserError where the service refuses the token; one that isn't there yet is waited for."""
        try:
            answer = self.client.get("/checkpoints/none")
        except httpx.HTTPError as error:
            log.warning("no service at %s yet (%s): waiting for it", self.client.base_url.host, error)
            return
        if answer.status_code in (401, 403):
            raise UserError(f"the service refuses this worker: {answer.json()['detail']}")

    async def run(self) -> int:
        """Works -> 130 or 143, after SIGINT or SIGTERM."""
        ended = ended_by_signal()
        await self.keeper.start()
        number = await ended
        log.info("ends: what it holds is kept by the service")
        await self.keeper.stop()
        self.telling.shutdown(wait=False, cancel_futures=True)
        self.client.close()
        return 128 + number

    def _died(self, name: str, hand: Sequence[int], reason: str) -> Future[None]:
        return self.telling.submit(self._tell, name, list(hand), reason)

    def _tell(self, name: str, hand: list[int], reason: str) -> None:
        body = sealed({"hand": hand, "reason": reason}, {})
        try:
            self.client.post(f"/{name}/died", content=body).raise_for_status()
        except httpx.HTTPError as error:  # then it finds out by itself, since it hears nothing more
            log.warning("the service isn't told that worker %s has ended: %s", name, error)
