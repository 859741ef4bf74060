"""The batch script of docs/guides/slurm.md for several nodes, as a job of a real Slurm's two."""

from pathlib import Path

import pytest

from tests.cluster.jobs import BRIEF
from tests.cluster.slurm import Slurm, free_ports
from tests.helpers import ROOT, result_in

pytestmark = pytest.mark.cluster


def script() -> str:
    """The page's, for nodes without GPUs which are this machine."""
    page = (ROOT / "docs" / "guides" / "slurm.md").read_text()
    text = page.partition("## Several nodes")[2].partition("```bash\n")[2].partition("```")[0]
    here = {
        " --gpus-per-node=8": "", "RANKS=8": "RANKS=1 GLOO_SOCKET_IFNAME=lo", "$(hostname)": "127.0.0.1",
        "$((20000 + SLURM_JOB_ID % 10000))": f"{free_ports('ranks')['ranks']}",
        "--rdzv-id": "--local-addr 127.0.0.1 --rdzv-id",
    }  # fmt: skip
    for there, ours in here.items():
        assert text.count(there) == 1, there
        text = text.replace(there, ours)
    return text


def test_two_nodes_train_one_pack(slurm: Slurm, tmp_path: Path, undisturbed: Path) -> None:
    words = [*BRIEF[:-1], "data.seed=1", 'pack.over={seed: "1,2"}', "hydra.run.dir=out"]
    job = slurm.submit(script(), tmp_path, "--output=log", words=words)
    assert slurm.ended(job) == ["COMPLETED"], (tmp_path / "log").read_text()
    assert result_in(tmp_path / "out")["ranks"] == 2
    for name in ("runs.csv", "curves.parquet", "model.safetensors"):
        assert (tmp_path / "out" / name).read_bytes() == (undisturbed / "1" / name).read_bytes()
