"""Every experiment in conf/ runs, and the main ones reach what they promise."""

from pathlib import Path

import pytest
import torch

import packtrain
from packtrain.trainer.folder.stored import read_stored
from packtrain.trainer.pictures.descents import Descents
from tests.helpers import EXPERIMENTS, Command, result_in
from tests.trainer.exported import assert_trains_again

ALONE = [name for name in EXPERIMENTS if "/" not in name]
BRIEF = ("loop.epochs=null", "loop.steps=4", "loop.batch_size=6", "monitor.every=1")
SMALL = {
    "primer_large": ("data.size=4096",),
    "fit": ("loop.steps=50", "loop.batch_size=full"),  # ends by itself, and takes no minibatches
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("experiment", ALONE)
def test_every_experiment_runs_and_its_export_does_so_again(
    experiment: str, cli: Command, tmp_path: Path
) -> None:
    ended = cli(f"experiment={experiment}", *BRIEF, *SMALL.get(experiment, ()))
    assert ended.code == 0, ended.err
    result = result_in(tmp_path / "out")
    assert result["experiment"] == experiment
    assert result["outcomes"] == {"finished": result["runs"]}
    assert f"{experiment}: " in ended.out
    assert_trains_again("out", result["best_run"], cli, tmp_path)


@pytest.fixture
def drawn() -> None:
    """Pictures are drawn."""


@pytest.mark.thorough
@pytest.mark.usefixtures("drawn")
def test_descents_run_side_by_side_and_end_with_their_surface(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("packtrain.trainer.sweep.report.draw_runs_together", lambda *_, **__: {})
    descents = [name for name in EXPERIMENTS if name.startswith("descent/")]
    quiet = "monitor.tensorboard=false", "monitor.progress=false", "checkpoint.every=null", "data.size=64"
    ended = cli("-m", "experiment=glob(descent/*)", "loop.steps=6", *quiet, "hydra.sweep.dir=out")
    assert ended.code == 0, ended.err
    result = result_in(tmp_path / "out")
    assert {row["values"]["experiment"] for row in result["run"]} == {*descents}
    assert len({row["loss"]["train"]["first"] for row in result["run"]}) == 1, "they start at one place"
    assert (tmp_path / "out" / "surface.png").exists(), ended.err
    paths = Descents.of_folder(read_stored(tmp_path / "out")).paths()
    assert sorted(path.label for path in paths) == sorted(name.partition("/")[2] for name in descents)
    assert {tuple(path.start) for path in paths} == {(-1.5, 1.6)}
    ends = {path.label: path.end.tolist() for path in paths}
    for row in result["run"]:
        about = row["parameters"]
        assert ends[row["values"]["experiment"][8:]] == [about["ac"]["value"], about["bc"]["value"]]


def test_primer_loss_falls_by_five_orders_of_magnitude(cli: Command, tmp_path: Path) -> None:
    assert cli("experiment=primer").code == 0
    run = result_in(tmp_path / "out")["run"][0]
    assert run["loss"]["train"]["first"] / run["loss"]["train"]["last"] >= 1e5


def test_digits_reach_96_percent_on_the_held_out_part(cli: Command, tmp_path: Path) -> None:
    assert cli("experiment=digits").code == 0
    assert result_in(tmp_path / "out")["run"][0]["metrics"]["accuracy"] >= 0.96


def test_danwood_reaches_the_certified_values(cli: Command, tmp_path: Path) -> None:
    assert cli("experiment=danwood").code == 0
    fitted = {
        name: parameter["value"]
        for name, parameter in result_in(tmp_path / "out")["run"][0]["parameters"].items()
    }
    assert fitted == pytest.approx({"b1": 0.769, "b2": 3.86}, rel=0.02)


def test_fit_gives_danwoods_certified_values_to_many_digits(cli: Command, tmp_path: Path) -> None:
    assert cli("experiment=fit").code == 0
    run = result_in(tmp_path / "out")["run"][0]
    fitted = {name: (about["value"], about["stderr"]) for name, about in run["parameters"].items()}
    assert fitted["b1"] == pytest.approx((7.6886226176e-01, 1.8281973860e-02), rel=1e-8)
    assert fitted["b2"] == pytest.approx((3.8604055871, 5.1726610913e-02), rel=1e-8)
    assert run["fit"]["rss"] == pytest.approx(4.3173084083e-03, rel=1e-8)


MISRA1A = """y,x
10.07,77.6
14.73,114.9
17.94,141.1
23.93,190.8
29.61,239.9
35.18,289.0
40.02,332.8
44.82,378.4
50.76,434.8
55.05,477.3
61.01,536.8
66.40,593.1
75.47,689.1
81.78,760.0
"""
LAMP = (
    "data.table={x: [1.309, 1.471, 1.490, 1.565, 1.611, 1.680], "
    "xy: [2.138, 3.421, 3.597, 4.340, 4.882, 5.660]}"
)
MINE = ('model.expressions=["xy = b1*(1-exp(-b2*x))"]', "data.columns={x: x, xy: y}")


def test_fit_takes_equations_and_a_file_of_ones_own(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "misra1a.csv").write_text(MISRA1A)
    settings = ("experiment=fit", *MINE, "model.initial={b1: 500, b2: 0.0001}", "data.path=misra1a.csv")
    ended = cli(*settings)
    assert ended.code == 0, ended.err
    run = result_in(tmp_path / "out")["run"][0]
    fitted = {name: (about["value"], about["stderr"]) for name, about in run["parameters"].items()}
    assert fitted["b1"] == pytest.approx((2.3894212918e02, 2.7070075241), rel=1e-7)
    assert fitted["b2"] == pytest.approx((5.5015643181e-04, 7.2668688436e-06), rel=1e-7)
    assert run["fit"]["degrees_of_freedom"] == 12
    for text in ("238.9421", "2.707", "0.0005501564", "12 degrees of freedom"):
        assert text in ended.out


def test_equations_of_ones_own_leave_the_experiments_starting_values(cli: Command, tmp_path: Path) -> None:
    ended = cli("experiment=fit", 'model.expressions=["xy = k*x^m"]', LAMP)
    assert ended.code == 0, ended.err
    run = result_in(tmp_path / "out")["run"][0]
    assert set(run["parameters"]) == {"k", "m"}
    assert run["parameters"]["m"]["value"] == pytest.approx(3.8604055871, rel=1e-8)


def test_equations_of_ones_own_leave_the_experiments_data(cli: Command, tmp_path: Path) -> None:
    ended = cli("experiment=fit", 'model.expressions=["xy = k*x^m"]')
    assert ended.code == 2 and "data=file needs a file" in ended.err
    assert not (tmp_path / "out" / "result.json").exists()


@pytest.mark.parametrize("table", ["data.table={x: [1.3, 1.5, 1.6]}", "data.table.x=[1.3,1.5,1.6]"])
def test_a_column_of_ones_own_leaves_the_experiments_columns(table: str, cli: Command) -> None:
    ended = cli("experiment=fit", table)
    assert ended.code == 2 and "data.table has no column 'xy' for xy; it has x:" in ended.err


def test_a_table_of_ones_own_keeps_the_experiments_equations(cli: Command, tmp_path: Path) -> None:
    table = "data.table={t: [1, 2, 4], v: [3, 12, 48]}"
    ended = cli("experiment=fit", table, "data.columns={x: t, xy: v}")
    assert ended.code == 0, ended.err
    parameters = result_in(tmp_path / "out")["run"][0]["parameters"]
    assert {name: about["value"] for name, about in parameters.items()} == pytest.approx({"b1": 3, "b2": 2})


def test_names_that_were_typed_and_are_unknown_are_refused(cli: Command) -> None:
    settings = ('model.expressions=["xy = k*x^m"]', LAMP, "model.initial={k: 1, b2: 4}")
    ended = cli("experiment=fit", *settings)
    assert ended.code == 2 and "the equations have no parameter 'b2'" in ended.err


def test_a_table_of_ones_own_leaves_the_experiments(cli: Command, tmp_path: Path) -> None:
    table = "data.table={xt: [1, 2, 3, 4], xv: [2.1, 3.9, 6.1, 8]}"
    ended = cli("experiment=fit", 'model.expressions=["xv = a*xt"]', table)
    assert ended.code == 0, ended.err
    value = result_in(tmp_path / "out")["run"][0]["parameters"]["a"]["value"]
    assert value == pytest.approx((2.1 + 7.8 + 18.3 + 32) / 30)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("experiment", ["gaussians", "silly_gaussians"])
def test_gaussians_reach_90_percent(experiment: str, cli: Command, tmp_path: Path) -> None:
    assert cli(f"experiment={experiment}").code == 0
    assert result_in(tmp_path / "out")["run"][0]["metrics"]["accuracy"] >= 0.9


def test_a_run_ends_alike_alone_and_among_64(cli: Command, tmp_path: Path) -> None:
    brief = ("experiment=primer", "loop.steps=100", "data.size=4096", "compute.precision=fp64")
    assert cli(*brief, "seed=17", "hydra.run.dir=alone").code == 0
    assert cli(*brief, 'pack.over={seed: "range(0,64)"}', "hydra.run.dir=pack").code == 0
    alone = packtrain.load(tmp_path / "alone").parameters(0)
    among = packtrain.load(tmp_path / "pack").parameters(17)
    for name, value in alone.items():
        torch.testing.assert_close(among[name], value)
