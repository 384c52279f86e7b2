"""Bulk writes: one request, one transaction, every fault named by its place."""

import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests
from tests.index_service import PROJECT
from tests.tokens import bearer

ELSEWHERE = "/programs/p/projects/other"
PATH = "/index/bulk/records"
Ask = Callable[..., requests.Response]


@pytest.fixture
def ask(url: str, token: Callable[..., str]) -> Ask:
    def send(method: str, path: str, user: str | None = "admin", **options: Any) -> requests.Response:
        headers = bearer(token(user)) if user else {}
        return requests.request(method, url + path, headers=headers, timeout=60, **options)

    return send


def body(**values: Any) -> dict[str, Any]:
    return {"form": "object", "size": 1, "urls": [], "hashes": {"md5": uuid.uuid4().hex}, **values}


@pytest.fixture
def make(ask: Ask) -> Callable[..., list[dict[str, str]]]:
    """Create so many records; their identities."""

    def create(count: int, **values: Any) -> list[dict[str, str]]:
        answer = ask("POST", PATH, json=[body(**values) for _ in range(count)])
        assert answer.status_code == 200, answer.text
        made: list[dict[str, str]] = answer.json()
        return made

    return create


def documents(ask: Ask, guids: list[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask("POST", "/index/bulk/documents", json=guids).json()
    return found


def target(made: dict[str, str], **fields: Any) -> dict[str, Any]:
    return {"did": made["did"], "rev": made["rev"], **fields}


def test_thousands_of_records_are_created_in_order(ask: Ask) -> None:
    given = [body(did=str(uuid.uuid4()), file_name=f"{n}.bam", authz=[PROJECT]) for n in range(5000)]
    answer = ask("POST", PATH, "member", json=given)
    assert answer.status_code == 200, answer.text
    assert [each["did"] for each in answer.json()] == [each["did"] for each in given]
    found = documents(ask, [each["did"] for each in given])
    assert [each["file_name"] for each in found] == [each["file_name"] for each in given]
    assert [each["rev"] for each in found] == [each["rev"] for each in answer.json()]


def test_a_record_created_with_others_is_the_record_created_alone(ask: Ask) -> None:
    given = body(
        urls=["s3://b/k", 's3://b/"quoted" \\ {k}'],
        urls_metadata={"s3://b/k": {"type": "cloud"}},
        acl=["a", "null"],
        metadata={"nested": {"list": [1, None]}},
        content_created_date="2023-03-14T17:02:54+01:00",
        description="\n\ttext",
    )
    [together] = ask("POST", PATH, json=[given]).json()
    alone = ask("POST", "/index/index", json=given).json()
    first, second = documents(ask, [together["did"], alone["did"]])
    own = {"did", "baseid", "rev", "created_date", "updated_date"}
    assert {k: v for k, v in first.items() if k not in own} == {k: v for k, v in second.items() if k not in own}
    assert first["content_created_date"] == "2023-03-14T16:02:54"


def test_each_of_many_records_gets_its_own_values(ask: Ask, make: Callable[..., list[dict[str, str]]]) -> None:
    made = make(3, file_name="old", urls=["s3://b/old"], urls_metadata={"s3://b/old": {"k": "v"}})
    changes = [{"file_name": "new"}, {"urls": ["s3://b/new"], "metadata": {"k": "v"}}, {"file_name": None}]
    answer = ask("PUT", PATH, json=[target(each, **fields) for each, fields in zip(made, changes, strict=True)])
    assert answer.status_code == 200, answer.text
    found = documents(ask, [each["did"] for each in made])
    assert [each["file_name"] for each in found] == ["new", "old", None]
    assert [each["urls"] for each in found] == [["s3://b/old"], ["s3://b/new"], ["s3://b/old"]]
    assert [each["urls_metadata"] for each in found] == [{"s3://b/old": {"k": "v"}}, {}, {"s3://b/old": {"k": "v"}}]
    assert [each["rev"] for each in found] == [each["rev"] for each in answer.json()]
    assert {each["rev"] for each in found}.isdisjoint(each["rev"] for each in made)
    assert all(each["updated_date"] > each["created_date"] for each in found)


def test_many_records_are_deleted(ask: Ask, make: Callable[..., list[dict[str, str]]]) -> None:
    made = make(100)
    answer = ask("DELETE", PATH, json=[target(each) for each in made])
    assert [each["did"] for each in answer.json()] == [each["did"] for each in made]
    assert documents(ask, [each["did"] for each in made]) == []


def test_a_mixed_request_does_all_of_it(ask: Ask, make: Callable[..., list[dict[str, str]]]) -> None:
    changed, gone = make(2)
    parts = {"create": [body()], "update": [target(changed, version="2")], "delete": [target(gone)]}
    answer = ask("PATCH", PATH, json=parts).json()
    assert {part: len(each) for part, each in answer.items()} == {"create": 1, "update": 1, "delete": 1}
    new = answer["create"][0]["did"]
    found = documents(ask, [new, changed["did"], gone["did"]])
    assert [(each["did"], each["version"]) for each in found] == [(new, None), (changed["did"], "2")]


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        ({"hashes": {"md5": "zz"}}, "records[17].hashes", "records[17].hashes.md5 must be md5"),
        ({"size": -1}, "records[17].size", "records[17].size must be an integer"),
        ({"authz": ["no path"]}, "records[17].authz", "records[17].authz[0]: "),
        ({"colour": "red"}, "records[17].colour", "records[17].colour is not a field"),
        ({"urls_metadata": {"s3://x": {}}}, "records[17].urls_metadata", "records[17].urls_metadata names URLs"),
    ],
)
def test_a_fault_is_named_by_its_place_and_nothing_is_created(
    ask: Ask, wrong: dict[str, Any], field: str, words: str
) -> None:
    given = [body(did=str(uuid.uuid4())) for _ in range(20)]
    given[17].update(wrong)
    answer = ask("POST", PATH, json=given)
    assert answer.status_code == 400
    assert answer.json()["details"][0]["field"] == field
    assert words in answer.json()["message"]
    assert documents(ask, [each["did"] for each in given]) == []


