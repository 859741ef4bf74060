"""A process that serves TensorBoard of one folder, on this machine, to those who know a secret address.

It reads the secret from its stdin, says its address on its stdout, and ends when nobody has looked for an
hour, or its stdin ends, as it does with the server.
"""

import os
import select
import sys
import time
from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any

HOST = "127.0.0.1"
IDLE = 3600.0  # seconds
SAMPLES = "scalars=5000,images=100,histograms=200,pr_curves=200,text=100"
App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Watched:
    """TensorBoard's app, which knows when somebody looked last; other names of this machine are refused."""

    def __init__(self, app: App) -> None:
        self.app, self.last = app, time.monotonic()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answers a request."""
        host = str(environ.get("HTTP_HOST", "")).rpartition(":")[0]
        if host not in (HOST, "localhost"):
            start("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"this is 127.0.0.1 alone\n"]
        self.last = time.monotonic()
        return self.app(environ, start)


def served(folder: str, secret: str) -> tuple[str, list[Watched]]:
    """Starts TensorBoard in threads of this process -> its address, and what watches it.

    >>> served.__name__
    'served'
    """
    # TensorBoard takes a second to import, and the process is up before
    from tensorboard import program  # noqa: PLC0415 (see above)
    from tensorboard.data.server_ingester import NoDataServerError, get_server_binary  # noqa: PLC0415 (likewise)

    watched: list[Watched] = []

    def server(app: App, flags: Any) -> Any:
        watched.append(Watched(app))
        return program.WerkzeugServer(watched[0], flags)

    try:
        get_server_binary()
        fast = "true"
    except NoDataServerError:
        fast = "false"
    board = program.TensorBoard(server_class=server)
    options = {
        "logdir": folder, "host": HOST, "port": 0, "load_fast": fast, "reload_interval": 5,
        "path_prefix": f"/{secret}", "samples_per_plugin": SAMPLES, "window_title": "Packtrain",
    }  # fmt: skip
    board.configure(argv=["tensorboard", *(f"--{name}={value}" for name, value in options.items())])
    return board.launch(), watched


def _main() -> None:
    """Serves the folder that the command names."""
    secret = sys.stdin.readline().strip()
    if not secret:
        return
    address, watched = served(sys.argv[1], secret)
    print(f"{address.rstrip('/')}/", flush=True)
    Thread(target=_end_when_idle, args=(watched,), daemon=True).start()
    select.select([sys.stdin], [], [])
    os._exit(0)


def _end_when_idle(watched: list[Watched]) -> None:
    while time.monotonic() - watched[0].last < IDLE:
        time.sleep(30)
    os._exit(0)


if __name__ == "__main__":
    _main()
