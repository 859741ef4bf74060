"""What is printed of the jobs of a sweep until they have ended, and then: one table of all their runs."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from ..console.next_steps import next_steps, shown
from ..console.report import headline, results_table
from ..console.tables import Column, new_console, print_columns, print_plain
from ..folder.plan import PlannedPack
from ..folder.ranking import no_best
from ..service.client.connection import Service
from ..service.client.handle import Job
from ..sweep.gather import rows_of, summary
from .submitted import reason, steps_for, watched


def follow_sweep(service: Service, jobs: Sequence[Job], fetch: bool, progress: bool) -> int:
    """Watches a sweep's jobs to their ends, a line for each, and prints the table of all -> the exit code."""
    console = new_console()
    print_plain(console, f"jobs {jobs[0].id} to {jobs[-1].id}: {len(jobs):,} packs")
    for job in watched(jobs, console, progress):
        result = job.about.get("result")
        print_plain(console, f"{headline(result) if result else reason(job)}: job {job.id}")
    if fetch:
        for job in _with_results(jobs):
            print_plain(console, str(shown(job.fetch())))
    steps = _print_runs(service, _with_results(jobs), console)
    failed = [job for job in jobs if not job.about.get("result") or job.best is None]
    if failed:
        print_columns(console, _failures(jobs, failed))
    next_steps(console, **steps)
    return int(bool(failed))


def _print_runs(service: Service, jobs: Sequence[Job], console: Console) -> dict[str, str]:
    """Prints the best of all runs -> what to type next for the job that has the best one."""
    if not jobs:
        return {}
    packs = _packs(jobs)
    with TemporaryDirectory() as folder:
        rows = rows_of(_stored(jobs, Path(folder)), packs)
    result = summary(packs, {str(job.id): job.result for job in jobs}, None, rows)
    results_table(console, result, result["run"])
    best = result["best_run"]
    place = bisect_right([pack.first for pack in packs], best or 0) - 1
    return steps_for(service, jobs[place], None if best is None else best - packs[place].first)


def _packs(jobs: Sequence[Job]) -> list[PlannedPack]:
    """The jobs as the packs of one sweep: what differs in their words are their structural values."""
    packs, first = [], 0
    for job, words in zip(jobs, _own_words(jobs), strict=True):
        parts = [word.lstrip("+").partition("=") for word in words]
        values = {field: value for field, _, value in parts}
        packs.append(PlannedPack(str(job.id), words, values, first, job.result["runs"]))
        first += packs[-1].runs
    return packs


def _own_words(jobs: Sequence[Job]) -> list[list[str]]:
    """The overrides of each job that not all have."""
    words = [job.about["overrides"] for job in jobs]
    common = set(words[0]).intersection(*words)
    return [[word for word in own if word not in common] for own in words]


def _stored(jobs: Iterable[Job], root: Path) -> Path:
    """The folder, with the tables of the jobs' runs."""
    for job in jobs:
        (root / str(job.id)).mkdir()
        (root / str(job.id) / "runs.csv").write_bytes(job.file("runs.csv"))
    return root


def _with_results(jobs: Iterable[Job]) -> list[Job]:
    return [job for job in jobs if job.about.get("result")]


def _failures(jobs: Sequence[Job], failed: Sequence[Job]) -> list[Column]:
    """A line for each job without a run that can be used."""
    words = {job.id: " ".join(own) for job, own in zip(jobs, _own_words(jobs), strict=True)}
    reasons = [no_best(job.result["run"]) if job.about.get("result") else reason(job) for job in failed]
    return [
        Column("failed job", [str(job.id) for job in failed], "left"),
        Column("", [words[job.id] for job in failed], "left"),
        Column("because", reasons, "left"),
    ]
