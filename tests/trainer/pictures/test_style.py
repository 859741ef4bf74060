"""The style of all pictures, and the helper that says whether their texts can be read."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.pictures.style import new_figure, save
from tests.overlaps import overlaps


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_same_figure_has_the_same_bytes_on_an_opaque_background(suffix: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        figure = new_figure(2, 2)
        figure.subplots().plot([1, 2], [3, 4], label="a")
        save(figure, tmp_path / f"{name}{suffix}")
    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("one", "two"))
    assert first == second
    assert figure.get_facecolor()[3] == 1
    if suffix == ".svg":
        assert b"fill: #fdfdfb" in first and b"<dc:date>" not in first


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\.png or \.svg; got a\.gif"):
        save(new_figure(1, 1), tmp_path / "a.gif")
    assert not list(tmp_path.iterdir())


def named(figure: Figure, names: int, rotation: float) -> Figure:
    axes = figure.subplots()
    axes.set_xticks(range(names), [f"a long name {name}" for name in range(names)])
    axes.tick_params(axis="x", rotation=rotation)
    for label in axes.get_xticklabels():
        label.set_horizontalalignment("right" if rotation else "center")
    return figure


def test_labels_on_one_another_are_found_though_they_slant() -> None:
    assert len(overlaps(named(new_figure(4, 3), names=8, rotation=0))) == 13  # each with the next two
    assert overlaps(named(new_figure(4, 3), names=8, rotation=40)) == []
    assert ("a long name 3", "a long name 4") in overlaps(named(new_figure(4, 3), names=30, rotation=40))
    assert overlaps(named(new_figure(4, 3), names=3, rotation=0)) == []


def test_a_legend_on_a_title_and_what_is_cut_off_are_found() -> None:
    figure = Figure(figsize=(3, 3))
    axes = figure.subplots()
    axes.plot([1, 2], label="run")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0))
    axes.set_title("a title")
    figure.text(0.9, 0.98, "beyond the edge")
    hidden = figure.text(0.9, 0.5, "hidden")
    hidden.set_visible(False)
    assert overlaps(figure) == [("a title", "legend of run"), ("beyond the edge", "edge")]
