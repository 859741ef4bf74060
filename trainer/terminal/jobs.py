"""`packtrain jobs`, `show N`, `cancel N` and `fetch N`: the jobs of a service, from a terminal."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..console.next_steps import next_steps, shown
from ..console.tables import Column, new_console, print_columns, print_pairs, print_plain
from ..folder.digits import number
from ..service.client.connection import Service, connect
from ..service.client.handle import Job
from ..service.jobs import State

UNITS = (86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")


def jobs(
    state: str | None = None,
    user: str | None = None,
    sweep: int | None = None,
    limit: int | None = 50,
    server: str | None = None,
) -> None:
    """Prints a line for each of the newest jobs of a service, `limit` at most. Raises UserError.

    >>> jobs(server="nowhere")
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: server is an address such as http://...; got 'nowhere'
    """
    console = new_console()
    with connect(server) as service:
        listed = service.jobs(state, user, sweep, limit)
    if listed:
        print_columns(console, columns_of(listed))
    else:
        print_plain(console, "no such job" if state or user or sweep else "no job yet")
    if limit is not None and len(listed) == limit:
        print_plain(console, f"  the newest {limit:,}; limit=all lists all")


def columns_of(jobs: Sequence[Job]) -> list[Column]:
    """All columns of that table.

    >>> from typing import Any
    >>> about: dict[str, Any] = {"id": 17, "state": "queued", "name": "digits", "runs": 1, "user": "ann"}
    >>> about |= {"priority": 0, "created": 0.0, "step": 0, "steps": 0, "loss": None, "message": ""}
    >>> wire: Any = None
    >>> [column.label for column in columns_of([Job(wire, about)])]
    ['job', 'state', 'name', 'runs', 'step', 'loss', 'user', 'priority', 'age']
    """
    abouts = [job.about for job in jobs]
    return [
        Column("job", [str(about["id"]) for about in abouts]),
        Column("state", [about["state"] for about in abouts], "left"),
        Column("name", [about["name"] for about in abouts], "left"),
        Column("runs", [f"{about['runs']:,}" for about in abouts]),
        Column("step", [_step(about["step"], about["steps"]) for about in abouts]),
        Column("loss", [number(about["loss"]) for about in abouts]),
        Column("user", [about["user"] for about in abouts], "left"),
        Column("priority", [str(about["priority"]) for about in abouts]),
        Column("age", [age(time.time() - about["created"]) for about in abouts]),
    ]


def age(seconds: float) -> str:
    """A time in one unit.

    >>> age(7.4), age(130), age(90_000)
    ('7 s', '2 min', '1 d')
    """
    size, unit = next((size, unit) for size, unit in UNITS if seconds >= size or size == 1)
    return f"{max(seconds, 0) // size:.0f} {unit}"


def show_job(number: int, server: str | None = None) -> None:
    """Prints what was asked for by a job, how far it is, and the closing table. Raises UserError.

    >>> show_job(17, server="nowhere")
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: server is an address such as http://...; got 'nowhere'
    """
    console = new_console()
    with connect(server) as service:
        job = service.job(number)
        print_pairs(console, list(_pairs(job)))
        if not job.ended:
            next_steps(console, watch=f"{service.url}/jobs/{job.id}", cancel=f"packtrain cancel {job.id}")
        elif job.about["state"] == State.FINISHED:
            _print_end(service, job)


def _print_end(service: Service, job: Job) -> None:
    from .submitted import say_end  # noqa: PLC0415 (NumPy takes half a second)

    say_end(service, job, new_console())


def _pairs(job: Job) -> Iterator[tuple[str, str]]:
    about = job.about
    yield "job", f"{about['id']} of {about['user']}, {about['name']}"
    yield "state", about["state"] + (f": {about['message']}" if about.get("message") else "")
    yield "overrides", " ".join(about["overrides"]) or "none"
    yield "submitted", f"{age(time.time() - about['created'])} ago, with priority {about['priority']}"
    if about["steps"]:
        yield "step", _step(about["step"], about["steps"])
    if about["loss"] is not None:
        yield "loss", number(about["loss"])
    if about["seconds"]:
        yield "device", f"{number(about['seconds'])} s"


def _step(step: int, steps: int) -> str:
    return f"{step:,} of {steps:,}" if steps else "-"


def cancel(numbers: Sequence[int], server: str | None = None) -> None:
    """Ends jobs, and prints how each ended. Raises UserError.

    >>> cancel([17], server="nowhere")
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: server is an address such as http://...; got 'nowhere'
    """
    with connect(server) as service:
        for number in numbers:
            job = service.job(number).cancel()
            print(f"job {number}: {job.about['state']}")


def fetch(number: int, folder: Path | None = None, server: str | None = None) -> None:
    """Brings a job's run folder here, and prints where it is. Raises UserError.

    >>> fetch(17, server="nowhere")
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: server is an address such as http://...; got 'nowhere'
    """
    with connect(server) as service:
        job = service.job(number)
        if not job.ended:
            state, look = job.about["state"], f"packtrain show {number}"
            print_plain(new_console(), f"job {number} is {state}: waiting; {look} shows how far it is")
        print_plain(new_console(), str(shown(job.fetch(folder))))
