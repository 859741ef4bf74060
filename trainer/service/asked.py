"""What is submitted -> checked jobs: composed as the command composes it, and quickly where it is known."""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from ...kernels.common.errors import UserError
from ...kernels.language import parse
from ..config.checks import check
from ..config.compose import as_sentences, composed, config_loader
from ..config.equations import check_loss_values
from ..config.grammar import with_quotes
from ..config.overrides import given_by
from ..config.pack import START, Pack, make_pack
from ..config.schema import Config, all_fields
from ..sweep.grid import make_grid
from ..sweep.planner import Job, jobs, pack_of, without_hydra
from . import request_rules
from .jobs import Asked
from .limits import Limits
from .plain import Unusual, apart
from .quick import Choices, interpolates, is_simple, value_at, with_values
from .structure import FREE, difference, joins, key_of, per_run_paths, with_fields

MISTAKES = UserError, HydraException, OmegaConfBaseException, ValueError
NO_VARIABLES = "targets", "weights", "sigma"  # in data.columns
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Latest(OrderedDict[K, V], Generic[K, V]):
    """The values that were used last, so many at most."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def used(self, key: K) -> V | None:
        """The value of `key`, which is the last to be forgotten now."""
        if key in self:
            self.move_to_end(key)
        return self.get(key)

    def keep(self, key: K, value: V) -> None:
        """Keeps `value`, and forgets what was used longest ago."""
        self[key] = value
        while len(self) > self.most:
            self.popitem(last=False)


@dataclass(frozen=True)
class Known:
    """A job whose structure others have: theirs differ in the values of fields."""

    asked: Asked
    pack: Pack
    given: set[str]


@dataclass(frozen=True)
class Checked:
    """The jobs of a request, and of a sweep the combinations that can't be trained, a sentence each."""

    asked: list[Asked]
    left_out: list[str]


class Composer:
    """Checks requests: the same packs, and the same sentences, as of the command with these overrides.

    It keeps what was composed, so that a job of a structure that is known takes a millisecond. What they
    name in `data`, a folder, has to be there; without one that isn't looked at.
    """

    def __init__(self, limits: Limits | None = None, data: Path | None = None) -> None:
        self.limits, self.data = limits or Limits(), data
        self._lock = Lock()
        self._choices: Latest[tuple[str, ...], DictConfig] = Latest(64)
        self._known: Latest[tuple[tuple[str, ...], tuple[str, ...]], Known] = Latest(512)

    def asked(self, overrides: Sequence[str], multirun: bool = False) -> list[Asked]:
        """The jobs that the words of a command ask for: one, or those of a sweep. Raises UserError."""
        return self.checked(overrides, multirun).asked

    def checked(self, overrides: Sequence[str], multirun: bool = False) -> Checked:
        """Likewise, with what is left out of a sweep. Raises UserError."""
        with self._lock:
            result = self._sweep(overrides) if multirun else Checked([self._one(overrides)], [])
        for asked in result.asked:
            self.limits.check_runs(asked.runs)
        self.limits.check_jobs(len(result.asked))
        return result

    def _one(self, overrides: Sequence[str]) -> Asked:
        """One job, by the quickest way that there is."""
        try:
            structure, values = apart(overrides)
            if known := self._known.used((structure, tuple(values))):
                return self._varied(known, list(overrides), values)
        except (Unusual, *MISTAKES):
            structure, values = tuple(overrides), {}
        request_rules.check(overrides, self.data)
        words = [with_quotes(word) for word in overrides]
        config = self._config(words)
        pack = make_pack(config, words)
        asked = self._asked(pack, list(overrides))
        if values and is_simple(pack, structure, values) and not interpolates(config):
            self._known.keep((structure, tuple(values)), Known(asked, pack, set(given_by(words))))
        return asked

    def _config(self, words: Sequence[str]) -> DictConfig:
        """The config of these overrides, without Hydra's part. Raises UserError."""
        try:
            choices = Choices.of(words)
            return choices.applied(self._chosen(choices.groups))
        except (Unusual, *MISTAKES):
            return _whole(words)

    def _chosen(self, groups: tuple[str, ...]) -> DictConfig:
        """The config of these choices. Raises UserError."""
        if (config := self._choices.used(groups)) is None:
            config = _whole(groups)
            self._choices.keep(groups, config)
        return config

    def _sweep(self, overrides: Sequence[str]) -> Checked:
        """The jobs of a sweep. Raises UserError where none of them can be trained."""
        request_rules.check(overrides, self.data)
        words = [with_quotes(word) for word in overrides]
        with config_loader() as loader, as_sentences():
            planned = self._planned(loader, words)
            good = [job for job in planned if not job.refused]
            refused = [_named(job) for job in planned if job.refused]
            if not good:
                raise UserError(refused[0])
            asked = [self._asked(pack_of(job.config, job.overrides), job.overrides) for job in good]
        return Checked(asked, refused)

    def _planned(self, loader: ConfigLoader, words: list[str]) -> list[Job]:
        parsed = OverridesParser.create(config_loader=loader).parse_overrides(words)
        grid = make_grid(parsed)
        planned = []
        for job in jobs(loader, composed(loader, grid.shared), grid, groups=_no_groups):
            planned.append(job)
            self.limits.check_jobs(len(planned))
        return planned

    def _asked(self, pack: Pack, overrides: list[str]) -> Asked:
        """The job that trains a pack. Raises UserError where a service doesn't."""
        config, base = pack.config, _base(pack)
        request_rules.check_config(config, self.data)
        _check_equations(config)
        return Asked(
            overrides, config.name, key_of(pack), asdict(base), difference(base, config), pack.over,
            pack.runs, joins=joins(config), search=config.search.kind != "grid",
        )  # fmt: skip

    def _varied(self, known: Known, overrides: list[str], values: dict[str, Any]) -> Asked:
        """A job that is like one that is known, but for these values. Raises UserError, or Unusual."""
        config = with_values(known.pack.config, values)
        check(config, known.given, {*known.pack.over} - {START})
        check_loss_values(config.model, known.pack.over)
        request_rules.check_config(config, self.data)
        fields = dict(known.asked.fields)
        for field in map(_field, values):
            value = value_at(config, field)
            if repr(value) == repr(value_at(known.asked.base, field)):
                fields.pop(field, None)
            else:
                fields[field] = value
        return replace(known.asked, overrides=overrides, name=config.name, fields=fields)


