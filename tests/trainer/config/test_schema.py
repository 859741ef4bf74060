"""The schema, the files of conf/, and the checks that types can't make."""

from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.checks import check
from packtrain.trainer.config.ranges import NUMBERS
from packtrain.trainer.config.schema import KINDS, Config, all_fields, is_per_run, per_run_fields
from tests.helpers import Command
from tests.trainer.configs import CONF, compose, pack_of

FIELDS = dict(all_fields())
GROUPS = sorted(folder.name for folder in CONF.iterdir() if folder.is_dir() and folder.name != "__pycache__")
OPTIONS = [
    (group, file) for group in GROUPS if group != "experiment" for file in (CONF / group).glob("*.yaml")
]
EXPERIMENTS = sorted(file.stem for file in (CONF / "experiment").glob("*.yaml"))
MLP = ("model=mlp", "model.widths=[2,3]", "data=gaussians")


def paths(given: object, prefix: str) -> list[str]:
    """The dotted fields that a YAML file sets; what is inside a free mapping is the user's own."""
    if not isinstance(given, dict) or prefix.rstrip(".") in FIELDS:
        return [prefix.rstrip(".")]
    return [path for key, value in given.items() for path in paths(value, f"{prefix}{key}.")]


@pytest.mark.parametrize(("group", "file"), OPTIONS, ids=lambda value: getattr(value, "stem", value))
def test_every_field_of_an_option_is_in_the_schema(group: str, file: Path) -> None:
    assert set(paths(yaml.safe_load(file.read_text()), f"{group}.")) <= set(FIELDS)


@pytest.mark.parametrize(
    "file", [CONF / "train.yaml", *(CONF / "experiment").glob("*.yaml")], ids=lambda f: f.stem
)
def test_every_field_of_an_experiment_is_in_the_schema(file: Path) -> None:
    given = {
        key: value
        for key, value in yaml.safe_load(file.read_text()).items()
        if key not in ("defaults", "hydra")
    }
    assert set(paths(given, "")) <= set(FIELDS)


@pytest.mark.parametrize("group", KINDS)
def test_the_kinds_of_a_group_are_its_options(group: str) -> None:
    assert set(KINDS[group]) == {file.stem for file in (CONF / group).glob("*.yaml")}
    for kind in KINDS[group]:
        assert yaml.safe_load((CONF / group / f"{kind}.yaml").read_text())["kind"] == kind


@pytest.mark.parametrize("group", KINDS)
def test_an_option_sets_all_fields_of_its_kind_and_no_others(group: str) -> None:
    for kind in KINDS[group]:
        given = set(yaml.safe_load((CONF / group / f"{kind}.yaml").read_text())) - {"kind"}
        for path, meta in FIELDS.items():
            owner, _, leaf = path.partition(".")
            if owner == group and meta.get("kinds"):
                assert (leaf in given) == (kind in meta["kinds"]), f"{path} in {kind}.yaml"


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_passes(experiment: str) -> None:
    assert pack_of(f"experiment={experiment}").config.name == experiment


@pytest.mark.parametrize(("group", "file"), OPTIONS, ids=lambda value: getattr(value, "stem", value))
def test_every_option_composes_and_passes(group: str, file: Path) -> None:
    context = MLP if (group, file.stem) in (("model", "mlp"), ("data", "gaussians")) else ()
    pack_of(
        "~experiment", *(each for each in context if not each.startswith(f"{group}=")), f"{group}={file.stem}"
    )


def test_the_numbers_that_are_checked_exist() -> None:
    assert set(NUMBERS) <= set(FIELDS)


def test_what_may_vary_is_told_by_its_path() -> None:
    assert all(is_per_run(path.replace("*", "a")) for path in per_run_fields())
    assert not any(is_per_run(path) for path in ("data.seed", "model.initial", "optimizer", "lr", ""))


OUTSIDE = {
    "seed": [-1, 2**63],
    "data.seed": [-1, 2**63],
    "data.size": [0, -5],
    "data.noise": [-0.1],
    "data.validation": [-0.1, 1],
    "model.grad_delta": [0, -1e-4],
    "model.starts": [0, -1],
    "optimizer.lr": [-1e-3],
    "optimizer.weight_decay": [-0.1],
    "optimizer.clip_norm": [0, -1],
    "optimizer.momentum": [-0.1],
    "optimizer.beta1": [-0.1, 1],
    "optimizer.beta2": [-0.1, 1],
    "optimizer.eps": [-1e-8],
    "optimizer.ftol": [-1e-8],
    "optimizer.xtol": [-1e-8],
    "optimizer.gtol": [-1e-8],
    "optimizer.radius": [0, -1],
    "schedule.warmup_steps": [-1],
    "schedule.start_factor": [0, 1.1],
    "schedule.final_factor": [-0.1],
    "loop.steps": [0],
    "loop.epochs": [0, -1],
    "loop.max_seconds": [0],
    "checkpoint.keep": [0, -1],
    "search.max_pack": [0, -1],
    "search.rounds": [0, -1],
    "search.runs_per_round": [0, -1],
    "search.reduction_factor": [1, 0],
    "search.patience": [0, -1],
    "search.min_steps": [0, -1],
    "search.seed": [-1, 2**63],
    "monitor.every": [0],
    "monitor.validate_every": [0],
}
INTEGERS = {
    "seed",
    "data.seed",
    "data.size",
    "model.starts",
    "schedule.warmup_steps",
    "loop.steps",
    "checkpoint.keep",
    "search.max_pack",
    "search.rounds",
    "search.runs_per_round",
    "search.reduction_factor",
    "search.patience",
    "search.min_steps",
    "search.seed",
    "monitor.every",
    "monitor.validate_every",
}


