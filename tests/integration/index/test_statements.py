"""What a read costs the database: one statement, however many records, URLs and hashes the answer has."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from tests.index_service import PROJECT, Ask, ask
from tests.statements import Statement, noted

from commonshub.core import records
from commonshub.core.records import Draft

__all__ = ["ask"]

DRS = "/ga4gh/drs/v1"
DIDS = [str(uuid.uuid4()) for _ in range(50)]
MD5 = uuid.uuid4().hex
BASE = str(uuid.uuid4())


@pytest.fixture(scope="module", autouse=True)
def many(running: Any) -> None:
    """Versions of one object, each with several of everything."""
    places = [[f"s3://b/{did}", f"gs://b/{did}"] for did in DIDS]
    drafts = [
        Draft(
            did=did,
            baseid=BASE,
            size=1,
            hashes={"md5": MD5, "sha1": uuid.uuid4().hex + "0" * 8},
            urls=urls,
            urls_metadata={url: {"k": "v"} for url in urls},
            authz=[PROJECT, "/open"],
            acl=["a", "b"],
            metadata={"k": "v"},
            aliases=[f"alias {did}"],
        )
        for did, urls in zip(DIDS, places, strict=True)
    ]
    running.app.database.call(records.create, "index", drafts)


@pytest.fixture
def statements(running: Any) -> Iterator[list[Statement]]:
    with noted(running.app.database.engine) as seen:
        yield seen


def on_records(statements: list[Statement]) -> list[str]:
    """Workers for uploads, deletions, buckets and policies look for something to do meanwhile."""
    return [each.text for each in statements if ".record" in each.text or "bundle" in each.text]


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("GET", f"/index/index/{DIDS[0]}", None),
        ("GET", f"/index/{DIDS[0]}", None),
        ("GET", f"/index/index/{DIDS[0]}/aliases", None),
        ("GET", f"/index/index/{DIDS[0]}/latest", None),
        ("GET", f"/index/index/{BASE}/versions", None),
        ("GET", "/index/index?limit=1000", None),
        ("GET", "/index/index?limit=1000&page=0", None),
        ("GET", f"/index/index?hash=md5:{MD5}", None),
        ("GET", f"/index/index?url=s3://b/{DIDS[0]}", None),
        ("GET", f"/index/index?ids={','.join(DIDS)}", None),
        ("GET", "/index/index?acl=a&authz=/open&metadata=k:v", None),
        ("GET", '/index/index?urls_metadata={"s3":{"k":"v"}}&negate_params={"version":"2"}', None),
        ("POST", "/index/bulk/documents", DIDS),
        ("POST", "/index/bulk/hashes", {"md5": [MD5]}),
        ("GET", "/index/urls", None),
        ("GET", "/index/_query/urls/q?include=s3", None),
        ("GET", "/index/_query/urls/metadata/q?key=k&value=v", None),
        ("GET", "/index/_stats", None),
        ("GET", f"{DRS}/objects/{DIDS[0]}", None),
        ("OPTIONS", f"{DRS}/objects/{DIDS[0]}", None),
        ("POST", f"{DRS}/objects", {"bulk_object_ids": DIDS}),
        ("OPTIONS", f"{DRS}/objects", {"bulk_object_ids": DIDS}),
        ("GET", f"{DRS}/service-info", None),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_read_is_one_statement(ask: Ask, statements: list[Statement], method: str, path: str, content: Any) -> None:
    answer = ask(method, path, json=content)
    assert answer.status_code == 200, answer.text
    assert len(on_records(statements)) == 1, statements


@pytest.mark.parametrize(
    "path",
    [
        *(f"/index/index/{BASE}", f"/index/alias%20{DIDS[0]}", f"{DRS}/objects/{BASE}"),
        # What is on the page, among records and bundles, and then those.
        *(f"{DRS}/objects?form=object&limit=1000", f"{DRS}/objects?form=all&limit=1000", "/index/index?form=all"),
    ],
)
def test_a_read_by_another_name_than_the_guid_or_of_bundles_too_is_two(
    ask: Ask, statements: list[Statement], path: str
) -> None:
    assert ask("GET", path).status_code == 200
    assert len(on_records(statements)) == 2
