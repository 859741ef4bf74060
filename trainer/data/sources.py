"""Where samples come from: equations with known parameters, Gaussian classes, files, scikit-learn."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...kernels.common.errors import UserError, choose
from ...kernels.expression import expression
from ...kernels.language import Graph, notes
from ...kernels.random import Purpose, normal, uniform
from ..config import schema
from . import files
from .dataset import Data, Dataset, prepare, rounded
from .memory import available_memory, check_memory
from .table import TARGET, Table, select

BLOCK = 1 << 20  # samples made at a time
SKLEARN = ("digits", "iris", "wine", "breast_cancer", "diabetes")


def load(
    asked: schema.DataConfig,
    graph: Graph | None,
    loss: str,
    device: torch.device,
    dtype: torch.dtype,
    outputs: int | None = None,
) -> Data:
    """The data that `asked` describes, on `device`, for a graph or (None) an MLP of so many `outputs`.

    Raises UserError, also where the cast to `dtype` would lose what tells the samples apart.
    """
    if asked.kind == "ground_truth":
        if graph is None:
            raise UserError("data=ground_truth pushes samples through equations, and an MLP has none")
        if loss == "cross_entropy":
            raise UserError(
                "data=ground_truth makes numbers, and model.loss=cross_entropy takes class labels"
            )
        whole, columns = ground_truth(asked, graph, device, dtype), []
    else:
        table = _table(asked)
        whole = select(table, asked.columns, graph, loss == "cross_entropy", outputs)
        columns = table.names
    data = prepare(whole, asked.seed, asked.validation, asked.standardize)
    found = [*(notes(graph, columns) if graph else []), *rounded(data.train, dtype)]
    return replace(data.to(device, dtype), notes=tuple(found))


def _table(asked: schema.DataConfig) -> Table:
    if asked.kind == "gaussians":
        return gaussians(asked)
    if asked.kind == "sklearn":
        return sklearn_set(asked.set)
    if asked.kind == "table" or (asked.kind == "file" and asked.path is None and asked.table):
        return Table("data.table", {name: _listed(name, given) for name, given in asked.table.items()})
    return files.read(asked.path)


def _listed(name: str, given: Any) -> np.ndarray:
    cells = given if isinstance(given, list) else [given]
    if any(isinstance(cell, (list, dict)) for cell in cells):
        raise UserError(f"data.table: {name} is a list of numbers or words; got {given}")
    return np.array(cells)


def ground_truth(asked: schema.DataConfig, graph: Graph, device: torch.device, dtype: torch.dtype) -> Dataset:
    """Inputs uniform in [low, high), targets f(x; truth) + N(0, noise^2), made in blocks on the device."""
    truth = _truth(asked, graph, device, dtype)
    size, low, high = _size(asked), *_range(asked.range)
    _check_room(asked, len(graph.inputs), len(graph.outputs), dtype.itemsize, available_memory(device))
    seed = torch.tensor(asked.seed, device=device)
    inputs = torch.empty(size, len(graph.inputs), device=device, dtype=dtype)
    targets = torch.empty(size, len(graph.outputs), device=device, dtype=dtype)
    for start in range(0, size, BLOCK):
        stop = min(start + BLOCK, size)
        block, made = inputs[start:stop], targets[start:stop]
        drawn = uniform(seed, Purpose.DATA, start * block.shape[1], stop * block.shape[1], dtype)
        block.copy_(drawn.view_as(block)).mul_(high - low).add_(low)
        made.copy_(expression(graph, truth, block)[0])
        if asked.noise:
            noise = normal(seed, Purpose.NOISE, start * made.shape[1], stop * made.shape[1], dtype)
            made.add_(noise.view_as(made), alpha=asked.noise)
    _refuse_nonfinite(targets, graph)
    return Dataset(inputs, targets, graph.inputs, graph.outputs)


def _truth(asked: schema.DataConfig, graph: Graph, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    missing = [p for p in graph.parameters if p not in asked.truth]
    foreign = [p for p in asked.truth if p not in graph.parameters]
    if missing or foreign:
        raise UserError(
            f"data.truth gives a value to each parameter of the equations ({', '.join(graph.parameters)}); "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(foreign) or 'none'}"
            + "".join(f"; or {graph.declaring(word)}" for word in foreign if word in graph.inputs)
        )
    for parameter, value in asked.truth.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise UserError(f"data.truth.{parameter} is a number; got {value!r}")
    values = [float(asked.truth[p]) for p in graph.parameters]
    return torch.tensor([values], device=device, dtype=dtype)


def _refuse_nonfinite(targets: torch.Tensor, graph: Graph) -> None:
    bad = (~targets.isfinite()).any(0).tolist()
    for output, found in zip(graph.outputs, bad, strict=True):
        if found:
            raise UserError(f"with the values of data.truth, {output} is not finite everywhere in data.range")


def _size(asked: schema.DataConfig) -> int:
    if asked.size is None:
        raise UserError(f"data={asked.kind} needs a number of samples: add data.size=65536")
    return asked.size


def _check_room(asked: schema.DataConfig, inputs: int, targets: int, itemsize: int, free: int) -> None:
    """Raises UserError where samples, and the copy that is made of them on the way, have no room."""
    copied = asked.validation > 0 or asked.standardize or inputs + targets > 2
    needed = _size(asked) * (inputs + targets) * itemsize * (2 if copied else 1)
    check_memory(needed, free, f"data.size={_size(asked)}", "make fewer samples")


def _range(given: Sequence[float]) -> tuple[float, float]:
    if len(given) != 2 or not given[0] < given[1] or not all(map(math.isfinite, given)):
        raise UserError(f"data.range is [low, high] with low < high; got {list(given)}")
    return given[0], given[1]


def gaussians(asked: schema.DataConfig) -> Table:
    """K classes, N(mean_k, covariance_k): columns x1, x2, ... and the class, taken in turns."""
    means = _means(asked)
    covariances = _covariances(asked, means)
    size, (classes, features) = _size(asked), means.shape
    _check_room(asked, features * (features + 2), 1, 8, available_memory())
    drawn = normal(torch.tensor(asked.seed), Purpose.DATA, 0, size * features, torch.float64)
    label = np.arange(size) % classes
    spread = np.einsum("nij,nj->ni", covariances[label], drawn.view(size, features).numpy())
    samples = means[label] + spread
    columns = {f"x{i + 1}": samples[:, i] for i in range(features)}
    return Table("data=gaussians", columns | {TARGET: label})


def _means(asked: schema.DataConfig) -> np.ndarray:
    try:
        means = np.array(asked.means, dtype=float)
        if means.ndim != 2 or len(means) < 2 or not means.size or not np.isfinite(means).all():
            raise ValueError
    except (ValueError, TypeError):
        raise UserError(
            f"data.means holds two or more points of one length, such as [[3, 3], [5, 5]]; got {asked.means}"
        ) from None
    return means


def _covariances(asked: schema.DataConfig, means: np.ndarray) -> np.ndarray:
    """The lower Cholesky factor of each class's covariance; the identity where none is given."""
    classes, features = means.shape
    if asked.covariances is None:
        return np.broadcast_to(np.eye(features), (classes, features, features))
    try:
        given = np.array(asked.covariances, dtype=float)
        if given.shape != (classes, features, features) or not np.allclose(given, given.mT):
            raise ValueError
        return np.linalg.cholesky(given)
    except (ValueError, TypeError, np.linalg.LinAlgError):
        raise UserError(
            f"data.covariances holds a symmetric positive definite {features}x{features} matrix for "
            f"each of the {classes} classes; got {asked.covariances}"
        ) from None


def sklearn_set(name: str | None) -> Table:
    """One of scikit-learn's bundled data sets: its features, and `target`."""
    choose(dict.fromkeys(SKLEARN), str(name), "data.set")
    try:
        from sklearn import datasets  # noqa: PLC0415 (heavy, and an extra: only this source needs it)
    except ImportError:
        raise UserError("data=sklearn needs scikit-learn: pip install 'packtrain[sklearn]'") from None
    found = getattr(datasets, f"load_{name}")()
    features = [str(feature).replace(" ", "_") for feature in found.feature_names]
    columns = {feature: found.data[:, i] for i, feature in enumerate(features)}
    return Table(f"scikit-learn's {name}", columns | {TARGET: found.target})
