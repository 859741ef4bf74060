"""FITS, HDF5 and Zarr: arrays by name, and nothing that lies elsewhere or would be unpickled."""

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr
from astropy.io import fits

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.data.files.read import read
from packtrain.trainer.data.table import Table


class Trap:
    """Says so if it is ever unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("a pickle was opened",)


def refusal(table: Table, name: str) -> str:
    with pytest.raises(UserError) as refused:
        table.column(name, "the inputs")
    return str(refused.value)


def test_a_fits_has_tables_and_images(tmp_path: Path) -> None:
    names = fits.Column("star", "3A", array=np.array(["a", "b"]))
    flux = fits.Column("flux", "2E", array=np.arange(4.0).reshape(2, 2))
    image = fits.ImageHDU(np.arange(4).reshape(2, 2), name="SCI")
    path = tmp_path / "stars.fits"
    fits.HDUList([fits.PrimaryHDU(), image, fits.BinTableHDU.from_columns([names, flux])]).writeto(path)
    table = read(str(path))
    assert {name: column.tolist() for name, column in table.columns.items()} == {
        "SCI_0": [0, 2], "SCI_1": [1, 3], "star": ["a", "b"], "flux_0": [0, 2], "flux_1": [1, 3],
    }  # fmt: skip
    assert table.numbers("flux_1", "x").dtype == np.float64 and table.numbers("SCI_0", "x").tolist() == [0, 2]


def test_an_hdf5_is_read_by_paths(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "runs.h5", "w") as file:
        file["run/time"] = [1.0, 2.0]
        file["name"] = ["a", "é"]
        file["fixed"] = np.array([b"a", b"b"])
        file["on"] = [True, False]
        file["images"] = np.zeros((2, 3, 3))
        file["nothing"] = h5py.Empty("f")
    table = read(str(tmp_path / "runs.h5"))
    assert table.numbers("run/time", "x").tolist() == [1, 2] and table.numbers("on", "x").tolist() == [1, 0]
    assert [table.columns[name].tolist() for name in ("name", "fixed")] == [["a", "é"], ["a", "b"]]
    assert table.notes == ("images [2, 3, 3] became the columns images_0 ... images_8",)
    assert "nothing" not in table.names


def test_what_an_hdf5_has_in_other_files_is_left_alone(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["x"] = [1.0, 2.0]
    (tmp_path / "raw").write_bytes(np.arange(2.0).tobytes())
    layout: Any = h5py.VirtualLayout((2,), "f8")
    layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "x", (2,))
    with h5py.File(tmp_path / "links.h5", "w") as file:
        file["own"] = [3.0, 4.0]
        file["linked"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "x")
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("external", (2,), "f8", external=[(str(tmp_path / "raw"), 0, 16)])
    table = read(str(tmp_path / "links.h5"))
    assert [*table.columns] == ["own"] and "linked" not in table.names
    for name in ("virtual", "external"):
        assert "its numbers lie in another file" in refusal(table, name)


def test_a_zarr_is_a_group_or_an_array(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "runs.zarr", mode="w")
    group["run/time"] = np.array([1.0, 2.0])
    group.create_array("name", shape=(2,), dtype=str)[:] = np.array(["a", "b"], dtype=object)
    table = read(str(tmp_path / "runs.zarr"))
    assert {name: column.tolist() for name, column in table.columns.items()} == {
        "name": ["a", "b"], "run/time": [1, 2],
    }  # fmt: skip
    one: Any = np.arange(4.0).reshape(2, 2)
    zarr.save_array(tmp_path / "one.zarr", one)
    assert read(str(tmp_path / "one.zarr")).names == ["x_0", "x_1"]


def test_a_zarr_is_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "trap.zarr"
    zarr.create_array(path / "x", data=np.arange(2.0), zarr_format=2, filters=[], compressors=None)
    zarr.open_group(path, mode="a", zarr_format=2)["y"] = np.arange(2.0)
    about = json.loads((path / "x" / ".zarray").read_text())
    (path / "x" / ".zarray").write_text(json.dumps(about | {"filters": [{"id": "pickle", "protocol": 5}]}))
    for name in (path / "x").glob("[0-9]*"):
        name.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(UserError, match=r"trap.zarr can't be read as zarr: .*pickle"):
        read(str(path))


@pytest.mark.parametrize("damage", ["no folder of arrays", "half of its description"])
def test_a_damaged_zarr_is_refused(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.zarr"
    if damage == "no folder of arrays":
        path.mkdir()
    else:
        whole: Any = np.arange(4.0)
        zarr.save_array(path, whole)
        (path / "zarr.json").write_text((path / "zarr.json").read_text()[:100])
    with pytest.raises(UserError, match=r"bad.zarr can't be read as zarr: ") as refused:
        read(str(path))
    assert "\n" not in str(refused.value)


def test_arrays_larger_than_the_memory_are_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File(tmp_path / "large.h5", "w") as file:
        file.create_dataset("x", (1 << 40,), "f8", chunks=True)
    zarr.create_array(tmp_path / "large.zarr", shape=(1 << 40,), dtype="f8", chunks=(1 << 20,))
    for name in ("large.h5", "large.zarr"):
        with pytest.raises(UserError, match=r"takes 8,796.1 GB in memory"):
            read(str(tmp_path / name))


@pytest.mark.parametrize(
    ("suffix", "package"), [(".fits", "astropy"), (".h5", "h5py"), (".zarr", "zarr"), (".xlsx", "openpyxl")]
)
def test_a_library_that_is_missing_is_named(
    suffix: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"points{suffix}"
    path.write_bytes(b"PK\x05\x06" + bytes(18))  # an empty archive, as far as that matters
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"needs {package}: pip install 'packtrain\[files\]'"):
        read(str(path))
