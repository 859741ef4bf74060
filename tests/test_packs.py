"""What is reported of a run does not depend on its pack: whole rows, bit for bit."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from packtrain.trainer.console.training import run
from packtrain.trainer.folder.ranking import Row
from tests.helpers import ROOT, result_in
from tests.trainer.configs import pack_of

QUIET = ("compute.device=cpu", "monitor=quiet", "monitor.validate_every=2", "checkpoint.every=null")
BRIEF = (*QUIET, "loop.epochs=null", "loop.steps=4", "loop.batch_size=60")
RATES = 'pack.over={optimizer.lr: "0.003,0.03,3,1e9", seed: "range(0,16)"}'
FITTED = (*QUIET, "loop.batch_size=full", 'pack.over={optimizer.radius: "0.1,1,10,100", seed: "range(0,16)"}')
STARTS = "model.initial={b1: [0.5, 1], b2: [3, 5]}"
UNDETERMINED = (
    "experiment=primer", "optimizer=levenberg_marquardt", "compute.precision=fp64", "loop.steps=30",
    "data.size=35000", *FITTED,
)  # fmt: skip
EXACT = {
    "danwood": (*BRIEF, RATES, "loop.batch_size=full"),
    "debug": (*BRIEF, RATES),
    "descent": (*BRIEF, RATES),
    "digits": (*BRIEF, RATES),
    "fit": (*FITTED, STARTS, "compute.backend=numba"),
    "gaussians": (*BRIEF, RATES, "data.size=4000", "data.validation=0.25"),
    "primer": (*BRIEF, RATES, "data.size=40000", "optimizer.clip_norm=1"),
    # more than the fused engine takes
    "primer_large": (
        *BRIEF,
        RATES,
        "loop.steps=2",
        "data.size=65537",
        "loop.batch_size=full",
        "optimizer.clip_norm=1",
    ),
}
BY_THE_REFERENCE = {
    "silly_gaussians": (*BRIEF, RATES, "data.size=500", "compute.precision=fp64"),
    "fit": (*FITTED, STARTS),
    "primer": (*BRIEF, RATES, "data.size=500", "compute.precision=fp64", "compute.backend=reference"),
}
PACKS = {"alone": (37, 38), "of three": (36, 39), "of 64": (0, 64)}


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def rows_of(folder: Path, settings: tuple[str, ...], runs: tuple[int, int]) -> tuple[list[Row], list[Row]]:
    """The rows of runs.csv and of result.json, but for the index, of some runs of the 64 as a pack."""
    pack = pack_of(*settings, f"pack.slice=[{runs[0]},{runs[1]}]")
    assert pack.runs == runs[1] - runs[0]
    run(pack, folder, Console(quiet=True))
    with (folder / "runs.csv").open() as file:
        table = list(csv.DictReader(file))
    listed = result_in(folder)["run"]
    assert len(table) == len(listed) == pack.runs
    return [without_index(row) for row in table], [without_index(row) for row in listed]


def without_index(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "index"}


def of_three_packs(folder: Path, *settings: str) -> Iterator[tuple[Any, Any]]:
    """What a run has come to in a small pack, and in that of 64, pair by pair."""
    packs = {name: rows_of(folder / name, settings, runs) for name, runs in PACKS.items()}
    for name, (first, last) in PACKS.items():
        for rows, whole in zip(packs[name], packs["of 64"], strict=True):
            yield from zip(rows, whole[first:last], strict=True)


def check_bits(folder: Path, *settings: str) -> None:
    for row, among in of_three_packs(folder, *settings):
        assert row == among


def test_every_experiment_is_here() -> None:
    experiments = {path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml")}
    assert experiments == EXACT.keys() | BY_THE_REFERENCE.keys()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("experiment", EXACT)
def test_rows_are_the_same_in_any_pack(experiment: str, tmp_path: Path) -> None:
    check_bits(tmp_path, f"experiment={experiment}", *EXACT[experiment])


@pytest.mark.thorough
@pytest.mark.usefixtures("two_threads")
def test_a_fit_that_is_not_determined_ends_alike_in_any_pack(tmp_path: Path) -> None:
    check_bits(tmp_path, *UNDETERMINED, "compute.backend=numba")


@pytest.mark.sampled(1)
@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("experiment", ["gaussians", "primer", "fit"])
def test_threads_make_no_difference_between_packs(experiment: str, tmp_path: Path) -> None:
    check_bits(tmp_path, f"experiment={experiment}", *EXACT[experiment])


@pytest.mark.sampled(1)
@pytest.mark.parametrize("experiment", BY_THE_REFERENCE)
def test_the_reference_rounds_alike_in_any_pack(experiment: str, tmp_path: Path) -> None:
    for row, among in of_three_packs(tmp_path, f"experiment={experiment}", *BY_THE_REFERENCE[experiment]):
        assert close(row, among), (row, among)


def close(actual: Any, expected: Any) -> bool:
    """Equal, numbers within rounding: also those that stand in a text by themselves."""
    if isinstance(actual, dict):
        return actual.keys() == expected.keys() and all(close(actual[key], expected[key]) for key in actual)
    if isinstance(actual, list):
        return len(actual) == len(expected) and all(map(close, actual, expected))
    try:
        return float(actual) == pytest.approx(float(expected), rel=1e-7, abs=1e-12)
    except (TypeError, ValueError):
        return actual == expected
