"""Intervals by profile in the report, and the curves behind them."""

from pathlib import Path

import pytest
import torch
from scipy.special import fdtri, stdtrit

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.engines.profile_curves import confidence_plane, profile_curves
from packtrain.trainer.engines.rows import Rows
from packtrain.trainer.folder.ranking import flat
from packtrain.trainer.session import Session
from tests.helpers import Command
from tests.trainer.configs import pack_of
from tests.trainer.fits import FIT, LINE, STRAIGHT, SUM, X, equation, result_of

PROFILE = (*FIT, "fit.intervals=profile", "loop.batch_size=full")
PEOPLE = (8.3, 11.0, 14.7, 19.7, 26.7, 35.2, 44.4, 55.9)
OTHERS = (17.5, 21.0, 30.3, 40.1, 54.4, 70.0)
GROWTH = equation("xy = a*exp(b*x)", {"a": 5, "b": 0.5}, x=[0, 1, 2, 3, 4, 5, 6, 7], xy=PEOPLE)


def ended(*overrides: str) -> Session:
    session = Session.prepare(pack_of(*PROFILE, "compute.device=cpu", *overrides))
    while not session.done:
        session.advance()
    return session


def rows_of(*overrides: str) -> Rows:
    return ended(*overrides).result().rows


def test_profiles_of_a_line_are_the_intervals_by_standard_errors() -> None:
    rows = rows_of(*STRAIGHT)
    (row,) = rows
    for about in row["parameters"].values():
        assert about["profile"] == pytest.approx(about["ci95"], rel=1e-7)
    assert row["fit"]["profile_level"] == 0.95
    assert [name for name in flat(rows.columns) if name.startswith("profile")] == [
        "profile.a.low", "profile.a.high", "profile.b.low", "profile.b.high"
    ]  # fmt: skip


def test_a_level_says_how_wide_they_are() -> None:
    (row,) = rows_of(*STRAIGHT, "fit.level=0.5")
    about = row["parameters"]["a"]
    half = about["stderr"] * stdtrit(4, 0.75)
    assert about["profile"] == pytest.approx([about["value"] - half, about["value"] + half], rel=1e-7)


def test_intervals_are_the_same_in_any_pack_and_precision() -> None:
    radii = 'pack.over={optimizer.radius: "1,2,3"}'
    together, (alone,) = rows_of(*GROWTH, radii), rows_of(*GROWTH, "optimizer.radius=3")
    assert together[2]["parameters"] == alone["parameters"]
    (single,) = rows_of(*GROWTH, "compute.precision=fp32")
    for name, about in alone["parameters"].items():
        assert single["parameters"][name]["profile"] == pytest.approx(about["profile"], rel=1e-5)


def test_what_has_no_standard_error_has_no_profile() -> None:
    (row,) = rows_of(*SUM)
    assert {about["profile"] for about in row["parameters"].values()} == {None}
    (row,) = rows_of(*GROWTH, "model.fixed=[a]")
    assert row["parameters"]["a"]["profile"] is None and row["parameters"]["b"]["profile"] is not None


def test_residuals_that_are_rounding_have_no_profile() -> None:
    (row,) = rows_of(*equation("xy = a*x + b", {"a": 1, "b": 0}, x=X, xy=[2 * x + 1 for x in X]))
    assert {about["profile"] for about in row["parameters"].values()} == {None}
    assert row["fit"]["notes"][0].startswith("the residuals are as small as rounding")
    assert len(row["fit"]["notes"]) == 1


def test_a_bound_leaves_an_interval_open_and_says_so() -> None:
    (free,) = rows_of(*GROWTH)
    low, value = free["parameters"]["b"]["profile"][0], free["parameters"]["b"]["value"]
    bound = (low + value) / 2
    (row,) = rows_of(*GROWTH, f"model.bounds={{b: [{bound!r}, null]}}")
    ends = row["parameters"]["b"]["profile"]
    assert ends[0] is None and ends[1] == pytest.approx(free["parameters"]["b"]["profile"][1])
    assert row["fit"]["notes"] == [
        f"the interval of b by profile is open below: it reaches the bound {bound:g}"
    ]


def test_each_group_has_its_own() -> None:
    both = equation(
        "xy = a*exp(b*x)",
        {"a": 5, "b": 0.5},
        x=[*range(8), *range(6)],
        xy=[*PEOPLE, *OTHERS],
    )
    key = "data.table.key=" + str([1] * 8 + [2] * 6).replace(" ", "")
    grouped = rows_of(*both, "+" + key, "data.group=key")
    (first,) = rows_of(*GROWTH)
    assert grouped[0]["parameters"] == first["parameters"]
    second = equation("xy = a*exp(b*x)", {"a": 5, "b": 0.5}, x=range(6), xy=OTHERS)
    assert grouped[1]["parameters"] == rows_of(*second)[0]["parameters"]


def test_curves_cross_the_quantile_at_the_ends_of_the_interval() -> None:
    session = ended(*GROWTH)
    (row,) = session.result().rows
    curve = profile_curves(session.engine, 0, ["b"])["b"]  # pyright: ignore[reportArgumentType]
    for end, sign in zip(row["parameters"]["b"]["profile"], (-1, 1), strict=True):
        values, root = curve.values.numpy(), curve.root.numpy()
        near = abs(values - end).argmin() + torch.tensor([-1, 0, 1]).numpy()
        near = near.clip(0, len(values) - 1)
        across = torch.from_numpy(root[near] - sign * curve.quantile)
        assert across.min() < 0 < across.max()
    assert (curve.root.diff() > 0).all() and curve.root[12] == 0 and curve.values[12] == curve.value


def test_a_plane_of_a_line_is_an_ellipse() -> None:
    session = ended(*STRAIGHT)
    shown = confidence_plane(session.engine, 0, ("a", "b"), points=9)  # pyright: ignore[reportArgumentType]
    assert shown.limit == pytest.approx(2 * fdtri(2, 4, 0.95))
    x, t = torch.tensor([X, LINE], dtype=torch.float64)
    a, b = torch.meshgrid(shown.first, shown.second, indexing="xy")
    rss = (a[..., None] * x + b[..., None] - t).square().sum(-1)
    assert torch.allclose(shown.rise, rss / rss.min() * 4 - 4, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("model.loss=cauchy",), "its test is of squares, and this fit has model.loss=cauchy"),
        (("optimizer=adam",), "those of optimizer=adam have no standard errors"),
        (("model=mlp", "model.widths=[1,1]", "data=gaussians"), "those of an MLP mean nothing by themselves"),
        (("fit.intervals=linear", "fit.level=0.9"), "fit.level=0.9 is of fit.intervals=profile"),
        (("fit.intervals=profiles",), "did you mean profile"),
    ],
)
def test_what_has_no_profile_is_refused(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        pack_of(*PROFILE, *overrides)


def test_the_command_writes_and_shows_them(cli: Command, tmp_path: Path) -> None:
    result = result_of(cli, tmp_path, "experiment=fit", "fit.intervals=profile", "monitor=quiet")
    low, high = result["run"][0]["parameters"]["b1"]["profile"]
    assert (low, high) == pytest.approx((0.7196071628728392, 0.8207698032898908))  # as lmfit 1.3.4
    assert "profile.b1.low" in (tmp_path / "out" / "runs.csv").read_text()
