"""What launchers ask of a device."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from packtrain.kernels.common import launch


@pytest.mark.parametrize(
    ("capability", "expected"),
    [((8, 0), False), ((8, 9), False), ((9, 0), True), ((10, 0), True), ((10, 3), True), ((12, 0), False)],
)
def test_tensor_descriptors_are_of_compute_capability_9_and_10(
    capability: tuple[int, int], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    on_cuda: Any = SimpleNamespace(device=torch.device("cuda", 0))
    assert launch.has_tensor_descriptors(on_cuda) is expected


def test_what_is_interpreted_has_tensor_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """And CUDA, which may not be there, isn't called."""

    def refuse(*_: object) -> None:
        raise AssertionError("CUDA was called")

    monkeypatch.setattr(torch.cuda, "get_device_capability", refuse)
    assert launch.has_tensor_descriptors(torch.empty(1))
