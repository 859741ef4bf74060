"""The arguments of `packtrain serve` and `packtrain work`: port=7070, or --port 7070."""

import os
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...kernels.common.errors import UserError
from ..service.client.address import service_folder
from .words import none_of, read_words

ROLES = "admin", "user", "worker"
WORKER_NAME = re.compile(r"[\w.:@-]{1,200}")
SERVE_USAGE = (
    "packtrain serve [port=7070] [host=127.0.0.1] [folder=FOLDER] [data=FOLDER] [devices=auto] [names=HOSTS] "
    "| packtrain serve user=NAME [role=user|admin|worker] [renew=true | remove=true] [folder=FOLDER]"
)
WORK_USAGE = "packtrain work server=URL [token=TOKEN] [device=auto] [name=NAME] [data=FOLDER]"
SERVE_HELP = f"""\
usage: {SERVE_USAGE}

Starts a service: it keeps the device warm, takes trainings from anybody who has a token, and trains those
that may share a program as one pack. SIGTERM and Ctrl-C end it; what was submitted goes on at the next start.

  port=N         where it listens (7070); 0 takes any that is free
  host=ADDRESS   of this machine (127.0.0.1); others are let in once there are users
  folder=FOLDER  where it keeps everything (default: $PACKTRAIN_SERVICE, or ~/.local/share/packtrain/service)
  data=FOLDER    the files that data.path may name (default: data in that folder)
  devices=LIST   auto: every GPU, or else the CPU; a number of them; a list such as 0,1 or cpu; none: workers
                 come from other machines
  names=HOSTS    others by which it is reached, as behind a proxy

  user=NAME      makes a user, and prints their token once; also while the service runs
  role=ROLE      admin, user or worker (user)
  renew=true     another token for a user who is there; remove=true takes theirs

examples:
  packtrain serve
  packtrain serve port=0 devices=cpu data=measurements
  packtrain serve user=ada
"""
WORK_HELP = f"""\
usage: {WORK_USAGE}

Works for a service on another machine: on one device, until SIGTERM or Ctrl-C.

  server=URL     where the service is
  token=TOKEN    of the role worker (default: $PACKTRAIN_TOKEN, which other users of this machine don't see);
                 `packtrain serve user=NAME role=worker` makes one there
  device=NAME    auto: a GPU, or else the CPU; 0, 1, ..., or cpu
  name=NAME      of this worker; no two have the same (default: the machine's, and the device)
  data=FOLDER    the files that data.path may name, as the service has them (here)

example:
  PACKTRAIN_TOKEN=$(cat token) packtrain work server=http://gpu.lan:7070 device=0
"""


def read_serve(arguments: Sequence[str]) -> dict[str, Any]:
    """What `packtrain serve ARGUMENTS` gives the function `serve`, by name.

    Prints the help and raises SystemExit for --help. Raises UserError for what it doesn't take.

    >>> given = read_serve(["port=0", "devices=cpu", "data=."])
    >>> given["port"], given["host"], given["devices"], given["user"]
    (0, '127.0.0.1', 'cpu', None)
    """
    words = "port", "host", "folder", "data", "devices", "names", "user", "role", "renew", "remove"
    given, others = read_words(arguments, words, SERVE_HELP)
    none_of(others, SERVE_USAGE, words)
    if "user" not in given and (lone := next((word for word in words[-3:] if word in given), None)):
        raise UserError(f"{lone} is about a user: user=NAME says whom")
    if given.get("role", ROLES[1]) not in ROLES:
        raise UserError(f"role is one of {', '.join(ROLES)}; got {given['role']!r}")
    return {
        "port": _port(given.get("port", "7070")),
        "host": given.get("host", "127.0.0.1"),
        "folder": _folder(given["folder"]) if "folder" in given else service_folder(),
        "data": _data(given["data"]) if "data" in given else None,
        "devices": given.get("devices", "auto"),
        "names": [name for name in given.get("names", "").split(",") if name],
        "user": given.get("user"),
        "role": given.get("role", "user"),
        "renew": _is_true("renew", given.get("renew", "false")),
        "remove": _is_true("remove", given.get("remove", "false")),
    }


def read_work(arguments: Sequence[str]) -> dict[str, Any]:
    """What `packtrain work ARGUMENTS` gives the function `work`, by name; as of read_serve.

    >>> given = read_work(["server=http://gpu.lan:7070/", "token=secret", "name=mine"])
    >>> given["server"], given["token"], given["device"], given["name"]
    ('http://gpu.lan:7070', 'secret', 'auto', 'mine')
    """
    words = "server", "token", "device", "name", "data", "folder"
    given, others = read_words(arguments, words, WORK_HELP)
    none_of(others, WORK_USAGE, words)
    server = given.get("server") or os.environ.get("PACKTRAIN_SERVER", "")
    if not re.fullmatch(r"https?://[^/\s]+/*", server):
        raise UserError(f"expected {WORK_USAGE}, with an address such as http://gpu.lan:7070; got {server!r}")
    token = given.get("token") or os.environ.get("PACKTRAIN_TOKEN", "")
    if not token:
        raise UserError(
            "a worker needs a token: `packtrain serve user=NAME role=worker` makes one where the service is, "
            "and PACKTRAIN_TOKEN in the environment, or token=..., says it here"
        )
    device = given.get("device", "auto")
    name = given.get("name", f"{socket.gethostname()}-{device.replace(',', '-')}")
    if not WORKER_NAME.fullmatch(name):
        raise UserError(f"name has letters, digits and any of _ . : @ -; got {name!r}")
    return {
        "server": server.rstrip("/"),
        "token": token,
        "device": device,
        "name": name,
        "data": _data(given.get("data", ".")),
        "folder": _folder(given["folder"]) if "folder" in given else service_folder(),
    }


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise UserError(f"port is a number from 0 to 65535; got {text!r}")
    return int(text)


def _folder(text: str) -> Path:
    if not text:
        raise UserError("folder is the name of a folder; got ''")
    return Path(text).expanduser().absolute()


def _data(text: str) -> Path:
    folder = _folder(text)
    if not folder.is_dir():
        raise UserError(f"data is a folder that is there; {text} is none")
    return folder


def _is_true(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise UserError(f"{name} is true or false; got {text!r}")
    return text == "true"
