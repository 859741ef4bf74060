"""A stream trains with the bits of data in memory, of which it holds two windows."""

import hashlib
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from packtrain.trainer.config.pack import make_pack
from packtrain.trainer.config.schema import LoopConfig, ModelConfig
from packtrain.trainer.console import training
from packtrain.trainer.data.stream.rings import ring_of
from packtrain.trainer.data.stream.streamed import Streamed
from packtrain.trainer.engines.prepare import load_data
from packtrain.trainer.session import Session
from tests.trainer.data.stream.streaming import FORMATS, ROWS, config, outcome, prepared, write
from tests.trainer.sessions import drive

HELD_OUT = {"validation": 0.2, "test": 0.1, "split": "last"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("streamed")
    return {kind: write(folder, kind) for kind in FORMATS}


@pytest.fixture(scope="module")
def in_memory(files: dict[str, Path]) -> dict[str, Any]:
    """What trainings on data in memory end with, by engine."""
    return {
        engine: outcome(prepared(config(files["parquet"], "file", engine, **HELD_OUT)))
        for engine in ("fused", "step")
    }


@pytest.mark.sampled(4)
@pytest.mark.parametrize("engine", ["fused", "step"])
@pytest.mark.parametrize("kind", FORMATS)
def test_the_bits_are_those_of_data_in_memory(
    kind: str, engine: str, files: dict[str, Path], in_memory: dict[str, Any]
) -> None:
    if engine == "step" and kind not in ("parquet", "npy"):
        pytest.skip("what a file is read into doesn't depend on the engine")
    session = prepared(config(files[kind], "stream", engine, **HELD_OUT))
    assert isinstance(session.data.train, Streamed) and isinstance(session.engine.kind, str)
    assert outcome(session) == in_memory[engine]


def test_what_fits_into_two_windows_stays_in_memory_with_the_same_bits(
    files: dict[str, Path], in_memory: dict[str, Any]
) -> None:
    """The windows are other ones, so the order is; held out are the same rows, so both start alike."""
    given = config(files["parquet"], window=400, **HELD_OUT)
    session = prepared(given)
    assert not isinstance(session.data.train, Streamed)
    assert outcome(session) == outcome(prepared(config(files["parquet"], "file", window=400, **HELD_OUT)))
    assert outcome(prepared(given)) != in_memory["fused"]


def test_the_order_of_an_epoch_is_by_the_seed(files: dict[str, Path], in_memory: dict[str, Any]) -> None:
    assert outcome(prepared(config(files["npy"], seed=1, **HELD_OUT))) != in_memory["fused"]


@pytest.mark.parametrize("scaled", ["inputs", "targets", "all"])
def test_scales_are_those_of_the_training_part(scaled: str, files: dict[str, Path]) -> None:
    given = config(files["parquet"], validation=0.3, standardize=scaled)
    given.model = ModelConfig("mlp", widths=[2, 4, 1])
    given.data.columns = {"inputs": ["x", "z"], "targets": "y"}
    streamed = load_data(make_pack(given)).train
    assert isinstance(streamed, Streamed)
    held, here = streamed.resident(), {"inputs", "targets"} if scaled == "all" else {scaled}
    for what in ("inputs", "targets"):
        values = getattr(held, what).double()
        is_scaled = values.mean(0).abs().max() < 1e-6 and (values.std(0, correction=0) - 1).abs().max() < 1e-6
        assert is_scaled == (what in here)
    assert (held.mean is None) == ("inputs" not in here)


def test_a_scaled_stream_trains_as_its_samples_in_memory(files: dict[str, Path]) -> None:
    given = config(files["feather"], validation=0.2, standardize="inputs")
    data = load_data(make_pack(given))
    whole = data.each(lambda part: part.resident() if isinstance(part, Streamed) else part)
    assert isinstance(data.train, Streamed) and not isinstance(whole.train, Streamed)
    assert outcome(prepared(given, data)) == outcome(prepared(given, whole))


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("kind", "engine"), [("npy", "fused"), ("npz", "step"), ("safetensors", "fused")])
def test_all_samples_are_shuffled_where_single_rows_are_read(
    kind: str, engine: str, files: dict[str, Path]
) -> None:
    """In memory a held-out part is drawn out of order, so nothing is held out."""
    streamed, whole = (prepared(config(files[kind], of, engine, shuffle="full")) for of in ("stream", "file"))
    assert isinstance(streamed.data.train, Streamed)
    assert outcome(streamed) == outcome(whole)


