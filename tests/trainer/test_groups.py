"""data.group: every group is fitted as if it were alone."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import curve_fit

from packtrain.trainer.data.dataset import Data
from packtrain.trainer.folder.stored import read_table
from packtrain.trainer.session import Session
from tests.helpers import Command, result_in
from tests.trainer.configs import pack_of

SIZES = {"a": 5, "b": 9, "c": 5, "d": 30, "e": 1}
LINE = ("~experiment", "data=table", "monitor=quiet", 'model.expressions=["y = a*x + b"]')
LINE = (*LINE, "data.columns={x: x, y: y}", "compute.precision=fp64", "loop.steps=21")
DOSE = 'model.expressions=["y = low + (high - low)/(1 + (ec/dose)^h)"]'
START = "model.initial={low: 1, high: 8, ec: 1, h: 1}"

Row = tuple[str, float, float]  # group, x, y


def samples() -> list[Row]:
    """Lines of slope 2, the groups' rows among one another."""
    draw = np.random.default_rng(1)
    rows = [
        (name, float(x), float(2 * x + draw.normal()))
        for name, n in SIZES.items()
        for x in draw.normal(size=n)
    ]
    return [rows[i] for i in draw.permutation(len(rows))]


def table(rows: list[Row]) -> str:
    columns = (", ".join(map(str, column)) for column in zip(*rows, strict=True))
    return "data.table={{g: [{}], x: [{}], y: [{}]}}".format(*columns)


def ended(*overrides: str) -> Session:
    session = Session.prepare(pack_of(*overrides))
    while not session.done:
        session.advance()
    return session


def names_in(session: Session) -> list[str]:
    assert session.data.groups is not None
    return list(session.data.groups.keys["g"])


