"""The benchmark of growth, small: its commands train what they say, and what grows too fast is named."""

import doctest
import json
import sys
from pathlib import Path

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


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Commands that take 15 seconds each, and aren't run -> the words of each."""
    words_of: list[str] = []

    def run(folder: Path, *words: str) -> commands.Spent:
        words_of.append(" ".join(words))
        results = Path(words[-1].removeprefix("hydra.run.dir="))
        results.mkdir()
        (results / "result.json").write_text(json.dumps({"seconds": {"train": 0.25}}))
        return commands.Spent(15.0, 1.0)

    monkeypatch.setattr(commands, "run", run)
    return words_of


def test_a_row_a_size_with_what_its_repeats_took(asked: list[str]) -> None:
    rows = list(points(["runs"], most=10, repeats=5))
    assert [row["size"] for row in rows] == [1, 10]
    assert all((row["seconds"], row["train"], row["repeats"]) == (15.0, 0.25, 3) for row in rows)
    assert len(asked) == 1 + 3 + 3 and "range(0,1)" in asked[0]


def test_what_is_recorded_is_not_measured_again(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "growth.csv"
    known = [{"what": "samples", "size": 7, "seconds": 2.5}, {"what": "ranks", "size": 2, "seconds": 12}]
    record.write(file, known)
    monkeypatch.setattr(sys, "argv", ["bench_growth", "ranks", "--repeats", "1", "--out", str(file)])
    bench_growth.main()
    assert ["devices=1" in words for words in asked] == [False, True, False]
    assert ["devices=4" in words for words in asked] == [False, False, True]
    rows = bench_growth.recorded(file)
    assert [(row["what"], row["size"]) for row in rows[:3]] == [("ranks", size) for size in (1, 2, 4)]
    assert (rows[1]["seconds"], rows[1]["repeats"], rows[2]["repeats"]) == (12, "", "1")
    assert rows[3]["what"] == "samples" and list(tmp_path.iterdir()) == [file]


def test_what_the_disk_has_no_room_for_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_growth.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10})())
    assert list(points(["samples"], most=1e9, repeats=1)) == []
    assert "samples 10,000: the disk has no room" in capsys.readouterr().out


def test_examples_print_what_they_say() -> None:
    result = doctest.testmod(bench_growth)
    assert result.attempted == 3 and not result.failed


def test_the_record_is_drawn_and_grows_no_faster_than_its_size(tmp_path: Path) -> None:
    rows = bench_growth.recorded(growth.RECORD)
    assert {row["what"] for row in rows} == SERIES.keys() and not steep(rows)
    growth.draw(tmp_path / "growth.png")
    with Image.open(tmp_path / "growth.png") as image:
        assert image.width > 600 and len(image.convert("RGB").getcolors(1 << 20) or ()) > 20
