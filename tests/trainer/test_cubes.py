"""Images and cubes: data.group names the axes of an array, and each place is a group."""

from pathlib import Path

import numpy as np
import pytest

import packtrain
from tests.helpers import Command, result_in

ASKED = "experiment=fit", 'model.expressions=["y = a*exp(-k*t)"]', "model.initial={a: 1, k: 1}"
ASKED = *ASKED, "data.columns={t: t, y: y}", "monitor=quiet", "model.loss=sse"


def cube() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """t [9], y [3, 4, 9] and the true k [3, 4]."""
    t, k = np.linspace(0, 3, 9), np.linspace(0.5, 1.5, 12).reshape(3, 4)
    noise = np.random.default_rng(0).normal(0, 0.01, (3, 4, 9))
    return t, 2 * np.exp(-k[..., None] * t) + noise, k


def test_each_place_of_a_cube_is_fitted_and_mapped(cli: Command, tmp_path: Path) -> None:
    t, y, k = cube()
    np.savez(tmp_path / "cube.npz", t=t, y=y)
    assert cli(*ASKED, f"data.path={tmp_path}/cube.npz", "data.group=[row,column]").code == 0
    rows = result_in(tmp_path / "out")["run"]
    assert [row["values"] for row in rows[:5]] == [{"row": i // 4, "column": i % 4} for i in range(5)]
    found = np.load(tmp_path / "out" / "maps" / "k.npy")
    np.testing.assert_allclose(found, k, atol=0.05)
    assert found[1, 2] == rows[6]["parameters"]["k"]["value"]
    assert np.load(tmp_path / "out" / "maps" / "k_stderr.npy").shape == (3, 4)
    lines = "g,t,y\n" + "".join(
        f"{i},{a!r},{b!r}\n"
        for i, c in enumerate(y.reshape(12, 9))
        for a, b in zip(t.tolist(), c.tolist(), strict=True)
    )
    (tmp_path / "long.csv").write_text(lines)
    assert cli(*ASKED, f"data.path={tmp_path}/long.csv", "data.group=g", "hydra.run.dir=long").code == 0
    for row, other in zip(rows, result_in(tmp_path / "long")["run"], strict=True):
        assert (row["parameters"], row["fit"]) == (other["parameters"], other["fit"])


def test_a_place_that_cant_be_used_is_a_hole_in_the_maps(cli: Command, tmp_path: Path) -> None:
    t, y, _ = cube()
    y[1, 2, 3] = np.nan
    np.savez(tmp_path / "cube.npz", t=t, y=y, offset=np.zeros((3, 4)))
    assert cli(*ASKED, f"data.path={tmp_path}/cube.npz", "data.group=[row,column]").code == 0
    holes = np.isnan(np.load(tmp_path / "out" / "maps" / "a.npy"))
    assert holes.sum() == 1 and holes[1, 2]
    assert "row 58" in result_in(tmp_path / "out")["run"][6]["message"]


def test_samples_of_one_axis_and_no_input(cli: Command, tmp_path: Path) -> None:
    """An NPY [G, N], whose array is called x, against the number of the sample."""
    np.save(tmp_path / "traces.npy", np.array([[1.0, 3.0, 5.1], [2.0, 2.9, 4.0]]))
    asked = (
        "experiment=fit",
        'model.expressions=["x = a + b*sample"]',
        "model.variables=[sample]",
        "monitor=quiet",
    )
    asked = *asked, "model.initial={a: 0, b: 0}", "data.columns={}", f"data.path={tmp_path}/traces.npy"
    assert cli(*asked, "data.group=trace").code == 0
    slopes = [row["parameters"]["b"]["value"] for row in result_in(tmp_path / "out")["run"]]
    np.testing.assert_allclose(slopes, [2.05, 1.0])


@pytest.mark.parametrize("group", ["[row,column,depth]", "[a,b,c,d]"])
def test_axes_that_are_not_there_are_refused(group: str, cli: Command, tmp_path: Path) -> None:
    t, y, _ = cube()
    np.savez(tmp_path / "cube.npz", t=t, y=y)
    ended = cli(*ASKED, f"data.path={tmp_path}/cube.npz", f"data.group={group}")
    assert ended.code == 2 and "takes an array of" in ended.err and "y 3x4x9" in ended.err


@pytest.mark.thorough
def test_every_door_takes_a_cube(cli: Command, tmp_path: Path) -> None:
    t, y, _ = cube()
    np.savez(tmp_path / "cube.npz", t=t, y=y)
    words = f"{tmp_path}/cube.npz", "y = a*exp(-k*t)", "a=1", "k=1", "group=[row,column]", "monitor=quiet"
    assert cli("fit", *words).code == 0
    rows = result_in(tmp_path / "out")["run"]
    start = {"a": 1, "k": 1}
    fit = packtrain.fit({"t": t, "y": y}, "y = a*exp(-k*t)", initial=start, group=["row", "column"])
    assert fit["k"].tolist() == [row["parameters"]["k"]["value"] for row in rows]
    assert fit.residuals.shape == (y.size,)
    fit.save(tmp_path / "saved")
    saved, written = (np.load(tmp_path / name / "maps" / "k.npy") for name in ("saved", "out"))
    np.testing.assert_array_equal(saved, written)
