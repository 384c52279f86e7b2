"""File records and their data objects in the index."""

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from tests.submission_service import only_error

from commonshub.core import records
from commonshub.core.records import Draft, Record

PATH = "/programs/P/projects/one"


def reads(name: str, **more: Any) -> dict[str, Any]:
    md5 = hashlib.md5(name.encode()).hexdigest()
    return {
        "type": "reads_file", "submitter_id": name, "file_name": f"{name}.bam", "file_size": 7, "md5sum": md5, **more,
    }  # fmt: skip


class Index:
    """The index's records, written as its own service does."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def add(self, document: dict[str, Any], **more: Any) -> str:
        draft: dict[str, Any] = {"size": document["file_size"], "hashes": {"md5": document["md5sum"]}, **more}
        with self.engine.begin() as connection:
            return records.create(connection, "index", [Draft(**draft)])[0].did

    def __getitem__(self, guid: str) -> Record:
        with self.engine.begin() as connection:
            found = records.get(connection, "index", guid)
        assert found is not None
        return found

    def like(self, document: dict[str, Any]) -> list[str]:
        """GUIDs of the records of these bytes."""
        table = records.tables("index").record
        query = sa.select(table.c.guid).where(
            table.c.hashes["md5"].astext == document["md5sum"], table.c.size == document["file_size"]
        )
        with self.engine.begin() as connection:
            return list(connection.scalars(query))


@pytest.fixture(scope="module")
def index(database_url: str, api: Any) -> Any:
    engine = sa.create_engine(database_url, json_serializer=json.dumps)
    yield Index(engine)
    engine.dispose()


def test_a_file_that_the_index_does_not_know_gets_a_record(api: Any, index: Index, name: str) -> None:
    document = reads(name, urls="https://a.example/x, https://b.example/x", consent_codes=["HMB"])
    assert api.put(document)["success"]
    guid = api.export("reads_file")[name]["object_id"]
    record = index[guid]
    assert (record.size, record.hashes, record.file_name) == (7, {"md5": document["md5sum"]}, f"{name}.bam")
    assert record.urls == ["https://a.example/x", "https://b.example/x"]
    assert (record.authz, record.uploader) == ([PATH, "/consents/HMB"], None)
    assert record.aliases == [f"P-one/{name}"]
    assert "urls" not in api.export("reads_file")[name]


def test_a_given_id_is_the_guid_of_the_new_record(api: Any, index: Index, name: str) -> None:
    id_ = str(uuid.uuid4())
    assert api.put(reads(name, id=id_))["success"]
    stored = api.export("reads_file")[name]
    assert (stored["id"], stored["object_id"], index[id_].size) == (id_, id_, 7)


def test_a_new_record_has_the_prefix_of_the_commons(
    running: Any, api: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = running.app.model
    monkeypatch.setattr(running.app, "model", replace(model, tools=replace(model.tools, guid_prefix="dg.TEST/")))
    assert api.put(reads(name))["success"]
    assert api.export("reads_file")[name]["object_id"].startswith("dg.TEST/")


def test_a_known_file_is_not_registered_twice(api: Any, index: Index, name: str) -> None:
    document = reads(name)
    guid = index.add(document, authz=["/programs/elsewhere"])
    assert api.put(document)["success"]
    assert api.export("reads_file")[name]["object_id"] == guid
    assert len(index.like(document)) == 1
    assert index[guid].authz == ["/programs/elsewhere"]


def test_two_nodes_of_one_file_share_its_record(api: Any, index: Index, name: str) -> None:
    first = reads(name)
    second = {**first, "submitter_id": f"2{name}"}
    assert api.put(first, second)["success"]
    stored = api.export("reads_file")
    assert stored[name]["object_id"] == stored[f"2{name}"]["object_id"]
    assert len(index.like(first)) == 1


def test_an_upload_is_given_to_the_project_by_its_uploader(
    caller: Callable[[str], Any], api: Any, index: Index, name: str
) -> None:
    document = reads(name)
    guid = index.add(document, uploader="alice")
    assert caller("alice").put({**document, "object_id": guid})["success"]
    assert (index[guid].authz, index[guid].uploader) == ([PATH], None)
    assert api.export("reads_file")[name]["object_id"] == guid


@pytest.mark.parametrize("named", [True, False], ids=["by object_id", "by content"])
def test_nobody_can_take_somebody_elses_upload(
    caller: Callable[[str], Any], index: Index, name: str, named: bool
) -> None:
    document = reads(name)
    guid = index.add(document, uploader="bob")
    answer = caller("alice").put({**document, "object_id": guid} if named else document)
    assert (index[guid].authz, index[guid].uploader) == ([], "bob")
    if named:
        assert only_error(answer)["type"] == "INVALID_PERMISSIONS"
    else:
        assert caller("alice").export("reads_file")[name]["object_id"] != guid


@pytest.mark.parametrize(
    ("change", "keys"),
    [({"md5sum": "0" * 32}, ["md5sum"]), ({"file_size": 8}, ["file_size"])],
    ids=["hash", "size"],
)
def test_a_file_must_have_the_content_that_it_says(
    api: Any, index: Index, name: str, change: dict[str, Any], keys: list[str]
) -> None:
    document = reads(name)
    guid = index.add(document, uploader="admin")
    answer = api.put({**document, "object_id": guid, **change})
    assert only_error(answer)["keys"] == keys
    assert (index[guid].authz, index[guid].uploader) == ([], "admin")


def test_an_upload_is_not_ready_before_its_hashes_are_known(api: Any, index: Index, name: str) -> None:
    document = reads(name)
    guid = index.add(document, uploader="admin", hashes={}, size=None)
    error = only_error(api.put({**document, "object_id": guid}))
    assert "not ready for metadata submission yet" in error["message"]


def test_an_object_that_is_not_there_is_refused(api: Any, name: str) -> None:
    assert only_error(api.put(reads(name, object_id=str(uuid.uuid4()))))["keys"] == ["object_id"]


def test_the_content_of_a_stored_file_cannot_change(api: Any, index: Index, name: str) -> None:
    document = reads(name)
    api.put(document)
    changed = {**document, "md5sum": "0" * 32}
    assert only_error(api.put(changed))["keys"] == ["md5sum"]
    assert index.like(changed) == []


def test_new_urls_replace_the_old(api: Any, index: Index, name: str) -> None:
    api.put(reads(name, urls=["https://a.example/x"]))
    assert api.put(reads(name, urls="https://b.example/x"))["success"]
    guid = api.export("reads_file")[name]["object_id"]
    assert index[guid].urls == ["https://b.example/x"]


def test_urls_of_another_projects_object_cannot_be_changed(api: Any, index: Index, name: str) -> None:
    document = reads(name)
    guid = index.add(document, authz=["/programs/P/projects/two"], urls=["https://a.example/x"])
    api.put(document)
    answer = api.put({**document, "urls": "https://evil.example/x"})
    assert (only_error(answer)["type"], index[guid].urls) == ("INVALID_PERMISSIONS", ["https://a.example/x"])


@pytest.mark.parametrize("url", ["s3://commons/other-guid/secret.csv", "S3://commons/x", "s3://commons", "s3:///x"])
def test_a_url_must_not_point_into_the_commons_own_store(api: Any, index: Index, name: str, url: str) -> None:
    document = reads(name, urls=[url])
    assert only_error(api.put(document))["keys"] == ["urls"]
    assert index.like(document) == []


@pytest.mark.parametrize("path", ["/P/one/_dry_run", "/P/one"], ids=["dry run", "failure"])
def test_what_is_not_committed_leaves_nothing_in_the_index(api: Any, index: Index, name: str, path: str) -> None:
    document = reads(name)
    upload = reads(f"u{name}")
    guid = index.add(upload, uploader="admin")
    broken = [] if path.endswith("_dry_run") else [{"type": "case", "submitter_id": "x"}]
    api.put(document, {**upload, "object_id": guid}, *broken, path=path)
    assert (index.like(document), index[guid].uploader) == ([], "admin")


def test_deleting_a_node_leaves_its_object(api: Any, index: Index, name: str) -> None:
    document = reads(name)
    id_ = api.put(document)["entities"][0]["id"]
    assert api("DELETE", f"/P/one/entities/{id_}").status_code == 200
    assert len(index.like(document)) == 1
    assert api.put(document)["success"]
    assert len(index.like(document)) == 1


def test_files_may_have_to_be_in_the_index_before(
    running: Any, api: Any, index: Index, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = replace(running.app.model.tools, indexed_only=True)
    monkeypatch.setattr(running.app, "model", replace(running.app.model, tools=tools))
    unknown, known = reads(name), reads(f"2{name}")
    error = only_error(api.put(unknown))
    assert (error["keys"], "makes none" in error["message"]) == (["object_id"], True)
    assert only_error(api.put(reads(name, id=str(uuid.uuid4()))))["keys"] == ["object_id"]
    assert index.like(unknown) == []
    guid = index.add(known, authz=[PATH])
    assert api.put(known)["success"]
    assert api.export("reads_file")[f"2{name}"]["object_id"] == guid
