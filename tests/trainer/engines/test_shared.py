"""Groups that share parameters (model.shared), from a config to results."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.common.segments import Segments
from packtrain.kernels.language import parse
from packtrain.kernels.least_squares import Problem
from packtrain.trainer.folder.result import Result
from packtrain.trainer.session import Session
from tests.kernels.least_squares.shared_fits import Dense
from tests.trainer.configs import pack_of
from tests.trainer.fits import FIT

T = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0]
NOISE = np.random.default_rng(3).normal(0, 0.02, (3, len(T)))
TRUTH = {"p": (2.0, 0.5), "q": (3.0, 0.1), "r": (1.5, 0.3)}  # a and c of each cell; k is 0.8 in all
CELLS = {
    cell: [a * math.exp(-0.8 * t) + c + float(e) for t, e in zip(T, NOISE[row], strict=True)]
    for row, (cell, (a, c)) in enumerate(TRUTH.items())
}
DECAY = (
    'model.expressions=["y = a*exp(-k*t) + c"]',
    "model.variables=[t]",
    "model.initial={a: 1, k: 1, c: 0}",
)


def data(cells: Mapping[str, list[Any]]) -> tuple[str, ...]:
    """Fields of a table of cells, the rows of each apart from one another."""
    rows = [(cell, t, y) for place, t in enumerate(T) for cell, ys in cells.items() for y in [ys[place]]]
    cell, t, y = (", ".join(str(value) for value in column) for column in zip(*rows, strict=True))
    return "data=table", f"data.table={{cell: [{cell}], t: [{t}], y: [{y}]}}", "data.group=cell"


def result_of(*overrides: str) -> Result:
    session = Session.prepare(pack_of(*FIT, "compute.device=cpu", "loop.batch_size=full", *overrides))
    while not session.done:
        session.advance()
    return session.result()


def test_values_and_standard_errors_are_scipys() -> None:
    result = result_of(*DECAY, *data(CELLS), "model.shared=[k]")
    graph = parse("y = a*exp(-k*t) + c", variables=["t"])
    targets = torch.tensor(list(CELLS.values()), dtype=torch.float64).flatten()[:, None]
    inputs = torch.tensor(T, dtype=torch.float64).repeat(3)[:, None]
    problem = Problem(inputs, targets, segments=Segments.after_another(torch.tensor([len(T)] * 3)))
    start = torch.tensor([[{"a": 1.0, "k": 1.0, "c": 0.0}[p] for p in graph.parameters]] * 3).double()
    far = torch.full_like(start, math.inf)
    shared = torch.tensor([name == "k" for name in graph.parameters])
    best, errors = Dense(graph, problem, shared).by_scipy(start, far > 0, -far, far)
    for row, value, error in zip(result.rows, best.tolist(), errors.tolist(), strict=True):
        for name, v, e in zip(graph.parameters, value, error, strict=True):
            assert row["parameters"][name]["value"] == pytest.approx(v, rel=1e-8)
            assert row["parameters"][name]["stderr"] == pytest.approx(e, rel=1e-8)
        assert row["outcome"] == "finished" and row["fit"]["degrees_of_freedom"] == 3 * len(T) - 7
    together, rows = result.summary["joint_fit"], list(result.rows)
    assert result.summary["shared"] == {"k": rows[0]["parameters"]["k"]}
    assert together["groups"] == 3 and together["left_out"] == 0
    assert together["rss"] == pytest.approx(sum(row["fit"]["rss"] for row in rows))
    assert together["residual_std"] == pytest.approx(math.sqrt(together["rss"] / (3 * len(T) - 7)))


def test_a_group_of_no_use_is_left_out_and_says_so() -> None:
    cells = {**CELLS, "s": ["nan", *CELLS["p"][1:]]}
    whole = result_of(*DECAY, *data(CELLS), "model.shared=[k]")
    result = result_of(*DECAY, *data(cells), "model.shared=[k]")
    *good, bad = result.rows
    assert [row["parameters"] for row in good] == [row["parameters"] for row in whole.rows]
    assert bad["outcome"] == "failed" and bad["message"].endswith("the other groups were fitted without it")
    assert result.summary["joint_fit"]["groups"] == 3 and result.summary["joint_fit"]["left_out"] == 1


def test_each_value_of_a_pack_and_each_start_is_a_joint_fit() -> None:
    fields = *DECAY[:2], *data(CELLS), "model.shared=[k]"
    start = "model.initial={a: 1, c: 0}"
    both = result_of(*fields, start, 'pack.over={model.initial.k: "0.2,5"}')
    alone = result_of(*fields, start, "model.initial.k=5")
    parameters = [row["parameters"] for row in both.rows if row["values"]["model.initial.k"] == 5]
    assert parameters == [row["parameters"] for row in alone.rows]
    assert both.summary["joint_fit"]["fits"] == 2
    starts = result_of(*fields, "model.initial={a: [0.5, 3], k: [0.2, 2], c: 0}", "model.starts=4")
    assert starts.summary["multi_start"]["starts"] == 4 and starts.summary["joint_fit"]["fits"] == 4
    assert starts.summary["shared"]["k"]["value"] == pytest.approx(alone.summary["shared"]["k"]["value"])
    assert set(starts.summary["multi_start"]["minima"][0]["parameters"]) == {"k"}


def test_all_groups_of_a_saddle_are_none_that_converged() -> None:
    lines = {"p": [1 + t for t in T], "q": [2 + 2 * t for t in T]}
    fields = 'model.expressions=["y = a^2*t + k"]', "model.variables=[t]", "model.initial={a: 0, k: 1}"
    result = result_of(*fields, *data(lines), "model.shared=[k]")
    assert [row["outcome"] for row in result.rows] == ["failed", "failed"]
    assert all("every derivative by a is 0 here" in row["message"] for row in result.rows)


def test_a_robust_loss_is_shared_too() -> None:
    cells = {**CELLS, "p": [*CELLS["p"][:-1], 9.0]}
    fields = *DECAY, *data(cells), "model.shared=[k]"
    robust = result_of(*fields, "model.loss=cauchy", "model.loss_constants.delta=0.05")
    squares = result_of(*fields)
    assert robust.summary["shared"]["k"]["value"] == pytest.approx(0.8, abs=0.1)
    assert abs(squares.summary["shared"]["k"]["value"] - 0.8) > 0.1


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["data.group=null"], "model.shared=\\[k\\] is one value for all groups, and there are none"),
        (["model.fixed=[k]"], "model.shared and model.fixed both name k"),
        (["model.shared=[z]"], "model.shared: the equations have no parameter 'z'"),
        (["pack.slice=[0,2]"], "pack.slice takes some of their runs"),
        (["fit.intervals=profile"], "model.shared ties to the others: fit.intervals=linear"),
        (["compute.precision=fp32"], "model.shared is fitted by Numba, on the CPU in fp64"),
        (["compute.backend=reference"], "model.shared is fitted by Numba, on the CPU in fp64"),
        (
            ["optimizer=adam", "loop.steps=9"],
            "model.shared is for optimizer=levenberg_marquardt and gauss_newton, and this run has",
        ),
    ],
)
def test_what_cannot_be_shared_is_refused(overrides: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        result_of(*DECAY, *data(CELLS), "model.shared=[k]", *overrides)


def test_a_fit_goes_on_from_its_memory() -> None:
    fields = *DECAY, *data(CELLS), "model.shared=[k]", "loop.batch_size=full"

    def session() -> Session:
        return Session.prepare(pack_of(*FIT, "compute.device=cpu", *fields))

    whole, first, second = session(), session(), session()
    while not whole.done:
        whole.advance()
    first.advance(2)
    second.restore(first.step, {name: part.clone() for name, part in first.memory.items()})
    while not second.done:
        second.advance()
    assert [row["parameters"] for row in second.result().rows] == [
        row["parameters"] for row in whole.result().rows
    ]
