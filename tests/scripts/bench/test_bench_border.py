"""The benchmark of the border between the engines, interpreted: whole rows, and none where they disagree."""

import csv
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from packtrain.trainer.engines.fused import FusedEngine
from packtrain.trainer.engines.tabulated import TabulatedEngine
from scripts.bench import bench_border as bench
from scripts.bench import border_points, warm
from scripts.bench.border_points import FUSED, MODELS, STEP, Point, Target
from scripts.bench.warm import Spent

PRIMER, GAUSSIANS, LAYERS = (replace(model, runs=(2,), batches=(8,), samples=20) for model in MODELS)
NARROW = replace(LAYERS, overrides=tuple(word.replace("64", "4") for word in LAYERS.overrides))
MAYBE_BLANK = {"faster_than_jax", "faster_than_jax_p20", "faster_than_jax_p80", "trouble"}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(border_points, "MODELS", (PRIMER, GAUSSIANS, NARROW))
    monkeypatch.setattr(border_points, "TARGETS", ())
    monkeypatch.setattr(warm, "ENOUGH", 0)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    """The exit code of the command."""
    few = "--device", "cpu", "--steps", "2", "--repeats", "2"
    monkeypatch.setattr("sys.argv", ["bench_border", *few, *arguments])
    with pytest.raises(SystemExit) as ended:
        bench.main()
    return ended.value.code


def read(file: Path) -> list[dict[str, str]]:
    with file.open() as lines:
        return list(csv.DictReader(lines))


@pytest.mark.thorough
def test_every_model_has_all_its_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(border_points, "TARGETS", [Target(model.name, 1.0, ((2, 8),)) for model in MODELS])
    file = tmp_path / "border.csv"
    assert run(monkeypatch, "--out", str(file)) == 0
    rows = read(file)
    assert [row["model"] for row in rows] == [model.name for model in MODELS]
    for row in rows:
        assert not row["trouble"] and row["reached"] == "yes"
        assert {name for name, value in row.items() if not value} <= MAYBE_BLANK
        assert float(row["fused_launches_milliseconds"]) < float(row["fused_milliseconds"])


