"""Answers are no longer than the setting lets them be, however long the records are."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from tests.index_service import Ask, ask, body

__all__ = ["ask"]

MOST_BYTES = 19_000
MD5 = uuid.uuid4().hex
BASEID = str(uuid.uuid4())
GUIDS = sorted(f"room/{uuid.uuid4()}" for _ in range(4))


@pytest.fixture(scope="module", autouse=True)
def long_records(ask: Ask, running: Any) -> Iterator[None]:
    """Four versions of an object, of which one fits in an answer, and their entries in the metadata service."""
    told = {"k": "x" * 6000}
    urls = [f"s3://room/{each:02}{'x' * 2500}" for each in range(2)]
    draft = body(
        baseid=BASEID, hashes={"md5": MD5}, metadata={"k": "x" * 3000}, urls=urls, urls_metadata={urls[0]: told}
    )
    answer = ask("POST", "/index/bulk/records", json=[{**draft, "did": guid, "size": 7} for guid in GUIDS])
    assert answer.status_code == 200, answer.text
    entries = [{"guid": guid, "data": told | {"room": "1"}} for guid in GUIDS]
    assert ask("POST", "/mds/metadata", json=entries).status_code == 201
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running.app, "max_answer_bytes", MOST_BYTES)
        yield


READS: list[tuple[str, str, str, Any]] = [
    ("GET", f"/index/index?hash=md5:{MD5}", "&limit=1", None),
    ("GET", f"/index/index?hash=md5:{MD5}&page=0", "&limit=1", None),
    ("GET", f"/index/index?hash=md5:{MD5}&form=all", "&limit=1", None),
    ("GET", f"/index/index?ids={','.join(GUIDS)}", "", None),
    ("GET", f"/index/urls?hash=md5:{MD5}", "&limit=1", None),
    ("GET", "/index/_query/urls/q?include=s3://room/", "&limit=1", None),
    ("GET", "/ga4gh/drs/v1/objects?size=7", "&limit=1", None),
    ("GET", "/mds/metadata?room=1&data=True", "&limit=1", None),
    ("GET", f"/index/index/{BASEID}/versions", "", None),
    ("POST", "/index/bulk/documents", "", GUIDS),
    ("POST", "/index/bulk/hashes", "", {"md5": [MD5]}),
    ("POST", "/ga4gh/drs/v1/objects", "", {"bulk_object_ids": GUIDS}),
]


@pytest.mark.parametrize(("method", "path", "narrower", "given"), READS, ids=lambda value: str(value)[:30])
def test_a_longer_answer_is_refused_and_a_shorter_one_is_given(
    ask: Ask, method: str, path: str, narrower: str, given: Any
) -> None:
    answer = ask(method, path, json=given)
    assert answer.status_code == 413, answer.text[:400]
    assert f"{MOST_BYTES} bytes together (IndexApp.max_answer_bytes). Ask for " in answer.json()["message"]
    if narrower:
        assert ask(method, path + narrower).status_code == 200


def test_fewer_records_at_once_are_given(ask: Ask) -> None:
    assert [each["did"] for each in ask("POST", "/index/bulk/documents", json=GUIDS[:1]).json()] == GUIDS[:1]
    objects = ask("POST", "/ga4gh/drs/v1/objects", json={"bulk_object_ids": GUIDS[:1]}).json()
    assert objects["summary"] == {"requested": 1, "resolved": 1, "unresolved": 0}
    assert ask("GET", f"/index/index/{BASEID}/latest").status_code == 200


def test_versions_that_are_too_long_to_be_read_keep_their_grants(ask: Ask) -> None:
    before = ask("GET", f"/index/index/{GUIDS[0]}").json()
    assert ask("PUT", f"/index/index/{BASEID}/versions", json={"acl": ["x"]}).status_code == 413
    assert ask("GET", f"/index/index/{GUIDS[0]}").json() == before


def test_long_records_are_read_page_by_page(ask: Ask) -> None:
    start, found = "", []
    while page := ask("GET", f"/index/index?hash=md5:{MD5}&limit=1&start={start}").json()["records"]:
        start = page[0]["did"]
        found.append(start)
    assert found == GUIDS


LONG = {"metadata": {"k": "x" * 5000}}
WRITES: list[tuple[str, str, Any, int]] = [
    ("POST", "/index/index", body(**LONG), 413),
    ("POST", f"/index/index/{GUIDS[0]}", body(**LONG), 413),
    ("PUT", f"/index/index/{GUIDS[0]}?rev=x", LONG, 413),
    ("POST", "/index/index/blank", {"file_name": "x" * 5000}, 413),
    ("POST", f"/index/index/{GUIDS[0]}/aliases", {"aliases": [{"value": "x" * 2000 + str(n)} for n in range(3)]}, 413),
    ("POST", "/index/bulk/records", [body(), body(**LONG)], 400),
    (
        "PATCH",
        "/index/bulk/records",
        {"update": [{"did": GUIDS[0], "rev": "x"}, {"did": "x", "rev": "x", **LONG}]},
        400,
    ),
    ("POST", "/mds/metadata", [{"guid": "a", "data": {}}, {"guid": "b", "data": LONG}], 400),
    ("POST", "/mds/metadata/b", LONG, 413),
    ("PUT", f"/mds/metadata/{GUIDS[0]}", LONG, 413),
    ("POST", "/mds/objects", {"file_name": "x", **LONG}, 413),
]


@pytest.mark.parametrize(("method", "path", "given", "status"), WRITES, ids=lambda value: str(value)[:30])
def test_nothing_that_could_fill_an_answer_alone_is_stored(
    ask: Ask, running: Any, monkeypatch: pytest.MonkeyPatch, method: str, path: str, given: Any, status: int
) -> None:
    monkeypatch.setattr(running.app, "max_record_bytes", 4096)
    answer = ask(method, path, json=given)
    assert answer.status_code == status, answer.text
    assert "4096 bytes" in answer.json()["message"]
    if status == 400:
        assert "[1] has more than" in answer.json()["message"]
