"""What a cast loses: told or refused where it matters, and only there."""

from typing import Any

import numpy as np
import pytest
import torch

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.language import parse
from packtrain.trainer.config import schema
from packtrain.trainer.data.dataset import Data
from packtrain.trainer.data.rounding import loss_of
from packtrain.trainer.data.sources import load
from tests.helpers import assert_close

GRAPH = parse("xy = a*xt + b")
RANDOM = np.random.default_rng(0)


def lost(values: Any) -> str:
    """What float32 costs them: '', note or refused."""
    values = np.asarray(values, dtype=np.float64)
    with np.errstate(over="ignore"):
        found = loss_of(values, values.astype(np.float32))
    return "" if found is None else "refused" if found.large else "note"


@pytest.mark.parametrize(
    "values",
    [
        1.7e9 + 10 * np.arange(20),  # Unix seconds
        1.7e9 + 10.0 * np.arange(100_000),
        1.7e9 + 200 * np.arange(20),  # none merge, but each moves by a third of a gap
        1.7e9 + 86_400 * RANDOM.random(1000),
        20_260_000 + np.arange(5) / 4,
        1000 + 1e-3 * RANDOM.standard_normal(500),  # nearly constant
        1000 + RANDOM.random(200_000),
        [1e9, 1e9 + 1],
        1e-50 * np.arange(9),  # beneath float32
        [1, 2, 1e39],  # and beyond
        [1e39, 1e39],
    ],
)
def test_what_float32_cannot_hold_apart_is_refused(values: Any) -> None:
    assert lost(values) == "refused"
    values = np.asarray(values, dtype=np.float64)
    if np.ptp(values) > 0 and np.abs(values).max() > 1e-30:
        assert lost((values - values.mean()) / values.std()) == "", "standardized values are"


@pytest.mark.parametrize(
    "values",
    [
        np.arange(1900, 2030),  # years
        np.arange(1900, 2030, 1 / 12),
        np.arange(1 << 20),
        RANDOM.random(65_536),
        RANDOM.random(1_000_000),
        RANDOM.standard_normal(300_000),
        20 + RANDOM.standard_normal(100_000) / 10,
        100 + RANDOM.standard_normal(100_000),
        10.0 ** RANDOM.uniform(-20, 20, 10_000),
        [0.1, 0.1, 0.1],
        [3.0],
        [],
        [1.7e9, -1.7e9],
        1.7e9 + 3_600 * np.arange(10_000.0),
        np.where(np.arange(100) == 7, 1e12, np.arange(100)),  # an outlier
        [0, 1] * 20,
    ],
)
def test_what_float32_holds_apart_is_not(values: Any) -> None:
    assert lost(values) == ""


def test_most_of_a_fine_column_may_merge_without_harm_and_is_told() -> None:
    assert lost(1.7e9 + 10 * np.arange(1_000_000)) == "note"


def of(table: dict[str, Any], dtype: torch.dtype = torch.float32, graph: Any = GRAPH, **fields: Any) -> Data:
    data = schema.DataConfig(kind="table", table=table, **fields)
    return load(data, graph, "mse", torch.device("cpu"), dtype)


TIMES = [1_700_000_000 + 10 * i for i in range(50)]
MERGE = r"of 50 different values 45 merge with another, and a value moves by 0.26 of their spread"


def test_a_column_that_merges_is_named_with_what_mends_it() -> None:
    table = {"t": TIMES, "xy": [float(i) for i in range(50)]}
    columns = {"xt": "t"}
    with pytest.raises(
        UserError, match=rf"data.table, column t: float32.*{MERGE}.*fp64 or data.standardize=true keep"
    ):
        of(table, columns=columns)
    exact = of(table, torch.float64, columns=columns)
    assert exact.train.inputs[:, 0].tolist() == TIMES and exact.notes == ()
    scaled = of(table, columns=columns, standardize=True).train.inputs[:, 0]
    expected = torch.arange(50.0) - 24.5
    assert_close(scaled, expected / expected.square().mean().sqrt())


def test_targets_too() -> None:
    table = {"xt": [float(i) for i in range(50)], "xy": TIMES}
    for standardize in (False, True):
        with pytest.raises(
            UserError, match=rf"column xy: float32.*{MERGE}, in the mean; compute.precision=fp64 keep"
        ):
            of(table, standardize=standardize)
    assert of(table, torch.float64).train.targets[:, 0].tolist() == TIMES
    with pytest.raises(UserError, match="column xy: float32"):
        of(table, graph=None, columns={"targets": "xy"})


def test_weights_keep_all_digits() -> None:
    data = of({"xt": [1, 2], "xy": [1, 2], "w": [1e9, 1e9 + 1]}, columns={"weights": "w"})
    assert data.train.weights is not None and data.train.weights.tolist() == [1e9, 1e9 + 1]


@pytest.mark.parametrize("offset", [2**53, 2**62, 2**63, 10**25])
def test_integers_that_float64_merges_are_refused(offset: int) -> None:
    table = {"xt": [offset + i for i in range(64)], "xy": [*range(64)]}
    for standardize in (False, True):
        with pytest.raises(UserError, match=rf"column xt: float64.*subtract an offset.*smallest, {offset}"):
            of(table, torch.float64, standardize=standardize)
    assert len(of(table | {"xt": [*range(64)]}, torch.float64).train) == 64
    spread = {**table, "xt": [offset * (i + 1) // 8 for i in range(64)]}
    assert len(of(spread, torch.float64).train) == 64, "large integers that lie far apart lose nothing"
