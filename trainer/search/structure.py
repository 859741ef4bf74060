"""The structures of a search: the config of each, and which runs of a round share one, and so a pack."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig

from ..config.grammar import quoted
from ..config.precedence import belongs
from ..config.schema import KINDS, LEAST_SQUARES, is_per_run
from ..sweep.planner import apart
from .fields import is_choice
from .space import Choices, Point, Space

PLAIN = re.compile(r"[A-Za-z_][\w/-]*")  # a text that needs no quotes, but for these
MEANT = {"null", "true", "false", "yes", "no", "on", "off", "inf", "nan"}

Compose = Callable[[Sequence[str]], DictConfig]  # overrides -> the config of a command with these


@dataclass(frozen=True)
class Group:
    """Runs of a round with one structure: its `values`, and for each a point of what else differs.

    `places` say where the runs stand in the round.
    """

    values: Point
    points: list[Point]
    places: list[int]

    def cut(self, most: int | None) -> Iterator["Group"]:
        """The group in parts of `most` runs, the last one of what is left."""
        size = most or len(self.points)
        for start in range(0, len(self.points), size):
            part = slice(start, start + size)
            yield Group(self.values, self.points[part], self.places[part])


def grouped(points: Sequence[Point], structural: Collection[str], most: int | None = None) -> list[Group]:
    """The points of a round by the values of their `structural` fields, `most` points a group.

    Groups, and the points in them, are in the order of the points.

    >>> points = [{"widths": 8, "lr": 0.1}, {"widths": 9, "lr": 0.2}, {"widths": 8, "lr": 0.3}]
    >>> [(group.values, group.places) for group in grouped(points, ["widths"])]
    [({'widths': 8}, [0, 2]), ({'widths': 9}, [1])]
    """
    groups: dict[str, Group] = {}
    for place, point in enumerate(points):
        values = {field: point[field] for field in structural if field in point}
        group = groups.setdefault(repr(values), Group(values, [], []))
        group.points.append({field: value for field, value in point.items() if field not in structural})
        group.places.append(place)
    return [part for group in groups.values() for part in group.cut(most)]


def spelled(value: Any) -> str:
    """A value as an override has it.

    >>> spelled([2, 1e-5, None, True, "relu", "z*sigmoid(z)", {"x": "1"}])
    '[2, 1e-05, null, true, relu, "z*sigmoid(z)", {x: "1"}]'
    """
    if isinstance(value, str):
        return value if PLAIN.fullmatch(value) and value.lower() not in MEANT else quoted(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {spelled(part)}' for key, part in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(spelled, value))}]"
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else repr(value)


class Structures:
    """What tells the packs of a round apart: `fields`, those of the space that can't differ inside a pack.

    `cfg` is the config of the command with these `overrides`, `compose` makes those of others, each once.
    Raises UserError for an option that there isn't.
    """

    def __init__(self, cfg: DictConfig, space: Space, overrides: Sequence[str], compose: Compose) -> None:
        self.cfg, self.overrides, self.compose = cfg, list(overrides), compose
        per_run = {field for field in space if is_per_run(field)}
        inside = per_run - apart(cfg, per_run)
        self.fields = [field for field in space if field not in inside]
        self.choices = [field for field in self.fields if is_choice(field) or field.endswith(".kind")]
        self.configs: dict[tuple[str, ...], DictConfig] = {}
        for field in self.choices:
            values = space[field]
            for option in values.choices if isinstance(values, Choices) else ():
                self.config({field: option})

    def used(self, point: Point) -> Point:
        """The point without the fields of other kinds than those that it chooses, such as sgd's momentum."""
        if not self.choices:
            return point
        config = self.config({field: point[field] for field in self.choices})
        return {f: value for f, value in point.items() if f in self.choices or _is_used(config, f)}

    def config(self, values: Point) -> DictConfig:
        """The config of a structure. Raises UserError where it can't be composed."""
        words = tuple(words_of(values))
        if not words:
            return self.cfg
        if words not in self.configs:
            self.configs[words] = self.compose([*self.overrides, *words])
        return self.configs[words]


def words_of(values: Point) -> list[str]:
    """A structure as overrides, those of choices first.

    >>> words_of({"model.widths": [2, 8, 2], "optimizer": "sgd"})
    ['optimizer=sgd', 'model.widths=[2, 8, 2]']
    """
    fields = sorted(values, key=lambda field: not is_choice(field))
    return [f"{field}={spelled(values[field])}" for field in fields]


def _is_used(config: DictConfig, field: str) -> bool:
    group = field.partition(".")[0]
    if group == "schedule" and config.optimizer.kind in LEAST_SQUARES:
        return False
    return group not in KINDS or is_choice(field) or belongs(field, config[group].kind)
