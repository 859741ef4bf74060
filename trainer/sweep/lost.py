"""A job of submitit's that was lost: that pack alone has failed, and the launcher waits for the others."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus

from .failed import JobLost, PackFailed

CANCELLED = "CANCELLED"  # a job that somebody meant to end


@contextmanager
def each_for_itself() -> Iterator[None]:
    """Inside `with`, a job of submitit's without results returns why; its launcher would give up all jobs.

    >>> with each_for_itself():
    ...     pass
    """
    job = _submitit_job()
    if job is None:
        yield
        return
    results = job.results

    def results_or_why(self: Any) -> list[Any]:
        try:
            return results(self)
        except Exception as error:
            return [JobReturn(status=JobStatus.FAILED, _return_value=_why(self, error))]

    job.results = results_or_why
    try:
        yield
    finally:
        job.results = results


def _submitit_job() -> Any:
    """The class of submitit's jobs, None where it isn't installed."""
    if "submitit" not in sys.modules and find_spec("submitit") is None:
        return None
    import submitit  # noqa: PLC0415 (an optional package)

    return submitit.Job


def _why(job: Any, error: Exception) -> PackFailed:
    """What became of a job: what the scheduler says of it, or how it failed, and where more stands."""
    failed, log = type(error).__name__ == "FailedJobError", Path(job.paths.stderr)
    said = f"failed with {_last_line(error)}" if failed else f"was cut short ({job.state})"
    ended = PackFailed if failed or job.state.startswith(CANCELLED) else JobLost
    return ended(f"its job {job.job_id} {said}; see {log.parent.name}/{log.name} in .submitit")


def _last_line(error: Exception) -> str:
    """The exception at the end of a traceback that submitit quotes."""
    lines = str(error).partition("\n---")[2].partition("\n---")[0].strip().splitlines()
    return lines[-1] if lines else type(error).__name__


def end_tasks() -> None:
    """Where Ray's launcher gave up, the other tasks of this process would train on, unseen: they end.

    >>> end_tasks()
    """
    if ray := sys.modules.get("ray"):
        ray.shutdown()
