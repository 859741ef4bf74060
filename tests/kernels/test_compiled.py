"""Every kernel, compiled ahead of time for sm_80 and sm_90 as its launcher launches it."""

from typing import Any

import pytest
from hypothesis import given

from packtrain.kernels.equations.activations import ACTIVATIONS
from packtrain.kernels.equations.optimizers import OPTIMIZERS
from packtrain.kernels.language import Graph
from packtrain.kernels.language.ops import FUNCTIONS
from tests.compile_ahead import Report, compiled
from tests.strategies import few, graphs
from tests.thorough import examples

PRIMER = ["xx = xa^2", "xy = ab*xx + ac*xa", "xz = bc*xx + xy", "xw = cd*xx + xz^3"]
PEAKS = [f"x{i} = a{i}*exp(-((xa - b{i})^2 + (xb - c{i})^2)/d{i}^2)" for i in range(8)]
LARGE = [*PEAKS, "xy = " + " + ".join(f"x{i}" for i in range(8))]  # 32 parameters

OF_TWO = {"min", "max", "atan2", "hypot"}
TERMS = [f"{f}({'k*x, b' if f in OF_TWO else 'k*x'})" for f in FUNCTIONS if f != "where"]
EVERY = [
    f"xa = {' + '.join(TERMS)}",
    "xb = where(k*x < b, k % x, (k*x <= b) + (k*x > b)*(k*x >= b)) + voigt(x - b, k, c)",
]


def layers(widths: list[int], dtype: str, product: str = "ieee", **more: Any) -> dict[str, Any]:
    return {
        "case": "linear_relu", "runs": 2, "samples": 65536, "widths": widths, "shared": True,
        "dtype": dtype, "product": product, **more,
    }  # fmt: skip


def equations(text: list[str], **more: Any) -> dict[str, Any]:
    return {"case": "expression", "text": text, **more}


def triangles(text: list[str], **more: Any) -> dict[str, Any]:
    return {"case": "triangles", "text": text, **more}


def trainings(text: list[str], **more: Any) -> dict[str, Any]:
    return {"case": "training", "text": text, **more}


def sound(*cases: dict[str, Any]) -> list[Report]:
    """The reports of `cases`: kernels for both architectures, without spills, atomics or too much memory."""
    results = compiled(cases)
    for case, reports in zip(cases, results, strict=True):
        assert {report.architecture for report in reports} == {80, 90}
        assert all(report.sound for report in reports), (case, [r for r in reports if not r.sound])
    return [report for reports in results for report in reports]


def by_tensor_cores(report: Report) -> bool:
    """What multiplies 16-bit or tf32 numbers does it in matrix instructions, Hopper's where it matters."""
    return report.kernel == "sum_parts_kernel" or bool(report.matrix)


@pytest.mark.parametrize(
    "case",
    [
        layers([2, 16, 64, 3], "float32", "bf16"),
        layers([64, 64, 64], "bfloat16"),
        layers([32, 32], "float16"),
        layers([2, 64, 3], "float32", "tf32", relu_last=False),
        layers([256, 256], "float32", "tf32", want_dx=False),
    ],
    ids=lambda case: f"{case['dtype']}-{case['product']}-{'-'.join(map(str, case['widths']))}",
)
def test_layers_of_tensor_cores(case: dict[str, Any]) -> None:
    for report in sound(case):
        assert by_tensor_cores(report), report


@pytest.mark.parametrize(
    "case",
    [
        layers([2, 64, 3], "float32", relu_last=False),
        layers([200, 100], "float32", bias=False),
        layers([2, 64], "float64", shared=False),
    ],
    ids=lambda case: f"{case['dtype']}-{'-'.join(map(str, case['widths']))}",
)
def test_layers_of_exact_products(case: dict[str, Any]) -> None:
    sound(case)


@pytest.mark.parametrize(
    ("case", "names"),
    [
        ({"case": "activate", "name": "relu", "dtype": "float32"}, set()),
        (layers([32, 32], "float16"), {"HMMA", "HGMMA"}),
        ({"case": "perceptron", "widths": [128] * 3, "product": "bf16", "batch": 4096}, {"HMMA", "HGMMA"}),
        ({"case": "perceptron", "widths": [9, 33, 7], "dtype": "float64", "batch": 20}, {"DMMA"}),
    ],
    ids=lambda case: "-".join(sorted(case)) if isinstance(case, set) else case["case"],
)
def test_instructions_are_read_as_they_are_disassembled(case: dict[str, Any], names: set[str]) -> None:
    """All instructions of a few kernels, by NVIDIA's disassembler."""
    assert {name for report in compiled([case | {"disassemble": True}])[0] for name in report.matrix} == names


