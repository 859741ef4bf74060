"""What is printed of submitted jobs until they have ended, and then: as of a training of the command."""

import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from ..console.next_steps import next_steps, shown
from ..console.progress import ProgressLine
from ..console.report import closing_table, headline, results_table
from ..console.tables import Column, new_console, print_columns, print_plain
from ..folder.plan import PlannedPack
from ..folder.ranking import no_best
from ..service.client.connection import Service
from ..service.client.handle import Job, watch
from ..service.jobs import State
from ..sweep.gather import rows_of, summary


def follow(service: Service, job: Job, fetch: bool, progress: bool) -> int:
    """Watches the job to its end, and prints what came of it -> the exit code."""
    console = new_console()
    print_plain(console, f"job {job.id}: {job.about['state']}")
    for _ in _watched(service, [job], console, progress):
        pass
    return say_end(service, job, console, fetch)


def say_end(service: Service, job: Job, console: Console, fetch: bool = False) -> int:
    """Prints the closing table of a job that has ended, or why there is none -> the exit code."""
    result = job.about.get("result")
    if result is None:
        print(f"packtrain: {_reason(job)}", file=sys.stderr)
        return 2 if job.about.get("refused") else int(job.about["state"] != State.FINISHED)
    if fetch:
        closing_table(console, result, result["run"], job.fetch())
    else:
        results_table(console, result, result["run"])
        next_steps(console, **_steps(service, job))
    if result["best_run"] is None:
        print(f"packtrain: {no_best(result['run'])}", file=sys.stderr)
    return int(result["best_run"] is None)


def _steps(service: Service, job: Job, run: int | None = None) -> dict[str, str]:
    """What to type next for a job that has a result."""
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


def follow_sweep(service: Service, jobs: Sequence[Job], fetch: bool, progress: bool) -> int:
    """Watches a sweep's jobs to their ends, a line for each, and prints the table of all -> the exit code."""
    console = new_console()
    print_plain(console, f"jobs {jobs[0].id} to {jobs[-1].id}: {len(jobs):,} packs")
    for job in _watched(service, jobs, console, progress):
        result = job.about.get("result")
        print_plain(console, f"{headline(result) if result else _reason(job)}: job {job.id}")
    if fetch:
        for job in _with_results(jobs):
            print_plain(console, str(shown(job.fetch())))
    _print_sweep(service, jobs, console)
    return int(any(not job.about.get("result") or job.best is None for job in jobs))


def _print_sweep(service: Service, jobs: Sequence[Job], console: Console) -> None:
    """The best of all runs, what failed, and what to type next."""
    good = _with_results(jobs)
    if good:
        packs = _packs(good)
        with TemporaryDirectory() as folder:
            result = summary(packs, _results(good), None, rows_of(_stored(good, Path(folder)), packs))
        results_table(console, result, result["run"])
        best = result["best_run"]
        pack = next((p for p in packs if best is not None and p.first <= best < p.first + p.runs), packs[0])
        job = next(job for job in good if str(job.id) == pack.folder)
        next_steps(console, **_steps(service, job, None if best is None else best - pack.first))
    if failed := [job for job in jobs if not job.about.get("result") or job.best is None]:
        print_columns(console, _failures(failed))


def _packs(jobs: Sequence[Job]) -> list[PlannedPack]:
    """The jobs as the packs of one sweep: what differs in their words are their structural values."""
    words = [job.about["overrides"] for job in jobs]
    common = set(words[0]).intersection(*words)
    packs, first = [], 0
    for job, own in zip(jobs, words, strict=True):
        parts = [word.partition("=") for word in own if word not in common]
        values = {field.lstrip("+"): value for field, _, value in parts}
        runs = job.result["runs"]
        packs.append(PlannedPack(str(job.id), own, values, first, runs))
        first += runs
    return packs


def _stored(jobs: Iterable[Job], root: Path) -> Path:
    """The folder, with the tables of the jobs' runs."""
    for job in jobs:
        (root / str(job.id)).mkdir()
        (root / str(job.id) / "runs.csv").write_bytes(job.file("runs.csv"))
    return root


def _results(jobs: Iterable[Job]) -> dict[str, Any]:
    return {str(job.id): job.result for job in jobs}


def _with_results(jobs: Iterable[Job]) -> list[Job]:
    return [job for job in jobs if job.about.get("result")]


def _failures(jobs: Sequence[Job]) -> list[Column]:
    """A line for each job without a run that can be used."""
    reasons = [no_best(job.result["run"]) if job.about.get("result") else _reason(job) for job in jobs]
    words = [" ".join(job.about["overrides"]) for job in jobs]
    return [
        Column("failed job", [str(job.id) for job in jobs], "left"),
        Column("", words, "left"),
        Column("because", reasons, "left"),
    ]


def _reason(job: Job) -> str:
    return job.about.get("message") or job.why


def _watched(service: Service, jobs: Sequence[Job], console: Console, shown: bool) -> Iterable[Job]:
    """Each job as it ends, and between them a progress line of all."""
    line = ProgressLine(console, 0, shown)
    line.start()
    try:
        for event in watch(service.wire, jobs):
            job = next(job for job in jobs if job.id == event.job)
            line.update(*_progress(jobs))
            if job.ended:
                yield job
    finally:
        line.stop()


def _progress(jobs: Sequence[Job]) -> tuple[int, float, None, int]:
    """Steps made, the least loss, no speed, and steps in all: of a job that hasn't begun those of another."""
    made = sum(job.about.get("step") or 0 for job in jobs)
    most = max(job.about.get("steps") or 0 for job in jobs)
    total = sum(job.about.get("steps") or most for job in jobs)
    losses = [job.about["loss"] for job in jobs if job.about.get("loss") is not None]
    return made, min(losses, default=math.nan), None, total