def test_every_fault_is_named(ask: Ask) -> None:
    answer = ask("POST", PATH, json=[body(size="x"), 3, body(), *[body(form="x", did="y")] * 30])
    details = answer.json()["details"]
    assert [each["field"] for each in details[:4]] == [
        "records[0].size",
        "records[1]",
        "records[3].form",
        "records[3].did",
    ]
    assert len(details) == 62
    assert answer.json()["message"].endswith("and 52 more.")


@pytest.mark.parametrize("given", [{}, "text", None, 3, {"create": []}])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_what_is_no_list_is_refused(ask: Ask, method: str, given: Any) -> None:
    assert ask(method, PATH, json=given).status_code == 400


@pytest.mark.parametrize("given", [[], "text", None, {"create": {}}, {"upsert": []}, {"delete": None}])
def test_what_is_no_mixed_request_is_refused(ask: Ask, given: Any) -> None:
    assert ask("PATCH", PATH, json=given).status_code == 400


@pytest.mark.parametrize(("method", "given"), [("POST", []), ("PUT", []), ("DELETE", []), ("PATCH", {})])
def test_nothing_to_do_is_done(ask: Ask, method: str, given: Any) -> None:
    assert ask(method, PATH, json=given).status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"did": None},
        {"rev": None},
        {"size": 5},
        {"hashes": {"md5": "0" * 32}},
        {"urls_metadata": {"s3://elsewhere": {}}},
        {"content_updated_date": "2023-01-01"},
    ],
)
def test_a_faulty_change_is_named_by_its_place_and_changes_nothing(
    ask: Ask, make: Callable[..., list[dict[str, str]]], changed: dict[str, Any]
) -> None:
    made = make(3)
    answer = ask("PATCH", PATH, json={"update": [target(made[0], version="2"), target(made[1]) | changed]})
    assert answer.status_code == 400
    assert answer.json()["details"][0]["field"] == f"update[1].{next(iter(changed))}"
    assert [each["version"] for each in documents(ask, [each["did"] for each in made])] == [None] * 3


