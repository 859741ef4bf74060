"""What computes a training: the table of engines and backends, its refusals and its reasons."""

import pytest
import torch

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.least_squares.linearize import LARGE, SMALL
from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.engines import ways
from packtrain.trainer.engines.choose import Choice, check_backend, choose
from packtrain.trainer.engines.devices import Compute
from packtrain.trainer.models.build import make_graph
from tests.trainer.configs import pack_of

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
MLP = ("experiment=gaussians",)
FIT = ("experiment=fit",)
FUSED, STEP = "engine=fused", "engine=step"
NO_QUANTIZE = "it doesn't quantize, and this run has model.quantize"


def chosen(*overrides: str, device: torch.device = CPU, samples: int = 100_000, **given: bool) -> Choice:
    """The choice for `overrides` and so many samples."""
    config = pack_of(*overrides).config
    graph = make_graph(config.model)
    inputs, outputs = (len(graph.inputs), len(graph.outputs)) if graph else (2, 2)
    dtype = torch.float64 if config.compute.precision == "fp64" else torch.float32
    names = tuple(map(str, range(inputs))), tuple(map(str, range(outputs)))
    data = Dataset(torch.zeros(samples, inputs), torch.zeros(samples, outputs), *names)
    return choose(config, graph, data, Compute(device, dtype, "a device"))


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with a large GPU, where nothing is interpreted."""
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    memory(monkeypatch, 227)


def memory(monkeypatch: pytest.MonkeyPatch, kilobytes: int) -> None:
    monkeypatch.setattr(ways, "_memory_of_a_block", lambda _: kilobytes << 10)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a small GPU")


CHOSEN = {
    (): ("fused", "numba"),
    (STEP,): ("step", "numba"),
    (FUSED,): ("fused", "numba"),
    ("compute.backend=reference",): ("step", "reference"),
    ("compute.backend=numba",): ("fused", "numba"),
    ("model.gradient=finite_difference",): ("step", "reference"),
    ("model.gradient=finite_difference", "compute.backend=numba"): ("step", "reference"),
    (FUSED, "loop.batch_size=70000"): ("fused", "numba"),
    MLP: ("fused", "numba"),
    (*MLP, STEP): ("step", "reference"),
    (*MLP, "model.widths=[2,512,2]", "loop.batch_size=70000"): ("fused", "numba"),
    (*MLP, "compute.backend=numba", "loop.batch_size=70000"): ("fused", "numba"),
    FIT: ("fused", "numba"),
    (*FIT, FUSED): ("fused", "numba"),
    (*FIT, "compute.backend=numba"): ("fused", "numba"),
    (*FIT, STEP, "compute.backend=numba"): ("fused", "numba"),
}
ON_CUDA = {
    (): ("step", "triton"),
    (FUSED,): ("fused", "triton"),
    (FUSED, "compute.backend=triton"): ("fused", "triton"),
    ("compute.backend=reference",): ("step", "reference"),
    MLP: ("step", "triton"),
    (*MLP, FUSED): ("fused", "triton"),
    FIT: ("step", "triton"),
    (*FIT, "compute.backend=triton"): ("step", "triton"),
    (*FIT, "compute.backend=reference"): ("step", "reference"),
    (*FIT, "model.loss=cauchy"): ("step", "triton"),
}


@pytest.mark.sampled(6)
@pytest.mark.parametrize("overrides", CHOSEN, ids=" ".join)
def test_on_the_cpu(overrides: tuple[str, ...]) -> None:
    samples = 6 if "experiment=fit" in overrides else 100_000
    assert chosen(*overrides, samples=samples) == Choice(*CHOSEN[overrides])


@pytest.mark.sampled(4)
@pytest.mark.parametrize("overrides", ON_CUDA, ids=" ".join)
def test_on_cuda(overrides: tuple[str, ...]) -> None:
    samples = 6 if "experiment=fit" in overrides else 100_000
    assert chosen(*overrides, device=CUDA, samples=samples) == Choice(*ON_CUDA[overrides])


def test_what_is_not_obvious_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    told = f"not engine=fused by numba, since {NO_QUANTIZE}"
    assert chosen(*MLP, "model.quantize=[0]") == Choice("step", "reference", told)
    large = chosen("loop.batch_size=70000")
    assert large == Choice(
        "step",
        "numba",
        "not engine=fused by numba, since a minibatch of 70,000 samples is shared out to all cores, a step "
        "at a time",
    )
    memory(monkeypatch, 99)
    small = chosen(device=CUDA)
    assert (small.engine, small.backend) == ("step", "reference")
    assert small.why.startswith("not engine=step by triton, since it needs 163 KiB of shared memory a block")


def test_fits_of_equations_are_compiled_in_float64() -> None:
    single = chosen(*FIT, "compute.precision=fp32", samples=6)
    assert (single.engine, single.backend) == ("step", "reference")
    assert "fits equations in compute.precision=fp64" in single.why


def test_fits_on_cuda_go_by_their_own_size() -> None:
    """Small ones take a lane each, large ones sum normal equations; the reference takes those in between."""
    small, large = SMALL // 3, LARGE // 3 + 1  # samples of a fit of two parameters
    for samples in (1, small, large):
        assert chosen(*FIT, samples=samples, device=CUDA) == Choice("step", "triton")
    for samples in (small + 1, large - 1):
        assert chosen(*FIT, samples=samples, device=CUDA) == Choice("step", "reference")
        with pytest.raises(UserError, match="up to 7 parameters, 2 outputs and 16,384 numbers in"):
            chosen(*FIT, "compute.backend=triton", samples=samples, device=CUDA)
    wide = *FIT, 'model.expressions=["xy = a + b + c + d + e + f + g + h*x"]'
    assert chosen(*wide, samples=6, device=CUDA) == Choice("step", "reference")


REFUSED = {
    (FUSED, "model.gradient=finite_difference"): "engine=fused can't train this: it takes exact derivatives",
    (*MLP, FUSED, "model.quantize=[0]"): f"engine=fused can't train this: {NO_QUANTIZE}; engine=step trains",
    (*MLP, "compute.backend=numba", "model.quantize=[0]"): f"can't train this: {NO_QUANTIZE}",
    (
        *MLP,
        FUSED,
        "compute.precision=bf16",
    ): "on the CPU it computes in fp32 and fp64, and this run .*=bf16",
    (FUSED, "compute.backend=reference"): "it is compiled by Numba or Triton, and this run has",
    (
        *MLP,
        STEP,
        "compute.backend=numba",
    ): "compute.backend=numba trains an MLP with engine=fused; engine",
    ("compute.backend=triton",): "compute.backend=triton needs a CUDA GPU, and this run is on cpu; compute",
    (*FIT, FUSED, "compute.backend=reference"): "engine=fused fits through Numba, and this run has",
    (*FIT, FUSED, "compute.precision=fp32"): "compute.backend=numba, and so engine=fused, fits equations in",
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("overrides", REFUSED, ids=" ".join)
def test_what_can_not_compute_this_is_refused(overrides: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match=REFUSED[overrides]):
        chosen(*overrides)


def test_wide_layers_are_refused_on_cuda() -> None:
    with pytest.raises(
        UserError, match="layers have up to 128 features, and this model's have 129; engine=step"
    ):
        chosen(*MLP, FUSED, "model.widths=[2,129,2]", device=CUDA)
    assert chosen(*MLP, FUSED, "model.widths=[2,128,2]", device=CUDA) == Choice("fused", "triton")


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("model.activation=tanh", "model.activation=tanh"),
        ("model.loss=log_cosh", "model.loss=log_cosh"),
        ("+model.loss_constants={label_smoothing: 0.1}", "model.loss_constants"),
        ("data.class_weights=balanced", "weights"),
    ],
)
def test_what_would_spill_in_float64_is_refused_on_cuda(setting: str, what: str) -> None:
    settings = (*MLP, FUSED, setting)
    with pytest.raises(UserError, match=f"in fp64 it trains ReLUs with mse, .*, and this run has {what}"):
        chosen(*settings, "compute.precision=fp64", device=CUDA)
    assert chosen(*settings, device=CUDA) == Choice("fused", "triton")


def test_backends_are_refused_where_they_can_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        UserError, match=r"numba runs on the CPU, and this run is on cuda:0: compute\.device=cpu"
    ):
        check_backend("numba", CUDA)
    check_backend("triton", CUDA)
    memory(monkeypatch, 99)
    with pytest.raises(UserError, match=r"163 KiB of shared memory a block.* a small GPU has 99"):
        check_backend("triton", CUDA)


def test_triton_serves_on_the_cpu_where_it_is_interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert chosen() == Choice("fused", "numba"), "unless asked for"
    assert chosen("compute.backend=triton") == Choice("step", "triton")
    assert chosen("compute.backend=triton", FUSED) == Choice("fused", "triton")
