"""A command's overrides -> what all packs share, what tells packs apart, and what each pack holds."""

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import Glob, Override, Transformer

from ...kernels.common.errors import UserError
from ..config.grammar import quoted
from ..config.overrides import flatten
from ..config.schema import is_per_run

OVER = "pack.over"


@dataclass(frozen=True)
class Choice:
    """One value of a structural field, and the override that sets it."""

    field: str
    value: Any
    override: str


@dataclass(frozen=True)
class Grid:
    """The product of the choices of structural fields, a pack for each; `shared` makes the runs of each pack.

    `shared` are the overrides of all packs: the `plain` ones, and pack.over with the values of the `packed`.
    """

    shared: list[str]
    structure: list[list[Choice]]
    plain: list[Override]
    packed: list[Override]

    def combinations(self) -> Iterator[tuple[Choice, ...]]:
        """One choice of each field, the last field's varying fastest."""
        return itertools.product(*self.structure)

    @property
    def fields(self) -> set[str]:
        """The fields that differ inside its packs."""
        return set(map(_field, self.packed))

    def apart(self, fields: Collection[str]) -> "Grid":
        """The grid inside one combination in which these packed `fields` have a pack for each value."""
        moved = [override for override in self.packed if _field(override) in fields]
        others = [override for override in self.packed if override not in moved]
        return _grid(self.plain, others, [_choices(override) for override in moved])


def make_grid(overrides: Iterable[Override]) -> Grid:
    """The grid of a command's overrides; the last one counts where a field is given twice, as in Hydra.

    Raises UserError for an interval, for a field without values, and for one that is in pack.over too.

    >>> from hydra.core.override_parser.overrides_parser import OverridesParser
    >>> typed = ["loop.steps=9", "seed=1,2", "optimizer=adam,sgd"]
    >>> grid = make_grid(OverridesParser.create().parse_overrides(typed))
    >>> grid.shared, [choice.override for choices in grid.combinations() for choice in choices]
    (['loop.steps=9', 'pack.over={seed:"1,2"}'], ['optimizer=adam', 'optimizer=sgd'])
    """
    last = list(_last(overrides).values())
    plain = [override for override in last if not override.is_sweep_override()]
    swept = [override for override in last if override.is_sweep_override()]
    packed = [override for override in swept if is_per_run(_field(override))]
    return _grid(plain, packed, [_choices(override) for override in swept if override not in packed])


def _grid(plain: list[Override], packed: list[Override], structure: list[list[Choice]]) -> Grid:
    shared = [str(override.input_line) for override in plain] + _over(packed, plain)
    return Grid(shared, structure, plain, packed)


def _last(overrides: Iterable[Override]) -> dict[str, Override]:
    """The last override of each field; those of pack.over add up."""
    last: dict[str, Override] = {}
    for override in overrides:
        is_over = override.key_or_group == OVER
        last[str(override.input_line) if is_over else override.get_key_element()] = override
    return last


def _field(override: Override) -> str:
    """The field that the override gives values to."""
    return override.key_or_group.removeprefix(f"{OVER}.")


def _over(packed: Sequence[Override], plain: Sequence[Override]) -> list[str]:
    """pack.over={...} with the values of the fields that may differ inside a pack."""
    given = {path for override in plain for path, _ in flatten({override.key_or_group: override.value()})}
    over: dict[str, str] = {}
    for override in packed:
        field = _field(override)
        if field in over or f"{OVER}.{field}" in given:
            raise UserError(f"{field} is given twice: {override.input_line} and in {OVER}; keep one")
        over[field] = quoted(_values(override))
    return [f"{OVER}={{{','.join(f'{field}:{values}' for field, values in over.items())}}}"] if over else []


def _values(override: Override) -> str:
    """The values in sweep syntax; a shuffle is drawn here, once for all packs."""
    _refuse_interval(override)
    if getattr(override.value(), "shuffle", False):
        return ",".join(override.sweep_string_iterator())
    return override.get_value_string()


def _choices(override: Override) -> list[Choice]:
    _refuse_interval(override)
    is_glob = isinstance(override.value(), Glob)
    values: list[Any] = _globbed(override) if is_glob else list(override.sweep_iterator())
    if not values:
        raise UserError(f"{override.input_line} names no value, so the sweep would be empty")
    key = override.get_key_element().replace(f"{OVER}.", "")
    field = key.lstrip("+")
    return [Choice(field, Override._convert_value(v), f"{key}={Transformer.str(v)}") for v in values]


def _globbed(override: Override) -> list[str]:
    """The options that a glob names: files of the choice's folder, or as in glob(descent/*) of one in it."""
    glob, loader = override.value(), override.config_loader
    assert isinstance(glob, Glob) and loader is not None
    names: list[str] = []
    for folder in dict.fromkeys(pattern.rpartition("/")[0] for pattern in glob.include):
        inside = f"{folder}/" if folder else ""
        options = loader.get_group_options(f"{override.key_or_group}/{inside}".rstrip("/"))
        names += [f"{inside}{option}" for option in options]
    return glob.filter(names)


def _refuse_interval(override: Override) -> None:
    if override.is_interval_sweep():
        raise UserError(
            f"{override.input_line} is an interval, and a grid takes values: "
            f"{override.get_key_element()}=range(from,to,step), or several with commas between them"
        )
