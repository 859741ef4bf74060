"""Which devices local workers have, found without loading what would compute on them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from ...kernels.common.errors import UserError

DRIVER = Path("/proc/driver/nvidia/gpus")
CPU, CUDA, NONE = "cpu", "cuda", "none"
SECONDS = 20.0  # for nvidia-smi


def devices_of(asked: str, there: list[str] | None = None) -> list[str]:
    """The device of each worker: `auto`, `cpu`, a number of devices, or a list such as `0,2` or `cpu,cpu`.

    Of `none` there is no worker: others come from other machines. `there` are the CUDA devices of this
    machine. Raises UserError for those that it hasn't.

    >>> devices_of("auto", there=["0", "1"]), devices_of("auto", there=[]), devices_of("1", there=["0", "1"])
    (['cuda:0', 'cuda:1'], ['cpu'], ['cuda:0'])
    >>> devices_of("none", there=["0"])
    []
    >>> devices_of("cuda:1,cpu", there=["0", "1"])
    ['cuda:1', 'cpu']
    """
    if asked == NONE:
        return []
    there = cuda_devices() if there is None else there
    if asked == "auto":
        return [f"{CUDA}:{name}" for name in there] or [CPU]
    if asked.isdecimal() and int(asked):
        return _first(int(asked), there)
    names = [name.strip().removeprefix(f"{CUDA}:") for name in asked.split(",")]
    if unknown := [name for name in names if name not in (*there, CPU)]:
        raise UserError(
            f"devices is auto, {NONE}, cpu, a number, or a list of {', '.join([*there, CPU])}; "
            f"got {unknown[0]!r}"
        )
    return [name if name == CPU else f"{CUDA}:{name}" for name in names]


def _first(count: int, there: list[str]) -> list[str]:
    if not there:
        return [CPU] * count
    if count > len(there):
        raise UserError(f"devices={count} asks for more than the {len(there)} that this machine has")
    return [f"{CUDA}:{name}" for name in there[:count]]


def cuda_devices() -> list[str]:
    """What CUDA_VISIBLE_DEVICES may name: what it names already, else every GPU, of those in parts the parts.

    >>> isinstance(cuda_devices(), list)
    True
    """
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
    if listed := _listed():
        return named_in(listed)
    return [str(number) for number, _ in enumerate(DRIVER.glob("*"))] if DRIVER.is_dir() else []


def named_in(listed: str) -> list[str]:
    """The devices that `nvidia-smi -L` lists.

    >>> named_in("GPU 0: NVIDIA H200 (UUID: GPU-1)\\nGPU 1: NVIDIA H200 (UUID: GPU-2)\\n")
    ['0', '1']
    >>> named_in("GPU 0: NVIDIA H200 (UUID: GPU-1)\\n  MIG 1g.18gb     Device  0: (UUID: MIG-3)\\n")
    ['MIG-3']
    """
    names: dict[str, list[str]] = {}
    for line in listed.splitlines():
        if gpu := re.match(r"GPU (\d+):", line):
            names[gpu[1]] = []
        elif names and (part := re.search(r"MIG .*\(UUID: (MIG-[^)]+)\)", line)):
            names[list(names)[-1]].append(part[1])
    return [name for gpu, parts in names.items() for name in parts or [gpu]]


def _listed() -> str:
    if shutil.which("nvidia-smi") is None:
        return ""
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
