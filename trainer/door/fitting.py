"""`packtrain.fit`: an equation fitted to data in memory, everything else inferred."""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from ...kernels.common.errors import UserError, nearest
from ..config.compose import as_sentences
from ..config.inferred import infer
from ..config.options import CONF, groups, options
from ..config.pack import Pack, make_pack
from ..config.schema import Config
from ..config.sentences import fields_by_end, known_fields
from ..data.cubes import in_rows, with_keys
from ..data.frames import table_of
from ..data.table import Table
from .fit import Fit
from .quick import Quick

KEPT = 64  # formulas with their options that need not be read and checked again

OWN = "initial", "bounds", "fixed", "shared", "group", "weights", "sigma", "columns", "folder"

Fields = dict[str, Any]  # by their dotted names


def fit(
    data: Any,
    equations: str | Sequence[str],
    *,
    initial: Mapping[str, Any] | str | None = None,
    bounds: Mapping[str, Any] | None = None,
    fixed: Sequence[str] = (),
    shared: Sequence[str] = (),
    group: str | Sequence[str] | None = None,
    weights: Any = None,
    sigma: Any = None,
    columns: Mapping[str, str] | None = None,
    folder: str | Path | None = None,
    **more: Any,
) -> Fit:
    """Fits equations to data by least squares, once or, with `group`, once a group: `packtrain fit`.

    `data` is a frame, a mapping of names to arrays, or a path: see table_of. Names in the equations that are
    columns are variables, and all others parameters; `columns` gives variables columns of other names.
    `initial` maps parameters to where they start: a number, a range (low, high) to draw from, a text such as
    "max(y)", or "auto", a start that is looked for, as all are where none is given. `bounds` maps them to
    (low, high), None for none. `weights` multiply squared errors, `sigma` are the errors of the measurements:
    both a column's name, or numbers. `more` is any other field of the config, by its dotted name or the last
    part of that, as starts=64, loss="cauchy", optimizer="adam", steps=100. The results are written into
    `folder`, if one is named. Raises UserError.

    >>> import packtrain
    >>> cup = {"t": [0, 5, 10, 20, 40], "y": [90, 70.5, 56.2, 38.9, 24.7]}
    >>> fit = packtrain.fit(cup, "y = room + rise*exp(-k*t)", initial={"room": 20, "rise": 70, "k": 0.1})
    >>> round(fit["k"], 4)
    0.0648
    """
    table = table_of(data)
    table, names = _with_arrays(table, weights=weights, sigma=sigma)
    asked: Fields = {"initial": initial, "bounds": bounds, "fixed": fixed, "shared": shared, "group": group}
    asked |= {"mapped": columns, **names}
    table = with_keys(in_rows(table, [group] if isinstance(group, str) else list(group or ())))
    formula = _formulas(_Asked(equations, tuple(table.names), table.source, asked, more))
    fitted = formula.fit(table, data)
    if folder is not None:
        fitted.save(folder)
    return fitted


def _with_arrays(table: Table, **given: Any) -> tuple[Table, dict[str, str | None]]:
    """The table, with columns of the numbers that were given in the place of a name; the columns' names."""
    names = {
        word: value if value is None or isinstance(value, str) else word for word, value in given.items()
    }
    added = {word: value for word, value in given.items() if names[word] is not value}
    for word in added:
        if word in table.names:
            raise UserError(
                f"{word} are numbers, and {table.source} has a column of that name: name the column"
            )
    if not added:
        return table, names
    arrays = {word: np.asarray(value, np.float64).reshape(-1) for word, value in added.items()}
    return Table(table.source, {**table.columns, **arrays}, table.refused), names


class _Asked:
    """What a fit was asked for, but for its data: equal where all of it is written alike."""

    def __init__(
        self,
        equations: str | Sequence[str],
        columns: tuple[str, ...],
        source: str,
        asked: Fields,
        more: Fields,
    ) -> None:
        self.equations, self.columns, self.source, self.asked, self.more = (
            equations, columns, source, asked, more,
        )  # fmt: skip
        self.text = repr((equations, columns, source, asked, more))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


class _Formula:
    """A pack that fits, and once it has, what makes a further fit quick: see Quick."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self.quick: Quick | None = None

    def fit(self, table: Table, data: Any) -> Fit:
        """Fits to the table, which was made of `data`. Raises UserError."""
        if self.quick and (known := self.quick.fit(table)):
            return Fit(self.pack, table, data, known)
        fitted = Fit(self.pack, table, data)
        self.quick = Quick.of(fitted.session)
        return fitted


@lru_cache(KEPT)
def _formulas(asked: _Asked) -> _Formula:
    """What fits what was asked for. Raises UserError."""
    given = {word: value for word, value in asked.asked.items() if value is not None}
    fields = infer(asked.equations, asked.columns, asked.source, **given) | _fields(asked.more)
    with as_sentences():
        return _Formula(make_pack(_config(fields)))


def _config(fields: Fields) -> DictConfig:
    """The config of experiment=fit with these fields in the place of its own."""
    config = fit_config()
    for path, value in fields.items():
        if path in groups():
            config[path] = OmegaConf.merge(OmegaConf.structured(Config)[path], _option(path, value))
    for path, value in fields.items():
        if path not in groups():
            OmegaConf.update(config, path, value)
    return config


def fit_config() -> DictConfig:
    """The config of experiment=fit, without its equation and data.

    >>> from packtrain.trainer.door.fitting import fit_config
    >>> fit_config().optimizer.kind, fit_config().model.loss
    ('levenberg_marquardt', 'sse')
    """
    return _fit_config().copy()


@cache
def _fit_config() -> DictConfig:
    content: Any = OmegaConf.to_container(OmegaConf.load(CONF / "experiment" / "fit.yaml"))
    chosen = {
        key.removeprefix("override /"): name for line in content.pop("defaults") for key, name in line.items()
    }
    for path in ("model.expressions", "model.initial", "data.table"):
        group, field = path.split(".")
        del content[group][field]
    picked: Any = {group: _option(group, name) for group, name in chosen.items()}
    config = OmegaConf.merge(OmegaConf.structured(Config), picked, content)
    assert isinstance(config, DictConfig)
    return config


def _option(group: str, name: Any) -> Fields:
    """The fields of an option. Raises UserError where there is none."""
    known = options(group)
    if name not in known:
        raise UserError(
            f"there is no {group}={name}{nearest(str(name), known)}; there are {', '.join(known)}"
        )
    return known[name]


def _fields(more: Fields) -> Fields:
    """field or choice -> value, of names that may be the last part of a field's. Raises UserError."""
    return {_field(name): value for name, value in more.items()}


def _field(name: str) -> str:
    """The field or choice that is meant. Raises UserError."""
    known = known_fields()
    if name in known:
        return name
    ends = fields_by_end()
    fields = ends.get(name, [])
    if len(fields) == 1:
        return fields[0]
    if fields:
        whole = f"**{{{fields[0]!r}: ...}}"
        raise UserError(f"{name} may be {' or '.join(fields)}: write the whole name, as in {whole}")
    raise UserError(f"fit has no option {name}{nearest(name, [*OWN, *known, *ends])}")
