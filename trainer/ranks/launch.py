"""compute.devices=N: the same command in N processes of this machine, by what torchrun is made of."""

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from .agent import CODE_FILE

A_CORE = 4  # ranks may share a core, where there are few: more only take memory
RESTARTS = 3  # of all ranks, where one of them was killed
SIGNALS = "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1,SIGUSR2"
SECONDS_TO_END = 600  # after a signal, to write what there is
LOCAL = {"GLOO_SOCKET_IFNAME": "lo"}  # where ranks of one machine meet


def launch(ranks: int, arguments: Sequence[str]) -> int:
    """`packtrain` with these arguments as so many ranks -> the exit code.

    A signal goes to all of them. Where one is killed, all are started again, and go on from the newest
    checkpoint.
    """
    with tempfile.TemporaryDirectory(prefix="packtrain-ranks-") as folder:
        file = Path(folder, "code")
        os.environ |= {CODE_FILE: str(file), "OMP_NUM_THREADS": str(threads_of_each(ranks))}
        for name, value in LOCAL.items():
            os.environ.setdefault(name, value)
        failure = _run(ranks, arguments)
        if file.exists():
            return int(file.read_text())
        print(f"packtrain: {failure or 'no rank said how the training ended'}", file=sys.stderr)
        return 1


def threads_of_each(ranks: int) -> int:
    """How many threads each of so many ranks has: an even share of the cores, unless OMP_NUM_THREADS says.

    >>> threads_of_each(10**6)
    1
    """
    given = os.environ.get("OMP_NUM_THREADS")
    return int(given) if given else max(1, len(os.sched_getaffinity(0)) // ranks)


def devices_here() -> int:
    """How many ranks compute.devices=auto means here: as many as there are CUDA devices, at least 1.

    >>> devices_here() >= 1
    True
    """
    return max(1, torch.cuda.device_count())


def most_here() -> int:
    """How many ranks compute.devices may start here: 4 for each core that this process may use, or GPU.

    >>> most_here() >= 4
    True
    """
    return A_CORE * max(len(os.sched_getaffinity(0)), torch.cuda.device_count())


def _run(ranks: int, arguments: Sequence[str]) -> str:
    """Runs the ranks to their end -> what went wrong, '' where nothing did."""
    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)  # what it says is said below
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=ranks,
        run_id=f"packtrain-{os.getpid()}",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=RESTARTS,
        signals_to_handle=SIGNALS,
        shutdown_timeout=SECONDS_TO_END,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "packtrain", *arguments)
    except SignalException as came:
        return f"ended by {signal.Signals(came.sigval).name}"
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        how = f"rank {rank} was the first, {_how(failure.exitcode)}"
        return f"the ranks ended {RESTARTS + 1} times, the last time {how}; packtrain resume=FOLDER goes on"
    return ""


def _how(code: int) -> str:
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with the exit code {code}"
