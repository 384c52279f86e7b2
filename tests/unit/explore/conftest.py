"""An engine that reads the documents of the samples, or others."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from commonshub.explore.duck.read import DuckReader

from .model import Document, write_index
from .samples import DOCUMENTS


def opened(folder: Path, documents: list[Document], max_buckets: int = 1000) -> DuckReader:
    file = folder / "1.duckdb"
    write_index(file, documents)
    return DuckReader(file, memory_bytes=128 * 2**20, timeout_s=30, max_buckets=max_buckets)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckReader]:
    found = opened(tmp_path_factory.mktemp("index"), DOCUMENTS)
    yield found
    found.close()
