"""What data.path may name in a service: files below its data folder, to which no link leads."""

import os
from pathlib import Path

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.service.data_folder import inside


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder, and a secret beside it to which links in it lead."""
    (tmp_path / "secret.csv").write_text("x,y\n1,2\n")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "a.csv").write_text("x,y\n1,2\n")
    data = tmp_path / "data"
    for name in ("cup.csv", "runs/a.csv", "cube.zarr/zarr.json", "bad.zarr/zarr.json", ".draft.csv"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text("x,y\n1,2\n")
    (data / "link.csv").symlink_to(tmp_path / "secret.csv")
    (data / "inner.csv").symlink_to("cup.csv")
    (data / "linked").symlink_to(tmp_path / "secrets")
    (data / "bad.zarr" / "c").symlink_to(tmp_path / "secrets")
    (data / "turned.zarr").symlink_to(data / "cube.zarr")
    os.mkfifo(data / "pipe.csv")
    return data


@pytest.mark.parametrize("path", ["cup.csv", "runs/a.csv", "./cup.csv", "runs//a.csv", "cube.zarr"])
def test_what_lies_there_is_found(folder: Path, path: str) -> None:
    assert inside(folder, path) == folder / path


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("link.csv", "is none, or a link"),
        ("inner.csv", "is none, or a link"),
        ("linked/a.csv", "leads through no link"),
        ("bad.zarr", "is a link or a device"),
        ("turned.zarr", "is none, or a link"),
        ("pipe.csv", "is none, or a link"),
        ("runs", "is none, or a link"),
        ("cup.csv/a", "leads through no link and no file"),
        ("../secret.csv", "without .."),
        ("runs/../../secret.csv", "without .."),
        ("..", "without .."),
        ("/etc/passwd", "is relative"),
        ("//etc/passwd", "is relative"),
        ("runs\\a.csv", "is relative"),
        ("cup.csv\0", "is relative"),
        ("", "isn't hidden"),
        (".", "isn't hidden"),
        (".draft.csv", "isn't hidden"),
        ("absent.csv", "there is no file absent.csv in the service's data folder"),
        ("x" * 300, "there is no file"),
        ("~/a.csv", "there is no file"),
    ],
)
def test_what_leads_out_is_one_sentence(folder: Path, path: str, said: str) -> None:
    with pytest.raises(UserError) as raised:
        inside(folder, path)
    assert said in str(raised.value) and str(folder.parent) not in str(raised.value)


def test_the_data_folder_itself_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    """Whoever started the service chose it."""
    (tmp_path / "chosen").symlink_to(folder)
    assert inside(tmp_path / "chosen", "cup.csv").exists()
