"""The run folder: result.json, runs.csv and model.safetensors, written here and read back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import torch
from omegaconf import OmegaConf
from safetensors import safe_open
from torch import Tensor

from ...kernels.common.errors import UserError
from ..config import schema
from ..data.features import ONEHOT, Feature, from_data, input_names
from ..data.foreign import UNREADABLE
from ..data.frames import frame_like
from ..data.table import Table
from ..data.units import in_units, scaled
from ..models.base import Model
from ..models.build import build, make_graph, make_layout
from ..models.predict import predict, predict_each
from .curves import Curves, read_curves
from .given import read_given
from .group_runs import GroupRuns
from .plan import FILE as SWEEP
from .predicted import Meaning
from .stored import read_stored

SCALES = "inputs.mean", "inputs.std", "targets.mean", "targets.std"  # beside the parameters, where scaled


@dataclass(frozen=True)
class Trained:
    """The models of a finished training: R runs, of which `run` is meant where none is named, None for all.

    `result` is result.json; `inputs` and `targets` are names of columns. `mean` and `std` [V] are what
    inputs were standardized with, None where they weren't, `target_mean` and `target_std` [T] targets.
    `features` say how inputs are made of a table's columns: of none, each is a column of its own name.
    `label` is the column whose classes the targets are, `one_hot` that there is an output for each with
    another loss than cross_entropy. `groups` say which run is whose, where data.group told groups apart.
    `recorded` are the curves, or the folder that holds them.
    """

    model: Model
    result: dict[str, Any]
    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    mean: Tensor | None
    std: Tensor | None
    target_mean: Tensor | None = None
    target_std: Tensor | None = None
    run: int | None = None
    features: tuple[Feature, ...] = ()
    label: str = ""
    one_hot: bool = False
    groups: GroupRuns | None = None
    recorded: Curves | Path | None = None

    @property
    def best_run(self) -> int | None:
        """The index of the best run, None where no run is of use."""
        return self.result["best_run"]

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that are predicted, in the order of probabilities; none of numbers."""
        return self._meaning.labels

    def parameters(self, run: int | str | None = None) -> dict[str, Tensor]:
        """The parameters by name, [R, ...] each, or those of one `run`: see `predict`. Raises UserError."""
        run = self._place(run)
        named = {name: part.detach() for name, part in self.model.named().items()}
        return named if run is None else {name: part[run] for name, part in named.items()}

    def curves(self, run: int | str | None = None) -> pyarrow.Table:
        """What was recorded on the way: a table with the columns of curves.parquet, of all runs or of one.

        Its to_pandas() makes a DataFrame. Raises UserError for a run that isn't there, and where no curves
        were kept.
        """
        run = self._place(run)
        curves = read_curves(self.recorded) if isinstance(self.recorded, Path) else self.recorded
        if curves is None or not len(curves):
            raise UserError("no curves were kept: Session.prepare(..., keep_curves=True) keeps them")
        return curves.table if run is None else curves.of_runs([run]).table

    def predict(self, inputs: Any, run: int | str | None = None) -> Any:
        """Outputs [R, B, T], or [B, T] of one `run`, a number or "best"; of a table, a table of predictions.

        The inputs are [B, V], or a mapping of their names to [B]. They may be those of training: words and
        dates become numbers as they did there. They are standardized here, as they were in training; where
        targets were, the outputs are in those' own units, in float64.

        A table has the columns that the training had: a frame of pandas, Polars or PyArrow, or the path of a
        file. Predictions come as a frame of that kind (of a file, a table of PyArrow), a row for each row, by
        one run; with data.group each row by the best run of its group. Numbers are in predicted.NAME; of
        classes the label is in predicted.NAME, and the probability of each label in probability.LABEL.

        Raises UserError for a run that isn't there, missing names, another number of columns, what isn't real
        numbers, categories and groups that weren't there in training, and a table without one run.
        """
        given = read_given(inputs, self._features)
        if given.table is None:
            return self._outputs(given.inputs, self._place(run))
        outputs = self._of_table(given.inputs, given.table, run)
        return _frame_like(inputs, self._meaning.columns(outputs))

    def predict_proba(self, inputs: Any, run: int | str | None = None) -> Any:
        """The probability of each of `labels`, [R, B, K] or [B, K]; of a table in columns probability.LABEL.

        Of several outputs that each say yes or no it is that of each yes. See `predict`; raises UserError
        also where the loss has no probabilities.
        """
        given = read_given(inputs, self._features)
        if given.table is None:
            return self._meaning.probabilities(self._outputs(given.inputs, self._place(run)))
        outputs = self._of_table(given.inputs, given.table, run)
        self._meaning.probabilities(outputs[:0])
        return _frame_like(inputs, self._meaning.of_probabilities(outputs))

    def classify(self, inputs: Any, run: int | str | None = None) -> np.ndarray:
        """The label of each sample, [R, B] or [B]; of a table [B]. See `predict`; numbers raise UserError."""
        given = read_given(inputs, self._features)
        if given.table is None:
            return self._meaning.classes(self._outputs(given.inputs, self._place(run)))
        return self._meaning.classes(self._of_table(given.inputs, given.table, run))

    def columns(self, table: Table, run: int | str | None = None) -> Mapping[str, np.ndarray]:
        """What is predicted for each row of a table, by the names of columns: see `predict`."""
        return self._meaning.columns(self._of_table(read_given(table, self._features).inputs, table, run))

    @property
    def _features(self) -> tuple[Feature, ...]:
        return self.features or tuple(Feature(name, name) for name in self.inputs)

    @property
    def _meaning(self) -> Meaning:
        return Meaning(self.model.loss_kind, self.targets, self.label, self.one_hot)

    def _of_table(self, inputs: Tensor, table: Table, run: int | str | None) -> Tensor:
        """Outputs [B, T] for the rows of a table, by one run or each by its group's. Raises UserError."""
        place = self._place(run)
        if place is None and self.groups:
            outputs = predict_each(self.model, self._scaled(inputs), self.groups.of_rows(table))
            return in_units(outputs, self.target_mean, self.target_std)
        if place is None and self.model.runs > 1:
            raise UserError(
                f"there are {self.model.runs:,} runs, and a table is predicted by one: say which, as in "
                "run='best'"
            )
        return self._outputs(inputs, place or 0)

    def _outputs(self, inputs: Tensor, run: int | None) -> Tensor:
        """Outputs [R, B, T] of all runs, [B, T] of one."""
        model = self.model if run is None else self.model.of(torch.tensor([run]))
        outputs = in_units(predict(model, self._scaled(inputs)), self.target_mean, self.target_std)
        return outputs if run is None else outputs[0]

    def _scaled(self, inputs: Tensor) -> Tensor:
        mean, std = (None if scale is None else scale.cpu() for scale in (self.mean, self.std))
        return scaled(inputs.cpu(), mean, std)

    def _place(self, run: int | str | None) -> int | None:
        """The index of the run that is meant, None for all."""
        index = self.run if run is None else self.best_run if run == "best" else run
        if run is None or (isinstance(index, Integral) and 0 <= int(index) < self.model.runs):
            return None if index is None else int(index)
        what = "no run of this training is of use" if index is None else f"got {run!r}"
        raise UserError(f"run is 0 to {self.model.runs - 1}, or 'best', and {what}")


