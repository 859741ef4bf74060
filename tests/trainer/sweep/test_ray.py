"""Sweeps and a search on Ray, jobs of which are killed, end with the table of an undisturbed one."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers import ROOT, Command
from tests.trainer.sweep.ray_alone import PACKS, SEARCH
from tests.trainer.sweep.test_join import TABLES
from tests.trainer.sweep.test_sweep import QUICK

PYTHON = ROOT / ".venv-ray" / "bin" / "python"
ALONE = "unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"
WORDS = (
    "experiment=debug", "loop.steps=1000", "data.size=64", *QUICK, "compute.device=cpu",
    "checkpoint.every=100",
)  # fmt: skip


def why_not() -> str:
    if not any((ROOT / ".venv-ray").glob(".installed-*")):
        return "no Ray: scripts/cluster/ray.sh makes an environment with it"
    if not shutil.which("ip") or subprocess.run([*ALONE, "true"], capture_output=True).returncode:
        return "needs unshare and ip, and the right to have a network of its own"
    return ""


@pytest.mark.cluster
def test_what_is_killed_on_ray_changes_no_table(cli: Command, tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    short = Path(os.environ.get("TMPDIR", "/tmp")) / f"ray-{os.getpid()}"  # a socket's path is short
    short.mkdir()
    environment = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
    environment |= {"TMPDIR": str(short), "HOME": str(short), "PYTHONPATH": "", "TRITON_INTERPRET": "0"}
    script = ROOT / "tests" / "trainer" / "sweep" / "ray_alone.py"
    try:
        done = subprocess.run(
            [*ALONE, PYTHON, script, *WORDS], cwd=tmp_path, env={**os.environ, **environment},
            capture_output=True, text=True, timeout=600,
        )  # fmt: skip
    finally:
        shutil.rmtree(short, ignore_errors=True)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads((tmp_path / "said.json").read_text())
    assert said["killed"] == 1 and "data.seed=2" in said["output"], said
    assert "launched/1/result.json" not in said["finished"]
    assert "packtrain resume=launched trains what is left" in said["output"]
    assert said["resumed"] == 0, said["why"]
    assert said["joined"] == 0
    assert said["searched"] == 0 and "another job goes on with it" in said["search"], said["search"]
    assert cli("-m", *WORDS, *PACKS, "hydra.sweep.dir=whole").code == 0
    assert cli(*WORDS, *SEARCH, "hydra.run.dir=alone").code == 0
    for folder, same in (("launched", "whole"), ("joined", "whole"), ("searched", "alone")):
        for table in TABLES:
            assert (tmp_path / folder / table).read_bytes() == (tmp_path / same / table).read_bytes()
