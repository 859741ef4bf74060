"""`packtrain serve`: the service on this machine, and its users."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...kernels.common.errors import UserError

if TYPE_CHECKING:
    from ..service.server import Server

EXTRA = "fastapi", "starlette", "uvicorn", "pydantic", "jinja2", "prometheus_client", "multipart", "httpx"


def serve(user: str | None = None, **given: Any) -> None:
    """Serves until a signal ends it, or makes a `user`. Raises UserError, and SystemExit at the end.

    >>> serve(user="../etc", folder=Path("/nowhere/at/all"), role="user", renew=False, remove=False)
    Traceback (most recent call last):
    packtrain...UserError: there is no service in /nowhere/at/all yet: `packtrain serve` makes one
    """
    if user is not None:
        return change_user(user, given["folder"], given["role"], given["renew"], given["remove"])
    settings = {name: given[name] for name in ("folder", "host", "port", "data", "devices", "names")}
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    with needs_extra("serve"):
        from ..service.server import Server, Settings  # noqa: PLC0415 (fastapi is an extra, and takes a second)
    server = Server(Settings(**settings))
    sys.exit(server.run(lambda: _say(server)))


@contextmanager
def needs_extra(command: str) -> Iterator[None]:
    """Inside `with`, a package of the extra that isn't there is a UserError.

    >>> with needs_extra("serve"):
    ...     raise ModuleNotFoundError(name="fastapi")
    Traceback (most recent call last):
    packtrain...UserError: packtrain serve needs fastapi: pip install 'packtrain[serve]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in EXTRA:
            raise
        raise UserError(f"packtrain {command} needs {missing}: pip install 'packtrain[serve]'") from None


def change_user(name: str, folder: Path, role: str, renew: bool, remove: bool) -> None:
    """Makes a user of the service in `folder`, and prints their token, or removes one. Raises UserError.

    >>> change_user("ada", Path("/nowhere/at/all"), "user", False, False)
    Traceback (most recent call last):
    packtrain...UserError: there is no service in /nowhere/at/all yet: `packtrain serve` makes one
    """
    with needs_extra("serve"):
        from ..service.guard.sessions import Sessions  # noqa: PLC0415 (fastapi is an extra)
        from ..service.guard.users import Users  # noqa: PLC0415 (likewise)
        from ..service.queue.queue import DATABASE  # noqa: PLC0415 (likewise)
        from ..service.queue.store import Store  # noqa: PLC0415 (likewise)
    if not (folder / DATABASE).is_file():
        raise UserError(f"there is no service in {folder} yet: `packtrain serve` makes one")
    store = Store(folder / DATABASE)  # also while a server has it: both write by turns
    try:
        Sessions(store)
        users = Users(store)
        if remove:
            users.remove(name)
            print(f"{name} is no user any more; their jobs stay")
            return
        token = users.add(name, role, renew)
    finally:
        store.close()
    print(f"the token of {name} ({role}), which nobody can look up again:\n{token}")


def _say(server: "Server") -> None:
    print("\n".join(lines_of(server, sys.stdout.isatty())), flush=True)


def lines_of(server: Any, to_person: bool) -> Sequence[str]:
    """What `packtrain serve` says when it serves: a link with the token to a person's terminal alone.

    >>> from types import SimpleNamespace as Some
    >>> settings = Some(folder=Path("/srv"), data_folder=Path("/data"))
    >>> server = Some(url="http://127.0.0.1:7070", token_file=Path("/nowhere"), settings=settings)
    >>> server.keeper = Some(locals=[Some(device="cuda:0")])
    >>> print(*lines_of(server, True), sep=chr(10))
    packtrain serves http://127.0.0.1:7070, on cuda:0
    log in there with your token
    its files are in /srv, data in /data
    """
    file, login = server.token_file, "log in there with your token"
    if file.is_file():
        login = f"log in there with the token in {file}"
        if to_person:
            login = f"log in by {server.url}/login#{file.read_text().strip()}"
    devices = ", ".join(local.device for local in server.keeper.locals) or "no device of its own"
    return [
        f"packtrain serves {server.url}, on {devices}",
        login,
        f"its files are in {server.settings.folder}, data in {server.settings.data_folder}",
    ]
