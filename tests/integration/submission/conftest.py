from tests.submission_service import api, caller, held, name, running, sql

__all__ = ["api", "caller", "held", "name", "running", "sql"]
