"""One run of a pack as an experiment: a config that trains it again, alone, bit for bit."""

from collections.abc import Iterator
from dataclasses import Field, asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from ...kernels.common.errors import UserError
from ..config.data_values import AUTO, INITIAL, read_columns
from ..config.interpolation import put
from ..config.pack import START, Pack, make_pack
from ..config.schema import Config, has_rates
from ..data.foreign import UNREADABLE

PACKAGE = "# @package _global_"


def experiment_of(folder: Path, run: int) -> str:
    """The text of an experiment's file that trains as that `run` of the training in `folder` was trained.

    In MINE/experiment/NAME.yaml it is what `--config-dir MINE experiment=NAME` takes. Fields that the run has
    no use for are left out. Raises UserError.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from omegaconf import OmegaConf
    >>> from packtrain.trainer.config.schema import KINDS
    >>> from packtrain.trainer.folder.experiment import experiment_of
    >>> config = {group: {"kind": kinds[0]} for group, kinds in KINDS.items()}
    >>> config |= {"loop": {"steps": 10}, "pack": {"over": {"seed": "5,6"}}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, ".hydra").mkdir()
    ...     OmegaConf.save(config, Path(folder, ".hydra", "config.yaml"))
    ...     OmegaConf.save([], Path(folder, ".hydra", "overrides.yaml"))
    ...     text = experiment_of(Path(folder), 1)
    >>> text.splitlines()[:3]
    ['# @package _global_', 'name: run', 'seed: 6']
    """
    return f"{PACKAGE}\n{OmegaConf.to_yaml(OmegaConf.create(fields_of_use(run_config(folder, run))))}"


def run_config(folder: Path, run: int) -> Config:
    """The config of one `run` of the training in `folder`: its own values, and nothing to vary.

    Raises UserError.

    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.experiment import run_config
    >>> run_config(Path("x"), 0)
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: x has no folder .hydra, which says how its runs were configured
    """
    return _alone(read_pack(folder), run, started_in(folder))


def read_pack(folder: Path) -> Pack:
    """The pack that was trained in `folder`, as its .hydra says. Raises UserError.

    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.experiment import read_pack
    >>> read_pack(Path("x"))
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: x has no folder .hydra, which says how its runs were configured
    """
    if not (folder / ".hydra").is_dir():
        raise UserError(f"{folder} has no folder .hydra, which says how its runs were configured")
    config: Any = _loaded(folder, "config")
    return make_pack(config, _loaded(folder, "overrides"))


def _loaded(folder: Path, name: str) -> Any:
    """The config, or the overrides, in .hydra. Raises UserError."""
    try:
        content = OmegaConf.load(folder / ".hydra" / f"{name}.yaml")
        if name == "config":
            return OmegaConf.merge(OmegaConf.structured(Config), content)
        typed: Any = OmegaConf.to_container(content)  # interpolations as they were typed
        return list(map(str, typed))
    except UNREADABLE as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{folder / '.hydra'} doesn't say how its runs were configured: {reason}") from None


def started_in(folder: Path) -> Path | None:
    """The folder in which the command was given, against which relative paths are resolved.

    >>> from packtrain.trainer.folder.experiment import started_in
    >>> started_in(Path("nowhere")) is None
    True
    """
    file = folder / ".hydra" / "hydra.yaml"
    cwd = OmegaConf.select(OmegaConf.load(file), "hydra.runtime.cwd") if file.exists() else None
    return Path(str(cwd)) if cwd else None


def resolved(path: str | None, cwd: Path | None) -> str | None:
    """A path of data as it was meant in `cwd`, where the training began.

    >>> from packtrain.trainer.folder.experiment import resolved
    >>> resolved("cup.csv", Path("/data")), resolved("~/cup.csv", Path("/data"))
    ('/data/cup.csv', '~/cup.csv')
    """
    return str(cwd / path) if cwd and path and not path.startswith("~") else path


