"""A fit has converged at a minimum, and nowhere else; where it can't go on it says at which row, and why."""

from pathlib import Path

import numpy as np
import pytest
import torch

from packtrain.kernels.expression.fault import first_fault
from packtrain.kernels.language import parse
from packtrain.kernels.least_squares import CONVERGED
from packtrain.trainer.engines.outcome import Outcome
from tests.helpers import Command, result_in
from tests.trainer.fits import FIT, X, drive, engine_of, equation, run_of, values

H = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
ROOT = (0.004, 0.3129, 0.4551, 0.5482, 0.6405, 0.7788)  # 0.451 sqrt(h), and noise
EXPLODING = equation("xy = a*exp(b*x)", {"a": 1, "b": 6}, x=[0, 2, 4, 6, 8, 10], xy=[2, 7, 22, 73, 243, 807])
SCATTER = (1.1, 1.4, 2.1, 2.4, 3.1, 3.4)  # grows with x
YEARS = np.arange(1990.0, 2021.0)
SECONDS = 1.7e9 + 10 * np.arange(40.0)
BACKENDS = ("reference", "numba")


def column(data: np.ndarray) -> list[float]:
    return data.tolist()


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_exponent_below_1_is_found_with_a_row_at_0(backend: str, cli: Command, tmp_path: Path) -> None:
    settings = equation("xy = (k*x)^n", {"k": 0.8, "n": 2.4}, x=H, xy=ROOT)
    run = run_of(cli, tmp_path, *FIT, *settings, f"compute.backend={backend}")
    assert values(run)["n"] == pytest.approx(0.5, abs=0.03) and run["fit"]["rss"] < 1e-3
    assert values(run, "stderr")["n"] < 0.05


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("text", "initial", "x", "y", "expected"),
    [
        ("xy = sqrt(2*x/g)", {"g": 5}, H, np.sqrt(2 * np.array(H) / 9.81), {"g": 9.81}),
        (
            "xy = top/(1 + (k/x)^n)",
            {"top": 2, "k": 1, "n": 1},
            H,
            [0.0] + [3 / (1 + (0.8 / h) ** 1.5) for h in H[1:]],
            {"top": 3, "k": 0.8, "n": 1.5},
        ),
        ("xy = (x/k)^n", {"k": 2, "n": 0.9}, H, (np.array(H) / 1.4) ** 0.4, {"k": 1.4, "n": 0.4}),
        (
            "xy = 1/(1 + exp(k*(x - m)))",
            {"k": 800, "m": 0.9},
            H,
            1 / (1 + np.exp(3 * (np.array(H) - 1.2))),
            None,
        ),
    ],
)
def test_formulas_of_the_trade_that_meet_0_or_overflow(
    text: str,
    initial: dict[str, float],
    x: tuple[float, ...],
    y: np.ndarray,
    expected: dict[str, float] | None,
) -> None:
    engine = engine_of(*FIT, *equation(text, initial, x=x, xy=list(map(float, y))))
    assert engine.alive.all()
    while not engine.done:
        engine.advance(engine.horizon)
    if expected:
        assert int(engine.status[0]) in CONVERGED
        fitted = dict(zip(engine.model.layout, engine.model.parameters.tolist()[0], strict=True))
        assert fitted == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_fixed_needs_no_derivative(backend: str, cli: Command, tmp_path: Path) -> None:
    x = np.array([-2.0, -1.0, 1.0, 2.0, 3.0])
    settings = equation("xy = a*x^n", {"a": 1, "n": 3}, x=column(x), xy=column(0.7 * x**3))
    run = run_of(cli, tmp_path, *FIT, *settings, "model.fixed=[n]", f"compute.backend={backend}")
    assert values(run) == pytest.approx({"a": 0.7, "n": 3}) and run["fit"]["fixed"] == ["n"]


@pytest.mark.parametrize("backend", [pytest.param("reference", marks=pytest.mark.thorough), "numba"])
def test_a_wall_of_refused_steps_is_no_minimum(backend: str, cli: Command, tmp_path: Path) -> None:
    cli(*FIT, *EXPLODING, f"compute.backend={backend}", "loop.steps=2000")
    (run,) = result_in(tmp_path / "out")["run"]
    if run["outcome"] == "finished":
        assert values(run) == pytest.approx({"a": 1.9957, "b": 0.60024}, rel=1e-4)
    else:
        assert "no step that was tried" in run["message"] and set(values(run, "stderr").values()) == {None}


