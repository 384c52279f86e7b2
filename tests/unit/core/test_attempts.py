"""How often somebody may fail, and by which address he is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.core.attempts import Attempt, Attempts, Bucket, client_address, is_among
from commonshub.core.errors import TooManyRequests

LOCAL = ("127.0.0.0/8", "::1/128")


@given(st.lists(st.floats(0, 30, allow_nan=False), max_size=80), st.integers(1, 10))
def test_no_more_failures_get_through_than_fill_the_bucket_and_drain(pauses: list[float], allowed: int) -> None:
    bucket, now, through = Bucket(allowed, 60), 0.0, 0
    for pause in pauses:
        now += pause
        if not bucket.wait_s("key", now):
            bucket.failed("key", now)
            through += 1
    assert through <= allowed + allowed * now / 60 + 1e-3


@given(st.integers(1, 20), st.integers(0, 60))
def test_who_waits_as_long_as_told_is_let_in(allowed: int, failures: int) -> None:
    bucket = Bucket(allowed, 60)
    for _ in range(failures):
        bucket.failed("key", 0)
    wait_s = bucket.wait_s("key", 0)
    assert (wait_s > 0) == (failures >= allowed)
    assert wait_s <= 60 / allowed + 1e-6
    assert bucket.wait_s("key", wait_s) == 0


def test_one_credential_is_stopped_and_the_others_of_its_address_are_not() -> None:
    attempts = Attempts(3, 100, 60)
    bad, good = Attempt("192.0.2.1", "old key"), Attempt("192.0.2.1", "good key")
    for _ in range(3):
        attempts.check(bad, 0)
        attempts.failed(bad, 0)
    with pytest.raises(TooManyRequests, match="20 s"):
        attempts.check(bad, 0)
    attempts.check(good, 0)
    attempts.check(Attempt("192.0.2.2", "old key"), 0)


def test_an_address_that_tries_one_credential_after_the_other_is_stopped() -> None:
    attempts = Attempts(3, 10, 60)
    for number in range(10):
        attempts.failed(Attempt("192.0.2.1", f"guess {number}"), 0)
    with pytest.raises(TooManyRequests):
        attempts.check(Attempt("192.0.2.1", "guess 11"), 0)


def test_an_address_that_is_everybodys_stops_nobody_else() -> None:
    attempts = Attempts(3, 10, 60)
    for number in range(100):
        attempts.failed(Attempt("127.0.0.1", f"guess {number}", shared=True), 0)
    attempts.check(Attempt("127.0.0.1", "honest", shared=True), 0)
    for _ in range(3):
        attempts.failed(Attempt("127.0.0.1", "old key", shared=True), 0)
    with pytest.raises(TooManyRequests):
        attempts.check(Attempt("127.0.0.1", "old key", shared=True), 0)


def test_zero_counts_nothing() -> None:
    attempts = Attempts(0, 0, 60)
    for _ in range(1000):
        attempts.failed(Attempt("192.0.2.1", "guess"), 0)
    attempts.check(Attempt("192.0.2.1", "guess"), 0)


def test_a_flood_of_keys_takes_bounded_memory() -> None:
    bucket = Bucket(3, 60, size=10)
    for number in range(1000):
        bucket.failed(str(number), number)
    assert len(bucket._levels) == 10


@pytest.mark.parametrize(
    ("peer", "forwarded", "hops", "known"),
    [
        ("127.0.0.1", ["203.0.113.9"], 1, "203.0.113.9"),
        ("::1", ["203.0.113.9"], 1, "203.0.113.9"),
        # What the client wrote itself stands before what the proxy added.
        ("127.0.0.1", ["10.0.0.1, 203.0.113.9"], 1, "203.0.113.9"),
        ("127.0.0.1", ["10.0.0.1", "203.0.113.9"], 1, "203.0.113.9"),
        ("127.0.0.1", ["10.0.0.1, 203.0.113.9, 192.0.2.1"], 2, "203.0.113.9"),
        ("127.0.0.1", ["203.0.113.9"], 2, "203.0.113.9"),
        # Not by a proxy.
        ("198.51.100.7", ["203.0.113.9"], 1, "198.51.100.7"),
        ("127.0.0.1", ["203.0.113.9"], 0, "127.0.0.1"),
        ("127.0.0.1", [], 1, "127.0.0.1"),
        ("127.0.0.1", ["unknown"], 1, "127.0.0.1"),
        ("127.0.0.1", ["', drop"], 1, "127.0.0.1"),
        ("127.0.0.1", ["::ffff:203.0.113.9"], 1, "203.0.113.9"),
        ("127.0.0.1", ["2001:db8:1:2:3:4:5:6"], 1, "2001:db8:1:2::/64"),
        ("::1", [], 1, "::1"),
        ("", [], 1, ""),
    ],
)
def test_an_address_is_the_word_of_a_proxy_and_nobody_elses(
    peer: str, forwarded: list[str], hops: int, known: str
) -> None:
    assert client_address(peer, forwarded, hops, LOCAL) == known


@pytest.mark.parametrize(
    ("peer", "networks", "own"),
    [
        ("127.0.0.1", LOCAL, True),
        ("::1", LOCAL, True),
        ("10.1.2.3", ("10.0.0.0/8",), True),
        ("10.1.2.3", ("10.1.2.3",), True),
        ("10.1.2.3", ("10.1.2.4",), False),
        ("fd00:1::7", ("fd00:1::/64",), True),
        ("fd00:1::7", ("10.0.0.0/8", "fd00::/16"), True),
        ("fd00:1::7", ("fd00:2::/64",), False),
        ("fd00:1::7", ("fd00:1::/96",), False),
        ("", LOCAL, False),
    ],
)
def test_own_networks_are_known_by_what_is_known_of_a_client(peer: str, networks: tuple[str, ...], own: bool) -> None:
    assert is_among(client_address(peer, [], 1, networks), networks) is own


def test_a_narrow_network_holds_its_own_addresses() -> None:
    assert is_among("fd00:1::7", ("fd00:1::7/128",))
    assert not is_among("fd00:1::8", ("fd00:1::7/128",))


@given(st.text(max_size=100), st.integers(0, 3))
def test_any_header_gives_an_address(text: str, hops: int) -> None:
    assert len(client_address("127.0.0.1", [text], hops, LOCAL)) <= 64