def _frame_like(given: Any, columns: Mapping[str, np.ndarray]) -> Any:
    """A frame of the kind of what was given, with the same index where that has one, as pandas' have."""
    frame = frame_like(given, columns)
    if type(frame) is type(given) and hasattr(frame, "index"):
        frame.index = given.index
    return frame


def load(folder: str | Path, run: int | str | None = None) -> Trained:
    """The trained models in a run folder, on the CPU; with a `run`, a number or "best", that run's.

    A sweep's folder needs a `run`. Raises UserError where there is no such folder or run.

    >>> import json, tempfile, torch
    >>> from pathlib import Path
    >>> from safetensors.torch import save_file
    >>> from packtrain.trainer.folder.trained import load
    >>> about = {"model": {"kind": "expression", "expressions": "xy = a*x"}, "precision": "fp32"}
    >>> about |= {"inputs": ["x"], "targets": ["xy"]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file, tensors = Path(folder, "model.safetensors"), {"a": torch.tensor([2.0, 3.0])}
    ...     save_file(tensors, file, {"packtrain": json.dumps(about)})
    ...     _ = Path(folder, "result.json").write_text('{"best_run": 1}')
    ...     trained = load(folder)
    >>> trained.predict({"x": [1, 10]}, run="best").tolist()
    [[3.0], [30.0]]
    """
    folder = Path(folder)
    if run is None:
        return _load(folder)
    stored = read_stored(folder)
    pack, place = stored.place(stored.line(str(run)))
    return replace_fields(_load(pack), run=place)


