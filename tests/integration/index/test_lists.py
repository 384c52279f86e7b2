"""Lists: pages, and filters on what records hold."""

from typing import Any

import orjson
import pytest
import requests
import sqlalchemy as sa

from commonshub.core import records
from commonshub.core.records import Draft

METADATA: dict[str, Any] = {
    "text": {"k": "5"},
    "number": {"k": 5},
    "other number": {"k": 5.5},
    "truth": {"k": True},
    "object": {"k": {"a": 1}},
    "list": {"k": [1]},
    "quoted": {"k": 'a "b" \\ c'},
    "null": {"k": None},
    "other key": {"l": "5"},
    "none": {},
}


@pytest.fixture(scope="module")
def listed(running: Any) -> list[str]:
    """Seven records in order of change; the date of the first is not known."""

    def fill(connection: sa.Connection) -> list[str]:
        made = [records.create(connection, "index", [Draft(file_name="paged", size=n)])[0].did for n in range(7)]
        table = records.tables("index").record
        connection.execute(sa.update(table).where(table.c.guid == made[0]).values(updated_date=None))
        return made

    made: list[str] = running.app.database.call(fill)
    return made


def read(url: str, **query: Any) -> list[str]:
    answer = requests.get(f"{url}/index/index", params=query)
    assert answer.status_code == 200, answer.text
    return [record["did"] for record in answer.json()["records"]]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_have_every_record_once(url: str, listed: list[str], limit: int) -> None:
    pages = [read(url, file_name="paged", limit=limit, page=page) for page in range(9)]
    assert [did for page in pages for did in page] == listed
    # Once more, backwards: from what is known by now.
    again = [read(url, file_name="paged", limit=limit, page=page) for page in range(8, -1, -1)]
    assert again[::-1] == pages


@pytest.mark.parametrize("ids", ["", ",", "nowhere"])
@pytest.mark.parametrize("form", ["object", "all"])
def test_who_names_no_record_gets_none(url: str, listed: list[str], ids: str, form: str) -> None:
    assert read(url, ids=ids, form=form) == []


@pytest.mark.parametrize("write", ["create", "update", "delete"])
def test_who_reads_on_sees_what_was_written_a_moment_ago(running: Any, url: str, write: str) -> None:
    database, prefix = running.app.database, f"reads-on-{write}"
    guids = [f"{prefix}-{number}" for number in range(8)]
    drafts = [Draft(did=guid, file_name=prefix, size=1) for guid in guids if guid != guids[5] or write != "create"]
    database.call(records.create, "index", drafts)
    pages = [read(url, file_name=prefix, limit=2, start=start) for start in ("", guids[1])]
    assert pages == [guids[:2], guids[2:4]]
    # By now the third page is being read.
    expected = guids[4:6]
    if write == "create":
        database.call(records.create, "index", [Draft(did=guids[5], file_name=prefix, size=1)])
    elif write == "update":
        database.call(records.update, "index", guids[4], None, {"version": "2"})
    else:
        database.call(records.delete_many, "index", [guids[4]])
        expected = guids[5:7]
    answer = requests.get(f"{url}/index/index", params={"file_name": prefix, "limit": 2, "start": guids[3]}).json()
    assert [each["did"] for each in answer["records"]] == expected
    assert (answer["records"][0]["version"] == "2") is (write == "update")


def test_a_record_that_changes_hides_no_other_from_one_who_reads_page_by_page(running: Any, url: str) -> None:
    database = running.app.database
    drafts = [Draft(file_name="changing", size=n) for n in range(4)]
    made = [database.call(records.create, "index", [draft])[0].did for draft in drafts]
    assert read(url, file_name="changing", limit=2, page=0) == made[:2]
    database.call(records.update, "index", made[0], None, {"uploader": "somebody"})
    assert read(url, file_name="changing", limit=2, page=1) == made[2:]
    assert read(url, file_name="changing", limit=2, page=2) == made[:1]


@pytest.fixture(scope="module")
def described(running: Any) -> str:
    """Records with metadata of every kind, of their own and of their URLs."""
    drafts = [
        Draft(file_name=name, uploader="described", metadata=held, urls_metadata={f"s3://b/{name}": held})
        for name, held in METADATA.items()
    ]
    running.app.database.call(records.create, "index", drafts)
    return "described"


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("5", {"text", "number"}),
        ("5.0", set()),
        ("5.5", {"other number"}),
        ("true", {"truth"}),
        ('{"a": 1}', {"object"}),
        ("[1]", {"list"}),
        ('a "b" \\ c', {"quoted"}),
        ("null", set()),
        ("1e999999", set()),
        ("9" * 5000, set()),
        ('"\\u0000"', set()),
        ("", set(METADATA) - {"other key", "none"}),
    ],
    ids=lambda value: str(value)[:20],
)
def test_the_text_of_a_value_of_metadata_counts(url: str, described: str, value: str, names: set[str]) -> None:
    queries = {"metadata": f"k:{value}", "urls_metadata": orjson.dumps({"s3://b/": {"k": value}}).decode()}
    for name, text in queries.items():
        answer = requests.get(f"{url}/index/index", params={"uploader": described, name: text})
        assert answer.status_code == 200, answer.text
        assert {record["file_name"] for record in answer.json()["records"]} == names


def test_a_url_may_hold_any_metadata(url: str, described: str) -> None:
    answer = requests.get(f"{url}/index/index", params={"uploader": described, "urls_metadata": '{"s3://b/": {}}'})
    assert {record["file_name"] for record in answer.json()["records"]} == set(METADATA) - {"none"}


@pytest.mark.parametrize("part", ["100%", "a_b", "a/b", "back\\slash", "two words", "ab"])
def test_a_part_of_a_url_is_taken_as_it_stands(running: Any, url: str, part: str) -> None:
    there = Draft(urls=["s3://b/other", f"s3://b/{part}/{part}"])
    # What a pattern could take for the same, and the same across two URLs.
    other = Draft(urls=["s3://b/1000", "s3://b/axb", "s3://b/two", "words s3://b", "s3://b/a", "b"])
    made = running.app.database.call(records.create, "index", [there, other])
    answer = requests.get(f"{url}/index/_query/urls/q", params={"include": part})
    found = {each["did"]: each["urls"] for each in answer.json()}
    assert found[made[0].did] == [there.urls[1]]
    assert made[1].did not in found
