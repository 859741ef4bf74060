"""How much memory is available: checked before much is taken, since the system kills who takes too much."""

import os
import re
from pathlib import Path

import torch

from ...kernels.common.errors import UserError

LIMIT = Path("/sys/fs/cgroup")  # of a container


def available_memory(device: torch.device | None = None) -> int:
    """The bytes of memory that are available: without swapping, and within a container's limit.

    On CUDA the driver says. Where the system doesn't say, all that there is.

    >>> from packtrain.trainer.data.memory import available_memory
    >>> available_memory() > 0
    True
    """
    if device is not None and device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    about = Path("/proc/meminfo")
    line = re.search(r"MemAvailable: *(\d+) kB", about.read_text()) if about.exists() else None
    free = int(line[1]) << 10 if line else os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(free, _left(LIMIT, free))


def _left(group: Path, without: int) -> int:
    """What the limit of a control group leaves; `without` where there is none."""
    try:
        limit, used = ((group / f"memory.{name}").read_text().strip() for name in ("max", "current"))
        cached = re.search(r"^inactive_file (\d+)", (group / "memory.stat").read_text(), re.MULTILINE)
        return max(0, int(limit) - int(used) + (int(cached[1]) if cached else 0))
    except (OSError, ValueError):
        return without


def check_memory(needed: int, free: int, what: str, mend: str) -> None:
    """Raises UserError where `what` takes more bytes than are `free`; `mend` says how to need fewer.

    >>> from packtrain.trainer.data.memory import check_memory
    >>> check_memory(1_000_000_000, 2_000_000_000, "training", "take fewer runs")  # there is room
    """
    if needed > free:
        raise UserError(
            f"{what} takes {needed / 1e9:,.1f} GB in memory, and {free / 1e9:,.1f} GB are available: {mend}"
        )
