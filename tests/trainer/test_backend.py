"""compute.backend: trainings through Triton (here interpreted) end as those through the reference."""

import math
import sys
from pathlib import Path

import pytest
import torch

from packtrain import load
from tests.helpers import Command, result_in

SHORT = ("monitor=quiet", "compute.precision=fp64", 'pack.over={seed: "3,4,5"}')
TRAININGS = {
    "primer": ("experiment=primer", "data.size=300", "loop.batch_size=70", "loop.steps=4"),
    "own orders": (
        "experiment=primer", "data.size=60", "loop.batch_size=20", "loop.steps=3", "loop.order=own",
    ),
    "gaussians": (
        "experiment=gaussians", "data.size=90", "loop.batch_size=40", "loop.steps=4", "loop.epochs=null",
    ),
    "quantized": (
        "experiment=gaussians", "data.size=50", "loop.batch_size=30", "loop.steps=3", "loop.epochs=null",
        "model.widths=[2,7,5,2]", "model.quantize=[1]",
    ),
}  # fmt: skip


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", TRAININGS)
def test_triton_trains_as_the_reference(name: str, cli: Command, tmp_path: Path) -> None:
    for backend in ("reference", "triton"):
        ended = cli(*TRAININGS[name], *SHORT, f"compute.backend={backend}", f"hydra.run.dir={backend}")
        assert ended.code == 0, ended.err
        result = result_in(tmp_path / backend)
        assert (result["engine"], result["backend"]) == ("step", backend)
    by_reference, by_triton = (load(tmp_path / each).model.parameters for each in ("reference", "triton"))
    torch.testing.assert_close(by_triton, by_reference, rtol=1e-10, atol=1e-12)


def test_finite_differences_are_the_references(cli: Command, tmp_path: Path) -> None:
    ended = cli(
        "experiment=primer", "model.gradient=finite_difference", "loop.steps=2", "compute.backend=triton"
    )
    assert ended.code == 0, ended.err
    assert result_in(tmp_path / "out")["backend"] == "reference"


def test_the_cpu_has_no_triton(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET")
    ended = cli("experiment=debug", "compute.backend=triton")
    assert ended.code == 2
    assert "compute.backend=triton needs a CUDA GPU" in ended.err and "Traceback" not in ended.err


LARGE_FIT = (
    "~experiment", "name=fit", 'model.expressions=["xy = a*x^2 + b*x + c"]', "data.truth={a: 2, b: 1, c: -1}",
    "data.noise=0.1", "data.size=300000", "optimizer=levenberg_marquardt", "compute.precision=fp64",
    "loop.batch_size=full", "loop.steps=5", "monitor=quiet",
)  # fmt: skip


@pytest.mark.gpu
def test_a_large_fit_sums_its_normal_equations_in_triton(cli: Command, tmp_path: Path) -> None:
    found = []
    for backend in ("reference", "auto"):
        ended = cli(
            *LARGE_FIT, f"compute.backend={backend}", "compute.device=cuda", f"hydra.run.dir={backend}"
        )
        assert ended.code == 0, ended.err
        found.append(load(tmp_path / backend).model.parameters)
    assert result_in(tmp_path / "auto")["backend"] == "triton"
    torch.testing.assert_close(found[1], found[0], rtol=1e-9, atol=1e-12)


@pytest.mark.thorough
def test_a_large_fit_through_triton(cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("kernels.least_squares.linearize", "trainer.engines.ways"):
        monkeypatch.setattr(sys.modules[f"packtrain.{name}"], "LARGE", 100)
    found = []
    for backend in ("reference", "triton"):
        ended = cli(*LARGE_FIT, "data.size=700", f"compute.backend={backend}", f"hydra.run.dir={backend}")
        assert ended.code == 0, ended.err
        assert result_in(tmp_path / backend)["backend"] == backend
        found.append(load(tmp_path / backend).model.parameters)
    torch.testing.assert_close(found[1], found[0], rtol=1e-9, atol=1e-12)


def test_small_fits_of_groups_through_triton(cli: Command, tmp_path: Path) -> None:
    """Groups of unlike size, one of them of three samples: what is reported is what Numba reports."""
    samples = [
        (g, x, 3 * math.exp(-x / g) + 0.01 * math.sin(50 * x)) for g in (2, 3, 5, 9) for x in range(g + 1)
    ]
    columns = (", ".join(map(str, column)) for column in zip(*samples, strict=True))
    table = "data.table={{g: [{}], x: [{}], y: [{}]}}".format(*columns)
    found = []
    for backend in ("numba", "triton"):
        ended = cli(
            "~experiment", "data=table", table, "data.columns={x: x, y: y}", "data.group=g", "monitor=quiet",
            'model.expressions=["y = a*exp(-k*x) + c"]', "model.initial={a: 1, k: 0.5, c: 0}",
            "optimizer=levenberg_marquardt", "compute.precision=fp64", f"compute.backend={backend}",
            f"hydra.run.dir={backend}",
        )  # fmt: skip
        assert ended.code == 0, ended.err
        result = result_in(tmp_path / backend)
        assert result["backend"] == backend
        found.append(result["run"])
    for by_numba, by_triton in zip(*found, strict=True):
        assert by_triton["outcome"] == by_numba["outcome"]
        for name, parameter in by_numba["parameters"].items():
            same = by_triton["parameters"][name]
            assert same["value"] == pytest.approx(parameter["value"], rel=1e-7)
            assert same["stderr"] == (parameter["stderr"] and pytest.approx(parameter["stderr"], rel=1e-6))


def test_a_fit_that_triton_cannot_serve_says_so(cli: Command) -> None:
    ended = cli(*LARGE_FIT, "data.size=30000", "compute.backend=triton")
    assert ended.code == 2
    assert "compute.backend=auto takes what serves" in ended.err