WAYS = [
    ("fused", "numba", "shared", "full"),
    ("fused", "numba", "shared", "4"),
    ("fused", "numba", "own", "4"),
    ("fused", "numba", "sequential", "4"),
    ("step", "numba", "shared", "4"),
    ("step", "reference", "own", "4"),
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("way", WAYS)
def test_a_group_trains_as_if_it_were_alone(way: tuple[str, ...]) -> None:
    engine, backend, order, batch = way
    asked = *LINE, f"engine={engine}", f"compute.backend={backend}", f"loop.order={order}", "optimizer=adam"
    asked = *asked, "data.validation=0.25", "monitor.validate_every=5"
    together = ended(
        *asked, f"loop.batch_size={batch}", table(samples()), "data.group=g", 'pack.over={seed: "3,4"}'
    )
    rows = together.result().rows
    assert [row["values"]["g"] for row in rows[::2]] == names_in(together)
    for place, name in enumerate(names_in(together)):
        if SIZES[name] == 1:  # alone it has nothing to hold out
            continue
        own = [row for row in samples() if row[0] == name]
        size = batch if len(together.data.train.of_run(2 * place)) > 4 else "full"
        alone = ended(*asked, f"loop.batch_size={size}", table(own), "seed=4")
        here, there = together.engine.model.parameters[2 * place + 1], alone.engine.model.parameters[0]
        assert torch.equal(here, there), name
        row = alone.result().rows[0]
        assert (row["loss"], row["metrics"]) == (rows[2 * place + 1]["loss"], rows[2 * place + 1]["metrics"])


@pytest.mark.sampled(2)
@pytest.mark.parametrize("backend", ["numba", "reference", "triton"])
@pytest.mark.parametrize("loss", ["sse", "huber"])
def test_a_group_is_fitted_as_if_it_were_alone(backend: str, loss: str) -> None:
    asked = *LINE, "optimizer=levenberg_marquardt", f"compute.backend={backend}", f"model.loss={loss}"
    together = ended(*asked, table(samples()), "data.group=g")
    rows = together.result().rows
    for place, name in enumerate(names_in(together)):
        alone = ended(*asked, table([row for row in samples() if row[0] == name])).result().rows[0]
        here = rows[place]
        assert (here["loss"], here["metrics"], here["parameters"]) == (
            alone["loss"],
            alone["metrics"],
            alone["parameters"],
        )
        assert here["fit"] == alone["fit"] and here["outcome"] == alone["outcome"]


def test_an_mlp_a_group() -> None:
    asked = (
        "~experiment",
        "data=table",
        "model=mlp",
        "model.widths=[1,4,1]",
        "model.loss=mse",
        "monitor=quiet",
        "loop.steps=15",
    )
    asked = *asked, "data.columns={inputs: x, targets: y}", "loop.batch_size=4", "optimizer.lr=0.01"
    together = ended(*asked, table(samples()), "data.group=g")
    for place, name in enumerate(names_in(together)):
        own = [row for row in samples() if row[0] == name]
        size = "4" if len(own) > 4 else "full"
        alone = ended(
            *asked[:-2],
            f"loop.batch_size={size}",
            "optimizer.lr=0.01",
            table([("q", x, y) for _, x, y in own]),
        )
        assert torch.equal(together.engine.model.parameters[place], alone.engine.model.parameters[0]), name


def doses(groups: int) -> list[Row]:
    draw, rows = np.random.default_rng(2), []
    for group in range(groups):
        x = 10 ** draw.uniform(-3, 3, draw.integers(8, 40))
        low, high, ec, h = (
            draw.uniform(0, 2),
            draw.uniform(6, 10),
            10 ** draw.uniform(-1, 1),
            draw.uniform(0.7, 2),
        )
        y = low + (high - low) / (1 + (ec / x) ** h) + draw.normal(0, 0.1, len(x))
        rows += [(f"c{group}", float(a), float(b)) for a, b in zip(x, y, strict=True)]
    return [rows[i] for i in draw.permutation(len(rows))]


def test_groups_agree_with_scipy(cli: Command, tmp_path: Path) -> None:
    rows, file = doses(40), tmp_path / "doses.csv"
    file.write_text("g,dose,y\n" + "".join(f"{g},{x!r},{y!r}\n" for g, x, y in rows))
    asked = (
        "experiment=fit",
        DOSE,
        START,
        f"data.path={file}",
        "data.columns={dose: dose, y: y}",
        "data.group=g",
    )
    assert cli(*asked, "monitor=quiet").code == 0
    found = result_in(tmp_path / "out")["run"]
    assert [row["values"]["g"] for row in found] == list(dict.fromkeys(g for g, _, _ in rows))

    def curve(x: np.ndarray, low: float, high: float, ec: float, h: float) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return low + (high - low) / (1 + (ec / x) ** h)

    def slopes(x: np.ndarray, low: float, high: float, ec: float, h: float) -> np.ndarray:
        ratio = (ec / x) ** h
        share = 1 / (1 + ratio)
        change = -(high - low) * share**2 * ratio
        return np.stack([1 - share, share, change * h / ec, change * np.log(ec / x)], 1)

    for row in found:
        x, y = np.array([row_[1:] for row_ in rows if row_[0] == row["values"]["g"]]).T
        values, covariance = curve_fit(
            curve, x, y, [1, 8, 1, 1], ftol=1e-14, xtol=1e-14, gtol=1e-14, jac=slopes
        )
        names = ("low", "high", "ec", "h")
        ours = np.array([[row["parameters"][name][key] for name in names] for key in ("value", "stderr")])
        np.testing.assert_allclose(ours, [values, np.sqrt(np.diag(covariance))], rtol=1e-6)


def test_groups_that_cant_be_used_harm_nobody(cli: Command, tmp_path: Path) -> None:
    """A cell is missing, one is infinite, a group has one row, one is constant."""
    file = tmp_path / "some.csv"
    good = [("ok", x, 2.0 * x + 1 + 0.1 * (-1) ** x) for x in range(6)]
    bad = [("nan", 1, ""), ("nan", 2, 3.0), ("inf", 1, "inf"), ("one", 1.0, 2.0)]
    constant = [("flat", x, 5.0) for x in range(4)]
    file.write_text("g,x,y\n" + "".join(f"{g},{x},{y}\n" for g, x, y in [*bad, *good, *constant]))
    asked = *LINE[:1], *LINE[2:5], "data=file", f"data.path={file}", "compute.precision=fp64", "loop.steps=50"
    assert cli(*asked, "optimizer=levenberg_marquardt", "data.group=g").code == 0
    rows = {row["values"]["g"]: row for row in result_in(tmp_path / "out")["run"]}
    assert rows["nan"]["outcome"] == rows["inf"]["outcome"] == "failed"
    assert "some.csv, column y, row 1: expected a finite number" in rows["nan"]["message"]
    assert "row 3" in rows["inf"]["message"]
    assert rows["ok"]["outcome"] == rows["one"]["outcome"] == rows["flat"]["outcome"] == "finished"
    assert rows["ok"]["parameters"]["a"]["stderr"] > 0 and rows["one"]["parameters"]["a"]["stderr"] is None
    assert cli(*asked, "data.group=g", "loop.batch_size=full", "hydra.run.dir=first").code == 0
    rows = {row["values"]["g"]: row for row in result_in(tmp_path / "first")["run"]}
    assert rows["nan"]["outcome"] == "failed" and rows["ok"]["outcome"] == "finished"
    assert rows["nan"]["loss"]["train"]["last"] is None


def test_rows_without_a_key_are_dropped_where_that_is_asked_for(cli: Command, tmp_path: Path) -> None:
    file = tmp_path / "keys.csv"
    file.write_text("g,x,y\na,0,1\n,1,9\na,1,2\nb,0,3\nb,1,\nb,2,5\n")
    asked = *LINE[:1], *LINE[2:5], "data=file", f"data.path={file}", "optimizer=levenberg_marquardt"
    refused = cli(*asked, "data.group=g", "loop.steps=9")
    assert refused.code == 2 and "row 2, column g" in refused.err
    ended = cli(*asked, "data.group=g", "loop.steps=9", "data.missing=drop")
    assert ended.code == 0 and "left out that have no value of g (data.missing=drop): 1" in ended.err
    rows = result_in(tmp_path / "out")["run"]
    assert [row["values"]["g"] for row in rows] == ["a", "b"]
    assert [row["fit"]["degrees_of_freedom"] for row in rows] == [0, 0]


def test_several_columns_are_one_key(cli: Command, tmp_path: Path) -> None:
    file = tmp_path / "plates.csv"
    cells = itertools.product(["p", "q"], [1, 2], [0.0, 1.0, 2.0])
    file.write_text("plate,index,x,y\n" + "".join(f"{p},{i},{x},{i * x}\n" for p, i, x in cells))
    asked = *LINE[:1], *LINE[2:5], "data=file", f"data.path={file}", "optimizer=levenberg_marquardt"
    assert cli(*asked, "data.group=[plate,index]", "loop.steps=50").code == 0
    values = [row["values"] for row in result_in(tmp_path / "out")["run"]]
    assert values[1] == {"plate": "p", "group.index": 2}  # runs.csv has a column index of its own


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("group", "sentence"),
    [
        ("nothing", "has no column 'nothing' for data.group"),
        ("[g,g]", "data.group names a column twice: g, g"),
        ("{a: b}", "data.group is a column or a list of them"),
    ],
)
def test_groups_that_are_none_are_refused(cli: Command, group: str, sentence: str) -> None:
    ended = cli(*LINE, table(samples()), f"data.group={group}")
    assert ended.code == 2 and sentence in ended.err


