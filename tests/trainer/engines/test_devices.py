"""compute.device and compute.precision."""

import pytest
import torch

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.schema import ComputeConfig
from packtrain.trainer.engines import devices
from packtrain.trainer.engines.devices import make_compute


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp64", torch.float64), ("fp32", torch.float32), ("bf16", torch.float32)]
)
def test_parameters_are_float32_or_better(precision: str, dtype: torch.dtype) -> None:
    assert make_compute(ComputeConfig("cpu", "auto", precision)).dtype == dtype


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
def test_products_of_float32_are_rounded_where_that_was_asked_for_and_only_inside(
    device: str, precision: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered: list[torch.device] = []

    class Current:
        def __init__(self, device: torch.device) -> None:
            self.device = device

        def __enter__(self) -> None:
            entered.append(self.device)

        def __exit__(self, *error: object) -> None:
            entered.pop()

    monkeypatch.setattr(devices, "_device", torch.device)
    monkeypatch.setattr(torch.cuda, "get_device_name", str)
    monkeypatch.setattr(torch.cuda, "device", Current)
    before = torch.get_float32_matmul_precision()
    try:
        for other in ("highest", "high"):
            torch.set_float32_matmul_precision(other)
            compute = make_compute(ComputeConfig(device, "auto", precision))
            assert torch.get_float32_matmul_precision() == other
            with pytest.raises(ZeroDivisionError), compute.entered():
                assert torch.get_float32_matmul_precision() == expected
                assert entered == [torch.device("cuda")] * (device == "cuda")
                raise ZeroDivisionError
            assert torch.get_float32_matmul_precision() == other and not entered
    finally:
        torch.set_float32_matmul_precision(before)


def test_auto_takes_what_there_is() -> None:
    device = make_compute(ComputeConfig()).device.type
    assert device == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("device", ["tpu", "cuda:99", "meta", ""])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(UserError, match=r"compute\.device"):
        make_compute(ComputeConfig(device))


def test_tf32_is_refused_on_the_cpu() -> None:
    with pytest.raises(UserError, match="on the CPU use fp32"):
        make_compute(ComputeConfig("cpu", "auto", "tf32"))


def test_cuda_means_the_first_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", str)
    for name, expected in (("auto", "cuda:0"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1")):
        assert make_compute(ComputeConfig(name)).device == torch.device(expected)


@pytest.mark.gpu
def test_tf32_is_for_matrix_products_alone() -> None:
    with make_compute(ComputeConfig("cuda", "auto", "tf32")).entered():
        assert torch.get_float32_matmul_precision() == "high"
    with make_compute(ComputeConfig("cuda", "auto", "fp32")).entered():
        assert torch.get_float32_matmul_precision() == "highest"
