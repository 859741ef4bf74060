"""What a command with -m asks for, split into structure and packs."""

import itertools
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.compose import config_loader
from packtrain.trainer.config.schema import is_per_run
from packtrain.trainer.sweep.grid import Grid, make_grid
from tests.strategies import few
from tests.trainer.configs import pack_of

MIXED = ["descent/adam", "descent/momentum", "primer", "primer_large"]


def grid_of(*overrides: str) -> Grid:
    return make_grid(OverridesParser.create().parse_overrides(list(overrides)))


def overrides_of(grid: Grid) -> list[list[str]]:
    """The overrides of each combination."""
    return [[choice.override for choice in choices] for choices in grid.combinations()]


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("override", "values"),
    [
        ("seed=1,2", [1, 2]),
        ("seed=range(0,4)", [0, 1, 2, 3]),
        ("seed=choice(3,1)", [3, 1]),
        ("seed=sort(3,1,2)", [1, 2, 3]),
        ("seed=sort(range(0,3),reverse=true)", [2, 1, 0]),
        ("++seed=1,2", [1, 2]),
        ("pack.over.seed=1,2", [1, 2]),
        ("optimizer.lr=1e-3,1e-2", [1e-3, 1e-2]),
        ("optimizer.lr=range(0.25,1,0.25)", [0.25, 0.5, 0.75]),
        ("optimizer.clip_norm=null,1", [None, 1.0]),
        ("model.initial.ab=0.5,[0,1]", [0.5, [0, 1]]),
        ("+model.initial.ab=0.5,1", [0.5, 1.0]),
    ],
)
def test_what_may_differ_inside_a_pack_is_packed(override: str, values: list[Any]) -> None:
    grid = grid_of(override, "loop.steps=3")
    assert overrides_of(grid) == [[]]
    assert grid.shared[0] == "loop.steps=3"
    assert list(pack_of(*grid.shared).over.values()) == [values]


@pytest.mark.parametrize(
    ("override", "values"),
    [
        ("model.widths=[2,10,2],[2,32,2]", [[2, 10, 2], [2, 32, 2]]),
        ("optimizer=sgd,adam", ["sgd", "adam"]),
        ("data.seed=range(0,3)", [0, 1, 2]),
        ("loop.epochs=choice(1,2)", [1, 2]),
        ("+data.truth.ab=1,2", [1, 2]),
        ("data.path='a b.csv','c,d.csv'", ["a b.csv", "c,d.csv"]),
    ],
)
def test_structure_makes_a_pack_for_each_value(override: str, values: list[Any]) -> None:
    grid = grid_of("seed=3", override)
    assert grid.shared == ["seed=3"]
    made = [choice for (choice,) in grid.combinations()]
    assert [choice.value for choice in made] == values
    assert {choice.field for choice in made} == {override.partition("=")[0].lstrip("+")}
    again = OverridesParser.create().parse_overrides([choice.override for choice in made])
    assert [each.value() for each in again] == values


def test_structure_and_values_of_a_pack_together() -> None:
    grid = grid_of("model.widths=[2,4],[2,8]", "seed=1,2", "optimizer=sgd,adam", "optimizer.lr=1,2")
    assert grid.shared == ['pack.over={seed:"1,2",optimizer.lr:"1,2"}']
    assert overrides_of(grid) == [
        ["model.widths=[2,4]", "optimizer=sgd"],
        ["model.widths=[2,4]", "optimizer=adam"],
        ["model.widths=[2,8]", "optimizer=sgd"],
        ["model.widths=[2,8]", "optimizer=adam"],
    ]


SWEPT = {
    "seed": ("range(0,3)", 3),
    "optimizer.lr": ("1,2", 2),
    "schedule.warmup_steps": ("4", 1),
    "data.seed": ("1,2,3,4,5", 5),
    "optimizer": ("sgd,adam", 2),
    "name": ("a,b", 2),
}


