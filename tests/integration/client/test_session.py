"""Signing in, staying signed in, and errors told in words."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from commonshub.client import Commons, NotFound, NotPermitted, QueryFailed, SignInFailed, SubmissionFailed, Unreachable

GRAPHQL = "/api/v0/submission/graphql"


def test_a_hub_token_is_exchanged_once(commons: Commons, fake: Any) -> None:
    assert commons.whoami().username == "alice"
    assert commons.whoami().username == "alice"
    assert fake.exchanges == [("hub", "token hub-token", {})]


def test_an_api_key_is_exchanged_without_anything_else(
    fake: Any, quick: None, tmp_path: Path, make_token: Callable[..., str]
) -> None:
    key = make_token(fake.url)
    (tmp_path / "k.json").write_text(json.dumps({"api_key": key, "key_id": "k"}))
    with Commons(api_key=tmp_path / "k.json") as commons:
        assert commons.whoami().username == "alice"
    assert fake.exchanges == [("api", "", {"api_key": key})]


def test_a_token_is_renewed_before_it_expires(commons: Commons, fake: Any) -> None:
    fake.token_life_s = 30
    commons.whoami()
    commons.whoami()
    assert len(fake.exchanges) == 2


def test_a_refused_token_is_renewed_once(commons: Commons, fake: Any) -> None:
    commons.whoami()
    fake.tokens.clear()
    assert commons.whoami().username == "alice"
    assert len(fake.exchanges) == 2


def test_threads_renew_a_token_together(commons: Commons, fake: Any) -> None:
    threads = [threading.Thread(target=commons.whoami) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fake.exchanges) == 1


def test_a_token_that_stays_refused_is_no_endless_loop(commons: Commons, fake: Any) -> None:
    fake.refusals["/user/user"] = (401, {"message": "not you"})
    with pytest.raises(NotPermitted, match="not you"):
        commons.whoami()
    assert len(fake.exchanges) == 2


def test_a_revoked_key_is_told_with_the_remedy(fake: Any, quick: None) -> None:
    with Commons(fake.url, hub_token="refuse") as commons, pytest.raises(SignInFailed, match="restart the server"):
        commons.whoami()


def test_an_expired_access_token_is_told(fake: Any, quick: None, make_token: Callable[..., str]) -> None:
    with Commons(access_token=make_token(fake.url, -5)) as commons, pytest.raises(SignInFailed, match="expired"):
        commons.whoami()


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (403, {"message": "No access to project x."}, NotPermitted, "No access to project x"),
        (404, {"error": "no such thing"}, NotFound, "no such thing"),
        (503, "<html>", Unreachable, "Try again in a minute"),
    ],
)
def test_errors_are_told_in_words(
    commons: Commons, fake: Any, status: int, body: Any, error: type[Exception], said: str
) -> None:
    fake.refusals["/user/user"] = (status, body)
    with pytest.raises(error, match=said):
        commons.whoami()


def test_a_part_that_restarts_is_waited_for(commons: Commons, fake: Any) -> None:
    fake.refusals["/user/user"] = (503, "")
    threading.Timer(0.04, fake.refusals.clear).start()
    assert commons.whoami().username == "alice"


def test_a_commons_that_is_away_is_told(quick: None) -> None:
    with Commons("http://127.0.0.1:9", hub_token="x") as commons, pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        commons.whoami()


def test_what_changes_something_is_sent_once(commons: Commons, fake: Any) -> None:
    path = "/api/v0/submission/a/b"
    fake.refusals[path] = (503, "")
    with pytest.raises(Unreachable):
        commons.submit("a-b", [{"type": "case", "submitter_id": "c"}])
    assert fake.refused == [path]


@pytest.mark.parametrize("errors", [["bad field"], [{"message": "bad field"}]])
def test_graphql_errors_keep_what_could_be_answered(commons: Commons, fake: Any, errors: Any) -> None:
    fake.refusals[GRAPHQL] = (400, {"data": {"a": 1}, "errors": errors})
    with pytest.raises(QueryFailed, match="bad field") as error:
        commons.query("{ a }")
    assert error.value.data == {"a": 1}


def test_a_refused_submission_has_a_table_of_faults(commons: Commons, fake: Any) -> None:
    answer = {
        "code": 400,
        "success": False,
        "message": "Transaction aborted.",
        "entities": [{"valid": False, "errors": [{"keys": ["sex"], "message": "'x' is not one of"}]}],
    }
    fake.refusals["/api/v0/submission/a/b"] = (400, answer)
    with pytest.raises(SubmissionFailed) as error:
        commons.submit("a-b", [{"submitter_id": "c", "sex": "x"}], "case")
    assert error.value.frame.iloc[0].to_dict() == {
        "row": 0,
        "submitter_id": "c",
        "column": "sex",
        "value": "x",
        "message": "'x' is not one of",
        "suggestion": None,
    }


def test_the_client_does_not_show_its_secrets(commons: Commons) -> None:
    commons.whoami()
    assert "hub-token" not in repr(commons) + commons._repr_html_() + repr(commons.session.token())
