"""Variables whose names don't begin with x: from the config or a file to all that is written of a run."""

import runpy
from pathlib import Path

import pytest

from packtrain.trainer.folder.trained import load
from tests.helpers import Command, result_in
from tests.trainer.exported import assert_trains_again

TABLE = "time (s),dark  current,x/nm\n0,1,1.5\n1,2,4\n2,4,8\n3,8,15\n4,16,28\n"
EXACT = {"a": 1.0, "b": 1.5}  # of target = a*time + b*current
FIT = "experiment=fit", "compute.backend=reference", "monitor=quiet", "data.path=points.csv"
STARTS = "model.initial={a: 0, b: 0}"


@pytest.fixture(autouse=True)
def points(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text(TABLE)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("equations", "others", "inputs", "target"),
    [
        (
            "y = a*t + b*d",
            ("data.columns={t: 'time (s)', d: dark  current, y: 'x/nm'}", "model.parameters=[a]"),
            ["t", "d"],
            "y",
        ),
        ("`x/nm` = a*`time (s)` + b*`dark  current`", (), ["time (s)", "dark  current"], "x/nm"),
        (
            "z = a*t  # drift; and\ny = z + b*`dark  current`;",
            ("model.variables=[t, y]", "data.columns={t: 'time (s)', targets: 'x/nm'}"),
            ["t", "dark  current"],
            "y",
        ),
    ],
)
def test_columns_of_any_name_are_fitted_and_written(
    equations: str, others: tuple[str, ...], inputs: list[str], target: str, cli: Command, tmp_path: Path
) -> None:
    written = equations.replace("\n", '", "')
    ended = cli(*FIT, f'model.expressions=["{written}"]', STARTS, *others)
    assert ended.code == 0 and ended.err == ""
    row = result_in(tmp_path / "out")["run"][0]
    assert {name: round(about["value"], 6) for name, about in row["parameters"].items()} == EXACT
    trained = load(tmp_path / "out")
    assert (list(trained.inputs), trained.targets) == (inputs, (target,))
    points = dict(zip(inputs, ([1.0, 3.0], [2.0, 8.0]), strict=True))
    assert trained.predict(points, "best").flatten().tolist() == pytest.approx([4, 15])
    assert_trains_again("out", 0, cli, tmp_path)
    exported = runpy.run_path(str(tmp_path / "exported" / "equations.py"))["predict"]
    assert exported(*points.values()).tolist() == pytest.approx([4, 15])


def test_a_parameter_called_like_a_column_stays_one_and_is_noted(cli: Command, tmp_path: Path) -> None:
    """As in older versions, whose equations knew no other way."""
    (tmp_path / "points.csv").write_text(TABLE.replace("time (s)", "a"))
    ended = cli(*FIT, "model.expressions=['y = a + b*`dark  current`']", STARTS, "data.columns={y: 'x/nm'}")
    message = "a is a parameter here; with 'model.variables=[dark  current, a]' it is the column a"
    assert ended.code == 0 and result_in(tmp_path / "out")["notes"] == [message]


def test_a_parameter_that_has_no_slope_is_told(cli: Command, tmp_path: Path) -> None:
    columns = "data.columns={x: 'time (s)', xy: 'x/nm'}"
    step = (
        "model.expressions=['xy = a*where(x < t0, x, 1) + b']",
        columns,
        "model.initial={a: 1, b: 1, t0: 2.5}",
    )
    ended = cli(*FIT, *step)
    assert ended.code == 0 and "packtrain: note: t0 can't be learned: the slope by t0 is 0" in ended.err
    ended = cli(*FIT, *step, "model.fixed=[t0]")
    assert ended.code == 0 and "t0" not in ended.err
    ended = cli(*FIT, *step, "model.fixed=[a, b]")
    assert (
        ended.code == 2 and "no parameter can be learned: the slope by t0" in ended.err and "^" in ended.err
    )


def test_variables_of_data_that_are_made(cli: Command, tmp_path: Path) -> None:
    made = "~experiment", "name=made", "model.expressions=['y = a*t + b']", "model.variables=[t]"
    ended = cli(
        *made,
        "data.truth={a: 2, b: 1}",
        "data.size=64",
        "loop.steps=2",
        "loop.batch_size=8",
        "compute.backend=reference",
    )
    assert ended.code == 0
    assert load(tmp_path / "out").inputs == ("t",)
