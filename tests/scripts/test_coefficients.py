"""The tables of coefficients in kernels/functions are what the script makes."""

import re

import pytest

from scripts.coefficients import TABLES
from tests.helpers import ROOT

HELD = {
    name: [float(number) for number in numbers.split(",")[:-1]]
    for path in (ROOT / "kernels/functions").glob("*.py")
    for name, numbers in re.findall(r"\[  # (\w+)\n((?:\s+-?[\d.e+-]+,\n)+)", path.read_text())
}
QUICK = [name for name in TABLES if not name.endswith("_double")]


def test_each_table_is_held() -> None:
    assert set(TABLES) <= set(HELD) and len(QUICK) > 7


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", QUICK)
def test_the_script_makes_what_is_held(name: str) -> None:
    assert TABLES[name]()[0] == HELD[name]
