"""Numbers, names, passwords and delays."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.core.errors import ValidationFailed
from commonshub.hub.accounts import Accounts, folder_name
from commonshub.hub.passwords import Passwords, generate
from commonshub.hub.services import SERVICES, HubSettings
from commonshub.hub.throttle import Throttle


def test_each_user_has_a_number_of_their_own_for_ever(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path / "accounts.json", 70_000)
    alice, bob = accounts.user("alice", "/a"), accounts.user("bob", "/b")
    assert (alice.uid, bob.uid) == (70_010, 70_011)
    assert Accounts(tmp_path / "accounts.json", 70_000).user("alice", "/a").uid == alice.uid
    parts = {accounts.part(name, "/").uid for name in ("postgres", "objects", "proxy")}
    assert len(parts) == 3
    assert max(parts) < alice.uid


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_names_never_share_a_folder(one: str, other: str) -> None:
    first, second = folder_name(one), folder_name(other)
    assert (first == second) == (one == other)
    assert "/" not in first
    assert not first.startswith(".")


def test_a_password_is_checked_against_its_hash_only(tmp_path: Path) -> None:
    store = Passwords(tmp_path / "passwords.json")
    store.set("alice", "secret word", admin=True)
    assert store.check("alice", "secret word") == store.accounts()["alice"]
    assert "secret word" not in store.file.read_text()
    assert os.stat(store.file).st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "password"), [("alice", "secret"), ("alice", ""), ("bob", "secret word"), ("alice", "x" * 5000), ("", "")]
)
def test_a_wrong_name_or_password_is_refused(tmp_path: Path, name: str, password: str) -> None:
    store = Passwords(tmp_path / "passwords.json")
    store.set("alice", "secret word")
    assert store.check(name, password) is None


@pytest.mark.parametrize("name", ["Alice", "a b", "../x", "", "x" * 65, "a/b", "\u00e9"])
def test_a_login_has_a_harmless_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValidationFailed):
        Passwords(tmp_path / "passwords.json").set(name, "word")


def test_generated_passwords_differ() -> None:
    assert len({generate() for _ in range(100)}) == 100


def test_failures_make_attempts_slower_up_to_a_limit_and_success_ends_that() -> None:
    throttle = Throttle(free=3, longest_s=10)
    delays = []
    for _ in range(12):
        delays.append(throttle.delay_s("alice", 0))
        throttle.failed("alice", 0)
    assert delays[:4] == [0, 0, 0, 0.5]
    assert delays == sorted(delays)
    assert delays[-1] == 10
    assert throttle.delay_s("bob", 0) == 0
    throttle.succeeded("alice")
    assert throttle.delay_s("alice", 0) == 0


def test_old_failures_are_forgotten_and_memory_is_bounded() -> None:
    throttle = Throttle(free=1, memory_s=60, size=3)
    for key in "abcd":
        throttle.failed(key, 0)
    assert throttle.delay_s("a", 1) == 0
    assert throttle.delay_s("d", 1) > 0
    assert throttle.delay_s("d", 61) == 0


def test_every_public_prefix_is_routed_to_its_service() -> None:
    ports = {name: 1000 + number for number, name in enumerate(SERVICES)}
    settings = HubSettings(external_services={"index": "http://index:8080"})
    routes = settings.routes(ports)
    assert routes["/"] == routes["/portal/"] == f"http://127.0.0.1:{ports['portal']}"
    assert routes["/index/"] == routes["/ga4gh/drs/"] == "http://index:8080"
    assert all(prefix.endswith("/") for prefix in routes)
