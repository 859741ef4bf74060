"""A service without a device, and its workers in processes as of other machines, over loopback."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import packtrain
from tests.helpers import IMPORTABLE, Command

WORDS = "experiment=debug", "compute.device=cpu", "monitor=quiet", "engine=step", "compute.backend=reference"
SAME = "model.safetensors", "runs.csv", "curves.parquet"
ENDING = 120.0


@contextmanager
def started(*words: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A command that runs until it gets SIGTERM, and what it says first."""
    with subprocess.Popen(
        [sys.executable, "-m", "packtrain", *words],
        env={**os.environ, "PYTHONPATH": str(IMPORTABLE), "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout
            yield process, process.stdout.readline()
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=ENDING)


@pytest.mark.cluster
def test_what_a_worker_leaves_another_one_finishes(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "service"
    monkeypatch.setenv("PACKTRAIN_SERVICE", str(own))
    with ExitStack() as stack:
        _, said = stack.enter_context(started("serve", "port=0", "devices=none", f"folder={own}"))
        assert "on no device of its own" in said
        server, token = said.split()[2].rstrip(","), cli("serve", "user=nodes", "role=worker").out.split()[-1]
        work = ("work", f"server={server}", "device=cpu", f"data={tmp_path}", f"folder={tmp_path / 'far'}")
        first, said = stack.enter_context(started(*work, "name=first", PACKTRAIN_TOKEN=token))
        assert f"packtrain works for {server} as first, on cpu" in said
        service = stack.enter_context(packtrain.connect())
        job = service.submit(*WORDS, "loop.steps=3000", seed=3)
        assert any(event.kind == "progress" for event in job)
        second, _ = stack.enter_context(started(*work, "name=second", PACKTRAIN_TOKEN=token))
        first.send_signal(signal.SIGTERM)
        assert first.wait(ENDING) == 143
        fetched = job.wait(ENDING).fetch(tmp_path / "fetched")
        assert second.poll() is None
    assert cli(*WORDS, "loop.steps=3000", "seed=3", "hydra.run.dir=own").code == 0
    for name in SAME:
        assert (fetched / name).read_bytes() == (tmp_path / "own" / name).read_bytes()
