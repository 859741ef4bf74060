"""The result of a training, in memory: a row a run, and the content of result.json."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from ...kernels.equations.losses import ASIDE
from ..config.checks import UNSCALED
from ..config.pack import Pack
from ..config.schema import LEAST_SQUARES, Config
from ..data.dataset import Dataset
from ..engines.base import Engine
from ..engines.choose import Choice
from ..engines.curves import Curves
from ..engines.devices import Compute
from ..engines.outcome import Ending
from ..models.base import Model
from ..models.evaluate import Evaluation
from .ranking import LISTED_BEST, LISTED_RUNS, Objective, Row, best_first, best_run, counted
from .seconds import Seconds
from .trained import Trained


@dataclass(frozen=True)
class Result:
    """The result of a session: `rows`, one a run, and `summary`, which is result.json.

    `model` holds the parameters of every run [R, P], `data` is what they were trained on, and `objective`
    what the runs are ranked by, None for their loss. `curves` are the recorded steps, where they were kept.
    """

    pack: Pack
    rows: list[Row]
    summary: Row
    model: Model
    data: Dataset
    objective: Objective | None = None
    curves: Curves | None = None

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
        return Trained(self.model, self.summary, *names, *scales)


def run_rows(
    pack: Pack,
    model: Model,
    endings: list[Ending],
    before: Evaluation,
    after: Evaluation,
    validation: Evaluation | None,
    best_steps: Tensor | None = None,
) -> list[Row]:
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
    first, last = before.loss.tolist(), after.loss.tolist()
    held_out = validation.loss.tolist() if validation else [None] * pack.runs
    metrics = {name: values.tolist() for name, values in judged.metrics.items()}
    best = [] if best_steps is None else best_steps.tolist()
    fitted = {name: model.named()[name].tolist() for name in model.scalars}
    rows: list[Row] = [
        {
            "index": run,
            "values": pack.values(run),
            "outcome": endings[run].word,
            "message": endings[run].message,
            "steps": endings[run].step,
            **({"best_step": None if best[run] < 0 else best[run]} if best else {}),
            "loss": {
                "train": {"first": first[run], "last": last[run]},
                "validation": held_out[run],
            },
            "metrics": {name: values[run] for name, values in metrics.items()},
            "parameters": {name: {"value": values[run], "stderr": None} for name, values in fitted.items()},
        }
        for run in range(pack.runs)
    ]
    for row in rows:
        if notes := notes_on(row, pack.config, model.one_hot):
            row["notes"] = notes
    return rows


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


def head(pack: Pack, compute: Compute, engine: Engine, choice: Choice, seconds: Seconds) -> Row:
    """result.json without its runs: what ran, where and why so, and how long it took.

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
        "steps": engine.step,
        "samples": int(engine.steps_done.sum()) * engine.order.batch,
        "seconds": seconds.rounded,
    }


def summary(
    about: Mapping[str, Any],
    rows: list[Row],
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
        "outcomes": counted(row["outcome"] for row in rows),
        "best_run": best_run(ranked, objective),
        **({"objective": asdict(objective)} if objective else {}),
        **(together or {}),
        "run": rows if len(rows) <= LISTED_RUNS else ranked[:LISTED_BEST],
    }
