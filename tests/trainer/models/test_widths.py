"""model.widths: hidden layers or all layers, and what is made of them everywhere."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

import packtrain
from packtrain.trainer.engines.prepare import load_data
from packtrain.trainer.models.mlp import MLPModel
from packtrain.trainer.models.widths import whole_widths
from packtrain.trainer.session import Session
from tests.helpers import Command
from tests.trainer.configs import pack_of

IRIS = "~experiment", "model=mlp", "data=sklearn", "data.set=iris", "loop.steps=5", "loop.batch_size=16"
LAYERS = st.lists(st.integers(1, 9), max_size=4)


@given(LAYERS, st.integers(1, 9), st.integers(1, 9))
def test_a_whole_list_stays_and_hidden_layers_get_their_ends(hidden: list[int], i: int, o: int) -> None:
    whole = [i, *hidden, o]
    assert whole_widths(whole, i, o) == whole
    if len(hidden) < 2 or hidden[-1] != o:
        assert whole_widths(hidden, i, o) == whole
    elif hidden[0] == i:
        assert whole_widths(hidden, i, o) == hidden


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_hidden_layers_train_to_the_bits_of_the_whole_list(loss: str) -> None:
    def session_of(widths: str) -> Session:
        given = f"model.widths={widths}", f"model.loss={loss}", "model.dropout=0.2", "model.quantize=[2]"
        session = Session.prepare(pack_of(*IRIS, *given, "data.columns={targets: target}"))
        while not session.done:
            session.advance()
        return session

    whole = "[4,8,6,3]" if loss == "cross_entropy" else "[4,8,6,1]"
    hidden, full = session_of("[8,6]"), session_of(whole)
    assert isinstance(hidden.engine.model, MLPModel) and hidden.pack.config == full.pack.config
    assert torch.equal(hidden.engine.model.parameters, full.engine.model.parameters)
    assert hidden.choice == full.choice


def test_a_note_says_which_layers_were_taken_for_hidden_ones() -> None:
    (note,) = load_data(pack_of(*IRIS, "model.widths=[16]")).notes
    assert "[16] are the hidden layers" in note and "[4, 16, 3]" in note
    for whole in ("[4,16,3]", "[4,3]"):
        assert not load_data(pack_of(*IRIS, f"model.widths={whole}")).notes


def test_a_folder_and_its_export_have_all_layers(cli: Command, tmp_path: Path) -> None:
    ended = cli(*IRIS, "model.widths=[16]", "monitor=quiet", f"hydra.run.dir={tmp_path}/out")
    assert ended.code == 0, ended.err
    trained = packtrain.load(tmp_path / "out")
    assert isinstance(trained.model, MLPModel) and trained.model.widths == (4, 16, 3)
    assert cli("export", str(tmp_path / "out"), f"to={tmp_path}/mine").code == 0
    kept = load_file(tmp_path / "mine" / "state_dict.safetensors")
    assert [len(kept[name]) for name in ("0.weight", "2.weight")] == [16, 3]
