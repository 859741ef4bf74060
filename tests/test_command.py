"""The command line: choices, help, one sentence for each mistake, exit codes and signals."""

import csv
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from packtrain.trainer.folder.write import write
from tests.helpers import IMPORTABLE, ROOT, Command, result_in

BRIEF = ("experiment=debug", "loop.steps=4")

MISTAKES = {
    "experimnt=digits": "did you mean experiment",
    "experiment=digit": "did you mean digits",
    "optimizer.learning_rate=3": "there is no field optimizer.learning_rate",
    "optimizer.lr=fast": "optimizer.lr: Value 'fast'",
    "optimizer.lr=-1": "optimizer.lr is 0 or more; got -1",
    "loop.steps=1.5": "loop.steps: Value '1.5'",
    "loop.epochs=3": "both say how long to train",
    "loop.batch_size=100000": "is more than the 384 samples",
    "loop.batch_size=ful": "did you mean full",
    "seed=1,2": "names several values",
    "train": "'train' is not an override",
    "+new.key=3": "there is no field new",
    "compute.precision=bf16": "an expression graph takes fp32 or fp64",
    "compute.device=tpu": "compute.device is auto, cpu, cuda or cuda:N",
    "compute.device=cuda:99": "torch sees",
    "model.expressions=[xy=a*x]": "stands in quotes",
    'model.expressions=["xy = foo(x)"]': "unknown function foo",
    'model.expressions=["xy = a*xb"]': "data.truth gives a value to each parameter",
    "model.initial={zz: 1}": "the equations have no parameter 'zz'",
    "pack.over={seed: range(0,4)}": "stand in quotes",
    'pack.over={model.loss: "mse,sse"}': "can't differ between the runs",
    "data.path=3": "data.path is for data=file",
    "data=file": "add data.path=FILE",
    "hydra.run.dir=/proc/nowhere/out": "can't write",
    "--experiment": "choices and fields have no dashes: experiment=",
    "hydra/job_logging=none_such": "there is no hydra/job_logging=none_such",
    "optimizer.lr=${nowhere}": "nowhere",
    "experiment=null": "'~experiment' takes none",
    "optimizer=3": "a choice takes the name of one of its options",
}


@pytest.mark.sampled(10)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_and_exit_2(mistake: str, cli: Command, tmp_path: Path) -> None:
    ended = cli(*BRIEF, mistake)
    assert ended.code == 2
    assert ended.err.startswith("packtrain: ")
    assert MISTAKES[mistake] in ended.err
    assert "Traceback" not in ended.err
    assert ended.err.count("\n") == (3 if "^" in ended.err else 1)
    assert not (tmp_path / "out" / "result.json").exists()


def test_results_are_written_as_designed(cli: Command, tmp_path: Path) -> None:
    assert cli(*BRIEF, 'pack.over={optimizer.lr: "0.1,0.2"}').code == 0
    result = result_in(tmp_path / "out")
    about = {key: result[key] for key in ("experiment", "backend", "engine", "precision", "runs", "steps")}
    assert about == {
        "experiment": "debug",
        "backend": "numba",
        "engine": "fused",
        "precision": "fp32",
        "runs": 6,
        "steps": 4,
    }
    assert result["graph"] == "dynamic"
    assert result["samples"] == 6 * 4 * 64
    assert set(result["seconds"]) == {"total", "train", "compile"}
    first = result["run"][0]
    assert first["values"] == {"seed": 0, "optimizer.lr": 0.1}
    assert set(first["loss"]) == {"train", "validation"}
    assert set(first["parameters"]["ab"]) == {"value", "stderr"}
    with (tmp_path / "out" / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["index"] for row in rows] == list("012345")
    assert float(rows[3]["parameters.ab"]) == result["run"][3]["parameters"]["ab"]["value"]
    assert (tmp_path / "out" / "model.safetensors").exists()
    assert (tmp_path / "out" / ".hydra" / "overrides.yaml").exists()
    assert "debug: 6 runs" in (tmp_path / "out" / "train.log").read_text()


def test_every_run_diverging_is_exit_1_with_the_sentence(cli: Command, tmp_path: Path) -> None:
    ended = cli(*BRIEF, "optimizer=sgd", "optimizer.lr=1e30", "loop.steps=50")
    assert ended.code == 1
    assert "every run diverged" in ended.err
    result = result_in(tmp_path / "out")
    assert result["outcomes"] == {"diverged": 3}
    assert result["best_run"] is None