def test_a_layer_of_128_takes_one_pass_on_hopper() -> None:
    reports = sound(layers([128, 128], "bfloat16"))
    assert all(map(by_tensor_cores, reports))
    names = {report.kernel for report in reports if report.architecture == 90}
    assert names == {"linear_relu_fwd_kernel", "linear_relu_bwd_kernel", "sum_parts_kernel"}


def test_wide_layers_have_tensor_descriptors_to_choose_on_hopper() -> None:
    reports = sound(layers([256, 256], "bfloat16"))
    assert all(map(by_tensor_cores, reports))
    described = [report for report in reports if report.choice.startswith("True")]
    assert {report.architecture for report in described} == {90}
    assert all(any("HGMMA" in name for name in report.matrix) for report in described)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equations(dtype: str) -> None:
    sound(
        *(equations(PRIMER, dtype=dtype, shared=shared) for shared in (True, False)),
        *(equations(PRIMER, dtype=dtype, what=what) for what in ("predict", "squares")),
        equations(PRIMER, dtype=dtype, loss="cross_entropy", outputs=["xy", "xw"]),
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_operation(dtype: str) -> None:
    """libdevice has what it is asked for."""
    sound(equations(EVERY, dtype=dtype))


def test_32_parameters_do_not_spill() -> None:
    sound(equations(LARGE), equations(LARGE, dtype="float64"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_equations_of_robust_losses(dtype: str) -> None:
    sound(*(equations(PRIMER, dtype=dtype, what="squares", loss=loss) for loss in ("huber", "arctan")))


def test_triangles_of_many_small_fits() -> None:
    """A lane each, in as many registers as it may have."""
    of_7 = {
        "sines": ["y = a*sin(b*x + c) + d*sin(e*x + f) + g"],
        "powers": ["y = a*x^b + c*x^d + e*(x + g)^f"],
        "peaks": ["y = a*exp(-((x - b)/c)^2) + d/(1 + ((x - e)/f)^2) + g"],
        "of two": ["y = a*sin(b*x + c) + d*sin(e*x + f) + g", "z = a*cos(b*x + c) + d*cos(e*x + f) + g"],
    }
    cases = [triangles(text) for text in of_7.values()]
    cases += [triangles(of_7["peaks"], loss=loss) for loss in ("huber", "arctan")]
    small = "y = a*exp(-k*x) + c"
    sound(*cases, triangles([small], dtype="float32"), triangles(["y = a*voigt(x - b, c, d) + e + f*x"]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_whole_trainings(dtype: str) -> None:
    sound(
        trainings(PRIMER, dtype=dtype),
        trainings(PRIMER, dtype=dtype, batch=8191, own=True, optimizer="sgd"),
        trainings(LARGE, dtype=dtype, batch=1024, own=True, loss="sse"),
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_whole_trainings_by_every_optimizer(dtype: str) -> None:
    sound(*(trainings(PRIMER, dtype=dtype, optimizer=kind) for kind in sorted(OPTIMIZERS)))


@pytest.mark.parametrize(
    ("product", "widths", "own"),
    [
        ("ieee", [2, 10, 2], True),
        ("ieee", [4, 16, 16, 2], True),
        ("ieee", [4, 32, 32, 32], True),
        ("ieee", [30, 32, 32, 1], False),
        ("bf16", [2, 16, 16], True),
        ("tf32", [2, 16, 2], True),
        ("bf16", [2, 32, 32, 3], True),
    ],
)
def test_whole_trainings_of_perceptrons(product: str, widths: list[int], own: bool) -> None:
    case = {"case": "perceptron", "widths": widths, "product": product, "own": own}
    reports = sound(case, case | {"loss": "mse"})
    assert product == "ieee" or all(map(by_tensor_cores, reports))


def test_whole_trainings_of_wide_perceptrons() -> None:
    case = {"case": "perceptron", "batch": 4096}
    reports = sound(
        {**case, "product": "ieee", "widths": [128] * 4, "own": True, "loss": "mse"},
        {**case, "product": "bf16", "widths": [2, 64, 64, 64, 64, 4]},
        {**case, "product": "bf16", "widths": [128] * 6, "own": True},
        {**case, "product": "tf32", "widths": [128] * 4, "loss": "mse"},
    )
    assert all(map(by_tensor_cores, reports[2:]))
    assert all(any("HGMMA" in name for name in r.matrix) for r in reports[2:] if r.architecture == 90)


def test_whole_trainings_of_perceptrons_in_float64() -> None:
    case = {"case": "perceptron", "dtype": "float64"}
    reports = sound(
        {**case, "widths": [2, 10, 2], "own": True},
        {**case, "widths": [9, 33, 100, 7], "loss": "mse", "batch": 20, "optimizer": "sgd"},
        {**case, "widths": [2, 64, 64, 64, 64, 4], "batch": 4096},
        {**case, "widths": [128] * 4, "own": True, "loss": "mse", "batch": 4096},
    )
    assert all(any("DMMA" in name for name in report.matrix) for report in reports)


def test_activations() -> None:
    sound(*({"case": "activate", "name": name, "dtype": "float32"} for name in ACTIVATIONS))
    sound(*({"case": "activate", "name": name, "dtype": "float64"} for name in ("gelu", "sin")))


@pytest.mark.parametrize(
    ("product", "widths", "activation"),
    [
        ("ieee", [4, 16, 16, 2], "sin"),
        ("ieee", [4, 32, 32, 32], "gelu"),
        ("tf32", [2, 16, 2], "silu"),
        ("bf16", [2, 64, 64, 4], "gelu"),
    ],
)
def test_whole_trainings_of_perceptrons_with_any_activation(
    product: str, widths: list[int], activation: str
) -> None:
    case = {"case": "perceptron", "widths": widths, "product": product, "own": True, "activation": activation}
    reports = sound(case)
    assert product == "ieee" or all(map(by_tensor_cores, reports))


@pytest.mark.parametrize(
    "case",
    [
        {"case": "training", "text": PRIMER, "loss": "huber", "dtype": "float64"},
        {"case": "perceptron", "widths": [4, 32, 32, 32], "loss": "arctan"},
        {"case": "perceptron", "widths": [128] * 4, "loss": "soft_l1", "product": "bf16"},
    ],
    ids=lambda case: case["loss"],
)
def test_whole_trainings_with_weights_and_constants(case: dict[str, Any]) -> None:
    sound({"own": True, "weighted": True, **case})


@pytest.mark.parametrize(
    "case",
    [
        {"widths": [4, 32, 32, 32], "product": "ieee"},
        {"widths": [2, 16, 16], "product": "bf16"},
        {"widths": [128] * 4, "product": "bf16", "activation": "gelu", "batch": 4096},
    ],
    ids=str,
)
def test_whole_trainings_with_dropout(case: dict[str, Any]) -> None:
    """In the largest tiles of each sort: masks take registers, too."""
    sound({"case": "perceptron", "own": True, "dropout": True, **case})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout(dtype: str) -> None:
    sound({"case": "dropout", "dtype": dtype})


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_quantize(dtype: str) -> None:
    sound({"case": "quantize", "dtype": dtype})


@pytest.mark.sampled(1)
@pytest.mark.parametrize("half", [0, 1])
def test_fifty_random_graphs(half: int) -> None:
    drawn: list[dict[str, Any]] = []

    @few
    @given(graphs())
    def draw(graph: Graph) -> None:
        text = [f"{variable} = {expression}" for variable, expression in graph.definitions]
        drawn.append(
            equations(text, outputs=list(graph.outputs), what=("loss", "predict")[len(drawn) % 5 == 4])
        )

    draw()
    assert len(drawn) >= examples(50)
    sound(*drawn[half::2])


def test_the_check_catches_spills_and_atomics() -> None:
    greedy, atomic = compiled([equations(PEAKS[:2], greedy=True), {"case": "atomic"}])
    assert any(report.spills and not report.sound for report in greedy)
    assert any(report.atomics and not report.sound for report in atomic)
