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
from ..config.schema import DataConfig
from . import files
from .columns import TARGET
from .dataset import Data, Dataset, prepare, rounded
from .memory import available_memory, check_memory
from .select import select
from .table import Table

BLOCK = 1 << 20  # samples made at a time
SKLEARN = ("digits", "iris", "wine", "breast_cancer", "diabetes")


def load(
    config: DataConfig,
    graph: Graph | None,
    loss: str,
    device: torch.device,
    dtype: torch.dtype,
    outputs: int | None = None,
) -> Data:
    """The data that `config` describes, on `device`, for a graph, or (None) an MLP of so many `outputs`.

    Raises UserError, also where the cast to `dtype` would lose what tells the samples apart.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.schema import DataConfig
    >>> from packtrain.trainer.data.sources import load
    >>> config = DataConfig("table", table={"x": [1, 2, 3, 4], "xy": [2, 4, 6, 8]}, validation=0.25)
    >>> data = load(config, parse("xy = a*x"), "mse", torch.device("cpu"), torch.float32)
    >>> len(data.train), len(data.validation)
    (3, 1)
    """
    if config.kind == "ground_truth":
        if graph is None:
            raise UserError("data=ground_truth pushes samples through equations, and an MLP has none")
        if loss == "cross_entropy":
            raise UserError(
                "data=ground_truth makes numbers, and model.loss=cross_entropy takes class labels"
            )
        whole, columns = ground_truth(config, graph, device, dtype), []
    else:
        table = _table(config)
        whole = select(table, config.columns, graph, loss == "cross_entropy", outputs)
        columns = table.names
    data = prepare(whole, config.seed, config.validation, config.standardize)
    sentences = [*(notes(graph, columns) if graph else []), *rounded(data.train, dtype)]
    return replace(data.to(device, dtype), notes=tuple(sentences))


def _table(config: DataConfig) -> Table:
    if config.kind == "gaussians":
        return gaussians(config)
    if config.kind == "sklearn":
        return sklearn_set(config.set)
    if config.kind == "table" or (config.kind == "file" and config.path is None and config.table):
        return Table("data.table", {name: _listed(name, given) for name, given in config.table.items()})
    return files.read(config.path)


def _listed(name: str, given: Any) -> np.ndarray:
    cells = given if isinstance(given, list) else [given]
    if any(isinstance(cell, (list, dict)) for cell in cells):
        raise UserError(f"data.table: {name} is a list of numbers or words; got {given}")
    return np.array(cells)


def ground_truth(config: DataConfig, graph: Graph, device: torch.device, dtype: torch.dtype) -> Dataset:
    """Inputs uniform in [low, high), targets f(x; truth) + N(0, noise^2), made in blocks on the device.

    A sample is a function of data.seed and its place alone. Raises UserError.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.schema import DataConfig
    >>> from packtrain.trainer.data.sources import ground_truth
    >>> config = DataConfig("ground_truth", size=3, truth={"a": 2})
    >>> data = ground_truth(config, parse("xy = a*x"), torch.device("cpu"), torch.float64)
    >>> data.inputs.shape, torch.equal(data.targets, 2 * data.inputs)
    (torch.Size([3, 1]), True)
    """
    truth = _truth(config, graph, device, dtype)
    size, low, high = _size(config), *_range(config.range)
    _check_room(config, len(graph.inputs), len(graph.outputs), dtype.itemsize, available_memory(device))
    seed = torch.tensor(config.seed, device=device)
    inputs = torch.empty(size, len(graph.inputs), device=device, dtype=dtype)
    targets = torch.empty(size, len(graph.outputs), device=device, dtype=dtype)
    for start in range(0, size, BLOCK):
        stop = min(start + BLOCK, size)
        block, made = inputs[start:stop], targets[start:stop]
        drawn = uniform(seed, Purpose.DATA, start * block.shape[1], stop * block.shape[1], dtype)
        block.copy_(drawn.view_as(block)).mul_(high - low).add_(low)
        made.copy_(expression(graph, truth, block)[0])
        if config.noise:
            noise = normal(seed, Purpose.NOISE, start * made.shape[1], stop * made.shape[1], dtype)
            made.add_(noise.view_as(made), alpha=config.noise)
    _refuse_nonfinite(targets, graph)
    return Dataset(inputs, targets, graph.inputs, graph.outputs)


def _truth(config: DataConfig, graph: Graph, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    missing = [p for p in graph.parameters if p not in config.truth]
    foreign = [p for p in config.truth if p not in graph.parameters]
    if missing or foreign:
        raise UserError(
            f"data.truth gives a value to each parameter of the equations ({', '.join(graph.parameters)}); "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(foreign) or 'none'}"
            + "".join(f"; or {graph.declaring(word)}" for word in foreign if word in graph.inputs)
        )
    for parameter, value in config.truth.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise UserError(f"data.truth.{parameter} is a number; got {value!r}")
    values = [float(config.truth[p]) for p in graph.parameters]
    return torch.tensor([values], device=device, dtype=dtype)


