"""What a pack comes to is the same on any number of ranks: whole files, bit for bit."""

import signal
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.helpers import ROOT, result_in
from tests.trainer.ranks.company import Company, train

QUIET = "compute.device=cpu", "monitor=quiet", "monitor.validate_every=4", "loop.epochs=null", "loop.steps=12"
RATES = 'pack.over={optimizer.lr: "0.003,0.03,1e9", seed: "range(0,3)"}'
COMPOUNDS = f"data.path={ROOT}/docs/data/compounds.csv", "data.group=compound", "data=file"
EQUATION = 'model.expressions=["response = low + (high - low)/(1 + (ec50/dose)^h)"]'
CURVE = "~experiment", "name=curves", EQUATION, "model.variables=[dose]"
START = "model.initial={low: 1, high: 90, ec50: 1, h: 1}"
FIT = (
    "experiment=fit", "compute.backend=numba", "loop.batch_size=full",
    "model.initial={b1: [0.5, 1], b2: [3, 5]}",
)  # fmt: skip
FILES = "model.safetensors", "runs.csv", "runs.parquet", "curves.parquet"
CASES = {
    "equations": ("experiment=primer", "loop.batch_size=60", "data.size=900", "data.validation=0.2", RATES),
    "equations by steps": ("experiment=primer", "engine=step", "loop.batch_size=60", "data.size=900", RATES),
    "perceptrons": (
        "experiment=gaussians", "data.size=300", "data.validation=0.2", "data.test=0.2", "model.best=true",
        "loop.batch_size=50", RATES,
    ),
    "perceptrons by the reference": (
        "experiment=gaussians", "engine=step", "data.size=300", "loop.batch_size=50", RATES,
    ),
    "pruned": (
        "experiment=gaussians", "data.size=300", "data.validation=0.2", "loop.batch_size=50", "loop.steps=18",
        "search.pruner=halving", "search.min_steps=2", 'pack.over={seed: "range(0,11)"}',
    ),
    "fits": (*FIT, 'pack.over={optimizer.radius: "0.1,1,10", seed: "range(0,3)"}'),
    "starts": (*FIT, "model.starts=7"),
    "one run by samples": (
        "experiment=primer", "engine=step", "data.size=40000", "loop.batch_size=full",
        "compute.split=samples",
    ),
    "perceptrons by samples": (
        "experiment=gaussians", "engine=step", "data.size=3000", "loop.batch_size=full",
        "data.validation=0.2", "compute.split=samples", "model.widths=[2,200,200,2]",
        'pack.over={seed: "0,1"}',
    ),
    "groups": (
        *CURVE, *COMPOUNDS, START, "optimizer=levenberg_marquardt", "loop.batch_size=full", "loop.steps=60",
        "compute.precision=fp64",
    ),
    "one fit of groups": (
        *CURVE, *COMPOUNDS, START, "optimizer=levenberg_marquardt", "loop.batch_size=full", "loop.steps=60",
        "compute.precision=fp64", "model.shared=[h]",
    ),
    "groups by first-order steps": (*CURVE, *COMPOUNDS, START, "optimizer=adam", "loop.batch_size=full"),
    "one run": ("experiment=primer", "loop.batch_size=60", "data.size=900"),
}  # fmt: skip
FIRST = "equations", "perceptrons", "pruned", "one run by samples", "one fit of groups"  # in a default run
SPLITS = {
    "perceptrons by the reference": "nothing",
    "one fit of groups": "nothing",
    "one run by samples": "samples",
    "perceptrons by samples": "samples",
}


@pytest.fixture(scope="module", params=[3, pytest.param(2, marks=pytest.mark.cluster)])
def company(request: pytest.FixtureRequest) -> Iterator[Company]:
    with Company(request.param) as company:
        yield company


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the folders are of what one process has trained."""
    return tmp_path_factory.mktemp("alone")


def hashes(folder: Path) -> dict[str, str]:
    return {name: sha256((folder / name).read_bytes()).hexdigest() for name in FILES}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=() if case in FIRST else pytest.mark.thorough) for case in CASES]
)
def test_files_are_the_same_on_any_number_of_ranks(
    case: str, company: Company, alone: Path, tmp_path: Path
) -> None:
    settings = *QUIET, *CASES[case]
    folder = alone / case
    if not folder.exists():
        assert train(folder, settings) == ""
    assert company.train(tmp_path / "out", *settings) == ""
    assert hashes(tmp_path / "out") == hashes(folder)
    result = result_in(tmp_path / "out")
    assert (result["ranks"], result["split"]) == (company.size, SPLITS.get(case, "runs"))
    assert sum(result["shares"]) == len(result["run"]) * (company.size if "samples" in case else 1)


def test_a_pack_that_is_refused_is_refused_in_one_sentence(company: Company, tmp_path: Path) -> None:
    refused = company.train(tmp_path / "out", *QUIET, "experiment=primer", "loop.batch_size=99999999")
    assert "loop.batch_size" in refused
    missing = company.train(tmp_path / "out", *QUIET, *CURVE, "data=file", "data.path=nowhere.csv")
    assert "nowhere.csv" in missing
    assert company.train(tmp_path / "out", *QUIET, "experiment=debug") == ""


def test_a_signal_to_any_rank_ends_all_and_any_number_goes_on(company: Company, tmp_path: Path) -> None:
    long = *QUIET, "experiment=primer", "data.size=900", "loop.batch_size=60", RATES, "checkpoint.every=100"
    brief, whole, cut = (*long, "loop.steps=20000"), tmp_path / "whole", tmp_path / "cut"
    company.begin(cut, *brief)
    until = time.monotonic() + 100
    while not list(cut.glob("checkpoint/step-*")) and time.monotonic() < until:
        time.sleep(0.01)
    company.processes[-1].send_signal(signal.SIGTERM)
    assert company.ended() == ""
    result = result_in(cut)
    assert result["interrupted"] and 0 < result["steps"] < 20000
    assert "SIGTERM came" in result["run"][0]["message"]
    assert train(cut, brief) == "" and train(whole, brief) == ""
    assert hashes(cut) == hashes(whole)
