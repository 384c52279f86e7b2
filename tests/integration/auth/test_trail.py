"""The whole trail: own rows, pages, CSV, and the end of old rows."""

import csv
import io
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.auth_service import Auth
from tests.tokens import bearer

from commonshub.auth.claims import Account
from commonshub.auth.trail.retention import Retention
from commonshub.core import audit
from commonshub.core.audit import Entry
from commonshub.core.identity import Identity


@pytest.fixture(scope="module", autouse=True)
def rows(auth: Auth) -> None:
    def write(connection: sa.Connection) -> None:
        for name, count in (("alice", 25), ("bob", 5)):
            entries = [Entry("download", f"{name}-{number}", detail={"protocol": "s3"}) for number in range(count)]
            audit.write_many(connection, "auth", Identity(name), f"request-of-{name}", entries)
        audit.write_many(connection, "auth", Identity("bob"), "evil", [Entry("upload", "=cmd|' /C calc'!A0", "denied")])

    auth.app.database.call(write)


def test_everybody_may_see_his_own_rows_and_no_others(auth: Auth) -> None:
    assert auth.get("/audit/log", "bob", params={"username": "bob"}).status_code == 200
    for wanted in ({"username": ["bob", "alice"]}, {"username": "alice"}, {}):
        assert auth.get("/audit/log", "bob", params=wanted).status_code == 403
    found = auth.get("/audit/log", "bob", params={"username": "bob"}).json()["data"]
    assert {row["username"] for row in found} == {"bob"}


def test_an_application_sees_no_trail_on_behalf_of_its_user(auth: Auth) -> None:
    claims = auth.app.minter.access(Account(1, "bob"), 60, frozenset({"openid", "user"}))
    token = auth.app.keys.sign({**claims, "azp": "some-client"})
    answer = auth.get("/audit/log", params={"username": "bob"}, headers=bearer(token))
    assert answer.status_code in (401, 403)


def test_pages_show_the_newest_first_and_each_row_once(auth: Auth) -> None:
    found: list[Any] = []
    after: str | None = None
    while True:
        given = {"username": "alice", "limit": 10, **({"after": after} if after else {})}
        body = auth.get("/audit/log", "root", params=given).json()
        found += body["data"]
        after = body["next"]
        if after is None:
            break
    assert [row["subject"] for row in found] == [f"alice-{number}" for number in reversed(range(25))]


@pytest.mark.parametrize(
    "wrong", [{"limit": 0}, {"limit": 10**9}, {"after": "x"}, {"format": "xml"}, {"detail": "x"}, {"id": "x"}]
)
def test_a_faulty_query_is_refused(auth: Auth, wrong: dict[str, Any]) -> None:
    assert auth.get("/audit/log", "root", params=wrong).status_code == 400


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ({"request_id": "request-of-bob"}, 5),
        ({"action": ["upload", "delete"], "request_id": "evil"}, 1),
        ({"decision": "denied", "username": "bob"}, 1),
        ({"subject": "alice-3"}, 1),
        ({"username": "al%"}, 0),
        ({"username": "' or 1=1 --"}, 0),
    ],
)
def test_rows_are_found_by_what_they_say(auth: Auth, given: dict[str, Any], count: int) -> None:
    assert auth.get("/audit/log?count", "root", params=given).json()["data"] == count


def test_more_groups_than_an_answer_holds_are_refused(auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth.app, "audit_max_groups", 5)
    answer = auth.get("/audit/log", "root", params={"groupby": "subject"})
    assert answer.status_code == 413
    assert "5 groups" in answer.json()["message"]


@pytest.mark.parametrize("how", [{"params": {"format": "csv"}}, {"headers": {"Accept": "text/csv"}}])
def test_csv_has_every_row_and_no_formula(auth: Auth, how: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth.app, "audit_page_rows", 4)
    headers = {"Authorization": f"bearer {auth.access_token('root')}", **how.get("headers", {})}
    answer = requests.get(f"{auth.url}/audit/log?username=bob", timeout=30, params=how.get("params"), headers=headers)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="audit-log-')
    found = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [row["subject"] for row in found] == [*(f"bob-{number}" for number in range(5)), "'=cmd|' /C calc'!A0"]


def test_csv_of_a_category_has_its_columns(auth: Auth) -> None:
    answer = auth.get("/audit/log/presigned_url", "root", params={"format": "csv", "username": "nobody"})
    assert answer.text.split("\r\n")[0].startswith("request_url,status_code,timestamp,username,sub,guid")
    assert auth.get("/audit/log", "root", params={"format": "csv", "count": ""}).status_code == 400


def test_rows_that_are_too_old_are_deleted_in_batches(auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(connection: sa.Connection) -> None:
        old = {"action": "download", "subject": "old", "decision": "allowed", "at": "2000-01-01T00:00:00Z"}
        connection.execute(audit.table("auth").insert(), [old] * 7)

    monkeypatch.setattr("commonshub.auth.trail.retention.BATCH", 3)
    auth.app.database.call(write)
    before = len(auth.audited())
    assert auth.running.call(Retention(auth.app.database, "auth", 30).sweep()) == 7
    assert len(auth.audited()) == before - 7


HOSTILE = ["", "0", "-1", "9" * 23, "1e999", "\u0664", "x" * 5000, "' or 1=1 --", "%", "\u202e", "NaN", "{}"]


@pytest.mark.parametrize("category", ["", "/presigned_url", "/login"])
def test_s25_no_value_of_a_filter_is_more_than_a_value(auth: Auth, category: str) -> None:
    everything = auth.get(f"/audit/log{category}?count", "root").json()["data"]
    columns = auth.get(f"/audit/log{category}?format=csv&stop=1", "root").text.strip().split(",")
    assert len(columns) > 8
    for column in [*columns, "start", "stop"]:
        for value in HOSTILE:
            answer = auth.get(f"/audit/log{category}?count", "root", params={column: value})
            assert answer.status_code in (200, 400), (column, value, answer.text)
            if answer.status_code == 200 and column not in ("start", "stop"):
                assert answer.json()["data"] < everything or not everything


@pytest.mark.parametrize("category", ["", "/presigned_url", "/login"])
def test_rows_are_grouped_by_any_column(auth: Auth, category: str) -> None:
    everything = auth.get(f"/audit/log{category}?count", "root").json()["data"]
    columns = auth.get(f"/audit/log{category}?format=csv&stop=1", "root").text.strip().split(",")
    for column in columns:
        answer = auth.get(f"/audit/log{category}", "root", params={"groupby": column})
        assert answer.status_code == 200, (column, answer.text)
        assert sum(row["count"] for row in answer.json()["data"]) == everything


def test_a_reader_who_leaves_in_the_middle_is_no_fault(
    auth: Auth, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(auth.app, "audit_page_rows", 1)
    headers = bearer(auth.access_token("root"))
    for _ in range(3):
        with requests.get(f"{auth.url}/audit/log?format=csv", headers=headers, stream=True, timeout=30) as answer:
            assert next(answer.iter_content(10))
    # The service goes on, and has nothing to complain of.
    assert auth.get("/audit/log?count", "root").status_code == 200
    assert [record.getMessage() for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []
