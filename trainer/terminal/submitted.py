"""What is printed of submitted jobs until they have ended, and then: as of a training of the command."""

import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from ..console.next_steps import next_steps
from ..console.progress import ProgressLine
from ..console.report import closing_table, results_table
from ..console.tables import new_console, print_plain
from ..folder.ranking import no_best
from ..service.client.connection import Service
from ..service.client.handle import Job, watch
from ..service.jobs import State


def follow(service: Service, job: Job, fetch: bool, progress: bool) -> int:
    """Watches the job to its end, and prints what came of it -> the exit code."""
    console = new_console()
    print_plain(console, f"job {job.id}: {job.about['state']}")
    for _ in watched([job], console, progress):
        pass
    return say_end(service, job, console, fetch)


def say_end(service: Service, job: Job, console: Console, fetch: bool = False) -> int:
    """Prints the closing table of a job that has ended, or why there is none -> the exit code.

    >>> from typing import Any
    >>> service: Any = None
    >>> about = {"id": 17, "state": "failed", "message": "no column t", "refused": True}
    >>> say_end(service, Job(service, about), new_console())
    2
    """
    result = job.about.get("result")
    if result is None:
        print(f"packtrain: {reason(job)}", file=sys.stderr)
        return 2 if job.about.get("refused") else int(job.about["state"] != State.FINISHED)
    if fetch:
        closing_table(console, result, result["run"], job.fetch())
    else:
        results_table(console, result, result["run"])
        next_steps(console, **steps_for(service, job))
    if result["best_run"] is None:
        print(f"packtrain: {no_best(result['run'])}", file=sys.stderr)
    return int(result["best_run"] is None)


def steps_for(service: Service, job: Job, run: int | None = None) -> dict[str, str]:
    """What to type next for a job that has a result.

    >>> from types import SimpleNamespace
    >>> from typing import Any
    >>> service: Any = SimpleNamespace(url="http://127.0.0.1:7070")
    >>> steps_for(service, Job(service, {"id": 17, "name": "digits"}))["results"]
    'packtrain fetch 17  # into outputs/digits/job-17'
    """
    of_run = "" if run is None else f", run={run}"
    return {
        "results": f"packtrain fetch {job.id}  # into {default_folder(job)}",
        "watch": f"{service.url}/jobs/{job.id}",
        "use": f"packtrain.connect().job({job.id}).load().predict(inputs{of_run})",
    }


def default_folder(job: Job) -> Path:
    """Where `packtrain fetch` puts a job's folder.

    >>> from typing import Any
    >>> wire: Any = None
    >>> print(default_folder(Job(wire, {"id": 17, "name": "digits"})))
    outputs/digits/job-17
    """
    return Path("outputs", job.about["name"], f"job-{job.id}")


def reason(job: Job) -> str:
    """Why a job has no result.

    >>> from typing import Any
    >>> wire: Any = None
    >>> reason(Job(wire, {"id": 17, "state": "cancelled", "message": ""}))
    'job 17 was cancelled'
    """
    return job.about.get("message") or job.why


def watched(jobs: Sequence[Job], console: Console, shown: bool) -> Iterable[Job]:
    """Each job as it ends, and between them a progress line of all.

    >>> list(watched([], new_console(), shown=False))
    []
    """
    line = ProgressLine(console, 0, shown)
    line.start()
    try:
        for event in watch(jobs[0].wire, jobs) if jobs else ():
            job = next(job for job in jobs if job.id == event.job)
            made, loss, steps = _progress(jobs)
            if steps and not job.ended:
                line.update(made, loss, steps=steps)
            if job.ended:
                yield job
    finally:
        line.stop()


def _progress(jobs: Sequence[Job]) -> tuple[int, float, int]:
    """Steps made, the least loss, and steps in all: of a job that hasn't begun those of another."""
    made = sum(job.about.get("step") or 0 for job in jobs)
    most = max(job.about.get("steps") or 0 for job in jobs)
    total = sum(job.about.get("steps") or most for job in jobs)
    losses = [job.about["loss"] for job in jobs if job.about.get("loss") is not None]
    return made, min(losses, default=math.nan), total
