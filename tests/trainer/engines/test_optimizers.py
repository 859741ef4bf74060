"""Each optimizer in each engine: on random graphs and perceptrons, and as equations of one's own."""

from collections.abc import Collection

import pytest
from hypothesis import given, settings

from packtrain.kernels.equations.optimizers import OPTIMIZERS, rule_of
from packtrain.kernels.equations.schedules import SCHEDULES
from packtrain.kernels.language import Graph
from tests.strategies import few, graphs
from tests.trainer.engines.test_fused import GAUSSIANS, PRIMER, close, parameters, trained

EXACT = "compute.precision=fp64"
ENGINES = {
    "step": "engine=step compute.backend=reference",
    "numba steps": "engine=step compute.backend=numba",
    "numba": "engine=fused compute.backend=numba",
    "triton": "engine=fused compute.backend=triton",
}
COMPILED = "step", "numba", "triton"
OTHERS = "step", "numba steps", "triton"
NUMBERS = {
    "weight_decay": 0.01, "momentum": 0.5, "nesterov": 1, "beta1": 0.8, "beta2": 0.9, "eps": 1e-3,
    "alpha": 0.9, "lr_decay": 0.1, "momentum_decay": 0.1,
}  # fmt: skip
RUNS = 'pack.over={seed: "0,1", optimizer.lr: "1e-3,1e-2"}'


def random_graph(graph: Graph) -> list[str]:
    text = ", ".join(f'"{variable} = {expression}"' for variable, expression in graph.definitions)
    truth = ", ".join(f"{p}: 0.7" for p in graph.parameters)
    return [
        "~experiment", f"model.expressions=[{text}]", f"model.outputs=[{', '.join(graph.outputs)}]",
        f"data.truth={{{truth}}}", "data.size=64", "loop.batch_size=16", "loop.steps=5", EXACT,
    ]  # fmt: skip


def built_in(kind: str) -> list[str]:
    given = {name: NUMBERS[name] for name in rule_of(kind).numbers}
    given |= {"nesterov": "true"} if "nesterov" in given else {}
    return [f"optimizer={kind}", *(f"optimizer.{name}={value}" for name, value in given.items())]


def custom(kind: str) -> list[str]:
    lines = ", ".join(f"'{line}'" for line in OPTIMIZERS[kind])
    constants = ", ".join(f"{name}: {NUMBERS[name]}" for name in rule_of(kind).numbers)
    return ["optimizer=custom", f"optimizer.update=[{lines}]", f"optimizer.constants={{{constants}}}"]


def agree(*overrides: str, ways: Collection[str]) -> None:
    """These engines end at the same parameters."""
    ends = [parameters(trained(*overrides, RUNS, *ENGINES[way].split())) for way in ways]
    for end in ends[1:]:
        close(end, ends[0])


@pytest.mark.sampled(2)
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_random_graphs_in_every_engine(kind: str) -> None:
    @settings(few, max_examples=1)
    @given(graphs(depth=2, smooth=True))
    def draw(graph: Graph) -> None:
        agree(*random_graph(graph), *built_in(kind), ways=COMPILED)

    draw()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_perceptrons_in_every_engine(kind: str) -> None:
    agree(*GAUSSIANS[:3], EXACT, "loop.steps=4", *built_in(kind), ways=COMPILED)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("kind", "way"), [*((kind, "numba") for kind in OPTIMIZERS), *(("nadam", way) for way in OTHERS)]
)
def test_equations_of_ones_own_train_as_the_row_of_the_same(kind: str, way: str) -> None:
    given = *PRIMER[:3], "loop.steps=6", RUNS, "optimizer.clip_norm=100", *ENGINES[way].split()
    row, own = (trained(*given, *optimizer) for optimizer in (built_in(kind), custom(kind)))
    assert parameters(row).equal(parameters(own)) and row.alive.all()
    assert row.memory.keys() == own.memory.keys()
    assert all(part.equal(own.memory[name]) for name, part in row.memory.items())


def test_an_update_needs_no_state_and_no_learning_rate() -> None:
    plain = ["optimizer=custom", "optimizer.update='p = p - 1e-4*g'"]
    agree(*PRIMER[:3], EXACT, "loop.steps=4", *plain, ways=COMPILED)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_schedule_of_ones_own_is_the_row_of_the_same(kind: str) -> None:
    given = *PRIMER, "loop.steps=20", "engine=fused"
    text, numbers = SCHEDULES[kind], {"warmup_steps": 3, "start_factor": 0.1, "final_factor": 0.2}
    numbers |= {"gamma": 0.5, "step_size": 4, "warmup_fraction": 0.4}
    numbers = {name: value for name, value in numbers.items() if name in text}
    fields = [f"schedule.{name}={value}" for name, value in numbers.items()]
    constants = "schedule.constants={" + ", ".join(f"{name}: {numbers[name]}" for name in numbers) + "}"
    row = trained(*given, f"schedule={kind}", *fields)
    own = trained(*given, "schedule=custom", f"schedule.factor='{text}'", constants)
    assert parameters(row).equal(parameters(own))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("kind", ["lion", "nadam", "adagrad", "custom"])
@pytest.mark.parametrize("precision", ["fp32", "fp64"])
def test_a_run_is_the_same_in_any_pack(kind: str, precision: str) -> None:
    optimizer = ["optimizer=custom", "optimizer.update=['s = s + tanh(k*g)', 'p = p - lr*s/sqrt(t)']"]
    optimizer = [f"optimizer={kind}"] if kind != "custom" else [*optimizer, "optimizer.constants={k: 2}"]
    given = *PRIMER[:3], *optimizer, "engine=fused", f"compute.precision={precision}", "loop.steps=30"
    most = 'pack.over={seed: "range(0,7)", optimizer.lr: "1e-4,1e-3,1e30"}'
    largest = parameters(trained(*given, most)).view(7, 3, -1)
    for seed, place, lr in ((0, 0, "1e-4"), (6, 1, "1e-3")):
        alone = trained(*given, f"seed={seed}", f"optimizer.lr={lr}")
        assert parameters(alone)[0].equal(largest[seed, place])
