"""The files of conf/ as they stand there: what each option of a group says."""

from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

CONF = Path(__file__).parents[2] / "conf"


def groups() -> list[str]:
    """The names of the choices: the folders of conf/.

    >>> from packtrain.trainer.config.options import groups
    >>> "optimizer" in groups()
    True
    """
    return sorted(path.name for path in CONF.iterdir() if path.is_dir() and path.name[0] != "_")


@cache
def options(group: str) -> dict[str, dict[str, Any]]:
    """option -> its fields, as its file has them.

    >>> from packtrain.trainer.config.options import options
    >>> options("engine")["fused"]
    {'kind': 'fused'}
    """
    return {file.stem: _read(file) for file in sorted((CONF / group).glob("*.yaml"))}


def _read(file: Path) -> dict[str, Any]:
    fields: Any = OmegaConf.to_container(OmegaConf.load(file))
    return fields