def test_data_without_groups_stay_as_they_are() -> None:
    session = Session.prepare(pack_of(*LINE, table(samples()), "optimizer=levenberg_marquardt"))
    assert isinstance(session.data, Data) and session.data.train.segments is None and session.pack.runs == 1


def test_a_sweep_cuts_groups_as_it_cuts_runs(cli: Command, tmp_path: Path) -> None:
    """Five groups of two seeds are ten runs, in cuts of four; each keeps its number and its key."""
    asked = *LINE, table(samples()), "data.group=g", "loop.batch_size=full", "seed=3,4", "search.max_pack=4"
    assert cli("-m", *asked, "hydra.sweep.dir=cut").code == 0
    assert cli("-m", *asked[:-1], "hydra.sweep.dir=whole").code == 0
    cut, whole = (read_table(tmp_path / name / "runs.csv").to_pylist() for name in ("cut", "whole"))
    assert [line["pack"] for line in cut] == [0] * 4 + [1] * 4 + [2] * 2 and len(cut) == 10
    for ours, theirs in zip(cut, whole, strict=True):
        assert {**ours, "pack": 0, "run": theirs["run"]} == theirs
    shown = cli("show", "cut", "run=5").out
    assert "slice:" in shown and "- 2\n" in shown.replace("  ", "") and "seed: 4" in shown
