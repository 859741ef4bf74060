"""The Triton kernels of linear layers against the float64 reference: interpreted, or compiled on a GPU."""

import itertools
from collections.abc import Callable
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.linear_relu import autograd, kernel, linear, linear_relu, linear_relu_chain, tiles
from packtrain.kernels.linear_relu.reference import PRODUCTS, Layer, linear_relu_chain_reference
from tests.helpers import assert_near
from tests.kernels import edited
from tests.strategies import few
from tests.thorough import examples

pytestmark = pytest.mark.usefixtures("poisoned")

SIZES = [(1, 1), (2, 7), (17, 3), (16, 16), (33, 64), (65, 5), (130, 2)]
FORMATS = [
    (torch.float64, "ieee"),
    (torch.float32, "ieee"),
    (torch.float32, "tf32"),
    (torch.float32, "bf16"),
    (torch.bfloat16, "ieee"),
    (torch.float16, "ieee"),
]


def drawn(*shape: int, dtype: torch.dtype, device: torch.device, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(device, dtype)


def made(
    runs: int,
    samples: int,
    widths: tuple[int, ...],
    shared: bool,
    dtype: torch.dtype,
    device: torch.device,
    product: str = "ieee",
) -> tuple[Tensor, list[Layer]]:
    """Inputs, and layers whose outputs are about as large as their inputs.

    For tf32 they have few digits, which its products keep: else ReLUs would open that are shut in float64.
    """
    coarse = product == "tf32"

    def some(*shape: int, seed: int = 0) -> Tensor:
        numbers = drawn(*shape, dtype=dtype, device=device, seed=seed)
        return (4 * numbers).round() / 4 if coarse else numbers

    x = some(*(() if shared else (runs,)), samples, widths[0])
    layers: list[Layer] = []
    for i, o in itertools.pairwise(widths):
        weight = some(runs, o, i, seed=100) / (1 if coarse else i**0.5)
        layers.append((weight, some(runs, o, seed=200)))
    return x, layers


def everything(
    chain: Callable[..., Tensor], x: Tensor, layers: list[Layer], *how: object, slope: Tensor | None = None
) -> list[Tensor]:
    """The output, and the gradient of each of the operands."""
    x = x.detach().clone().requires_grad_()
    leaves = [tuple(p if p is None else p.detach().clone().requires_grad_() for p in pair) for pair in layers]
    y = chain(x, leaves, *how)
    if slope is None:
        slope = drawn(*y.shape, dtype=torch.float64, device=y.device, seed=300).to(y.dtype)
    wanted = [x, *(part for pair in leaves for part in pair if part is not None)]
    return [y.detach(), *torch.autograd.grad(y, wanted, slope)]


def check(
    x: Tensor,
    layers: list[Layer],
    relu_last: bool = True,
    product: str = "ieee",
) -> None:
    """Triton's chain agrees with the definition in float64, values and every gradient."""
    found = everything(linear_relu_chain, x, layers, relu_last, product, "triton")
    exact = [(w.double(), None if b is None else b.double()) for w, b in layers]
    rounds = {torch.bfloat16: "bf16", torch.float16: "fp16"}.get(PRODUCTS[product] or x.dtype, "ieee")
    expected = everything(linear_relu_chain_reference, x.double(), exact, relu_last, rounds)
    key = "tf32" if product == "tf32" else PRODUCTS[product] or x.dtype
    for actual, wanted in zip(found, expected, strict=True):
        assert actual.shape == wanted.shape and actual.dtype == x.dtype
        if wanted.numel():
            assert_near(actual.double(), wanted, key)


@pytest.mark.sampled
@pytest.mark.parametrize(("dtype", "product"), FORMATS)
@pytest.mark.parametrize("sizes", SIZES)
def test_one_layer(
    sizes: tuple[int, int],
    dtype: torch.dtype,
    product: str,
    device: torch.device,
) -> None:
    for samples, shared in ((1, True), (129, False)):
        check(*made(2, samples, sizes, shared, dtype, device, product), True, product)


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("samples", "shared"), [*((n, s) for n in (1, 7, 127, 129) for s in (True, False)), (600, True)]
)
@pytest.mark.parametrize(
    ("sizes", "product"), [((5, 3), "ieee"), ((127, 129), "bf16")], ids=["narrow", "wide"]
)
def test_samples_of_one_part_and_of_several(
    sizes: tuple[int, int],
    product: str,
    samples: int,
    shared: bool,
    device: torch.device,
) -> None:
    check(*made(2, samples, sizes, shared, torch.float32, device), True, product)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "runs",
    [pytest.param(1, marks=pytest.mark.emulated), pytest.param(3, marks=pytest.mark.emulated), 65],
)
@pytest.mark.parametrize("sizes", [(3, 4), (1, 130)], ids=["narrow", "wide"])
def test_any_number_of_runs(runs: int, sizes: tuple[int, int], device: torch.device) -> None:
    fewer = runs > 9 and sizes == (1, 130) and device.type == "cpu"  # a tile takes the interpreter long
    check(*made(9 if fewer else runs, 3, sizes, False, torch.float32, device))