def test_a_record_that_is_named_twice_is_refused(ask: Ask, make: Callable[..., list[dict[str, str]]]) -> None:
    [made] = make(1)
    answer = ask("PATCH", PATH, json={"update": [target(made, version="2")], "delete": [target(made)]})
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, "delete[0].did")
    guid = str(uuid.uuid4())
    answer = ask("POST", PATH, json=[body(did=guid), body(), body(did=guid)])
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, "records[2].did")


def test_a_taken_guid_is_named_and_nothing_is_created(ask: Ask, make: Callable[..., list[dict[str, str]]]) -> None:
    [made] = make(1)
    given = [body(did=str(uuid.uuid4())), body(did=made["did"])]
    answer = ask("POST", PATH, json=given)
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (409, "records[1].did")
    assert documents(ask, [given[0]["did"]]) == []


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_what_is_gone_or_has_another_revision_changes_nothing(
    ask: Ask, make: Callable[..., list[dict[str, str]]], method: str
) -> None:
    made = make(3)
    stale = ask(method, PATH, json=[target(made[0]), target(made[1]) | {"rev": "00000000"}])
    assert (stale.status_code, stale.json()["details"][0]["field"]) == (409, "records[1]")
    absent = ask(method, PATH, json=[target(made[0]), {"did": str(uuid.uuid4()), "rev": "00000000"}])
    assert (absent.status_code, absent.json()["details"][0]["field"]) == (404, "records[1]")
    found = documents(ask, [each["did"] for each in made])
    assert [each["rev"] for each in found] == [each["rev"] for each in made]


def test_more_than_the_limit_is_refused(ask: Ask, running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running.app, "max_bulk_records", 3)
    given = body(did=str(uuid.uuid4()))
    answer = ask("PATCH", PATH, json={"create": [given, body()], "delete": [{}, {}]})
    assert answer.status_code == 413
    assert documents(ask, [given["did"]]) == []
    assert ask("POST", PATH, json=[body()] * 3).status_code == 200


# -- who may ----------------------------------------------------------------------


@pytest.mark.parametrize(("user", "status"), [(None, 401), ("nobody", 403), ("member", 403), ("admin", 200)])
def test_one_record_that_may_not_be_written_refuses_all(
    ask: Ask, make: Callable[..., list[dict[str, str]]], user: str | None, status: int
) -> None:
    mine, other = make(1, authz=[PROJECT]) + make(1, authz=[ELSEWHERE])
    given = [body(did=str(uuid.uuid4()), authz=[PROJECT]), body(did=str(uuid.uuid4()), authz=[PROJECT, ELSEWHERE])]
    assert ask("POST", PATH, user, json=given).status_code == status
    assert ask("PUT", PATH, user, json=[target(mine), target(other)]).status_code == status
    assert bool(documents(ask, [each["did"] for each in given])) == (status == 200)
    if status == 200:
        mine, other = documents(ask, [mine["did"], other["did"]])
    assert ask("DELETE", PATH, user, json=[target(mine), target(other)]).status_code == status
    assert bool(documents(ask, [mine["did"], other["did"]])) == (status != 200)


def test_a_refusal_names_the_paths(ask: Ask) -> None:
    answer = ask("POST", PATH, "member", json=[body(authz=[PROJECT]), body(authz=[ELSEWHERE]), body()])
    assert ELSEWHERE in answer.json()["message"]
    assert "no project" in answer.json()["message"]
    assert f"{PROJECT}," not in answer.json()["message"]


def test_records_cannot_be_moved_where_the_writer_may_not(ask: Ask, make: Callable[..., list[dict[str, str]]]) -> None:
    [made] = make(1, authz=[PROJECT])
    assert ask("PUT", PATH, "member", json=[target(made, authz=[ELSEWHERE])]).status_code == 403
    assert ask("PUT", PATH, "member", json=[target(made, authz=[PROJECT])]).status_code == 200


# -- many at once -----------------------------------------------------------------


