"""data.encode: which columns become inputs as which kind of feature, learned from a table."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from ...kernels.common.errors import UserError, choose, nearest
from ..config.schema import IMPUTE
from .cells import MISSING, floats, is_missing, times, words
from .discretion import told as told_of_cells
from .features import (
    CATEGORY,
    ENCODINGS,
    NUMBER,
    OF_MISSING,
    ONEHOT,
    ORDINAL,
    SECONDS,
    Feature,
    moments_of,
    shown,
)
from .table import Table

AUTO = "auto"
UNITS = "D", "s", "ms", "us", "ns"  # of a moment as text, the shortest that holds it
MOST = 100  # categories of a column that nobody said should be one-hot


def learn(
    table: Table, columns: Mapping[str, str], given: Mapping[str, Any], of_graph: bool, fill: bool = False
) -> tuple[Feature, ...]:
    """The features that the `columns` of a table, input -> column, become.

    `given` is data.encode: column -> onehot, ordinal, seconds, number or auto, or a list of its categories,
    whose places in it are the numbers. auto is of all that aren't named: dates are seconds, and words are
    one-hot, but for equations (`of_graph`), where they are no numbers, and refused. With `fill` missing cells
    will be filled in. Raises UserError.

    >>> import numpy as np
    >>> from packtrain.trainer.data.encode import learn
    >>> from packtrain.trainer.data.table import Table
    >>> table = Table("cars.csv", {"colour": np.array(["red", "blue", "red"])})
    >>> learn(table, {"colour": "colour"}, {}, of_graph=False)[0].names
    ('colour=blue', 'colour=red')
    """
    used = {*columns.values()}
    for name in given:
        if name not in used:
            raise UserError(f"data.encode: {name!r} is no column of the inputs{nearest(name, used)}")
    features = [
        _learn(table, name, column, given.get(column, AUTO), of_graph) for name, column in columns.items()
    ]
    return tuple(_with_fill(table, feature) for feature in features) if fill else tuple(features)


def _learn(table: Table, name: str, column: str, given: Any, of_graph: bool) -> Feature:
    if one := table.category(column):
        return _of_category(table, name, *one)
    cells = table.column(column, name)
    if isinstance(given, (list, tuple)):
        return Feature(name, column, ORDINAL, tuple(words(np.array(given, dtype=object))))
    choose(dict.fromkeys(ENCODINGS), str(given), f"data.encode.{column}")
    kind = _automatic(cells, of_graph) if given == AUTO else str(given)
    if kind == SECONDS:
        return Feature(name, column, kind, origin=_origin(table, name, column))
    if kind == NUMBER:
        return Feature(name, column)
    if kind == ONEHOT and of_graph:
        raise UserError(
            f"data.encode.{column}: onehot makes several inputs of a column, and a variable of equations is "
            "one: ordinal"
        )
    return _of_categories(table, Feature(name, column, kind), cells, asked=given != AUTO)


def _of_category(table: Table, name: str, column: str, category: str) -> Feature:
    known = sorted({*words(table.column(column, name))} - {""})
    if category not in known:
        raise UserError(
            f"{table.source}, column {column}: no cell is {category!r} for {name}"
            + told_of_cells(f"{nearest(category, known)}; there are {shown(known)}")
        )
    return Feature(name, column, CATEGORY, (category,))


def _automatic(cells: np.ndarray, of_graph: bool) -> str:
    if cells.dtype.kind in "mM":
        return SECONDS
    if cells.dtype.kind not in "OU":
        return NUMBER
    present = cells[~is_missing(cells, MISSING)]
    if not len(present):
        return NUMBER
    if not np.isnan(floats(present)).all():
        return NUMBER
    if times(present[:1]) is not None and times(present) is not None:
        return SECONDS
    is_words = all(isinstance(cell, str) for cell in present)
    return ONEHOT if is_words and not of_graph else NUMBER


def _origin(table: Table, name: str, column: str) -> str | None:
    """The first moment, None of durations."""
    moments = moments_of(table, column, name)
    present = moments[~np.isnat(moments)]
    if not len(present):
        raise UserError(f"{table.source}, column {column}: every date is missing")
    if moments.dtype.kind == "m":
        return None
    first = present.min()
    shorter = (first.astype(f"M8[{unit}]") for unit in UNITS)
    return str(next(moment for moment in shorter if moment == first))


def _of_categories(table: Table, feature: Feature, cells: np.ndarray, asked: bool) -> Feature:
    present = cells[~is_missing(cells)]
    texts = {*words(present)}
    numbers = floats(present)
    by_size = len(present) and not np.isnan(numbers).any()
    categories = sorted(texts, key=float) if by_size else sorted(texts)
    if len(categories) > MOST and not asked:
        raise UserError(
            f"{table.source}, column {feature.column} has {len(categories):,} different words"
            f"{told_of_cells(f' (such as {shown(categories[:2])})')}, and a column each is made of {MOST} at "
            "most: leave it out with "
            f"'data.columns={{inputs: [rest, \"!{feature.column}\"]}}', or say 'data.encode="
            f"{{{feature.column}: onehot}}' or ordinal"
        )
    return replace(feature, categories=tuple(categories))


def _with_fill(table: Table, feature: Feature) -> Feature:
    """What missing cells become: of one-hot ones a category of their own, of others what is learned later."""
    if feature.kind == CATEGORY:
        return replace(feature, fill=0.0)  # a missing word is another one
    if feature.kind != ONEHOT:
        return replace(feature, fill=np.nan)
    if not is_missing(table.column(feature.column, feature.name)).any():
        return feature
    categories = tuple(sorted({*feature.categories, OF_MISSING}))
    return replace(feature, categories=categories, fill=OF_MISSING)


def told(features: Iterable[Feature], inputs: Tensor) -> list[str]:
    """A sentence for people on each column that isn't of numbers, and what it became in the `inputs` [N, V].

    >>> import torch
    >>> from packtrain.trainer.data.encode import told
    >>> from packtrain.trainer.data.features import Feature
    >>> told([Feature("t", "day", "seconds", origin="2024-01-01"), Feature("x", "x")], torch.zeros(9, 2))
    ['day: dates became seconds since 2024-01-01']
    """
    notes, place = [], 0
    for feature in features:
        if feature.kind != NUMBER:
            notes.append(f"{feature.column}: {_became(feature)}")
        if isinstance(feature.fill, str):
            count = int(inputs[:, place + feature.categories.index(feature.fill)].sum())
            notes[-1] += f"; {feature.fill} are {count:,} of them (data.missing={IMPUTE})"
        place += len(feature.names)
    return notes


def _became(feature: Feature) -> str:
    if feature.kind == ONEHOT:
        return f"words became {len(feature.names)} inputs, {shown(feature.names)}"
    if feature.kind == CATEGORY:
        return f"{feature.name} is 1 where it is {feature.categories[0]}, and 0 elsewhere"
    if feature.kind == ORDINAL:
        return f"words became their places, from 0, in {shown(feature.categories)}"
    return f"dates became seconds since {feature.origin}" if feature.origin else "times became seconds"