@pytest.mark.sampled
@pytest.mark.parametrize("relu_last", [True, False])
@pytest.mark.parametrize(("dtype", "product"), FORMATS)
def test_a_chain(relu_last: bool, dtype: torch.dtype, product: str, device: torch.device) -> None:
    for widths, last in (((2, 9, 16, 3), relu_last), ((20, 140, 33, 1), not relu_last)):
        check(*made(2, 70, widths, last, dtype, device, product), relu_last, product)


@pytest.mark.only_emulated
@pytest.mark.parametrize(("dtype", "product"), FORMATS[2:5])
def test_a_chain_by_tensor_cores(dtype: torch.dtype, product: str) -> None:
    test_a_chain(False, dtype, product, torch.device("cpu"))


@settings(few, max_examples=examples(20))
@given(
    st.integers(1, 2),
    st.integers(0, 70),
    st.lists(st.integers(1, 40), min_size=2, max_size=4),
    st.booleans(),
    st.booleans(),
)
def test_any_sizes(runs: int, samples: int, widths: list[int], shared: bool, relu_last: bool) -> None:
    on = torch.device("cpu")
    check(*made(runs, samples, tuple(widths), shared, torch.float64, on), relu_last)


@pytest.mark.emulated
def test_layers_without_bias(device: torch.device) -> None:
    for widths in ((6, 11, 4), (6, 140, 4)):
        x, layers = made(2, 33, widths, True, torch.float64, device)
        check(x, [(weight, None) for weight, _ in layers])


@pytest.mark.emulated
@pytest.mark.parametrize("features", [5, 150])
def test_an_empty_batch_has_gradients_of_zero(features: int, device: torch.device) -> None:
    x, layers = made(2, 0, (features, 4), False, torch.float32, device)
    y, _, dw, db = everything(linear_relu_chain, x, layers, True, "ieee", "triton")
    assert y.shape == (2, 0, 4)
    assert not dw.any() and dw.shape == (2, 4, features) and not db.any()


