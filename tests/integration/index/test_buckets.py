"""``/index/buckets``: buckets that an administrator registers over HTTP."""

import json
import logging
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.index_service import PROJECT, Ask, ask, make
from tests.integration.index.registry import EFFECTIVE_S, ROUTE, SCHEMA, clean, kept, registered, second
from tests.stores import KEYS
from tests.tokens import bearer
from tests.waiting import eventually

from commonshub.core import audit, blobs, buckets, records

__all__ = ["ask", "clean", "second"]

DENIED = {"member": 403, "uploader": 403, None: 401}


def trail(running: Any) -> list[tuple[Any, ...]]:
    table = audit.table("auth")
    query = sa.select(table.c.action, table.c.subject, table.c.decision, table.c.username, table.c.detail)
    rows = running.app.database.call(lambda connection: connection.execute(query.order_by(table.c.id)).all())
    return [tuple(row) for row in rows if row.action.endswith("_bucket")]


def test_a_bucket_is_registered_read_changed_and_removed(ask: Ask, running: Any, second: dict[str, Any]) -> None:
    made = ask("POST", ROUTE, json=second)
    assert made.status_code == 201, made.text
    document = {
        "name": "second",
        "endpoint_url": second["endpoint_url"],
        "region": None,
        "public": False,
        "has_credentials": True,
        "resources": second["resources"],
    }
    assert made.json() == ask("GET", f"{ROUTE}/second").json() == document
    assert ask("GET", f"{ROUTE}/").json() == {"buckets": [document]}
    changed = {"endpoint_url": second["endpoint_url"], "resources": {"s3://second": ["*"]}}
    answer = ask("PUT", f"{ROUTE}/second", json=changed)
    assert answer.json() == {**document, **changed}, "the credentials are kept"
    assert ask("DELETE", f"{ROUTE}/second").status_code == 204
    assert ask("GET", f"{ROUTE}/second").status_code == 404
    eventually(lambda: not kept(running))


def test_a_service_uses_it_without_a_restart(
    ask: Ask, running: Any, token: Callable[..., str], second: dict[str, Any]
) -> None:
    assert ask("POST", ROUTE, json=second).status_code == 201
    eventually(lambda: "second" in running.app.downloads.storage.buckets, EFFECTIVE_S)
    made = make(ask, authz=[PROJECT], urls=["s3://second/one/x"])
    try:
        answer = requests.get(
            f"{running.url}/ga4gh/drs/v1/objects/{made['did']}/access/s3",
            headers=bearer(token("member")),
            timeout=60,
        )
        assert KEYS["access_key"] in answer.json()["url"]
    finally:
        ask("DELETE", f"/index/index/{made['did']}?rev={made['rev']}")


def test_a_bucket_that_bytes_are_coming_into_is_not_removed(ask: Ask, running: Any, second: dict[str, Any]) -> None:
    database = running.app.database
    assert ask("POST", ROUTE, json=second).status_code == 201
    upload = {"uploader": "admin", "file_name": "x", "authz": [], "bucket": "second"}
    blank = database.call(lambda connection: blobs.create_blank(connection, SCHEMA, **upload))
    try:
        refused = ask("DELETE", f"{ROUTE}/second")
        assert (refused.status_code, registered(running)) == (409, ["second"])
        assert "1 upload is under way into the bucket second, not verified yet" in refused.json()["message"]
    finally:
        database.call(records.delete_many, SCHEMA, [blank.did])
    assert ask("DELETE", f"{ROUTE}/second").status_code == 204


def test_each_change_is_in_the_trail_without_the_credentials(ask: Ask, running: Any, second: dict[str, Any]) -> None:
    before = len(trail(running))
    ask("POST", ROUTE, json=second)
    ask("PUT", f"{ROUTE}/second", json={**second, "region": "eu-west-1"})
    ask("DELETE", f"{ROUTE}/second")
    rows = trail(running)[before:]
    assert [row[:4] for row in rows] == [
        (action, "second", "allowed", "admin") for action in ("add_bucket", "change_bucket", "remove_bucket")
    ]
    assert rows[1][4]["region"] == "eu-west-1"
    assert "key" not in json.dumps([row[4] for row in rows])


