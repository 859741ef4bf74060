"""TensorBoard as a person sees it first: in a headless Chromium, without a click."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packtrain.trainer.terminal import board
from scripts.browser import Page, chromium, page
from tests.helpers import Command

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="TensorBoard is looked at in Chromium, which isn't here"),
    # TensorBoard's own, which serves in this process
    pytest.mark.filterwarnings("ignore"),
]
PACK, SWEEP = 64, 300
QUIET = "experiment=debug", "monitor.progress=false", "monitor.every=2"
LINES = "seen('path.line').filter(line => (line.getAttribute('d') || '').length > 9).length"
ROWS = "(all('vaadin-grid')[0] || {}).size"  # of HParams' table
CELLS = "seen('vaadin-grid-cell-content').map(cell => cell.innerText).filter(text => text)"
VALUES = "seen('tb-data-table-content-row').length"  # below Time Series' charts: a row a curve
NODES = "seen('g.node').map(node => node.getAttribute('data-name'))"

Serve = Callable[..., str]


@pytest.fixture
def browser() -> Iterator[Page]:
    with page() as opened:
        yield opened


@pytest.fixture
def trained(cli: Command, tmp_path: Path) -> Path:
    """One run, a pack of 64 and a sweep of 300."""
    over = "pack.over={seed: 'range(0,64)'}"
    assert cli(*QUIET, "pack.over={seed: null}", "hydra.run.dir=one").code == 0
    assert cli(*QUIET, over, "hydra.run.dir=pack").code == 0
    sweep = "-m", *QUIET, "optimizer=adam,adamw", "seed=range(0,150)", "hydra.sweep.dir=sweep"
    assert cli(*sweep).code == 0
    return tmp_path


def at(folder: Path) -> str:
    return board._start(folder, folder.name, 6106)


@pytest.mark.thorough
def test_tensorboard_opens_with_curves_rows_and_graphs(trained: Path, browser: Page) -> None:
    for name, runs in ("one", 1), ("pack", 11), ("sweep", 11):
        browser.open(at(trained / name / "tensorboard"))
        browser.wait(f"{VALUES} >= {runs - (runs > 1)} && seen('line-chart').length > 0")
        assert browser.ask("location.hash") == "#timeseries"
        browser.ask("location.hash = 'scalars'")
        browser.wait(f"{LINES} >= {runs}")
        browser.ask("location.hash = 'graphs'")
        assert {"xx", "xy", "xz", "xw", "loss"} <= {*browser.wait(f"{NODES}.length && {NODES}")}
    check_tables(trained, browser)


def check_tables(trained: Path, browser: Page) -> None:
    """HParams has a row a run, the best first, a hundred a page."""
    browser.open(at(trained / "one" / "tensorboard") + "#hparams")
    assert browser.wait(ROWS) == 1
    assert {"debug", "optimizer.lr", "adam"} <= {*browser.wait(f"{CELLS}.length > 11 && {CELLS}")}
    for name, first, runs in ("pack", "01 seed=", PACK), ("sweep", "001 optimizer=adam", 100):
        browser.open(at(trained / name / "tensorboard-all") + "#hparams")
        assert browser.wait(ROWS) == runs
        cells = browser.wait(f"{CELLS}.length > 9 && {CELLS}")
        assert any(cell.startswith(first) for cell in cells) and "seed" in cells


def test_board_says_its_address_and_ends_with_ctrl_c(cli: Command, tmp_path: Path) -> None:
    assert cli(*QUIET, "hydra.run.dir=outputs/debug/now").code == 0
    command = [sys.executable, "-m", "packtrain", "board", "outputs", "port=6106"]
    out = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    served = subprocess.Popen(command, cwd=tmp_path, env=os.environ, **out)
    assert served.stdout
    said = served.stdout.readline()
    assert said.startswith("TensorBoard shows 1 training in outputs: http://127.0.0.1:61"), (
        served.communicate()
    )
    served.send_signal(signal.SIGINT)
    assert served.wait(20) == 0
