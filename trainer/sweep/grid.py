"""A command's overrides -> what all packs share, what tells packs apart, and what each pack holds."""

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import Override, Transformer

from ...kernels.common.errors import UserError
from ..config.grammar import quoted
from ..config.overrides import flatten
from ..config.schema import is_per_run

OVER = "pack.over"


@dataclass(frozen=True)
class Choice:
    """One value of a structural field: the override that makes it."""

    field: str
    value: Any
    override: str


@dataclass(frozen=True)
class Grid:
    """The product of the `structure` fields' choices; each pack is the product of what is in `shared`.

    `shared` is the overrides that are `plain`, and what those that are `packed` make together.
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
        """What differs inside its packs."""
        return set(map(_field, self.packed))

    def apart(self, fields: Collection[str]) -> "Grid":
        """The grid inside one combination, in which some of the packed fields have a pack for each value."""
        moved = [each for each in self.packed if _field(each) in fields]
        kept = [each for each in self.packed if each not in moved]
        return _grid(self.plain, kept, [_choices(each) for each in moved])


def make_grid(overrides: Iterable[Override]) -> Grid:
    """What the overrides ask for; the last one counts where a field is given twice, as in Hydra.

    Raises UserError for an interval, for a field without values, and for one that is in pack.over too.
    """
    asked = list(_last(overrides).values())
    plain = [each for each in asked if not each.is_sweep_override()]
    swept = [each for each in asked if each.is_sweep_override()]
    packed = [each for each in swept if is_per_run(_field(each))]
    return _grid(plain, packed, [_choices(each) for each in swept if each not in packed])


def _grid(plain: list[Override], packed: list[Override], structure: list[list[Choice]]) -> Grid:
    return Grid([str(each.input_line) for each in plain] + _over(packed, plain), structure, plain, packed)


def _last(overrides: Iterable[Override]) -> dict[str, Override]:
    """The last override of each field; those of pack.over add up."""
    last: dict[str, Override] = {}
    for each in overrides:
        last[str(each.input_line) if each.key_or_group == OVER else each.get_key_element()] = each
    return last


def _field(override: Override) -> str:
    """What it gives values to."""
    return override.key_or_group.removeprefix(f"{OVER}.")


def _over(packed: Sequence[Override], plain: Sequence[Override]) -> list[str]:
    """pack.over={...} with the values of the fields that may differ inside a pack."""
    given = {path for each in plain for path, _ in flatten({each.key_or_group: each.value()})}
    over: dict[str, str] = {}
    for each in packed:
        field = _field(each)
        if field in over or f"{OVER}.{field}" in given:
            raise UserError(f"{field} is given twice: {each.input_line} and in {OVER}; keep one")
        over[field] = quoted(_values(each))
    return [f"{OVER}={{{','.join(f'{field}:{values}' for field, values in over.items())}}}"] if over else []


def _values(override: Override) -> str:
    """The values in sweep syntax; a shuffle is drawn here, once for all packs."""
    _refuse_interval(override)
    if getattr(override.value(), "shuffle", False):
        return ",".join(override.sweep_string_iterator())
    return override.get_value_string()


def _choices(override: Override) -> list[Choice]:
    _refuse_interval(override)
    values: list[Any] = list(override.sweep_iterator())
    if not values:
        raise UserError(f"{override.input_line} names no value, so the sweep would be empty")
    key = override.get_key_element().replace(f"{OVER}.", "")
    field = key.lstrip("+")
    return [Choice(field, Override._convert_value(v), f"{key}={Transformer.str(v)}") for v in values]


def _refuse_interval(override: Override) -> None:
    if override.is_interval_sweep():
        raise UserError(
            f"{override.input_line} is an interval, and a grid takes values: "
            f"{override.get_key_element()}=range(from,to,step), or several with commas between them"
        )