def test_a_change_without_its_row_in_the_trail_does_not_happen(
    ask: Ask, running: Any, second: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(audit, "write_many", fail)
    assert ask("POST", ROUTE, json=second).status_code == 500
    assert (registered(running), kept(running)) == ([], [])


def test_credentials_are_write_only(
    ask: Ask, running: Any, second: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [
        ask("POST", ROUTE, json=second),
        ask("POST", ROUTE, json=second),
        ask("PUT", f"{ROUTE}/second", json=second),
        ask("PUT", f"{ROUTE}/second", json={**second, "endpoint_url": "nothing"}),
        ask("GET", ROUTE),
        ask("GET", f"{ROUTE}/second"),
    ]
    assert [each.status_code for each in answers] == [201, 409, 200, 400, 200, 200]
    eventually(lambda: len(kept(running)) == 1)
    [file] = kept(running)
    assert json.loads(file.read_text()) == KEYS
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    for text in (*(each.text for each in answers), caplog.text):
        assert KEYS["secret_key"] not in text
        assert str(file) not in text


@pytest.mark.parametrize("user", DENIED)
def test_only_administrators_see_and_change_buckets(
    ask: Ask, running: Any, url: str, token: Callable[..., str], second: dict[str, Any], user: str | None
) -> None:
    ask("POST", ROUTE, json=second)
    before = len(trail(running))
    headers = bearer(token(user)) if user else {}
    asked = [("GET", ROUTE), ("POST", ROUTE), *((each, f"{ROUTE}/second") for each in ("GET", "PUT", "DELETE"))]
    answers = [
        requests.request(*each, headers=headers, json=second, timeout=60) for each in ((m, url + p) for m, p in asked)
    ]
    assert {each.status_code for each in answers} == {DENIED[user]}
    assert registered(running) == ["second"]
    refused = [row[:4] for row in trail(running)[before:]]
    assert refused == (
        [
            ("add_bucket", ROUTE, "denied", user),
            ("change_bucket", f"{ROUTE}/second", "denied", user),
            ("remove_bucket", f"{ROUTE}/second", "denied", user),
        ]
        if user
        else []
    )


def test_a_token_that_a_notebook_may_hold_changes_no_bucket(
    ask: Ask, running: Any, url: str, token: Callable[..., str], second: dict[str, Any]
) -> None:
    headers = bearer(token("admin", scope=["openid", "user", "data"]))
    assert requests.get(url + ROUTE, headers=headers, timeout=60).status_code == 200
    answer = requests.post(url + ROUTE, headers=headers, json=second, timeout=60)
    assert (answer.status_code, "scope admin" in answer.text) == (403, True)
    assert registered(running) == []


def test_no_cookie_stands_for_an_administrator(
    running: Any, url: str, token: Callable[..., str], second: dict[str, Any]
) -> None:
    """So no page of somebody else's can register one by an administrator's browser."""
    for name in ("access_token", "fence", "_xsrf", "session"):
        answer = requests.post(url + ROUTE, cookies={name: token("admin")}, json=second, timeout=60)
        assert answer.status_code == 401
    assert registered(running) == []


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"name": 7}, 400, "name must be"),
        ({"name": "a/b"}, 400, "not the name of a bucket"),
        ({"name": "b@169.254.169.254#"}, 400, "not the name of a bucket"),
        ({"name": "commons", "resources": {}}, 409, "stands in the configuration"),
        ({"owner": "x"}, 400, "'owner'"),
        ({"credentials_file": "/etc/passwd"}, 400, "'credentials_file'"),
        ({"public": "yes"}, 400, "public must be"),
        ({"region": "x.169.254.169.254/?"}, 400, "region must be"),
        ({"endpoint_url": 7}, 400, "endpoint_url must be"),
        ({"endpoint_url": "file:///etc/passwd"}, 400, "endpoint_url must be"),
        ({"endpoint_url": "http://user:word@127.0.0.1/"}, 400, "endpoint_url must be"),
        ({"endpoint_url": "http://127.0.0.1/?"}, 400, "endpoint_url must be"),
        ({"endpoint_url": "http://127.0.0.1:99999"}, 400, "endpoint_url must be"),
        ({"credentials": {"access_key": "a"}}, 400, "credentials must have"),
        ({"credentials": {"access_key": "a", "secret_key": "s\nx"}}, 400, "credentials.secret_key"),
        ({"credentials": {"access_key": "a" * 15, "secret_key": "wrong" * 4}}, 400, "cannot be used"),
        ({"resources": ["/programs"]}, 400, "resources must map"),
        ({"resources": {"s3://second": "*"}}, 400, "must be a list"),
        ({"resources": {"s3://second": ["programs"]}}, 400, "programs"),
        ({"resources": {"s3://commons/folder": [PROJECT]}}, 400, "must begin with s3://second"),
        ({"resources": {"s3://second-of-another/x": [PROJECT]}}, 400, "must begin with s3://second"),
        ({"resources": {"s3://": [PROJECT]}}, 400, "must begin with s3://second"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_faulty_bucket_is_named_and_changes_nothing(
    ask: Ask, running: Any, second: dict[str, Any], changes: dict[str, Any], status: int, words: str
) -> None:
    answer = ask("POST", ROUTE, json={**second, **changes})
    assert answer.status_code == status, answer.text
    assert words in answer.json()["message"]
    assert (registered(running), kept(running)) == ([], [])


def test_a_bucket_that_is_not_there_is_refused(ask: Ask, running: Any, second: dict[str, Any]) -> None:
    answer = ask("POST", ROUTE, json={**second, "name": "third", "resources": {}})
    assert (answer.status_code, "does not exist" in answer.text) == (400, True), answer.text
    assert (registered(running), kept(running)) == ([], [])


def test_parts_that_the_configuration_ties_to_resources_cannot_be_tied_to_others(
    ask: Ask, running: Any, second: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.app.storage_settings, "bucket_resources", {"s3://second/one/private": ["/programs/z"]})
    answer = ask("POST", ROUTE, json=second)
    assert (answer.status_code, "bucket_resources" in answer.text) == (409, True), answer.text
    assert registered(running) == []


def test_a_name_is_registered_once_and_of_many_at_once_one_wins(ask: Ask, running: Any, second: dict[str, Any]) -> None:
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(ask("POST", ROUTE, json=second).status_code)) for _ in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(statuses) == [201, 409, 409, 409]
    [file] = kept(running)
    assert [str(file)] == [each.store["credentials_file"] for each in running.app.database.call(buckets.read, SCHEMA)]


