"""What runs are worth on the test part: measured once, at the end, and never ranked by."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..models.evaluate import Evaluation

TEST, TEST_LOSS = "test.", "loss.test"  # columns of runs.csv


def add_test(rows: Sequence[dict[str, Any]], test: Evaluation) -> None:
    """Adds to each of result.json's runs its loss and its metrics on the test part.

    >>> import torch
    >>> from packtrain.trainer.folder.tested import add_test
    >>> rows = [{"loss": {"validation": 0.5}}]
    >>> add_test(rows, Evaluation(torch.tensor([0.25]), {"r2": torch.tensor([0.5])}))
    >>> rows
    [{'loss': {'validation': 0.5, 'test': 0.25}, 'test': {'r2': 0.5}}]
    """
    losses = test.loss.tolist()
    metrics = {name: values.tolist() for name, values in test.metrics.items()}
    for run, row in enumerate(rows):
        row["loss"]["test"] = losses[run]
        row["test"] = {name: values[run] for name, values in metrics.items()}


def flat_test(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a row on the test part, none where there is no such part.

    >>> from packtrain.trainer.folder.tested import flat_test
    >>> flat_test({"loss": {"test": 0.25}, "test": {"r2": 0.5}}), flat_test({"loss": {}})
    ({'loss.test': 0.25, 'test.r2': 0.5}, {})
    """
    if "test" not in row["loss"]:
        return {}
    return {TEST_LOSS: row["loss"]["test"], **{f"{TEST}{name}": value for name, value in row["test"].items()}}
