"""What the page on the explorer shows can be asked."""

import json
import re
from pathlib import Path

import pytest

from .conftest import Explorer

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "explore.md").read_text()
QUERIES = re.findall(r"^```graphql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
DOWNLOADS = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_there_is_something_to_try() -> None:
    assert (len(QUERIES), len(DOWNLOADS)) == (4, 2)


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_is_answered(explorer: Explorer, query: str) -> None:
    assert explorer.query(query)


@pytest.mark.parametrize("body", DOWNLOADS)
def test_a_download_is_sent(explorer: Explorer, body: str) -> None:
    assert explorer.post("download", json.loads(body)).status_code == 200