def _whole(words: Sequence[str]) -> DictConfig:
    with config_loader() as loader, as_sentences():
        return without_hydra(composed(loader, words))


def _check_equations(config: Config) -> None:
    """Raises UserError for equations that can't be read, which a training would find only when it begins."""
    model, columns = config.model, config.data.columns
    if model.kind == "expression" and model.expressions and isinstance(model.expressions, (str, list)):
        mapped = {name for name in columns if name not in NO_VARIABLES}
        variables = {*model.variables, *mapped} - {*model.parameters}
        parse(model.expressions, model.outputs, model.parameters, variables)


def _no_groups(pack: Pack) -> int:
    """The server reads no data. Raises UserError where it would have to."""
    if pack.config.data.group is not None and pack.config.search.max_pack is not None:
        raise UserError(
            "search.max_pack cuts the groups of data.group, and a service reads data only when it trains: "
            "leave out search.max_pack"
        )
    return 1


def _named(job: Job) -> str:
    """Why a combination can't be trained, behind what tells it from the others."""
    values = " ".join(f"{field}={value}" for field, value in job.values.items())
    return f"{values}: {job.refused}".removeprefix(": ")


def _base(pack: Pack) -> Config:
    """The config of its structure: what its key leaves out is as in an empty config.

    So all that have the key have this base, whoever is the first.
    """
    fields = {_field(path) for path in per_run_paths(pack) if path != START} | {*FREE}
    return with_fields(pack.config, {path: _empty()[path] for path in fields})


@cache
def _empty() -> dict[str, Any]:
    """field -> its value in an empty config."""
    fields = ((path, value_at(Config(), path)) for path, _ in all_fields())
    return {path: {} if isinstance(value, DictConfig) else value for path, value in fields}


def _field(path: str) -> str:
    """The field of an entry, as model.initial of model.initial.a."""
    return ".".join(path.split(".")[:2])
