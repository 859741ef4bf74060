"""Work shared out to threads is done once, and its errors come out."""

import pytest
import torch

from packtrain.kernels.common.threads import share


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("total", [0, 1, 2, 12, 100])
def test_each_part_is_done_once(threads: int, total: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    done: list[int] = []
    share(total, lambda start, stop: done.extend(range(start, stop)))
    assert sorted(done) == list(range(total))


def test_an_error_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    with pytest.raises(ZeroDivisionError):
        share(8, lambda start, _: 1 // (start - 4))
