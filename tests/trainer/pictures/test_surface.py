"""The picture of a surface: what its grid holds, its variants, and what it can't be made of."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.collections import QuadMesh

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.pack import make_pack
from packtrain.trainer.config.schema import (
    ComputeConfig,
    Config,
    DataConfig,
    LoopConfig,
    ModelConfig,
    MonitorConfig,
    OptimizerConfig,
    PackConfig,
)
from packtrain.trainer.data.order import Order
from packtrain.trainer.folder.result import Result
from packtrain.trainer.models.evaluate import evaluate
from packtrain.trainer.pictures.descents import Descents
from packtrain.trainer.pictures.kinds import read_options
from packtrain.trainer.pictures.surface import draw_surface, figure_of_surface, is_drawn_at_end, scene_of
from packtrain.trainer.pictures.surface_panels import Scale, leaves
from packtrain.trainer.pictures.surface_paths import MOST_PATHS
from packtrain.trainer.pictures.surface_scene import Asked, Scene, Surface, title_of
from packtrain.trainer.pictures.surface_values import surface_of
from packtrain.trainer.session import Session
from tests.overlaps import overlaps

X = np.linspace(0, 2, 30)
TABLE = {"x": X.tolist(), "xy": (2 * np.exp(-1.5 * X) + 0.3).tolist()}
TWO, THREE = ["xy = a*exp(-k*x)"], ["xy = a*exp(-k*x) + c"]


def descend(
    expressions: list[str] | None = None,
    over: dict[str, str] | None = None,
    steps: int = 25,
    optimizer: str = "adam",
    table: dict[str, Any] | None = None,
    widths: list[int] | None = None,
    **model: Any,
) -> Result:
    """The result of a small descent, its curves kept."""
    kind = "mlp" if widths else "expression"
    config = Config(
        model=ModelConfig(kind, expressions=expressions, widths=widths, **model),
        data=DataConfig("table", table=table or TABLE, columns={"targets": "xy"} if widths else {}),
        optimizer=OptimizerConfig(optimizer, lr=0.1) if optimizer == "adam" else OptimizerConfig(optimizer),
        loop=LoopConfig(steps=steps, batch_size="full"),
        compute=ComputeConfig("cpu", precision="fp64"),
        monitor=MonitorConfig(every=1),
        pack=PackConfig(over=over or {}),
    )
    session = Session.prepare(make_pack(config), keep_curves=True)
    while not session.done:
        session.advance()
    return session.result()


def scene(result: Result, runs: list[int] | None = None) -> Scene:
    return scene_of(Descents.of_result(result), runs)


def losses(result: Result, points: np.ndarray) -> np.ndarray:
    """By the definition, model by model."""
    model = result.model.of(torch.zeros(len(points), dtype=torch.int64))
    model.parameters = torch.from_numpy(points)
    return evaluate(model, result.data, metrics=False).loss.numpy()


def test_a_slice_has_the_loss_at_its_places() -> None:
    result = descend(THREE, initial={"a": 1, "k": 1, "c": 0})
    surface = surface_of(scene(result), Asked(("k", "c"), "slice", size=9))
    end = result.model.parameters.detach()[0].numpy()
    grid = np.array([[end[0], k, c] for c in surface.y for k in surface.x])
    assert surface.loss.ravel() == pytest.approx(losses(result, grid), rel=1e-9)
    assert surface.plane.names == ("k", "c") and surface.about == f"with a = {end[0]:.4g} held"


def test_a_profile_is_never_above_the_slice_and_touches_the_path() -> None:
    result = descend(THREE, steps=200, initial={"a": 1, "k": 1, "c": 0})
    profile = surface_of(scene(result), Asked(("a", "k"), size=21))
    end = result.model.parameters.detach()[0].numpy()
    grid = np.array([[a, k, end[2]] for k in profile.y for a in profile.x])
    assert profile.about == "least over c (21 x 21 fits)"
    assert (profile.loss.ravel() <= losses(result, grid) * (1 + 1e-9) + 1e-15).all()
    c = np.array([np.mean(np.array(TABLE["xy"]) - a * np.exp(-k * X)) for a, k, _ in grid])
    exact = losses(result, np.column_stack([grid[:, :2], c]))  # linear in c
    assert profile.loss.ravel() == pytest.approx(exact, rel=1e-6, abs=1e-12)


def test_two_free_parameters_are_held_by_nothing() -> None:
    surface = surface_of(scene(descend(TWO)), Asked(size=5))
    assert surface.plane.names == ("a", "k") and surface.about == "" and surface.samples is None


def test_of_many_parameters_others_are_fitted_where_that_is_asked_for_alone() -> None:
    """Fits of 118 others took minutes at the end of a training."""
    made = scene(descend(["xy = a + b*x + c*x^2 + d*x^3 + e*x^4 + f*x^5 + g*x^6"], steps=3))
    assert "held" in surface_of(made, Asked(size=3)).about
    assert "least over the 5 others" in surface_of(made, Asked(how="profile", size=3)).about


def test_a_fixed_parameter_is_no_axis() -> None:
    result = descend(THREE, optimizer="levenberg_marquardt", fixed=["c"], initial={"a": 1, "k": 1, "c": 0.3})
    made = scene(result)
    assert surface_of(made, Asked(size=5)).about == "with c = 0.3 held"
    with pytest.raises(UserError, match="two parameters of a, k; got 'c', and it is fixed"):
        surface_of(made, Asked(("a", "c")))


def test_the_title_says_what_the_surface_is_over() -> None:
    made = scene(descend(THREE, {"seed": "0,1"}))
    titles = [
        title_of(made, surface_of(made, Asked(how=how, size=5))) for how in ("slice", "profile", "plane")
    ]
    assert titles[0].startswith("mse over ") and titles[0].endswith(" held")
    assert "; least over " in titles[1]
    assert titles[2].startswith("mse over the plane through start and end of seed=")


def test_of_many_samples_some_are_taken_and_told() -> None:
    made = scene(descend(TWO))
    surface = surface_of(made, Asked(size=5), most_work=5 * 5 * made.model.width * 10)
    assert surface.samples == 10 and "of 10 of 30 samples" in title_of(made, surface)


def test_an_mlps_plane_has_its_loss_at_starts_and_ends() -> None:
    result = descend(widths=[1, 3, 1], over={"seed": "0,1,2"}, steps=40, table=TABLE)
    made = scene(result)
    surface = surface_of(made, Asked(size=3))
    best, second = sorted(made.paths, key=lambda path: path.loss or 0)
    assert len(made.paths) == 2 and not best.whole
    expected = losses(result, np.stack([best.start, best.end, second.end]))
    there = surface.plane.on(np.stack([best.start, best.end, second.end]))
    at_ends = surface.plane.origin + there @ surface.plane.axes
    assert losses(result, at_ends) == pytest.approx(expected, rel=1e-6)
    rows = {row["index"]: row["loss"]["train"] for row in result.rows}
    assert {round(path.loss or 0, 12) for path in made.paths} <= {
        round(row["last"], 12) for row in rows.values()
    }
    assert expected[0] == pytest.approx(rows[int(best.label.partition("=")[2])]["first"], rel=1e-6)


def test_minibatches_have_their_own_losses() -> None:
    result = descend(TWO)
    made = scene(result)
    figure = figure_of_surface(made, Asked(size=7, batch=4))
    assert [axes.get_title() for axes in figure.axes[:3]] == [
        "all 30 samples",
        "the 4 of step 0",
        "the 4 of step 1",
    ]
    index = Order(30, 4, torch.tensor(0), torch.device("cpu")).indices(1, 2)[0]
    surface = surface_of(made, Asked(size=7, batch=4))
    x, t = X[index.numpy()], np.array(TABLE["xy"])[index.numpy()]
    own = np.array([[((a * np.exp(-k * x) - t) ** 2).mean() for a in surface.x] for k in surface.y])
    row, column = np.unravel_index(own.argmin(), own.shape)
    crosses = [line for line in figure.axes[2].lines if line.get_marker() == "X"]
    assert crosses[0].get_xydata().tolist() == [[surface.x[column], surface.y[row]]]


def test_the_colours_go_by_the_logarithm_of_what_is_above_zero() -> None:
    wide, negative = Scale.of(np.geomspace(1e-3, 1e3, 99)), Scale.of(np.linspace(-5, 3, 99))
    assert wide.shift == 0 and wide.low == pytest.approx(1e-3) and wide.high < 1e3
    assert negative.shift > 5 and negative.low > 0
    zero = Scale.of(np.array([0.0, 1e-30, 1.0, 2.0]))
    assert zero.shift == 0 and zero.low > 0 and math.isfinite(zero.logs(np.array([0.0]))[0])
    flat = Scale.of(np.full(9, 7.0))
    assert flat.low < flat.high and np.diff(flat.levels).min() > 0
    assert np.diff(Scale.of(np.zeros(4)).levels).min() > 0


def test_places_without_a_loss_stay_blank(tmp_path: Path) -> None:
    result = descend(
        ["xy = a*log(k) + 0*x"], initial={"a": 1, "k": 0.1}, table={"x": X.tolist(), "xy": X.tolist()}
    )
    surface = surface_of(scene(result), Asked(("a", "k"), size=41))
    assert np.isnan(surface.loss[surface.y <= 0]).all() and np.isfinite(surface.loss[surface.y > 0]).all()
    assert draw_surface(Descents.of_result(result), tmp_path / "surface.png", size=41)


def test_a_path_that_leaves_has_an_arrow_where_it_does() -> None:
    made = scene(descend(TWO))
    surface = surface_of(made, Asked(size=3))
    square = Surface(surface.plane, np.array([0.0, 2.0]), np.array([0.0, 2.0]), np.ones((2, 2)), "")
    at, angle = leaves(square, np.array([[1.0, 1.0], [5.0, 1.0]])) or (None, 0.0)
    assert at is not None and at.tolist() == [2.0, 1.0] and angle == pytest.approx(-90)
    assert leaves(square, np.array([[1.0, 1.0], [9.0, 9.0], [1.5, 1.0]])) is None
    assert leaves(square, np.array([[9.0, 9.0]])) is None


@pytest.mark.sampled(1)
@pytest.mark.parametrize("asked", [Asked(), Asked(how="plane"), Asked(batch=3)])
def test_nothing_that_is_written_overlaps(asked: Asked) -> None:
    over = {"optimizer.lr": "0.1,1e-9,1e200", "model.initial.a": "1,-123456.789"}
    made = scene(descend(["xy = a*exp(-kkkkkkkkkkkkkkkkkkkkkkkkk*x)"], over))
    assert len(made.paths) == 6 and any(path.loss is None for path in made.paths)
    assert overlaps(figure_of_surface(made, Asked(asked.of, asked.how, 11, asked.batch))) == []


def test_of_many_runs_the_best_and_some_others_are_drawn() -> None:
    made = scene(descend(TWO, {"seed": "range(0,300)"}, steps=3))
    best = min(made.paths, key=lambda path: path.loss or math.inf)
    assert len(made.paths) == MOST_PATHS and made.count == 300
    figure = figure_of_surface(made, Asked(size=5))
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts[0] == "start" and texts[1].startswith(f"best of 300: {best.label}")
    assert texts[2] == "23 others, evenly by rank" and overlaps(figure) == []


def test_those_that_are_asked_for_are_drawn(tmp_path: Path) -> None:
    result = descend(TWO, {"seed": "0,1,2"}, steps=3)
    assert [path.label for path in scene(result, [2, 0]).paths] == ["seed=2", "seed=0"]
    descents = Descents.of_result(result)
    options = read_options(
        "surface", {"of": "k, a", "how": "slice", "size": "5", "runs": "2,0", "batch": "3"}
    )
    assert draw_surface(descents, tmp_path / "surface.svg", **options)
    with pytest.raises(UserError, match="runs names runs of the best one's model and data, 0 to 2; got 7"):
        draw_surface(descents, tmp_path / "surface.png", runs=[7])


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (Asked(how="profil"), r"how is profile, slice, plane; got 'profil' \(did you mean profile\?\)"),
        (Asked(("a", "b")), "names two parameters of a, k, c; got 'b', and there is none"),
        (Asked(("a", "a")), "two parameters that differ; got a twice"),
        (Asked(("a", "k"), "plane"), "how=plane goes through the runs, and of=... names parameters"),
        (Asked(how="profile", batch=4), "a minibatch's surface is a slice"),
        (Asked(batch=31), "batch is a number of samples, 1 to 30; got 31"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(asked: Asked, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        figure_of_surface(scene(descend(THREE, steps=2)), asked)


def test_an_mlp_takes_a_plane_alone_and_mae_no_profile() -> None:
    with pytest.raises(UserError, match="an MLP's surface is over a plane through its runs"):
        surface_of(scene(descend(widths=[1, 2, 1], steps=2)), Asked(("a", "b")))
    made = scene(descend(THREE, steps=2, loss="mae"))
    with pytest.raises(UserError, match=r"how=profile: .*how=slice holds the other parameters"):
        surface_of(made, Asked(how="profile"))
    assert surface_of(made, Asked(size=5)).about.endswith("held")


@pytest.mark.parametrize(
    ("kind", "typed", "sentence"),
    [
        ("surface", {"of": "a"}, "of is two parameters, as in of=a,b"),
        ("surface", {"size": "1"}, "size is points on a side, 2 to 2,001"),
        ("surface", {"batch": "0"}, "batch is the samples of a minibatch"),
        ("surface", {"runs": "1,x"}, "runs is the runs whose paths are drawn"),
        ("surface", {"sze": "9"}, "surface takes no sze .did you mean size.*its options are of, how, batch"),
    ],
)
def test_options_are_read_or_refused(kind: str, typed: dict[str, str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        read_options(kind, typed)


def test_it_is_drawn_at_the_end_of_equations_with_a_path() -> None:
    assert is_drawn_at_end(descend(TWO))
    assert not is_drawn_at_end(descend(TWO, steps=1)) and not is_drawn_at_end(descend(["xy = a*x"]))
    assert not is_drawn_at_end(descend(widths=[1, 2, 1], steps=3))


def test_the_3d_surface_has_the_heights_of_the_map() -> None:
    figure = figure_of_surface(scene(descend(TWO)), Asked(size=9))
    solid = figure.axes[1]
    assert solid.name == "3d" and not any(isinstance(part, QuadMesh) for part in solid.collections)
    assert len(solid.lines) == 3  # the path, its start and its end
