from tests.index_service import running, url

__all__ = ["running", "url"]
