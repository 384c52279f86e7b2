"""A running index with one user of each kind, for the tests that drive it over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from commonshub.core import audit
from commonshub.core.policy import Binding, Permission, Policy, Snapshot, User
from commonshub.index.app import IndexApp

PROJECT = "/programs/p/projects/q"
ADMINISTERED = ("programs", "services", "data_file", "mds_gateway")


def policies() -> Snapshot:
    """``admin`` may do everything in the index, ``member`` works in one project, ``uploader`` only uploads."""
    every = frozenset({Permission("*", "*")})
    return Snapshot(
        policies={
            "admin": Policy("admin", every, frozenset({(name,) for name in ADMINISTERED})),
            "member": Policy("member", every, frozenset({("programs", "p", "projects", "q")})),
            "upload": Policy("upload", frozenset({Permission("indexd", "file_upload")}), frozenset({("data_file",)})),
            "open": Policy("open", frozenset({Permission("fence", "read-storage")}), frozenset({("open",)})),
        },
        groups={"anonymous": ("open",)},
        users={
            name: User(policies=(Binding(policy),))
            for name, policy in {"admin": "admin", "member": "member", "uploader": "upload"}.items()
        },
    )


@pytest.fixture(scope="module")
def running(run_service: Callable[..., Any], database_url: str) -> Any:
    # Signed downloads leave a row in the audit table, which belongs to the auth service.
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema("auth"))
        audit.table("auth").create(connection)
    engine.dispose()
    service = run_service(IndexApp, BlobSettings={"retry_s": 0.1})
    service.app.grants.snapshot = policies()
    return service


@pytest.fixture(scope="module")
def url(running: Any) -> str:
    return str(running.url)
