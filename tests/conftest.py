"""Fixtures: the command as a user types it, in this process or in one of its own; Triton interpreted."""

import gc
import logging
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from threadpoolctl import threadpool_limits

from packtrain.trainer.terminal.commands import COMMANDS
from packtrain.trainer.terminal.main import main
from tests.composing import hasten
from tests.helpers import IMPORTABLE, Command, Ended
from tests.thorough import FEW, choose_examples, leave_samples

# On shared cores, threads that wait for one another take 20 times as long.
torch.set_num_threads(1)
threadpool_limits(1)  # of NumPy, which a plugin of pytest may have imported
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # of what is imported later, and of processes that tests start
hasten()  # half of the time that commands take here is Hydra's


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--emulate",
        type=int,
        choices=(80, 90),
        help="only the tests of Triton's kernels, compiled for this architecture and run without a GPU",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Without a GPU Triton interprets its kernels, or compiles them for an emulated one.

    A run of the tests marked `gpu` alone compiles them for the one that is there.
    """
    architecture = config.getoption("emulate")
    choose_examples(config)
    if architecture:
        from tests.gpu import emulator  # noqa: PLC0415 (Triton must not be set to interpret before)

        marks = config.option.markexpr.replace(" and not only_emulated", "")
        config.option.markexpr = f"({marks}) and (emulated or only_emulated) and not gpu"
        emulator.install(architecture)
        return
    if config.option.markexpr == "gpu" and torch.cuda.is_available():
        return
    os.environ["TRITON_INTERPRET"] = "1"
    from tests import interpreter  # noqa: PLC0415 (Triton reads the environment when it is imported)

    interpreter.complete()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Of a run that few files have tests for, the others aren't imported: all take half a minute."""
    marker = "emulated" if config.getoption("emulate") else config.option.markexpr
    if marker not in FEW or not collection_path.name.startswith("test_"):
        return None
    return marker not in collection_path.read_text() or None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    leave_samples(items)


def pytest_collection_finish() -> None:
    """What was collected stays: ten thousand tests and their modules are never looked through for garbage."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A part of the tests in a row for each process, which takes from others when it has none left.

    Neighbours share what they compile, so that one process does what each would do if they took turns.
    """
    from xdist.scheduler import WorkStealingScheduling  # noqa: PLC0415 (tests run without it, too)

    return WorkStealingScheduling(config, log) if config.getoption("dist") == "load" else None


@contextmanager
def logging_as_it_was() -> Iterator[None]:
    """Inside `with`, Hydra sets logging up, with a file in a folder that goes; then it is as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        for handler in root.handlers:
            if handler not in handlers:
                handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)


@pytest.fixture
def cli(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Command:
    """packtrain(*arguments) in this process, on the CPU, from `tmp_path`; results go to tmp_path/out.

    Pictures, which take longer than most trainings here, are made for tests with a fixture `drawn`.
    """
    monkeypatch.setattr("packtrain.trainer.pictures.drawn.SECONDS", math.inf)
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr("packtrain.trainer.console.training.draw_pictures", lambda *_: {})
        monkeypatch.setattr("packtrain.trainer.sweep.report.can_draw", lambda: False)

    def run(*arguments: str) -> Ended:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        given = {argument.partition("=")[0] for argument in arguments}
        bare = {*arguments[:1]} & {*COMMANDS} or given == {"join"}
        defaults = () if bare else ("compute.device=cpu", "hydra.run.dir=out")
        missing = [default for default in defaults if default.partition("=")[0] not in given]
        if "hydra.run.dir=out" in missing and "resume" not in given:
            shutil.rmtree("out", ignore_errors=True)
        monkeypatch.setattr(sys, "argv", ["packtrain", *arguments, *missing])
        code = 0
        try:
            with logging_as_it_was():
                main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        out, err = capfd.readouterr()
        return Ended(code, str(out), str(err))

    return run


@pytest.fixture
def process(tmp_path: Path) -> Command:
    """`python -m packtrain *arguments` in a process of its own, from `tmp_path`."""

    def run(*arguments: str) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "packtrain", *arguments],
            cwd=tmp_path,
            env={"PYTHONPATH": str(IMPORTABLE), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """New tensors are NaN, so that what a kernel doesn't write shows."""
    for owner, name in ((torch.Tensor, "new_empty"), (torch, "empty_like")):
        monkeypatch.setattr(owner, name, _poisoning(getattr(owner, name)))


def _poisoning(make: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    def poisoned(*arguments: Any, **options: Any) -> torch.Tensor:
        made = make(*arguments, **options)
        return made.fill_(torch.nan) if made.is_floating_point() else made

    return poisoned


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> torch.device:
    """The CPU, and a GPU where tests marked `gpu` run and there is one."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")
    return torch.device(request.param)
