"""model.starts: where several fits begin, and what is told of the minima that they reach."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from packtrain.kernels.random import latin_hypercube
from packtrain.trainer.console.fit import starts_line
from packtrain.trainer.engines.least_squares import LeastSquaresEngine
from packtrain.trainer.engines.notes import REACHED
from packtrain.trainer.engines.starts import starts_report
from packtrain.trainer.models.base import Model
from packtrain.trainer.models.build import make_graph, new_model
from tests.helpers import Command, assert_close
from tests.trainer.configs import pack_of
from tests.trainer.fits import ALONE, FIT, engine_of, equation, result_of, run_of, saturating, values

WIDE = saturating("[1, 1000]", "[0.001, 10]")
TIMES = np.linspace(0, 10, 60)
WAVE = equation("xy = a*sin(w*x)", {"a": 1, "w": "[0.2, 6]"}, x=TIMES.tolist(), xy=np.sin(3 * TIMES).tolist())


def seed(value: int) -> torch.Tensor:
    return torch.tensor(value)


@pytest.mark.parametrize(("size", "dimensions"), [(1, 1), (7, 3), (32, 2), (100, 5)])
def test_each_stratum_of_each_dimension_holds_one_point(size: int, dimensions: int) -> None:
    points = latin_hypercube(seed(5), size, dimensions)
    assert points.shape == (size, dimensions) and points.dtype == torch.float64
    strata = (points * size).floor().long().sort(0).values
    assert torch.equal(strata, torch.arange(size)[:, None].expand(size, dimensions))


def test_seeds_and_dimensions_are_spread_apart_and_nothing_is_remembered() -> None:
    first = latin_hypercube(seed(1), 16, 4)
    torch.rand(3)
    assert torch.equal(first, latin_hypercube(seed(1), 16, 4))
    assert not torch.equal(first, latin_hypercube(seed(2), 16, 4))
    orders = (first * 16).floor().T.tolist()
    assert len({tuple(order) for order in orders}) == 4
    inside = (first * 16) % 1
    assert len(inside.unique()) == 64 and 0.3 < inside.mean() < 0.7


def model_of(*overrides: str) -> Model:
    from packtrain.trainer.data.sources import load  # noqa: PLC0415

    pack = pack_of(*FIT, *overrides)
    graph = make_graph(pack.config.model)
    data = load(pack.config.data, graph, "mse", torch.device("cpu"), torch.float64)
    return new_model(pack, graph, data.train, torch.float64, "reference")


def test_starts_are_the_points_of_a_hypercube_in_the_ranges() -> None:
    parameters = model_of(*WIDE, "model.starts=10", 'pack.over={seed: "3,4"}').parameters.detach()
    assert parameters.shape == (20, 2)
    low, high = torch.tensor([1, 0.001]).double(), torch.tensor([1000, 10]).double()
    expected = torch.cat([low + latin_hypercube(seed(s), 10, 2) * (high - low) for s in (3, 4)])
    assert_close(parameters, expected)


def test_one_start_is_drawn_as_ever() -> None:
    assert torch.equal(
        model_of(*WIDE, "seed=7").parameters, model_of(*WIDE, "model.starts=1", "seed=7").parameters
    )


def test_numbers_stay_what_they_are_in_every_start() -> None:
    parameters = model_of(*saturating(200, "[0, 1]"), "model.starts=5").parameters
    assert (parameters[:, 0] == 200).all() and len(parameters[:, 1].unique()) == 5


def test_the_pack_is_the_product_with_the_starts() -> None:
    pack = pack_of(*FIT, *WIDE, "model.starts=3", 'pack.over={seed: "0,1", optimizer.radius: "1,10"}')
    assert pack.runs == 12 and pack.over["start"] == [0, 1, 2] * 4
    assert pack.over["seed"] == [0] * 6 + [1] * 6
    assert pack_of(*FIT, *WIDE, "model.starts=1").over == {}


def test_several_starts_find_the_best_and_say_how_often(cli: Command, tmp_path: Path) -> None:
    found = result_of(cli, tmp_path, *FIT, *WIDE, "model.starts=16", "model.loss=sse")
    best = found["run"][found["best_run"]]
    assert values(best) == pytest.approx({"b1": 213.80940889, "b2": 0.54723748542}, rel=1e-8)
    starts = found["multi_start"]
    assert starts["starts"] == 16 == found["runs"]
    assert starts["converged"] == found["outcomes"]["finished"]
    first = starts["minima"][0]
    assert first["run"] == found["best_run"] and first["loss"] == best["loss"]["train"]["last"]
    assert first["parameters"] == values(best)
    assert first["loss"] == pytest.approx(1168.0088766, rel=1e-9)
    assert sum(each["starts"] for each in starts["minima"]) <= starts["converged"]
    near = [r for r in found["run"] if abs((r["loss"]["train"]["last"] or 0) / first["loss"] - 1) < 1e-6]
    assert first["starts"] == len([r for r in near if r["outcome"] == "finished"]) > 1


def test_several_starts_find_what_one_misses_and_sort_the_minima(cli: Command, tmp_path: Path) -> None:
    assert run_of(cli, tmp_path, *FIT, *WAVE, "model.initial.w=5")["fit"]["rss"] > 20
    found = result_of(cli, tmp_path, *FIT, *WAVE, "model.starts=24")
    minima = found["multi_start"]["minima"]
    assert values(found["run"][found["best_run"]]) == pytest.approx({"a": 1, "w": 3}, rel=1e-9)
    assert len(minima) > 3 and len(minima) == min(10, found["multi_start"]["found"])
    lost = [each["loss"] for each in minima]
    assert lost == sorted(lost) and all(b > a * (1 + 1e-6) for a, b in pairwise(lost))
    out = cli(*FIT, *WAVE, "model.starts=24").out
    best, second = minima[:2]
    told = (
        f"  starts  {best['starts']} of 24 starts reached the least loss, {best['loss']:.6g}; other minima: "
    )
    assert told + f"{second['loss']:.6g} ({second['starts']})" in out


def test_starts_in_single_precision_that_found_one_minimum_count_as_one(cli: Command, tmp_path: Path) -> None:
    x = np.linspace(70, 760, 14)
    y = 240 * (1 - np.exp(-5e-4 * x)) + 0.03 * np.sin(np.arange(14.0) ** 2 * 1.7)
    start = {"b1": "[100, 600]", "b2": "[1e-4, 1e-3]"}
    asked = equation("xy = b1*(1-exp(-b2*x))", start, x=x.tolist(), xy=y.tolist())
    found = result_of(cli, tmp_path, *FIT, *asked, "model.starts=24", "compute.precision=fp32")
    rss = sorted(run["fit"]["rss"] for run in found["run"] if run["outcome"] == "finished")
    assert rss[-1] > rss[0] * (1 + 2 * REACHED), "they don't differ"
    starts = found["multi_start"]
    assert starts["found"] == len(starts["minima"]) == 1 and starts["converged"] == len(rss) > 12
    assert starts["minima"][0]["starts"] == len(rss)


def test_starts_work_with_adam_and_nothing_is_told_of_minima(cli: Command, tmp_path: Path) -> None:
    line = equation("xy = a*x", {"a": "[0, 10]"}, x=[1, 2, 3], xy=[2, 4, 6])
    by_torch = "engine=step", "compute.backend=reference"
    adam = "optimizer=adam", "optimizer.lr=0.1", "loop.batch_size=full", *by_torch
    asked = *ALONE, *adam, *line, "model.starts=3"
    found = result_of(cli, tmp_path, *asked)
    assert found["engine"] == "step" and "multi_start" not in found
    assert [run["values"]["start"] for run in found["run"]] == [0, 1, 2]
    assert len({run["loss"]["train"]["first"] for run in found["run"]}) == 3
    assert values(found["run"][found["best_run"]])["a"] == pytest.approx(2, abs=1e-2)
    assert "starts  " not in cli(*asked).out


def test_without_starts_nothing_is_told_of_them(cli: Command, tmp_path: Path) -> None:
    found = result_of(cli, tmp_path, *FIT, *WIDE, 'pack.over={seed: "0,1"}')
    assert "multi_start" not in found and "start" not in found["run"][0]["values"]


def test_too_many_starts_are_refused(cli: Command) -> None:
    ended = cli(*FIT, *WIDE, "model.starts=2000000")
    assert ended.code == 2 and "ask for more runs than a pack may hold, 1,048,576" in ended.err


def row(index: int, rss: float | None, criterion: str = "cost") -> dict[str, Any]:
    return {
        "index": index,
        "values": {"start": index},
        "loss": {"train": {"first": None, "last": None if rss is None else rss / 2}},
        "parameters": {"a": {"value": float(index)}},
        "fit": {"criterion": criterion, "rss": rss},
    }


def engine(target: float = 1.0, precision: str = "fp64") -> LeastSquaresEngine:
    """Of one sample, so that what residuals are compared with is `target`."""
    return engine_of(
        *FIT, *equation("xy = a*x", {"a": 1}, x=[1.0], xy=[target]), f"compute.precision={precision}"
    )


def counted(found: dict[str, Any] | None) -> list[int]:
    assert found is not None
    return [each["starts"] for each in found["minima"]]


def test_minima_are_told_apart_by_their_sum_of_squares() -> None:
    rows = [row(0, 2.0), row(1, 1.0), row(2, 1.0 + 5e-7, "gradient"), row(3, 1.0 + 5e-6, "step")]
    rows += [row(4, 0.5, "stuck"), row(5, None, "not_finite"), row(6, 0.1, "exhausted")]
    rows += [row(7, 0.2, "singular"), row(8, 0.3, "running"), row(9, 2.0, "rounding")]
    found = starts_report(rows, engine())
    assert found is not None
    assert (found["starts"], found["converged"], found["found"]) == (10, 5, 3)
    assert [(each["loss"], each["starts"], each["run"]) for each in found["minima"]] == [
        (0.5, 2, 1),
        ((1.0 + 5e-6) / 2, 1, 3),
        (1.0, 2, 0),
    ]
    assert found["minima"][0]["parameters"] == {"a": 1.0}
    assert found["lower"] == {"starts": 4, "run": 6, "loss": 0.05}
    told = starts_line(found)
    assert "2 of 10 starts reached the least loss, 0.5" in told
    assert told.endswith("5 did not converge, 4 of them at a lower loss (run 6: 0.05)")


def test_what_ended_as_low_as_the_best_is_not_lower() -> None:
    found = starts_report([row(0, 1.0), row(1, 1.0 - 1e-9, "stuck"), row(2, 3.0, "stuck")], engine())
    assert found is not None and found["lower"] is None and "lower" not in starts_line(found)


def test_a_row_of_close_sums_of_squares_is_judged_by_its_least() -> None:
    rows = [row(i, 1.0 + 7e-7 * i) for i in range(4)]
    assert counted(starts_report(rows, engine())) == [2, 2]


def test_sums_of_squares_that_are_but_rounding_are_one_minimum() -> None:
    rows = [row(0, 1e-28), row(1, 3e-27), row(2, 0.0), row(3, 1e-25)]
    assert counted(starts_report(rows, engine())) == [3, 1]
    assert counted(starts_report(rows, engine(target=1e3))) == [4]
    assert counted(starts_report([row(0, 0.0), row(1, 1e-9), row(2, 1e-8)], engine(precision="fp32"))) == [
        2,
        1,
    ]


def test_rounding_tells_minima_apart_less_well_in_single_precision() -> None:
    rows = [row(0, 1.0), row(1, 1.0 + 5e-6), row(2, 1.0 + 5e-5)]
    assert counted(starts_report(rows, engine(10.0, "fp32"))) == [2, 1]
    assert counted(starts_report(rows, engine(10.0))) == [1, 1, 1]


def test_ten_minima_are_listed_of_more() -> None:
    found = starts_report([row(i, float(i + 1)) for i in range(30)], engine())
    assert found is not None and found["found"] == 30
    assert len(found["minima"]) == 10 and found["minima"][9]["run"] == 9
    assert starts_report([row(0, 1.0) | {"values": {"seed": 1}}], engine()) is None


def test_where_no_start_converges_there_is_no_minimum() -> None:
    found = starts_report([row(0, None, "not_finite")], engine())
    assert found == {"starts": 1, "converged": 0, "found": 0, "minima": [], "lower": None}
