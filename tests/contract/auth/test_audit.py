"""Gen3's audit service: who was given which presigned URL, and who signed in."""

import warnings
from pathlib import Path
from typing import Any

import pytest
from tests.auth_service import Auth
from tests.conftest import free_port

from commonshub.core import audit
from commonshub.core.audit import Entry
from commonshub.core.identity import Identity

PORT = free_port()
ORIGIN = f"http://127.0.0.1:{PORT}"
GUIDS = {
    "own": {"authz": ["/programs/a/projects/one"], "urls": ["s3://commons/{did}/x"]},
    "foreign": {"authz": ["/programs/a/projects/two"], "urls": ["s3://commons/{did}/x"]},
    "public": {"authz": ["/open"], "urls": ["https://data.example.org/x"]},
}


@pytest.fixture(scope="module")
def asked(auth: Auth) -> dict[str, str]:
    """GUIDs by kind, each of which was asked for once by alice or, if public, by nobody."""
    guids = {name: f"aaaaaaaa-0000-4000-8000-00000000000{number}" for number, name in enumerate([*GUIDS, "missing"])}
    for name, fields in GUIDS.items():
        urls = [url.format(did=guids[name]) for url in fields["urls"]]
        auth.record(did=guids[name], authz=fields["authz"], urls=urls)
    for name, user, status in [
        ("own", "alice", 200),
        ("foreign", "alice", 401),
        ("missing", "alice", 404),
        ("public", None, 200),
    ]:
        assert auth.get(f"/user/data/download/{guids[name]}", user).status_code == status
    auth.app.database.call(
        lambda connection: audit.write_many(
            connection,
            "auth",
            Identity("alice"),
            "r",
            [Entry("login", "jupyterhub", detail={"ip": "10.0.0.1"})],
        )
    )
    return guids


def data(auth: Auth, path: str, user: str = "root") -> Any:
    answer = auth.get(path, user)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["nextTimeStamp"] is None
    return body["data"]


@pytest.mark.parametrize(
    ("path", "user", "status"),
    [
        pytest.param("/audit/log/presigned_url", "url_auditor", 200, id="C107-urls-with-the-right-to-urls"),
        pytest.param("/audit/log/login", "url_auditor", 403, id="C107-logins-with-the-right-to-urls"),
        pytest.param("/audit/log", "url_auditor", 403, id="C107-everything-with-the-right-to-urls"),
        pytest.param("/audit/log/presigned_url", "login_auditor", 403, id="C107-urls-with-the-right-to-logins"),
        pytest.param("/audit/log/login", "login_auditor", 200, id="C107-logins-with-the-right-to-logins"),
        pytest.param("/audit/log/login", "alice", 403, id="C107-logins-without-a-right"),
        pytest.param("/audit/log/presigned_url", "alice", 403, id="C107-urls-without-a-right"),
        pytest.param("/audit/log/presigned_url", None, 401, id="C107-urls-without-a-token"),
        pytest.param("/audit/log/presigned_url", "root", 200, id="C107-urls-as-administrator"),
        pytest.param("/audit/log", "root", 200, id="C107-everything-as-administrator"),
        pytest.param("/audit/log/presigned_url?username=bob", "alice", 403, id="C107-urls-of-another"),
        pytest.param("/audit/log/presigned_url?username=alice", "alice", 403, id="C107-own-urls-without-a-right"),
        pytest.param("/audit/log/login?username=alice", "alice", 403, id="C107-own-logins-without-a-right"),
        pytest.param("/audit/log?username=alice", "alice", 200, id="C107-own-rows-of-the-whole-trail"),
        pytest.param("/audit/log/whatisthis", "root", 400, id="C107-no-such-category"),
        pytest.param("/audit/log/presigned_url?whatisthis=1", "root", 400, id="C107-no-such-filter"),
        pytest.param("/audit/log/presigned_url?groupby=whatisthis", "root", 400, id="C107-no-such-group"),
        pytest.param("/audit/log/presigned_url?status_code=many", "root", 400, id="C107-no-such-status"),
    ],
)
def test_each_category_takes_its_own_right(auth: Auth, path: str, user: str | None, status: int) -> None:
    assert auth.get(path, user).status_code == status


