"""The official SDK before a query service on a small graph."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from gen3.submission import Gen3Submission
from tests.integration.query.conftest import READERS, readers, writing
from tests.integration.query.model import RECORDS, insert, write_dictionary
from tests.tokens import Bearer

from commonshub.core.dictionary import load
from commonshub.core.graph import Graph
from commonshub.query.app import QueryApp


@pytest.fixture(scope="module")
def sdk(
    run_service: Callable[..., Any], token: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Gen3Submission]]:
    """The SDK of a user."""
    file: Path = write_dictionary(tmp_path_factory.mktemp("dictionary"))
    running = run_service(QueryApp, Commons={"dictionary": str(file)})
    running.hold(readers(READERS))
    with writing(running) as connection:
        insert(connection, Graph(load(str(file)), "graph"), RECORDS)
    with mock.patch.dict("os.environ", {"no_proxy": "127.0.0.1"}):
        yield lambda user: Gen3Submission(running.url, Bearer(running.url, token(user)))
