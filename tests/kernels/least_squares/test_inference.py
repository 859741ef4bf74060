"""The inference of small fits, by rotations of our own."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from packtrain.kernels.least_squares import inference
from packtrain.kernels.least_squares.inference import Inference, infer
from tests.helpers import assert_close
from tests.strategies import few


def roots(seed: int, fits: int, size: int, weak: float = 1.0) -> Tensor:
    """Triangles [R, P, P] whose columns are of many sizes; the last is nearly the sum of the others."""
    draw = np.random.default_rng(seed)
    matrices = draw.standard_normal((fits, size + 3, size))
    if size > 1:
        matrices[..., -1] = matrices[..., :-1].sum(-1) + weak * matrices[..., -1]
    matrices *= 10.0 ** draw.integers(-6, 7, size)
    return torch.from_numpy(np.linalg.qr(matrices, mode="r"))


def all_free(root: Tensor) -> Tensor:
    return torch.ones(root.shape[:2], dtype=torch.bool)


def scaled(found: Inference) -> Tensor:
    """The covariance in units of the columns' norms."""
    return found.unscaled * found.norm[:, :, None] * found.norm[:, None]


@few
@given(st.integers(0, 999), st.integers(1, 9), st.sampled_from([1.0, 1e-3, 0.0]))
def test_it_infers_what_lapack_does(seed: int, size: int, weak: float) -> None:
    root = roots(seed, 5, size, weak)
    found = infer(root, all_free(root))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "SMALL", 0)
        expected = infer(root, all_free(root))
    assert found.rank.equal(expected.rank) and found.undetermined.equal(expected.undetermined)
    limit = scaled(expected).abs().amax((1, 2), keepdim=True)
    assert bool(((scaled(found) - scaled(expected)).abs() <= 1e-8 * limit).all())
    rank = int(found.rank[0])
    ours, theirs = (one.directions[0, :rank] for one in (found, expected))
    assert_close(ours.mT @ ours, theirs.mT @ theirs)


@pytest.mark.parametrize("size", [1, 4, 7])
def test_a_fit_has_the_same_bits_in_any_pack_and_anywhere(size: int) -> None:
    root = roots(7, 40, size)
    together = infer(root, all_free(root))
    room = torch.empty(size * size + 1, dtype=torch.float64)
    for offset, run in enumerate((0, 17, 39)):
        moved = room[offset % 2 : size * size + offset % 2].view(1, size, size).copy_(root[run])
        alone = infer(moved, all_free(moved))
        for name in ("unscaled", "directions", "norm"):
            assert getattr(alone, name)[0].equal(getattr(together, name)[run]), name
