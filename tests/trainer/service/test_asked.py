"""The Composer says what the command says of the same words: the same packs, the same sentences."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import pytest
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.compose import as_sentences, composed, config_loader
from packtrain.trainer.config.grammar import with_quotes
from packtrain.trainer.config.pack import Pack, make_pack
from packtrain.trainer.config.schema import ModelConfig
from packtrain.trainer.models.build import make_graph
from packtrain.trainer.service import asked as asked_module
from packtrain.trainer.service.asked import Composer
from packtrain.trainer.service.jobs import Asked
from packtrain.trainer.service.limits import Limits
from packtrain.trainer.service.plain import NO_NAMES, read
from packtrain.trainer.service.structure import config_of, key_of, with_fields
from packtrain.trainer.sweep.planner import without_hydra
from tests.thorough import examples

COMPOSER = Composer()  # keeps what is known from one test to the next, as in a server


@pytest.fixture(scope="module")
def command() -> dict[tuple[str, ...], Pack | str]:
    """overrides -> the pack that the command trains, or what it says."""
    with config_loader() as loader:
        return {tuple(overrides): of_command(loader, overrides) for overrides in GOOD + WRONG}


def of_command(loader: ConfigLoader, overrides: Sequence[str]) -> Pack | str:
    try:
        words = [with_quotes(word) for word in overrides]
        with as_sentences():
            return make_pack(without_hydra(composed(loader, words)), words)
    except UserError as error:
        return str(error)


def of_composer(overrides: Sequence[str], composer: Composer = COMPOSER) -> Pack | str:
    """The pack of the job that is stored, or what is said."""
    try:
        (asked,) = composer.asked(overrides)
    except UserError as error:
        return str(error)
    assert asked.overrides == list(overrides)
    return stored(asked)


def stored(asked: Asked) -> Pack:
    """As a worker reads it, which gets it as JSON; the base is that of whoever had the key first."""
    base, fields, over = json.loads(json.dumps([asked.base, asked.fields, asked.over]))
    pack = Pack(with_fields(config_of(base), fields), over, asked.runs)
    assert key_of(pack) == asked.key and pack.config.name == asked.name
    return pack


GOOD = [
    [],
    ["experiment=digits", "optimizer.lr=1", "seed=4", "name=mine"],
    ["experiment=digits", "optimizer=sgd", "optimizer.nesterov=true", "optimizer.momentum=0.5"],
    ["experiment=digits", "schedule=linear_warmup", "schedule.warmup_steps=7"],
    ["experiment=digits", "model.widths=[64,32,10]", "model.dropout=0.1"],
    ["experiment=digits", "loop.steps=10", "seed=1"],  # beats the experiment's epochs
    ["experiment=digits", "loop.steps=null", "loop.epochs=2"],
    ["experiment=digits", "optimizer.clip_norm=null"],
    ["experiment=digits", "pack.over={seed: '0,1'}", "optimizer.lr=0.1"],
    ["experiment=digits", "pack.over={seed: '0,1'}", "optimizer.lr=0.2"],
    ["experiment=digits", "optimizer={lr: 0.5}", "seed=3"],
    ["optimizer.lr=0.25", "experiment=digits", "optimizer={lr: 0.5}"],
    ["experiment=digits", "optimizer.lr=0.75", "optimizer={lr: 0.5}"],
    ["experiment=digits", "seed=1", "seed=2"],
    ["experiment=digits", "~seed"],
    ["experiment=digits", "++seed=4"],
    ["experiment=debug", "model.initial.ab=3"],
    ["experiment=debug", "model.initial.ab=4.5"],
    ["experiment=debug", "model.starts=3", "seed=3"],
    ["experiment=debug", "model.starts=3", "seed=4"],
    ["experiment=debug", "model.loss=huber", "model.loss_constants.delta=0.5"],
    ["experiment=debug", "model.loss=huber", "model.loss_constants.delta=0.25"],
    ["experiment=debug", "name=größe"],
    ["~experiment", "model.expressions=['xy = a*xx + b']", "data.size=64", "data.truth={a: 1}"],
    ["~experiment", "model=mlp", "model.widths=[4]", "data=table", "data.table={a: [1, 2], b: [0, 1]}"],
    ["experiment=danwood", "optimizer=levenberg_marquardt", "optimizer.ftol=1e-8"],
    ["experiment=debug", "search=random", "search.space={optimizer.lr: {low: 1e-4, high: 1, log: true}}"],
]  # fmt: skip
WRONG = [
    ["experiment=digit"],
    ["experiment=digits", "optimizer.l=3"],
    ["experiment=digits", "optimizer.lr=-1"],
    ["experiment=digits", "seed=1.5"],
    ["experiment=digits", "seed=9223372036854775808"],
    ["experiment=digits", "optimizer.momentum=0.5"],
    ["experiment=digits", "seed=1,2"],
    ["experiment=digits", "seed"],
    ["experiment=digits", "pack.over={seed: '0,1'}", "seed=3"],
    ["experiment=digits", "pack.over={data.seed: '1,2'}"],
    ["experiment=digits", "model.widths=[64"],
    ["experiment=digits", "+seed=4"],
    ["experiment=digits", "name=a/b"],
    ["model.dropout=0.5"],
    [""],
]


Command = dict[tuple[str, ...], Pack | str]


@pytest.mark.sampled(7)
@pytest.mark.parametrize("overrides", GOOD, ids=" ".join)
def test_a_job_is_what_the_command_trains(command: Command, overrides: list[str]) -> None:
    pack = command[tuple(overrides)]
    assert isinstance(pack, Pack), pack
    for _ in range(2):  # also when its structure is known
        result = of_composer(overrides)
        assert isinstance(result, Pack), result
        assert repr(asdict(result)) == repr(asdict(pack))


@pytest.mark.sampled(5)
@pytest.mark.parametrize("overrides", WRONG, ids=" ".join)
def test_what_is_refused_is_refused_in_the_words_of_the_command(
    command: Command, overrides: list[str]
) -> None:
    sentence = command[tuple(overrides)]
    assert isinstance(sentence, str), sentence
    assert of_composer(overrides) == sentence


def test_a_known_structure_composes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    composer = Composer()
    first = of_composer(["experiment=debug", "optimizer.lr=0.1", "seed=1"], composer)
    monkeypatch.setattr(asked_module, "_whole", lambda words: pytest.fail(f"composed {words}"))
    monkeypatch.setattr(asked_module, "make_pack", lambda *given: pytest.fail(f"composed {given}"))
    second = of_composer(["experiment=debug", "optimizer.lr=0.2", "seed=0"], composer)
    assert isinstance(first, Pack) and isinstance(second, Pack)
    assert (second.config.optimizer.lr, second.config.seed) == (0.2, 0)
    assert key_of(first) == key_of(second)


def test_what_is_known_stays_as_it_was() -> None:
    """What jobs of one structure share isn't changed by any of them."""
    composer = Composer()
    texts = [["experiment=debug", f"model.initial.ab={value}", f"seed={value}"] for value in (1, 2, 3)]
    together = [composer.asked(overrides)[0] for overrides in texts]
    alone = [Composer().asked(overrides)[0] for overrides in texts[:2]]
    assert [asdict(asked) for asked in together[:2]] == [asdict(asked) for asked in alone]


