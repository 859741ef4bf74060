"""Every experiment in conf/ runs, and the main ones reach what they promise."""

from pathlib import Path

import pytest
import torch

import trainer
from tests.helpers import ROOT, Command, result_in

EXPERIMENTS = sorted(path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml"))
BRIEF = ("loop.epochs=null", "loop.steps=4", "loop.batch_size=6", "monitor.every=1")
SMALL = {
    "primer_large": ("data.size=4096",),
    "fit": ("loop.steps=50", "loop.batch_size=full"),  # ends by itself, and takes no minibatches
}


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_runs(experiment: str, packtrain: Command, tmp_path: Path) -> None:
    ended = packtrain(f"experiment={experiment}", *BRIEF, *SMALL.get(experiment, ()))
    assert ended.code == 0, ended.err
    found = result_in(tmp_path / "out")
    assert found["experiment"] == experiment
    assert found["outcomes"] == {"finished": found["runs"]}
    assert f"{experiment}: " in ended.out


def test_primer_loss_falls_by_five_orders_of_magnitude(packtrain: Command, tmp_path: Path) -> None:
    assert packtrain("experiment=primer").code == 0
    run = result_in(tmp_path / "out")["run"][0]
    assert run["loss"]["train"]["first"] / run["loss"]["train"]["last"] >= 1e5


def test_digits_reach_96_percent_on_the_held_out_part(packtrain: Command, tmp_path: Path) -> None:
    assert packtrain("experiment=digits").code == 0
    assert result_in(tmp_path / "out")["run"][0]["metrics"]["accuracy"] >= 0.96


def test_danwood_reaches_the_certified_values(packtrain: Command, tmp_path: Path) -> None:
    assert packtrain("experiment=danwood").code == 0
    fitted = {
        name: each["value"] for name, each in result_in(tmp_path / "out")["run"][0]["parameters"].items()
    }
    assert fitted == pytest.approx({"b1": 0.769, "b2": 3.86}, rel=0.02)


@pytest.mark.parametrize("experiment", ["gaussians", "silly_gaussians"])
def test_gaussians_reach_90_percent(experiment: str, packtrain: Command, tmp_path: Path) -> None:
    assert packtrain(f"experiment={experiment}").code == 0
    assert result_in(tmp_path / "out")["run"][0]["metrics"]["accuracy"] >= 0.9


def test_a_run_ends_alike_alone_and_among_64(packtrain: Command, tmp_path: Path) -> None:
    brief = ("experiment=primer", "loop.steps=100", "data.size=4096", "compute.precision=fp64")
    assert packtrain(*brief, "seed=17", "hydra.run.dir=alone").code == 0
    assert packtrain(*brief, 'pack.over={seed: "range(0,64)"}', "hydra.run.dir=pack").code == 0
    alone = trainer.load(tmp_path / "alone").parameters(0)
    among = trainer.load(tmp_path / "pack").parameters(17)
    for name, value in alone.items():
        torch.testing.assert_close(among[name], value)
