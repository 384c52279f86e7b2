"""A connection as the services make it."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from commonshub.core.database import create_engine
from commonshub.core.settings import DatabaseSettings


@pytest.fixture(scope="module")
def connection(database_url: str) -> Iterator[sa.Connection]:
    engine = create_engine(DatabaseSettings(url=database_url))
    with engine.connect() as opened:
        yield opened
    engine.dispose()