def test_a_later_word_about_the_same_field_counts() -> None:
    """Also where it happened to say the same the first time."""
    for value in (0.5, 0.75):
        pack = of_composer(["experiment=debug", f"optimizer.lr={value}", "optimizer={lr: 0.5}"])
        assert isinstance(pack, Pack) and pack.config.optimizer.lr == 0.5


def test_a_mistake_in_a_known_structure_has_its_sentence() -> None:
    for overrides in (["experiment=debug", "optimizer.lr=0.1"], ["experiment=debug", "optimizer.lr=0.2"]):
        assert isinstance(of_composer(overrides), Pack)
    assert of_composer(["experiment=debug", "optimizer.lr=-0.5"]) == "optimizer.lr is 0 or more; got -0.5"


def test_jobs_of_a_key_have_one_base() -> None:
    """A server that was begun again knows other jobs first; what it stores of them fits to what is there."""
    orders = (["seed=3", "name=mine"], ["seed=0", "optimizer.lr=0.5", "checkpoint.every=9"])
    first, second = (Composer().asked(["experiment=digits", *words])[0] for words in orders)
    assert first.key == second.key and first.base == second.base and first.fields != second.fields


@pytest.mark.parametrize("equations", ["xy = a*xx +", "xy = xy + a"])
def test_equations_are_read_when_they_are_submitted(equations: str) -> None:
    with pytest.raises(UserError) as said:
        make_graph(ModelConfig("expression", expressions=[equations]))
    with pytest.raises(UserError) as of_service:
        COMPOSER.asked(["experiment=debug", f'model.expressions=["{equations}"]'])
    assert str(of_service.value) == str(said.value)


def test_the_order_of_columns_is_structure() -> None:
    """It is that of an MLP's inputs, and so of its weights."""
    table = ["~experiment", "model=mlp", "model.widths=[4]", "data=table"]
    keys = [COMPOSER.asked([*table, f"data.table={columns}"])[0].key for columns in ORDERS]
    assert keys[0] != keys[1]