@few
@given(st.permutations(sorted(SWEPT)), st.integers(0, len(SWEPT)))
def test_packs_are_the_product_of_what_may_not_differ(fields: list[str], count: int) -> None:
    asked = fields[:count]
    grid = grid_of(*(f"{field}={SWEPT[field][0]}" for field in asked))
    structure = [field for field in asked if not is_per_run(field) and SWEPT[field][1] > 1]
    counts = [range(SWEPT[field][1]) for field in structure]
    assert len(list(grid.combinations())) == len(list(itertools.product(*counts)))
    assert [choices[0].field for choices in grid.structure] == structure
    packed = [field for field in asked if is_per_run(field) and SWEPT[field][1] > 1]
    given = "".join(f'{field}:"{SWEPT[field][0]}",' for field in packed)
    over = [each for each in grid.shared if each.startswith("pack.over")]
    assert over == ([f"pack.over={{{given[:-1]}}}"] if packed else [])


def test_the_last_of_a_fields_overrides_counts() -> None:
    assert grid_of("seed=1,2", "seed=3").shared == ["seed=3"]
    assert grid_of("seed=3", "seed=1,2").shared == ['pack.over={seed:"1,2"}']
    assert overrides_of(grid_of("name=a", "name=b,c")) == [["name=b"], ["name=c"]]


def test_what_is_in_pack_over_adds_up() -> None:
    grid = grid_of('pack.over={seed: "1,2"}', "pack.over={optimizer.eps: [1]}", "optimizer.lr=1,2")
    assert pack_of(*grid.shared).over.keys() == {"seed", "optimizer.eps", "optimizer.lr"}


def test_a_shuffle_is_drawn_once() -> None:
    grid = grid_of("seed=shuffle(range(0,1000))", "optimizer.lr=shuffle(1,2,3,4)", "name=shuffle(a,b,c)")
    over = pack_of(*grid.shared, "search.max_pack=null").over
    again = pack_of(*grid.shared).over
    assert over == again
    assert list(dict.fromkeys(over["seed"])) != list(range(1000)) and set(over["seed"]) == set(range(1000))
    assert set(over["optimizer.lr"]) == {1, 2, 3, 4}
    assert sorted(choice.override for (choice,) in grid.combinations()) == ["name=a", "name=b", "name=c"]
    assert all(choice.override == f"name={choice.value}" for (choice,) in grid.combinations())


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["seed=interval(0,1)"], r"seed=interval\(0,1\) is an interval, and a grid takes values: seed=range"),
        (["data.seed=interval(0,1)"], "is an interval, and a grid takes values"),
        (["data.seed=range(3,0)"], r"data.seed=range\(3,0\) names no value, so the sweep would be empty"),
        (["seed=1,2", "pack.over={seed: 3}"], "seed is given twice: seed=1,2 and in pack.over; keep one"),
        (["seed=1,2", "pack.over.seed=3"], "seed is given twice"),
        (["seed=1,2", "pack.over.seed=3,4"], "seed is given twice"),
    ],
)
def test_what_makes_no_grid_is_refused(overrides: list[str], told: str) -> None:
    with pytest.raises(UserError, match=told):
        grid_of(*overrides)


@pytest.mark.parametrize(
    ("override", "options"),
    [
        ("experiment=glob(descent/sgd*)", ["descent/sgd_4", "descent/sgd_64"]),
        ("experiment=glob(de*)", ["debug", "descent"]),
        (
            "experiment=glob([descent/*m*,primer*],exclude=*q*)",
            MIXED,
        ),
    ],
)
def test_a_glob_reaches_into_the_folder_that_it_names(override: str, options: list[str]) -> None:
    with config_loader() as loader:
        grid = make_grid(OverridesParser.create(config_loader=loader).parse_overrides([override]))
    assert [option.value for (option,) in grid.combinations()] == options


def test_a_glob_of_nothing_is_refused() -> None:
    with config_loader() as loader, pytest.raises(UserError, match="names no value"):
        make_grid(
            OverridesParser.create(config_loader=loader).parse_overrides(["experiment=glob(nowhere/*)"])
        )
