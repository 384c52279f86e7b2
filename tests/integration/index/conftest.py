from tests.index_service import running, url
from tests.processes import own_postgres
from tests.stores import second_store

__all__ = ["own_postgres", "running", "second_store", "url"]