@pytest.mark.parametrize(
    ("kind", "username", "status", "paths"),
    [
        pytest.param("own", "alice", 200, ["/programs/a/projects/one"], id="C107-allowed"),
        pytest.param("foreign", "alice", 401, ["/programs/a/projects/two"], id="C107-denied"),
        pytest.param("missing", "alice", 404, [], id="C107-no-such-record"),
        pytest.param("public", "anonymous", 200, ["/open"], id="C107-public"),
    ],
)
def test_each_download_is_a_row(
    auth: Auth, asked: dict[str, str], kind: str, username: str, status: int, paths: list[str]
) -> None:
    [row] = data(auth, f"/audit/log/presigned_url?guid={asked[kind]}", "url_auditor")
    assert (row["username"], row["status_code"], row["resource_paths"]) == (username, status, paths)
    assert row["action"] == "download"
    assert row["request_url"] == f"/user/data/download/{asked[kind]}"
    assert (row["sub"] is None) == (username == "anonymous")


def test_c107_a_sign_in_is_a_row_with_its_provider(auth: Auth, asked: dict[str, str]) -> None:
    [row] = data(auth, "/audit/log/login?username=alice", "login_auditor")
    assert (row["idp"], row["status_code"], row["ip"]) == ("jupyterhub", 302, "10.0.0.1")
    assert "guid" not in row


def test_c107_values_of_one_filter_are_alternatives_and_filters_add_up(auth: Auth, asked: dict[str, str]) -> None:
    both = f"guid={asked['own']}&guid={asked['foreign']}"
    assert len(data(auth, f"/audit/log/presigned_url?{both}")) == 2
    assert [row["guid"] for row in data(auth, f"/audit/log/presigned_url?{both}&status_code=200")] == [asked["own"]]
    paths = "resource_paths=/open&resource_paths=/programs/a/projects/two"
    found = data(auth, f"/audit/log/presigned_url?{paths}&groupby=guid")
    assert {row["guid"] for row in found} == {asked["public"], asked["foreign"]}


def test_c107_rows_are_counted_and_grouped(auth: Auth, asked: dict[str, str]) -> None:
    of_alice = f"/audit/log/presigned_url?username=alice&guid={asked['own']}&guid={asked['foreign']}"
    assert data(auth, f"{of_alice}&count") == 2
    assert data(auth, f"{of_alice}&groupby=username") == [{"username": "alice", "count": 2}]
    assert data(auth, f"{of_alice}&groupby=username&groupby=guid&count") == 2


def test_c107_start_counts_and_stop_does_not(auth: Auth, asked: dict[str, str]) -> None:
    assert data(auth, f"/audit/log/presigned_url?guid={asked['own']}&stop=1000000000") == []
    assert len(data(auth, f"/audit/log/presigned_url?guid={asked['own']}&start=1000000000")) == 1


def test_c107_pages_end_on_whole_seconds_and_lose_nothing(auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(connection: Any) -> None:
        table = audit.table("auth")
        rows = [
            {
                "at": f"2020-01-01T00:00:0{second}.{part}Z",
                "action": "download",
                "subject": "paged",
                "decision": "allowed",
            }
            for second in range(4)
            for part in range(second + 1)
        ]
        connection.execute(table.insert(), rows)

    auth.app.database.call(write)
    monkeypatch.setattr(auth.app, "audit_page_rows", 3)
    found: list[str] = []
    start: int | None = 0
    while start is not None:
        body = auth.get(f"/audit/log/presigned_url?guid=paged&start={start}", "root").json()
        found += [row["timestamp"] for row in body["data"]]
        start = body["nextTimeStamp"]
    assert len(found) == 10
    assert found == sorted(set(found))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_c107_nobody_writes_to_the_trail(auth: Auth, method: str) -> None:
    assert auth.request(method, "/audit/log/presigned_url", "root").status_code == 405


def test_c107_an_anonymous_row_belongs_to_no_user_of_that_name(auth: Auth, asked: dict[str, str]) -> None:
    assert auth.get("/audit/log/presigned_url?username=anonymous", "anonymous").status_code == 403
    found = auth.get("/audit/log?username=anonymous", "anonymous").json()["data"]
    assert {row["username"] for row in found} <= {"anonymous"}


def test_c107_gen3s_own_client_is_answered(
    auth: Auth, asked: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from gen3.auth import Gen3Auth

        keys = {name: {"api_key": auth.api_key(name)} for name in ("alice", "url_auditor")}
        clients = {name: Gen3Auth(endpoint=ORIGIN, refresh_token=key) for name, key in keys.items()}
        path = f"/audit/log/presigned_url?start=0&username=alice&guid={asked['own']}"
        assert clients["alice"].curl(path=path).status_code == 403
        [row] = clients["url_auditor"].curl(path=path).json()["data"]
    assert (row["action"], row["username"], row["status_code"]) == ("download", "alice", 200)
