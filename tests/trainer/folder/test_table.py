"""The table of all runs: runs.csv and runs.parquet."""

import csv
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from packtrain.trainer.folder.stored import read_table
from packtrain.trainer.folder.table import table_of, write_csv, write_parquet
from tests.strategies import few
from tests.trainer.engines.test_rows import rows_of


@few
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_floats_of_the_table_come_back_bit_for_bit(a: list[float]) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "runs.csv"
        write_csv(file, pa.table({"a": a, "b": ["x"] * len(a)}))
        column = read_table(file)["a"]
    assert column.type == pa.float64() and [x.hex() for x in column.to_pylist()] == [x.hex() for x in a]


def test_the_table_reads_as_the_csv_module_writes_it(tmp_path: Path) -> None:
    columns = {
        "text": ["plain", 'a "quoted", one', "two\nlines", None],
        "number": [1.5, None, -2.0, 1e300],
        "count": [1, 2, None, 4],
        "flag": [True, False, None, True],
    }
    write_csv(tmp_path / "ours.csv", pa.table(columns))
    with (tmp_path / "theirs.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    ours = (tmp_path / "ours.csv").read_text()
    assert ours == (tmp_path / "theirs.csv").read_text()


def test_values_of_several_types_are_text_and_the_parquet_file_has_the_types(tmp_path: Path) -> None:
    table = table_of(rows_of([1.0, math.nan], seed=[7, 8], mixed=[1, "one"], widths=[[1, 2], None]))
    write_parquet(tmp_path / "runs.parquet", table)
    found = parquet.read_table(tmp_path / "runs.parquet")
    assert found["seed"].type == pa.int64() and found["best_step"].to_pylist() == [None, 1]
    assert found["mixed"].to_pylist() == ["1", "one"] and found["widths"].to_pylist() == ["[1, 2]", None]
    assert found["loss.train.last"].to_pylist() == [1.0, None] and found["loss.validation"].null_count == 2
