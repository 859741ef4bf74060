"""What the jobs of the tested clusters train."""

import os
import sys
from pathlib import Path

STEPS, EVERY = 1500, 50
TRAINING = (
    "experiment=primer", "data.size=1000", "engine=step", f"checkpoint.every={EVERY}", "monitor=quiet",
    "compute.device=cpu",
)  # fmt: skip
BRIEF = *TRAINING, f"loop.steps={STEPS}", "loop.batch_size=64", "seed=1,2"
PACKS = "data.seed=range(5)"
PACKTRAIN = f"{sys.executable} -m packtrain"
ON_SLURM = "hydra/launcher=submitit_slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.timeout_min=60"


def saved(folder: Path) -> list[Path]:
    """The checkpoints there."""
    return list(folder.glob("checkpoint/step-*.safetensors"))


def process(folder: Path) -> int:
    """The process that has the lock of a training."""
    held = os.stat(folder / ".lock").st_ino
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return next(int(words[4]) for words in lines if words[1] == "FLOCK" and words[5].endswith(f":{held}"))
