"""The client with a service that trains: what it fetches is what the command leaves, and Optuna's trials."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

import packtrain
from packtrain.trainer.service.client.connection import Service
from tests.helpers import IMPORTABLE, ROOT, Command

STARTING = 60.0  # seconds
SAME = "model.safetensors", "runs.csv", "runs.parquet", "curves.parquet", ".hydra/config.yaml"
WORDS = "experiment=debug", "compute.device=cpu", "monitor=quiet"
GUIDE = (ROOT / "docs" / "guides" / "service.md").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """That of a service which runs, as `packtrain serve` starts it."""
    folder = tmp_path_factory.mktemp("service") / "own"
    words = ["-m", "packtrain", "serve", "port=0", "devices=cpu", f"folder={folder}"]
    environment = {**os.environ, "PYTHONPATH": str(IMPORTABLE)}
    with subprocess.Popen(
        [sys.executable, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        assert server.stdout
        try:
            said = server.stdout.readline()
            assert said.startswith("packtrain serves http://127.0.0.1:"), said + server.stdout.read()
            yield folder
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=STARTING)


@pytest.fixture
def service(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A client of it, that found it by its folder."""
    monkeypatch.setenv("PACKTRAIN_SERVICE", str(folder))
    with packtrain.connect() as service:
        yield service


def test_what_is_fetched_is_what_the_command_leaves(service: Service, cli: Command, tmp_path: Path) -> None:
    jobs = service.submit_many([["seed=3"], ["seed=4"]], *WORDS)
    for job in jobs:
        assert [event.kind for event in job][-1] == "finished"
    job = jobs[0]
    fetched = job.fetch(tmp_path / "fetched")
    assert cli(*WORDS, "seed=3", "hydra.run.dir=own").code == 0
    own = tmp_path / "own"
    assert {name for name in SAME if (fetched / name).read_bytes() == (own / name).read_bytes()} == {*SAME}
    assert timeless(json.loads((fetched / "result.json").read_text())) == timeless(job.result)
    assert timeless(job.result) == timeless(json.loads((own / "result.json").read_text()))
    expected = packtrain.load(own).parameters(run=0)
    assert {name: value.tolist() for name, value in job.load(run=0).parameters().items()} == {
        name: value.tolist() for name, value in expected.items()
    }


def timeless(result: dict[str, Any]) -> dict[str, Any]:
    """A result.json without what took how long."""
    return {name: value for name, value in result.items() if name != "seconds"}


def test_the_command_submits_to_it(service: Service, cli: Command) -> None:
    ended = cli("submit", *WORDS, "seed=5")
    assert ended.code == 0 and "debug: 1 run (1 finished); 20 steps" in ended.out
    ended = cli("submit", *WORDS, "sed=5")
    assert (ended.code, ended.err) == (2, "packtrain: there is no field sed (did you mean seed?)\n")
    ended = cli("submit", "-m", *WORDS, "optimizer=adam,adamw", "seed=1,2")
    assert ended.code == 0 and "debug: 2 packs, 4 runs (4 finished)" in ended.out


def test_data_that_are_sent_along_are_trained_on(service: Service) -> None:
    data = {"t": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 3.0, 5.0, 7.0]}
    words = "experiment=fit", 'model.expressions="y = a + b*t"', "model.variables=[t]", "monitor=quiet"
    best = service.submit(*words, "compute.device=cpu", data=data).best
    assert best and round(best["parameters"]["b"]["value"], 6) == 2.0


@pytest.mark.thorough
def test_optunas_trials_are_a_packed_sweep(service: Service) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", GUIDE, flags=re.S) if "optuna" in block)
    names: dict[str, Any] = {}
    began = time.monotonic()
    exec(code, names)
    names["service"].close()
    study = names["study"]
    assert len(study.trials) == 128 and time.monotonic() - began < STARTING
    assert all(trial.state == optuna.trial.TrialState.COMPLETE for trial in study.trials)
    again = service.submit("experiment=debug", seed=1, **named(study.best_params)).loss
    assert again == study.best_value


def named(found: dict[str, Any]) -> dict[str, Any]:
    """Optuna's parameters as fields of the optimizer."""
    return {f"optimizer.{name}": value for name, value in found.items()}