def together(count: int, work: Callable[[int], requests.Response]) -> list[int]:
    """Statuses of requests that start at the same moment."""
    start = threading.Barrier(count)
    statuses: list[int] = []

    def run(number: int) -> None:
        start.wait()
        statuses.append(work(number).status_code)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def test_one_of_many_writers_wins(ask: Ask, make: Callable[..., list[dict[str, str]]]) -> None:
    made = make(50)
    orders = [made, made[::-1]]

    def write(number: int) -> requests.Response:
        if number % 3 == 2:
            single = made[number]
            return ask("PUT", f"/index/index/{single['did']}?rev={single['rev']}", json={"version": f"{number}"})
        return ask("PUT", PATH, json=[target(each, version=f"{number}") for each in orders[number % 2]])

    # Six who write all of the records, and three who write one of them each.
    statuses = together(9, write)
    found = documents(ask, [each["did"] for each in made])
    winners = {each["version"] for each in found}
    assert set(statuses) <= {200, 409}
    assert statuses.count(200) == len(winners - {None})
    if len(winners) == 1:
        assert all(each["rev"] != old["rev"] for each, old in zip(found, made, strict=True))


def test_exactly_one_of_many_bulk_writers_wins(ask: Ask, make: Callable[..., list[dict[str, str]]]) -> None:
    made = make(50)
    statuses = together(
        8,
        lambda n: ask(
            "DELETE" if n % 4 == 3 else "PUT", PATH, json=[target(each) for each in (made if n % 2 else made[::-1])]
        ),
    )
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 404, 409}


def test_of_many_who_create_the_same_records_one_wins(ask: Ask) -> None:
    given = [body(did=str(uuid.uuid4())) for _ in range(200)]
    statuses = together(6, lambda n: ask("POST", PATH, json=given if n % 2 else given[::-1]))
    assert sorted(statuses) == [200, 409, 409, 409, 409, 409]
    assert len(documents(ask, [each["did"] for each in given])) == 200


# -- checksums --------------------------------------------------------------------


def test_records_are_found_by_many_checksums(ask: Ask, make: Callable[..., list[dict[str, str]]]) -> None:
    md5, sha1, absent = uuid.uuid4().hex, f"{uuid.uuid4().hex}00000000", uuid.uuid4().hex
    twins = make(2, hashes={"md5": md5, "sha1": sha1})
    [other] = make(1, hashes={"md5": uuid.uuid4().hex, "sha1": sha1})
    answer = ask("POST", "/index/bulk/hashes", None, json={"md5": [md5, absent, md5], "sha1": [sha1]})
    assert answer.status_code == 200, answer.text
    found = {
        (kind, value): [each["did"] for each in records]
        for kind, values in answer.json().items()
        for value, records in values.items()
    }
    pair = sorted(each["did"] for each in twins)
    assert found == {("md5", md5): pair, ("md5", absent): [], ("sha1", sha1): sorted([*pair, other["did"]])}
    assert answer.json()["md5"][md5] == documents(ask, pair)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "lists of hashes"),
        ({"md5": "x"}, "lists of hashes"),
        ({"md4": []}, "md4 is not one of"),
        ({"md5": ["0" * 32, "0"]}, "md5[1] must be md5"),
        ({"md5": [None]}, "md5[0] must be md5"),
    ],
)
def test_a_faulty_question_is_named(ask: Ask, given: Any, words: str) -> None:
    answer = ask("POST", "/index/bulk/hashes", json=given)
    assert answer.status_code == 400
    assert words in answer.json()["message"]


def test_too_many_checksums_or_records_are_refused(
    ask: Ask, make: Callable[..., list[dict[str, str]]], running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    md5 = uuid.uuid4().hex
    make(3, hashes={"md5": md5})
    monkeypatch.setattr(running.app, "max_bulk_guids", 2)
    assert ask("POST", "/index/bulk/hashes", json={"md5": [md5]}).status_code == 413
    monkeypatch.setattr(running.app, "max_bulk_hashes", 2)
    assert ask("POST", "/index/bulk/hashes", json={"md5": [uuid.uuid4().hex for _ in range(3)]}).status_code == 413