def test_nor_is_it_in_float32(cli: Command, tmp_path: Path) -> None:
    """Where the columns of the Jacobian differ by less than its rounding, the report would know better."""
    fit = [setting for setting in FIT if "precision" not in setting]
    ended = cli(*fit, *EXPLODING, "compute.precision=fp32", "loop.steps=100")
    (run,) = result_in(tmp_path / "out")["run"]
    assert ended.code == 1 and run["fit"]["criterion"] == "stuck"
    assert run_of(cli, tmp_path, *fit, *EXPLODING, "compute.precision=fp32", "model.initial.b=0.5")


# equation, where it starts, the data, and the parameters that are named
BESIDE = [
    ("xy = k^2*x", {"k": 0}, SCATTER, "k"),
    ("xy = c + (k - 3)^3*x", {"c": 0, "k": 3}, SCATTER, "k"),
    ("xy = a*b*x", {"a": 0, "b": 0}, SCATTER, "a and b"),
    ("xy = 4*cos(w*x)", {"w": 0}, SCATTER, "w"),
    ("xy = c - k^2*x", {"c": 0, "k": 0}, SCATTER, ""),
    ("xy = cos(w*x)", {"w": 0}, SCATTER, ""),
    ("xy = a + relu(x - b)", {"a": 0, "b": 90}, SCATTER, ""),
]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("text", "initial", "y", "named"), BESIDE)
def test_where_derivatives_are_0_from_the_start_it_is_looked_beside(
    text: str, initial: dict[str, float], y: tuple[float, ...], named: str
) -> None:
    """A saddle or a maximum is no minimum, however flat; what is one, or a plateau, has converged."""
    engine = engine_of(*FIT, *equation(text, initial, x=X, xy=y))
    drive(engine)
    ending = engine.endings("")[0]
    assert (ending.outcome == Outcome.FAILED) == bool(named), ending.reason
    assert f"every derivative by {named} is 0 here" in ending.reason or not named


@pytest.mark.sampled(1)
@pytest.mark.parametrize("how", ["backend=reference", "backend=numba", "precision=fp32"])
def test_a_minimum_where_a_derivative_vanishes_is_one(how: str, cli: Command, tmp_path: Path) -> None:
    settings = equation("xy = c - k^2*x", {"c": 1, "k": 1}, x=X, xy=SCATTER)
    fit = [setting for setting in FIT if how[:5] not in setting]
    run = run_of(cli, tmp_path, *fit, *settings, f"compute.{how}")
    assert values(run)["k"] == pytest.approx(0, abs=1e-3 if "fp32" in how else 1e-6)
    assert values(run)["c"] == pytest.approx(np.mean(SCATTER))
    assert values(run, "stderr")["k"] is None and values(run, "stderr")["c"] is not None


def test_worse_than_a_constant_is_told(cli: Command, tmp_path: Path) -> None:
    run = run_of(cli, tmp_path, *FIT, *equation("xy = a/x", {"a": 1}, x=X, xy=SCATTER))
    assert run["fit"]["r_squared"] < 0
    assert any("R^2 is below 0" in note for note in run["fit"]["notes"])


def polynomial(degree: int, x: np.ndarray) -> tuple[str, ...]:
    """Of an input far from 0, and what it comes to about its middle."""
    names = "abcde"[: degree + 1]
    text = " + ".join(name if not i else f"{name}*xx^{i}" for i, name in enumerate(names))
    about = (x - x.mean()) / (x.max() - x.min())
    y = 2 + 3 * about - 4 * about**degree + np.random.default_rng(1).normal(0, 0.05, len(x))
    return equation(f"xy = {text}", dict.fromkeys(names, 1), xx=column(x), xy=column(y))


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("degree", "x"), [(2, YEARS), (3, YEARS), (4, YEARS), (1, SECONDS)])
def test_polynomials_over_years_and_seconds_converge(
    degree: int, x: np.ndarray, cli: Command, tmp_path: Path
) -> None:
    run = run_of(cli, tmp_path, *FIT, *polynomial(degree, x))
    assert run["fit"]["residual_std"] == pytest.approx(0.05, rel=0.5)


@pytest.mark.parametrize("degree", [2, 3])
def test_where_rounding_hides_all_the_sentence_says_how_to_write_it(degree: int, cli: Command) -> None:
    ended = cli(*FIT, *polynomial(degree, SECONDS))
    assert ended.code == 1
    assert "xx lies between 1700000000 and 1700000390" in ended.err
    assert "(xx - 1700000195) for xx" in ended.err


def test_written_so_it_converges(cli: Command, tmp_path: Path) -> None:
    """The advice, followed."""
    settings = [
        setting.replace("xx^", "(xx - 1700000195)^").replace("*xx ", "*(xx - 1700000195) ")
        for setting in polynomial(3, SECONDS)
    ]
    assert run_of(cli, tmp_path, *FIT, *settings)["fit"]["residual_std"] == pytest.approx(0.05, rel=0.5)