ORDERS = "{a: [1, 2], b: [0, 1], c: [1, 1]}", "{b: [0, 1], a: [1, 2], c: [1, 1]}"
SWEEP = ["experiment=debug", "optimizer=adam,sgd", "optimizer.lr=0.1,0.2", "seed=range(0,3)"]


def test_a_sweep_is_a_job_for_each_structure() -> None:
    asked = COMPOSER.asked(SWEEP, multirun=True)
    assert [job.runs for job in asked] == [6, 6]
    assert [job.base["optimizer"]["kind"] for job in asked] == ["adam", "sgd"]
    for job in asked:
        (alone,) = COMPOSER.asked(job.overrides)
        assert asdict(alone) == asdict(job)


def test_combinations_that_cannot_be_trained_are_left_out() -> None:
    checked = COMPOSER.checked(["experiment=debug", "optimizer=adam,sgd", "optimizer.momentum=0.5"], True)
    assert [job.base["optimizer"]["kind"] for job in checked.asked] == ["sgd"]
    (sentence,) = checked.left_out
    assert sentence.startswith("optimizer=adam: optimizer.momentum is for optimizer=sgd")


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["experiment=debug", "optimizer=adam,adamw", "optimizer.momentum=1"],
            "optimizer=adam: optimizer.mom",
        ),
        (["experiment=debug", "seed=interval(0,9)"], "seed=interval.* is an interval"),
        (["experiment=debug", "search=random", "seed=1,2"], "search=random is a sweep by itself"),
    ],
)
def test_a_sweep_of_which_nothing_can_be_trained_is_refused(overrides: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        COMPOSER.asked(overrides, multirun=True)


GROUPS = ["experiment=fit", "data=file", "data.path=none.csv", "data.group=batch"]


def test_a_sweep_over_groups_reads_no_data() -> None:
    asked = COMPOSER.asked([*GROUPS, "optimizer=levenberg_marquardt,gauss_newton"], multirun=True)
    assert [job.runs for job in asked] == [1, 1] and not any(job.joins for job in asked)
    with pytest.raises(UserError, match=r"leave out search\.max_pack"):
        COMPOSER.asked([*GROUPS, "optimizer=levenberg_marquardt,gauss_newton", "search.max_pack=5"], True)


def test_a_search_is_one_job_that_shares_no_pack() -> None:
    space = "search.space={optimizer.lr: {low: 1e-4, high: 1, log: true}}"
    (asked,) = COMPOSER.asked(["experiment=debug", "search=random", space])
    assert asked.search and not asked.joins


@pytest.mark.parametrize(
    ("limits", "overrides", "sentence"),
    [
        (Limits(), ["hydra.run.dir=/tmp"], "hydra"),
        (Limits(), ["experiment=debug", "name=${oc.env:HOME}"], "resolves no"),
        (Limits(), ["experiment=debug", "data.path=/etc/passwd"], "data.path is relative"),
        (Limits(runs=2), ["experiment=debug", "pack.over={seed: '1,2,3'}"], "at most 2 runs"),
    ],
)
def test_limits_are_sentences(limits: Limits, overrides: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Composer(limits).asked(overrides)


def test_a_sweep_ends_at_its_limit() -> None:
    with pytest.raises(UserError, match="a sweep has at most 1 jobs"):
        Composer(Limits(jobs=1)).asked(SWEEP, multirun=True)


NUMBERS = st.one_of(
    st.integers().map(str),
    st.floats().map(repr),
    st.from_regex(r"[+-]?[0-9]{0,3}(\.[0-9]{0,3})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(["true", "false", "TRUE", "null", "nan", "inf", "1_000", "0x1", " 1", "1 ", "007"]),
)


@given(st.sampled_from(["seed", "optimizer.lr", "optimizer.nesterov", "model.initial.a", "name"]), NUMBERS)
@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_read_quickly_is_read_as_hydra_reads_it(field: str, value: str) -> None:
    if (plain := read(f"{field}={value}")) is not None:
        parsed = OverridesParser.create().parse_override(f"{field}={value}")
        assert not parsed.is_sweep_override()
        assert repr(plain) == repr((parsed.key_or_group, parsed.value()))


@given(st.from_regex(r"[a-z][a-z0-9_-]{0,12}", fullmatch=True) | st.sampled_from(sorted(NO_NAMES)))
@settings(max_examples=examples(100), deadline=None)
def test_a_name_is_read_as_hydra_reads_it(name: str) -> None:
    if (plain := read(f"name={name}")) is not None:
        assert plain[1] == OverridesParser.create().parse_override(f"name={name}").value()


def test_numbers_are_read_quickly() -> None:
    assert read("seed=17") == ("seed", 17) and read("optimizer.lr=-1.5e-3") == ("optimizer.lr", -0.0015)
