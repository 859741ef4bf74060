"""Whole trainings with compute.device=cuda: on a device that is imagined, their kernels emulated."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from packtrain.trainer.session import Session
from tests.gpu import device
from tests.helpers import Command, assert_close, result_in
from tests.trainer.configs import pack_of

pytestmark = pytest.mark.only_emulated

EXACT = "compute.precision=fp64", "monitor=quiet"
PRIMER = "experiment=primer", "data.size=300", "loop.batch_size=64", "loop.steps=9", *EXACT
GAUSSIANS = "experiment=gaussians", "data.size=200", "loop.batch_size=50", "loop.steps=6", *EXACT
SEEDS = 'pack.over={seed: "range(0,3)"}'


@pytest.fixture(autouse=True)
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with device.imagine(monkeypatch):
        yield


def ended(cli: Command, folder: Path, *arguments: str) -> dict[str, Any]:
    """What a training came to, which must be 'finished'."""
    done = cli(*arguments)
    assert done.code == 0, done.err
    result = result_in(folder / "out")
    assert result["outcomes"] == {"finished": result["runs"]}
    return result


def losses(result: dict[str, Any]) -> torch.Tensor:
    return torch.tensor([list(run["loss"]["train"].values()) for run in result["run"]], dtype=torch.float64)


def same_as_on_the_cpu(cli: Command, folder: Path, *arguments: str) -> dict[str, Any]:
    on_cuda = ended(cli, folder, *arguments, "compute.device=cuda")
    assert on_cuda["device"] == device.PROPERTIES.name
    on_cpu = [word for word in arguments if not word.startswith(("engine", "compute.backend"))]
    assert_close(losses(on_cuda), losses(ended(cli, folder, *on_cpu)))
    return on_cuda


@pytest.mark.parametrize(
    "way",
    [
        ("engine=fused", SEEDS), ("engine=fused", "loop.order=own", SEEDS), ("engine=step", SEEDS),
        ("engine=step", "loop.order=own", "optimizer.clip_norm=1"), ("engine=step", "engine.capture=false"),
        ("compute.backend=reference", "data.validation=0.2"), ("model.gradient=finite_difference",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_equations(way: tuple[str, ...], cli: Command, tmp_path: Path) -> None:
    same_as_on_the_cpu(cli, tmp_path, *PRIMER, *way)


@pytest.mark.parametrize("engine", ["fused", "step"])
def test_perceptrons(engine: str, cli: Command, tmp_path: Path) -> None:
    result = same_as_on_the_cpu(cli, tmp_path, *GAUSSIANS, f"engine={engine}")
    assert (result["engine"], result["backend"]) == (engine, "triton")


def test_a_fit(cli: Command, tmp_path: Path) -> None:
    assert same_as_on_the_cpu(cli, tmp_path, "experiment=fit")["backend"] == "triton"


def test_fits_of_groups_of_unlike_size(cli: Command, tmp_path: Path) -> None:
    table = "data.table={g: [1, 1, 1, 2, 2, 2, 2], x: [0, 1, 2, 0, 1, 2, 3], y: [1, 3, 5, 0, 3, 5, 9]}"
    line = "~experiment", "data=table", table, "data.columns={x: x, y: y}", "data.group=g"
    line = *line, 'model.expressions=["y = a*x + b"]', "optimizer=levenberg_marquardt", *EXACT
    assert same_as_on_the_cpu(cli, tmp_path, *line)["backend"] == "triton"


@pytest.mark.parametrize("engine", ["fused", "step"])
def test_perceptrons_in_bf16(engine: str, cli: Command, tmp_path: Path) -> None:
    training = *GAUSSIANS[:-2], "monitor=quiet"
    half = "compute.device=cuda", "compute.precision=bf16", f"engine={engine}"
    on_cuda = losses(ended(cli, tmp_path, *training, *half))
    assert_close(on_cuda, losses(ended(cli, tmp_path, *training)), torch.bfloat16)


def test_a_graph_is_captured_while_another_thread_copies_from_the_device(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of the checkpoints does."""

    @contextmanager
    def busy(*arguments: Any, **options: Any) -> Iterator[None]:
        ours = torch.ones(3, device="cuda")
        with device.captured(*arguments, **options), ThreadPoolExecutor(1) as other:
            other.submit(ours.cpu).result()
            yield

    monkeypatch.setattr(torch.cuda, "graph", busy)
    ended(cli, tmp_path, *PRIMER, "compute.device=cuda", "engine=step")


def test_a_training_is_resumed_from_a_checkpoint(cli: Command, tmp_path: Path) -> None:
    training = *PRIMER, "compute.device=cuda", "checkpoint.every=3", "checkpoint.keep=9"
    whole = ended(cli, tmp_path, *training)
    _, *others = sorted((tmp_path / "out/checkpoint").glob("*.safetensors"))
    assert others
    for file in others:
        file.unlink()
    assert cli("resume=out", "compute.device=cuda").code == 0
    assert result_in(tmp_path / "out")["run"] == whole["run"]


def test_a_pack_whose_runs_are_stopped(cli: Command, tmp_path: Path) -> None:
    done = cli(
        *PRIMER, "compute.device=cuda", "search.pruner=halving", "search.min_steps=3",
        'pack.over={optimizer.lr: "0.01,0.03,0.1"}',
    )  # fmt: skip
    assert done.code == 0, done.err
    assert result_in(tmp_path / "out")["outcomes"] == {"finished": 1, "stopped at rung 1": 2}


def test_the_device_refuses_what_cuda_refuses() -> None:
    ours, other = torch.ones(3, device="cuda"), torch.ones(3)
    assert ours.is_cuda and (ours + 1).sum().item() == 6 and ours[other.long()].tolist() == [1, 1, 1]
    with pytest.raises(RuntimeError, match="expected all tensors on the same device"):
        torch.add(ours, other)
    with pytest.raises(TypeError, match="can't convert cuda:0"):
        ours.numpy()
    with (
        pytest.raises(RuntimeError, match="not permitted when stream is capturing"),
        device.captured(device.Graph()),
    ):
        ours.sum().item()


def test_a_captured_graph_repeats_its_work_in_place() -> None:
    total, graph = torch.zeros(3, device="cuda"), device.Graph()
    with device.captured(graph):
        total += torch.ones(3, device="cuda").cumsum(0)
    for _ in range(3):
        graph.replay()
    assert total.tolist() == [3, 6, 9]


def test_sessions_on_two_devices_take_turns_and_end_as_they_do_alone() -> None:
    """Slice by slice in one process, of different precision too."""
    overrides = [
        (*PRIMER, "compute.device=cuda"),
        (*GAUSSIANS[:-2], "monitor=quiet", "compute.device=cuda", "compute.precision=bf16"),
        (*PRIMER, "compute.device=cpu", "compute.precision=fp32"),
    ]
    packs = [pack_of(*each) for each in overrides]
    alone = [advanced(Session.prepare(pack)).result() for pack in packs]
    sessions = [Session.prepare(pack) for pack in packs]
    while any(not session.done for session in sessions):
        for session in sessions:
            if not session.done:
                session.advance()
    for session, expected in zip(sessions, alone, strict=True):
        result = session.result()
        assert result.summary["device"] == expected.summary["device"]
        assert result.rows == expected.rows
        assert result.model.parameters.cpu().equal(expected.model.parameters.cpu())


def advanced(session: Session) -> Session:
    while not session.done:
        session.advance()
    return session