def misled(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    """Fused engines of this precision start a little elsewhere."""
    engine = Point.engine

    def wrong(point: Point, kind: str, device: str, precision: str) -> TabulatedEngine:
        result = engine(point, kind, device, precision)
        if (kind, precision) == (FUSED, wanted):
            result.model.parameters.data *= 1.001
        return result

    monkeypatch.setattr(Point, "engine", wrong)


@pytest.mark.parametrize("precision", ["fp32", "fp64"])
def test_a_point_whose_engines_disagree_is_refused(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bench._exactly.cache_clear()
    misled(monkeypatch, precision)
    row = bench.row(Point(PRIMER, 2, 8), "cpu", 2, 1)
    bench._exactly.cache_clear()
    assert row["trouble"].startswith("the engines: disagree by") and row["trouble"].endswith(precision)
    assert row["fused_milliseconds"] == row["faster_than_step"] == ""


def test_a_missed_target_exits_with_1_unless_another_size_reaches_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(border_points, "MODELS", (replace(PRIMER, runs=(1, 2)),))
    monkeypatch.setattr(bench, "_measured", lambda point, *_: {FUSED: [Spent(1, 1.0, 1 / point.runs)]})
    for speed, code in ((32.0, 0), (33.0, 1)):  # 8 samples of 1 run, 16 of 2 runs in half a second
        target = Target("primer", speed, ((1, 8), (2, 8)))
        monkeypatch.setattr(border_points, "TARGETS", (target,))
        assert run(monkeypatch) == code
        assert [word for word in capsys.readouterr().out.split() if word in ("yes", "no")][-2:] == (
            ["no", "yes"] if code == 0 else ["no", "no"]
        )


def test_a_ratio_is_of_single_steps_and_speed_is_that_of_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = {FUSED: [Spent(1, 1.0, 0.5)], STEP: [Spent(2, 6.0)]}
    monkeypatch.setattr(bench, "_measured", lambda *_: spent)
    columns = bench.row(Point(PRIMER, 2, 8), "cpu", 2, 1)
    assert columns["faster_than_step"] == 3
    assert columns["fused_run_samples_per_second"] == 16 / 0.5
    assert columns["step_run_samples_per_second"] == round(2 * 16 / 6, 3)


def test_points_with_a_target_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target("gaussians", 1.0, ((2, 8),))
    monkeypatch.setattr(border_points, "TARGETS", (target,))
    assert [point.name for point in border_points.points()] == [
        "gaussians, 2 x 8", "primer, 2 x 8", "five layers of 64, 2 x 8",
    ]  # fmt: skip


def test_a_point_that_fails_leaves_the_others_and_exits_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Point.engine

    def failing(point: Point, kind: str, device: str, precision: str) -> TabulatedEngine:
        if point.batch == 4 and kind == FUSED:
            raise RuntimeError("out of memory\nand more")
        return engine(point, kind, device, precision)

    monkeypatch.setattr(Point, "engine", failing)
    monkeypatch.setattr(border_points, "MODELS", (replace(GAUSSIANS, batches=(4, 8)),))
    file = tmp_path / "border.csv"
    assert run(monkeypatch, "--out", str(file)) == 1
    failed, whole = read(file)
    assert failed["trouble"] == "fused: out of memory" and not failed["fused_milliseconds"]
    assert float(failed["step_milliseconds"]) > 0 and float(whole["faster_than_step"]) > 0


def test_an_interruption_keeps_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def row(point: Point, *_: Any) -> dict[str, Any]:
        if point.batch == 9:
            raise KeyboardInterrupt
        return measured(point, "cpu", 1, 1)

    measured = bench.row
    monkeypatch.setattr(bench, "_measured", lambda *_: {})
    monkeypatch.setattr(bench, "row", row)
    monkeypatch.setattr(border_points, "MODELS", (replace(PRIMER, batches=(7, 8, 9, 10)),))
    file = tmp_path / "border.csv"
    monkeypatch.setattr("sys.argv", ["bench_border", "--device", "cpu", "--out", str(file)])
    with pytest.raises(KeyboardInterrupt):
        bench.main()
    assert [row["batch"] for row in read(file)] == ["7", "8"]
    assert "as a multiple of engine=step's speed" in capsys.readouterr().out


def test_jax_is_a_peer_where_it_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jax")
    monkeypatch.setattr(bench, "JAX_AT", "primer, 2 x 8")
    columns = bench.row(Point(PRIMER, 2, 8), "cpu", 2, 1)
    assert columns["faster_than_jax"] > 0 and not columns["trouble"]
    assert not bench.jax_peer.serves("cuda")
    monkeypatch.setattr(bench, "by_jax", lambda *_: lambda: (1.0, torch.zeros(2, 4)))
    columns = bench.row(Point(PRIMER, 2, 8), "cpu", 2, 1)
    assert columns["faster_than_jax"] == "" and columns["trouble"].startswith("jax: disagree by")


def test_steps_are_as_many_as_take_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "train", lambda engine, until: setattr(engine, "step", until) or 0.001)
    monkeypatch.setattr(warm, "ENOUGH", 1.0)
    assert bench._warm(Point(PRIMER, 2, 8), STEP, "cpu", 100).steps == 100
    monkeypatch.setattr(warm, "ENOUGH", 0.001)
    assert bench._warm(Point(PRIMER, 2, 8), STEP, "cpu", 100).steps == 1


def test_on_a_gpu_events_time_the_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    class Event:
        clock = 0.0

        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            Event.clock += 500.0
            self.at = Event.clock

        def synchronize(self) -> None:
            self.reached = True

        def elapsed_time(self, stop: "Event") -> float:
            assert stop.reached
            return stop.at - self.at

    monkeypatch.setattr(torch.cuda, "Event", Event)
    fused = warm.Timed(SimpleNamespace(states=None, advance=lambda *_: None), "cuda")  # pyright: ignore[reportArgumentType]
    for _ in range(3):
        fused.advance(None, slice(0, 1))  # pyright: ignore[reportArgumentType]
    assert fused.seconds() == 1.5 and fused.seconds() == 0


def test_each_time_minibatches_are_gathered_anew() -> None:
    fused = bench._warm(Point(PRIMER, 2, 8), FUSED, "cpu", 2)
    assert isinstance(fused.engine, FusedEngine)
    blocks = [fused.engine.prepared for _ in range(3) if fused.again()]
    assert len({block.first for block in blocks if block}) == 3


def test_what_diverges_is_not_timed() -> None:
    step = bench._warm(Point(PRIMER, 2, 8), STEP, "cpu", 2)
    step.start["parameters"][0] = torch.nan
    with pytest.raises(RuntimeError, match="a run diverges"):
        step.again()


def test_only_what_is_named_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "--only", "nothing") == "no point has 'nothing' in its name"
