"""What is said of the columns of a table, and the page of formulas as data."""

import numpy as np
import pytest

from packtrain.kernels.language import parse
from packtrain.trainer.data.contents import DATES, NUMBERS, WHOLE, WORDS, contents
from packtrain.trainer.data.formulas import PAGE, formulas
from packtrain.trainer.data.table import Table
from tests import formulas as on_page


@pytest.mark.parametrize(
    ("cells", "kind", "least", "greatest", "different", "missing"),
    [
        (np.array([3, 1, 1]), WHOLE, "1", "3", 2, 0),
        (np.array([0.5, np.nan, 2.0]), NUMBERS, "0.5", "2", 2, 1),
        (np.array([1.5, None, "2"], dtype=object), NUMBERS, "1.5", "2", 2, 1),
        (np.array(["b", "a", " "]), WORDS, "a", "b", 2, 1),
        (np.array(["b", "1"]), WORDS, "1", "b", 2, 0),
        (np.array([None, None], dtype=object), WORDS, "", "", 0, 2),
        (np.array(["2026-01-02"], dtype="datetime64[D]"), DATES, "2026-01-02", "2026-01-02", 1, 0),
    ],
)
def test_a_column_is_told(
    cells: np.ndarray, kind: str, least: str, greatest: str, different: int, missing: int
) -> None:
    (told,) = contents(Table("t.csv", {"c": cells}))
    assert (told.kind, told.least, told.greatest) == (kind, least, greatest)
    assert (told.different, told.missing) == (different, missing)


def test_the_installed_page_is_the_page() -> None:
    assert PAGE.read_text() == on_page.PAGE.read_text()
    assert len({formula.field for formula in formulas()}) > 10


def test_columns_take_the_places_of_x_and_y() -> None:
    for formula in formulas():
        places = [f"in {i}" for i in range(len(formula.graph.inputs))], list(formula.graph.outputs)
        renamed = parse(formula.of_columns(*places))
        assert list(renamed.inputs) == places[0] and list(renamed.outputs) == places[1]
        assert renamed.parameters == formula.graph.parameters


def test_a_parameter_called_like_a_column_is_renamed() -> None:
    line = next(formula for formula in formulas() if formula.name == "`linear`")
    assert line.of_columns(["slope"], ["y"]) == "y = slope_*slope + intercept"
