"""What a pack varies."""

import pytest
from hydra.errors import CompactHydraException
from omegaconf.errors import OmegaConfBaseException

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config import pack as pack_module
from packtrain.trainer.config.schema import per_run_fields
from tests.trainer.configs import pack_of


@pytest.mark.parametrize(
    ("over", "seeds"),
    [
        ('{seed: "1,2"}', [1, 2]),
        ('{seed: "range(0,4)"}', [0, 1, 2, 3]),
        ('{seed: "range(0,9,4)"}', [0, 4, 8]),
        ('{seed: "choice(3,1)"}', [3, 1]),
        ('{seed: "sort(3,1,2)"}', [1, 2, 3]),
        ("{seed: [4,5]}", [4, 5]),
        ('{seed: "[4,5]"}', [4, 5]),
        ("{seed: 7}", [7]),
        ('{seed: "7"}', [7]),
        ('{seed: "1,1"}', [1, 1]),
    ],
)
def test_values_stand_in_sweep_syntax(over: str, seeds: list[int]) -> None:
    pack = pack_of(f"pack.over={over}")
    assert pack.over == {"seed": seeds} and pack.runs == len(seeds)
    assert pack.values(0) == {"seed": seeds[0]} and pack.each("seed") == seeds


@pytest.mark.parametrize(
    "override",
    [
        'pack.over={optimizer: {lr: "1e-3,1e-2"}, seed: "range(0,3)"}',
        'pack.over={optimizer.lr: "1e-3,1e-2", seed: [0,1,2]}',
    ],
)
def test_the_pack_is_the_product_whose_last_field_varies_fastest(override: str) -> None:
    pack = pack_of(override)
    assert pack.over == {
        "optimizer.lr": [1e-3, 1e-3, 1e-3, 1e-2, 1e-2, 1e-2],
        "seed": [0, 1, 2, 0, 1, 2],
    }
    assert pack.runs == 6 and pack.values(4) == {"optimizer.lr": 1e-2, "seed": 1}


def test_values_can_stand_side_by_side_each_with_all_starts() -> None:
    overrides = ('pack.over={optimizer.lr: "1e-3,1e-2", seed: [5,7]}', "pack.zip=true")
    assert pack_of(*overrides).over == {"optimizer.lr": [1e-3, 1e-2], "seed": [5, 7]}
    starts = pack_of(*overrides, "model.starts=2").over
    assert starts == {"optimizer.lr": [1e-3, 1e-3, 1e-2, 1e-2], "seed": [5, 5, 7, 7], "start": [0, 1, 0, 1]}
    assert pack_of("pack.zip=true").runs == 1
    with pytest.raises(UserError, match=r"as many values of each field .* got 2 of optimizer.lr, 3 of seed"):
        pack_of('pack.over={optimizer.lr: "1e-3,1e-2", seed: "range(0,3)"}', "pack.zip=true")


def test_a_field_that_is_not_varied_is_the_same_in_every_run() -> None:
    pack = pack_of('pack.over={seed: "range(0,3)"}', "optimizer.lr=2", "model.initial={ab: [0, 1]}")
    assert pack.each("optimizer.lr") == [2.0] * 3
    assert pack.each("model.initial.ab") == [[0, 1]] * 3


def test_without_anything_to_vary_there_is_one_run() -> None:
    assert pack_of().runs == 1 and pack_of().over == {} and pack_of().values(0) == {}


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("overrides", "over"),
    [
        (("experiment=debug",), {"seed": [0, 1, 2]}),
        (("experiment=debug", "seed=4"), {}),
        (("seed=4", "experiment=debug"), {}),
        (("experiment=debug", "pack.over={seed: 9}"), {"seed": [9]}),
        (("experiment=debug", "pack.over={seed: null}"), {}),
        (("experiment=debug", "+pack.over.optimizer.eps=[1,2]", "seed=4"), {"optimizer.eps": [1.0, 2.0]}),
        (("experiment=debug", "optimizer.lr=4"), {"seed": [0, 1, 2]}),
        (("optimizer=sgd", "experiment=debug"), {"seed": [0, 1, 2]}),
    ],
)
def test_the_command_line_beats_an_experiments_pack(
    overrides: tuple[str, ...], over: dict[str, list[float]]
) -> None:
    assert pack_of(*overrides).over == over


