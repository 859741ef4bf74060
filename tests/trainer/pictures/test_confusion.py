"""The picture of a confusion matrix."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from packtrain.trainer.pictures import confusion as picture
from tests.helpers import Command, result_in
from tests.overlaps import overlaps
from tests.trainer.curves import images, run_folder


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that would be saved."""
    figures: list[Figure] = []
    monkeypatch.setattr(
        Figure, "savefig", lambda self, draft, **_: (figures.append(self), draft.write_bytes(bytes(24)))
    )
    return figures


def counts(classes: int) -> dict[str, Any]:
    lines = [[9 if row == column else row for column in range(classes)] for row in range(classes)]
    return {"classes": [f"class {k}" for k in range(classes)], "counts": lines}


def shares(axes: Any) -> list[list[float]]:
    return axes.images[0].get_array().tolist()


def test_each_cell_has_its_count_and_its_share(drawn: list[Figure], tmp_path: Path) -> None:
    given = {"classes": ["cat", "dog"], "counts": [[3, 1], [0, 4]]}
    picture.draw(given, "best", tmp_path / "confusion.png")
    axes = drawn[0].axes[0]
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts == {(0, 0): "3\n75 %", (1, 0): "1\n25 %", (0, 1): "0", (1, 1): "4\n100 %"}
    assert shares(axes) == [[0.75, 0.25], [0, 1]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]
    assert (drawn[0].get_suptitle(), axes.get_xlabel(), axes.get_ylabel()) == (
        "best",
        "predicted class",
        "actual class",
    )


def test_a_class_without_samples_is_no_fault(drawn: list[Figure], tmp_path: Path) -> None:
    picture.draw({"classes": ["cat", "dog"], "counts": [[0, 0], [0, 4]]}, "best", tmp_path / "confusion.png")
    assert shares(drawn[0].axes[0]) == [[0, 0], [0, 1]]


def test_long_names_of_classes_pass_one_another(drawn: list[Figure], tmp_path: Path) -> None:
    for count in (2, 40):
        names = [f"a long name of a class {name:02d}" for name in range(count)]
        counts = np.full((count, count), 12345).tolist()
        title = "run 7: accuracy 0.5 on the validation part"
        picture.draw({"classes": names, "counts": counts}, title, tmp_path / "c.png")
    assert [overlaps(figure) for figure in drawn] == [[], []]


def test_many_classes_are_colours_alone(drawn: list[Figure], tmp_path: Path) -> None:
    for classes in (25, 26, 100):
        picture.draw(counts(classes), "best", tmp_path / "confusion.png")
    few, more, most = (figure.axes[0] for figure in drawn)
    assert len(few.texts) == 625 and not more.texts and len(most.get_xticks()) <= 25
    assert drawn[2].get_size_inches().max() < 12


def test_long_names_can_be_read_and_told_apart() -> None:
    """Also those of which the middle tells them apart."""
    for classes in (2, 100):
        given = counts(classes)
        given["classes"] = [f"a name that goes on, number {k}, and doesn't end" for k in range(classes)]
        figure = picture.figure_of_counts(
            given, "a title that is very long indeed, of an experiment: " + 9 * "long "
        )
        names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
        assert len(set(names)) == len(names) and overlaps(figure) == []


def test_the_worst_of_many_are_told() -> None:
    given = {"classes": [f"k{k}" for k in range(30)], "counts": np.eye(30, dtype=int).tolist()}
    given["counts"][3][7], given["counts"][5][2] = 3, 1
    figure = picture.figure_of_counts(given, "30 classes")
    told = "Most often taken for another: k3 as k7 (75 %), k5 as k2 (50 %)."
    assert figure.get_supxlabel() == told
    given["counts"] = np.eye(30, dtype=int).tolist()
    assert picture.figure_of_counts(given, "").get_supxlabel() == "None is taken for another."


def test_the_best_run_is_drawn(drawn: list[Figure], tmp_path: Path) -> None:
    rows = [{"index": 3}, {"index": 7, "metrics": {"accuracy": 0.875}}]
    confusion = {"run": 7, "part": "validation", **counts(2)}
    result = {"experiment": "pets", "runs": 9, "run": rows, "confusion": confusion}
    (tmp_path / "result.json").write_text(json.dumps(result))
    assert picture.draw_best(tmp_path) and (tmp_path / "confusion.png").exists()
    assert drawn[0].get_suptitle() == "pets, run 7: accuracy 0.875 on the validation part"
    (tmp_path / "result.json").write_text(json.dumps(result | {"confusion": None}))
    assert not picture.draw_best(tmp_path) and len(drawn) == 1


BRIEF = (
    "experiment=gaussians",
    "data.size=100",
    "loop.batch_size=16",
    "loop.steps=20",
    "monitor.progress=false",
)


@pytest.mark.thorough
def test_a_training_and_a_sweep_end_with_table_and_picture(
    cli: Command, drawn: list[Figure], tmp_path: Path
) -> None:
    """A quiet training has no picture."""
    alone = cli(*BRIEF, "hydra.run.dir=alone")
    swept = cli("-m", *BRIEF, "monitor=quiet", "optimizer=sgd,adam", "seed=1,2", "hydra.sweep.dir=swept")
    assert (alone.code, swept.code) == (0, 0)
    for ended, name in ((alone, "alone"), (swept, "swept")):
        result = result_in(tmp_path / name)
        best = result["confusion"]
        assert (best["run"], best["part"]) == (result["best_run"], "validation")
        row = next(row for row in result["run"] if row["index"] == best["run"])
        right, whole = sum(line[k] for k, line in enumerate(best["counts"])), sum(map(sum, best["counts"]))
        assert whole == 20 and right / whole == row["metrics"]["accuracy"]
        assert "as 0   as 1   recall" in ended.out
        assert (tmp_path / name / "confusion.png").exists() == (name == "alone")
        shown = {row["index"]: cli("show", name, f"run={row['index']}").out for row in result["run"]}
        assert {run: "as 0   as 1   recall" in out for run, out in shown.items()} == {
            run: run == best["run"] for run in shown
        }
    assert not list((tmp_path / "swept").glob("*/confusion.png"))
    assert "pictures/confusion" in images(run_folder(tmp_path / "alone"))
    assert cli(*BRIEF, "monitor=quiet").code == 0 and not (tmp_path / "out" / "confusion.png").exists()
