"""Histograms of weights, gradients and losses, and precision-recall curves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import confusion_matrix, precision_recall_curve
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.util.tensor_util import make_ndarray
from torch import Tensor

from packtrain.trainer.config.schema import (
    ComputeConfig,
    Config,
    DataConfig,
    EngineConfig,
    LoopConfig,
    ModelConfig,
    OptimizerConfig,
    PackConfig,
)
from packtrain.trainer.engines.base import History
from packtrain.trainer.session import Session
from packtrain.trainer.tensorboard import layers
from packtrain.trainer.tensorboard.histogram import BUCKETS, histogram, spacing
from packtrain.trainer.tensorboard.layers import Layers, gradient
from packtrain.trainer.tensorboard.losses import Losses
from packtrain.trainer.tensorboard.precision_recall import THRESHOLDS, counts, pr_curves
from tests.helpers import Command
from tests.trainer.curves import run_folder, tensors

Written = dict[tuple[int, str, int], np.ndarray]


def buckets(summary: Any) -> np.ndarray:
    """[K, 3]."""
    return make_ndarray(summary.value[0].tensor)


NAMES = "weight_0", "bias_0", "weight_1", "bias_1"
NUMBERS = arrays(np.float64, st.integers(1, 40), elements=st.floats(-1e6, 1e6, width=32))


@given(NUMBERS)
@settings(max_examples=60)
def test_buckets_are_those_of_numpy_and_hold_every_number(values: np.ndarray) -> None:
    made = buckets(histogram("t", values))
    assert made.shape == (BUCKETS, 3) and made[:, 2].sum() == len(values)
    assert (made[0, 0], made[-1, 1]) == (values.min(), values.max())
    if values.min() < values.max():
        assert made[:, 2].tolist() == np.histogram(values, BUCKETS)[0].tolist()


def test_a_histogram_is_what_tensorboard_makes_itself() -> None:
    values = np.random.default_rng(0).normal(size=500)
    for numbers in (values, np.full(3, 2.5)):
        ours, theirs = histogram("t", numbers), histogram_pb("t", numbers)
        assert ours is not None and ours.value[0].metadata == theirs.value[0].metadata
        assert np.allclose(buckets(ours), buckets(theirs))


def test_numbers_that_are_not_finite_are_left_out() -> None:
    assert buckets(histogram("t", np.array([np.nan, 1.0, np.inf, 2.0])))[:, 2].sum() == 2
    assert histogram("t", np.array([np.nan, -np.inf])) is None
    assert buckets(histogram("t", np.array([-1.7e308, 1.7e308])))[:, 2].tolist() == [1, *[0] * 28, 1]


@given(st.integers(1, 10**7), st.integers(1, 1000), st.integers(1, 60))
def test_there_are_few_histograms_at_round_steps(steps: int, every: int, most: int) -> None:
    apart = spacing(steps, every, most)
    assert apart % every == 0 and steps / apart <= most
    assert apart == every or steps / (apart - every) > most


def prepared(runs: int = 2, steps: int = 45, over: Mapping[str, Any] | None = None) -> Session:
    """A training of a classifier before its first step."""
    return Session.prepare(
        Config(
            model=ModelConfig("mlp", widths=[2, 5, 3], loss="cross_entropy", activation="tanh"),
            data=DataConfig("gaussians", size=60, means=[[0, 0], [3, 3], [0, 3]], validation=0.2),
            optimizer=OptimizerConfig("adam", lr=0.01),
            engine=EngineConfig("step"),
            loop=LoopConfig(steps=steps, batch_size=16),
            compute=ComputeConfig(device="cpu"),
            pack=PackConfig(over={"seed": [*range(runs)], **(over or {})}),
        )
    )


def followed(session: Session, memory: Mapping[str, Tensor] | None = None, until: int = 10**9) -> Written:
    """What Layers writes of a training that goes on, up to a step: {(run, tag, step): buckets}."""
    written: Written = {}

    def add(run: int, summary: Any, step: int) -> None:
        assert (run, summary.value[0].tag, step) not in written
        written[run, summary.value[0].tag, step] = buckets(summary)

    watching = Layers(session, add)
    if memory is None:
        watching.record()
    while not session.done and session.step < until:
        session.advance(min(watching.next(session.step), until))
        watching.record()
    if session.done:
        watching.end()
    return written


def test_weights_and_gradients_are_those_of_torch() -> None:
    session = prepared()
    written = followed(session)
    last = session.engine.model.named()
    w0, b0, w1, b1 = parts = [last[name].detach()[1].double().requires_grad_() for name in NAMES]
    data = session.data.train
    outputs = (data.inputs.double() @ w0.T + b0).tanh() @ w1.T + b1
    torch.nn.functional.cross_entropy(outputs, data.targets[:, 0]).backward()
    for name, part in zip(NAMES, parts, strict=True):
        for kind, values in (("weights", part.detach()), ("weights/gradients", part.grad)):
            assert values is not None
            made = written[1, f"{kind}/{name}", 45]
            ends = values.min().item(), values.max().item()
            assert (made[0, 0], made[-1, 1]) == pytest.approx(ends, rel=1e-4, abs=1e-6), (kind, name)
    assert {step for _, _, step in written} == {0, 10, 20, 30, 40, 45}


def test_a_resumed_training_has_the_same_histograms_and_bits() -> None:
    """Alone, too, and whatever slices it is trained in."""
    whole, first, second, alone, unwatched = prepared(), prepared(), prepared(), prepared(1), prepared()
    written = followed(whole)
    begun = followed(first, until=27)
    second.restore(27, first.memory)
    resumed = begun | followed(second, first.memory)
    while not unwatched.done:
        unwatched.advance()
    assert resumed.keys() == written.keys()
    assert all((resumed[key] == written[key]).all() for key in written)
    assert all((part == written[key]).all() for key, part in followed(alone).items())
    for session in (whole, second):
        assert torch.equal(session.engine.model.parameters, unwatched.engine.model.parameters)


def test_a_shorter_run_ends_where_it_does() -> None:
    written = followed(prepared(1, over={"loop.steps": [15, 45]}))
    assert {step for run, _, step in written if run == 0} == {0, 10, 15}
    assert {step for run, _, step in written if run == 1} == {0, 10, 20, 30, 40, 45}


def test_a_diverged_run_ends_where_it_did() -> None:
    session = prepared()
    session.engine.model.parameters.detach()[1, 0] = torch.nan
    written = followed(session)
    assert {step for run, _, step in written if run == 1} == {0}
    assert {step for run, _, step in written if run == 0} == {0, 10, 20, 30, 40, 45}


def test_many_runs_have_the_best_at_its_end() -> None:
    session = prepared(runs=11)
    assert followed(session) == {}
    result = session.result()
    made: list[tuple[int, int]] = []
    Layers(session, lambda run, _, step: made.append((run, step))).add_best(result)
    assert made == [(result.best_run, 45)] * 8


def test_a_dear_gradient_is_taken_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    session = prepared(steps=5000)
    assert Layers(session, lambda *_: None).every == 100
    monkeypatch.setattr(layers, "WORK", 1e4)
    assert Layers(session, lambda *_: None).every == 320
    monkeypatch.setattr(layers, "MOST_HISTOGRAMS", 90)
    assert Layers(session, lambda *_: None).every == 1000


def test_gradients_are_of_evenly_chosen_samples_with_their_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "SAMPLES", 3)
    session = prepared(runs=1)
    data, model = session.data.train, session.engine.model
    some = data.part(torch.tensor([0, 24, 47]))
    loss = model.loss(some.inputs, some.targets).sum()
    assert torch.equal(gradient(model, data), torch.autograd.grad(loss, model.parameters)[0])


def history(losses: np.ndarray, steps: range) -> History:
    nothing = torch.empty(0)
    runs = torch.arange(losses.shape[1])
    return History(steps, runs, torch.from_numpy(losses), nothing, {}, nothing, nothing, 0)


def test_losses_of_a_pack_are_counted_by_their_powers_of_ten() -> None:
    made: dict[int, Any] = {}
    losses = 10.0 ** np.arange(-6, 6)[None].repeat(20, 0)
    losses[:, 0], losses[:, 1] = np.nan, 0
    Losses(12, 1000, 5, lambda summary, step: made.update({step: summary})).record(
        history(losses, range(0, 100, 5))
    )
    assert [*made] == [0, 20, 40, 60, 80]
    assert buckets(made[20])[:, 2].sum() == 10
    assert (buckets(made[20])[0, 0], buckets(made[20])[-1, 1]) == pytest.approx((-4, 5))
    Losses(8, 1000, 5, lambda *_: pytest.fail("of few runs")).record(history(losses, range(0, 100, 5)))


@given(st.integers(0, 10**6), st.integers(2, 300))
@settings(max_examples=40)
def test_a_precision_recall_curve_is_scikit_learns(seed: int, size: int) -> None:
    random = np.random.default_rng(seed)
    scores, positive = random.integers(0, 21, size) / 20, random.random(size) < 0.4
    positive[:2] = True, False
    tp, fp, tn, fn, precision, recall = counts(scores, positive)
    known = precision_recall_curve(positive, scores)
    for p, r, threshold in zip(*(part[: len(known[2])] for part in known), strict=True):
        place = round(threshold * (THRESHOLDS - 1))
        assert (precision[place], recall[place]) == pytest.approx((p, r))
    for place in (0, 47, 130, 200):
        said = scores >= place / (THRESHOLDS - 1)
        assert [[tn[place], fp[place]], [fn[place], tp[place]]] == confusion_matrix(positive, said).tolist()


def test_what_says_yes_or_no_has_a_curve_each(cli: Command, tmp_path: Path) -> None:
    brief = (
        "experiment=gaussians",
        "data.size=200",
        "loop.batch_size=16",
        "loop.steps=30",
        "monitor.progress=false",
    )
    assert cli(*brief, "seed=1").code == 0
    written = tensors(run_folder(tmp_path / "out"))
    assert written["pr/1"][0][0] == 30 and written["pr/1"][0][1].shape == (6, THRESHOLDS)
    assert [step for step, _ in written["weights/gradients/weight_0"]] == [0, 10, 20, 30]
    classes = prepared(runs=1)
    assert not [*pr_curves(classes.result(), 0)]
