"""data.group: the rows of a table that have the same values in some columns are one data set each."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...kernels.common.errors import UserError
from ...kernels.common.segments import Segments
from ..config.pack import START, Pack, check_count, sliced
from ..config.schema import all_fields
from .dataset import Data, Dataset, Groups
from .table import Blocks, Table

TAKEN = {"index", "pack", "run", START, "outcome", "message", "steps", "best_step"}  # columns of runs.csv
NOTHING_LEFT = "no row of this group is left"


def group_columns(given: Any) -> list[str]:
    """The columns that data.group names, none where it is null. Raises UserError.

    >>> from packtrain.trainer.data.groups import group_columns
    >>> group_columns("compound"), group_columns(["plate", "compound"]), group_columns(None)
    (['compound'], ['plate', 'compound'], [])
    """
    names = [] if given is None else [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"data.group is a column or a list of them, as in [plate, compound]; got {given!r}")
    if len(set(names)) < len(names):
        raise UserError(f"data.group names a column twice: {', '.join(names)}")
    return names


def by_groups(data: Dataset, table: Table, names: list[str], missing: bool = False) -> tuple[Dataset, Groups]:
    """The samples, those of a group after one another in their order, with the groups as `segments`.

    `data` are rows of the `table`, whose columns `names` tell the groups apart. A group that has a cell that
    isn't a finite number, or no row, is of no use and has no samples. With `missing` rows without a key are
    left out. Raises UserError.

    >>> import numpy as np
    >>> import torch
    >>> from packtrain.trainer.data.dataset import Dataset
    >>> from packtrain.trainer.data.groups import by_groups
    >>> from packtrain.trainer.data.table import Table
    >>> table = Table("t.csv", {"cell": np.array(["b", "a", "b"])})
    >>> data = Dataset(torch.tensor([[1.0], [2.0], [3.0]]), torch.zeros(3, 1), ("x",), ("y",))
    >>> data, groups = by_groups(data, table, ["cell"])
    >>> data.inputs.tolist(), data.segments.counts.tolist(), groups.keys
    ([[1.0], [3.0], [2.0]], [2, 1], {'cell': ['b', 'a']})
    """
    if table.blocks and data.rows is None and all(map(_is_finite, _columns(data))):
        return _in_blocks(data, table.blocks)
    if table.blocks:
        first = range(table.blocks.groups)
        code = np.arange(table.blocks.groups).repeat(table.blocks.samples)
        keys = {name: key.tolist() for name, key in table.blocks.keys.items()}
    else:
        code, first = _codes(table, names, missing)
        keys = {name: table.columns[name][first].tolist() for name in names}
    shape = table.blocks and table.blocks.shape
    of_sample = torch.from_numpy(code if data.rows is None else code[data.rows.numpy()])
    bad = dict(_bad_cells(data, of_sample))
    bad.pop(-1, None)
    kept = ~torch.isin(of_sample, torch.tensor([-1, *bad], dtype=torch.int64))
    order = torch.where(kept)[0][of_sample[kept].argsort(stable=True)]
    counts = torch.bincount(of_sample[kept], minlength=len(first))
    faults = dict.fromkeys((counts == 0).nonzero()[:, 0].tolist(), NOTHING_LEFT) | bad
    if not len(order):
        raise UserError(f"{table.source}: no group can be used; the first: {next(iter(faults.values()))}")
    segments = Segments.after_another(counts)
    return replace(data.part(order), segments=segments, faults=faults), Groups(
        keys, faults, shape, int((of_sample < 0).sum())
    )


def runs_of_groups(pack: Pack, data: Data) -> tuple[Pack, Data]:
    """Every run of the pack for each group, in the groups' order, and the samples of each: R = groups x runs.

    The groups' keys are among what varies, under their columns' names; one that a field or a column of
    runs.csv has is called group.NAME. pack.slice is about all these runs. Without groups nothing changes.

    >>> from packtrain.trainer.config.pack import Pack
    >>> from packtrain.trainer.config.schema import Config
    >>> from packtrain.trainer.data.dataset import Data, Dataset, Groups
    >>> from packtrain.trainer.data.groups import runs_of_groups
    >>> segments = Segments.after_another(torch.tensor([2, 1]))
    >>> data = Dataset(torch.ones(3, 1), torch.ones(3, 1), ("x",), ("y",), segments=segments)
    >>> groups = Groups({"cell": ["b", "a"]}, {})
    >>> pack, data = runs_of_groups(Pack(Config(), {"seed": [0, 1]}, 2), Data(data, None, groups=groups))
    >>> pack.over, data.train.segments.starts.tolist()
    ({'cell': ['b', 'b', 'a', 'a'], 'seed': [0, 1, 0, 1]}, [0, 0, 2, 2])
    """
    if data.groups is None:
        return pack, data
    runs, groups = pack.runs, len(data.groups)
    keys = {
        key_column(name): [key for key in of_group for _ in range(runs)]
        for name, of_group in data.groups.keys.items()
    }
    varied = {path: values * groups for path, values in pack.over.items()}
    whole = Pack(pack.config, keys | varied, runs * groups)
    check_count(whole.runs)
    group = torch.arange(groups).repeat_interleave(runs)
    some = sliced(range(whole.runs), pack.config.pack.slice)
    if len(some) < whole.runs:
        whole, group = whole.of(some), group[some.start : some.stop]
    own = group.to(data.train.inputs.device)
    return whole, data.each(lambda part: part.of(own))


def joint_fits(pack: Pack) -> Tensor:
    """Which runs of runs_of_groups() differ only in their group, and so are one fit: a number each, [R].

    >>> from packtrain.trainer.config.pack import Pack
    >>> from packtrain.trainer.config.schema import Config, DataConfig
    >>> from packtrain.trainer.data.groups import joint_fits
    >>> config = Config(data=DataConfig("file", group="cell"))
    >>> joint_fits(Pack(config, {"cell": ["b", "b", "a", "a"], "seed": [0, 1, 0, 1]}, 4)).tolist()
    [0, 1, 0, 1]
    """
    keys = {key_column(name) for name in group_columns(pack.config.data.group)}
    varied = [values for path, values in pack.over.items() if path not in keys]
    numbers: dict[str, int] = {}
    cases = map(repr, zip(*varied, strict=True)) if varied else [""] * pack.runs
    return torch.tensor([numbers.setdefault(case, len(numbers)) for case in cases])


def key_column(name: str) -> str:
    """What a group's column is called among what varies.

    >>> from packtrain.trainer.data.groups import key_column
    >>> key_column("compound"), key_column("index")
    ('compound', 'group.index')
    """
    taken = name in TAKEN or name in {path for path, _ in all_fields()} or "." in name
    return f"group.{name}" if taken else name


def first_rows(table: Table, names: list[str], missing: bool = False) -> np.ndarray:
    """The first row of each group, [G]; with `missing` rows without a key count for nothing.

    >>> import numpy as np
    >>> from packtrain.trainer.data.groups import first_rows
    >>> from packtrain.trainer.data.table import Table
    >>> first_rows(Table("t.csv", {"cell": np.array(["b", "a", "b"])}), ["cell"])
    array([0, 1])
    """
    return _codes(table, names, missing)[1]


def _codes(table: Table, names: list[str], missing: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The group [N] of each row of the table, and the first row [G] of each group.

    With `missing` a row without a key has the group -1; else it is refused.
    """
    for name in names:
        table.column(name, "data.group")
    code, known = np.zeros(table.rows(names), np.int64), np.ones(table.rows(names), bool)
    for name in names:
        _, of_column = table.classes(name, "data.group", missing)
        known &= of_column >= 0
        code = np.unique(code * (of_column.max() + 2) + of_column + 1, return_inverse=True)[1]
    rows = np.flatnonzero(known)
    _, first, code = np.unique(code[rows], return_index=True, return_inverse=True)
    rank, groups = np.empty(len(first), np.int64), np.full(len(known), -1)
    rank[first.argsort()] = np.arange(len(first))
    groups[rows] = rank[code]
    return groups, rows[np.sort(first)]


