"""What is printed of the jobs of a sweep until they have ended, and then: one table of all their runs."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

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
    for job in watched(service, jobs, console, progress):
        result = job.about.get("result")
        print_plain(console, f"{headline(result) if result else reason(job)}: job {job.id}")
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
        next_steps(console, **steps_for(service, job, None if best is None else best - pack.first))
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
    reasons = [no_best(job.result["run"]) if job.about.get("result") else reason(job) for job in jobs]
    words = [" ".join(job.about["overrides"]) for job in jobs]
    return [
        Column("failed job", [str(job.id) for job in jobs], "left"),
        Column("", words, "left"),
        Column("because", reasons, "left"),
    ]
