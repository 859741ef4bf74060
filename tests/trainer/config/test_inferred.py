"""What an equation and a table's columns say of a fit: variables, parameters, and mistakes as sentences."""

from typing import Any

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.inferred import infer, inferred_graph
from packtrain.trainer.models.build import graph_of
from tests.trainer.configs import pack_of

COLUMNS = ["minutes", "celsius"]
COOLING = "celsius = room + (hot - room)*exp(-k*minutes)"


def of_cup(equations: str | list[str], **given: Any) -> dict[str, Any]:
    return infer(equations, given.pop("columns", COLUMNS), "cup.csv", **given)


def test_names_that_are_columns_are_variables() -> None:
    expected = {"model.expressions": [COOLING], "model.variables": ["minutes"]}
    assert of_cup(COOLING, elsewhere=None) == expected
    auto = dict.fromkeys(["room", "hot", "k"], "auto")
    assert of_cup(COOLING) == of_cup(COOLING, initial="auto") == expected | {"model.initial": auto}
    assert inferred_graph(of_cup(COOLING)).parameters == ("room", "hot", "k")


def test_what_was_given_stands_in_the_config() -> None:
    fields = of_cup(
        COOLING,
        columns=[*COLUMNS, "w", "cup", "plate"],
        initial={"k": (0, 1), "room": 20},
        bounds={"k": (0, None)},
        fixed=["hot"],
        shared=("k",),
        group=["plate", "cup"],
        weights="w",
    )
    assert fields["model.initial"] == {"room": 20, "k": [0, 1]}
    assert fields["model.bounds"] == {"k": [0, None]}
    assert fields["model.fixed"] == ["hot"] and fields["model.shared"] == ["k"]
    assert fields["data.columns"] == {"weights": "w"} and fields["data.group"] == ["plate", "cup"]
    assert of_cup(COOLING, columns=[*COLUMNS, "cup"], group="cup")["data.group"] == "cup"


def test_the_fields_make_the_graph_that_was_inferred() -> None:
    fields = of_cup("T = x0 + h*exp(-k*minutes)", mapped={"T": "celsius"})
    assert fields["model.parameters"] == ["x0"]
    pack = pack_of(
        "experiment=fit",
        *(f"model.{name}=[{', '.join(fields[f'model.{name}'])}]" for name in ("parameters", "variables")),
        f'model.expressions=["{fields["model.expressions"][0]}"]',
        "data.columns={T: celsius}",
    )
    assert graph_of(pack.config) == inferred_graph(fields)


@pytest.mark.parametrize(
    ("equations", "columns", "expected"),
    [
        ("a*exp(-k*t)", ["t", "signal"], "signal = a*exp(-k*t)"),
        ("a*exp(-k*t)", ["t", "signal", "y"], "y = a*exp(-k*t)"),
        ("a*exp(-k*`time (s)`)", ["time (s)", "dark current"], "`dark current` = a*exp(-k*`time (s)`)"),
        ("e = exp(-k*t); a*e  # falls", ["t", "s"], "e = exp(-k*t); s = a*e  # falls"),
        (["e = exp(-k*t)", "a*e"], ["t", "s"], "s = a*e"),
        ("a*t", ["t", "s", "w"], "s = a*t"),
    ],
)
def test_a_formula_is_like_the_column_that_is_left(
    equations: str | list[str], columns: list[str], expected: str
) -> None:
    fields = infer(equations, columns, weights="w" if "w" in columns else None)
    assert fields["model.expressions"][-1] == expected


@pytest.mark.parametrize(
    ("equations", "given", "expected"),
    [
        ("celsius = a*exp(-k*Minutes)", {}, "cup.csv has no column 'Minutes' (did you mean minutes?)"),
        ("celsius = a*exp(-k*minuts)", {}, "did you mean minutes?"),
        ("celsius = a*exp(-k*`minute`)", {}, "cup.csv has no column 'minute' (did you mean minutes?)"),
        ("celsius = a*exp(-k*time)", {"columns": ["time (s)", "celsius"]}, "did you mean `time (s)`?"),
        (
            "Celsius = a*exp(-k*minutes)",
            {},
            "'Celsius' (did you mean celsius?); it has minutes",
        ),
        ("T = a*exp(-k*minutes)", {}, "or map one with 'data.columns={T: COLUMN}'"),
        ("celsius = mean", {}, "no name on the right of celsius = mean is a column of cup.csv"),
        (
            "a*minutes",
            {"columns": ["minutes", "b", "c"]},
            "b, c are left: write a left side, as in 'c =",
        ),
        ("a*minutes*celsius", {}, "no column is left for that"),
        ("log(celsius) = a*minutes", {}, "on the left side stands one name"),
        ("celsius = a*minutes b", {}, "expected an operator or the end of the line, got 'b'"),
        ("", {}, "a fit needs an equation"),
        (COOLING, {"initial": "any"}, "initial maps parameters to starts, or is auto; got 'any'"),
        (COOLING, {"initial": {"k1": 1}}, "initial: the equation has no parameter 'k1'"),
        (COOLING, {"initial": {"rom": 1}}, "(did you mean room?); it has room, hot, k"),
        (COOLING, {"bounds": {"minutes": (0, 1)}}, "bounds: minutes is a column of cup.csv"),
        (COOLING, {"fixed": ["m"]}, "fixed: the equation has no parameter 'm'"),
        (COOLING, {"group": "cup"}, "cup.csv has no column 'cup' for group; it has minutes, celsius"),
        (COOLING, {"weights": "w"}, "cup.csv has no column 'w' for weights"),
        (COOLING, {"mapped": {"t": "minute"}}, "no column 'minute' for t (did you mean minutes?)"),
    ],
)
def test_a_mistake_is_a_sentence(equations: str, given: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError) as error:
        of_cup(equations, **given)
    assert expected in str(error.value)


def test_a_start_makes_a_name_a_parameter() -> None:
    assert "Minutes" in inferred_graph(of_cup("celsius = a*exp(-k*Minutes)", initial=dict.fromkeys(
        ["Minutes", "a", "k"], 1
    ))).parameters  # fmt: skip
    assert of_cup("celsius = mean", initial={"mean": 50})["model.initial"] == {"mean": 50}
