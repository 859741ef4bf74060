"""The console script: Hydra composes a config, and it is trained. Every user error is one sentence."""

import os
import sys
from pathlib import Path
from typing import NoReturn

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from kernels.errors import UserError
from trainer.pack import make_pack
from trainer.sentences import sentence

UNWRITABLE = PermissionError, FileNotFoundError, NotADirectoryError, FileExistsError


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
def task(cfg: DictConfig) -> None:
    """Trains what the composed config asks for, in Hydra's output folder."""
    from trainer.run import run  # noqa: PLC0415 (torch takes seconds: --help and the tab key don't wait for it)

    job = HydraConfig.get()
    try:
        code = run(make_pack(cfg, job.overrides.task), Path(job.runtime.output_dir), Console())
    except UserError as error:
        _refuse(sentence(error))
    if code:
        sys.exit(code)


def main() -> None:
    """`packtrain`: exits with 0, 130 or 143 after SIGINT or SIGTERM, 2 for a user's mistake, else 1."""
    full = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then lets exceptions through to the lines below
    # Torch's threads wait for one another by spinning: for long, where other programs hold the cores.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        task()
    except (CompactHydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        if full:
            raise
        _refuse(sentence(error))
    except ValueError as error:  # all that Hydra has for experiment=null
        if full or "Config group override" not in str(error):
            raise
        _refuse(sentence(error))
    except UNWRITABLE as error:
        _refuse(f"can't write {error.filename}: {error.strerror}")
    except KeyboardInterrupt:
        print("packtrain: stopped at once, without results", file=sys.stderr)
        sys.exit(130)


def _refuse(reason: str) -> NoReturn:
    print(f"packtrain: {reason}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
