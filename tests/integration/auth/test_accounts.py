"""Switching an account off ends what hangs on it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from tests.administration import make_client, make_user
from tests.auth_service import Auth
from tests.tokens import bearer

from commonshub.auth.claims import Account
from commonshub.auth.credentials import sessions
from commonshub.auth.login.store import identity_table, login_table
from commonshub.auth.oauth.sessions import oauth


def insert(auth: Auth, table: sa.Table, **values: Any) -> None:
    auth.app.database.call(lambda connection: connection.execute(table.insert().values(**values)))


@pytest.fixture(scope="module")
def held(auth: Auth) -> dict[str, str]:
    """Access tokens of one user, by what each was derived from."""
    user = auth.account(make_user(auth, "leaver"))
    client = make_client(auth, "application")
    later = datetime.now(UTC) + timedelta(hours=1)
    insert(
        auth,
        sessions.table("auth"),
        id="workspace",
        key="k",
        user_id=user.id,
        kind="workspace",
        name="",
        expires_at=later,
    )
    insert(
        auth,
        oauth("auth").session,
        id="application",
        client_id=client,
        user_id=user.id,
        scopes=["openid"],
        expires_at=later,
    )
    insert(
        auth,
        login_table("auth"),
        id="digest",
        sid="sign-in",
        user_id=user.id,
        idp="idp",
        subject="s",
        id_token="",
        expires_at=later,
        ends_at=later,
    )
    key = auth.api_key("leaver")
    from_key = auth.post("/user/credentials/api/access_token", json={"api_key": key}).json()["access_token"]
    derived = {name: token(auth, user, name) for name in ("workspace", "application", "sign-in")}
    return {**derived, "key": from_key}


def token(auth: Auth, user: Account, session: str) -> str:
    return auth.app.keys.sign(auth.app.minter.access(user, 600, session=session))


def test_what_was_derived_from_anything_stays_ended_after_he_is_back(auth: Auth, held: dict[str, str]) -> None:
    def statuses() -> set[int]:
        bearers = [bearer(each) for each in held.values()]
        return {auth.get("/user/user", headers=headers).status_code for headers in bearers}

    assert statuses() == {200}
    assert auth.request("DELETE", "/user/admin/user/leaver/soft", "root").status_code == 200
    assert statuses() == {401}
    assert auth.post("/user/admin/user/leaver/reactivate", "root").status_code == 200
    assert statuses() == {401}
    assert auth.get("/user/user", "leaver").status_code == 200


def test_a_user_is_told_who_vouches_for_him(auth: Auth) -> None:
    user = auth.account(make_user(auth, "vouched"))
    assert auth.get("/user/user", user.username).json()["idp"] == "jupyterhub"
    insert(auth, identity_table("auth"), idp="university", subject="s", user_id=user.id)
    assert auth.get("/user/user", user.username).json()["idp"] == "university"
    assert auth.get(f"/user/admin/user/{user.username}", "root").json()["idp"] == "university"
