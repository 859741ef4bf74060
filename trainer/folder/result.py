"""The result of a training, in memory: a row a run, and the content of result.json."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from ...kernels.equations.losses import ASIDE
from ..config.checks import UNSCALED
from ..config.pack import Pack
from ..config.schema import LEAST_SQUARES, Config
from ..data.dataset import Dataset
from ..engines.base import Engine
from ..engines.choose import Choice
from ..engines.devices import Compute
from ..engines.outcome import Ending
from ..engines.rows import Row, Rows, Some, each
from ..models.base import Model
from ..models.evaluate import Evaluation
from .curves import Curves
from .group_runs import GroupRuns, best_of_groups
from .objective import Objective
from .ranking import LISTED_BEST, LISTED_RUNS, best_first, best_run, counted
from .remarks import over_seeds
from .seconds import Seconds
from .trained import Trained


@dataclass(frozen=True)
class Result:
    """The result of a session: `rows`, one a run, and `summary`, which is result.json.

    `model` holds the parameters of every run [R, P], `data` is what they were trained on, and `objective`
    what the runs are ranked by, None for their loss. `curves` are the recorded steps, where they were kept;
    `grid` the shape of that on which the groups stand, if any; `validation` the data that were held out.
    """

    pack: Pack
    rows: Rows
    summary: Row
    model: Model
    data: Dataset
    objective: Objective | None = None
    curves: Curves | None = None
    grid: tuple[int, ...] | None = None
    validation: Dataset | None = None

    @property
    def best_run(self) -> int | None:
        """The index of the best run, None where none is of use."""
        return self.summary["best_run"]

    @cached_property
    def trained(self) -> Trained:
        """The models, which predict."""
        data = self.data
        names = data.input_names, data.target_names
        scales = data.mean, data.std, data.target_mean, data.target_std
        about = {"features": data.features, "label": data.label, "one_hot": data.one_hot}
        return Trained(
            self.model, self.summary, *names, *scales, groups=self.groups, recorded=self.curves, **about
        )

    @cached_property
    def groups(self) -> GroupRuns | None:
        """The best run of each group, None where data.group names none."""
        return best_of_groups(self.pack, self.rows, self.objective)


def run_rows(
    pack: Pack,
    model: Model,
    endings: list[Ending],
    before: Evaluation,
    after: Evaluation,
    validation: Evaluation | None,
    best_steps: Tensor | None = None,
) -> Rows:
    """One entry of result.json's `run` for each run. Metrics are the validation part's where there is one.

    `best_steps` [R] are the steps of which the model is, with model.best; -1 for none.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.schema import Config
    >>> from packtrain.trainer.engines.outcome import Outcome
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[2.0]]), "mse", None)
    >>> first, last = (Evaluation(torch.tensor([loss]), {}) for loss in (4.0, 1.0))
    >>> pack, ending = Pack(Config(), {"seed": [7]}, 1), Ending(Outcome.FINISHED, 9, 9)
    >>> row = run_rows(pack, model, [ending], first, last, None)[0]
    >>> row["values"], row["loss"]["train"], row["parameters"]["a"]["value"]
    ({'seed': 7}, {'first': 4.0, 'last': 1.0}, 2.0)
    """
    judged = validation or after
    columns = {
        "index": range(pack.runs),
        "values": pack.over,
        "outcome": [ending.word for ending in endings],
        "message": [ending.message for ending in endings],
        "steps": np.array([ending.step for ending in endings]),
        **({} if best_steps is None else {"best_step": np.ma.masked_less(_array(best_steps), 0)}),
        "loss": {
            "train": {"first": _array(before.loss), "last": _array(after.loss)},
            "validation": _array(validation.loss) if validation else None,
        },
        "metrics": {name: _array(values) for name, values in judged.metrics.items()},
        "parameters": {
            name: {"value": _array(model.named()[name].double()), "stderr": None} for name in model.scalars
        },
    }
    rows = Rows(columns)
    notes = {run: notes_on(rows[run], pack.config, model.one_hot) for run in _poor(columns["metrics"])}
    columns["notes"] = Some({run: said for run, said in notes.items() if said}, pack.runs)
    return rows


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy()


def _poor(metrics: Mapping[str, np.ndarray]) -> list[int]:
    """The runs to which notes_on may have something to say."""
    return np.flatnonzero(metrics["r2"] <= 0).tolist() if "r2" in metrics else []


def notes_on(row: Row, config: Config, one_hot: bool) -> list[str]:
    """What a person should know of a run, a sentence each.

    >>> from packtrain.trainer.config.schema import Config, ModelConfig, OptimizerConfig
    >>> config = Config(model=ModelConfig("mlp"), optimizer=OptimizerConfig("adam"))
    >>> notes_on({"metrics": {"r2": -1.5}}, config, one_hot=False)[0].partition(":")[0]
    "r2 is not above 0, so the targets' mean would do as well"
    """
    r2 = row["metrics"].get("r2")
    if r2 is None or not r2 <= 0 or config.optimizer.kind in LEAST_SQUARES:  # fits have notes of their own
        return []
    if config.model.loss in ASIDE:
        return []
    scaled = config.model.kind != "mlp" or one_hot or "targets" in config.data.standardized
    scaled |= config.model.loss in UNSCALED
    scale = "" if scaled else "data.standardize=all, "
    advice = f"try {scale}a lower optimizer.lr or more steps"
    return [f"r2 is not above 0, so the targets' mean would do as well: {advice}"]


def head(
    pack: Pack,
    compute: Compute,
    engine: Engine,
    choice: Choice,
    seconds: Seconds,
    runs: Any = slice(None),
) -> Row:
    """result.json without its runs: what ran, where and why so, and how long it took.

    `runs` are those of the engine that `pack` is of, their indices: all, if nothing is said.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     name="line", model=ModelConfig("expression", expressions=["xy = a*x"]),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=9),
    ... ))
    >>> about = head(session.pack, session.compute, session.engine, session.choice, Seconds(3.0, 2.0))
    >>> about["experiment"], about["runs"], about["steps"], about["seconds"]["train"]
    ('line', 1, 0, 2.0)
    """
    return {
        "experiment": pack.config.name,
        "device": compute.name,
        "backend": engine.backend,
        "engine": engine.kind,
        "why": choice.why,
        "graph": "static" if engine.capture else "dynamic",
        "precision": pack.config.compute.precision,
        "runs": pack.runs,
        "steps": int(engine.steps_done[runs].max()),
        "samples": int((engine.steps_done * engine.batches)[runs].sum()),
        "seconds": seconds.rounded,
    }


def summary(
    about: Mapping[str, Any],
    rows: Sequence[Row],
    together: Mapping[str, Any] | None = None,
    objective: Objective | None = None,
) -> Row:
    """result.json: `about`, the outcomes counted, the best run, and the runs (the ten best of many).

    `together` is what the engine says of all runs.

    >>> loss = {"train": {"first": 4.0, "last": 1.0}, "validation": None}
    >>> result = summary({"runs": 1}, [{"index": 0, "outcome": "finished", "loss": loss}])
    >>> result["outcomes"], result["best_run"]
    ({'finished': 1}, 0)
    """
    ranked = best_first(rows, objective)
    return {
        **about,
        "outcomes": counted(each(rows, "outcome")),
        "best_run": best_run(ranked, objective),
        **({"objective": objective.as_data} if objective else {}),
        **over_seeds(rows, objective),
        **(together or {}),
        "run": list(rows if len(rows) <= LISTED_RUNS else ranked[:LISTED_BEST]),
    }
