"""The fused engine: it trains as the step engine does, each run by itself, and says where it can't."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.descent.numba import descent
from packtrain.kernels.expression import numba_kernel
from packtrain.kernels.language import Graph
from packtrain.trainer.engines.build import first_order
from packtrain.trainer.engines.fused import FusedEngine
from packtrain.trainer.engines.outcome import Outcome
from packtrain.trainer.engines.tabulated import TabulatedEngine
from tests.helpers import Command, assert_close, result_in
from tests.strategies import few, graphs
from tests.thorough import examples
from tests.trainer.configs import untrained

PRIMER = (
    "experiment=primer",
    "data.size=256",
    "loop.batch_size=48",
    "compute.precision=fp64",
    "loop.steps=200",
)
CLASSES = (
    "~experiment", 'model.expressions=["xp = a*x1 + b*x2 + c", "xq = d*x1 + e*x2^2"]', "data=gaussians",
    "data.size=90", "data.columns={}", "model.loss=cross_entropy", "loop.batch_size=32", "optimizer.lr=0.05",
    "compute.precision=fp64", "loop.steps=200",
)  # fmt: skip
GAUSSIANS = (
    "experiment=gaussians", "data.size=90", "loop.batch_size=32", "optimizer.lr=3e-3",
    "compute.precision=fp64", "loop.steps=200",
)  # fmt: skip
REGRESSION = (
    "~experiment", "model=mlp", "model.loss=mse", "model.widths=[10,6,1]", "data=sklearn",
    "data.set=diabetes",
    "data.standardize=true", "loop.batch_size=50", "loop.steps=200", "optimizer.lr=1e-3",
    "compute.precision=fp64",
)  # fmt: skip
SEEDS = 'pack.over={seed: "range(0,5)"}'


def engine_of(*overrides: str) -> TabulatedEngine:
    engine = first_order(*untrained(*overrides))
    assert isinstance(engine, TabulatedEngine)
    return engine


def trained(*overrides: str, slices: int = 256) -> TabulatedEngine:
    engine = engine_of(*overrides)
    last = int(engine.steps.max())
    while engine.step < last:
        engine.advance(min(last, engine.horizon, engine.step + slices))
    return engine


def parameters(engine: TabulatedEngine) -> Tensor:
    return engine.model.parameters.detach()


def agree(*overrides: str) -> None:
    """Both engines end at the same parameters and tell the same losses."""
    step, fused = (engine_of(*overrides, f"engine={kind}") for kind in ("step", "fused"))
    assert isinstance(fused, FusedEngine)
    while not step.done:
        until = min(int(step.steps.max()), step.horizon)
        told = [engine.advance(until) for engine in (step, fused)]
        for name in ("loss", "scalars"):
            close(getattr(told[1], name), getattr(told[0], name))
        alive = told[0].loss.isfinite()
        norms = told[0].gradient_norm[alive]
        close(told[1].gradient_norm[alive] / norms.max(), norms / norms.max())
    close(parameters(fused), parameters(step))
    assert fused.steps_done.equal(step.steps_done) and fused.alive.equal(step.alive) and fused.done


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-12, equal_nan=True)


OPTIMIZERS = (
    ("optimizer=sgd", "optimizer.lr=1e-4", "optimizer.weight_decay=0.01"),
    ("optimizer=sgd", "optimizer.lr=1e-5", "optimizer.momentum=0.9", "optimizer.nesterov=true"),
    ("optimizer=adam", "optimizer.lr=3e-3", "optimizer.weight_decay=0.01", "optimizer.clip_norm=5"),
    ("optimizer=adamw", "optimizer.weight_decay=0.1"),
)
SCHEDULES = "constant", "linear_warmup", "cosine", "step", "exponential", "one_cycle"


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("optimizer", "schedule"), [*zip(OPTIMIZERS * 3, SCHEDULES * 2, strict=True)])
def test_optimizers_and_schedules(optimizer: tuple[str, ...], schedule: str) -> None:
    agree(*PRIMER, *optimizer, f"schedule={schedule}", SEEDS)


@pytest.mark.sampled
@pytest.mark.parametrize("order", ["shared", "own", "sequential"])
@pytest.mark.parametrize("batch", [1, 48, 256, "full"])
def test_all_orders_and_minibatches(order: str, batch: int | str) -> None:
    agree(*PRIMER, f"loop.order={order}", f"loop.batch_size={batch}", SEEDS)


@pytest.mark.parametrize("engine", ["step", "fused"])
def test_a_run_that_diverged_stays_so_where_its_loss_is_finite_again(engine: str) -> None:
    logarithm = trained(
        "~experiment", "model.expressions=['xy = b*log(x - a)']", "data=table",
        "data.table={x: [3.0, 4.0, 1.0, 2.0], xy: [0.0, 1.0, 2.0, 3.0]}", "model.initial={a: 2.5, b: 1}",
        "loop.order=sequential", "loop.batch_size=2", "loop.steps=9", f"engine={engine}",
    )  # fmt: skip  # every other minibatch has a logarithm of a negative number
    assert not logarithm.alive.any() and logarithm.steps_done.tolist() == [1]


INFINITE = {  # in float32: where it starts, the inputs, optimizer and learning rate
    "the loss alone": ("1e20", "[3.0, 4.0]", "sgd", "0"),
    "the parameter alone": ("2", "[3.0, 4.0]", "sgd", "1e38"),
    "the state alone": ("1e8", "[1e10, 2e10]", "adam", "0.1"),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("engine", ["step", "fused", "fused compute.backend=triton"])
@pytest.mark.parametrize("what", INFINITE)
def test_whatever_is_infinite_the_step_is_not_taken(what: str, engine: str) -> None:
    start, inputs, optimizer, lr = INFINITE[what]
    line = trained(
        "~experiment", "model.expressions=['xy = b*x']", "data=table",
        f"data.table={{x: {inputs}, xy: [0.0, 1.0]}}", f"model.initial={{b: {start}}}",
        f"optimizer={optimizer}", f"optimizer.lr={lr}", "loop.batch_size=2", "loop.steps=2",
        *f"engine={engine}".split(),
    )  # fmt: skip
    assert not line.alive.any() and line.steps_done.tolist() == [0]
    assert parameters(line).item() == torch.tensor(float(start)).item()


def test_cross_entropy_and_sums_of_squares() -> None:
    agree(*CLASSES, SEEDS)
    agree(*PRIMER, "model.loss=sse", "optimizer.lr=1e-3", SEEDS)


@settings(few, max_examples=examples(3))
@given(graphs(depth=2, smooth=True))
def test_random_graphs(graph: Graph) -> None:
    text = ", ".join(f'"{variable} = {expression}"' for variable, expression in graph.definitions)
    truth = ", ".join(f"{p}: 0.7" for p in graph.parameters)
    agree(
        "~experiment", f"model.expressions=[{text}]", f"model.outputs=[{', '.join(graph.outputs)}]",
        f"data.truth={{{truth}}}", "data.size=64", "loop.batch_size=16", "loop.steps=200",
        "compute.precision=fp64", SEEDS,
    )  # fmt: skip


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "more",
    [
        ("model.widths=[2,7,5,2]", "model.bias=false", "optimizer=sgd", "optimizer.momentum=0.5"),
        ("model.widths=[2,2]", "loop.order=own"),
    ],
    ids=" ".join,
)
def test_perceptrons(more: tuple[str, ...]) -> None:
    agree(*GAUSSIANS, *more, SEEDS)


def test_a_perceptron_with_squared_errors() -> None:
    agree(*REGRESSION, SEEDS)


def test_runs_of_their_own_lengths_and_rates() -> None:
    over = "pack.over={loop.steps: '1,50,130', optimizer.lr: '1e-3,1e-2', optimizer.clip_norm: '1,null'}"
    agree(*(each for each in PRIMER if not each.startswith("loop.steps")), over)


def test_slices_change_no_bit() -> None:
    whole, sliced = trained(*PRIMER, "engine=fused", SEEDS), trained(*PRIMER, "engine=fused", SEEDS, slices=7)
    assert parameters(whole).equal(parameters(sliced))


def test_it_compiles_once(monkeypatch: pytest.MonkeyPatch) -> None:
    real, sources = numba_kernel.compiled, []
    monkeypatch.setattr(numba_kernel, "compiled", lambda *given: sources.append(given) or real(*given))
    equation = "~experiment", 'model.expressions=["xy = a*x + 0.8725*a"]', "data.truth={a: 2}", "data.size=9"
    for _ in range(2):
        engine_of(*equation, "loop.steps=1", "loop.batch_size=full", "engine=fused").advance(1)
    assert len(sources) == 1


def test_all_cores_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = *PRIMER, "engine=fused", SEEDS
    alone = parameters(trained(*asked))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert parameters(trained(*asked)).equal(alone)


def test_threads_that_share_the_blocks_of_a_minibatch_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    given = "experiment=gaussians", "model.widths=[2,96,2]", "data.size=5000", "loop.batch_size=3500"
    given = *given, "data.validation=0.2", "loop.steps=3", "engine=fused"
    helped: list[int] = []
    counted = descent.crew
    monkeypatch.setattr(descent, "crew", lambda runs, each: helped.append(each) or counted(runs, each))
    parameters = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        parameters.append(trained(*given).model.parameters)
    assert helped == [0, 1, 2]
    assert parameters[0].equal(parameters[1]) and parameters[0].equal(parameters[2])


@pytest.mark.sampled(2)
@pytest.mark.parametrize("precision", ["fp32", "fp64"])
@pytest.mark.parametrize("order", ["shared", "own"])
def test_a_run_is_the_same_in_any_pack(precision: str, order: str) -> None:
    given = *PRIMER, "engine=fused", f"compute.precision={precision}", f"loop.order={order}", "loop.steps=60"
    largest = parameters(trained(*given, 'pack.over={seed: "range(0,1000)"}'))
    for first, last in ((0, 1), (990, 997), (64, 128)):
        pack = parameters(trained(*given, f'pack.over={{seed: "range({first},{last})"}}'))
        assert pack.equal(largest[first:last])


@pytest.mark.sampled(1)
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_diverging_neighbours_change_no_bit(share: float) -> None:
    runs, bad = 1000, round(1000 * share)
    rates = ["1e-3"] * (runs - bad) + ["1e30"] * bad
    mixed = [
        rate
        for pair in itertools.zip_longest(rates[: runs - bad], rates[runs - bad :])
        for rate in pair
        if rate
    ]
    sgd = *PRIMER, "engine=fused", "optimizer=sgd", "loop.steps=30"
    engine = trained(*sgd, f"pack.over={{optimizer.lr: '{','.join(mixed)}'}}")
    good = torch.tensor([rate == "1e-3" for rate in mixed])
    calm = trained(*sgd, "optimizer.lr=1e-3")
    alone = parameters(calm)
    assert int((~good).sum()) == bad
    assert parameters(engine)[good].equal(alone.expand(int(good.sum()), -1))
    assert not engine.alive[~good].any() and parameters(engine).isfinite().all()
    assert {ending.outcome for ending in engine.endings("")} >= {Outcome.DIVERGED}


def test_losses_of_large_minibatches_keep_their_digits() -> None:
    given = *PRIMER, "data.size=200000", "loop.batch_size=full", "loop.steps=1", "engine=fused"
    exact, single = (
        engine_of(*given, f"compute.precision={precision}").advance(1) for precision in ("fp64", "fp32")
    )
    torch.testing.assert_close(single.loss.double(), exact.loss, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("overrides", "why"),
    [
        (("experiment=gaussians", "model.quantize=[1]"), "this run has model.quantize"),
        (("experiment=gaussians", "compute.precision=bf16"), "this run has compute.precision=bf16"),
        (("experiment=primer", "model.gradient=finite_difference"), "model.gradient=finite_difference"),
        (("experiment=primer", "compute.backend=reference"), "compute.backend=reference"),
    ],
)
def test_what_it_cannot_train_is_refused(overrides: tuple[str, ...], why: str) -> None:
    with pytest.raises(UserError, match=f"engine=fused can't train this: .*{why}"):
        engine_of(*overrides, "engine=fused")
    assert engine_of(*overrides, "engine=auto").kind == "step"


def test_auto_takes_it_for_minibatches_that_one_core_should_have_and_the_step_engine_for_larger() -> None:
    large = "data.size=65537", "loop.batch_size=full"
    for runs in ("range(0,1)", "range(0,5)"):
        over = f'pack.over={{seed: "{runs}"}}'
        assert engine_of(*PRIMER, "engine=auto", over).kind == "fused"
        assert engine_of(*PRIMER, *large, "engine=auto", over).kind == "step"


def test_the_results_say_which_ran(cli: Command, tmp_path: object) -> None:
    ended = cli(*PRIMER, "engine=fused", "monitor=quiet", SEEDS)
    assert ended.code == 0, ended.err
    result = result_in(tmp_path / "out")  # pyright: ignore[reportOperatorIssue]
    assert (result["engine"], result["backend"]) == ("fused", "numba")


@pytest.mark.parametrize("order", ["shared", "own"])
def test_triton_trains_as_numba_does_and_has_to_be_asked_for(order: str) -> None:
    asked = *PRIMER[:4], "loop.steps=5", f"loop.order={order}", 'pack.over={seed: "range(0,2)"}'
    by_triton = trained(*asked, "engine=fused", "compute.backend=triton", slices=3)
    by_numba = trained(*asked, "engine=fused")
    assert (by_triton.backend, by_numba.backend) == ("triton", "numba")
    close(parameters(by_triton), parameters(by_numba))
    assert engine_of(*asked, "engine=auto", "compute.backend=triton").kind == "step"


def test_triton_trains_perceptrons_as_numba_does() -> None:
    asked = *GAUSSIANS[:4], "engine=fused", "loop.steps=4", 'pack.over={seed: "range(0,2)"}'
    by_triton, by_numba = trained(*asked, "compute.backend=triton"), trained(*asked)
    assert (by_triton.backend, by_numba.backend) == ("triton", "numba")
    assert_close(parameters(by_triton), parameters(by_numba), torch.float32)


def test_triton_trains_perceptrons_in_fp64_as_the_step_engine_does() -> None:
    asked = *GAUSSIANS[:5], "loop.steps=4", 'pack.over={seed: "range(0,2)"}'
    by_triton = trained(*asked, "engine=fused", "compute.backend=triton")
    by_step = trained(*asked, "engine=step", "compute.backend=reference")
    assert (by_triton.kind, by_triton.backend, by_step.kind) == ("fused", "triton", "step")
    close(parameters(by_triton), parameters(by_step))


@pytest.mark.parametrize("experiment", ["primer", "gaussians"])
def test_experiments_take_it_by_default(experiment: str) -> None:
    assert engine_of(f"experiment={experiment}").kind == "fused"


def test_the_step_engine_takes_numba_for_equations() -> None:
    asked = *PRIMER, "engine=step", "loop.steps=20", SEEDS
    by_numba, by_torch = trained(*asked), trained(*asked, "compute.backend=reference")
    assert (by_numba.backend, by_torch.backend) == ("numba", "reference")
    close(parameters(by_numba), parameters(by_torch))
    assert engine_of("experiment=gaussians", "engine=step").backend == "reference"


def test_a_perceptron_takes_numba_in_the_fused_engine_alone() -> None:
    with pytest.raises(UserError, match=r"compute\.backend=numba trains an MLP with engine=fused"):
        engine_of("experiment=gaussians", "engine=step", "compute.backend=numba")
    with pytest.raises(UserError, match=r"this run has model\.quantize"):
        engine_of("experiment=gaussians", "model.quantize=[1]", "engine=auto", "compute.backend=numba")


def test_a_fused_fit_is_numbas() -> None:
    from tests.trainer.fits import engine_of as fit_of  # noqa: PLC0415 (another engine_of)

    assert fit_of("experiment=fit", "engine=fused").backend == "numba"
    with pytest.raises(UserError, match="engine=fused fits through Numba"):
        fit_of("experiment=fit", "engine=fused", "compute.backend=reference")
