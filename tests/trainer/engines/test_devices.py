"""compute.*: devices and precisions."""

import pytest
import torch

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.schema import ComputeConfig
from packtrain.trainer.engines import devices as compute
from packtrain.trainer.engines.devices import prepare_compute


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp64", torch.float64), ("fp32", torch.float32), ("bf16", torch.float32)]
)
def test_parameters_are_float32_or_better(precision: str, dtype: torch.dtype) -> None:
    assert prepare_compute(ComputeConfig("cpu", "auto", precision)).dtype == dtype


@pytest.mark.parametrize(
    ("device", "precision", "expected"),
    [
        ("cpu", "fp64", "highest"),
        ("cpu", "fp32", "highest"),
        ("cpu", "bf16", "high"),
        ("cuda", "fp32", "highest"),
        ("cuda", "tf32", "high"),
        ("cuda", "bf16", "high"),
    ],
)
def test_products_of_float32_are_rounded_where_that_was_asked_for_alone(
    device: str, precision: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compute, "_device", torch.device)
    monkeypatch.setattr(compute, "_memory_of_a_block", lambda _: 227 << 10)
    monkeypatch.setattr(torch.cuda, "get_device_name", str)
    before = torch.get_float32_matmul_precision()
    try:
        for other in ("highest", "high"):
            torch.set_float32_matmul_precision(other)
            prepare_compute(ComputeConfig(device, "auto", precision))
            assert torch.get_float32_matmul_precision() == expected
    finally:
        torch.set_float32_matmul_precision(before)


def test_auto_takes_what_there_is() -> None:
    found = prepare_compute(ComputeConfig()).device.type
    assert found == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("device", ["tpu", "cuda:99", "meta", ""])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(UserError, match=r"compute\.device"):
        prepare_compute(ComputeConfig(device))


def test_tf32_is_refused_on_the_cpu() -> None:
    with pytest.raises(UserError, match="on the CPU use fp32"):
        prepare_compute(ComputeConfig("cpu", "auto", "tf32"))


def test_cuda_means_the_first_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[torch.device] = []
    monkeypatch.setattr(compute, "_memory_of_a_block", lambda _: 227 << 10)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch.cuda, "get_device_name", str)
    for asked, expected in (("auto", "cuda:0"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1")):
        assert prepare_compute(ComputeConfig(asked)).device == chosen.pop() == torch.device(expected)


@pytest.mark.parametrize(
    ("device", "memory", "backend", "expected"),
    [
        ("cpu", 0, "auto", "numba"),
        ("cpu", 0, "numba", "numba"),
        ("cuda", 227, "auto", "triton"),
        ("cuda", 163, "triton", "triton"),
        ("cuda", 227, "reference", "reference"),
        ("cuda", 99, "auto", "reference"),
    ],
)
def test_auto_takes_triton_on_cuda_where_its_tiles_fit(
    device: str, memory: int, backend: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compute, "_memory_of_a_block", lambda _: memory << 10)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "set_device", lambda _: None)
    monkeypatch.setattr(torch.cuda, "get_device_name", str)
    assert prepare_compute(ComputeConfig(device, backend)).backend == expected


@pytest.mark.parametrize("memory", [99, 227])
def test_numba_is_refused_on_cuda(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "_memory_of_a_block", lambda _: memory << 10)
    with pytest.raises(
        UserError, match=r"numba runs on the CPU, and this run is on cuda:0: compute\.device=cpu"
    ):
        compute._backend("numba", torch.device("cuda", 0))


def test_triton_is_refused_where_its_tiles_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "_memory_of_a_block", lambda _: 99 << 10)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a small GPU")
    with pytest.raises(UserError, match=r"163 KiB of shared memory a block.* a small GPU has 99"):
        compute._backend("triton", torch.device("cuda", 0))


def test_triton_is_refused_on_the_cpu_unless_it_interprets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert prepare_compute(ComputeConfig("cpu", "triton")).backend == "triton"
    monkeypatch.delenv("TRITON_INTERPRET")
    with pytest.raises(UserError, match=r"compute\.backend=triton needs a CUDA GPU"):
        prepare_compute(ComputeConfig("cpu", "triton"))


@pytest.mark.gpu
def test_tf32_is_for_matrix_products_alone() -> None:
    prepare_compute(ComputeConfig("cuda", "auto", "tf32"))
    assert torch.get_float32_matmul_precision() == "high"
    prepare_compute(ComputeConfig("cuda", "auto", "fp32"))
    assert torch.get_float32_matmul_precision() == "highest"