def _alone(pack: Pack, run: int, cwd: Path | None) -> Config:
    known = OmegaConf.structured(Config)
    grouped = pack.config.data.group is not None
    first = (pack.config.pack.slice or [0])[0] if grouped else 0
    group, run = divmod(first + run, pack.runs)
    values = pack.values(run) | ({} if pack.config.model.starts == 1 else _start(pack, run, group, cwd))
    if pack.config.model.initial == AUTO and any(path.startswith(INITIAL) for path in values):
        values = _each_auto(pack) | values
    nothing_varied = asdict(Config().pack)
    if grouped and not pack.config.model.shared:
        nothing_varied["slice"] = [group, group + 1]  # of the groups this one
    merged = OmegaConf.merge(known, asdict(pack.config) | {"pack": nothing_varied})
    put(merged, {field: value for field, value in values.items() if field != START})  # pyright: ignore[reportArgumentType]
    config: Any = OmegaConf.to_object(merged)
    config.model.starts = 1
    config.data.path = resolved(config.data.path, cwd)
    return config


def _start(pack: Pack, run: int, group: int, cwd: Path | None) -> dict[str, float]:
    """The starting values of one of several starts, as fields: data that say them are read again."""
    # torch takes seconds, and other runs don't need it
    from ..models.build import graph_of  # noqa: PLC0415 (see above)
    from ..models.starts import given_starts, reads_data, starting_values  # noqa: PLC0415 (see above)

    graph = graph_of(pack.config)
    assert graph is not None, "an MLP has one start"
    data = (
        _data(pack, cwd).of_run(group) if any(map(reads_data, given_starts(pack, graph).values())) else None
    )
    return {f"{INITIAL}{name}": value for name, value in starting_values(pack, graph, run, data).items()}


def _data(pack: Pack, cwd: Path | None) -> Any:
    """What the runs were trained on, by groups if there are any."""
    import torch  # noqa: PLC0415 (it takes seconds)

    from ..data.sources import load  # noqa: PLC0415 (torch takes seconds)
    from ..models.build import graph_of  # noqa: PLC0415 (likewise)

    config = pack.config
    given = replace(config.data, path=resolved(config.data.path, cwd))
    dtype = torch.float64 if config.compute.precision == "fp64" else torch.float32
    of_model = graph_of(config), config.model.loss, torch.device("cpu"), dtype
    return load(given, *of_model, others=read_columns(config.model, pack.over)).train


def _each_auto(pack: Pack) -> dict[str, str]:
    """model.initial=auto, parameter by parameter."""
    from ..models.build import graph_of  # noqa: PLC0415 (torch takes seconds)

    graph = graph_of(pack.config)
    return {f"{INITIAL}{name}": AUTO for name in graph.parameters} if graph else {}


def fields_of_use(config: Config) -> dict[str, Any]:
    """The config without the fields that a training has no use for, such as another optimizer's.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.folder.experiment import fields_of_use
    >>> config = Config(model=ModelConfig("expression"), data=DataConfig("table"))
    >>> config.optimizer = OptimizerConfig("gauss_newton")
    >>> list(fields_of_use(config)["optimizer"])
    ['kind', 'ftol', 'xtol', 'gtol']
    """
    used = dict(_used("", config))
    used["pack"] = {name: value for name, value in asdict(config.pack).items() if value}
    if not used["pack"]:
        del used["pack"]
    if config.search.pruner != "patience":  # the others compare runs
        used["search"] = {"kind": "grid"}
    if not has_rates(config):
        used["schedule"] = {"kind": "constant"}
    return used


def _used(group: str, node: Any) -> Iterator[tuple[str, Any]]:
    for field in fields(node):
        value, path = getattr(node, field.name), f"{group}{field.name}"
        if is_dataclass(value):
            yield field.name, dict(_used(f"{path}.", value))
        elif _is_of_use(path, field, node):
            yield field.name, value


def _is_of_use(path: str, field: Field[Any], node: Any) -> bool:
    """Whether the field belongs to the group's kind or pruner, and changes something there."""
    kinds, pruners = field.metadata.get("kinds"), field.metadata.get("pruners")
    if (kinds and node.kind not in kinds) or (pruners and node.pruner not in pruners):
        return False
    if path == "model.grad_delta":
        return node.gradient == "finite_difference"
    return path != "model.starts" and not (path == "data.table" and node.kind == "file" and node.path)
