"""TensorBoard itself, started on the results of a pack and asked over HTTP."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import numpy as np
import pytest
from tensorboard.data.server_ingester import NoDataServerError, get_server_binary

from tests.helpers import Command, result_in
from tests.trainer.curves import scalars

RUNS = 40
PATIENCE = 60.0  # seconds, for TensorBoard to start and to read
PACK = "experiment=debug", 'pack.over={seed: "range(0,20)", optimizer.lr: "0.03,1e30"}', "monitor.every=1"
STATUSES = [f"STATUS_{word}" for word in ("UNKNOWN", "SUCCESS", "FAILURE", "RUNNING")]

STATUS = {"finished": "STATUS_SUCCESS", "diverged": "STATUS_FAILURE"}

Ask = Callable[..., Any]


def until(happens: Callable[[], bool]) -> None:
    """Waits for it."""
    end = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < end, "TensorBoard did not get so far"
        time.sleep(0.05)


def asking(address: str) -> Ask:
    """ask(path, **query) -> what TensorBoard at `address` answers; `body` is posted."""
    opener = build_opener(ProxyHandler({}))

    def ask(path: str, body: Any = None, **query: str) -> Any:
        posted = None if body is None else json.dumps(body).encode()
        url = f"{address}data/{path}?{urlencode(query)}"
        with opener.open(
            Request(url, posted, {"Content-Type": "application/json"}), timeout=PATIENCE
        ) as answer:
            return json.load(answer)

    return ask


@pytest.fixture
def ask(cli: Command, tmp_path: Path) -> Iterator[Ask]:
    """Trains a pack and asks a TensorBoard that has read what it left."""
    try:
        get_server_binary()
    except NoDataServerError as missing:
        pytest.skip(f"TensorBoard has no data server here: {missing}")
    assert cli(*PACK).code == 0
    options = "--logdir=out/tensorboard-all", "--load_fast=true", "--host=127.0.0.1", "--port=0"
    log = tmp_path / "tensorboard.log"
    with log.open("w") as out:
        served = subprocess.Popen(
            [sys.executable, "-m", "tensorboard.main", *options],
            cwd=tmp_path,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stdout=out,
            stderr=out,
        )
    try:
        until(lambda: " at http://" in log.read_text())
        tensorboard = asking(log.read_text().partition(" at ")[2].split()[0])
        until(lambda: len(tensorboard("runs")) == RUNS + 1)
        yield tensorboard
    finally:
        served.terminate()
        served.wait()


def test_tensorboard_shows_a_pack(ask: Ask, tmp_path: Path) -> None:
    rows = result_in(tmp_path / "out")["run"]
    assert {row["outcome"] for row in rows} == {"finished", "diverged"}
    *runs, last = ask("runs")
    assert last == "summary" and [name[:3] for name in runs] == [
        f"{rank:02d} " for rank in range(1, RUNS + 1)
    ]
    varied = {f"seed={row['values']['seed']},lr={row['values']['optimizer.lr']:.5g}" for row in rows}
    assert {name[3:] for name in runs} == varied
    check_last_points(ask, tmp_path / "out" / "tensorboard-all")
    check_hparams(ask, rows)
    check_layout(ask)


def check_last_points(ask: Ask, folder: Path) -> None:
    """The last point of each curve of each run is the one that was written last."""
    tags = ask("plugin/scalars/tags")
    for run in ask("runs"):
        written = scalars(folder / run)
        assert set(tags[run]) == set(written)
        for tag in ("loss/train", "loss/train/best", "loss/validation"):
            if tag in written:
                (_, *point) = ask("plugin/scalars/scalars", run=run, tag=tag)[-1]
                assert tuple(point) == written[tag][-1]


def float32(value: float) -> float:
    return np.float32(value).item()


def check_hparams(ask: Ask, rows: list[dict[str, Any]]) -> None:
    """One line a run, with what varies, how it ended and what it came to."""
    request = {"startIndex": 0, "sliceSize": 1000, "allowedStatuses": STATUSES, "colParams": []}
    groups = ask("plugin/hparams/session_groups", body=request)["sessionGroups"]
    assert [group["name"] for group in groups] == ask("runs")[:-1]  # pages are in the order of ranks
    by_values = {frozenset(group["hparams"].items()): group for group in groups}
    assert len(groups) == len(by_values) == RUNS
    for row in rows:
        group = by_values[frozenset(row["values"].items())]
        assert {session["status"] for session in group["sessions"]} == {STATUS[row["outcome"]]}
        values = {metric["name"]["tag"]: metric["value"] for metric in group["metricValues"]}
        expected = {
            "result/loss/train": row["loss"]["train"]["last"],
            "result/loss/validation": row["loss"]["validation"],
            **{f"result/metrics/{name}": value for name, value in row["metrics"].items()},
        }
        assert values == {tag: float32(value) for tag, value in expected.items() if value is not None}


def check_layout(ask: Ask) -> None:
    """The charts of Custom Scalars have their curves, and no others."""
    (category,) = ask("plugin/custom_scalars/layout")["category"]
    band, *overlays = category["chart"]
    assert set(band["margin"]["series"][0].values()) <= set(ask("plugin/scalars/tags")["summary"])
    charts = [
        (chart["title"], overlaid(ask, "summary", chart), overlaid(ask, ask("runs")[0], chart))
        for chart in overlays
    ]
    assert charts == [
        ("best and median", ["loss/train/best", "loss/train/median"], []),
        ("training", [], ["loss/train"]),
        ("validation", [], ["loss/validation"]),
    ]


def overlaid(ask: Ask, run: str, chart: dict[str, Any]) -> list[str]:
    tags = chart["multiline"]["tag"]
    answers = [ask("plugin/custom_scalars/scalars", run=run, tag=tag)["tag_to_events"] for tag in tags]
    return [tag for curves in answers for tag in curves]