def _refuse_nonfinite(targets: torch.Tensor, graph: Graph) -> None:
    infinite = (~targets.isfinite()).any(0).tolist()
    for output, is_infinite in zip(graph.outputs, infinite, strict=True):
        if is_infinite:
            raise UserError(f"with the values of data.truth, {output} is not finite everywhere in data.range")


def _size(config: DataConfig) -> int:
    if config.size is None:
        raise UserError(f"data={config.kind} needs a number of samples: add data.size=65536")
    return config.size


def _check_room(config: DataConfig, inputs: int, targets: int, itemsize: int, free: int) -> None:
    """Raises UserError where samples, and the copy that is made of them on the way, have no room."""
    copied = config.validation > 0 or config.standardize or inputs + targets > 2
    needed = _size(config) * (inputs + targets) * itemsize * (2 if copied else 1)
    check_memory(needed, free, f"data.size={_size(config)}", "make fewer samples")


def _range(given: Sequence[float]) -> tuple[float, float]:
    if len(given) != 2 or not given[0] < given[1] or not all(map(math.isfinite, given)):
        raise UserError(f"data.range is [low, high] with low < high; got {list(given)}")
    return given[0], given[1]


def gaussians(config: DataConfig) -> Table:
    """K classes, N(mean_k, covariance_k): columns x1, x2, ... and `target`, the class, which take turns.

    Raises UserError.

    >>> from packtrain.trainer.config.schema import DataConfig
    >>> from packtrain.trainer.data.sources import gaussians
    >>> table = gaussians(DataConfig("gaussians", size=5, means=[[0, 0], [9, 9]]))
    >>> table.names, table.columns["target"].tolist()
    (['x1', 'x2', 'target'], [0, 1, 0, 1, 0])
    """
    means = _means(config)
    covariances = _covariances(config, means)
    size, (classes, features) = _size(config), means.shape
    _check_room(config, features * (features + 2), 1, 8, available_memory())
    drawn = normal(torch.tensor(config.seed), Purpose.DATA, 0, size * features, torch.float64)
    label = np.arange(size) % classes
    spread = np.einsum("nij,nj->ni", covariances[label], drawn.view(size, features).numpy())
    samples = means[label] + spread
    columns = {f"x{i + 1}": samples[:, i] for i in range(features)}
    return Table("data=gaussians", columns | {TARGET: label})


def _means(config: DataConfig) -> np.ndarray:
    try:
        means = np.array(config.means, dtype=float)
        if means.ndim != 2 or len(means) < 2 or not means.size or not np.isfinite(means).all():
            raise ValueError
    except (ValueError, TypeError):
        raise UserError(
            f"data.means holds two or more points of one length, such as [[3, 3], [5, 5]]; got {config.means}"
        ) from None
    return means


def _covariances(config: DataConfig, means: np.ndarray) -> np.ndarray:
    """The lower Cholesky factor of each class's covariance; the identity where none is given."""
    classes, features = means.shape
    if config.covariances is None:
        return np.broadcast_to(np.eye(features), (classes, features, features))
    try:
        given = np.array(config.covariances, dtype=float)
        if given.shape != (classes, features, features) or not np.allclose(given, given.mT):
            raise ValueError
        return np.linalg.cholesky(given)
    except (ValueError, TypeError, np.linalg.LinAlgError):
        raise UserError(
            f"data.covariances holds a symmetric positive definite {features}x{features} matrix for "
            f"each of the {classes} classes; got {config.covariances}"
        ) from None


def sklearn_set(name: str | None) -> Table:
    """One of scikit-learn's bundled data sets: its features, and `target`. Raises UserError.

    >>> from packtrain.trainer.data.sources import sklearn_set
    >>> sklearn_set("iris").shown
    'sepal_length_(cm), sepal_width_(cm), petal_length_(cm), petal_width_(cm), target'
    """
    choose(dict.fromkeys(SKLEARN), str(name), "data.set")
    try:
        from sklearn import datasets  # noqa: PLC0415 (heavy, and an extra: only this source needs it)
    except ImportError:
        raise UserError("data=sklearn needs scikit-learn: pip install 'packtrain[sklearn]'") from None
    bundle = getattr(datasets, f"load_{name}")()
    features = [str(feature).replace(" ", "_") for feature in bundle.feature_names]
    columns = {feature: bundle.data[:, i] for i, feature in enumerate(features)}
    return Table(f"scikit-learn's {name}", columns | {TARGET: bundle.target})
