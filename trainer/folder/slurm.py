"""The job of Slurm's that this process belongs to, as its environment says."""

import os


def job() -> str:
    """Cluster, job and task, the same in all restarts; '' outside of a job.

    >>> job() == "" or job().count(":") == 2
    True
    """
    number = os.environ.get("SLURM_JOB_ID", "")
    task = "ranks" if "RANK" in os.environ else os.environ.get("SLURM_PROCID", "0")
    return f"{os.environ.get('SLURM_CLUSTER_NAME', '')}:{number}:{task}" if number else ""


def restarts() -> int:
    """How often the job has been requeued, by its user, after a preemption or the failure of a node.

    >>> restarts() >= 0
    True
    """
    count = os.environ.get("SLURM_RESTART_COUNT", "")
    return int(count) if job() and count.isdecimal() else 0
