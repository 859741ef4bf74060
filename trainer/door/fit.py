"""A fit in memory: its parameters with their uncertainties, its report, what it predicts, its pictures."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from torch import Tensor

from ...kernels.common.errors import UserError, nearest
from ..config.pack import START
from ..console.fit import number
from ..data.frames import frame_like, table_of
from ..data.groups import group_columns
from ..data.table import Table
from ..folder.ranking import Row, best_first, flat
from ..folder.result import Result
from ..session import Session
from .looks import headline_html, report_of, table_html
from .saving import SavedConfig, save_pack

SHOWN = 10  # groups in a notebook


class Fit:
    """A fit of one data set, or of many groups; fit["a"] is the value of a parameter, of groups an array.

    Of several starts the best one counts. What isn't asked for isn't computed: standard errors, the report
    and all else are made of the session that has ended.
    """

    def __init__(self, session: Session, table: Table, like: Any = None) -> None:
        self.session, self.table, self.like = session, table, like

    @cached_property
    def result(self) -> Result:
        """The Result of all runs: groups, starts, and what pack.over varies."""
        return self.session.result()

    @cached_property
    def rows(self) -> list[Row]:
        """The runs that count, one a group, as in result.json."""
        by_values: dict[tuple[str, ...], list[Row]] = {}
        for row in self.result.rows:
            by_values.setdefault(tuple(map(str, _values(row).values())), []).append(row)
        return [best_first(rows, self.result.objective)[0] for rows in by_values.values()]

    @cached_property
    def parameters(self) -> Any:
        """A row a group, or one: its key, each parameter with stderr and 95 % interval, and how it ended.

        The columns of a parameter a are a, a_stderr, a_low and a_high. It is a frame of the kind that the
        data were, else a table of PyArrow, whose to_pandas() makes a DataFrame.
        """
        return frame_like(self.like, self._columns())

    @cached_property
    def runs(self) -> Any:
        """A table of the columns of runs.csv, a row a run, whatever counts."""
        lines = [flat(row) for row in self.result.rows]
        return frame_like(self.like, {name: [line[name] for line in lines] for name in lines[0]})

    @property
    def values(self) -> dict[str, float]:
        """The parameters of the one fit by name. Raises UserError where there are several."""
        return {name: float(value) for name, value in zip(self._names, self._alone().tolist(), strict=True)}

    def __getitem__(self, name: str) -> Any:
        """The value of a parameter: a number, or of several fits an array. Raises UserError."""
        self._check(name)
        of_fits = self._fitted[:, self._names.index(name)].numpy()
        return float(of_fits[0]) if len(of_fits) == 1 else of_fits

    def __len__(self) -> int:
        return len(self._fitted)

    def report(self) -> str:
        """What the command prints of it."""
        return report_of(self.result.summary, list(self.result.rows))

    def predict(self, data: Any = None) -> np.ndarray:
        """What the equations give for `data`, or for those that were fitted: [B], of several targets [B, T].

        `data` are as of `fit`, with a column for each input; of groups also with their columns, which say
        whose parameters each row takes. Raises UserError for a group that wasn't fitted.
        """
        table = self.table if data is None else table_of(data)
        columns, graph = self.session.pack.config.data.columns, self.session.engine.model.graph  # pyright: ignore[reportAttributeAccessIssue]
        names = {word: str(columns.get(word, word)) for word in graph.inputs}
        values = [table.numbers(name, word) for word, name in names.items()]
        groups = group_columns(self.session.pack.config.data.group)
        rows = table.rows([*names.values(), *groups])
        inputs = (
            torch.from_numpy(np.stack(values, 1)) if values else torch.empty(rows, 0, dtype=torch.float64)
        )
        return _flat(self._predicted(inputs, self._run_of_row(table, groups, rows)))

    @cached_property
    def residuals(self) -> np.ndarray:
        """Measured minus fitted: [N], of several targets [N, T]; NaN in rows that weren't fitted."""
        data, rows = self.session.data.train, len(next(iter(self.table.columns.values())))
        whole = torch.full((rows, data.targets.shape[-1]), torch.nan, dtype=torch.float64)
        rows = torch.arange(len(data)) if data.rows is None else data.rows.cpu()
        run = torch.zeros(len(data), dtype=torch.int64)
        if data.segments is not None:
            of_group, counts = self._chosen, data.segments.counts.cpu()
            run = torch.repeat_interleave(torch.tensor(of_group), counts[of_group])
        else:
            run += self._chosen[0]
        fitted = self._predicted(data.inputs.double().cpu(), run, scaled=True)
        whole[rows] = data.in_units(data.targets.cpu()).double() - fitted
        return _flat(whole)

    def plot(self, run: int | None = None) -> Any:
        """The figure of the fit, of one `run` where there are several: see pictures. Needs matplotlib."""
        from ..pictures.fit import figure_of_fit  # noqa: PLC0415 (matplotlib takes a second)

        return figure_of_fit(self.result, run)

    def save(self, folder: str | Path) -> Path:
        """Writes a run folder, as the command's, which packtrain.load and `packtrain show` read."""
        config = OmegaConf.structured(self.session.pack.config)
        return save_pack(Path(folder), SavedConfig(config, [], self.table), self.result)

    @property
    def _names(self) -> list[str]:
        return list(self.session.engine.model.scalars)

    @cached_property
    def _chosen(self) -> list[int]:
        """The run that counts of each group."""
        if START not in self.session.pack.over:
            return list(range(self.session.pack.runs))
        return [row["index"] for row in self.rows]

    @property
    def _fitted(self) -> Tensor:
        """The parameters of the runs that count: [G, P]."""
        return self.session.engine.model.parameters.detach().cpu().double()[self._chosen]

    def _alone(self) -> Tensor:
        if len(self) > 1:
            raise UserError(
                f"there are {len(self):,} fits: see parameters, or fit[NAME], which has the values of all"
            )
        return self._fitted[0]

    def _check(self, name: str) -> None:
        if name not in self._names:
            names = ", ".join(self._names)
            raise UserError(
                f"the equations have no parameter {name!r}{nearest(name, self._names)}; they have {names}"
            )

    def _predicted(self, inputs: Tensor, run: Tensor, scaled: bool = False) -> Tensor:
        """Outputs [B, T] of inputs [B, V], each row by the parameters of its run."""
        data, model = self.session.data.train, self.session.engine.model
        if not scaled and data.mean is not None and data.std is not None:
            inputs = (inputs - data.mean) / data.std
        inputs = inputs.to(model.parameters.device, model.parameters.dtype)
        if len(runs := run.unique()) == 1:
            outputs = model.of(runs).predict(inputs)[0]
        else:
            outputs = model.of(run).predict(inputs[:, None])[:, 0]
        return data.in_units(outputs).double().cpu()

    def _run_of_row(self, table: Table, groups: Sequence[str], rows: int) -> Tensor:
        """The run whose parameters each row takes. Raises UserError for a group that wasn't fitted."""
        if not groups:
            self._alone()
            return torch.full((rows,), self._chosen[0])
        keys = [table.column(name, "data.group").tolist() for name in groups]
        known = {_key(_values(row).values()): row["index"] for row in self.rows}
        found = [known.get(_key(key)) for key in zip(*keys, strict=True)]
        if None in found:
            row = found.index(None)
            named = ", ".join(f"{name}={column[row]}" for name, column in zip(groups, keys, strict=True))
            raise UserError(f"{table.source}, row {row + 1}: no group was fitted with {named}")
        return torch.tensor(found)

    def _columns(self) -> Mapping[str, list[Any]]:
        rows = self.rows
        columns = {name: [row["values"][name] for row in rows] for name in _values(rows[0])}
        for name in self._names:
            about = [row["parameters"][name] for row in rows]
            intervals = [part.get("ci95") or (None, None) for part in about]
            columns |= {
                name: [part["value"] for part in about],
                f"{name}_stderr": [part["stderr"] for part in about],
                f"{name}_low": [low for low, _ in intervals],
                f"{name}_high": [high for _, high in intervals],
            }
        return columns | {"outcome": [row["outcome"] for row in rows]}

    def __repr__(self) -> str:
        return self.report()

    def _repr_html_(self) -> str:
        columns = self._columns()
        lines = [[number(cells[row]) for cells in columns.values()] for row in range(min(len(self), SHOWN))]
        more = f"<p>the first {SHOWN} of {len(self):,}</p>" if len(self) > SHOWN else ""
        return headline_html(self.result.summary) + table_html(list(columns), lines) + more


def _values(row: Row) -> dict[str, Any]:
    """What tells a fit from others that aren't its starts."""
    return {name: value for name, value in row["values"].items() if name != START}


def _key(values: Any) -> tuple[Any, ...]:
    return tuple(values)


def _flat(columns: Tensor) -> np.ndarray:
    """[B] of one target, else [B, T]."""
    return (columns[:, 0] if columns.shape[1] == 1 else columns).numpy()
