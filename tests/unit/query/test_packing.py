"""Files of Parquet are whole, or there are none and nothing is left running."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import duckdb
import pytest

from commonshub.core.errors import BadRequest, Unavailable
from commonshub.query.packing import write
from commonshub.query.streaming import Gone
from commonshub.query.table import Column, Row

COLUMNS = [Column('a "name", and more', "string"), Column("b", "number", many=True)]


def endless(after: Event | None = None) -> Iterator[Row]:
    while True:
        for _ in range(100_000):
            yield ["x" * 100, [1.5]]
        if after:
            after.set()


def test_names_and_values_are_whatever_they_are(tmp_path: Path) -> None:
    rows: list[Row] = [["", []], [None, None], ["\0\n'", [1, None, 2.5]]]
    file = write(COLUMNS, iter(rows), tmp_path, Event(), 60)
    with duckdb.connect() as connection:
        found = connection.execute(f"from '{file}'")
        assert [each[0] for each in found.description or ()] == ['a "name", and more', "b"]
        assert found.fetchall() == [("", []), (None, None), ("\0\n'", [1, None, 2.5])]


def test_it_ends_when_nobody_waits_for_it(tmp_path: Path) -> None:
    gone = Event()
    with pytest.raises(Gone):
        write(COLUMNS, endless(gone), tmp_path, gone, 60)


def test_it_ends_when_it_takes_too_long(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="took too long"):
        write(COLUMNS, endless(), tmp_path, Event(), 0.2)


def test_it_ends_with_a_fault_of_the_rows(tmp_path: Path) -> None:
    def rows() -> Iterator[Row]:
        yield ["x", [1.5]]
        raise BadRequest("no more")

    with pytest.raises(BadRequest, match="no more"):
        write(COLUMNS, rows(), tmp_path, Event(), 60)


def test_what_the_writer_says_of_its_failure_is_told(tmp_path: Path) -> None:
    (tmp_path / "table.parquet").mkdir()
    with pytest.raises(RuntimeError, match=r"table\.parquet"):
        write(COLUMNS, iter([["x", [1.5]]]), tmp_path, Event(), 60)
