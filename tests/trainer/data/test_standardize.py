"""data.standardize: inputs, an MLP's targets, or both."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

import packtrain
from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.schema import Config, ModelConfig, OptimizerConfig
from packtrain.trainer.data.dataset import Dataset, prepare
from packtrain.trainer.data.digest import digest
from packtrain.trainer.data.split import Split
from packtrain.trainer.engines.prepare import load_data
from packtrain.trainer.folder.result import notes_on
from packtrain.trainer.session import Session
from tests.helpers import Command, assert_close, result_in
from tests.trainer.configs import pack_of
from tests.trainer.sessions import drive

DIABETES = (
    "~experiment", "model=mlp", "model.widths=[10,16,1]", "model.loss=mse", "data=sklearn",
    "data.set=diabetes", "loop.batch_size=32", "loop.steps=60", "optimizer.lr=0.01",
    "monitor=quiet", "compute.device=cpu",
)  # fmt: skip
LABELS = "experiment=gaussians", "data.size=60"


def whole() -> Dataset:
    generator = torch.Generator().manual_seed(3)
    inputs, targets = (torch.randn(50, k, generator=generator, dtype=torch.float64) for k in (2, 3))
    targets[:, 1], targets[:, 2] = 500 + 100 * targets[:, 1], 7.0
    return Dataset(inputs, targets, ("a", "b"), ("t", "u", "constant"))


def test_targets_are_standardized_by_the_training_part_alone() -> None:
    plain, scaled = (prepare(whole(), Split(0, 0.3), False, targets_too) for targets_too in (False, True))
    targets = plain.train.targets
    mean, std = targets.mean(0), targets.std(0, correction=0)
    std[2] = 1  # of a constant target
    for part, before in ((scaled.train, plain.train), (scaled.validation, plain.validation)):
        assert part is not None and before is not None
        assert_close(part.targets, (before.targets - mean) / std)
        assert torch.equal(part.inputs, before.inputs)
        assert_close(part.in_units(part.targets), before.targets)
        assert torch.equal(before.in_units(before.targets), before.targets)
    assert digest(plain) != digest(scaled)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("given", ["null", "false", "true", "inputs", "targets", "all"])
def test_each_word_means_what_it_says(given: str) -> None:
    train = load_data(pack_of(*DIABETES, f"data.standardize={given}")).train
    assert (train.mean is not None) == (given in ("true", "inputs", "all"))
    assert (train.target_mean is not None) == (given in ("targets", "all"))


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            (*DIABETES, "data.standardize=target"),
            r"is all, inputs .*; got 'target' \(did you mean targets\?\)",
        ),
        ((*LABELS, "data.standardize=all"), "cross_entropy are classes: data.standardize=inputs"),
        ((*LABELS, "data.standardize=targets"), "cross_entropy are classes: data.standardize=null"),
        (
            (*DIABETES, "model.loss=poisson", "data.standardize=all"),
            "poisson are counts: data.standardize=inputs",
        ),
        (
            ("experiment=primer", "data.standardize=all"),
            "equations say what theirs are: data.standardize=inputs",
        ),
    ],
)
def test_what_cannot_be_scaled_is_refused(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        pack_of(*overrides)


def test_one_hot_targets_are_refused() -> None:
    pack = pack_of(*LABELS, "model.loss=mse", "data.standardize=all")
    with pytest.raises(
        UserError, match=r"scales the targets, and these are classes: data\.standardize=inputs"
    ):
        load_data(pack)


def test_predictions_are_in_the_targets_units(cli: Command, tmp_path: Path) -> None:
    """In memory, loaded, and exported; and so are the metrics."""
    asked = *DIABETES, "data.standardize=all"
    assert cli(*asked).code == cli("export", "out").code == 0
    data = load_data(pack_of(*DIABETES, "data.standardize=false")).validation
    assert data is not None
    loaded = packtrain.load(tmp_path / "out")
    outputs = loaded.predict(data.inputs.double())
    error = outputs[0] - data.targets
    metrics = result_in(tmp_path / "out")["run"][0]["metrics"]
    assert metrics["rmse"] == pytest.approx(error.square().mean().sqrt().item(), rel=1e-4)
    assert 40 < metrics["rmse"] < 70 and metrics["r2"] > 0.3  # of targets from 25 to 346
    session = Session.prepare(pack_of(*asked))
    drive(session)
    assert torch.equal(session.result().trained.predict(data.inputs.double()), outputs)
    for file in ("model.safetensors", "export/run-0000/model.safetensors"):
        with safe_open(tmp_path / "out" / file, "pt") as saved:
            assert loaded.target_mean is not None
            assert torch.equal(saved.get_tensor("targets.mean"), loaded.target_mean)
            assert saved.get_tensor("targets.std").shape == (1,)


def test_scales_of_another_shape_are_refused(cli: Command, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file  # noqa: PLC0415 (of this test alone)

    assert cli(*DIABETES, "data.standardize=all").code == 0
    file = tmp_path / "out" / "model.safetensors"
    with safe_open(file, "pt") as saved:
        about = saved.metadata()
    save_file(load_file(file) | {"targets.std": torch.ones(2)}, file, about)
    with pytest.raises(UserError, match=r"targets\.std is of the shape \[2\], not \[1\]"):
        packtrain.load(tmp_path / "out")


def test_a_fit_of_standardized_targets_says_so() -> None:
    fit = "optimizer=levenberg_marquardt", "loop.batch_size=full", "loop.steps=3", "model.widths=[10,1]"
    kept = (each for each in DIABETES if not each.startswith(("loop.", "optimizer.", "model.widths")))
    session = Session.prepare(pack_of(*kept, *fit, "data.standardize=all"))
    drive(session)
    told = "sums of squares are of the standardized targets (data.standardize)"
    assert told in session.result().rows[0]["fit"]["notes"]


def test_what_the_mean_would_do_as_well_is_told(cli: Command) -> None:
    """Diabetes with the default learning rate; with standardized targets all is well."""
    told = "r2 is not above 0, so the targets' mean would do as well: try data.standardize=all, a lower"
    poor, well = (
        cli(*DIABETES, "optimizer.lr=1e-3", f"data.standardize={given}") for given in ("true", "all")
    )
    several = cli(*DIABETES[:-3], "monitor=quiet", 'pack.over={optimizer.lr: "1e-3,1e-4"}')
    assert told in poor.out and "r2 is not above 0" not in well.out
    assert f"run 0: {told}" in several.out
    worst = cli(*DIABETES, "data.standardize=all", "optimizer.lr=1e-9")
    assert "mean would do as well: try a lower optimizer.lr or more steps" in worst.out


def test_what_a_loss_asks_for_is_not_measured_by_the_mean() -> None:
    def told(loss: str) -> list[str]:
        config = Config(model=ModelConfig("mlp", loss=loss), optimizer=OptimizerConfig("adam"))
        return notes_on({"metrics": {"r2": -1.0}}, config, one_hot=False)

    assert "data.standardize=all" in told("mse")[0]
    assert "standardize" not in told("poisson")[0]  # counts are what they are
    assert not told("quantile")
