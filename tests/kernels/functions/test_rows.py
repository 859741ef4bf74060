"""What every function of one number promises: its accuracy everywhere, and bits of its own in every lane."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from . import test_accuracy, test_accuracy_circular, test_accuracy_special
from .rows import TYPES

ROWS = test_accuracy.ROWS | test_accuracy_circular.ROWS | test_accuracy_special.ROWS
names = pytest.mark.parametrize("name", ROWS)
kinds = pytest.mark.parametrize("kind", TYPES)


@pytest.mark.sampled(20)
@names
@kinds
def test_everywhere(name: str, kind: str) -> None:
    ROWS[name].check(ROWS[name].arguments(kind))


@pytest.mark.sampled(8)
@names
@given(data=st.data())
def test_any_number(name: str, data: st.DataObject) -> None:
    row, most = ROWS[name], np.finfo(np.float64).max
    numbers = st.floats(max(row.low, -most), min(row.high, most))
    row.check(np.array(data.draw(st.lists(numbers, min_size=1, max_size=20))))


@names
def test_float32_is_near_float64(name: str) -> None:
    ROWS[name].check_floats()


@names
@kinds
def test_bits_do_not_depend_on_the_lane_or_its_neighbours(name: str, kind: str) -> None:
    some = ROWS[name].arguments(kind)[::20]
    ROWS[name].check_lanes(np.concatenate([some, [np.inf, -np.inf]]).astype(TYPES[kind]))
