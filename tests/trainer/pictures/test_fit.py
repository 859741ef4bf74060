"""The pictures of fits: what stands in them, and that a training ends with them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from packtrain.trainer.pictures import dots
from packtrain.trainer.pictures.fit import draw_fit, figure_of_fit
from packtrain.trainer.pictures.groups import figure_of_groups
from packtrain.trainer.pictures.minima import figure_of_minima
from packtrain.trainer.pictures.texts import equation, measured
from tests.helpers import Command
from tests.overlaps import overlaps
from tests.trainer.curves import images, run_folder
from tests.trainer.pictures.fits import X, Y, fit

GROUPS = 40


@pytest.fixture
def drawn() -> None:
    """The command draws: see `cli`."""


def labels(axes: Any) -> list[str]:
    return axes.get_legend_handles_labels()[1]


def texts(figure: Figure) -> str:
    """All that is written beside the panels."""
    return " ".join(text.get_text() for axes in figure.axes for text in (*axes.texts, axes.title))


def test_one_input_has_its_curve_with_bands_and_residuals_below() -> None:
    figure = figure_of_fit(fit())
    above, below, _ = figure.axes
    assert labels(above) == ["95 % of new measurements", "95 % of the curve", "8 measurements", "fit"]
    assert (above.get_ylabel(), below.get_ylabel(), below.get_xlabel()) == ("xy", "residual", "x")
    residuals = np.array(below.lines[-1].get_ydata())
    assert residuals.shape == (8,) and abs(residuals).max() < 20
    assert "± " in texts(figure) and "$R^2$" in texts(figure) and "not converged" not in texts(figure)


def test_a_fit_that_has_not_converged_says_so_and_has_no_bands() -> None:
    figure = figure_of_fit(fit(steps=1))
    assert labels(figure.axes[0]) == ["8 measurements", "fit"]
    assert figure.axes[0].get_title(loc="left").startswith("not converged: ")


def test_several_inputs_are_drawn_against_what_is_fitted() -> None:
    table = {"x1": X, "x2": X[::-1], "y": np.add(X, 0.5).tolist()}
    figure = figure_of_fit(fit(["y = a*x1 + b*x2"], table, {"a": 1, "b": 1}))
    assert "measured = fitted" in labels(figure.axes[0])
    assert figure.axes[1].get_xlabel() == "y, fitted"


def test_each_target_has_its_panel_and_samples_of_weight_0_are_hollow() -> None:
    table = {"x": X, "y1": Y, "y2": Y, "w": [0.0, 0.0, *[1.0] * 6]}
    given = ["y1 = a*x + b", "y2 = a*x"], table, {"a": 1, "b": 1}
    figure = figure_of_fit(fit(*given, data={"columns": {"weights": "w"}}))
    assert [axes.get_ylabel() for axes in figure.axes][:4] == ["y1", "residual", "y2", "residual"]
    assert {"6 measurements", "2 of weight 0"} <= {*labels(figure.axes[0])}


def test_many_samples_are_a_density_and_doses_have_a_logarithmic_axis(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dots, "MOST_DOTS", 50)
    x = np.geomspace(1e-3, 1e3, 60)
    table = {"x": x.tolist(), "y": (np.log(x) + np.sin(1e4 * x)).tolist()}
    above = figure_of_fit(fit(["y = a*log(x) + b"], table, {"a": 1, "b": 0})).axes[0]
    assert above.get_xscale() == "log" and len(above.collections) == 3
    assert "60 measurements" in labels(above) and not any(line.get_marker() == "o" for line in above.lines)


def test_missing_values_in_a_first_order_training_are_no_fault(tmp_path: Path) -> None:
    """Of log(k - x) some values are NaN."""
    result = fit(["y = a*log(b - x)"], {"x": X, "y": Y}, {"a": 1, "b": 11}, 3, "adam")
    assert draw_fit(result, tmp_path / "fit.png") and (tmp_path / "fit.png").stat().st_size > 10_000


def test_a_page_of_groups_has_the_best_the_median_and_the_worst() -> None:
    """Noise grows from group to group; the last one's values are a constant, of which there is no R^2."""
    rng = np.random.default_rng(3)
    names = [f"g{group:02}" for group in range(GROUPS) for _ in X]
    noise = [0.5 * group * rng.choice([-1, 1]) * (-1) ** k for group in range(GROUPS) for k in range(len(X))]
    y = np.tile(Y, GROUPS) + np.array(noise)
    table = {"x": X * GROUPS, "xy": y.tolist(), "cell": names}
    result = fit(table=table, data={"group": "cell"})
    r2 = [row["fit"]["r_squared"] for row in result.rows]
    ranked = sorted(range(GROUPS), key=lambda run: -r2[run])
    expected = [f"g{run:02}" for run in (*ranked[:4], *ranked[18:22], *ranked[-4:])]
    figure = figure_of_groups(result)
    assert [axes.get_title(loc="left") for axes in figure.axes] == expected
    assert figure.axes[0].get_title(loc="right") == f"$R^2$ = {r2[ranked[0]]:.4g}"
    single = figure_of_fit(result, ranked[5])
    assert "8 measurements" in labels(single.axes[0])


