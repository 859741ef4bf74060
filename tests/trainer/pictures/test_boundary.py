"""What a model of two columns says where."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.contour import ContourSet

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.data.features import CATEGORY, ONEHOT, ORDINAL, SECONDS, Feature
from packtrain.trainer.pictures.boundary import Map, draw_boundary, figure_of_boundary, has_boundary, is_flat
from packtrain.trainer.pictures.classes import CLASSES
from packtrain.trainer.pictures.parts import Predictor
from packtrain.trainer.pictures.plane import Side, plane_of
from tests.overlaps import overlaps
from tests.trainer.pictures.fits import fit
from tests.trainer.pictures.networks import WORDS, X, Z, trained

PARTED = {"standardize": "inputs", "validation": 0.25}


def test_the_line_is_where_both_classes_are_as_probable() -> None:
    words = np.where(X > 3, "long", "short")
    result = trained({"x": X, "z": Z, "y": words}, ["y"], "cross_entropy", **PARTED)
    figure = figure_of_boundary(result)
    panel, scale = figure.axes
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("x", "z")
    assert scale.get_ylabel() == "probability of class short"
    line = next(drawn for drawn in panel.collections if isinstance(drawn, ContourSet))
    places = np.concatenate([path.vertices for path in line.get_paths()])
    said = result.trained.predict_proba(places, run=0).numpy()
    assert np.allclose(said, 0.5, atol=0.01)
    low, high = panel.get_xlim()
    assert low < X.min() < X.max() < high and overlaps(figure) == []


def test_the_most_probable_class_has_the_colour() -> None:
    result = trained({"x": X, "z": Z, "y": WORDS}, ["y"], "cross_entropy", **PARTED)
    figure = figure_of_boundary(result)
    image = np.asarray(figure.axes[0].images[0].get_array())
    assert figure.axes[0].images[0].origin == "lower"
    inputs = Map(Predictor(result, 0)).plane.grid(len(image))[2]
    shares = result.trained.predict_proba(inputs, run=0).numpy().reshape(*image.shape)
    sure = shares.max(-1) > 0.5
    palette = np.array([to_rgb(color) for color, _ in CLASSES[:3]])
    missing = (1 - image[sure]) / (1 - palette[shares.argmax(-1)[sure]])  # of white, alike in all colours
    assert np.allclose(missing, missing[:, :1]) and missing.min() > 0.1
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[1:] == ["blue", "red", "training: 30", "validation: 10"] and len(legend[0]) <= 24
    assert overlaps(figure) == []


def test_numbers_and_labels_have_a_panel_each() -> None:
    numbers = trained({"x": X, "z": Z, "a": 1e9 * X, "b": Z}, ["a", "b"], standardize="all")
    figure = figure_of_boundary(numbers)
    assert [axes.get_ylabel() for axes in figure.axes] == ["z", "z", "a", "b"] and overlaps(figure) == []
    yes = {"x": X, "z": Z, "a": (X > 3) * 1.0, "b": (Z > 0) * 1.0}
    labels = figure_of_boundary(trained(yes, ["a", "b"], "binary_cross_entropy", standardize="inputs"))
    assert [axes.get_ylabel() for axes in labels.axes][2:] == ["probability of a", "probability of b"]


def test_words_and_dates_are_axes() -> None:
    day = np.datetime64("2024-01-31") + np.arange(40).astype("timedelta64[D]")
    table = {"colour": WORDS, "day": day.astype(str), "y": WORDS == "red"}
    encoded = {"encode": {"colour": "onehot", "day": "seconds"}, **PARTED}
    figure = figure_of_boundary(trained(table | {"y": X}, ["y"], **encoded))
    names = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert names[1:] == ["blue", "red"] and names[0].startswith("a very") and overlaps(figure) == []
    from matplotlib.dates import num2date  # noqa: PLC0415 (beside what it is compared with)

    low, high = (num2date(end).date().isoformat() for end in figure.axes[0].get_ylim())
    assert "2024-01-20" < low < "2024-01-31" and "2024-03-10" < high < "2024-03-20"


@pytest.mark.parametrize(
    ("feature", "own"),
    [
        (Feature("x", "x"), [[1.5], [300.0]]),
        (Feature("k", "k", ONEHOT, ("a", "b", "c")), [[0, 0, 1], [1, 0, 0]]),
        (Feature("k", "k", ORDINAL, ("a", "b", "c")), [[2], [0]]),
        (Feature("k", "k", CATEGORY, ("a",)), [[1], [0]]),
        (Feature("t", "t", SECONDS, origin="2024-01-31T12:00"), [[0], [86400.0]]),
        (Feature("t", "t", SECONDS), [[3.0], [90.0]]),
    ],
)
def test_a_place_becomes_the_inputs_that_stand_there(feature: Feature, own: list[list[float]]) -> None:
    inputs = np.array(own, float)
    side = Side(feature, slice(0, inputs.shape[1]), inputs)
    assert side.as_inputs(side.at(inputs)) == pytest.approx(inputs, rel=1e-9, abs=1e-4)
    low, high = side.ends
    assert low < side.values.min() and side.values.max() < high


def test_other_columns_stay_at_their_medians() -> None:
    features = [Feature(name, name) for name in ("x", "y", "z")]
    inputs = np.array([[0.0, 1.0, 5.0], [2.0, 3.0, 9.0], [1.0, 2.0, 6.0]])
    grid = plane_of(features, inputs, ["z", "x"]).grid(3)[2]
    assert set(grid[:, 1]) == {2.0} and len(np.unique(grid[:, [0, 2]], axis=0)) == 9
    words = Feature("k", "k", ONEHOT, ("a", "b", "c"))
    held = np.array([[1.0, 2.0, 0, 1, 0], [2.0, 3.0, 0, 0, 1], [2.0, 3.0, 0, 1, 0]])
    assert plane_of([*features[:2], words], held).base.tolist() == [2, 3, 0, 1, 0]
    refused = {"w": "no column w .*among x, y, z", "x": "two columns, as in of=x,y; got x,x"}
    for column, message in refused.items():
        with pytest.raises(UserError, match=message):
            plane_of(features, inputs, ["x", column])


def test_two_of_several_columns_are_drawn_for_who_asks(tmp_path: Path) -> None:
    result = trained({"a": X, "b": Z, "c": X[::-1], "y": WORDS}, ["y"], "cross_entropy", steps=2, **PARTED)
    assert has_boundary(result) and not is_flat(result)
    assert draw_boundary(result, tmp_path / "boundary.svg", of=["c", "b"])
    figure = figure_of_boundary(result, of=["c", "b"])
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("c", "b")
    assert figure.get_supxlabel().startswith("All other columns are at their medians")


def test_twenty_classes_have_their_names_in_the_picture() -> None:
    names = [f"kind {k}" for k in range(20)]
    table = {"x": X, "z": Z, "y": [names[k % 20] for k in range(40)]}
    figure = figure_of_boundary(trained(table, ["y"], "cross_entropy", standardize="inputs"))
    assert sorted(text.get_text() for text in figure.axes[0].texts) == sorted(names)


def test_other_models_have_no_such_picture(tmp_path: Path) -> None:
    assert not has_boundary(trained({"x": X, "y": WORDS}, ["y"], "cross_entropy"))
    assert not draw_boundary(fit(["y = a*x + b*xz"], {"x": X, "xz": Z, "y": X}, {}), tmp_path / "fit.png")
    table = {"x": X.tolist(), "xz": Z.tolist(), "target": (X > 3).astype(int).tolist()}
    classes = fit(["xno = a*x", "xyes = -a*xz"], table, {"a": 1}, 3, "adam", loss="cross_entropy")
    assert draw_boundary(classes, tmp_path / "boundary.png")
