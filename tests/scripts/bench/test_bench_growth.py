"""The benchmark of growth, small: its commands train what they say, and what grows too fast is named."""

import doctest
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from scripts.bench import bench_growth
from scripts.bench.bench_growth import SERIES, points, steep
from scripts.common import commands, record
from scripts.pictures import growth
from tests.helpers import Command, result_in

# (a series, a size, what its result says of it)
SMALL = [("runs", 3, {"runs": 3}), ("groups", 2, {"runs": 2}), ("samples", 20_000, {"runs": 1, "steps": 3})]


@pytest.mark.parametrize(("what", "size", "said"), SMALL)
def test_a_command_trains_so_many(
    cli: Command, tmp_path: Path, what: str, size: int, said: dict[str, int]
) -> None:
    series = SERIES[what]
    series.prepare(size, tmp_path)
    ended = cli(*series.words(size), f"hydra.run.dir={tmp_path / 'results'}")
    assert ended.code == 0, ended.err
    result = result_in(tmp_path / "results")
    assert {name: result[name] for name in said} == said and result["seconds"]["train"] > 0


def test_a_row_a_size_with_what_its_repeats_took(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(folder: Path, *words: str) -> commands.Spent:
        results = folder / words[-1].removeprefix("hydra.run.dir=")
        results.mkdir(exist_ok=True)
        (results / "result.json").write_text(json.dumps({"seconds": {"train": 0.25}}))
        return commands.Spent(15.0, 1.0)

    monkeypatch.setattr(commands, "run", run)
    rows = list(points(["runs"], most=10, repeats=3))
    assert [row["size"] for row in rows] == [1, 10]
    assert all((row["seconds"], row["train"], row["repeats"]) == (15.0, 0.25, 2) for row in rows)


def test_what_the_disk_has_no_room_for_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_growth.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10})())
    assert list(points(["samples"], most=1e9, repeats=1)) == []
    assert "samples 10,000: the disk has no room" in capsys.readouterr().out


def test_examples_print_what_they_say() -> None:
    result = doctest.testmod(bench_growth)
    assert result.attempted == 2 and not result.failed


def test_the_record_is_drawn_and_grows_no_faster_than_its_size(tmp_path: Path) -> None:
    rows = record.read(growth.RECORD)
    numbers: list[dict[str, Any]] = [
        {**row, "size": float(row["size"]), "seconds": float(row["seconds"])} for row in rows
    ]
    assert {row["what"] for row in rows} <= SERIES.keys() and not steep(numbers)
    growth.draw(tmp_path / "growth.png")
    with Image.open(tmp_path / "growth.png") as image:
        assert image.width > 600 and len(image.convert("RGB").getcolors(1 << 20) or ()) > 20