@pytest.mark.emulated
def test_operands_that_are_not_contiguous_or_aligned_give_the_same(device: torch.device) -> None:
    x, layers = made(2, 50, (7, 9), False, torch.float32, device)
    strided = x.transpose(1, 2).contiguous().transpose(1, 2)
    odd = torch.cat([x.new_zeros(1), x.flatten()])[1:].view(x.shape)
    expected = everything(linear_relu_chain, x, layers, True, "ieee", "triton")
    for same in (strided, odd):
        found = everything(linear_relu_chain, same, layers, True, "ieee", "triton")
        assert all(a.equal(b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("sizes", "samples", "shared"),
    [((5, 3), 520, True), ((5, 3), 40, False), ((130, 3), 40, True)],
    ids=["narrow", "each run its own inputs", "wide"],
)
def test_a_run_is_the_same_in_any_pack(
    sizes: tuple[int, int], samples: int, shared: bool, device: torch.device
) -> None:
    pack = 64 if device.type == "cuda" else 9  # more than the programs that share the processors
    x, ((weight, bias),) = made(pack, samples, sizes, shared, torch.float32, device)
    assert bias is not None
    slope = drawn(pack, samples, sizes[1], dtype=x.dtype, device=device)

    def of(runs: slice) -> list[Tensor]:
        own = x if shared else x[runs]
        y = kernel.linear_relu_fwd(own, weight[runs], bias[runs], True, "ieee", x.dtype)
        return [y, *kernel.linear_relu_bwd(own, weight[runs], y, slope[runs], False, True, True, "ieee")]

    whole = of(slice(0, pack))
    for runs in (slice(7, 8), slice(5, 8)):
        assert all(a.equal(b[runs]) for a, b in zip(of(runs), whole, strict=True))


NARROW, WIDE = (5, 6, 7), (3, 130, 140, 2)


def with_nan(
    widths: tuple[int, ...], where: str, device: torch.device, dtype: torch.dtype, product: str = "ieee"
) -> tuple[Tensor, list[Layer]]:
    """Three runs, a NaN in the second: in one weight of the first layer, or in one input of one sample."""
    x, layers = made(3, 20, widths, False, dtype, device, product)
    if where == "weight":
        layers[0][0][1, 2, 1] = torch.nan
    else:
        x[1, 7, 1] = torch.nan
    return x, layers


@pytest.mark.emulated
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("sizes", [(4, 3), (4, 130)], ids=["narrow", "wide"])
def test_nan_stays_nan_and_in_its_run(relu: bool, sizes: tuple[int, int], device: torch.device) -> None:
    x, ((weight, bias),) = made(3, 20, sizes, True, torch.float32, device)
    weight[1, 2, 3] = torch.nan
    y = (linear_relu if relu else linear)(x, weight, bias, backend="triton")
    assert y[1, :, 2].isnan().all() and int(y.isnan().sum()) == 20


@pytest.mark.sampled
@pytest.mark.parametrize("where", ["weight", "input"])
@pytest.mark.parametrize(("widths", "relu_last"), [(NARROW, True), (WIDE, False)], ids=["narrow", "wide"])
@pytest.mark.parametrize(("dtype", "product"), FORMATS)
def test_nan_reaches_the_output_and_every_gradient(
    dtype: torch.dtype,
    product: str,
    widths: tuple[int, ...],
    relu_last: bool,
    where: str,
    device: torch.device,
) -> None:
    """As in the definition: the gradient of a hidden feature that is NaN passes through its ReLU."""
    check(*with_nan(widths, where, device, dtype, product), relu_last, product)


LOSE_NAN = [
    ("linear_relu_fwd_kernel", "tl.where(y <= 0, 0.0, y)", "tl.where(y > 0, y, 0.0)"),
    ("linear_relu_bwd_kernel", "tl.where(y <= 0, 0.0, dz)", "tl.where(y > 0, dz, 0.0)"),
    ("linear_relu_bwd_kernel", "tl.where(x.to(SUM) <= 0, 0.0, dx)", "tl.where(x.to(SUM) > 0, dx, 0.0)"),
    ("_product", "tl.where(total_mn <= 0, 0.0, total_mn)", "tl.where(total_mn > 0, total_mn, 0.0)"),
    ("_product", "mask.to(SUM) <= 0, 0.0, a.to(SUM))", "mask.to(SUM) > 0, a.to(SUM), 0.0)"),
    ("_product", "tl.where(out_mask <= 0, 0.0, total_mn)", "tl.where(out_mask > 0, total_mn, 0.0)"),
]


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("name", "old", "new"), LOSE_NAN)
def test_a_kernel_that_loses_nan_is_rejected(
    name: str, old: str, new: str, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = with_nan(WIDE if name == "_product" else NARROW, "weight", device, torch.float32)
    check(*given)
    edited.use(monkeypatch, kernel, name, old, new)
    with pytest.raises(AssertionError):
        check(*given)


def test_gradients_of_what_nobody_asks_for_are_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    real = kernel.linear_relu_bwd
    monkeypatch.setattr(
        autograd, "linear_relu_bwd", lambda *a, **k: (asked.append(k["want_dx"]), real(*a, **k))[1]
    )
    x, layers = made(1, 5, (3, 4, 2), True, torch.float32, torch.device("cpu"))
    leaves = [(w.requires_grad_(), b) for w, b in layers]
    linear_relu_chain(x, leaves, backend="triton").sum().backward()
    assert asked == [True, False]  # from the last layer to the first
    assert all(weight.grad is not None for weight, _ in leaves)


@pytest.mark.sampled
@pytest.mark.parametrize("sizes", [(4, 3), (3, 130)], ids=["narrow", "wide"])
@pytest.mark.parametrize("shared", [True, False])
def test_gradcheck(sizes: tuple[int, int], shared: bool) -> None:
    x, ((weight, bias),) = made(2, 3, sizes, shared, torch.float64, torch.device("cpu"))
    operands = [each.requires_grad_() for each in (x, weight, bias) if each is not None]
    assert torch.autograd.gradcheck(
        lambda *given: linear_relu(*given, backend="triton"), operands, fast_mode=True
    )


EDITS = [
    ("linear_relu_bwd_kernel", "dz = tl.where(y <= 0, 0.0, dz)", "dz = dz + 0.0 * y"),
    ("linear_relu_bwd_kernel", "db += tl.sum(dz, 0)", "db += 1.001 * tl.sum(dz, 0)"),
    ("linear_relu_bwd_kernel", "tl.trans(dz), x, dw,", "tl.trans(dz), 1.001 * x, dw,"),
    ("linear_relu_bwd_kernel", "dx = tl.where(x.to(SUM) <= 0, 0.0, dx)", "dx = dx + 0.0 * x"),
    ("linear_relu_fwd_kernel", "y = tl.where(y <= 0, 0.0, y)", "y = tl.abs(y)"),
    ("_product", "a = tl.where(mask.to(SUM) <= 0, 0.0, a.to(SUM))", "a = a.to(SUM)"),
    (
        "_product",
        "if SUMS and n == 0:\n                total_m",
        "if SUMS and n == 1:\n                total_m",
    ),
    ("_product", "tl.where(out_mask <= 0, 0.0, total_mn)", "total_mn + 0.0 * out_mask"),
    ("_product", "first_m + inside", "0 * first_m + inside"),
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("name", "old", "new"), EDITS)
def test_a_wrong_kernel_is_rejected(
    name: str, old: str, new: str, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = _right(name == "_product", device)
    edited.use(monkeypatch, kernel, name, old, new)
    with pytest.raises(AssertionError):
        check(*given)


@cache
def _right(wide: bool, device: torch.device) -> tuple[Tensor, list[Layer], bool, str]:
    """What the kernels as they are compute right."""
    widths, product = ((3, 130, 2), "bf16") if wide else ((5, 6, 7), "ieee")
    given = *made(1, 1100, widths, False, torch.float32, device), True, product
    check(*given)
    return given


def test_parts_are_a_matter_of_the_samples_alone() -> None:
    for samples in (1, 511, 513, 10_000, 1 << 20):
        rows = tiles.part_rows(samples, 64)
        assert rows % 64 == 0 and -(-samples // rows) <= tiles.MOST_PARTS


def test_tensor_descriptors_load_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = [config for config in kernel.LOADS if config.kwargs["DESCRIPTORS"]][:1]
    monkeypatch.setattr(kernel._product, "configs", chosen)
    for shared in (True, False):
        check(*made(2, 600, (136, 8), shared, torch.float32, torch.device("cpu")), True, "bf16")


def test_vmap_is_refused_with_a_sentence() -> None:
    x, ((weight, bias),) = made(2, 3, (4, 3), False, torch.float32, torch.device("cpu"))
    with pytest.raises(UserError, match="has an axis of runs"):
        torch.func.vmap(lambda each: linear_relu(each, weight, bias, backend="triton"))(x[None])


def test_differentiating_twice_is_refused() -> None:
    x, ((weight, bias),) = made(2, 3, (4, 3), False, torch.float32, torch.device("cpu"))
    y = linear_relu(x.requires_grad_(), weight.requires_grad_(), bias, backend="triton")
    (slope,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, in its own compiler
def test_torch_compile_takes_it_whole(device: torch.device) -> None:
    x, layers = made(2, 40, (5, 8, 3), True, torch.float32, device)

    def doubled(x: Tensor, layers: list[Layer]) -> Tensor:
        return 2 * linear_relu_chain(x, layers, False, "ieee", "triton")

    compiled = torch.compile(doubled, backend="aot_eager", fullgraph=True)
    expected = everything(doubled, x, layers)
    for actual, wanted in zip(everything(compiled, x, layers), expected, strict=True):
        assert_near(actual, wanted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": (2, 5, 3)}, r"expected a weight \[2, O, 3\]"),
        ({"x": (3, 5, 4)}, "3 runs"),
        ({"x": (4,)}, r"expected x \[B, I\]"),
        ({"weight": (2, 4)}, "expected a weight"),
        ({"bias": (2, 4)}, "expected a bias"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(change: dict[str, tuple[int, ...]], message: str) -> None:
    shapes = {"x": (2, 5, 4), "weight": (2, 3, 4), "bias": (2, 3)} | change
    for backend in ("reference", "triton"):
        with pytest.raises(UserError, match=message):
            linear_relu(**{name: torch.zeros(shape) for name, shape in shapes.items()}, backend=backend)  # pyright: ignore[reportArgumentType]


def test_an_unknown_product_is_refused() -> None:
    with pytest.raises(UserError, match="did you mean bf16"):
        linear_relu(torch.zeros(1, 1), torch.zeros(1, 1, 1), product="bf-16")


@pytest.mark.gpu
def test_a_thousand_repeats_agree_bit_for_bit() -> None:
    on = torch.device("cuda")
    for widths in ((64, 64), (300, 200)):
        x, layers = made(2, 5000, widths, False, torch.float32, on)
        first = everything(linear_relu_chain, x, layers, True, "tf32", "triton")
        for _ in range(1000):
            again = everything(linear_relu_chain, x, layers, True, "tf32", "triton")
            assert all(a.equal(b) for a, b in zip(again, first, strict=True))


@pytest.mark.gpu
def test_a_graphs_replay_is_the_eager_step() -> None:
    x, layers = made(2, 5000, (64, 64, 10), True, torch.float32, torch.device("cuda"))
    slope = drawn(2, 5000, 10, dtype=torch.float32, device=x.device)
    expected = everything(linear_relu_chain, x, layers, True, "bf16", "triton", slope=slope)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = everything(linear_relu_chain, x, layers, True, "bf16", "triton", slope=slope)
    graph.replay()
    torch.cuda.synchronize()
    assert all(a.equal(b) for a, b in zip(found, expected, strict=True))
