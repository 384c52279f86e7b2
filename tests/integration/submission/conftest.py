from tests.submission_service import api, caller, name, running, sql

__all__ = ["api", "caller", "name", "running", "sql"]
