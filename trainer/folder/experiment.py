"""What one run of a pack was, as an experiment: a config that trains it again, alone, bit for bit."""

from collections.abc import Iterator
from dataclasses import Field, asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from ...kernels.common.errors import UserError
from ..config.interpolation import put
from ..config.pack import START, Pack, make_pack
from ..config.schema import LEAST_SQUARES, Config
from ..data.foreign import UNREADABLE

PACKAGE = "# @package _global_"


def experiment_of(folder: Path, run: int) -> str:
    """The file FOLDER/experiment/NAME.yaml that `--config-dir FOLDER experiment=NAME` trains as that run was.

    What the run had no use for isn't there. Raises UserError.
    """
    return f"{PACKAGE}\n{OmegaConf.to_yaml(OmegaConf.create(_of_use(run_config(folder, run))))}"


def run_config(folder: Path, run: int) -> Config:
    """The config of one run of a pack: its own values, and nothing to vary. Raises UserError."""
    return _alone(read_pack(folder), run, _started_in(folder))


def read_pack(folder: Path) -> Pack:
    """The pack that the training in `folder` was asked for. Raises UserError."""
    if not (folder / ".hydra").is_dir():
        raise UserError(f"{folder} has no folder .hydra, which says how its runs were configured")
    config: Any = _loaded(folder, "config")
    return make_pack(config, _loaded(folder, "overrides"))


def _loaded(folder: Path, name: str) -> Any:
    """One of the files that say how a folder's runs were configured. Raises UserError."""
    try:
        found = OmegaConf.load(folder / ".hydra" / f"{name}.yaml")
        if name == "config":
            return OmegaConf.merge(OmegaConf.structured(Config), found)
        typed: Any = OmegaConf.to_container(found)  # interpolations as they were typed
        return list(map(str, typed))
    except UNREADABLE as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{folder / '.hydra'} doesn't say how its runs were configured: {reason}") from None


def _started_in(folder: Path) -> Path | None:
    """Where the command was given: what relative paths are relative to."""
    file = folder / ".hydra" / "hydra.yaml"
    found = OmegaConf.select(OmegaConf.load(file), "hydra.runtime.cwd") if file.exists() else None
    return Path(str(found)) if found else None


def _alone(pack: Pack, run: int, cwd: Path | None) -> Config:
    found = OmegaConf.structured(Config)
    values = pack.values(run) | ({} if pack.config.model.starts == 1 else _start(pack, run))
    merged = OmegaConf.merge(found, asdict(pack.config) | {"pack": asdict(Config().pack)})
    put(merged, {field: value for field, value in values.items() if field != START})  # pyright: ignore[reportArgumentType]
    config: Any = OmegaConf.to_object(merged)
    config.model.starts = 1
    path = config.data.path
    if cwd and path and not path.startswith("~"):
        config.data.path = str(cwd / path)
    return config


def _start(pack: Pack, run: int) -> dict[str, float]:
    """Where one of several starts began, as starting values."""
    # torch takes seconds, and other runs don't need it
    from ..models.build import make_graph  # noqa: PLC0415 (see above)
    from ..models.initial import starting_values  # noqa: PLC0415 (see above)

    graph = make_graph(pack.config.model)
    assert graph is not None, "an MLP has one start"
    return {f"model.initial.{name}": value for name, value in starting_values(pack, graph, run).items()}


def _of_use(config: Config) -> dict[str, Any]:
    """The fields that the run has a use for."""
    found = dict(_used("", config))
    del found["pack"]
    if config.search.pruner != "patience":  # the others compare runs
        found["search"] = {"kind": "grid"}
    if config.optimizer.kind in LEAST_SQUARES:
        found["schedule"] = {"kind": "constant"}
    return found


def _used(group: str, node: Any) -> Iterator[tuple[str, Any]]:
    for each in fields(node):
        value, path = getattr(node, each.name), f"{group}{each.name}"
        if is_dataclass(value):
            yield each.name, dict(_used(f"{path}.", value))
        elif _is_of_use(path, each, node):
            yield each.name, value


def _is_of_use(path: str, field: Field[Any], node: Any) -> bool:
    """The field belongs to what the group is, and says something there."""
    kinds, pruners = field.metadata.get("kinds"), field.metadata.get("pruners")
    if (kinds and node.kind not in kinds) or (pruners and node.pruner not in pruners):
        return False
    if path == "model.grad_delta":
        return node.gradient == "finite_difference"
    return path != "model.starts" and not (path == "data.table" and node.kind == "file" and node.path)
