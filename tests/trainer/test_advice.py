"""Sentences that give advice: what is refused, the words of it, and what serves when it is followed."""

import re
from pathlib import Path
from typing import Any

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.engines.build import make_engine
from tests.trainer.configs import untrained

MINE = "~experiment", "data=table", "loop.batch_size=full", "compute.backend=reference"
LINE = *MINE, "model.expressions=['xy = a*x + b']"
POINTS = "data.table={x: [0, 1, 2, 3], xy: [1, 2, 3, 5]}"
TIMES = "data.table={x: [1700000000, 1700000010, 1700000020], xy: [1, 2, 3]}"
MLP = *MINE, "model=mlp", "model.widths=[1,4,2]"
LABELS = "data.table={x: [0, 1, 2, 3], target: [cat, dog, cat, dog]}"
GAUSSIANS = "experiment=gaussians", "data.size=40", "loop.batch_size=8", "compute.backend=reference"
SIGMOID = (
    "~experiment",
    "compute.backend=reference",
    "data=gaussians",
    "model.expressions=['xw = sigmoid(a*x1 + b*x2 + c)']",
)
TRUTH = "~experiment", "compute.backend=reference", "model.expressions=['xy = a*x + b']", "data.size=300"
FIT = "experiment=fit", "compute.backend=reference"

