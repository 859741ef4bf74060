"""Every wrong command line comes to one sentence."""

import pytest
from hydra.errors import CompactHydraException
from omegaconf.errors import OmegaConfBaseException

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.sentences import sentence
from packtrain.trainer.models.build import make_graph
from tests.trainer.configs import pack_of

WRONG = [
    (["optimizer.rl=3"], "there is no field optimizer.rl (did you mean optimizer.lr"),
    (["optimizer.momentun=0.9"], "there is no field optimizer.momentun (did you mean optimizer.momentum"),
    (["optimizr.lr=3"], "there is no field optimizr.lr (did you mean optimizer.lr"),
    (["lr=3"], "there is no field lr (did you mean optimizer.lr?)"),
    (["+loop.stepz=3"], "there is no field loop.stepz (did you mean loop.steps?)"),
    (["+new.key=3"], "there is no field new"),
    (["serch=grid"], "there is no field serch"),
    (["optimizer@foo=adam"], "there is no field optimizer@foo (did you mean optimizer"),
    (["optimizer=sgdd"], "there is no optimizer=sgdd (did you mean sgd?); there are adagrad, adam, adamw"),
    (["experiment=primr"], "there is no experiment=primr (did you mean primer?); there are danwood"),
    (["optimizer="], "there is no optimizer=; there are adagrad, adam, adamw, custom, gauss_n"),
    (["experiment=null"], "a choice takes the name of one of its options"),
    (["optimizer=3"], "a choice takes the name of one of its options"),
    (["seed"], "'seed' is not an override such as seed=3 or experiment=digits"),
    (["search=random", "search.space=3"], "search.space gives fields their ranges, as in {seed: {low: 0"),
    (["data.truth=[1]"], "data.truth maps names to values, as in {name: value}; got a list"),
    ([""], "'' is not an override such as seed=3"),
    (["digits"], "'digits' is not an override such as seed=3"),
    (["--foo"], "'--foo' is not an override such as seed=3"),
    (["seed==3"], "can't read 'seed==3'"),
    (
        ['model.expressions=[\n"y = a*x"]'],
        "a list stands on one line; equations on lines of their",
    ),
    (["model.expressions=[xy = a*x]"], "a value with brackets, braces or operators stands in quotes"),
    (["optimizer.lr=1,2"], "keep one, or train all with -m, together, as one pack"),
    (["+pack.over.seed=1,2"], "keep one, or train all with -m, together, as one pack"),
    (["experiment=primer,digits"], "experiment=primer,digits names several values: keep one, or train all"),
    (["data.seed=1,2"], "data.seed=1,2 names several values: keep one, or train all with -m, one after"),
    (
        ["pack.over={seed: range(0,8)}"],
        'pack.over: values in sweep syntax stand in quotes: {seed: "range(0,64)"}',
    ),
    (["pack.over=[1,2]"], "pack.over maps names to values, as in {name: value}; got a list"),
    (["pack.over={sed: 1}"], "pack.over: sed can't differ between the runs of a pack (did you mean seed?)"),
    (["seed=1.5"], "seed: Value '1.5' of type 'float' could not be converted to Integer"),
    (["seed=null"], "seed: field 'seed' is not Optional"),
    (["seed=???"], "seed: "),
    (["seed=${nope}"], "seed: Interpolation key 'nope' not found"),
    (["seed=${oc.env:NOPE}"], "seed: "),
    (["optimizer.lr=fast"], "optimizer.lr: Value 'fast' of type 'str' could not be converted to Float"),
    (["optimizer.lr=[1]"], "optimizer.lr: Value '[1]' of type 'list' could not be converted to Float"),
    (["optimizer.lr.x=1"], "optimizer.lr: "),
    (["loop=3"], "loop: "),
    (["model.widths=3"], "model.widths: "),
    (["+optimizer.lr=3"], "optimizer.lr"),
    (["~optimizer.lr"], "optimizer.lr: "),
    (["~optimizer"], "optimizer.kind: "),
    (["loop.steps=0"], "loop.steps is more than 0; got 0"),
    (["~experiment"], "model=expression needs equations"),
]


@pytest.mark.sampled(15)
@pytest.mark.parametrize(
    ("overrides", "message"), WRONG, ids=[" ".join(overrides)[:30] for overrides, _ in WRONG]
)
def test_a_wrong_command_line_comes_to_one_sentence(overrides: list[str], message: str) -> None:
    with pytest.raises((UserError, ValueError, CompactHydraException, OmegaConfBaseException)) as refused:
        make_graph(pack_of(*overrides).config.model)
    said = sentence(refused.value)
    assert message in said
    assert "\n" not in said and "Traceback" not in said and "hydra" not in said.lower()


def test_an_expressions_sentence_has_a_caret() -> None:
    with pytest.raises(UserError) as refused:
        make_graph(pack_of("~experiment", 'model.expressions=["xy = a*sine(x)"]').config.model)
    assert sentence(refused.value).splitlines()[-1].strip() == "^"