@pytest.mark.parametrize(
    ("over", "path", "values"),
    [
        ("{optimizer.clip_norm: 'null,1'}", "optimizer.clip_norm", [None, 1.0]),
        ("{model.initial.ab: '0.1,0.2'}", "model.initial.ab", [0.1, 0.2]),
        ("{model.initial: {ab: '0.1,[0,1]'}}", "model.initial.ab", [0.1, [0, 1]]),
        ("{model.initial.ab: [[0,1],[2,3]]}", "model.initial.ab", [[0, 1], [2, 3]]),
        ("{loop.steps: '10,20'}", "loop.steps", [10, 20]),
        ("{schedule.warmup_steps: 'range(0,2)'}", "schedule.warmup_steps", [0, 1]),
    ],
)
def test_every_kind_of_value_can_vary(over: str, path: str, values: list[object]) -> None:
    pack = pack_of(f"pack.over={over}")
    assert pack.over == {path: values}
    assert [type(value) for value in pack.over[path]] == [type(value) for value in values]


def test_a_field_of_another_kind_can_vary_where_it_belongs() -> None:
    override = 'pack.over={optimizer.nesterov: "true,false", optimizer.momentum: 0.9}'
    assert pack_of(override, "optimizer=sgd").over["optimizer.nesterov"] == [True, False]


def test_fields_of_a_run_can_vary_and_others_cant() -> None:
    allowed = per_run_fields()
    assert {"seed", "optimizer.lr", "loop.steps", "model.initial.*"} <= set(allowed)
    assert not {"data.seed", "model.widths", "loop.batch_size", "pack.over", "name"} & set(allowed)


REFUSED = [
    ("{seed: []}", r"pack.over: seed: \[\] names no value, so the pack would be empty"),
    ('{seed: "range(0,0)"}', "names no value, so the pack would be empty"),
    ('{seed: "[]"}', "names no value"),
    ('{optimizer.lr: 1, seed: "range(5,1)"}', "names no value"),
    ('{seed: ""}', "pack.over: seed: Value '' of type 'str' could not be converted to Integer"),
    ('{seed: "1.5,2"}', "pack.over: seed: Value '1.5' of type 'float' could not be converted to Integer"),
    ('{seed: "a,b"}', "pack.over: seed: Value 'a'"),
    ("{seed: [null]}", "pack.over: seed: field 'seed' is not Optional"),
    ("{seed: [[1,2]]}", "pack.over: seed: Value .* of type 'list'"),
    ("{optimizer.lr: true}", "pack.over: optimizer.lr: Value 'True' of type 'bool'"),
    ('{seed: "-1,2"}', r"seed is an integer from 0 to 2\^63-1; got -1"),
    ('{optimizer.lr: "0.1,-0.1"}', "optimizer.lr is 0 or more; got -0.1"),
    ('{optimizer.lr: "1,nan"}', "optimizer.lr is a finite number; got nan"),
    ('{model.initial.ab: "0,inf"}', "model.initial.ab is a finite number; got inf"),
    ('{loop.steps: "10,null"}', "pack.over: loop.steps is the number of steps of each run; got null"),
    ('{loop.steps: "10,0"}', "loop.steps is more than 0; got 0"),
    ('{seed: "interval(0,1)"}', r"'interval\(0,1\)' can't be read as values"),
    ('{seed: "foo(0,1)"}', r"'foo\(0,1\)' can't be read as values"),
    ('{seed: "range(0,1000000000)"}', "more runs than a pack may hold, 1,048,576"),
    ('{seed: "range(0,2000)", optimizer.lr: "range(0,2000)"}', "more runs than a pack may hold"),
    ("{lr: 1}", r"pack.over: lr can't differ between the runs of a pack \(did you mean optimizer.lr\?\)"),
    ("{data.seed: 1}", r"data.seed can't differ between the runs of a pack \(did you mean seed\?\)"),
    ("{optimizer.kind: sgd}", "optimizer.kind can't differ"),
    ("{optimizer: {llr: 1}}", r"optimizer.llr can't differ .*did you mean optimizer.lr"),
    ("{model.initial: 3}", "model.initial can't differ"),
    ("{1: 3}", "pack.over: 1 can't differ"),
    (
        "{optimizer.momentum: 0.9}",
        "momentum is for optimizer=sgd or rmsprop, and this run has optimizer=adam",
    ),
    ("3", "pack.over maps fields to values"),
    ("hello", "pack.over maps fields to values"),
    ("null", "pack.over maps fields to values"),
]


