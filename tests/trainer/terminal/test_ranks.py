"""compute.devices=N and torchrun, as a person types them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.schema import ComputeConfig, Config
from packtrain.trainer.ranks import launch as launching
from packtrain.trainer.session import Session
from packtrain.trainer.terminal.main import main
from packtrain.trainer.terminal.ranks import devices_in, launched
from scripts.trust.leavings import left_in
from scripts.trust.ranks import children
from tests.helpers import result_in
from tests.trainer.configs import pack_of

SECONDS = 300  # in which whatever is waited for has to come
BRIEF = (
    "experiment=primer", "data.size=900", "loop.batch_size=60", "loop.steps=30000", "compute.device=cpu",
    "monitor=quiet", "checkpoint.every=500", 'pack.over={seed: "range(0,5)"}',
)  # fmt: skip


@pytest.mark.parametrize("words", [["seed=3"], [], ["compute.device=cpu"]])
def test_a_command_says_nothing_of_devices(words: list[str]) -> None:
    assert devices_in(words) is None and launched(words) is None


def test_the_last_word_counts() -> None:
    assert devices_in(["compute.devices=2", "compute.devices='auto'"]) == "auto"


def test_one_device_needs_no_other_process() -> None:
    assert launched(["compute.devices=2", "compute.devices=1"]) is None


@pytest.mark.parametrize("value", ["0", "-1", "two", "1,2", ""])
def test_what_is_no_number_of_devices_is_refused(value: str) -> None:
    with pytest.raises(UserError, match="auto, or the number of processes"):
        launched([f"compute.devices={value}"])


def test_more_ranks_than_cores_could_carry_are_refused() -> None:
    with pytest.raises(
        UserError, match=r"is at most \d+ on this machine, for its cores and GPUs; got 100000"
    ):
        launched(["compute.devices=100000"])


def test_jobs_of_a_launcher_have_one_device_each() -> None:
    words = ["-m", "seed=1,2", "hydra/launcher=joblib", "compute.devices=2"]
    with pytest.raises(UserError, match="with hydra/launcher=joblib others do, each on one device"):
        launched(words)
    assert launched([*words, "compute.devices=1"]) is None


def test_a_rank_starts_no_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert launched(["compute.devices=8"]) is None


def test_a_session_starts_no_processes() -> None:
    pack = pack_of("experiment=debug", "compute.device=cpu", "compute.devices=2")
    with pytest.raises(UserError, match=r"compute\.devices=2 starts processes where it is typed"):
        Session.prepare(pack)


def test_a_session_under_torchrun_says_that_it_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    session = Session.prepare(pack_of("experiment=debug", "compute.device=cpu"))
    assert "one of 2 ranks" in session.data.notes[-1]


def test_the_default_is_one_device() -> None:
    assert Config().compute == ComputeConfig(devices=1, split="auto")


def command(base: Path, *words: str) -> "subprocess.Popen[str]":
    """The command `packtrain WORDS`, begun in `base`."""
    words = sys.executable, "-m", "packtrain", *words
    return subprocess.Popen(words, cwd=base, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < until, "it doesn't come"
        time.sleep(0.02)


@pytest.mark.cluster
def test_a_killed_rank_lets_all_go_on_in_the_same_folder(tmp_path: Path) -> None:
    with command(tmp_path, *BRIEF, "hydra.run.dir=whole") as alone:
        assert alone.communicate(timeout=SECONDS) and alone.returncode == 0
    with command(tmp_path, *BRIEF, "compute.devices=2", "name=cut") as agent:
        wait_for(lambda: list(tmp_path.glob("outputs/cut/*/checkpoint/step-*")))
        ranks = list(children(agent.pid))
        os.kill(ranks[-1], signal.SIGKILL)
        said, _ = agent.communicate(timeout=SECONDS)
    assert agent.returncode == 0, said
    assert said.count("rank 1 is gone") == 1
    (folder,) = (tmp_path / "outputs" / "cut").iterdir()
    ours, theirs = left_in(folder), left_in(tmp_path / "whole")
    del ours[".: results"], theirs[".: results"]  # they have other names
    assert ours == theirs


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("to", "number", "code"), [("agent", "TERM", 143), ("rank", "USR1", 0), ("agent", "INT", 130)]
)
def test_a_signal_ends_all_with_everything_written(to: str, number: str, code: int, tmp_path: Path) -> None:
    with command(tmp_path, *BRIEF, "loop.steps=9000000", "compute.devices=2", "hydra.run.dir=cut") as agent:
        wait_for(lambda: list(tmp_path.glob("cut/checkpoint/step-*")))
        process = agent.pid if to == "agent" else list(children(agent.pid))[-1]
        os.kill(process, signal.Signals[f"SIG{number}"])
        said, _ = agent.communicate(timeout=SECONDS)
    assert agent.returncode == code, said
    assert result_in(tmp_path / "cut")["interrupted"]


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        ("loop.batch_size=1000000", "more than the 900 samples"),
        ("compute.engine=step", "there is no field compute.engine"),
    ],
)
def test_a_mistake_is_told_once(mistake: str, sentence: str, tmp_path: Path) -> None:
    with command(tmp_path, *BRIEF, mistake, "compute.devices=3") as agent:
        said, _ = agent.communicate(timeout=SECONDS)
    assert agent.returncode == 2 and said.count(sentence) == 1 and "Traceback" not in said
    assert not list(tmp_path.iterdir())


def test_ranks_are_started_as_the_command_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the environment of the user's: what Hydra is told here would make them print tracebacks."""
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    monkeypatch.setattr(sys, "argv", ["packtrain", "compute.devices=2"])
    seen = []
    monkeypatch.setattr(launching, "launch", lambda *_: seen.append(os.environ.get("HYDRA_FULL_ERROR")) or 7)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 7 and seen == [None]


@pytest.mark.cluster
def test_torchrun_is_another_way_to_say_so(tmp_path: Path) -> None:
    words = "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "packtrain"
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo"}
    steps = *BRIEF, "loop.steps=100", "hydra.run.dir=out"
    subprocess.run(
        [sys.executable, *words, *steps], cwd=tmp_path, env=environment, check=True, timeout=SECONDS
    )
    assert result_in(tmp_path / "out")["shares"] == [3, 2]
