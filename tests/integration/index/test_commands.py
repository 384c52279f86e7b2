"""``commonshub index verify`` and ``commonshub index bucket`` as an operator runs them."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.stored import put_records
from tests.stores import StoppableStore

from commonshub.core import audit, buckets, records
from commonshub.core.blobs import DOCUMENTS
from commonshub.core.parts import put
from commonshub.core.records import Draft
from commonshub.core.storage import Location, Storage
from commonshub.index import commands

SCHEMA = "index"
Run = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def run(running: Any, database_url: str, s3: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; its exit status, the lines it printed, and what it said on standard error."""
    options = [f"--data-dir={tmp_path}", f"--DatabaseSettings.url={database_url}"]

    def start(*words: str, **store: str) -> tuple[int, list[str], str]:
        storage = [f"--StorageSettings.{name}={value}" for name, value in {**s3, **store}.items()]
        status = commands.main([*words, *options, *storage])
        printed = capsys.readouterr()
        return status, printed.out.splitlines(), printed.err

    return start


@pytest.fixture
def lost(running: Any) -> records.Record:
    """A record whose bytes are nowhere."""
    guid = str(uuid.uuid4())
    draft = Draft(did=guid, urls=[f"s3://commons/{guid}/x"], size=1, hashes={"md5": "0" * 32})
    [record] = running.app.database.call(put_records, SCHEMA, [draft])
    return record


def test_verify_names_what_is_missing_and_what_to_do(run: Run, lost: records.Record) -> None:
    status, lines, _ = run("verify", lost.did)
    assert status == 1
    assert lines == [
        f"missing\t{lost.did}\t{lost.urls[0]}\tThere is no object.",
        "1 missing: restore the object, or delete the record.",
        "Looked at 1 record.",
    ]


def test_verify_finds_all_that_is_wrong_in_a_form_for_programs(run: Run, running: Any, lost: records.Record) -> None:
    orphan = Location("commons", f"{uuid.uuid4()}/orphan")
    storage = Storage(running.app.storage_settings)
    requests.put(storage.presign("PUT", orphan, 60), data=b"x", timeout=30).raise_for_status()
    status, lines, _ = run("verify", "--all", "--json")
    found = {(each["kind"], each["location"]) for each in map(json.loads, lines)}
    assert status == 1
    assert found >= {("missing", lost.urls[0]), ("unindexed", str(orphan))}


def test_verify_knows_the_documents_of_the_explorer(run: Run, running: Any, tmp_path: Path) -> None:
    documents = Location("commons", f"{DOCUMENTS}1/case.parquet")
    (tmp_path / "case.parquet").write_bytes(b"PAR1")
    storage = Storage(running.app.storage_settings)
    put(storage, documents, tmp_path / "case.parquet")
    _, lines, _ = run("verify", "--all", "--json")
    assert str(documents) not in {json.loads(line)["location"] for line in lines}
    assert b"".join(storage.stream(documents)) == b"PAR1"


def test_verify_ends_well_where_all_is_well(run: Run, running: Any) -> None:
    [record] = running.app.database.call(put_records, SCHEMA, [Draft(urls=["https://example.org/x"], size=1)])
    assert run("verify", record.did)[:2] == (
        0,
        [
            "Looked at 1 record.",
            "Left alone, as outside the buckets of this commons: 1 location.",
            "Records and bytes agree.",
        ],
    )


def test_verify_advises_no_deletion_where_the_store_shows_nothing(
    run: Run, tmp_path: Path, lost: records.Record
) -> None:
    """A store says of what it may not show that it is not there."""
    keys = tmp_path / "wrong.json"
    keys.write_text(json.dumps({"access_key": "wrongaccesskey", "secret_key": "wrongsecretkey"}))
    status, lines, _ = run("verify", lost.did, credentials_file=str(keys))
    assert (status, lines[0].split("\t")[0]) == (1, "refused")
    assert "check the bucket's credentials" in lines[1]


def test_verify_looks_at_nothing_where_a_bucket_is_unknown(run: Run, lost: records.Record) -> None:
    status, lines, told = run("verify", "--all", "--bucket", "nowhere")
    assert (status, lines) == (1, [])
    assert told == "This commons has no bucket 'nowhere'; it has commons.\n"


def test_verify_tells_what_it_found_before_a_store_went_away(
    run: Run, running: Any, lost: records.Record, second_store: StoppableStore
) -> None:
    store = second_store.settings
    options = [f"--endpoint-url={store['endpoint_url']}", f"--credentials-file={store['credentials_file']}"]
    assert run("bucket", "add", "second", *options)[0] == 0
    second_store.stop()
    [away] = running.app.database.call(put_records, SCHEMA, [Draft(urls=["s3://second/x"], size=1)])
    status, lines, told = run("verify", lost.did, away.did)
    running.app.database.call(records.delete_many, SCHEMA, [away.did])
    run("bucket", "remove", "second")
    assert (status, lines[1]) == (1, "1 missing: restore the object, or delete the record.")
    assert "object store broke off" in told


def test_verify_says_that_a_store_is_away(run: Run, lost: records.Record) -> None:
    status, lines, told = run("verify", lost.did, endpoint_url="http://127.0.0.1:1")
    assert (status, lines) == (1, [])
    assert "object store broke off" in told


def test_a_bucket_is_added_listed_verified_and_removed(run: Run, running: Any, second_store: StoppableStore) -> None:
    store = second_store.settings
    options = [f"--endpoint-url={store['endpoint_url']}", f"--credentials-file={store['credentials_file']}"]
    assert run("bucket", "add", "second", *options, "--resource", "one=/programs/a", "--resource=*")[0] == 0
    _, [line], _ = run("bucket", "list", "--json")
    assert json.loads(line) == {
        "name": "second",
        "store": store,
        "resources": {"s3://second/one": ["/programs/a"], "s3://second": ["*"]},
    }
    [record] = running.app.database.call(put_records, SCHEMA, [Draft(urls=["s3://second/nothing"], size=1)])
    assert run("verify", record.did)[0] == 1
    status, _, told = run("bucket", "remove", "second")
    assert (status, "1 record points into the bucket second" in told) == (1, True)
    assert run("bucket", "remove", "second", "--force")[0] == 0
    table = audit.table("auth")
    query = sa.select(table.c.action, table.c.username).where(table.c.request_id == "cli").order_by(table.c.id)
    rows = running.app.database.call(lambda connection: connection.execute(query).all())
    assert [tuple(row) for row in rows][-2:] == [("add_bucket", None), ("remove_bucket", None)]
    assert run("verify", record.did)[0] == 0
    assert run("bucket", "list")[1] == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["add", "commons"], "stands in the configuration"),
        (["add", "missing"], "does not exist"),
        (["add", "b", "--credentials-file=/nowhere"], "There is no file"),
        (["add", "b", "--unchecked", "--resource=programs"], "programs"),
        (["remove", "b"], "is registered"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_bucket_that_would_not_work_is_refused(run: Run, running: Any, words: list[str], told: str) -> None:
    status, _, said = run("bucket", *words)
    assert status == 1
    assert told in said
    assert running.app.database.call(buckets.read, SCHEMA) == []
