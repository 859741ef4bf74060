"""Packs of a round that are trained in this process."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.pack import Pack
from packtrain.trainer.console.training import Ended
from packtrain.trainer.search import packs
from packtrain.trainer.search.packs import InProcess, Trained, packs_of_round
from packtrain.trainer.search.space import read_space
from packtrain.trainer.search.structure import Structures
from tests.trainer.configs import compose

ASKED = ("experiment=debug", "seed=0", "search=random", "search.space={optimizer.lr: {low: 0.1, high: 1}}")


def trained(
    folder: Path, monkeypatch: pytest.MonkeyPatch, becomes: dict[str, Ended | Exception], **more: Any
) -> tuple[Trained, list[str]]:
    """What comes of a round of three packs whose trainings become this, and which were begun."""
    cfg = compose(*ASKED)
    points = [{"optimizer.lr": 0.1 * run} for run in range(1, 4)]
    begun = []

    def run(pack: Pack, folder: Path, *others: Any, **more: Any) -> Ended:
        begun.append(folder.name)
        result = becomes.get(folder.name, Ended(0, interrupted=False))
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(packs, "run", run)
    structures = Structures(cfg, read_space(cfg), ASKED, lambda words: compose(*words))
    trainer = InProcess(structures.compose, Console(file=io.StringIO()), **more)
    return trainer.train(folder, packs_of_round(0, points, structures, most=1)), begun


def test_a_pack_that_fails_leaves_the_others_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = UserError("no data")
    ended, begun = trained(tmp_path, monkeypatch, {"0-0": first, "0-1": MemoryError("of 3 TB")})
    assert begun == ["0-0", "0-1", "0-2"]
    why = {"0-0": "no data", "0-1": "MemoryError: of 3 TB; the train.log has the traceback"}
    assert ended == Trained(why, error=first)


def test_a_signal_ends_the_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended, begun = trained(tmp_path, monkeypatch, {"0-1": Ended(143, interrupted=True)})
    assert ended == Trained({}, stopped=True, code=143) and begun == ["0-0", "0-1"]


def test_every_pack_is_checked_before_it_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(pack: Pack) -> None:
        if pack.over["optimizer.lr"] == [0.2]:
            raise UserError("not here")

    ended, begun = trained(tmp_path, monkeypatch, {}, check=check)
    assert ended.reasons == {"0-1": "not here"} and begun == ["0-0", "0-2"]
