"""File records and their data objects in the index, with and without ``object_id`` in the dictionary.

Without it a node and its data object have one id.
"""

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from tests.submission_service import SMALL, SNAPSHOT, only_error

from commonshub.core import records
from commonshub.core.records import Draft, Record
from commonshub.submission.app import SubmissionApp

PATH = "/programs/P/projects/one"


@pytest.fixture(scope="module", params=["object_id", "one id"])
def key(request: pytest.FixtureRequest) -> str:
    """The property by which a document names its data object."""
    return {"object_id": "object_id", "one id": "id"}[request.param]


@pytest.fixture(scope="module")
def running(
    run_service: Callable[..., Any], key: str, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    folder = Path(shutil.copytree(SMALL, tmp_path_factory.mktemp("dictionary") / key))
    if key == "id":
        file = folder / "reads_file.yaml"
        schema = yaml.safe_load(file.read_text())
        del schema["properties"]["object_id"]
        file.write_text(yaml.safe_dump(schema))
    # Each dictionary has its own graph.
    running = run_service(
        SubmissionApp, Commons={"dictionary": str(folder)}, DatabaseSettings={"graph_schema": f"graph_{key}"}
    )
    running.hold(SNAPSHOT)
    return running


def reads(name: str, **more: Any) -> dict[str, Any]:
    md5 = hashlib.md5(name.encode()).hexdigest()
    return {
        "type": "reads_file", "submitter_id": name, "file_name": f"{name}.bam", "file_size": 7, "md5sum": md5, **more,
    }  # fmt: skip


@pytest.fixture
def guid_of(api: Any, key: str) -> Callable[[str], str]:
    """The GUID of a stored file's data object."""
    return lambda name: str(api.export("reads_file")[name][key])


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


def test_g43_g52_a_file_that_the_index_does_not_know_gets_a_record(
    api: Any, index: Index, name: str, guid_of: Callable[[str], str]
) -> None:
    document = reads(name, urls="https://a.example/x, https://b.example/x", consent_codes=["HMB"])
    assert api.put(document)["success"]
    guid = guid_of(name)
    record = index[guid]
    assert (record.size, record.hashes, record.file_name) == (7, {"md5": document["md5sum"]}, f"{name}.bam")
    assert record.urls == ["https://a.example/x", "https://b.example/x"]
    assert (record.authz, record.uploader) == ([PATH, "/consents/HMB"], None)
    assert record.aliases == [f"P-one/{name}"]
    assert "urls" not in api.export("reads_file")[name]


def test_g44_a_given_id_is_the_guid_of_the_new_record(
    api: Any, index: Index, name: str, guid_of: Callable[[str], str]
) -> None:
    id_ = str(uuid.uuid4())
    assert api.put(reads(name, id=id_))["success"]
    assert (api.export("reads_file")[name]["id"], guid_of(name), index[id_].size) == (id_, id_, 7)


def test_a_new_record_has_the_prefix_of_the_commons(
    running: Any, api: Any, name: str, monkeypatch: pytest.MonkeyPatch, guid_of: Callable[[str], str]
) -> None:
    model = running.app.model
    monkeypatch.setattr(running.app, "model", replace(model, tools=replace(model.tools, guid_prefix="dg.TEST/")))
    assert api.put(reads(name))["success"]
    assert guid_of(name).startswith("dg.TEST/")


def test_g45_a_known_file_is_not_registered_twice(
    api: Any, index: Index, name: str, guid_of: Callable[[str], str]
) -> None:
    document = reads(name)
    guid = index.add(document, authz=["/programs/elsewhere"])
    assert api.put(document)["success"]
    assert guid_of(name) == guid
    assert len(index.like(document)) == 1
    assert index[guid].authz == ["/programs/elsewhere"]


def test_g45_a_file_of_known_md5_and_another_size_is_another_file(
    api: Any, index: Index, name: str, guid_of: Callable[[str], str]
) -> None:
    document = reads(name)
    other = index.add({**document, "file_size": 8}, authz=["/programs/elsewhere"])
    assert api.put(document)["success"]
    assert guid_of(name) != other


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("together", [True, False], ids=["in one request", "one after the other"])
def test_two_nodes_of_one_file_share_its_record_where_they_can(
    api: Any, index: Index, name: str, key: str, method: str, together: bool
) -> None:
    first = reads(name)
    second = {**first, "submitter_id": f"2{name}"}
    requests = [[first, second]] if together else [[first], [second]]
    *_, answer = [api.put(*each, method=method) for each in requests]
    stored = api.export("reads_file")
    if key == "object_id":
        assert answer["success"], answer
        assert stored[name]["object_id"] == stored[f"2{name}"]["object_id"]
    else:
        assert (only_error(answer)["type"], "an id of its own" in only_error(answer)["suggestion"]) == (
            "NOT_UNIQUE",
            True,
        )
        assert (f"2{name}" in stored, name in stored) == (False, not together)
    assert len(index.like(first)) == (key == "object_id" or not together)


def test_g50_an_upload_is_given_to_the_project_by_its_uploader(
    caller: Callable[[str], Any], api: Any, index: Index, name: str, guid_of: Callable[[str], str], key: str
) -> None:
    document = reads(name)
    guid = index.add(document, uploader="alice")
    assert caller("alice").put({**document, key: guid})["success"]
    assert (index[guid].authz, index[guid].uploader) == ([PATH], None)
    assert guid_of(name) == guid


@pytest.mark.parametrize("named", [True, False], ids=["by object_id", "by content"])
def test_nobody_can_take_somebody_elses_upload(
    caller: Callable[[str], Any], index: Index, name: str, named: bool, key: str
) -> None:
    document = reads(name)
    guid = index.add(document, uploader="bob")
    answer = caller("alice").put({**document, key: guid} if named else document)
    assert (index[guid].authz, index[guid].uploader) == ([], "bob")
    if named:
        assert only_error(answer)["type"] == "INVALID_PERMISSIONS"
    else:
        assert caller("alice").export("reads_file")[name][key] != guid


@pytest.mark.parametrize(
    ("change", "keys"),
    [({"md5sum": "0" * 32}, ["md5sum"]), ({"file_size": 8}, ["file_size"])],
    ids=["hash", "size"],
)
def test_g50_a_file_must_have_the_content_that_it_says(
    api: Any, index: Index, name: str, change: dict[str, Any], keys: list[str], key: str
) -> None:
    document = reads(name)
    guid = index.add(document, uploader="admin")
    answer = api.put({**document, key: guid, **change})
    assert only_error(answer)["keys"] == keys
    assert (index[guid].authz, index[guid].uploader) == ([], "admin")


def test_g50_an_upload_is_not_ready_before_its_hashes_are_known(api: Any, index: Index, name: str, key: str) -> None:
    document = reads(name)
    guid = index.add(document, uploader="admin", hashes={}, size=None)
    error = only_error(api.put({**document, key: guid}))
    assert "not ready for metadata submission yet" in error["message"]


def test_an_object_that_is_not_there_is_refused(api: Any, name: str) -> None:
    assert only_error(api.put(reads(name, object_id=str(uuid.uuid4()))))["keys"] == ["object_id"]


def test_g48_the_content_of_a_stored_file_cannot_change(api: Any, index: Index, name: str) -> None:
    document = reads(name)
    api.put(document)
    changed = {**document, "md5sum": "0" * 32}
    assert only_error(api.put(changed))["keys"] == ["md5sum"]
    assert index.like(changed) == []


def test_g47_new_urls_replace_the_old(api: Any, index: Index, name: str, guid_of: Callable[[str], str]) -> None:
    api.put(reads(name, urls=["https://a.example/x"]))
    assert api.put(reads(name, urls="https://b.example/x"))["success"]
    guid = guid_of(name)
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
def test_g51_what_is_not_committed_leaves_nothing_in_the_index(
    api: Any, index: Index, name: str, path: str, key: str
) -> None:
    document = reads(name)
    upload = reads(f"u{name}")
    guid = index.add(upload, uploader="admin")
    broken = [] if path.endswith("_dry_run") else [{"type": "case", "submitter_id": "x"}]
    api.put(document, {**upload, key: guid}, *broken, path=path)
    assert (index.like(document), index[guid].uploader) == ([], "admin")


def test_deleting_a_node_leaves_its_object(api: Any, index: Index, name: str) -> None:
    document = reads(name)
    id_ = api.put(document)["entities"][0]["id"]
    assert api("DELETE", f"/P/one/entities/{id_}").status_code == 200
    assert len(index.like(document)) == 1
    assert api.put(document)["success"]
    assert len(index.like(document)) == 1


def test_g49_files_may_have_to_be_in_the_index_before(
    running: Any, api: Any, index: Index, name: str, monkeypatch: pytest.MonkeyPatch, guid_of: Callable[[str], str]
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
    assert guid_of(f"2{name}") == guid


def test_g46_a_file_keeps_the_object_that_it_has(
    api: Any, index: Index, name: str, guid_of: Callable[[str], str]
) -> None:
    document = reads(name, urls="https://a.example/x")
    api.put(document)
    guid = guid_of(name)
    wrong = api.put({**document, "id": str(uuid.uuid4()), "urls": "https://b.example/x"})
    assert (wrong["code"], wrong["entity_error_count"]) == (400, 1)
    assert (guid_of(name), index.like(document), index[guid].urls) == (guid, [guid], ["https://a.example/x"])


def test_g47_a_file_may_be_at_several_places(api: Any, index: Index, name: str, guid_of: Callable[[str], str]) -> None:
    places = ["https://a.example/x", "s3://elsewhere/x"]
    api.put(reads(name, urls=places[:1]))
    assert api.put(reads(name, urls=places, id=api.export("reads_file")[name]["id"]))["success"]
    assert index[guid_of(name)].urls == places


def test_g48_a_given_object_has_no_other_content(api: Any, index: Index, name: str, key: str) -> None:
    document = reads(name)
    guid = index.add(reads(f"other{name}"), authz=[PATH])
    assert {error["type"] for error in api.put({**document, key: guid})["entities"][0]["errors"]} == {"INVALID_VALUE"}
    assert index.like(document) == []


def test_g50_grants_that_a_record_has_are_left_alone(
    caller: Callable[[str], Any], index: Index, name: str, key: str
) -> None:
    document = reads(name)
    guid = index.add(document, authz=["/programs/elsewhere"], uploader="bob")
    assert caller("alice").put({**document, key: guid})["success"]
    assert (index[guid].authz, index[guid].uploader) == (["/programs/elsewhere"], "bob")


@pytest.mark.parametrize(
    "fault", [{"foo": 1}, {"file_size": "7"}, {"md5sum": "x"}, {"aliquots": {"submitter_id": "zz"}}]
)
def test_g51_a_faulty_file_does_not_touch_the_index(
    api: Any, index: Index, name: str, key: str, fault: dict[str, Any]
) -> None:
    upload = reads(name)
    guid = index.add(upload, uploader="admin")
    assert api("PUT", "/P/one", {**upload, key: guid, **fault}).status_code == 400
    other = reads(f"2{name}")
    assert api("PUT", "/P/one", {**other, **fault}).status_code == 400
    assert (index.like(upload), index.like(other), index[guid].uploader) == ([guid], [], "admin")


def test_g52_consent_codes_are_added_to_what_an_upload_is_given(
    caller: Callable[[str], Any], index: Index, name: str, key: str
) -> None:
    document = reads(name, consent_codes=["HMB", "GRU"])
    guid = index.add(document, uploader="alice")
    assert caller("alice").put({**document, key: guid})["success"]
    assert index[guid].authz == [PATH, "/consents/HMB", "/consents/GRU"]


def test_g52_without_an_index_files_wait_and_other_records_do_not(api: Any, sql: Any, name: str) -> None:
    sql("alter schema index rename to away")
    try:
        response = api("PUT", "/P/one", reads(name))
        assert api.put({"type": "experiment", "submitter_id": name, "projects": {"code": "one"}})["success"]
    finally:
        sql("alter schema away rename to index")
    assert (response.status_code, "index is not ready" in response.json()["message"]) == (503, True)
    assert name not in api.export("reads_file")


def test_a_file_of_known_content_with_an_id_of_its_own_is_an_object_of_its_own(
    api: Any, index: Index, name: str, guid_of: Callable[[str], str]
) -> None:
    first, id_ = reads(name), str(uuid.uuid4())
    assert api.put(first)["success"]
    assert api.put({**first, "submitter_id": f"2{name}", "id": id_})["success"]
    assert (guid_of(f"2{name}"), guid_of(name) != id_) == (id_, True)
    assert len(index.like(first)) == 2