def _in_blocks(data: Dataset, blocks: Blocks) -> tuple[Dataset, Groups]:
    """The samples of groups that stand after one another already, all of use."""
    keys = {name: key.tolist() for name, key in blocks.keys.items()}
    counts = torch.full((blocks.groups,), blocks.samples)
    return replace(data, segments=Segments.after_another(counts)), Groups(keys, {}, blocks.shape)


def _columns(data: Dataset) -> list[Tensor]:
    """Inputs, targets and weights [N, K], NaN where one is missing."""
    weights = [] if data.weights is None else [data.weights[:, None]]
    targets, missing = data.targets.double(), data.missing_targets
    return [data.inputs, targets.masked_fill(missing, torch.nan) if missing.any() else targets, *weights]


def _is_finite(columns: Tensor) -> bool:
    return bool(columns.isfinite().all())


def _bad_cells(data: Dataset, of_sample: Tensor) -> Iterator[tuple[int, str]]:
    """Each group with a cell that isn't a finite number, and the sentence about its first."""
    columns = _columns(data)
    names = [*data.input_names, *data.target_names[: data.targets.shape[1]], "weights"]
    if all(map(_is_finite, columns)):
        return
    finite = torch.cat(columns, 1).isfinite()
    rows = (~finite.all(1)).nonzero()[:, 0]
    seen: set[int] = set()
    for row, group in zip(rows.tolist(), of_sample[rows].tolist(), strict=True):
        if group not in seen:
            seen.add(group)
            name = names[int((~finite[row]).nonzero()[0])]
            where = data.origins.get(name, name)
            yield (
                group,
                f"{where}, row {data.row(row)}: expected a finite number",
            )
