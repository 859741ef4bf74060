"""The arguments of the commands that talk to a service: priority=1, or --priority 1, among overrides."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...kernels.common.errors import UserError, nearest
from .words import MULTIRUN, none_of, read_words

SUBMIT_USAGE = (
    "packtrain submit [-m] [CHOICE=OPTION | field=value]... [priority=N] [wait=false] [fetch=true] "
    "[key=NAME] [server=URL]"
)
JOBS_USAGE = "packtrain jobs [state=running] [user=NAME] [sweep=N] [limit=N | limit=all] [server=URL]"
JOB_USAGE = "packtrain show N [server=URL]"
CANCEL_USAGE = "packtrain cancel N [N]... [server=URL]"
FETCH_USAGE = "packtrain fetch N [FOLDER] [server=URL]"
SUBMIT_HELP = f"""\
usage: {SUBMIT_USAGE}

Trains by the service what `packtrain` with these words would train here, with the same numbers, and ends like
it. With -m it is a sweep. Ctrl-C ends the waiting, not the training.

  priority=N     jobs of a higher one go first (0)
  wait=false     says the job's number, and waits for nothing
  fetch=true     brings the run folder here at the end, into outputs/NAME/job-N
  key=NAME       the same job as before, where one was submitted with this key
  server=URL     which service (default: $PACKTRAIN_SERVER, else the one that `packtrain serve` started here)

A file that data.path names, and that is there on this machine, is sent along. `packtrain submit fit FILE
'EQUATION'` fits.

examples:
  packtrain submit experiment=digits optimizer.lr=0.01
  packtrain submit -m experiment=digits optimizer=adam,sgd 'seed=range(0,8)'
  packtrain submit experiment=digits wait=false priority=1
  packtrain submit fit cup.csv 'celsius = room + (hot - room)*exp(-k*minutes)'
"""
JOBS_HELP = f"""\
usage: {JOBS_USAGE}

Lists the service's jobs, the newest first.

  state=STATE    queued, running, finished, failed or cancelled
  user=NAME      whose
  sweep=N        those that were submitted together with job N
  limit=N        so many at most (50), or all
"""
JOB_HELP = f"""\
usage: {JOB_USAGE}

Shows a job: what was asked for, how far it is, and what came of it.
"""
CANCEL_HELP = f"""\
usage: {CANCEL_USAGE}

Ends jobs of the service, which leave nothing.
"""
FETCH_HELP = f"""\
usage: {FETCH_USAGE}

Brings a job's run folder here, with the files that the command would have left, into FOLDER or
outputs/NAME/job-N.
"""
STATES = "queued", "running", "finished", "failed", "cancelled"


def read_submit(arguments: Sequence[str]) -> dict[str, Any]:
    """What `packtrain submit ARGUMENTS` gives the function `submit`, by name.

    Prints the help and raises SystemExit for --help. Raises UserError for what it doesn't take.

    >>> given = read_submit(["experiment=digits", "-m", "seed=1,2", "priority=3"])
    >>> given["overrides"], given["multirun"], given["priority"], given["wait"]
    (['experiment=digits', 'seed=1,2'], True, 3, True)
    """
    words = ("priority", "wait", "fetch", "key", "server")
    given, overrides = read_words(arguments, words, SUBMIT_HELP)
    multirun = any(word in MULTIRUN for word in overrides)
    overrides = [word for word in overrides if word not in MULTIRUN]
    strange = next((word for word in overrides if "=" not in word and not word.startswith("~")), None)
    if strange and overrides[0] != "fit":
        raise UserError(f"packtrain submit takes what a training takes, such as seed=3 or -m; got {strange}")
    return {
        "overrides": overrides,
        "multirun": multirun,
        "priority": _number("priority", given.get("priority", "0")),
        "wait": _truth("wait", given.get("wait", "true")),
        "fetch": _truth("fetch", given.get("fetch", "false")),
        "key": given.get("key"),
        "server": given.get("server"),
    }


def read_jobs(arguments: Sequence[str]) -> dict[str, Any]:
    """What `packtrain jobs ARGUMENTS` gives the function `jobs`, by name; as of read_submit.

    >>> given = read_jobs(["state=running", "--limit", "all"])
    >>> given["state"], given["limit"], given["user"]
    ('running', None, None)
    """
    words = ("state", "user", "sweep", "limit", "server")
    given, others = read_words(arguments, words, JOBS_HELP)
    none_of(others, JOBS_USAGE, words)
    state, sweep, limit = given.get("state"), given.get("sweep"), given.get("limit", "50")
    if state not in (None, *STATES):
        raise UserError(f"state is one of {', '.join(STATES)}{nearest(str(state), STATES)}; got {state}")
    return {
        "state": state,
        "user": given.get("user"),
        "sweep": None if sweep is None else _number("sweep", sweep),
        "limit": None if limit == "all" else _number("limit", limit),
        "server": given.get("server"),
    }


def read_job(arguments: Sequence[str]) -> dict[str, Any]:
    """What `packtrain show N` gives the function `show_job`, by name; as of read_submit.

    >>> read_job(["17"])
    {'number': 17, 'server': None}
    """
    given, others = read_words(arguments, ("server",), JOB_HELP)
    none_of(others[1:], JOB_USAGE, ("server",))
    return {"number": _job(others[0], JOB_USAGE), "server": given.get("server")}


def read_cancel(arguments: Sequence[str]) -> dict[str, Any]:
    """What `packtrain cancel ARGUMENTS` gives the function `cancel`, by name; as of read_submit.

    >>> read_cancel(["17", "18"])
    {'numbers': [17, 18], 'server': None}
    """
    given, others = read_words(arguments, ("server",), CANCEL_HELP)
    if not others:
        raise UserError(f"expected {CANCEL_USAGE}; `packtrain jobs` lists them")
    return {"numbers": [_job(word, CANCEL_USAGE) for word in others], "server": given.get("server")}


def read_fetch(arguments: Sequence[str]) -> dict[str, Any]:
    """What `packtrain fetch ARGUMENTS` gives the function `fetch`, by name; as of read_submit.

    >>> given = read_fetch(["17", "mine"])
    >>> given["number"], str(given["folder"])
    (17, 'mine')
    """
    given, others = read_words(arguments, ("server",), FETCH_HELP)
    none_of(others[2:], FETCH_USAGE, ("server",))
    if not others:
        raise UserError(f"expected {FETCH_USAGE}; `packtrain jobs` lists them")
    folder = Path(others[1]) if others[1:] else None
    return {"number": _job(others[0], FETCH_USAGE), "folder": folder, "server": given.get("server")}


def _job(word: str, usage: str) -> int:
    if not word.isdecimal():
        raise UserError(f"expected {usage}, with the number of a job; got {word}")
    return int(word)


def _number(name: str, text: str) -> int:
    if not text.removeprefix("-").isdecimal():
        raise UserError(f"{name} is a whole number; got {text!r}")
    return int(text)


def _truth(name: str, text: str) -> bool:
    truths: Mapping[str, bool] = {"true": True, "false": False}
    if text.lower() not in truths:
        raise UserError(f"{name} is true or false; got {text!r}")
    return truths[text.lower()]
