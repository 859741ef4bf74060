"""Equations without an input are fitted by every engine."""

from pathlib import Path

import pytest
import torch

from packtrain.trainer.engines.build import make_engine
from packtrain.trainer.folder.trained import load
from tests.helpers import Command, result_in
from tests.trainer.configs import untrained

TABLE = "data.table={xy: [1, 2, 3, 6]}"
CONSTANT = "~experiment", "model.expressions=['xy = a*b']", "data=table", TABLE, "model.initial={a: 1, b: 1}"
FIRST = (
    "loop.batch_size=full",
    "loop.steps=100",
    "optimizer=sgd",
    "optimizer.lr=0.1",
    "compute.precision=fp64",
)
SECOND = "optimizer=levenberg_marquardt", "compute.precision=fp64"


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "asked",
    [
        (*FIRST, "engine=step", "compute.backend=reference"),
        (*FIRST, "engine=step", "model.gradient=finite_difference", "model.grad_delta=1e-8"),
        (*FIRST, "engine=step", "compute.backend=numba"),
        (*FIRST, "engine=step", "compute.backend=triton"),
        (*FIRST, "engine=fused", "compute.backend=numba"),
        (*FIRST, "engine=fused", "compute.backend=triton", "loop.steps=30"),
        (*FIRST, "engine=fused", "loop.order=own", "loop.batch_size=2", "optimizer.lr=0"),
        (*SECOND, "compute.backend=reference"),
        (*SECOND, "compute.backend=numba"),
        (*SECOND, "compute.backend=reference", "data.standardize=true"),
    ],
)  # fmt: skip
def test_the_mean_is_found(asked: tuple[str, ...]) -> None:
    pack, model, data, choice = untrained(*CONSTANT, *asked)
    assert data.inputs.shape == (4, 0)
    engine = make_engine(pack, model, data, choice)
    while not engine.done:
        engine.advance(min(engine.horizon, int(engine.steps.max())))
    expected = 1.0 if "optimizer.lr=0" in asked else 3.0
    assert abs(float(model.parameters.detach().prod()) - expected) < 1e-6


def test_a_constant_is_reported_and_predicts(cli: Command, tmp_path: Path) -> None:
    ended = cli(*CONSTANT, *SECOND, "model.fixed=[b]", "monitor=quiet")
    assert ended.code == 0 and ended.err == ""
    folder = tmp_path / "out"
    fitted = result_in(folder)["run"][0]["parameters"]["a"]
    assert abs(fitted["value"] - 3) < 1e-9 and abs(fitted["stderr"] - (14 / 3 / 4) ** 0.5) < 1e-9
    trained = load(folder)
    for inputs, rows in (({}, 1), ({"t": [1, 2, 3]}, 3), (torch.empty(5, 0), 5)):
        assert torch.allclose(trained.predict(inputs, 0), torch.full((rows, 1), 3.0, dtype=torch.float64))
    assert cli("export", "out").code == 0
    assert "xy = 3" in (folder / "export" / "run-0000" / "equations.txt").read_text()


def test_a_typing_mistake_is_told(cli: Command, tmp_path: Path) -> None:
    ended = cli(
        "~experiment", "model.expressions=['xy = a*X + b']", "data=table", "monitor=quiet",
        "data.table={x: [1, 2, 3], xy: [1, 2, 3]}", *SECOND,
    )  # fmt: skip
    message = "X is a parameter here, and x a variable"
    assert ended.code == 0 and f"packtrain: note: {message}\n" in ended.err
    assert result_in(tmp_path / "out")["notes"] == [message]
