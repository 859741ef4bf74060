"""Of a training by groups: which run predicts for a row of a table, by the columns of its group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...kernels.common.errors import UserError
from ..config.pack import Pack
from ..data.cells import words
from ..data.groups import group_columns, key_column
from ..data.table import Table
from ..engines.rows import Rows
from .objective import Objective, loss_of


@dataclass(frozen=True)
class GroupRuns:
    """`keys` map each column to its text in each of G groups; `runs` [G] are their best runs, or None."""

    keys: Mapping[str, Sequence[str]]
    runs: Sequence[int | None]

    @cached_property
    def _known(self) -> dict[tuple[str, ...], int | None]:
        return dict(zip(zip(*self.keys.values(), strict=True), self.runs, strict=True))

    def of_rows(self, table: Table) -> Tensor:
        """The run [B] of the group that each row is of. Raises UserError for a group that has none.

        >>> import numpy as np
        >>> from packtrain.trainer.data.table import Table
        >>> groups = GroupRuns({"cell": ["a", "b"]}, [0, 3])
        >>> groups.of_rows(Table("new.csv", {"cell": np.array(["b", "a", "b"])})).tolist()
        [3, 0, 3]
        """
        columns = [_texts(table.column(name, "the group of a row").tolist()) for name in self.keys]
        rows = list(zip(*columns, strict=True))
        runs = [self._known.get(key) for key in rows]
        if None in runs:
            row = runs.index(None)
            group = ", ".join(f"{name}={text}" for name, text in zip(self.keys, rows[row], strict=True))
            why = "no run of it is of use" if rows[row] in self._known else "it was trained on no such group"
            raise UserError(f"{table.where(row)}: {group} can't be predicted: {why}")
        return torch.tensor(runs)


def best_of_groups(pack: Pack, rows: Rows, objective: Objective | None) -> GroupRuns | None:
    """The best run of each group, None where data.group names none.

    >>> from packtrain.trainer.config.schema import Config
    >>> best_of_groups(Pack(Config(), {}, 1), Rows({"index": range(1)}), None) is None
    True
    """
    names = group_columns(pack.config.data.group)
    if not names:
        return None
    of_run = list(zip(*(_texts(pack.over[key_column(name)]) for name in names), strict=True))
    by = objective or loss_of(rows)
    values = by.each(rows) * (-1 if by.maximized else 1)
    best: dict[tuple[str, ...], int | None] = dict.fromkeys(of_run)
    order = np.argsort(values, kind="stable")
    for run in order[np.isfinite(values[order])][::-1].tolist():  # the best comes last
        best[of_run[run]] = run
    texts = {name: [key[place] for key in best] for place, name in enumerate(names)}
    return GroupRuns(texts, list(best.values()))


def _texts(values: Sequence[Any]) -> list[str]:
    """Each value as text; most stand there many times."""
    distinct = list(dict.fromkeys(values))
    cells = np.empty(len(distinct), dtype=object)
    cells[:] = distinct
    known = dict(zip(distinct, words(cells).tolist(), strict=True))
    return [known[value] for value in values]
