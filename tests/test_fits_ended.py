"""How fits end: outcomes and exit codes of ill-posed input, and what is refused in one sentence."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import Command, result_in
from tests.trainer.fits import FIT, LINE, STRAIGHT, SUM, X, equation, result_of, run_of, saturating, values

EXACT = pytest.approx


def no_constant(word: str) -> None:
    pytest.fail(f"{word} in result.json")


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "overrides",
    [
        equation("xy = a*x + b", {"a": 0, "b": 0}, x=[1, 2], xy=[1, 2]),
        equation("xy = a*b*x", {"a": 0.5, "b": 1}, x=[1, 2, 3], xy=[0, 0, 0]),
        equation("xy = a*x", {"a": 0}, x=[1, 1, 1], xy=[2, 2, 2]),
        equation("xy = a*sqrt(x - b)", {"a": 1, "b": "[0, 1.5]"}, x=[1, 2, 3], xy=[1, 2, 3]),
    ],
    ids=["exact", "zeros", "constant", "not finite"],
)
def test_numbers_that_are_not_finite_are_null(
    overrides: tuple[str, ...], cli: Command, tmp_path: Path
) -> None:
    cli(*FIT, *overrides, 'pack.over={seed: "range(0,4)"}')
    text = (tmp_path / "out" / "result.json").read_text()
    json.loads(text, parse_constant=no_constant)
    rows = (tmp_path / "out" / "runs.csv").read_text()
    assert "nan" not in rows and "inf" not in rows


def test_a_start_that_is_not_finite_fails_alone(cli: Command, tmp_path: Path) -> None:
    settings = equation("xy = a*log(b + x)", {"a": 1}, x=X, xy=LINE)
    packed = result_of(cli, tmp_path, *FIT, *settings, 'pack.over={model.initial.b: "0.5,-3,2"}')
    assert packed["outcomes"] == {"finished": 2, "failed": 1}
    bad = packed["run"][1]
    assert bad["outcome"] == "failed" and bad["steps"] == 0
    assert "aren't finite at the starting values" in bad["message"]
    assert values(bad) == {"a": 1.0, "b": -3.0} and set(values(bad, "stderr").values()) == {None}
    assert bad["loss"]["train"] == {"first": None, "last": None}
    for place, b in ((0, 0.5), (2, 2)):
        alone = run_of(cli, tmp_path, *FIT, *settings, f"model.initial.b={b}")
        assert packed["run"][place]["parameters"] == alone["parameters"]
        assert packed["run"][place]["fit"] == alone["fit"]
        assert packed["run"][place]["steps"] == alone["steps"]


def test_where_no_start_is_finite_the_exit_code_is_1(cli: Command, tmp_path: Path) -> None:
    settings = equation("xy = a*log(b + x)", {"a": 1, "b": -3}, x=X, xy=LINE)
    ended = cli(*FIT, *settings)
    assert ended.code == 1 and "Traceback" not in ended.err
    assert ended.err.startswith("packtrain: ") and ended.err.count("\n") == 1
    result = result_in(tmp_path / "out")
    assert result["best_run"] is None and result["outcomes"] == {"failed": 1}
    assert result["run"][0]["fit"]["criterion"] == "not_finite"


def test_a_nan_among_the_data_is_exit_2(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("x,xy\n1,2\n2,nan\n3,4\n")
    text = ('model.expressions=["xy = a*x"]', "data=file", "data.path=points.csv")
    ended = cli(*FIT, *text)
    assert ended.code == 2 and "row 2, column xy: expected a finite number" in ended.err
    assert ended.err.count("\n") == 1 and not (tmp_path / "out" / "result.json").exists()


def test_too_few_steps_stop_early_and_say_what_helps(cli: Command, tmp_path: Path) -> None:
    run = result_of(cli, tmp_path, *FIT, *saturating(200, 1), "loop.steps=2")["run"][0]
    assert run["outcome"] == "stopped early" and run["steps"] == 2
    assert run["message"] == "stopped after 2 of 2 steps: it has not converged; raise loop.steps"
    assert run["fit"]["criterion"] == "exhausted"


def test_gauss_newton_fits_what_is_well_posed(cli: Command, tmp_path: Path) -> None:
    run = run_of(cli, tmp_path, *FIT, "optimizer=gauss_newton", *saturating(220, 0.5))
    assert values(run) == EXACT({"b1": 213.80940889, "b2": 0.54723748542}, rel=1e-8)


def test_gauss_newton_of_a_singular_problem_names_the_other(cli: Command, tmp_path: Path) -> None:
    ended = cli(*FIT, "optimizer=gauss_newton", *SUM)
    (run,) = result_in(tmp_path / "out")["run"]
    assert run["outcome"] == "failed" and "try optimizer=levenberg_marquardt" in run["message"]
    assert "Traceback" not in ended.err


def test_a_run_that_failed_is_not_the_best(cli: Command, tmp_path: Path) -> None:
    """Its loss is finite, but nothing was fitted: exit code 1, where it is the only run."""
    ended = cli(*FIT, "optimizer=gauss_newton", *SUM)
    assert ended.code == 1 and result_in(tmp_path / "out")["best_run"] is None
    assert ended.err.startswith("packtrain: no fit succeeded: ended after 1 step: the data determine no")
    assert ended.err.count("\n") == 1


def test_a_column_of_constants_is_fitted_or_told(cli: Command, tmp_path: Path) -> None:
    flat = [3.0] * 6
    run = run_of(cli, tmp_path, *FIT, *equation("xy = a*x + b", {"a": 1, "b": 0}, x=X, xy=flat))
    assert values(run) == pytest.approx({"a": 0, "b": 3}, abs=1e-10)
    assert run["fit"]["r_squared"] is None
    run = run_of(cli, tmp_path, *FIT, *equation("xy = a*x + b", {"a": 1, "b": 0}, x=flat, xy=LINE))
    assert run["fit"]["undetermined"] == ["a", "b"]
    (combination,) = run["fit"]["combinations"]
    assert combination["combination"] == "a + 0.3333*b" and combination["value"] == EXACT(
        np.mean(LINE) / 3, rel=1e-8
    )


def test_the_fitted_parameters_are_what_load_gives(cli: Command, tmp_path: Path) -> None:
    import packtrain  # noqa: PLC0415

    run = run_of(cli, tmp_path, *FIT, *STRAIGHT)
    outputs = packtrain.load(tmp_path / "out").predict({"x": [0.0, 1.0]}, run=0)
    fitted = values(run)
    assert outputs[:, 0].tolist() == EXACT([fitted["b"], fitted["a"] + fitted["b"]])


REFUSED = [
    (("schedule=cosine",), "schedule is about learning rates, and optimizer=levenberg_marquardt has none"),
    (("loop.batch_size=3",), "takes all samples in each step; got loop.batch_size=3"),
    (("model.loss=cross_entropy",), "got cross_entropy: it is not one of y - t alone"),
    (("compute.precision=bf16",), "bf16"),
    (("model.gradient=finite_difference",), "takes exact derivatives; model.gradient=finite_difference"),
    (("optimizer.lr=0.1",), "optimizer.lr is for optimizer=sgd or adam or adamw"),
    (("optimizer=adam", "model.bounds={a: [0, 1]}"), "model.bounds is for optimizer=levenberg_marquardt"),
    (("optimizer=adam", "model.fixed=[a]"), "model.fixed is for optimizer=levenberg_marquardt"),
    (("optimizer=adam", "optimizer.ftol=1e-3"), "optimizer.ftol is for optimizer=levenberg_marquardt"),
    (("optimizer=gauss_newton", "optimizer.radius=2"), "optimizer.radius is for"),
    (("model.bounds={c: [0, 1]}",), "model.bounds: the equations have no parameter 'c'"),
    (("model.fixed=[c]",), "model.fixed: the equations have no parameter 'c'"),
    (("model.initial={c: 1}",), "model.initial: the equations have no parameter 'c'"),
    (("model.bounds={a: [1, 0]}",), "model.bounds.a is [low, high] with low < high"),
    (("model.bounds={a: [1, 1]}",), "model.bounds.a is [low, high] with low < high"),
    (("model.bounds={a: 3}",), "model.bounds.a is [low, high] with low < high"),
    (("model.bounds={a: [x, 1]}",), "model.bounds.a is [low, high]"),
    (("model.bounds={a: [1, 2]}",), "model.bounds keeps a within [1, 2], and it starts at 0"),
    (("model.bounds={a: [0, 1]}", "model.initial={a: [0, 2]}"), "and it starts at [0, 2]"),
    (("model.fixed=[a,b]",), "model.fixed names every parameter, so there is nothing to fit"),
    (("compute.backend=numba", "compute.precision=fp32"), "compute.precision=fp64"),
    (("data.columns={weights: nothing}",), "no column 'nothing' for the weights"),
    (("model.starts=4",), "model.starts=4 draws starting points from ranges, and model.initial has none"),
    (("model.starts=0",), "model.starts is more than 0"),
    (("pack.over={model.starts: '1,2'}",), "model.starts can't differ between the runs"),
    (("pack.over={model.bounds.a: 3}",), "model.bounds.a can't differ between the runs"),
    (
        ("model.starts=600000", 'pack.over={seed: "0,1"}', "model.initial={a: [0, 1]}"),
        "more runs than a pack",
    ),
    (("experiment=fit", "model.initial={b3: 1}"), "model.initial: the equations have no parameter 'b3'"),
]


@pytest.mark.sampled(10)
@pytest.mark.parametrize(
    ("overrides", "message"), REFUSED, ids=[" ".join(overrides)[:50] for overrides, _ in REFUSED]
)
def test_what_cant_be_fitted_is_one_sentence_and_exit_2(
    overrides: tuple[str, ...], message: str, cli: Command, tmp_path: Path
) -> None:
    settings = () if overrides[0] == "experiment=fit" else (*FIT, *STRAIGHT)
    replaced = {setting.partition("=")[0] for setting in overrides}
    others = [setting for setting in settings if setting.partition("=")[0] not in replaced]
    ended = cli(*others, *overrides)
    assert ended.code == 2 and message in ended.err
    assert ended.err.startswith("packtrain: ") and ended.err.count("\n") == 1
    assert not (tmp_path / "out" / "result.json").exists()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, -1, 1, 1, 1, 1], "data.table, row 2, column w: a weight is 0 or more, got -1"),
        ([0] * 6, "column w: every weight is 0, so there is nothing to fit"),
    ],
)
def test_weights_that_are_none_are_refused(weights: list[float], message: str, cli: Command) -> None:
    settings = equation("xy = a*x + b", {}, x=X, xy=LINE, w=weights)
    ended = cli(*FIT, *settings, "data.columns={weights: w}")
    assert ended.code == 2 and message in ended.err


@pytest.mark.parametrize("setting", [("model.quantize=[0]",), ()], ids=["quantized", "large"])
def test_an_mlp_that_cant_be_fitted_is_refused(
    setting: tuple[str, ...], cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not setting:
        monkeypatch.setattr("packtrain.trainer.engines.build.MOST_PARAMETERS", 6)
    mlp = ("model=mlp", "model.loss=mse", "model.widths=[1,2,1]", "data.columns={inputs: x, targets: xy}")
    table = [argument for argument in STRAIGHT if argument.startswith("data")]
    ended = cli(*FIT, *mlp, *table, *setting)
    assert ended.code == 2 and "try optimizer=adam" in ended.err
    assert ("model.quantize" if setting else "up to 6 parameters") in ended.err