def context_of(path: str) -> list[str]:
    fits = [f"optimizer.{name}" for name in ("ftol", "xtol", "gtol", "radius")]
    others = {"optimizer.momentum": ["optimizer=sgd"], "loop.epochs": ["loop.steps=null"]}
    others |= {f"search.{name}": ["search=random"] for name in ("rounds", "runs_per_round", "seed")}
    others |= {f"search.{name}": ["search.pruner=halving"] for name in ("reduction_factor", "min_steps")}
    others["search.patience"] = ["search.pruner=patience"]
    return ["optimizer=levenberg_marquardt"] if path in fits else others.get(path, [])


@pytest.mark.parametrize("path", NUMBERS)
def test_a_number_out_of_its_range_is_refused_by_name(path: str) -> None:
    for value in OUTSIDE[path]:
        with pytest.raises(UserError, match=f"^{path} is .*; got {value}"):
            pack_of(*context_of(path), f"{path}={value}")


@pytest.mark.parametrize("value", ["nan", "inf"])
@pytest.mark.parametrize("path", sorted(NUMBERS.keys() - INTEGERS))
def test_a_number_that_is_not_finite_is_refused_by_name(path: str, value: str) -> None:
    with pytest.raises(UserError, match=f"^{path} is a finite number; got {value}"):
        pack_of(*context_of(path), f"{path}={value}")


@pytest.mark.parametrize(
    "override",
    [
        f"seed={2**63 - 1}",
        "data.validation=0",
        "optimizer.lr=0",
        "optimizer.beta1=0",
        "schedule.start_factor=1",
        "optimizer.clip_norm=null",
        "loop.batch_size=full",
        "loop.max_seconds=null",
    ],
)
def test_the_ends_of_a_range_pass(override: str) -> None:
    pack_of(override)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        (
            "loop.order=shard",
            "loop.order is one of shared, own, sequential; got 'shard' .did you mean shared",
        ),
        ("model.loss=mae", "model.loss is one of mse, sse, cross_entropy; got 'mae'"),
        ("model.gradient=finite", "model.gradient is one of exact, finite_difference"),
        ("compute.backend=refrence", "did you mean reference"),
        ("compute.precision=fp3", "compute.precision is one of fp64, fp32, tf32, bf16"),
        ("compute.precision=bf16", "is about an MLP's matrix products"),
        ("compute.precision=tf32", "is about an MLP's matrix products"),
        (
            "optimizer.kind=sgdd",
            "optimizer.kind is one of sgd, adam, adamw, levenberg_marquardt, gauss_newton; "
            "got 'sgdd' .did you mean sgd",
        ),
        (
            "loop.batch_size=fulll",
            "loop.batch_size is a number of samples or full; got 'fulll' .did you mean full",
        ),
        ("loop.batch_size=0", "loop.batch_size is a number of samples or full; got 0"),
        ("loop.batch_size=-3", "loop.batch_size is a number of samples or full; got -3"),
        ("data.truth=3", "data.truth maps names to values, as in {name: value}; got 3"),
        ("data.truth=null", "data.truth maps names to values"),
        ("data.truth={1: 2}", "data.truth maps names to values"),
        ("model.initial=3", "model.initial maps names to values"),
        ("model.initial=null", "model.initial maps names to values"),
    ],
)
def test_a_word_that_is_none_is_refused(override: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        pack_of(override)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (("loop.steps=null",), "say how long to train: loop.steps=1000 or loop.epochs=10"),
        (
            ("loop.epochs=3", "loop.steps=2000"),
            "loop.steps=2000 and loop.epochs=3 both say how long to train",
        ),
        (
            ("loop.epochs=3", "pack.over={loop.steps: '1,2'}"),
            "the values of loop.steps and loop.epochs=3 both say",
        ),
    ],
)
def test_a_length_is_given_once(overrides: tuple[str, ...], told: str) -> None:
    with pytest.raises(UserError, match=told):
        pack_of(*overrides)


def test_a_length_is_steps_or_epochs_or_in_the_pack() -> None:
    assert pack_of("loop.steps=3").config.loop.steps == 3
    assert pack_of("loop.steps=null", "loop.epochs=0.5").config.loop.epochs == 0.5
    assert pack_of("experiment=digits", "loop.epochs=null", "pack.over={loop.steps: '1,2'}").runs == 2


def test_a_composed_config_is_the_schemas() -> None:
    config = OmegaConf.to_object(compose())
    assert isinstance(config, Config)
    check(config)


@pytest.mark.parametrize(
    "name", ["", ".", "..", " ", "/abs", "../../etc", "a/b", "a\nb", "\0", "\x1b[2J", "\ud800"]
)
def test_a_name_that_would_lead_elsewhere_is_refused(name: str) -> None:
    config = pack_of().config
    check(config)
    config.name = name
    with pytest.raises(UserError, match="name is the name of a folder in outputs/") as refused:
        check(config)
    assert str(refused.value).isprintable()


def test_a_name_is_as_long_as_a_file_systems_and_no_longer() -> None:
    config = pack_of().config
    config.name = "ü" * 100
    check(config)
    config.name += "u"
    with pytest.raises(UserError, match="name has at most 200 bytes; got 201: 'üüü"):
        check(config)


@pytest.mark.parametrize("name", ["../x", "'/tmp'", "'..'"])
def test_a_name_that_would_lead_elsewhere_makes_no_folder(
    name: str, process: Command, tmp_path: Path
) -> None:
    ended = process(f"name={name}")
    assert (ended.code, ended.out) == (2, "")
    assert (
        ended.err.startswith("packtrain: name is the name of a folder in outputs/")
        and ended.err.count("\n") == 1
    )
    assert not list(tmp_path.iterdir())