# what is refused; the advice; what is changed as it says: +added, -taken away, old -> new
CASES: list[tuple[tuple[str, ...], str, tuple[str, ...]]] = [
    ((*MINE, POINTS), 'model.expressions=["xy = a*x + b"]', ('+model.expressions=["xy = a*x + b"]',)),
    ((*LINE, "data=file"), "add data.path=FILE", ("+data.path=points.csv",)),
    (
        (*LINE, "data.table={time: [1, 2], xy: [1, 2]}"),
        "'data.columns={x: COLUMN}'",
        ("+data.columns={x: time}",),
    ),
    ((*LINE, "data.table={x: [1, 2], h: [1, 2]}"), "'data.columns={xy: COLUMN}'", ("+data.columns={xy: h}",)),
    (
        (*MINE, POINTS, "model.expressions=['xy = a*(x - x0)']"),
        "'model.parameters=[x0]'",
        ("+model.parameters=[x0]",),
    ),
    (
        (*MINE, POINTS, "model.expressions=['xy = x1*(x - x0)']", "model.parameters=[x1]"),
        "'model.parameters=[x1, x0]'",
        ("-model.parameters=[x1]", "+model.parameters=[x1, x0]"),
    ),
    (
        (*LINE, POINTS, "model.expressions=['xy = a*(x - x0)']", "model.initial={x0: 1}"),
        "'model.parameters=[x0]'",
        ("+model.parameters=[x0]",),
    ),
    (
        (*TRUTH, "model.expressions=['xy = a*(x - x0)']", "data.truth={a: 1, x0: 2}"),
        "'model.parameters=[x0]'",
        ("+model.parameters=[x0]",),
    ),
    ((*TRUTH, "data.truth={a: 1}"), "missing: b", ("-data.truth={a: 1}", "+data.truth={a: 1, b: 2}")),
    ((*TRUTH, "data.truth={a: 1, b: 1}", "data.size=null"), "add data.size=65536", ("+data.size=65536",)),
    ((*LINE, TIMES), "data.standardize=true", ("+data.standardize=true",)),
    ((*LINE, TIMES), "compute.precision=fp64", ("+compute.precision=fp64",)),
    (
        (*LINE, "data.table={x: [9007199254740993, 9007199254740994], xy: [1, 2]}", "compute.precision=fp64"),
        "subtract an offset from them in the file, such as the smallest, 9007199254740993",
        ("+data.table={x: [0, 1], xy: [1, 2]}",),
    ),
    ((*LINE, POINTS, "data.validation=0.9"), "leave some to train on", ("+data.validation=0.5",)),
    (
        (*MLP, "data.table={x: [0, 1], kind: [a, b]}"),
        "'data.columns={targets: COLUMN}'",
        ("+data.columns={targets: kind}",),
    ),
    (
        (*MINE, LABELS, "model.expressions=['xp = a*x', 'xq = b*x', 'xr = c*x']"),
        "one of 3 classes",
        ("+model.expressions=['xp = a*x', 'xq = b*x']",),
    ),
    (
        (*GAUSSIANS, "model.widths=[3,2]"),
        "say [2, 2], or, if these are hidden layers, [2, 3, 2, 2]",
        ("+model.widths=[2,3,2,2]",),
    ),
    ((*GAUSSIANS, "model.widths=null"), "such as [64, 32]", ("+model.widths=[64, 32]",)),
    ((*GAUSSIANS, "data.means=[[3, 3]]"), "such as [[3, 3], [5, 5]]", ("+data.means=[[3, 3], [5, 5]]",)),
    ((*GAUSSIANS, "model.quantize=[7]"), "layers from 0 to 1", ("+model.quantize=[1]",)),
    (
        (*GAUSSIANS, "model.widths=[2,300000,300000,2]"),
        "make model.widths smaller",
        ("+model.widths=[2,30,30,2]",),
    ),
    ((*GAUSSIANS, "data.size=1000000000000"), "make fewer samples", ("+data.size=100",)),
    (
        (*SIGMOID[:3], "model.expressions=['xw = sigmoid(a*xx1 + b*x2 + c)']"),
        "'data.columns={xx1: COLUMN}'",
        ("+data.columns={xx1: x1}",),
    ),
    (
        (*FIT, "model.bounds={b1: [2, 3]}", "model.initial={b1: 1, b2: 5}"),
        "set model.initial.b1",
        ("+model.initial.b1=2.5",),
    ),
    (
        (*FIT, "model.starts=4"),
        "give a range, as in 'model.initial={a: [0, 10]}'",
        ("+model.initial.b1=[0, 10]",),
    ),
    (
        (*LINE, POINTS, "model.expressions=['xy = a*(0 < x < 2)']"),
        "multiply two, as in (a < b)*(b < c)",
        ("+model.expressions=['xy = a*(0 < x)*(x < 2)']",),
    ),
    (
        (*LINE, POINTS, "model.expressions=['xy = a*pow(x, 2)']"),
        "x^y",
        ("+model.expressions=['xy = a*(x^2)']",),
    ),
    (
        (*LINE, POINTS, "model.expressions=['xy = a*Arctan(x)']"),
        "did you mean atan?",
        ("+model.expressions=['xy = a*atan(x)']",),
    ),
    (
        (*LINE, POINTS, "model.expressions=['xy = a*Exp(x)']"),
        "did you mean exp?",
        ("+model.expressions=['xy = a*exp(x)']",),
    ),
    (
        (*LINE, POINTS, "model.expressions=['xy = a*exp']"),
        "expected exp(...)",
        ("+model.expressions=['xy = a*exp(x)']",),
    ),
    (
        (*LINE, POINTS, "model.expressions=['y = a*x']"),
        "'data.columns={y: COLUMN}'",
        ("+data.columns={y: xy}",),
    ),
    (
        (*LINE, POINTS, "model.expressions=['xy = a*x + b*`the time`']"),
        "'data.columns={the time: COLUMN}'",
        ("+data.columns={the time: x}",),
    ),
    (
        (*LINE, POINTS, "model.expressions=['xy = (x > a)*x']"),
        "smooth the step, as in sigmoid((x - a)/w)",
        ("+model.expressions=['xy = sigmoid((x - a)/w)*x']",),
    ),
    (
        (*LINE, POINTS, "model.expressions=['xy = a*x']", "model.variables=[x, b]"),
        "model.variables: the equations have no name 'b'; they have x, xy, a",
        ("+model.variables=[x]",),
    ),
    (
        (*LINE, POINTS, "model.expressions=['xy = a*x']", "model.variables=[x]", "model.parameters=[x]"),
        "model.variables and model.parameters both name x: keep one",
        ("-model.parameters=[x]",),
    ),
    (
        (*LINE, POINTS, "model.expressions=['xy = x']"),
        "a name that is no variable",
        ("+model.expressions=['xy = a*x']",),
    ),
]


def followed(overrides: tuple[str, ...], changes: tuple[str, ...]) -> list[str]:
    """The arguments with these added (in the place of others of their field) and taken away."""
    found = [each for each in overrides if f"-{each}" not in changes]
    for added in (each[1:] for each in changes if each.startswith("+")):
        field = added.partition("=")[0]
        found = [each for each in found if each.partition("=")[0] != field] + [added]
    return found


def last_of_each(overrides: Any) -> list[str]:
    """A field that is given twice has its last value."""
    return list({each.partition("=")[0]: each for each in overrides}.values())


@pytest.mark.sampled(6)
@pytest.mark.parametrize(("overrides", "advice", "changes"), CASES)
def test_advice_that_is_followed_serves(
    overrides: tuple[str, ...],
    advice: str,
    changes: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("points.csv").write_text("x,xy\n1,2\n2,4\n")
    with pytest.raises(UserError, match=re.escape(advice)):
        make_engine(*untrained(*last_of_each(overrides)))
    engine = make_engine(*untrained(*last_of_each(followed(overrides, changes))))
    engine.advance(1)
    assert engine.model.parameters.isfinite().all()
