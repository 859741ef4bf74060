"""What one user, one job and one pack may take."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of a service."""

    waiting_per_user: int = 10_000  # jobs
    running_per_user: int = 10_000  # jobs
    runs_per_job: int = 10_000
    runs_together: int = 4096  # that one lease gives
