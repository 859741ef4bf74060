"""`packtrain work`: a worker for a service on another machine, kept alive here."""

import asyncio
import logging
import sys
from pathlib import Path

from .serve import needs_extra


def work(server: str, token: str, device: str, name: str, data: Path, folder: Path) -> None:
    """Works until a signal ends it. Raises UserError, and SystemExit at the end.

    >>> work("http://127.0.0.1:1", "secret", "tpu", "mine", Path("."), Path("."))
    Traceback (most recent call last):
    packtrain...UserError: devices is auto, none, cpu, a number, or a list of ...; got 'tpu'
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with needs_extra("work"):
        from ..service.remote import Remote  # noqa: PLC0415 (httpx is an extra)
    remote = Remote(server, token, device, name, data, folder / "workers")
    remote.check()
    print(f"packtrain works for {server} as {name}, on {remote.device}; its log is {remote.log}", flush=True)
    sys.exit(asyncio.run(remote.run()))
