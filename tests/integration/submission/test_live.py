"""The dictionary is changed beneath running processes, one of which dies in the middle of it."""

import copy
import json
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.commands import run_here
from tests.conftest import ORIGIN, free_port
from tests.dictionary_changes import ORIGINAL, WITHIN_S, Changes, Files, case
from tests.integration.query.conftest import GRAPHQL
from tests.integration.submission.test_crash import Service
from tests.submission_service import SNAPSHOT, Api
from tests.tokens import bearer
from tests.waiting import eventually

from commonshub.query.app import QueryApp
from commonshub.submission.commands import main


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "dictionary.json"
    path.write_text(json.dumps(ORIGINAL))
    return path


@pytest.fixture
def options(database_url: str, jwks_file: Path, tmp_path: Path, source: Path) -> dict[str, str]:
    return {
        "Commons.origin": ORIGIN,
        "Commons.data_dir": str(tmp_path),
        "Commons.dictionary": str(source),
        "DatabaseSettings.url": database_url,
        "TokenSettings.jwks_file": str(jwks_file),
    }


@pytest.fixture
def service(options: dict[str, str]) -> Iterator[Service]:
    port = free_port()
    made = Service(port, {**options, "ServiceApplication.url": f"http://127.0.0.1:{port}"})
    yield made
    made.kill()


@pytest.fixture
def changes(service: Service, token: Callable[..., str]) -> Changes:
    return Changes(Api(service.url, bearer(token("admin"))).found())


@pytest.fixture
def run(options: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command of the operator."""

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        given = [f"--{name}={value}" for name, value in options.items()]
        return run_here(main, [*words, *given])

    return command


def with_weight(files: Files = ORIGINAL) -> Files:
    changed = copy.deepcopy(files)
    changed["case.yaml"]["properties"]["weight"] = {"type": "integer"}
    return changed


def with_visits() -> Files:
    changed = copy.deepcopy(ORIGINAL)
    visit = copy.deepcopy(changed["sample.yaml"]) | {"id": "visit", "title": "Visit"}
    visit["properties"]["type"] = {"enum": ["visit"]}
    visit["links"][0]["backref"] = "visits"
    return {**changed, "visit.yaml": visit}


def test_the_operator_changes_it_beneath_running_services(
    service: Service, changes: Changes, run: Any, run_service: Callable[..., Any], source: Path,
    token: Callable[..., str], sql: Any,
) -> None:  # fmt: skip
    query = run_service(QueryApp, Commons={"dictionary": str(source)})
    query.hold(SNAPSHOT)
    tag = uuid.uuid4().hex
    assert changes.api.put(case(tag, disease_type="glioma"))["success"]

    def asked() -> Any:
        body = {"query": f'{{ case(submitter_id: "{tag}") {{ weight }} }}'}
        return requests.post(query.url + GRAPHQL, json=body, headers=bearer(token("admin")), timeout=WITHIN_S).json()

    files = with_weight()
    source.write_text(json.dumps(files))
    looked = run("preview")
    assert (looked.returncode, looked.stdout) == (0, "wider         case.weight: new property\n"), looked.stderr
    assert asked()["errors"]
    assert run("apply").returncode == 0
    eventually(lambda: changes.api.put(case(tag, weight=70))["success"], WITHIN_S)
    eventually(lambda: asked().get("data") == {"case": [{"weight": 70}]}, WITHIN_S)

    files["case.yaml"]["properties"]["disease_type"] = {"enum": ["melanoma"]}
    source.write_text(json.dumps(files))
    looked = run("preview")
    assert looked.returncode == 1
    assert "1 of 1 case would no longer be valid: disease_type (enum) 1\n" in looked.stdout
    assert f"case {tag} of P-one" in looked.stdout
    refused = run("apply")
    assert (refused.returncode, "1 stored records would no longer be valid" in refused.stderr) == (1, True)
    assert run("apply", "--force").returncode == 0
    assert run("apply", "--version", "1", "--force").stdout.endswith("Version 4 is in force.\n")
    listed = [line.split() for line in run("versions").stdout.splitlines()]
    assert [(line[0], " ".join(line[4:])) for line in listed] == [
        ("4", "version 1"), ("3", "source"), ("2", "source"), ("1", "source"),
    ]  # fmt: skip
    rows = sql("select request_id, subject, decision from auth.audit where action = 'apply_dictionary' order by id")
    assert [tuple(row) for row in rows] == [("cli", f"version {n}", "allowed") for n in (2, 3, 4)]


def test_a_restart_keeps_what_was_sent(service: Service, changes: Changes) -> None:
    before = changes.apply(with_weight())["number"]
    service.process.send_signal(signal.SIGTERM)
    service.process.wait(WITHIN_S)
    service.start()
    assert changes.api("GET", "/_dictionary/case").json()["properties"]["weight"] == {"type": "integer"}
    assert changes.versions()[0]["number"] == before
    changes.apply(ORIGINAL)


def test_a_process_that_dies_between_tables_and_version_leaves_neither(
    service: Service, changes: Changes, sql: Any, database_url: str
) -> None:
    files = with_visits()
    seen = changes.seen(files)
    tables = "select count(*) from pg_tables where schemaname = 'graph' and tablename like '%visit%'"
    waiting = "select count(*) from pg_locks where not granted and relation = 'graph.dictionary_versions'::regclass"

    def send() -> None:
        with pytest.raises(requests.RequestException):
            changes.put(files, seen)

    engine = sa.create_engine(database_url)
    with engine.begin() as holder:
        holder.execute(sa.text("lock table graph.dictionary_versions in share mode"))
        work = Thread(target=send)
        work.start()
        eventually(lambda: sql(waiting)[0][0] == 1, WITHIN_S)
        service.kill()
        work.join(WITHIN_S)
    engine.dispose()
    service.start()
    eventually(lambda: sql("select count(*) from pg_locks where locktype = 'advisory'")[0][0] == 0, WITHIN_S)
    assert sql(tables)[0][0] == 0
    assert changes.versions()[0]["number"] == seen["after"]
    tag = uuid.uuid4().hex
    assert changes.put(files, seen).status_code == 200
    assert changes.api.put(case(tag), {"type": "visit", "submitter_id": tag, "cases": {"submitter_id": tag}})["success"]
