"""Identifiers that are made here."""

import uuid

import pytest

from commonshub.core.uuids import fresh


def test_each_is_a_uuid_of_its_own() -> None:
    made = [uuid.UUID(text) for text in fresh(1000)]
    assert {(each.version, each.variant) for each in made} == {(7, uuid.RFC_4122)}
    assert len(set(made)) == 1000


def test_they_are_written_as_uuids_are() -> None:
    assert all(text == str(uuid.UUID(text)) for text in fresh(100))


def test_they_come_in_order() -> None:
    made = fresh(1000)
    assert made == sorted(made)


def test_they_begin_with_the_moment_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_123_456_789)
    assert {uuid.UUID(text).int >> 80 for text in fresh(10)} == {1_700_000_000_123}
