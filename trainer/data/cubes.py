"""Images and cubes: arrays [rows, columns, samples], each place of which is a group."""

import math
from dataclasses import replace

import numpy as np

from ...kernels.common.errors import UserError
from .table import Blocks, Table

SAMPLE = "sample"  # the number of a sample, from 0, where the arrays have no input of their own


def is_cube(table: Table, names: list[str]) -> bool:
    """Whether `names`, of data.group, are axes of a file's arrays rather than columns.

    >>> import numpy as np
    >>> from packtrain.trainer.data.cubes import is_cube
    >>> from packtrain.trainer.data.table import Table
    >>> is_cube(Table("t.csv", {"cell": np.zeros(3)}), ["cell"])
    False
    """
    several = any(array.ndim > 1 for array in table.arrays.values())
    return bool(names) and several and not any(name in table.columns for name in names)


def in_rows(table: Table, names: list[str]) -> Table:
    """The table with a row a sample: of a cube whose axes are `names` the long one, else as it is.

    >>> import numpy as np
    >>> from packtrain.trainer.data.cubes import in_rows
    >>> from packtrain.trainer.data.table import Table
    >>> in_rows(Table("t.csv", {"cell": np.zeros(3)}), ["cell"]).names
    ['cell']
    """
    return long_table(table, names) if is_cube(table, names) else table


def with_keys(table: Table) -> Table:
    """A long table with the columns of its groups' keys; any other as it is.

    >>> import numpy as np
    >>> from packtrain.trainer.data.cubes import in_rows, with_keys
    >>> from packtrain.trainer.data.table import Table
    >>> table = Table("traces.npy", {"x_0": np.zeros(2)}, arrays={"x": np.ones((2, 3))})
    >>> with_keys(in_rows(table, ["trace"])).columns["trace"].tolist()
    [0, 0, 0, 1, 1, 1]
    """
    if table.blocks is None:
        return table
    keys = {name: np.repeat(key, table.blocks.samples) for name, key in table.blocks.keys.items()}
    return replace(table, columns=table.columns | keys)


def long_table(table: Table, names: list[str]) -> Table:
    """The table of a cube: a row a sample, place after place, each of which is a group of its own.

    With K names an array of K + 1 axes holds the samples of every place, its last axis; one of a single axis,
    as long, those that all places share; and one of K axes a number of each place. Raises UserError.

    >>> import numpy as np
    >>> from packtrain.trainer.data.cubes import long_table
    >>> from packtrain.trainer.data.table import Table
    >>> cube = np.arange(12).reshape(2, 2, 3)
    >>> table = Table("cube.npz", {"t": np.zeros(3)}, arrays={"t": np.array([0, 1, 2]), "y": cube})
    >>> long = long_table(table, ["row", "column"])
    >>> long.columns["t"].tolist()[:4], long.columns["y"].tolist()[:4], long.blocks.keys["column"].tolist()
    ([0, 1, 2, 0], [0, 1, 2, 3], [0, 1, 0, 1])
    """
    *places, samples = _shape(table, names)
    count = math.prod(places)
    columns, refused = {}, {}
    for name, array in table.arrays.items():
        if array.shape == (*places, samples):
            columns[name] = array.reshape(-1)
        elif array.shape == (samples,):
            columns[name] = np.broadcast_to(array, (count, samples)).reshape(-1)
        elif array.shape == tuple(places):
            columns[name] = np.repeat(array.reshape(-1), samples)
        else:
            shape = "x".join(map(str, array.shape)) or "of one number"
            refused[name] = f"the array has the shape {shape}: expected {_expected(places, samples)}"
    if not any(array.ndim == 1 for array in table.arrays.values()):
        columns[SAMPLE] = np.tile(np.arange(samples), count)
    keys = dict(zip(names, (axis.reshape(-1) for axis in np.indices(places)), strict=True))
    return replace(
        table, columns=columns, refused=refused, notes=(), blocks=Blocks(keys, tuple(places), samples)
    )


def _shape(table: Table, names: list[str]) -> tuple[int, ...]:
    """The axes of the first array that has one for each name and one for the samples. Raises UserError."""
    for array in table.arrays.values():
        if array.ndim == len(names) + 1 and array.size:
            return array.shape
    some = list(table.arrays.items())[:20]
    listed = ", ".join(f"{name} {'x'.join(map(str, a.shape)) or '1'}" for name, a in some)
    raise UserError(
        f"{table.source}: data.group=[{', '.join(names)}] takes an array of {len(names) + 1} axes, the last "
        f"of which is the samples; there are {listed}"
    )


def _expected(places: list[int], samples: int) -> str:
    shapes = (*places, samples), (samples,), places
    return " or ".join("x".join(map(str, shape)) for shape in shapes)
