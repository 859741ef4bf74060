"""Where samples come from: equations with known parameters, Gaussian classes, files, scikit-learn."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...kernels.common.errors import UserError, choose
from ...kernels.equations.losses import CROSS_ENTROPY
from ...kernels.language import Graph, notes
from ..config.checks import split_method
from ..config.schema import DROP, DataConfig
from .class_weights import with_class_weights
from .columns import TARGET
from .cubes import in_rows
from .dataset import Data, Dataset, Groups, check_targets, prepare, rounded
from .drop import without_missing
from .encode import told as encoded
from .files.read import read
from .generated import gaussians, ground_truth
from .groups import by_groups, first_rows, group_columns
from .select import of_numpy, select
from .split_of import split_of
from .stream.load import load_stream
from .table import Table

MEND = "; data.missing=drop leaves such rows out, and impute fills inputs in"
SKLEARN = ("digits", "iris", "wine", "breast_cancer", "diabetes")


def load(
    config: DataConfig,
    graph: Graph | None,
    loss: str,
    device: torch.device,
    dtype: torch.dtype,
    outputs: int | None = None,
    table: Table | None = None,
    others: Sequence[str] = (),
) -> Data:
    """The data that `config` describes, on `device`, for a graph, or (None) an MLP of so many `outputs`.

    A `table` in memory takes the place of the source that the config names. `others` are what starting values
    read: those that are columns, and neither inputs nor targets, stay beside the samples.

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
    if config.kind == "stream" and table is None:
        return load_stream(config, graph, loss, device, dtype)
    groups, told, read = None, [], table
    if config.kind == "ground_truth" and table is None:
        equations = _for_ground_truth(graph, loss)
        whole, told = ground_truth(config, equations, device, dtype), notes(equations)
    else:
        read = in_rows(table or _table(config), group_columns(config.group))
        whole, groups, told = _of_table(read, config, graph, loss == CROSS_ENTROPY, outputs)
        beside = [name for name in others if name not in (*whole.input_names, *whole.target_names)]
        columns = {name: read.numbers(name, "model.initial", missing=True) for name in beside}
        whole = replace(whole, columns={name: of_numpy(column) for name, column in columns.items()})
    check_targets(whole.targets, whole.target_names, loss)
    inputs, targets = (part in config.standardized for part in ("inputs", "targets"))
    split = split_of(config, whole, read)
    data = prepare(whole, split, inputs, targets)
    told += split.notes(*(len(part or ()) for part in (data.train, data.validation, data.test)))
    if config.class_weights not in (None, {}):
        data = with_class_weights(data, config.class_weights)
    sentences = [*told, *data.notes, *rounded(data.train, dtype)]
    return replace(data.to(device, dtype), notes=tuple(sentences), groups=groups)


def count_groups(config: DataConfig) -> int:
    """How many groups data.group makes of the data. Raises UserError.

    >>> from packtrain.trainer.config.schema import DataConfig
    >>> from packtrain.trainer.data.sources import count_groups
    >>> count_groups(DataConfig("table", table={"cell": ["b", "a", "b"]}, group="cell"))
    2
    """
    names = group_columns(config.group)
    table = in_rows(_table(config), names)
    if table.blocks:
        return table.blocks.groups
    return len(first_rows(table, names, config.missing == DROP))


def _features(table: Table, config: DataConfig, graph: Graph | None, groups: list[str]) -> Table:
    """Without the columns of groups, nor that of data.split, unless data.columns names the inputs."""
    if graph is not None:
        return table
    split = [] if "inputs" in config.columns else [split_method(config.split)[1]]
    return table.without([*groups, *split])


def _of_table(
    table: Table, config: DataConfig, graph: Graph | None, classes: bool, outputs: int | None
) -> tuple[Dataset, Groups | None, list[str]]:
    """The samples of a table, their groups if it has any, and sentences for people on how they were made."""
    names = group_columns(config.group)
    others = _features(table, config, graph, names)
    mends = config.missing, config.encode, bool(names)
    whole = select(others, config.columns, graph, classes, outputs, *mends)
    told = [*table.notes, *encoded(whole.features, whole.inputs)]
    told += notes(graph, table.names) if graph else []
    if config.missing == DROP:
        whole, dropped = without_missing(whole, table.source)
        told += dropped
    if not names:
        return whole, None, told
    whole, groups = by_groups(whole, table, names, config.missing == DROP)
    if groups.nameless:
        lost = f"{table.source}: rows left out that have no value of {' or '.join(names)}"
        told.append(f"{lost} (data.missing={DROP}): {groups.nameless:,}")
    return whole, groups, told


def _for_ground_truth(graph: Graph | None, loss: str) -> Graph:
    """The equations that make samples. Raises UserError where there are none, or they make classes."""
    if graph is None:
        raise UserError("data=ground_truth pushes samples through equations, and an MLP has none")
    if loss == CROSS_ENTROPY:
        raise UserError("data=ground_truth makes numbers, and model.loss=cross_entropy takes class labels")
    return graph


def _table(config: DataConfig) -> Table:
    if config.kind == "gaussians":
        return gaussians(config)
    if config.kind == "sklearn":
        return sklearn_set(config.set)
    if config.kind == "table" or (config.kind == "file" and config.path is None and config.table):
        columns = {name: _listed(name, given) for name, given in config.table.items()}
        return Table("data.table", columns, mend=MEND)
    return replace(read(config.path), mend=MEND)


def _listed(name: str, given: Any) -> np.ndarray:
    cells = given if isinstance(given, list) else [given]
    if any(isinstance(cell, (list, dict)) for cell in cells):
        raise UserError(f"data.table: {name} is a list of numbers or words; got {given}")
    return np.array(cells)


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
