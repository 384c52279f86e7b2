"""What a hub token belongs to, and which sessions outlived their servers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commonshub.auth.credentials.hub import read_page, read_servers
from commonshub.auth.credentials.origin import BROWSER, WORKSPACE, browser, origin
from commonshub.auth.credentials.sessions import SessionRow
from commonshub.auth.credentials.watch import gone
from commonshub.core.errors import UpstreamError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("scopes", "session_id", "expected"),
    [
        (["access:servers!server=alice/"], None, (WORKSPACE, "")),
        (["access:servers!server=alice/gpu 2", "users:activity!user=alice"], None, (WORKSPACE, "gpu 2")),
        (["access:servers!server=alice/a/b"], None, (WORKSPACE, "a/b")),
        (["access:servers!user=alice"], None, None),
        (["access:servers"], None, None),
        (["access:servers!server=alice/a", "access:servers!server=alice/b"], None, None),
        (["access:servers!server=alice/a", "access:servers!user=alice"], None, None),
        (["access:servers!server=bob/"], None, None),
        (["access:services!service=auth"], None, None),
        ([], "session", (BROWSER, browser("alice", "session").name)),
        (["access:servers!server=alice/"], "session", (BROWSER, browser("alice", "session").name)),
    ],
    ids=str,
)
def test_a_hub_token_belongs_to_one_server_one_sign_in_or_nothing(scopes: Any, session_id: Any, expected: Any) -> None:
    found = origin("token", "alice", scopes, session_id)
    assert (found and (found.kind, found.name)) == expected


def test_two_runs_of_a_server_are_told_apart_and_no_secret_is_kept() -> None:
    first, second = (origin(token, "alice", ["access:servers!server=alice/"], None) for token in ("one", "two"))
    assert first
    assert second
    assert first.key != second.key
    assert "one" not in str(first)
    assert "session-id" not in str(browser("alice", "session-id"))


def test_two_users_of_one_browser_have_a_session_each() -> None:
    alice, bob = (browser(name, "session") for name in ("alice", "bob"))
    assert (alice.name, alice.key != bob.key) == (bob.name, True)


def session(name: str = "", age_s: int = 100) -> SessionRow:
    return SessionRow(f"{name}-{age_s}", "alice", WORKSPACE, name, NOW - timedelta(seconds=age_s))


@pytest.mark.parametrize(
    ("running", "left"),
    [
        ({}, []),
        ({("alice", ""): NOW - timedelta(seconds=200)}, [""]),
        ({("alice", ""): None}, [""]),
        ({("alice", "a"): NOW - timedelta(seconds=200), ("bob", ""): NOW}, ["a"]),
        # The clocks of hub and database may differ by a minute.
        ({("alice", ""): NOW - timedelta(seconds=41)}, [""]),
        ({("alice", ""): NOW - timedelta(seconds=39)}, []),
    ],
    ids=str,
)
def test_a_session_is_gone_with_its_run_of_the_server(running: Any, left: list[str]) -> None:
    watched = [session(), session("a")]
    ended = gone(watched, running)
    assert [each.name for each in watched if each not in ended] == left


def test_the_hubs_list_of_servers_is_read() -> None:
    users = [
        {"name": "alice", "servers": {"": {"started": "2026-01-01T00:00:00.5Z"}, "a": {"started": None}}},
        {"name": "bob", "servers": None},
        {"name": "carol"},
    ]
    assert read_servers(users) == {("alice", ""): NOW + timedelta(seconds=0.5), ("alice", "a"): None}


@pytest.mark.parametrize("users", [None, [1], [{"name": "a", "servers": [1]}], [{"name": "a", "servers": {"": 1}}]])
def test_another_answer_is_a_fault_of_the_hub(users: Any) -> None:
    with pytest.raises(UpstreamError):
        read_servers(users)


def test_the_pages_of_a_list_follow_one_another() -> None:
    assert read_page({"items": [1], "_pagination": {"next": {"offset": 200, "limit": 200}}}) == ([1], 200)
    assert read_page({"items": [], "_pagination": {"next": None}}) == ([], None)


@pytest.mark.parametrize("page", [None, [], {}, {"items": 1}, {"items": [], "_pagination": {"next": 1}}], ids=str)
def test_another_list_is_a_fault_of_the_hub(page: Any) -> None:
    with pytest.raises(UpstreamError):
        read_page(page)