def test_the_minima_of_several_starts_stand_among_the_data() -> None:
    x = np.linspace(0, 10, 40)
    table = {"x": x.tolist(), "y": (3 * np.exp(-((x - 3) ** 2)) + np.exp(-((x - 7) ** 2))).tolist()}
    ranges = {"a": [0, 4], "m": [0, 10], "s": [0.3, 2]}
    result = fit(["y = a*exp(-((x - m)/s)^2)"], table, ranges, starts=24)
    about = result.summary["multi_start"]
    curves, losses = figure_of_minima(result).axes
    assert about["found"] > 1 and len(labels(curves)) == 1 + min(6, about["found"])
    points = sum(len(line.get_xdata()) for line in losses.lines[: min(6, about["found"])])
    assert points == sum(minimum["starts"] for minimum in about["minima"][:6])


def test_a_training_ends_with_pictures_in_its_folder_and_in_tensorboard(
    cli: Command, drawn: None, tmp_path: Path
) -> None:
    brief = "experiment=fit", "monitor.progress=false"
    assert cli(*brief, "fit.intervals=profile").code == 0
    names = {file.name for file in (tmp_path / "out").glob("*.png")}
    assert names == {"loss.png", "fit.png", "confidence.png", "graph.png", "surface.png"}
    shown = images(run_folder(tmp_path / "out"))
    assert cli("plot", "out", "loss", "to=again.png").code == 0
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "out" / "loss.png").read_bytes()
    assert (
        shown["pictures/fit"] == [(tmp_path / "out" / "fit.png").read_bytes()]
        and "pictures/confidence" in shown
    )
    assert cli(*brief, "monitor.pictures=false").code == 0
    assert not list((tmp_path / "out").glob("*.png"))


def test_what_goes_wrong_while_drawing_leaves_the_results(
    cli: Command, drawn: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "packtrain.trainer.console.training"
    monkeypatch.setattr(f"{module}.draw_pictures", lambda *_: 1 / 0)
    ended = cli("experiment=fit", "monitor.progress=false")
    assert ended.code == 0 and "a picture could not be drawn (division by zero)" in ended.out
    monkeypatch.setattr(f"{module}.can_draw", lambda: False)
    assert "pip install 'packtrain[plot]'" in cli("experiment=fit", "monitor.progress=false").out
    assert (tmp_path / "out" / "result.json").exists()


def test_an_equation_that_mathtext_lacks_stands_as_it_was_typed() -> None:
    from packtrain.kernels.language import parse  # noqa: PLC0415 (of this test alone)

    text, size = equation(parse("y = where(x > k, a, b*x)", variables=["x", "y"]), inches=5)
    assert text == "y = where(x > k, a, b*x)" and 7 <= size <= 12
    many, _ = equation(parse([f"y{k} = a{k}*x" for k in range(9)], variables=["x"]), 5)
    assert many.endswith("... (9 equations)")


@pytest.mark.parametrize(
    ("value", "stderr", "text"),
    [
        (0.054398, 0.00053247, "0.05440 ± 0.00053"),
        (5.2, 12.4, "5 ± 12"),
        (0.0, 0.1, "0.00 ± 0.10"),
        (1e-9, 3e-11, r"(1.000 ± 0.030)$\times10^{-9}$"),
        (None, None, "-"),
        (float("nan"), 1.0, "-"),
    ],
)
def test_numbers_end_where_their_errors_do(value: float | None, stderr: float | None, text: str) -> None:
    assert measured(value, stderr) == text


def test_known_errors_are_bars_and_the_unit_of_residuals() -> None:
    table = {"x": X, "xy": Y, "s": [4.0, 8.0, *[5.0] * 6]}
    above, below, _ = figure_of_fit(fit(table=table, data={"columns": {"sigma": "s"}})).axes
    assert r"$\pm\sigma$" in labels(above) and below.get_ylabel() == r"residual / $\sigma$"
    bars = next(part for part in above.collections if part.get_label() == r"$\pm\sigma$").get_segments()
    assert [bar[:, 1].tolist() for bar in bars[:2]] == [[Y[0] - 4, Y[0] + 4], [Y[1] - 8, Y[1] + 8]]


def test_nothing_lies_on_anything_else() -> None:
    """Of many parameters with long names, huge numbers, and groups with long names."""
    x = np.linspace(0.1, 10, 30)
    y = 1e12 * (2 * np.exp(-x / 2) + 3 * np.exp(-x / 7)) + 1e9 * np.sin(9 * x)
    first, second = ("amplitude_one", "lifetime_one"), ("amplitude_two", "lifetime_two")
    terms = [f"{amplitude}*exp(-x/{lifetime})" for amplitude, lifetime in (first, second)]
    initial = dict(zip((*first, *second), (2e12, 2, 3e12, 7), strict=True))
    decay = fit(
        [f"y = {' + '.join(terms)} + background"],
        {"x": x.tolist(), "y": y.tolist()},
        initial | {"background": 1e9},
    )
    assert overlaps(figure_of_fit(decay)) == []
    names = [f"a long name of the cell {cell:04d} of a plate" for cell in range(4)]
    scaled = [y * (1 + c / 9) for c in range(4) for y in Y]
    table = {"x": X * 4, "xy": scaled, "cell": [name for name in names for _ in X]}
    groups = figure_of_groups(fit(table=table, data={"group": "cell"}))
    assert overlaps(groups) == []
    assert len({axes.get_title(loc="left") for axes in groups.axes}) == 4
