"""What runs are worth on the test part: measured once, at the end, and never ranked by."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # torch takes seconds to import
    from ..models.evaluate import Evaluation

TEST, TEST_LOSS = "test.", "loss.test"  # columns of runs.csv


def add_test(columns: dict[str, Any], test: "Evaluation") -> None:
    """Adds to the columns of rows their loss and their metrics on the test part.

    >>> import torch
    >>> from packtrain.trainer.folder.tested import add_test
    >>> from packtrain.trainer.models.evaluate import Evaluation
    >>> columns = {"loss": {"validation": None}}
    >>> add_test(columns, Evaluation(torch.tensor([0.25]), {"r2": torch.tensor([0.5])}))
    >>> columns["loss"]["test"].tolist(), columns["test"]["r2"].tolist()
    ([0.25], [0.5])
    """
    columns["loss"]["test"] = test.loss.cpu().numpy()
    columns["test"] = {name: values.cpu().numpy() for name, values in test.metrics.items()}


def flat_test(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of runs.csv on the test part, of a row or of all; none where there is no such part.

    >>> from packtrain.trainer.folder.tested import flat_test
    >>> flat_test({"loss": {"test": 0.25}, "test": {"r2": 0.5}}), flat_test({"loss": {}})
    ({'loss.test': 0.25, 'test.r2': 0.5}, {})
    """
    if "test" not in row["loss"]:
        return {}
    return {TEST_LOSS: row["loss"]["test"], **{f"{TEST}{name}": value for name, value in row["test"].items()}}