def test_a_disk_that_is_full_at_the_end_is_exit_1_with_one_sentence(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))

    monkeypatch.setattr(Path, "write_bytes", full)
    ended = cli(*BRIEF, "checkpoint.every=null")
    assert ended.code == 1
    assert ended.err == "packtrain: can't write out/model.safetensors: No space left on device\n".replace(
        "out/", f"{tmp_path / 'out'}/"
    )


def test_max_seconds_stops_early_with_results(cli: Command, tmp_path: Path) -> None:
    assert cli(*BRIEF, "loop.steps=1000000000", "loop.max_seconds=0.3").code == 0
    result = result_in(tmp_path / "out")
    assert result["outcomes"] == {"stopped early": 3}
    assert "loop.max_seconds=0.3 was reached" in result["run"][0]["message"]


def test_help_names_every_choice(process: Command) -> None:
    ended = process("--help")
    assert ended.code == 0
    for group in (path for path in (ROOT / "conf").iterdir() if path.is_dir() and path.name[0] != "_"):
        options = ", ".join(sorted(option.stem for option in group.glob("*.yaml")))
        assert f"{group.name}: {options}" in ended.out


def test_cfg_job_prints_the_whole(process: Command) -> None:
    ended = process("--cfg", "job", "experiment=digits")
    assert ended.code == 0
    assert "name: digits" in ended.out
    assert "batch_size: 128" in ended.out


def test_the_command_line_waits_for_torch_only_to_train() -> None:
    probe = "import sys, packtrain.trainer.terminal.main; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], cwd=IMPORTABLE).returncode == 0


def test_tab_completion_knows_the_experiments(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("packtrain")
    line = "packtrain experiment=dig"
    done = subprocess.run(
        [script, "-sc", "query=bash"],
        env={**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line))},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["experiment=digits"]


def test_a_folder_of_the_users_own_configs(cli: Command, tmp_path: Path) -> None:
    mine = tmp_path / "configs" / "experiment" / "mine.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("# @package _global_\ndefaults: [debug, _self_]\nname: mine\nloop: {steps: 2}\n")
    assert cli("--config-dir", "configs", "experiment=mine").code == 0
    assert result_in(tmp_path / "out")["experiment"] == "mine"


def test_multirun_trains_one_after_another(cli: Command, tmp_path: Path) -> None:
    ended = cli("-m", *BRIEF, "optimizer=adam,adamw", "hydra.sweep.dir=sweep")
    assert ended.code == 0, ended.err
    assert [result_in(tmp_path / "sweep" / job)["runs"] for job in "01"] == [3, 3]


def test_standard_logging_options_of_hydra_work(cli: Command) -> None:
    assert cli(*BRIEF, "hydra/job_logging=stdout").code == 0


def test_sigint_before_training_ends_at_once() -> None:
    interrupted = (
        "import os, signal, packtrain.trainer.terminal.main as command;"
        "command.task = lambda: os.kill(os.getpid(), signal.SIGINT);"
        "command.main()"
    )
    done = subprocess.run([sys.executable, "-c", interrupted], cwd=IMPORTABLE, capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr == "packtrain: stopped at once, without results\n"


def test_a_signal_while_results_are_written_loses_none(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*given: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        write(*given)

    monkeypatch.setattr("packtrain.trainer.console.training.write", interrupted)
    assert cli(*BRIEF).code == 130
    assert result_in(tmp_path / "out")["outcomes"] == {"finished": 3}


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_with_results_written(sent: signal.Signals, code: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "packtrain", "hydra.run.dir=out", "loop.steps=1000000000"]
    child = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(IMPORTABLE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    while "step" not in child.stdout.readline():
        assert child.poll() is None
    child.send_signal(sent)
    out, err = child.communicate(timeout=60)
    assert child.returncode == code, err
    result = result_in(tmp_path / "out")
    assert result["outcomes"] == {"stopped early": 1}
    assert f"{sent.name} came" in result["run"][0]["message"]
    assert "stopped early" in out
    assert err == ""


def test_too_little_memory_is_one_sentence(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*given: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("packtrain.trainer.engines.parted.PartedEngine.advance", no_memory)
    ended = cli(*BRIEF)
    assert ended.code == 2 and ended.err.count("\n") == 1
    assert "the device's memory is too small for this training" in ended.err
