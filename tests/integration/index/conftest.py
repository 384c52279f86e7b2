from tests.index_service import running, url
from tests.stores import second_store

__all__ = ["running", "second_store", "url"]
