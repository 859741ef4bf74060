"""Messages between ranks."""

import pytest
import torch

from packtrain.trainer.ranks import mail
from packtrain.trainer.ranks.mail import packed, unpacked

TENSORS = [
    torch.arange(6).view(2, 3),
    torch.tensor([True, False]),
    torch.rand(3, 0),
    torch.tensor(2.5).double(),
]


@pytest.mark.parametrize("tensor", TENSORS, ids=lambda tensor: str(tensor.dtype))
def test_tensors_arrive_as_they_are(tensor: torch.Tensor) -> None:
    arrived = unpacked(packed({"a": tensor, "words": ("advance", 7)}))
    assert arrived["words"] == ("advance", 7)
    assert arrived["a"].dtype == tensor.dtype and torch.equal(arrived["a"], tensor)
    arrived["a"].zero_()  # it can be written


def test_large_tensors_are_not_copied_into_the_message() -> None:
    large = [torch.rand(1 << 15) for _ in range(70)]
    parts = packed(large)
    assert len(parts) == 1 + mail.MOST_PARTS
    assert all(map(torch.equal, unpacked(parts), large))


def test_the_limit_of_silence_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(mail.SILENCE, "5")
    assert mail.silence() == 5