def test_in_the_order_of_the_files(files: dict[str, Path]) -> None:
    ends = []
    for kind in ("stream", "file"):
        given = config(files["parquet"], kind)
        given.loop = LoopConfig(batch_size=32, steps=60, order="sequential")
        ends.append(outcome(prepared(given)))
    assert ends[0] == ends[1]


def test_classes_are_learned_from_all_rows(files: dict[str, Path]) -> None:
    given = config(files["parquet"], validation=0.2)
    given.model.expressions = ["xleft = a*x + b*z", "xright = c*x + d*z"]
    given.model.loss = "cross_entropy"
    given.data.columns = {"x": "x", "z": "z", "targets": "side"}
    session = prepared(given)
    drive(session)
    result = session.result()
    assert session.data.train.target_names == ("left", "right")
    assert result.rows[0]["metrics"]["accuracy"] > 0.9
    assert result.summary["confusion"]["classes"] == ["left", "right"]


def test_a_session_goes_on_from_its_memory(files: dict[str, Path], in_memory: dict[str, Any]) -> None:
    """In the middle of a window, and of a block of steps."""
    given = config(files["npz"], engine="fused", **HELD_OUT)
    before, after = prepared(given), Session.prepare(make_pack(given))
    drive(before, lambda session: session.step >= 37)
    after.restore(before.step, {name: tensor.clone() for name, tensor in before.memory.items()})
    drive(after)
    assert after.engine.model.parameters.tolist() == in_memory["fused"][0]


def test_a_run_folder_is_that_of_data_in_memory(files: dict[str, Path], tmp_path: Path) -> None:
    """SHA-256 of the model and the rows, also of one that was stopped twice and went on."""
    digests = []
    for kind, stops in (("file", ()), ("stream", (5, 3))):
        given = config(files["parquet"], kind, **HELD_OUT)
        given.checkpoint.every = 10
        folder = tmp_path / kind
        for slices in stops:
            left = iter([""] * slices)
            training.run(make_pack(given), folder, quiet(), stop=lambda left=left: next(left, "enough"))
        training.run(make_pack(given), folder, quiet())
        names = "model.safetensors", "runs.csv"
        digests.append([hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names])
    assert digests[0] == digests[1]


def quiet() -> Console:
    return Console(file=StringIO())


def test_no_more_than_two_windows_are_held(files: dict[str, Path]) -> None:
    session = prepared(config(files["parquet"]))
    data = session.data.train
    assert isinstance(data, Streamed)
    ring = ring_of(data.stream, session.engine.order)
    assert len(ring.samples) == 2 * data.stream.blocks.largest < ROWS
    assert data.stream.blocks.largest <= 250 and data.stream.blocks.windows == 5
    drive(session)
    assert ring_of(data.stream, session.engine.order) is ring


def test_parts_and_samples_are_those_of_the_whole(files: dict[str, Path]) -> None:
    data = load_data(make_pack(config(files["parquet"], validation=0.3))).train
    assert isinstance(data, Streamed)
    whole = data.resident()
    places = torch.tensor([3, 500, 4, 77])
    for index in (slice(40, 333), places):
        part, same = data.part(index), whole.part(index)
        assert part.inputs.equal(same.inputs) and part.targets.equal(same.targets)
        assert part.rows is not None and same.rows is not None and part.rows.equal(same.rows)
    blocks = [part.inputs for part in data.in_blocks(100)]
    assert torch.cat(blocks).equal(whole.inputs) and len(data) == len(whole) == len(torch.cat(blocks))
