"""What a training predicts for frames, files and mappings: the columns, classes and probabilities."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from pyarrow import csv
from sklearn.datasets import load_iris

import packtrain
from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.pack import Pack
from packtrain.trainer.config.schema import Config, DataConfig
from packtrain.trainer.data.table import Table
from packtrain.trainer.engines.rows import Rows
from packtrain.trainer.folder.group_runs import best_of_groups
from packtrain.trainer.folder.objective import Objective
from packtrain.trainer.folder.trained import Trained
from packtrain.trainer.folder.write import write
from packtrain.trainer.models.predict import outputs_of, predict, predict_each
from packtrain.trainer.session import Session
from tests.helpers import assert_close
from tests.trainer.configs import pack_of

TRAIN = "loop.batch_size=full", "compute.device=cpu", "optimizer.lr=0.05"
CARS = pd.DataFrame(
    {
        "colour": ["red", "blue", "red", "green", "blue", "green"],
        "size": ["small", "large", "small", "medium", "medium", "large"],
        "sold": ["2024-01-01", "2024-02-01", "2024-01-15", "2024-03-01", "2024-03-09", "2024-01-02"],
        "km": [10.0, 20.0, None, 40.0, 50.0, 70.0],
        "price": [9.0, 8.0, 7.0, 6.0, 5.0, 1.0],
    }
)
ENCODE = "data.encode={size: [small, medium, large]}", "data.missing=impute", "data.standardize=all"


def trained_in(folder: Path, *overrides: str) -> Trained:
    """A training, written into the folder and read back."""
    return packtrain.load(folder) if written(folder, pack_of(*TRAIN, *overrides)) else None  # pyright: ignore


def written(folder: Path, pack: Pack) -> Path:
    session = Session.prepare(pack)
    while not session.done:
        session.advance()
    folder.mkdir(exist_ok=True)
    write(folder, session.result())
    return folder


@pytest.fixture
def cars(tmp_path: Path) -> Trained:
    CARS.to_csv(tmp_path / "cars.csv", index=False)
    given = "~experiment", "model=mlp", "model.widths=[5]", "model.loss=mse", "data=file", "loop.steps=20"
    path = f"data.path={tmp_path}/cars.csv"
    return trained_in(tmp_path / "out", *given, path, "data.columns={targets: price}", *ENCODE)


def test_a_table_of_any_kind_is_predicted_as_its_inputs_are(cars: Trained, tmp_path: Path) -> None:
    """What was done to the columns in training is done by hand here."""
    days = (pd.to_datetime(CARS.sold) - pd.Timestamp("2024-01-01")).dt.total_seconds()
    places = {"small": 0, "medium": 1, "large": 2}
    one_hot = [(CARS.colour == colour).astype(float) for colour in ("blue", "green", "red")]
    by_hand = np.stack([*one_hot, CARS["size"].map(lambda size: places[size]), days, CARS.km.fillna(38.0)], 1)
    expected = cars.predict(by_hand, run=0)[:, 0].numpy()
    assert cars.inputs == ("colour=blue", "colour=green", "colour=red", "size", "sold", "km")
    shuffled = CARS[["km", "sold", "price", "size", "colour"]].set_index(pd.Index(list("uvwxyz")))
    frame = cars.predict(shuffled)
    assert isinstance(frame, pd.DataFrame) and list(frame.index) == list("uvwxyz")
    assert np.array_equal(frame["predicted.price"], expected) and frame.shape == (6, 1)
    frame = cars.predict(pl.from_pandas(CARS))
    assert isinstance(frame, pl.DataFrame) and np.array_equal(frame["predicted.price"].to_numpy(), expected)
    for given in (pa.Table.from_pandas(CARS), tmp_path / "cars.csv", str(tmp_path / "cars.csv")):
        frame = cars.predict(given, run="best")
        assert isinstance(frame, pa.Table)
        assert np.array_equal(frame["predicted.price"].to_numpy(), expected)
    mapping = cars.predict({name: CARS[name].to_numpy() for name in CARS if name != "price"}, run=0)
    assert isinstance(mapping, torch.Tensor) and np.array_equal(mapping[:, 0].numpy(), expected)
    encoded = dict(zip(cars.inputs, torch.from_numpy(by_hand).T, strict=True))
    assert np.array_equal(cars.predict(encoded)[0, :, 0].numpy(), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "pink"}, "row 2, column colour: expected one of blue, green, red, got 'pink'"),
        ({"size": "tiny"}, "row 2, column size: expected one of small, medium, large, got 'tiny'"),
        ({"sold": "soon"}, "row 2, column sold: expected a date such as 2024-01-31"),
        ({"km": "far"}, "row 2, column km: expected a finite number, got 'far'"),
    ],
)
def test_what_was_not_there_in_training_is_one_sentence(
    cars: Trained, change: dict[str, Any], message: str
) -> None:
    ((column, cell),) = change.items()
    frame = CARS.astype({column: object})
    frame.loc[1, column] = cell
    with pytest.raises(UserError, match=message):
        cars.predict(frame)


def test_a_missing_column_is_named(cars: Trained) -> None:
    with pytest.raises(UserError, match=r"missing: colour \(did you mean color\?\); data has color, "):
        cars.predict(CARS.rename(columns={"colour": "color"}))


def test_an_old_folder_takes_tables_by_the_names_of_its_inputs(tmp_path: Path) -> None:
    """A model.safetensors without features, as earlier versions wrote it."""
    old = Path(__file__).parent / "older"
    trained = packtrain.load(old)
    assert not trained.features
    frame = pd.DataFrame({name: [0.25, 0.5] for name in trained.inputs})
    expected = trained.predict(torch.full((2, len(trained.inputs)), 0.25), run=0)[0]
    predicted = trained.predict(frame, run=0)
    assert list(predicted) == [f"predicted.{name}" for name in trained.targets]
    assert_close(torch.tensor(predicted.to_numpy()[0]).double(), expected.double(), torch.float32)


def test_equations_take_the_column_that_their_variable_had(tmp_path: Path) -> None:
    given = "~experiment", "model.expressions=['y = a*t']", "data=table", "loop.steps=3"
    columns = "data.columns={t: time, y: celsius}", "data.table={time: [1, 2, 3], celsius: [2, 4, 6]}"
    trained = trained_in(tmp_path / "out", *given, *columns)
    expected = trained.predict([[1.0], [5.0]], run=0)[:, 0].tolist()
    for name in ("time", "t"):
        assert trained.predict(pd.DataFrame({name: [1, 5]}))["predicted.y"].tolist() == expected
        assert trained.predict({name: [1, 5]}, run=0)[:, 0].tolist() == expected
    both = {"time": [9, 9], "t": [1, 5]}
    assert trained.predict(both, run=0)[:, 0].tolist() == expected
    assert trained.predict(pd.DataFrame(both))["predicted.y"].tolist() != expected


def iris_of(folder: Path, *overrides: str) -> tuple[Trained, pd.DataFrame]:
    bunch: Any = load_iris(as_frame=True)
    frame = bunch.data.assign(species=np.array(bunch.target_names)[bunch.target])
    folder.mkdir(exist_ok=True)
    frame.to_csv(folder / "iris.csv", index=False)
    given = "~experiment", "model=mlp", "model.widths=[6]", "data=file", f"data.path={folder}/iris.csv"
    columns = "data.columns={targets: species}", "data.standardize=true", "loop.steps=60"
    return trained_in(folder / "out", *given, *columns, *overrides), frame.drop(columns="species")


def test_classes_have_labels_and_probabilities(tmp_path: Path) -> None:
    trained, frame = iris_of(tmp_path)
    assert trained.labels == ("setosa", "versicolor", "virginica")
    outputs = trained.predict(frame.to_numpy())
    assert_close(trained.predict_proba(frame.to_numpy()), outputs.double().softmax(-1))
    labels = np.array(trained.labels)[outputs.argmax(-1)]
    assert np.array_equal(trained.classify(frame.to_numpy()), labels)
    assert np.array_equal(trained.classify(frame.to_numpy(), run=0), labels[0])
    predicted = trained.predict(frame)
    names = [f"probability.{label}" for label in trained.labels]
    assert list(predicted) == ["predicted.species", *names]
    assert np.array_equal(predicted["predicted.species"], labels[0])
    assert np.array_equal(trained.predict_proba(frame), predicted[names])
    assert np.array_equal(trained.classify(frame), labels[0])
    known: Any = load_iris()
    right = (labels[0] == np.array(trained.labels)[known.target]).mean()
    assert right > 0.85


def test_one_hot_classes_have_labels_and_no_probabilities(tmp_path: Path) -> None:
    trained, frame = iris_of(tmp_path, "model.loss=mse")
    assert trained.labels == ("setosa", "versicolor", "virginica")
    assert list(trained.predict(frame)) == ["predicted.species"]
    for given in (frame, frame.to_numpy()):
        with pytest.raises(UserError, match=r"model.loss=mse has no probabilities; cross_entropy has"):
            trained.predict_proba(given)


def test_yes_or_no_is_a_number_with_a_probability(tmp_path: Path) -> None:
    table = "data.table={x: [0, 1, 2, 3], sick: [0, 0, 1, 1], tired: [0, 1, 0, 1]}"
    given = "~experiment", "model=mlp", "model.widths=[4]", "data=table", table, "loop.steps=9"
    binary = "model.loss=binary_cross_entropy"
    one = trained_in(tmp_path / "one", *given, binary, "data.columns={inputs: x, targets: sick}")
    frame = pd.DataFrame({"x": [0.0, 3.0]})
    logits = one.predict(frame.to_numpy(), run=0)[:, 0].double()
    predicted = one.predict(frame)
    assert list(predicted) == ["predicted.sick", "probability.0", "probability.1"] and one.labels == (
        "0",
        "1",
    )
    assert_close(torch.tensor(predicted["probability.1"].to_numpy()), logits.sigmoid())
    assert predicted["predicted.sick"].tolist() == ["1" if logit > 0 else "0" for logit in logits]
    both = trained_in(tmp_path / "both", *given, binary, "data.columns={inputs: x, targets: [sick, tired]}")
    predicted = both.predict(frame)
    names = ["predicted.sick", "predicted.tired", "probability.sick", "probability.tired"]
    assert list(predicted) == names and not both.labels
    logits = both.predict(frame.to_numpy(), run=0)
    assert np.array_equal(predicted[names[:2]], logits > 0)
    assert both.predict_proba(frame.to_numpy()).shape == (1, 2, 2)
    with pytest.raises(UserError, match="predicts sick, tired, and no classes"):
        both.classify(frame)


def test_counts_are_predicted_as_rates(tmp_path: Path) -> None:
    given = "~experiment", "model.expressions=['y = a*x']", "data=table", "model.loss=poisson", "loop.steps=3"
    trained = trained_in(tmp_path / "out", *given, "data.table={x: [0, 1, 2], y: [1, 2, 4]}")
    logarithm = trained.predict([[1.0], [2.0]], run=0)[:, 0].double()
    predicted = trained.predict(pd.DataFrame({"x": [1.0, 2.0]}))["predicted.y"]
    assert_close(torch.tensor(predicted.to_numpy()), logarithm.exp())


def test_of_several_runs_a_table_takes_one(tmp_path: Path) -> None:
    trained, frame = iris_of(tmp_path, 'pack.over={seed: "range(0,3)"}')
    with pytest.raises(UserError, match=r"there are 3 runs, and a table is predicted by one: .*run='best'"):
        trained.predict(frame)
    best = trained.predict(frame, run="best")
    alone = packtrain.load(tmp_path / "out", run="best")
    assert best.equals(alone.predict(frame)) and not best.equals(trained.predict(frame, run=2))
    outputs = trained.predict(frame.to_numpy())
    for run in range(3):
        assert torch.equal(trained.predict(frame.to_numpy(), run=run), outputs[run])


def grouped(folder: Path, *overrides: str) -> tuple[Trained, pd.DataFrame]:
    rng, rows = np.random.default_rng(0), []
    for place, cell in enumerate(("c2", "a7", "b1")):
        for t in range(3 + place):
            rows.append((cell, place, t, (place + 1) * np.exp(-0.3 * t) + 0.01 * rng.normal()))
    frame = pd.DataFrame(rows, columns=["cell", "plate", "t", "y"])
    folder.mkdir(exist_ok=True)
    frame.to_csv(folder / "cells.csv", index=False)
    given = "~experiment", "model.expressions=['y = a*exp(-k*t)']", "data=file", "model.variables=[t]"
    fit = (
        "optimizer=levenberg_marquardt",
        "compute.precision=fp64",
        "compute.backend=reference",
        "loop.steps=50",
    )
    kept = [word for word in TRAIN if not word.startswith("optimizer")]
    pack = pack_of(*kept, *given, *fit, f"data.path={folder}/cells.csv", *overrides)
    return packtrain.load(written(folder / "out", pack)), frame


@pytest.mark.parametrize("group", ["cell", "[cell, plate]", "plate"])
def test_each_row_is_predicted_by_the_run_of_its_group(group: str, tmp_path: Path) -> None:
    starts = "model.starts=3", "model.initial={a: [0.5, 2], k: [0.1, 1]}"
    trained, frame = grouped(tmp_path, f"data.group={group}", *starts)
    assert trained.groups is not None and len(trained.groups.runs) == 3 and trained.model.runs == 9
    mixed = frame.sample(frac=1, random_state=1)
    predicted = trained.predict(mixed)["predicted.y"]
    assert list(predicted.index) == list(mixed.index)
    assert np.abs(predicted - mixed.y).max() < 0.05
    for place, cell in enumerate(("c2", "a7", "b1")):
        rows = mixed[mixed.cell == cell]
        run = trained.groups.runs[place]
        assert 3 * place <= run < 3 * place + 3  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]
        assert np.array_equal(predicted[rows.index], trained.predict(rows, run=run)["predicted.y"])
    with pytest.raises(UserError, match=r"row 1: .* can't be predicted: it was trained on no such group"):
        trained.predict(mixed.assign(cell="z", plate=9))


def test_the_best_run_of_each_group_is_the_one_that_predicts() -> None:
    """By the loss, or the objective where there is one; a group whose runs all failed has none."""
    config = Config(data=DataConfig("file", group="cell"))
    pack = Pack(config, {"cell": ["b", "b", "b", "a", "a", "c"], "start": [0, 1, 2, 0, 1, 0]}, 6)
    loss = {"train": {"last": np.array([3.0, 1.0, np.nan, 2.0, 2.0, 1.0])}, "validation": None}
    outcomes = ["finished", "finished", "diverged", "finished", "finished", "failed"]
    metrics = {"r2": np.array([0.9, 0.1, 0.1, 0.1, 0.2, 0.9])}
    rows = Rows({"index": range(6), "outcome": outcomes, "loss": loss, "metrics": metrics})
    groups = best_of_groups(pack, rows, None)
    assert groups is not None and groups.keys == {"cell": ["b", "a", "c"]} and groups.runs == [1, 3, None]
    by_r2 = best_of_groups(pack, rows, Objective("metrics.r2", maximized=True))
    assert by_r2 is not None and by_r2.runs == [0, 4, None]
    with pytest.raises(UserError, match=r"new.csv, row 2: cell=c can't be predicted: no run of it is of use"):
        groups.of_rows(Table("new.csv", {"cell": np.array(["a", "c"])}))


def test_each_sample_by_its_own_model_is_as_that_model_alone() -> None:
    pack = pack_of("experiment=gaussians", "data.size=40", 'pack.over={seed: "range(0,5)"}', *TRAIN)
    model = Session.prepare(pack).engine.model
    inputs = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    run = torch.randint(0, 5, (50,), generator=torch.Generator().manual_seed(1))
    own = predict_each(model, inputs, run)
    for index in range(5):
        rows = run == index
        alone = outputs_of(model.of(torch.tensor([index])), inputs[rows])[0].detach()
        assert torch.equal(own[rows], alone)
    assert torch.equal(predict(model, inputs)[2], predict(model.of(torch.tensor([2])), inputs)[0])


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pack = pack_of('pack.over={seed: "range(0,5)"}', "data.size=64", *TRAIN)
    model = Session.prepare(pack).engine.model
    inputs, run = torch.rand(33, 1), torch.arange(33) % 4
    whole = predict(model, inputs), predict_each(model, inputs, run)
    monkeypatch.setattr("packtrain.trainer.models.predict.MOST_NUMBERS", 3 * model.width)
    assert torch.equal(predict(model, inputs), whole[0])
    assert torch.equal(predict_each(model, inputs, run), whole[1])


def test_what_is_written_is_read_by_others(cars: Trained, tmp_path: Path) -> None:
    frame = cars.predict(tmp_path / "cars.csv")
    csv.write_csv(frame, tmp_path / "predicted.csv")
    assert np.allclose(pd.read_csv(tmp_path / "predicted.csv")["predicted.price"], frame["predicted.price"])
