"""An auth service and an index on one database: what one of them ends, the other must refuse."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.tokens import bearer
from tests.waiting import eventually

from commonshub.core.grants import tables
from commonshub.core.tokens import KeySet, Verifier
from commonshub.index.app import IndexApp

from .auth_service import Auth

# By when a revocation must have reached every service, in seconds.
EFFECTIVE_S = 5
PROJECT = "/programs/a/projects/one"


class Commons:
    """The two services and what tests ask of them."""

    def __init__(self, auth: Auth, index: Any) -> None:
        self.auth = auth
        self.index = index

    def statuses(self, token: str) -> tuple[int, int]:
        """What auth and index answer to somebody who may do everything, or to whom that is taken for."""
        headers = bearer(token)
        question = {"service": "indexd", "method": "create", "resource": PROJECT}
        return (
            self.auth.get("/authz", params=question, headers=headers).status_code,
            requests.post(f"{self.index.url}/index/index", json=draft(), headers=headers, timeout=30).status_code,
        )

    def refuse_soon(self, token: str) -> bool:
        return eventually(lambda: 200 not in self.statuses(token), EFFECTIVE_S)

    def sql(self, statement: Any) -> None:
        self.auth.app.database.call(lambda connection: connection.execute(statement))

    def user_id(self, name: str) -> int:
        user = tables("auth").user.c
        query = sa.select(user.id).where(user.username == name)
        found: int = self.auth.app.database.call(lambda connection: connection.execute(query).scalar_one())
        return found


def draft() -> dict[str, Any]:
    """A record that the index takes from who may create it."""
    return {"form": "object", "size": 1, "hashes": {"md5": uuid.uuid4().hex}, "urls": [], "authz": [PROJECT]}


@pytest.fixture(scope="module")
def commons(run_service: Callable[..., Any], auth: Auth) -> Commons:
    index = run_service(IndexApp)
    keys = KeySet(Path(auth.app.tokens.jwks_file))
    index.app.verifier = Verifier(keys, auth.app.commons.issuer, auth.app.tokens.audience)
    return Commons(auth, index)
