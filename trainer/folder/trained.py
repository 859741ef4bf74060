"""The run folder: result.json, runs.csv and model.safetensors, written here and read back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from safetensors import safe_open
from torch import Tensor

from ...kernels.common.errors import UserError
from ..config import schema
from ..data.foreign import UNREADABLE
from ..models.base import Model
from ..models.build import build, make_graph, make_layout
from .plan import FILE as SWEEP
from .stored import read_stored

SCALES = "inputs.mean", "inputs.std", "targets.mean", "targets.std"  # beside the parameters, where scaled
REAL = "biuf"  # kinds of NumPy's types


@dataclass(frozen=True)
class Trained:
    """The models of a finished training: R runs, of which `run` is meant where none is named, None for all.

    `result` is result.json; `inputs` and `targets` are names of columns. `mean` and `std` [V] are what
    inputs were standardized with, None where they weren't, `target_mean` and `target_std` [T] targets.
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

    @property
    def best_run(self) -> int | None:
        """The index of the best run, None where no run is of use."""
        return self.result["best_run"]

    def parameters(self, run: int | str | None = None) -> dict[str, Tensor]:
        """The parameters by name, [R, ...] each, or those of one `run`: see `predict`. Raises UserError."""
        run = self._place(run)
        named = {name: part.detach() for name, part in self.model.named().items()}
        return named if run is None else {name: part[run] for name, part in named.items()}

    @torch.no_grad()
    def predict(self, inputs: Any, run: int | str | None = None) -> Tensor:
        """Outputs [R, B, T], or [B, T] of one `run`, a number or "best".

        The inputs are [B, V], or a mapping of their names to [B]; they are standardized here, as they were in
        training. Where targets were, the outputs are in those' own units, in float64. Raises UserError for a
        run that isn't there, missing names, another number of columns, or what isn't real numbers.
        """
        run = self._place(run)
        x = self._inputs(inputs)
        if self.mean is not None and self.std is not None:
            x = (x - self.mean) / self.std
        outputs = self.model.predict(x.to(self.model.parameters.dtype))
        if self.target_mean is not None and self.target_std is not None:
            mean, std = (scale.to(outputs.device) for scale in (self.target_mean, self.target_std))
            outputs = outputs.double() * std + mean
        return outputs if run is None else outputs[run]

    def _place(self, run: int | str | None) -> int | None:
        """The index of the run that is meant, None for all."""
        index = self.run if run is None else self.best_run if run == "best" else run
        if run is None or (isinstance(index, Integral) and 0 <= int(index) < self.model.runs):
            return None if index is None else int(index)
        what = "no run of this training is of use" if index is None else f"got {run!r}"
        raise UserError(f"run is 0 to {self.model.runs - 1}, or 'best', and {what}")

    def _inputs(self, inputs: Any) -> Tensor:
        if isinstance(inputs, Mapping):
            missing = [name for name in self.inputs if name not in inputs]
            if missing:
                raise UserError(f"the inputs are {', '.join(self.inputs)}; missing: {', '.join(missing)}")
            columns = self._numbers(*(inputs[name] for name in self.inputs or inputs))
            if not self.inputs:  # equations of constants, at as many places as there are, or one
                return torch.empty(len(columns[0]) if columns else 1, 0, dtype=torch.float64)
            return torch.stack(columns, -1)
        (x,) = self._numbers(inputs)
        if x.dim() != 2 or x.shape[1] != len(self.inputs):
            raise UserError(
                f"expected inputs of the shape [B, {len(self.inputs)}] ({', '.join(self.inputs)}); "
                f"got {list(x.shape)}"
            )
        return x

    def _numbers(self, *values: Any) -> list[Tensor]:
        try:
            tensors = [_real(value) for value in values]
        except (TypeError, ValueError, RuntimeError) as error:
            raise UserError(f"the inputs {', '.join(self.inputs)} are numbers: {error}") from None
        if len({tensor.shape for tensor in tensors}) > 1:
            shapes = ", ".join(str(list(tensor.shape)) for tensor in tensors)
            raise UserError(f"the inputs {', '.join(self.inputs)} are of one length; got {shapes}")
        return [tensor.reshape(-1) if tensor.dim() == 0 else tensor for tensor in tensors]


def _real(values: Any) -> Tensor:
    """As float64. Raises TypeError or ValueError for what isn't real numbers."""
    array = values if isinstance(values, Tensor) else np.asarray(values)
    is_real = not array.is_complex() if isinstance(array, Tensor) else array.dtype.kind in REAL
    if not is_real:
        raise TypeError(f"expected real ones, got {str(array.dtype).removeprefix('torch.')}")
    return torch.as_tensor(array, dtype=torch.float64)


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
        return _trained(result, about, tensors)
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
    parts = [_part(tensors, name, shape) for name, shape in make_layout(config, graph).items()]
    model = build(config, graph, torch.cat(parts, 1), about["precision"])
    return Trained(model, {"best_run": None, **result}, inputs, targets, mean, std, target_mean, target_std)


def _part(tensors: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    """The parameter `name` [R, ...] as [R, P]."""
    part = tensors[name]
    if part.shape[1:] != shape or not part.is_floating_point():
        raise ValueError(
            f"{name} is {part.dtype} of the shape {list(part.shape)}, not [runs, *{list(shape)}]"
        )
    return part.reshape(len(part), -1)
