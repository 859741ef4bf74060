"""Samples that are made here: of equations with known parameters, and of Gaussian classes."""

import math
from collections.abc import Sequence

import numpy as np
import torch

from ...kernels.common.errors import UserError
from ...kernels.expression import expression
from ...kernels.language import Graph
from ...kernels.random import Purpose, normal, uniform
from ..config.schema import DataConfig
from .columns import TARGET
from .dataset import Dataset
from .memory import available_memory, check_memory
from .table import Table

BLOCK = 1 << 20  # samples made at a time


def ground_truth(config: DataConfig, graph: Graph, device: torch.device, dtype: torch.dtype) -> Dataset:
    """Inputs uniform in [low, high), targets f(x; truth) + N(0, noise^2), made in blocks on the device.

    A sample is a function of data.seed and its place alone. Raises UserError.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.schema import DataConfig
    >>> from packtrain.trainer.data.generated import ground_truth
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
        hints = [graph.declaring(word) for word in foreign if word in graph.inputs]
        hints += [f"make {p} an input: 'model.variables=[{p}]'" for p in missing if not graph.inputs]
        raise UserError(
            f"data.truth gives a value to each parameter of the equations ({', '.join(graph.parameters)}); "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(foreign) or 'none'}"
            + "".join(f"; or {hint}" for hint in hints)
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
    copied = config.validation > 0 or config.standardized or inputs + targets > 2
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
    >>> from packtrain.trainer.data.generated import gaussians
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