@pytest.mark.sampled(10)
@pytest.mark.parametrize(("over", "message"), REFUSED)
def test_a_pack_that_cant_be_is_refused(over: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        pack_of(f"pack.over={over}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "overrides",
    [
        ("seed=4", "pack.over={seed: '1,2'}"),
        ("pack.over={seed: '1,2'}", "seed=4"),
        ("seed=4", "+pack.over.seed=[1,2]"),
        ("optimizer={lr: 3}", "pack.over={optimizer: {lr: '1,2'}}"),
        ("model.initial={ab: 3}", "pack.over={model.initial.ab: '1,2'}"),
        ("model.initial.ab=3", "+pack.over.model.initial.ab='1,2'"),
    ],
)
def test_a_field_given_twice_on_the_command_line_is_refused(overrides: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match=r"is given twice: .* and in pack.over; keep one"):
        pack_of(*overrides)


def test_a_pack_as_large_as_may_be_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack_module, "MOST_RUNS", 6)
    assert pack_of('pack.over={seed: "range(0,3)", optimizer.lr: "1,2"}').runs == 6
    with pytest.raises(UserError, match="more runs than a pack may hold, 6"):
        pack_of('pack.over={seed: "range(0,7)"}')


@pytest.mark.sampled(8)
@pytest.mark.parametrize(
    "override",
    [
        "seed=1.5",
        "seed=true",
        "seed=null",
        "seed=[1]",
        "optimizer.lr=fast",
        "optimizer.lr=",
        "optimizer.lr={a: 1}",
        "loop.steps=ten",
        "loop.batch_size=2.5",
        "loop.batch_size=null",
        "loop=3",
        "pack=3",
        "model.widths=3",
        "model.initial_range=[a,b]",
        "data.range=3",
        "monitor.tensorboard=maybe",
        "pack.over=[1,2]",
        "optimizer.momentun=1",
        "loop.max_second=1",
    ],
)
def test_a_value_of_the_wrong_type_or_name_is_hydras_to_refuse(override: str) -> None:
    with pytest.raises((CompactHydraException, OmegaConfBaseException)):
        pack_of(override)


@pytest.mark.parametrize(("part", "seeds"), [("[0,2]", [0, 0]), ("[1,5]", [0, 1, 1, 2]), ("[0,6]", None)])
def test_a_slice_holds_some_of_the_runs(part: str, seeds: list[int] | None) -> None:
    override = 'pack.over={seed: "range(0,3)", optimizer.lr: "1,2"}'
    pack = pack_of(override, f"pack.slice={part}")
    assert pack.over["seed"] == (seeds or pack_of(override).over["seed"])
    assert pack.runs == len(pack.over["seed"]) == len(pack.over["optimizer.lr"])


@pytest.mark.parametrize("part", ["[1]", "[2,2]", "[-1,2]", "[0,7]", "[0,1,2]", "[]"])
def test_a_slice_of_other_runs_is_refused(part: str) -> None:
    with pytest.raises(UserError, match=r"pack.slice is \[from, to\) with 0 <= from < to <= 6"):
        pack_of('pack.over={seed: "range(0,6)"}', f"pack.slice={part}")