@pytest.mark.parametrize(
    ("text", "parameters", "expected"),
    [
        ("xy = a*log(k - x)", [1, 2.5], "row 6: log(k - x) = log(-0.5) is not a number, which xy needs"),
        ("xy = a/(x - k)", [1, 1], "row 3: xy = 1/0 is infinite"),
        ("xy = a*x^k", [1, -2], "row 1: x^k = 0^-2 is infinite, which xy needs"),
        ("xy = sqrt(x - a)*k", [0, 1], "row 1: 0.5/sqrt(x - a) = 0.5/0 is infinite, which d xy/d a needs"),
        ("xz = a^3\nxy = xz*x", [1e120], "row 1: xz = 1e+120^3 is infinite"),
        ("xz = sqrt(a)\nxy = xz*x", [0], "row 2: d xz/d a = 0.5/0 is infinite"),
        ("xz = exp(a*x)\nxy = xz - xz*k", [400, 2], "row 5: xz = exp(800) is infinite"),
    ],
)
def test_a_fault_is_a_row_a_part_and_its_value(text: str, parameters: list[float], expected: str) -> None:
    graph = parse(text)
    given = torch.tensor(parameters, dtype=torch.float64), torch.tensor(H, dtype=torch.float64)[:, None]
    fault = first_fault(graph, *given)
    assert fault is not None and f"row {fault.sample + 1}: {fault}" == expected


@pytest.mark.parametrize("optimizer", ["levenberg_marquardt", "adam"])
def test_a_start_that_is_not_finite_names_row_and_part(optimizer: str, cli: Command) -> None:
    settings = equation("xy = a*log(k - x)", {"a": 1, "k": 9}, x=X, xy=SCATTER)
    ended = cli(*FIT[:-1], f"optimizer={optimizer}", "loop.batch_size=full", *settings)
    assert ended.code == 1 and "row 6: log(k - x) = log(-1) is not a number, which xy needs" in ended.err
    assert "optimizer.lr" not in ended.err


@pytest.mark.parametrize("optimizer", ["levenberg_marquardt", "adam"])
def test_a_start_too_far_for_squares_names_row_and_output(optimizer: str, cli: Command) -> None:
    settings = equation("xy = a*exp(b*x)", {"a": 1, "b": 36}, x=X, xy=SCATTER)
    ended = cli(*FIT[:-1], f"optimizer={optimizer}", "loop.batch_size=full", *settings)
    assert ended.code == 1 and "row 6: xy is 2.218e+156 where the data have 3.4, too far" in ended.err
    assert "optimizer.lr" not in ended.err


def test_an_update_that_is_not_finite_names_eps(cli: Command) -> None:
    """A gradient that is 0, over 0."""
    settings = equation("xy = a*x + 0*k", {"a": 1, "k": 9}, x=X, xy=SCATTER)
    ended = cli(*FIT[:-1], "optimizer=adam", "optimizer.eps=0", "loop.batch_size=full", *settings)
    assert ended.code == 1 and "larger optimizer.eps" in ended.err


def test_rows_that_were_held_out_count(cli: Command) -> None:
    """The row is the file's, though a part of the samples is kept back."""
    x = [1.0, 2, 3, 4, 5, 6, 7, 8, 9, 99]
    settings = equation("xy = a*log(k - x)", {"a": 1, "k": 50}, x=x, xy=x)
    rows = {
        cli(*FIT, *settings, "data.validation=0.3", f"data.seed={seed}").err.partition("row ")[2][:3]
        for seed in range(4)
    }
    assert rows <= {"10:", ""} and "10:" in rows


def test_a_row_of_weight_0_is_out(cli: Command, tmp_path: Path) -> None:
    """Whatever its output and derivatives are: of fits, losses and metrics."""
    settings = equation("xy = a*log(x)", {"a": 1}, x=[-1, 0, *X], xy=[0, 0, *SCATTER], w=[0, 0, *[1] * 6])
    weighed = run_of(cli, tmp_path, *FIT, *settings, "data.columns={weights: w}")
    plain = run_of(cli, tmp_path, *FIT, *equation("xy = a*log(x)", {"a": 1}, x=X, xy=SCATTER))
    assert values(weighed) == pytest.approx(values(plain)) and weighed["fit"]["rss"] == pytest.approx(
        plain["fit"]["rss"]
    )
    assert values(weighed, "stderr") == pytest.approx(values(plain, "stderr"))
