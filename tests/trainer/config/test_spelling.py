"""Values of Python are spelled so that Hydra reads them back."""

from typing import Any

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.spelling import override, sweep_override

NUMBERS = st.one_of(st.integers(-(10**9), 10**9), st.floats(allow_nan=False))
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=12)
PLAIN = st.one_of(NUMBERS, st.booleans(), st.none(), TEXTS)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,4}x", fullmatch=True)
VALUES = st.recursive(
    PLAIN, lambda v: st.one_of(st.lists(v, max_size=3), st.dictionaries(NAMES, v, max_size=3))
)


def read(text: str) -> Any:
    return OverridesParser.create().parse_override(text)


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_values_are_read_back(value: Any) -> None:
    assert read(override("field", value)).value() == value


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(NUMBERS, st.booleans()), min_size=2, max_size=5))
def test_values_of_a_sweep_are_read_back(values: list[Any]) -> None:
    assert list(read(sweep_override("field", values)).sweep_iterator()) == values


def test_arrays_are_numbers() -> None:
    assert override("field", np.array([1.5, 2])) == "field=[1.5,2.0]"
    assert override("field", np.float32(0.5)) == "field=0.5"
    assert sweep_override("field", np.array([1, 2])) == "field=1,2"
    assert sweep_override("seed", "range(0,8)") == "seed=range(0,8)"


def test_other_names_are_refused() -> None:
    with pytest.raises(UserError, match="a name in a mapping is of letters"):
        override("data.columns", {"größe": "c"})