def _load(folder: Path) -> Trained:
    try:
        result = json.loads((folder / "result.json").read_text())
        with safe_open(folder / "model.safetensors", "pt") as file:
            about = json.loads(file.metadata()["packtrain"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return replace_fields(_trained(result, about, tensors), recorded=folder)
    except UNREADABLE as error:
        reason = str(error).partition("\n")[0]
        of_sweep = "; of a sweep say which run, as in run='best'" if (folder / SWEEP).exists() else ""
        raise UserError(f"{folder} holds no finished training: {reason}{of_sweep}") from None


def _trained(result: dict[str, Any], about: dict[str, Any], tensors: dict[str, Tensor]) -> Trained:
    """What a run folder holds; types and shapes are checked, since it may be somebody else's."""
    known = OmegaConf.structured(schema.ModelConfig)
    config: Any = OmegaConf.to_object(OmegaConf.merge(known, about["model"]))
    inputs, targets = tuple(map(str, about["inputs"])), tuple(map(str, about["targets"]))
    scales = mean, std, target_mean, target_std = [tensors.pop(name, None) for name in SCALES]
    graph = make_graph(config)
    features = (config.widths or [0])[0] if graph is None else len(graph.inputs)
    if len(inputs) != features:
        raise ValueError(f"its model has {features} inputs, and its data {len(inputs)}")
    for name, scale in zip(SCALES, scales, strict=True):
        size = features if name.startswith("inputs") else len(targets)
        if scale is not None and scale.shape != (size,):
            raise ValueError(f"{name} is of the shape {list(scale.shape)}, not [{size}]")
    features = _features(about, inputs)
    parts = [_part(tensors, name, shape) for name, shape in make_layout(config, graph).items()]
    model = build(config, graph, torch.cat(parts, 1), about["precision"])
    return Trained(
        model,
        {"best_run": None, **result},
        inputs,
        targets,
        mean,
        std,
        target_mean,
        target_std,
        features=features,
        label=str(about.get("label", "")),
        one_hot=bool(about.get("one_hot", False)),
        groups=_groups(about.get("groups"), model.runs),
    )


def _features(about: dict[str, Any], inputs: tuple[str, ...]) -> tuple[Feature, ...]:
    """How inputs are made of columns; none in folders of earlier versions. Raises ValueError or TypeError."""
    features = from_data(about.get("features", []))
    if features and input_names(features) != inputs:
        raise ValueError(f"its features make the inputs {input_names(features)}, not {inputs}")
    if any(isinstance(feature.fill, str) and feature.kind != ONEHOT for feature in features):
        raise ValueError("a feature fills words in for numbers")
    return features


def _groups(about: Any, runs: int) -> GroupRuns | None:
    """Which run is whose. Raises one of UNREADABLE for what says no such thing."""
    if about is None:
        return None
    keys = {str(name): [str(text) for text in of_group] for name, of_group in about["keys"].items()}
    places = [place if place is None else int(place) for place in about["runs"]]
    if not keys or any(len(of_group) != len(places) for of_group in keys.values()):
        raise ValueError("its groups have keys without a run")
    if not all(place is None or 0 <= place < runs for place in places):
        raise ValueError(f"its groups name a run that is not among the {runs}")
    return GroupRuns(keys, places)


def _part(tensors: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    """The parameter `name` [R, ...] as [R, P]."""
    part = tensors[name]
    if part.shape[1:] != shape or not part.is_floating_point():
        raise ValueError(
            f"{name} is {part.dtype} of the shape {list(part.shape)}, not [runs, *{list(shape)}]"
        )
    return part.reshape(len(part), -1)
