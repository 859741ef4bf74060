"""`packtrain submit`, `jobs`, `show N`, `cancel` and `fetch`: what they print, and how they end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from packtrain.trainer.console.report import results_table
from packtrain.trainer.console.tables import new_console
from packtrain.trainer.terminal.jobs import age
from tests.helpers import IMPORTABLE, Command, result_in
from tests.trainer.service.client.fake import TOKEN, Fake
from tests.trainer.service.client.test_handle import contents, later


@pytest.fixture(autouse=True)
def known(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake is the service of this environment."""
    monkeypatch.setenv("PACKTRAIN_SERVER", fake.url)
    monkeypatch.setenv("PACKTRAIN_TOKEN", TOKEN)


def closing(folder: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """What the command prints of a training."""
    result = result_in(folder)
    results_table(new_console(), result, result["run"])
    return str(capfd.readouterr().out)


def test_it_ends_as_the_command_does(
    fake: Fake, cli: Command, trained: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fake.at_once = "finished"
    ended = cli("submit", "experiment=debug", "seed=3", "priority=2")
    assert ended.code == 0 and fake.jobs[0]["priority"] == 2
    assert fake.jobs[0]["overrides"] == ["experiment=debug", "seed=3"]
    assert ended.out.startswith("job 1: finished\n") and closing(trained, capfd) in ended.out
    assert ended.out.splitlines()[-3:] == [
        " results  packtrain fetch 1  # into outputs/debug/job-1",
        f"   watch  {fake.url}/jobs/1",
        "     use  packtrain.connect().job(1).load().predict(inputs)",
    ]


def test_the_folder_comes_along_where_asked_for(
    fake: Fake, cli: Command, trained: Path, tmp_path: Path
) -> None:
    fake.at_once = "finished"
    ended = cli("submit", "experiment=debug", "--fetch", "true")
    assert ended.code == 0 and " results  outputs/debug/job-1\n" in ended.out
    assert contents(tmp_path / "outputs/debug/job-1") == contents(trained)


def test_its_progress_is_shown(fake: Fake, cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packtrain.trainer.console.progress.FIRST_LINE", 0.0)

    def train() -> None:
        for step in (100, 200):
            fake.change(1, "running" if step == 100 else "progress", step=step, steps=200, loss=0.25)
        fake.end(1)

    thread = begin_when_watched(fake, train)
    ended = cli("submit", "experiment=debug")
    thread.join()
    assert ended.code == 0 and "of 200  loss 0.25\n" in ended.out


def begin_when_watched(fake: Fake, act: Callable[[], object]) -> Thread:
    """Calls it as soon as somebody watches, and has seen how far the jobs are."""

    def wait() -> None:
        deadline = time.monotonic() + 20
        while (
            not (fake.starts and ("GET", f"/jobs/{len(fake.jobs)}") in fake.answered)
            and time.monotonic() < deadline
        ):
            time.sleep(0.01)
        act()

    return later(wait)


@pytest.mark.parametrize(("refused", "code"), [(True, 2), (False, 1)])
def test_a_job_that_fails_says_why(fake: Fake, cli: Command, refused: bool, code: int) -> None:
    thread = begin_when_watched(fake, lambda: fake.end(1, "failed", message="no column t", refused=refused))
    ended = cli("submit", "experiment=debug")
    thread.join()
    assert (ended.code, ended.err) == (code, "packtrain: no column t\n")


def test_where_every_run_diverged_it_is_1(fake: Fake, cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    result: dict[str, Any] = {**fake.result, "best_run": None}
    rows = result["run"]
    for row in rows:
        row |= {"outcome": "diverged", "message": "at step 7"}
    monkeypatch.setattr(Fake, "result", result)
    fake.at_once = "finished"
    ended = cli("submit", "experiment=debug")
    assert ended.code == 1 and ended.err.startswith("packtrain: every run diverged: try a smaller")


def test_what_is_refused_is_2_with_the_sentence(fake: Fake, cli: Command) -> None:
    ended = cli("submit", "seed=x")
    assert (ended.code, ended.err) == (2, "packtrain: seed is a whole number; got x\n")
    assert fake.jobs == []


def test_without_waiting_it_says_the_number(fake: Fake, cli: Command) -> None:
    ended = cli("submit", "experiment=debug", "wait=false", "key=mine")
    assert (ended.code, ended.out) == (0, "job 1: queued\n    show  packtrain show 1\n")
    assert cli("submit", "experiment=debug", "key=mine", "wait=false").out.startswith("job 1:")


def test_a_sweep_has_one_table_of_all(fake: Fake, cli: Command) -> None:
    fake.at_once = "finished"
    ended = cli("submit", "-m", "experiment=debug", "optimizer=adam,sgd")
    runs = fake.result["runs"]
    assert ended.code == 0 and ended.out.startswith("jobs 1 to 2: 2 packs\n")
    assert f"debug: 2 packs, {2 * runs} runs ({2 * runs} finished)" in ended.out
    assert "adam" in ended.out and "sgd" in ended.out and ": job 2\n" in ended.out
    best = fake.result["best_run"]
    assert f"packtrain.connect().job(1).load().predict(inputs, run={best})" in ended.out


def test_a_pack_that_fails_makes_a_sweep_1(fake: Fake, cli: Command) -> None:
    def act() -> None:
        fake.end(2, "failed", message="out of memory")
        fake.end(1)

    thread = begin_when_watched(fake, act)
    ended = cli("submit", "-m", "experiment=debug", "optimizer=adam,sgd")
    thread.join()
    assert ended.code == 1 and "out of memory: job 2\n" in ended.out
    line = next(line for line in ended.out.splitlines() if line.startswith("  2 "))
    assert line.split() == ["2", "optimizer=sgd", "out", "of", "memory"]


def test_a_file_of_this_machine_is_sent_along(fake: Fake, cli: Command, tmp_path: Path) -> None:
    (tmp_path / "cup.csv").write_text("t,x\n1,2\n")
    ended = cli("submit", "experiment=fit", "data.path=cup.csv", "wait=false")
    (name,) = fake.data
    assert name.startswith("cup-") and fake.jobs[0]["overrides"] == ["experiment=fit", f'data.path="{name}"']
    assert ended.err == f"packtrain: note: cup.csv is sent along, as data.path={name}\n"
    cli("submit", "experiment=fit", "data.path=there.csv", "wait=false")
    assert fake.jobs[1]["overrides"] == ["experiment=fit", "data.path=there.csv"]


def test_a_fit_on_one_line(fake: Fake, cli: Command, tmp_path: Path) -> None:
    (tmp_path / "cup.csv").write_text("t,x\n0,1\n1,2\n2,3\n")
    ended = cli("submit", "fit", "cup.csv", "x = a + b*t", "a=1", "wait=false")
    words, (name,) = fake.jobs[0]["overrides"], fake.data
    assert ended.code == 0 and words[0] == "experiment=fit" and f'data.path="{name}"' in words
    assert 'model.expressions=["x = a + b*t"]' in words


@pytest.mark.parametrize("word", ["submit", "show"])
def test_it_starts_without_hydra_and_torch(fake: Fake, word: str) -> None:
    typed = ["experiment=debug", "wait=false"] if word == "submit" else ["17"]
    code = "import sys, atexit; from packtrain.trainer.terminal.start import main;"
    code += "atexit.register(lambda: print(*sys.modules)); main()"
    environment = {**os.environ, "PYTHONPATH": str(IMPORTABLE)}
    done = subprocess.run(
        [sys.executable, "-c", code, word, *typed], env=environment, capture_output=True, text=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "httpx" in loaded and not loaded & {"hydra", "torch", "numba", "pyarrow"}, done.stderr


def test_ctrl_c_leaves_the_job_running(fake: Fake, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(IMPORTABLE)}
    words = [sys.executable, "-m", "packtrain", "submit", "experiment=debug"]
    child = subprocess.Popen(words, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    begin_when_watched(fake, lambda: child.send_signal(signal.SIGINT))
    _, err = child.communicate(timeout=30)
    look = "packtrain show 1 looks again, packtrain cancel 1 ends it"
    assert (child.returncode, err) == (130, f"packtrain: job 1 goes on; {look}\n")
    assert fake.jobs[0]["state"] == "queued"


def test_jobs_are_listed(fake: Fake, cli: Command) -> None:
    assert cli("jobs").out == "no job yet\n"
    for seed in range(3):
        fake.submitted([f"seed={seed}"], 0, "")
    fake.change(2, "running", step=1000, steps=4000, loss=0.25)
    ended = cli("jobs", "limit=2")
    lines = [line.split() for line in ended.out.splitlines() if line.strip()]
    assert lines[0] == ["job", "state", "name", "runs", "step", "loss", "user", "priority", "age"]
    assert lines[2][:5] == ["3", "queued", "debug", "1", "-"]
    assert lines[3][:8] == ["2", "running", "debug", "1", "1,000", "of", "4,000", "0.25"]
    assert ended.out.endswith("  the newest 2; limit=all lists all\n")
    assert " 2 " in cli("jobs", "state=running").out
    assert cli("jobs", "state=failed").out == "no such job\n"
    assert [age(seconds) for seconds in (0.4, 59, 60, 7200, 200_000)] == [
        "0 s",
        "59 s",
        "1 min",
        "2 h",
        "2 d",
    ]


def test_a_job_is_shown_by_its_number(
    fake: Fake, cli: Command, trained: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fake.submitted(["experiment=debug", "seed=3"], 1, "")
    ended = cli("show", "1")
    assert ended.code == 0 and "experiment=debug seed=3" in ended.out and "queued" in ended.out
    assert ended.out.endswith("  cancel  packtrain cancel 1\n")
    fake.end(1)
    assert closing(trained, capfd) in cli("show", "1").out
    ended = cli("show", "7")
    assert (ended.code, ended.err) == (2, "packtrain: there is no job 7\n")


def test_a_folder_of_that_name_goes_first(fake: Fake, cli: Command, tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    assert "1 holds no finished training or sweep" in cli("show", "1").err


def test_jobs_are_cancelled(fake: Fake, cli: Command) -> None:
    for seed in range(3):
        fake.submitted([f"seed={seed}"], 0, "")
    assert cli("cancel", "1", "3").out == "job 1: cancelled\njob 3: cancelled\n"
    assert [job["state"] for job in fake.jobs] == ["cancelled", "queued", "cancelled"]


def test_a_folder_is_fetched(fake: Fake, cli: Command, trained: Path, tmp_path: Path) -> None:
    fake.submitted([], 0, "")
    later(fake.end, 1)
    ended = cli("fetch", "1", "mine")
    assert ended.out.splitlines()[-1] == "mine" and contents(tmp_path / "mine") == contents(trained)
    assert "mine is there already" in cli("fetch", "1", "mine").err


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (["submit", "digits"], "such as seed=3 or -m; got digits"),
        (["submit", "fit", "nowhere.csv", "y = a*x"], "there is no file nowhere.csv"),
        (["submit", "--cfg", "job"], "got --cfg"),
        (["submit", "wait=no"], "wait is true or false; got 'no'"),
        (["submit", "priority=high"], "priority is a whole number; got 'high'"),
        (["jobs", "state=runing"], "failed, cancelled (did you mean running?); got runing"),
        (["jobs", "stat=running"], "got stat=running (did you mean state?)"),
        (["jobs", "--stat", "running"], "got --stat (did you mean --state?)"),
        (["show", "17", "run=3"], "expected packtrain show N [server=URL]; got run=3"),
        (["cancel"], "expected packtrain cancel N [N]... [server=URL]; `packtrain jobs` lists them"),
        (["cancel", "outputs"], "with the number of a job; got outputs"),
        (["fetch"], "expected packtrain fetch N [FOLDER]"),
        (["fetch", "1", "a", "b"], "got b"),
    ],
)
def test_what_they_dont_take_is_refused(typed: list[str], sentence: str, cli: Command) -> None:
    ended = cli(*typed)
    assert ended.code == 2 and ended.err.startswith("packtrain: ") and sentence in ended.err


@pytest.mark.parametrize("word", ["submit", "jobs", "cancel", "fetch"])
def test_each_has_a_help(word: str, cli: Command) -> None:
    ended = cli(word, "--help")
    assert ended.code == 0 and ended.out.startswith(f"usage: packtrain {word} ")
