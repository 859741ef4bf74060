"""A fit in memory: its parameters with their uncertainties, its report, what it predicts, its pictures."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from torch import Tensor

from ...kernels.common.errors import UserError, nearest
from ..config.pack import START, Pack
from ..data.frames import frame_like, table_of
from ..data.groups import group_columns
from ..data.table import Table
from ..engines.at_work import at_work
from ..engines.least_squares import LeastSquaresEngine
from ..engines.prepare import load_data
from ..engines.profile import intervals
from ..engines.rows import each, numbers
from ..folder.digits import number
from ..folder.objective import UNUSABLE
from ..folder.result import Result
from ..session import Session
from .looks import headline_html, report_of, table_html
from .progress import train
from .quick import Solved
from .saving import SavedConfig, save_pack

SHOWN = 10  # groups in a notebook


class Fit:
    """A fit of one data set, or of many groups; fit["a"] is the value of a parameter, of groups an array.

    Of several starts the best one counts. What isn't asked for isn't computed: where the parameters alone are
    `known`, standard errors, the report and all else are those of a session that then trains the same.
    """

    def __init__(self, pack: Pack, table: Table, like: Any = None, known: Solved | None = None) -> None:
        self.pack, self.table, self.like, self.known = pack, table, like, known

    @cached_property
    def session(self) -> Session:
        """The session that has fitted."""
        session = Session.prepare(self.pack, load_data(self.pack, self.table))
        train(session, "fitting")
        return session

    @cached_property
    def result(self) -> Result:
        """The Result of all runs: groups, starts, and what pack.over varies."""
        return self.session.result()

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
        from ..folder.table import table_of as table_of_runs  # noqa: PLC0415 (pyarrow is slow)

        return frame_like(self.like, table_of_runs(self.result.rows))

    @property
    def values(self) -> dict[str, float]:
        """The parameters of the one fit by name. Raises UserError where there are several."""
        if self.known is not None:
            return dict(self.known.values)
        return {name: float(value) for name, value in zip(self._names, self._alone().tolist(), strict=True)}

    @property
    def stderr(self) -> dict[str, float]:
        """The standard errors of the one fit's parameters by name, NaN where none is known: see `values`."""
        if self.known is not None and self.known.stderr is not None:
            return dict(self.known.stderr)
        self._alone()
        rows = self.result.rows.of(np.array(self._chosen))
        return {name: float(numbers(rows, "parameters", name, "stderr")[0]) for name in self._names}

    def __getitem__(self, name: str) -> Any:
        """The value of a parameter: a number, or of several fits an array. Raises UserError."""
        if self.known is not None and name in self.known.values:
            return self.known.values[name]
        self._check(name)
        of_fits = self._fitted[:, self._names.index(name)].numpy()
        return float(of_fits[0]) if len(of_fits) == 1 else of_fits

    def __len__(self) -> int:
        """The number of fits."""
        return 1 if self.known else len(self._fitted)

    def report(self) -> str:
        """What the command prints of it."""
        return report_of(self.result.summary, self.result.rows)

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

    def confidence(self, name: str, level: float = 0.95) -> tuple[Any, Any]:
        """Ends of a parameter's interval by profile likelihood: numbers, or of several fits arrays [G].

        It holds the values that the data don't refute, the other parameters fitted again; where the model
        isn't linear it is another than that of standard errors. NaN where it has no end, or nothing is known.
        Raises UserError where the fit isn't one of equations by squares.
        """
        self._check(name)
        engine = self._profiled()
        known = torch.zeros(engine.rules.free.shape, dtype=torch.bool)
        stderr = numbers(self.result.rows, "parameters", name, "stderr")
        known[:, self._names.index(name)] = torch.from_numpy(np.isfinite(stderr))
        with at_work(self.session.compute):
            ends = intervals(engine, known, level).ends[self._chosen, self._names.index(name)].numpy()
        low, high = ends.T
        return (float(low[0]), float(high[0])) if len(self) == 1 else (low, high)

    def plot(self, run: int | None = None) -> Any:
        """The figure of the fit, or of one `run`: data, curve, bands and residuals. Needs matplotlib.

        Of several fits it shows the best, the median and the worst.
        """
        from ..pictures.fit import figure_of_fit  # noqa: PLC0415 (matplotlib takes a second)
        from ..pictures.groups import figure_of_groups  # noqa: PLC0415 (likewise)

        if run is None and len(self) > 1:
            return figure_of_groups(self.result)
        return figure_of_fit(self.result, self._chosen[0] if run is None else run)

    def plot_confidence(self, run: int | None = None) -> Any:
        """The figure of the regions of confidence of each pair of parameters of one run, the best by default.

        Needs matplotlib. Raises UserError where the fit isn't one of equations by squares.
        """
        from ..pictures.confidence import figure_of_confidence  # noqa: PLC0415 (matplotlib takes a second)

        engine = self._profiled()
        with at_work(self.session.compute):
            return figure_of_confidence(engine, self.result, run)

    def _profiled(self) -> LeastSquaresEngine:
        """The engine whose fits have profiles. Raises UserError."""
        engine = self.session.engine
        if isinstance(engine, LeastSquaresEngine) and engine.problem.loss is None:
            return engine
        raise UserError("profile likelihood is of fits by least squares with loss sse or mse")

    def save(self, folder: str | Path) -> Path:
        """Writes a run folder, as the command's, which packtrain.load and `packtrain show` read."""
        config = OmegaConf.structured(self.session.pack.config)
        return save_pack(Path(folder), SavedConfig(config, [], self.table), self.result)

    @property
    def _names(self) -> list[str]:
        return list(self.session.engine.model.scalars)

    @cached_property
    def _chosen(self) -> list[int]:
        """The runs that count: of the starts of a fit the one of the least loss, of use where one is."""
        over = self.session.pack.over
        if START not in over:
            return list(range(self.session.pack.runs))
        rows = self.result.rows
        unusable = np.isin(each(rows, "outcome"), UNUSABLE)
        losses = np.where(unusable, np.nan, numbers(rows, "loss", "train", "last"))
        losses = np.nan_to_num(losses, nan=np.inf)
        least: dict[tuple[Any, ...], int] = {}
        for run, key in enumerate(self._keys(range(len(rows)))):
            if losses[run] < losses[least.setdefault(key, run)]:
                least[key] = run
        return list(least.values())

    def _keys(self, runs: Iterable[int]) -> list[tuple[Any, ...]]:
        """What tells each run from those that aren't its starts."""
        over = [values for name, values in self.session.pack.over.items() if name != START]
        return [tuple(str(values[run]) for values in over) for run in runs]

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
        of_groups = self.result.groups
        assert of_groups is not None
        if len(of_groups.runs) < len(self):
            raise UserError(
                f"there are {len(self):,} fits of {len(of_groups.runs):,} groups: fit what you predict with"
            )
        return of_groups.of_rows(table)

    def _columns(self) -> dict[str, Any]:
        over, rows = self.session.pack.over, self.result.rows.of(np.array(self._chosen))
        varied = {name: values for name, values in over.items() if name != START}
        columns: dict[str, Any] = {name: [of[run] for run in self._chosen] for name, of in varied.items()}
        for name in self._names:
            pairs = [ends or (np.nan, np.nan) for ends in each(rows, "parameters", name, "ci95")]
            low, high = np.array(pairs, np.float64).T
            columns[name] = numbers(rows, "parameters", name, "value")
            columns |= {f"{name}_stderr": numbers(rows, "parameters", name, "stderr")}
            columns |= {f"{name}_low": low, f"{name}_high": high}
        return columns | {"outcome": each(rows, "outcome")}

    def __repr__(self) -> str:
        return self.report()

    def _repr_html_(self) -> str:
        columns = self._columns()
        lines = [[number(cells[row]) for cells in columns.values()] for row in range(min(len(self), SHOWN))]
        more = f"<p>the first {SHOWN} of {len(self):,}</p>" if len(self) > SHOWN else ""
        return headline_html(self.result.summary) + table_html(list(columns), lines) + more


def _flat(columns: Tensor) -> np.ndarray:
    """[B] of one target, else [B, T]."""
    return (columns[:, 0] if columns.shape[1] == 1 else columns).numpy()
