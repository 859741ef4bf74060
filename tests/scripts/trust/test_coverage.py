"""The count of intervals that hold the truth."""

from dataclasses import replace

from scripts.trust.coverage import MODELS, fitted, simulated, tally_of

MODEL = MODELS["exponential decay"]


def test_most_intervals_hold_the_truth_and_none_holds_another() -> None:
    session = fitted(MODEL, sets=40)
    tally = tally_of(MODEL, session)
    assert len(tally.known) == 40 and not tally.failed.any() and not tally.open.any()
    for held in (tally.linear, tally.profile):
        assert held.shape == (40, 2) and held.double().mean() > 0.85
    elsewhere = tally_of(replace(MODEL, truth={"a": 10.0, "k": 4.0}), session)
    assert not elsewhere.profile[:, 1].any() and not elsewhere.linear[:, 1].any()


def test_data_sets_differ() -> None:
    table = simulated(MODEL, sets=2, seed=0)
    assert table["set"].tolist() == [0] * 8 + [1] * 8
    assert (table["x"][:8] == table["x"][8:]).all() and (table["xy"][:8] != table["xy"][8:]).all()
