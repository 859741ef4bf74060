"""Generated Triton kernels against the float64 reference: interpreted, or compiled on a GPU."""

from dataclasses import replace
from types import ModuleType

import pytest
import torch
from hypothesis import assume, given
from torch import Tensor

from packtrain.kernels.common import source_cache
from packtrain.kernels.common.errors import UserError
from packtrain.kernels.expression import expression, expression_loss, reference, triton_kernel
from packtrain.kernels.expression.triton_source import loss_source, predict_source, squares_source
from packtrain.kernels.expression.triton_table import TRITON
from packtrain.kernels.language import parse
from packtrain.kernels.language.ops import OPS
from packtrain.kernels.loss import loss_of
from tests.helpers import assert_near
from tests.kernels.expression.checks import agrees, every_operation, numbers_of, of
from tests.losses import LOSSES
from tests.strategies import Case, cases, data, few

pytestmark = pytest.mark.usefixtures("poisoned")

PRIMER = "xx = xa^2\nxy = ab*xx + ac*xa\nxz = bc*xx + xy\nxw = cd*xx + xz^3"


def primer(loss: str = "mse", runs: int = 3, samples: int = 130, per_run: bool = False) -> Case:
    return data(parse(PRIMER, ["xy", "xw"]), loss, runs, samples, per_run, seed=3)


def check(case: Case, dtype: torch.dtype = torch.float64, device: str | torch.device = "cpu") -> None:
    assert agrees(triton_kernel, case, dtype, device)


