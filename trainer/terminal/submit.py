"""`packtrain submit OVERRIDES`: a training by the service, which looks and ends like one of the command."""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from ..service.client.connection import Service, connect
from ..service.client.handle import Job

PATH = "data.path="
QUIET = {"monitor=quiet", "monitor.progress=false"}  # words that want no progress line


def submit(
    overrides: Sequence[str],
    multirun: bool = False,
    priority: int = 0,
    wait: bool = True,
    fetch: bool = False,
    key: str | None = None,
    server: str | None = None,
) -> None:
    """Submits what was typed, says what becomes of it, and prints the closing table.

    Raises UserError for what the service refuses, and SystemExit with the exit code of a training: 1 where no
    run can be used, 2 where its data can't be trained on, 130 after Ctrl-C, which leaves the job running.

    >>> submit(["experiment=digits"], server="nowhere")
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: server is an address such as http://...; got 'nowhere'
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    words = _of_fit(overrides[1:]) if overrides[:1] == ["fit"] else overrides
    if words is None:
        return
    with connect(server) as service:
        jobs = _submitted(service, [_sent(service, word) for word in words], multirun, priority, key)
        try:
            code = (
                _follow(service, jobs, multirun, fetch, QUIET.isdisjoint(overrides)) if wait else _tell(jobs)
            )
        except KeyboardInterrupt:
            _say_how_to_look(jobs)
            code = 128 + signal.SIGINT
    if code:
        sys.exit(code)


def _of_fit(arguments: Sequence[str]) -> list[str] | None:
    from .fit import fit_command  # noqa: PLC0415 (it reads data: torch takes seconds)

    return fit_command(arguments)


def _submitted(
    service: Service, words: Sequence[str], multirun: bool, priority: int, key: str | None
) -> list[Job]:
    if not multirun:
        return [service.submit(*words, priority=priority, key=key)]
    answer = service.post_sweep(words, priority, key)
    for sentence in answer.get("left_out", ()):
        print(f"packtrain: note: left out: {sentence}", file=sys.stderr)
    return [Job(service.wire, about) for about in answer["jobs"]]


def _sent(service: Service, word: str) -> str:
    """The word; where it names a file of this machine, that is sent along, and named as it is there."""
    path = Path(word.removeprefix(PATH).strip("'\""))
    if not word.startswith(PATH) or not path.is_file():
        return word
    name = service.upload(path)
    print(f"packtrain: note: {path} is sent along, as data.path={name}", file=sys.stderr)
    return f'{PATH}"{name}"'


def _follow(service: Service, jobs: Sequence[Job], multirun: bool, fetch: bool, shown: bool) -> int:
    if multirun:
        from .submitted_sweep import follow_sweep  # noqa: PLC0415 (pyarrow takes a second: the service trains)

        return follow_sweep(service, jobs, fetch, shown)
    from .submitted import follow  # noqa: PLC0415 (NumPy and rich take half a second: likewise)

    return follow(service, jobs[0], fetch, shown)


def _tell(jobs: Sequence[Job]) -> int:
    for job in jobs:
        print(f"job {job.id}: {job.about['state']}")
    print(f"    show  packtrain show {jobs[0].id}")
    return 0


def _say_how_to_look(jobs: Sequence[Job]) -> None:
    left = [job for job in jobs if not job.ended]
    numbers = " ".join(str(job.id) for job in left)
    goes = f"job {numbers} goes" if len(left) == 1 else f"jobs {numbers} go"
    look = f"packtrain show {left[0].id}" if len(left) == 1 else "packtrain jobs"
    print(f"packtrain: {goes} on; {look} looks again, packtrain cancel {numbers} ends it", file=sys.stderr)
