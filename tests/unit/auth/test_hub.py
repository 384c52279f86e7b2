"""Judging what the hub says of a token."""

from typing import Any

import pytest

from commonshub.auth.credentials.hub import HubUser, read_model
from commonshub.core.errors import PermissionDenied

ACCESS = "access:services!service=auth"
MODEL = {"kind": "user", "name": "alice", "session_id": None, "scopes": [ACCESS]}


@pytest.mark.parametrize("scope", [ACCESS, "access:services"])
def test_a_token_with_access_to_this_service_names_its_owner(scope: str) -> None:
    assert read_model({**MODEL, "scopes": ["other", scope]}, "auth", "t") == HubUser(
        "alice", interactive=False, origin=None
    )


@pytest.mark.parametrize(
    "change",
    [
        {"scopes": []},
        {"scopes": None},
        {"scopes": ["access:services!service=authority"]},
        {"scopes": ["access:services!service=portal"]},
        {"scopes": ["access:servers!server=alice/", "users:activity!user=alice"]},
        {"kind": "service"},
        {"name": None},
    ],
    ids=str,
)
def test_any_other_token_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(PermissionDenied):
        read_model({**MODEL, **change}, "auth", "t")


@pytest.mark.parametrize(
    ("change", "interactive"),
    [
        ({"session_id": "s"}, True),
        ({"scopes": [ACCESS, "tokens!user=alice"]}, True),
        ({"scopes": [ACCESS, "tokens"]}, True),
        ({"scopes": [ACCESS, "tokens!user=bob"]}, False),
        ({"scopes": [ACCESS, "read:tokens!user=alice"]}, False),
        ({"scopes": [ACCESS, "access:servers!server=alice/", "users:activity!user=alice"]}, False),
    ],
    ids=str,
)
def test_only_a_session_or_a_token_that_may_make_tokens_is_interactive(
    change: dict[str, Any], interactive: bool
) -> None:
    assert read_model({**MODEL, **change}, "auth", "t").interactive == interactive