def test_new_credentials_replace_the_old_ones(ask: Ask, running: Any, second: dict[str, Any]) -> None:
    ask("POST", ROUTE, json=second)
    [first] = kept(running)
    assert ask("PUT", f"{ROUTE}/second", json=second).status_code == 200
    eventually(lambda: first not in kept(running))
    [file] = kept(running)
    wrong = {"access_key": "wrongaccesskey", "secret_key": "wrongsecretkey"}
    assert ask("PUT", f"{ROUTE}/second", json={**second, "credentials": wrong}).status_code == 400
    assert kept(running) == [file]


def test_credentials_stay_until_every_service_has_heard_of_new_ones(
    ask: Ask, running: Any, second: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.app.registration, "grace_s", 60)
    ask("POST", ROUTE, json=second)
    ask("PUT", f"{ROUTE}/second", json=second)
    assert len(kept(running)) == 2


def test_credentials_that_a_killed_process_has_left_are_swept(ask: Ask, running: Any, second: dict[str, Any]) -> None:
    ask("POST", ROUTE, json=second)
    [named] = kept(running)
    left, fresh = named.with_name("left.0123.json"), named.with_name("fresh.0123.json")
    for each in (left, fresh):
        each.write_text("{}")
    for each in (named, left):
        os.utime(each, (0, 0))
    # Listed and not there, as what another process deletes at this moment.
    gone = named.with_name("gone.0123.json")
    gone.symlink_to("nowhere")
    running.call(running.app.registration.sweep())
    assert kept(running) == sorted([named, fresh, gone])


def test_a_bucket_that_records_point_into_stays(ask: Ask, running: Any, second: dict[str, Any]) -> None:
    ask("POST", ROUTE, json=second)
    made = [make(ask, urls=["https://example.org/x", f"s3://second/{number}"]) for number in range(2)]
    make(ask, urls=["s3://secondary/x", "https://example.org/s3://second/x"])
    answer = ask("DELETE", f"{ROUTE}/second")
    assert (answer.status_code, "2 records point into the bucket second" in answer.text) == (409, True), answer.text
    assert registered(running) == ["second"]
    for each in made:
        ask("DELETE", f"/index/index/{each['did']}?rev={each['rev']}")
    assert ask("DELETE", f"{ROUTE}/second").status_code == 204


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_is_not_registered_is_not_found(ask: Ask, second: dict[str, Any], method: str) -> None:
    body = {**second, "name": "commons", "resources": {}} if method == "PUT" else None
    answer = ask(method, f"{ROUTE}/commons", json=body)
    # The configuration's is in the way of a change before it is looked for.
    assert answer.status_code == 404, answer.text


def test_another_name_cannot_be_given(ask: Ask, second: dict[str, Any]) -> None:
    ask("POST", ROUTE, json=second)
    assert ask("PUT", f"{ROUTE}/second", json={**second, "name": "third"}).status_code == 400
    assert ask("POST", f"{ROUTE}/second", json=second).status_code == 405
