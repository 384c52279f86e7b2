"""When a key is renewed, and how it is written."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.server.keeper import ExchangeFailed, Key, Pace, key_of, write_key
from commonshub.server.notebook import NOTEBOOK, place


def jwt(claims: Any) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.c2ln"


KEY = Key("header.body.sign", "id", issued=1000, expires=2000)


@pytest.mark.parametrize(("now", "expected"), [(1000, 500), (1400, 100), (1500, 1), (5000, 1)])
def test_a_key_is_renewed_at_half_its_life(now: float, expected: float) -> None:
    assert Pace().after_success(KEY, now) == expected


def test_a_key_that_lives_long_is_renewed_every_few_hours_all_the_same() -> None:
    key = Key("header.body.sign", "id", issued=1000, expires=1000 + 30 * 86400)
    assert Pace(renew_max_s=3600).after_success(key, 1000) == 3600


@given(st.integers(1, 10_000))
def test_delays_grow_within_their_bounds(failures: int) -> None:
    pace = Pace(retry_min_s=1, retry_max_s=60)
    first, second = (pace.after_failure(count, refused=False) for count in (failures, failures + 1))
    assert 1 <= first <= second <= 60


def test_a_refusal_is_not_repeated_in_a_hurry() -> None:
    assert Pace(retry_max_s=60).after_failure(1, refused=True) == 60


def test_the_key_says_how_long_it_is_valid() -> None:
    key = key_of({"api_key": jwt({"iat": 5, "exp": 9}), "key_id": "k"})
    assert (key.issued, key.expires, key.key_id) == (5, 9, "k")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"api_key": "x"},
        {"api_key": "x", "key_id": "k"},
        {"api_key": jwt([]), "key_id": "k"},
        {"api_key": jwt({}), "key_id": "k"},
    ],
)
def test_an_answer_without_a_key_is_a_failure(answer: dict[str, Any]) -> None:
    with pytest.raises(ExchangeFailed):
        key_of(answer)


def test_a_key_does_not_show_itself() -> None:
    assert KEY.api_key not in repr(KEY)


def test_writing_replaces_a_link_instead_of_following_it(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "key.json").symlink_to(victim)
    write_key(tmp_path / "key.json", KEY)
    assert victim.read_text() == "mine"


def test_writing_leaves_nothing_else_behind(tmp_path: Path) -> None:
    write_key(tmp_path / "key.json", KEY)
    assert [each.name for each in tmp_path.iterdir()] == ["key.json"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "shipped.ipynb"
    file.write_text("shipped")
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "user"
    folder.mkdir()
    return folder


def test_a_notebook_that_is_there_is_kept(source: Path, folder: Path) -> None:
    (folder / NOTEBOOK).write_text("mine")
    assert not place(source, folder)
    assert (folder / NOTEBOOK).read_text() == "mine"


def test_a_deleted_notebook_stays_deleted(source: Path, folder: Path) -> None:
    assert place(source, folder)
    (folder / NOTEBOOK).unlink()
    assert not place(source, folder)
    assert not (folder / NOTEBOOK).exists()
