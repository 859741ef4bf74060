"""The checks that types can't make."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.checks import check
from packtrain.trainer.config.schema import Config
from tests.helpers import Command
from tests.trainer.configs import compose, pack_of


@pytest.mark.sampled(6)
@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "loop.order=shard",
            "loop.order is one of shared, own, sequential; got 'shard' .did you mean shared",
        ),
        ("model.loss=hubr", "model.loss is one of mse, sse, mae, huber,"),
        ("model.gradient=finite", "model.gradient is one of exact, finite_difference"),
        ("compute.backend=refrence", "did you mean reference"),
        ("compute.precision=fp3", "compute.precision is one of fp64, fp32, tf32, bf16"),
        ("compute.precision=bf16", "is about an MLP's matrix products"),
        ("compute.precision=tf32", "is about an MLP's matrix products"),
        (
            "optimizer.kind=sgdd",
            "optimizer.kind is one of sgd, adam, adamw, nadam, rmsprop, adagrad, lion, custom, "
            "levenberg_marquardt, gauss_newton; got 'sgdd' .did you mean sgd",
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
def test_a_word_that_is_none_is_refused(override: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        pack_of(override)


@pytest.mark.parametrize(
    ("overrides", "message"),
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
def test_a_length_is_given_once(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        pack_of(*overrides)


def test_a_length_is_steps_or_epochs_or_in_the_pack() -> None:
    assert pack_of("loop.steps=3").config.loop.steps == 3
    assert pack_of("loop.steps=null", "loop.epochs=0.5").config.loop.epochs == 0.5
    assert pack_of("experiment=digits", "loop.epochs=null", "pack.over={loop.steps: '1,2'}").runs == 2


def test_a_composed_config_is_the_schemas() -> None:
    config = OmegaConf.to_object(compose())
    assert isinstance(config, Config)
    check(config)


@pytest.mark.sampled(4)
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


@pytest.mark.sampled(1)
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


VALUES = "{model.loss_constants.q: '0.5,2'}"


def test_a_constant_of_a_loss_has_its_range_in_every_run() -> None:
    with pytest.raises(UserError, match=r"model\.loss_constants\.q is between 0 and 1; got 2"):
        pack_of("model.loss=quantile", f"pack.over={VALUES}")


def test_the_ranges_of_constants_are_those_of_the_losses_that_have_names() -> None:
    assert pack_of("model.loss='abs(y - t)^q'", f"pack.over={VALUES}").runs == 2


@pytest.mark.parametrize(
    ("equation", "field"),
    [
        (("model.loss=quantile",), "model.loss_constants.q"),
        (("optimizer=custom", "optimizer.update=['p = p - lr*k*g']"), "optimizer.constants.k"),
        (("schedule=custom", "schedule.factor='k/(k + step)'"), "schedule.constants.k"),
    ],
)
def test_a_search_varies_the_constants_of_equations(equation: tuple[str, ...], field: str) -> None:
    space = f"search.space={{{field}: {{low: 0.1, high: 0.9}}}}"
    pack_of("search=random", *equation, space)
    with pytest.raises(UserError, match="constant"):
        pack_of("search=random", *equation, space.replace(field, f"{field}wrong"))
