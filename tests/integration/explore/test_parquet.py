"""The documents of a run as Parquet, for those who may read all of them."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests
import sqlalchemy as sa
from tests.waiting import eventually

from commonshub.core import audit, parts
from commonshub.core.blobs import DOCUMENTS
from commonshub.core.settings import StorageSettings
from commonshub.core.storage import Storage
from commonshub.explore import store
from commonshub.explore.publishing import location_of

from .conftest import Explorer, etl


def get(explorer: Explorer, path: str = "", user: str | None = "all") -> requests.Response:
    headers = {"Authorization": f"Bearer {explorer._token(user)}"} if user else {}
    return requests.get(f"{explorer.url}/guppy/documents{path}", headers=headers, timeout=30)


@pytest.fixture
def listed(explorer: Explorer) -> dict[str, Any]:
    """What there is, once it is there."""
    return eventually(lambda: (found := get(explorer).json())["documents"] and found, 60)


Run = Callable[..., subprocess.CompletedProcess[str]]
BUSY = 75


@pytest.fixture
def run(explorer: Explorer, database_url: str, tmp_path: Path) -> Run:
    """One build of the service's index: ``run(storage, "--force")``."""
    settings = explorer.running.app.settings
    files = {"mapping_file": settings.mapping_file, "index_dir": settings.index_dir}

    def once(storage: dict[str, Any], *words: str) -> subprocess.CompletedProcess[str]:
        def build() -> subprocess.CompletedProcess[str] | None:
            done = etl(database_url, tmp_path, "run", *words, storage=storage, **files)
            return None if done.returncode == BUSY else done

        return eventually(build, 60)

    return once


def rows(file: Path) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        cursor = connection.execute("from read_parquet(?) order by submitter_id", [str(file)])
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_every_document_that_somebody_may_read_is_there(
    explorer: Explorer, listed: dict[str, Any], tmp_path: Path
) -> None:
    assert {each["type"] for each in listed["documents"]} == {"case", "file", "project", "tumor"}
    told = get(explorer, "/case").json()
    data = requests.get(told["url"], timeout=30).content
    assert len(data) == told["bytes"]
    (tmp_path / "case.parquet").write_bytes(data)
    found = rows(tmp_path / "case.parquet")
    names = [row["submitter_id"] for row in found]
    assert names == ["c1", "c2", "c3", "c4"]
    query = '{ case(filter: {eq: {submitter_id: "c1"}}) { _samples_count samples { submitter_id sample_type } } }'
    (shown,) = explorer.query(query)["case"]
    assert found[0]["_samples_count"] == shown["_samples_count"]
    picked = [{name: each[name] for name in ("submitter_id", "sample_type")} for each in found[0]["samples"]]
    assert picked == shown["samples"]


@pytest.mark.parametrize("user", ["one", "two", "near", "stranger", None])
def test_who_may_read_only_a_part_is_told_of_nothing(
    explorer: Explorer, listed: dict[str, Any], user: str | None
) -> None:
    assert get(explorer, user=user).json()["documents"] == []
    hidden, absent = get(explorer, "/case", user), get(explorer, "/nothing", user)
    assert (hidden.status_code, absent.status_code) == (404, 404)
    assert hidden.json()["message"].replace("case", "") == absent.json()["message"].replace("nothing", "")


@pytest.mark.parametrize(
    ("user", "name", "decision", "told"),
    [
        ("all", "case", "allowed", {"protocol": "s3", "expires_in_s": 600}),
        ("one", "case", "denied", {"status": 404}),
        (None, "case", "denied", {"status": 404}),
        ("all", "nothing", "failed", {"status": 404}),
    ],
)
def test_who_asked_for_a_file_is_in_the_audit_trail(
    explorer: Explorer, listed: dict[str, Any], user: str | None, name: str, decision: str, told: dict[str, Any]
) -> None:
    answer = get(explorer, f"/{name}", user)
    trail = audit.table("auth")
    asked = sa.select(trail).where(trail.c.request_id == answer.headers["X-Request-Id"])
    with explorer.running.app.database.engine.connect() as connection:
        row = connection.execute(asked).one()
    assert (row.username, row.action, row.subject, row.decision) == (user, "download", f"documents/{name}", decision)
    run = {"run": answer.json()["run"]} if decision == "allowed" else {}
    assert row.detail == {"path": f"/guppy/documents/{name}", **run, **told}


@pytest.mark.parametrize("path", ["/../case", "/case.parquet", "/case%2f..", "/_run"])
def test_only_document_types_have_a_file(explorer: Explorer, listed: dict[str, Any], path: str) -> None:
    assert get(explorer, path).status_code == 404


def test_they_go_with_the_index(explorer: Explorer, listed: dict[str, Any], run: Run, s3: dict[str, Any]) -> None:
    storage = Storage(StorageSettings(**s3))
    location = location_of("commons", listed["run"], "case")
    assert storage.head(location)
    for _ in range(explorer.running.app.settings.kept_runs):
        assert run(s3, "--force").returncode == 0
    assert storage.head(location) is None


def test_an_index_whose_documents_could_not_be_stored_answers_and_gets_them_later(
    explorer: Explorer, run: Run, s3: dict[str, Any]
) -> None:
    app = explorer.running.app
    done = run({**s3, "endpoint_url": "http://127.0.0.1:9"}, "--force")
    assert (done.returncode, "object store" in done.stderr) == (1, True), done.stderr
    active = app.database.call(store.active, app.schema)
    assert app.database.call(store.runs, app.schema, 1)[0].state == "ready"
    assert app.database.call(store.parquet, app.schema, active.id) is None
    assert run(s3).returncode == 0
    assert app.database.call(store.active, app.schema).id == active.id
    assert app.database.call(store.parquet, app.schema, active.id)


def test_uploads_of_killed_builds_are_given_up(run: Run, s3: dict[str, Any]) -> None:
    storage, location = Storage(StorageSettings(**s3)), location_of("commons", 1, "case")
    parts.begin(storage, location)
    assert run(s3).returncode == 0
    assert parts.unended(storage, "commons", DOCUMENTS) == []