@pytest.mark.sampled
@pytest.mark.emulated
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("per_run", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_primer(loss: str, per_run: bool, dtype: torch.dtype, device: torch.device) -> None:
    check(primer(loss, per_run=per_run), dtype, device)


@pytest.mark.sampled(4)
@pytest.mark.emulated
@pytest.mark.parametrize(
    ("runs", "samples"), [*((r, s) for r in (1, 3) for s in (1, 7, 127, 129, 1100)), (65, 1), (65, 129)]
)
def test_any_number_of_samples_and_runs(runs: int, samples: int, device: torch.device) -> None:
    for per_run in (False, True):
        check(primer("mse", runs, samples, per_run), torch.float64, device)


@pytest.mark.sampled(1)
@pytest.mark.emulated
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_operation(dtype: torch.dtype, device: torch.device) -> None:
    for case in every_operation():
        assert agrees(triton_kernel, case, dtype, device) == numbers_of(case)


def test_nan_goes_where_the_reference_lets_it_go() -> None:
    case = every_operation()[0]
    inputs = case.inputs.clone()
    inputs[:, 3] = torch.nan
    assert agrees(triton_kernel, replace(case, inputs=inputs))


@few
@given(cases())
def test_random_graphs(case: Case) -> None:
    assume(agrees(triton_kernel, case))


@pytest.mark.emulated
def test_powers(device: torch.device) -> None:
    whole, broken = (-16, -3, -1, 0, 1, 2, 3, 7, 13, 16, 17), (0.5, -2.5)
    for powers in (whole, broken):
        text = "\n".join(f"x{i} = a{i}*xb^({power})" for i, power in enumerate(powers))
        case = data(parse(text), "mse", 2, 40, False, seed=5)
        near_1 = 0.75 + 0.33 * case.inputs.abs()  # where all powers are of a size
        case = replace(case, inputs=near_1 if powers is broken else near_1 * case.inputs.sign())
        assert agrees(triton_kernel, case, torch.float64, device) == numbers_of(case)


@pytest.mark.emulated
def test_relu_has_no_zero_with_a_sign() -> None:
    """1/relu(a*x) is one infinity where a*x is 0 of either sign."""
    parameters = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    inputs = torch.tensor([[0.0], [-0.0], [2.0]], dtype=torch.float64)
    result = triton_kernel.predict(parse("xy = relu(a*x)"), parameters, inputs)[..., 0]
    assert result.tolist() == [[0, 0, 0], [0, 0, 2]] and not result.signbit().any()


def test_every_operation_has_a_row() -> None:
    assert set(TRITON) == set(OPS)


def test_what_depends_on_less_is_computed_less_often() -> None:
    source = loss_source(parse("xy = exp(a)*sin(x) + exp(b*x) + exp(2)"), loss_of("mse"), shared=True)
    before, block, body = source.split("    for ")
    assert "tl.full((), 2.0" in before and "tl.exp" in before
    assert "tl.sin" in block and "tl.sin" not in body
    assert body.count("tl.exp") == 2


def test_integer_powers_are_products_and_parts_are_computed_once() -> None:
    source = loss_source(parse("xy = a*(x + b)^4 + c/(x + b)^4"), loss_of("mse"), shared=True)
    assert "libdevice.pow" not in source
    assert source.count("x0 + p1") == 1


@pytest.mark.parametrize(
    "text", ["xdef_ = lambda_*xclass_ + import_^2", "x_ = tl*x__class__ + libdevice", "xp0 = v1*xt0 + run"]
)
def test_no_name_of_the_users_is_in_the_source(text: str) -> None:
    graph = parse(text)
    plain = parse("xy = a*xa + b^2") if "^2" in text else parse("xy = a*xa + b")
    for shared in (True, False):
        assert predict_source(graph, shared) == predict_source(plain, shared)
        assert loss_source(graph, loss_of("mse"), shared) == loss_source(plain, loss_of("mse"), shared)
        assert squares_source(graph, shared, True) == squares_source(plain, shared, True)


@pytest.mark.sampled(1)
@pytest.mark.emulated
@pytest.mark.parametrize("per_run", [False, True])
def test_a_run_is_the_same_in_any_pack(per_run: bool, device: torch.device) -> None:
    case = primer("mse", 64, 1500, per_run)
    parameters, inputs, targets = of(case, torch.float32, device)

    def result(runs: slice) -> tuple[Tensor, Tensor]:
        own, wanted = (data[runs] if per_run else data for data in (inputs, targets))
        return triton_kernel.loss_and_gradient(case.graph, parameters[runs], own, wanted, "mse")

    whole = result(slice(0, 64))
    for runs in (slice(9, 10), slice(8, 11)):
        assert all(a.equal(b[runs]) for a, b in zip(result(runs), whole, strict=True))


@pytest.mark.emulated
def test_how_blocks_are_shared_out_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    case = primer("mse", 5, 3000)
    given = case.graph, *of(case, torch.float32, torch.device("cpu")), "mse"
    expected = triton_kernel.loss_and_gradient(*given)
    for name, value in (("PROGRAMS_A_PROCESSOR", 1), ("MOST_RUNS", 1), ("MOST_BLOCKS", 1)):
        monkeypatch.setattr(triton_kernel, name, value)
        result = triton_kernel.loss_and_gradient(*given)
        assert all(a.equal(b) for a, b in zip(result, expected, strict=True))


def test_an_empty_batch_has_no_loss_and_no_gradient() -> None:
    case = primer("sse", 2, 0)
    value, gradient = triton_kernel.loss_and_gradient(
        case.graph, *of(case, torch.float64, torch.device("cpu")), "sse"
    )
    assert not value.any() and not gradient.any() and gradient.shape == (2, 4)


@pytest.mark.emulated
def test_inputs_that_are_not_contiguous_or_aligned_give_the_same(device: torch.device) -> None:
    case = primer("mse", 2, 300)
    parameters, inputs, targets = of(case, torch.float32, device)
    expected = triton_kernel.loss_and_gradient(case.graph, parameters, inputs, targets, "mse")
    strided = targets.t().contiguous().t()
    odd = torch.cat([inputs.new_zeros(1, 1), inputs])[1:]
    result = triton_kernel.loss_and_gradient(case.graph, parameters, odd, strided, "mse")
    assert all(a.equal(b) for a, b in zip(result, expected, strict=True))


@pytest.mark.sampled(4)
@pytest.mark.parametrize("loss", LOSSES)
def test_gradcheck(loss: str) -> None:
    case = primer(loss, 2, 5)
    assert torch.autograd.gradcheck(
        lambda p: expression_loss(case.graph, p, case.inputs, case.targets, loss, backend="triton"),
        case.parameters.requires_grad_(),
        fast_mode=True,
    )


def test_the_public_functions_choose_the_backend() -> None:
    case = primer()
    for backend in ("reference", "triton"):
        y = expression(case.graph, case.parameters, case.inputs, backend)
        assert_near(y, reference.predict(case.graph, case.parameters, case.inputs))


@pytest.mark.sampled(3)
@pytest.mark.emulated
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("per_run", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_normal_equations(weighted: bool, per_run: bool, dtype: torch.dtype, device: torch.device) -> None:
    case = primer("sse", 3, 140, per_run)
    parameters, inputs, targets = of(case, dtype, device)
    weights = inputs[..., 0].abs() if weighted else None
    result = triton_kernel.squares(case.graph, parameters, inputs, targets, weights)
    outputs, jacobian = reference.jacobian(case.graph, parameters.double(), inputs.double())
    columns = torch.cat([jacobian, (outputs - targets.double())[..., None]], -1)
    if weights is not None:
        columns *= weights.double().sqrt()[..., None, None]
    columns = columns.flatten(1, 2)
    assert result.dtype == torch.float64
    assert_near(result, columns.mT @ columns, dtype)


def test_normal_equations_of_float32_data_are_summed_in_float64(device: torch.device) -> None:
    graph = parse("xy = a + b*xa")
    x = (2000 + torch.linspace(0, 1, 3000, dtype=torch.float64)[:, None]).to(device, torch.float32)
    t = 3 * x.double() - 1
    total = triton_kernel.squares(graph, torch.zeros(1, 2, device=device), x, t.float(), None)[0]
    columns = torch.cat([torch.ones_like(t), x.double(), -t.float().double()], 1)
    torch.testing.assert_close(total, columns.T @ columns, rtol=1e-13, atol=0)


def edit(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """The kernels' sources are edited before they are loaded."""

    def load(source: str) -> ModuleType:
        assert old in source
        return source_cache.load(source.replace(old, new))

    case = primer()
    written = load(loss_source(case.graph, loss_of("mse"), True))
    monkeypatch.setattr(triton_kernel, "_loss", lambda *_: written)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("l1_5 = l1_3 * l1_2", "l1_5 = 1.001 * l1_3 * l1_2"),
        ("v20 = l1_5 * v19", "v20 = l1_5 * v18"),
        ("* 5 + 2, tl.sum(tl.where(inside, v23", "* 5 + 2, tl.sum(tl.where(inside, v22"),
        ("for block in range(first_block,", "for block in range(first_block + 1,"),
    ],
)
def test_a_wrong_kernel_is_rejected(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = primer()
    check(case)
    edit(monkeypatch, old, new)
    with pytest.raises(AssertionError):
        check(case)


def test_the_cpu_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    case = primer()
    monkeypatch.setattr(triton_kernel.launch, "INTERPRETED", False)
    with pytest.raises(UserError, match="runs on CUDA, and its input is on cpu"):
        triton_kernel.predict(case.graph, case.parameters, case.inputs)


@pytest.mark.gpu
def test_a_thousand_repeats_agree_bit_for_bit() -> None:
    case = primer("mse", 3, 100_000)
    given = case.graph, *of(case, torch.float32, torch.device("cuda")), "mse"
    first = triton_kernel.loss_and_gradient(*given)
    for _ in range(1000):
        again = triton_kernel.loss_and_gradient(*given)
        assert all(a.equal(b) for a, b in zip(again, first, strict=True))


@pytest.mark.gpu
def test_a_graphs_replay_is_the_eager_step() -> None:
    case = primer("mse", 3, 100_000)
    given = case.graph, *of(case, torch.float32, torch.device("cuda")), "mse"
    expected = triton_kernel.loss_and_gradient(*given)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = triton_kernel.loss_and_gradient(*given)
    graph.replay()
    torch.cuda.synchronize()
    assert all(a.equal(b) for a, b in zip(result, expected, strict=True))
