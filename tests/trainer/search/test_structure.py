"""The structures of a search, and the packs that a round becomes."""

from collections.abc import Sequence
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import DictConfig

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.compose import as_sentences
from packtrain.trainer.search.packs import RoundPack, packs_of_round
from packtrain.trainer.search.space import Point, read_space
from packtrain.trainer.search.structure import Structures, grouped, spelled, words_of
from tests.strategies import few
from tests.trainer.configs import compose

WIDTHS = st.sampled_from([[2, 4, 2], [2, 8, 2], [2, 2]])
POINTS = st.lists(
    st.fixed_dictionaries(
        {"model.widths": WIDTHS, "loop.batch_size": st.sampled_from([1, "1"]), "seed": st.integers(0, 9)}
    ),
    min_size=1,
    max_size=20,
)
MLP = ("~experiment", "model=mlp", "data=gaussians", "optimizer=adam", "loop.steps=4")


@few
@given(POINTS, st.none() | st.integers(1, 5))
def test_each_run_of_a_round_is_in_one_group_of_its_structure(points: list[Point], most: int | None) -> None:
    groups = grouped(points, ["model.widths", "loop.batch_size"], most)
    places = [place for group in groups for place in group.places]
    assert sorted(places) == list(range(len(points)))
    for group in groups:
        assert 1 <= len(group.points) == len(group.places) <= (most or len(points))
        assert group.places == sorted(group.places)
        for place, point in zip(group.places, group.points, strict=True):
            assert {**group.values, **point} == points[place]
    if most is None:
        assert len(groups) == len({repr((p["model.widths"], p["loop.batch_size"])) for p in points})


TEXTS = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"]))
NUMBERS = st.integers() | st.floats(allow_nan=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS, lambda inside: st.lists(inside, max_size=3), max_leaves=6
)


@few
@given(VALUES)
def test_hydra_reads_a_value_as_it_was(value: Any) -> None:
    read = OverridesParser.create().parse_override(f"field={spelled(value)}").value()
    assert repr(read) == repr(value)


def structures(space: str, *words: str) -> Structures:
    overrides = [*MLP, "search=random", *words, f"search.space={space}"]
    cfg = compose(*overrides)
    composed: list[Sequence[str]] = []

    def once(words: Sequence[str]) -> DictConfig:
        assert words not in composed, "a structure is composed once"
        composed.append(words)
        with as_sentences():
            return compose(*words)

    return Structures(cfg, read_space(cfg), overrides, once)


def packs(found: Structures, *points: Point, most: int | None = None) -> list[RoundPack]:
    return packs_of_round(3, points, found, most)


LR = "optimizer.lr: {low: 0.1, high: 1}"


def test_runs_are_numbered_on_from_pack_to_pack() -> None:
    found = structures(f"{{{LR}, model.widths: {{choices: [[2, 4, 2], [2, 8, 2]]}}}}")
    points = [{"optimizer.lr": 0.1 * run, "model.widths": [2, 4 * (1 + run % 2), 2]} for run in range(1, 6)]
    one, other = packs(found, *points)
    assert (one.planned.folder, one.planned.first, one.planned.runs, one.places) == ("3-0", 15, 3, [0, 2, 4])
    assert (other.planned.folder, other.planned.first, other.planned.runs) == ("3-1", 18, 2)
    assert one.pack and one.pack.config.model.widths == [2, 8, 2] == one.planned.values["model.widths"]
    assert one.pack.over == {"optimizer.lr": [0.1 * run for run in (1, 3, 5)]}
    assert words_of(other.planned.values) == ["model.widths=[2, 4, 2]"] == other.overrides[-1:]
    slices = packs(found, *points, most=2)
    assert [(pack.planned.first, pack.planned.runs) for pack in slices] == [(15, 2), (17, 1), (18, 2)]


def test_a_space_without_structure_is_one_pack_or_slices_of_it() -> None:
    found = structures(f"{{{LR}}}")
    points = [{"optimizer.lr": 0.1 * run} for run in range(1, 6)]
    (whole,) = packs(found, *points)
    assert (whole.planned.folder, whole.planned.values, whole.planned.first) == ("3", {}, 15)
    assert [pack.planned.folder for pack in packs(found, *points, most=3)] == ["3-0", "3-1"]


def test_a_point_has_no_fields_that_its_kinds_dont_have() -> None:
    found = structures(
        f"{{{LR}, optimizer: {{choices: [adam, sgd]}}, optimizer.momentum: {{low: 0, high: 1}}}}"
    )
    point = {"optimizer.lr": 0.1, "optimizer.momentum": 0.5}
    adam, sgd = packs(found, {**point, "optimizer": "adam"}, {**point, "optimizer": "sgd"})
    assert adam.pack and sgd.pack
    assert adam.pack.over == {"optimizer.lr": [0.1]} and sgd.pack.config.optimizer.kind == "sgd"
    assert sgd.pack.over == {"optimizer.lr": [0.1], "optimizer.momentum": [0.5]}


def test_runs_in_which_nothing_else_differs_are_as_many_as_were_asked_for() -> None:
    found = structures("{model.activation: {choices: [relu, 'z*sigmoid(1.702*z)']}}")
    relu, other = packs(
        found, *({"model.activation": each} for each in ("relu", "z*sigmoid(1.702*z)", "relu"))
    )
    assert relu.pack and other.pack
    assert (relu.pack.runs, relu.places, other.pack.runs) == (2, [0, 2], 1)
    assert other.pack.config.model.activation == "z*sigmoid(1.702*z)"


def test_what_a_field_follows_that_cant_differ_in_a_pack_is_structure() -> None:
    found = structures(f"{{{LR}, seed: {{low: 0, high: 9}}}}", "data.seed=${seed}")
    assert found.fields == ["seed"]
    pack = packs(found, {"optimizer.lr": 0.1, "seed": 7}, {"optimizer.lr": 0.2, "seed": 7})[0].pack
    assert pack and (pack.config.data.seed, pack.config.seed, pack.runs) == (7, 7, 2)


def test_a_structure_that_cant_be_trained_is_left_out() -> None:
    found = structures(f"{{{LR}, model.activation: {{choices: [relu, reluu]}}}}")
    point = {"optimizer.lr": 0.1}
    relu, reluu = packs(found, {**point, "model.activation": "relu"}, {**point, "model.activation": "reluu"})
    assert relu.pack and not reluu.pack
    assert (reluu.planned.runs, "reluu" in reluu.planned.refused) == (0, True)


def test_an_option_that_there_isnt_is_said_before_anything_is_trained() -> None:
    with pytest.raises(UserError, match="adamm"):
        structures("{optimizer: {choices: [adam, adamm]}}")
