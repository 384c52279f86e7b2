"""Saved sets: Arranger's mutation, filters that name a set, whose it is, and how large."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.waiting import eventually

from commonshub.auth.app import HEAD, SCRIPTS
from commonshub.auth.authz import people
from commonshub.auth.users import store as users
from commonshub.core.database import migrate
from commonshub.core.policy import Snapshot

from .conftest import Explorer, rights

SETTINGS = {"max_sets": 3, "max_set_size": 3}
SAVE = """mutation($sqon: JSON!, $path: String!) { saveSet(type: case, sqon: $sqon, path: $path) {
  setId createdAt ids path size type userId } }"""
SETS = "{ sets { hits(first: 100) { total edges { node { setId createdAt path size type userId } } } } }"
DELETE = "mutation($ids: [String!]!) { deleteSets(setIds: $ids) }"
NAMES = "query($f: JSON) { %s(filter: $f, first: 100) { %s } }"


def leaf(op: str, name: str, value: Any) -> Any:
    return {"op": op, "content": {"fieldName": name, "value": value}}


def sex(*values: str) -> Any:
    return {"op": "and", "content": [leaf("in", "sex", values)]}


def save(explorer: Explorer, user: str | None, sqon: Any, path: str = "submitter_id") -> Any:
    return explorer.query(SAVE, user, sqon=sqon, path=path)["saveSet"]


def told(answer: requests.Response) -> tuple[Any, str]:
    """Code and message of the one error of an answer."""
    (error,) = answer.json()["errors"]
    return error["extensions"]["code"], error["message"]


def refused(explorer: Explorer, user: str | None, text: str, **variables: Any) -> tuple[Any, str]:
    return told(explorer.post("graphql", {"query": text, "variables": variables}, user))


def names(explorer: Explorer, filter: Any, user: str = "all", doc_type: str = "case") -> list[str]:
    field = "file_name" if doc_type == "file" else "submitter_id"
    return sorted(each[field] for each in explorer.query(NAMES % (doc_type, field), user, f=filter)[doc_type])


def listed(explorer: Explorer, user: str | None) -> Any:
    hits = explorer.query(SETS, user)["sets"]["hits"]
    found = [edge["node"] for edge in hits["edges"]]
    assert hits["total"] == len(found)
    return found


@pytest.fixture(autouse=True)
def _no_sets(explorer: Explorer) -> None:
    policies = {name: ["/programs"] for name in ("all", "equal", "fickle")}
    explorer.running.hold(rights(**policies, one=["/programs/P/projects/one"]))
    for user in (*policies, "one"):
        explorer.query(DELETE, user, ids=[each["setId"] for each in listed(explorer, user)])


def test_a_set_is_the_texts_that_documents_have(explorer: Explorer) -> None:
    found = save(explorer, "all", sex("male", "female"))
    assert {key: found[key] for key in ("ids", "path", "size", "type", "userId")} == {
        "ids": ["c1", "c2"], "path": "submitter_id", "size": 2, "type": "case", "userId": "all",
    }  # fmt: skip
    del found["ids"]
    assert listed(explorer, "all") == [found]


def test_a_set_is_named_in_filters_of_either_grammar(explorer: Explorer) -> None:
    name = "set_id:" + save(explorer, "all", sex("male", "female"))["setId"]
    for filter, expected in (
        (leaf("in", "submitter_id", [name]), "c1 c2"),
        (leaf("in", "submitter_id", name), "c1 c2"),
        (leaf("in", "submitter_id", ["c4", name]), "c1 c2 c4"),
        (leaf("in", "submitter_id", [name, "*4"]), "c1 c2 c4"),
        (leaf("not-in", "submitter_id", [name]), "c3 c4"),
        (leaf("in", "samples.submitter_id", [name]), ""),
        ({"op": "not", "content": [leaf("in", "submitter_id", [name])]}, "c3 c4"),
        ({"AND": [{"IN": {"submitter_id": [name]}}, {">": {"age": 50}}]}, "c1"),
        ({"=": {"submitter_id": name}}, "c1 c2"),
        ({"!=": {"submitter_id": name}}, "c3 c4"),
        ({"linked": {"type": "case", "field": "_case_id", "filter": {"=": {"submitter_id": name}}}}, "c1 c2"),
    ):
        assert names(explorer, filter) == expected.split(), filter
    query = f'{{ case(filter: {{op: "in", content: {{fieldName: "submitter_id", value: ["{name}"]}}}}) {{ sex }} }}'
    assert len(explorer.query(query)["case"]) == 2


def test_a_set_of_one_type_chooses_documents_of_another(explorer: Explorer) -> None:
    name = "set_id:" + save(explorer, "all", sex("intersex"), "_case_id")["setId"]
    filter = leaf("in", "_case_id", [name])
    assert names(explorer, filter, doc_type="file") == ["secret.dcm"]
    download = explorer.post("download", {"type": "file", "fields": ["file_name"], "filter": filter})
    assert download.json() == [{"file_name": "secret.dcm"}]


def test_a_set_is_nobody_elses(explorer: Explorer) -> None:
    found = save(explorer, "all", sex("male"))["setId"]
    filter = leaf("in", "submitter_id", [f"set_id:{found}"])
    assert names(explorer, filter) == ["c2"]
    for user in ("equal", "one", None):
        code, message = refused(explorer, user, NAMES % ("case", "sex"), f=filter)
        assert (code, f"no saved set {found!r}" in message) == ("BAD_USER_INPUT", True)
        assert explorer.post("download", {"type": "case", "filter": filter}, user).status_code == 400
    assert listed(explorer, "equal") == []
    assert explorer.query(DELETE, "equal", ids=[found]) == {"deleteSets": 0}
    assert names(explorer, filter) == ["c2"]


def test_a_set_gives_no_right_to_its_documents(explorer: Explorer) -> None:
    found = save(explorer, "fickle", sex("male", "intersex"))["setId"]
    filter = leaf("in", "submitter_id", [f"set_id:{found}"])
    assert names(explorer, filter, "fickle") == ["c2", "c4"]
    explorer.running.hold(rights(fickle=["/programs/P/projects/one"]))
    assert names(explorer, filter, "fickle") == ["c2"]
    assert explorer.count(filter, user="fickle") == 1
    explorer.running.hold(Snapshot())
    assert names(explorer, filter, "fickle") == []


def test_only_what_the_caller_may_read_goes_into_a_set(explorer: Explorer) -> None:
    assert save(explorer, "one", {})["ids"] == ["c1", "c2", "c3"]
    name = "set_id:" + save(explorer, "all", sex("intersex"))["setId"]
    assert save(explorer, "all", leaf("in", "submitter_id", [name, "c1"]))["ids"] == ["c1", "c4"]


def test_sets_are_limited_in_size_and_number(explorer: Explorer) -> None:
    code, message = refused(explorer, "all", SAVE, sqon={}, path="submitter_id")
    assert (code, "max_set_size" in message) == ("BAD_USER_INPUT", True)
    saved = [save(explorer, "all", sex("male"))["setId"] for _ in range(3)]
    code, message = refused(explorer, "all", SAVE, sqon=sex("male"), path="submitter_id")
    assert (code, "max_sets" in message, "deleteSets" in message) == ("BAD_USER_INPUT", True, True)
    assert [each["setId"] for each in listed(explorer, "all")] == saved[::-1]
    assert explorer.query(DELETE, ids=[*saved[:2], saved[0], "x", "\0"]) == {"deleteSets": 2}
    assert [each["setId"] for each in listed(explorer, "all")] == saved[2:]
    save(explorer, "one", sex("male"))


def test_a_deleted_set_is_gone_at_once(explorer: Explorer) -> None:
    found = save(explorer, "all", sex("male"))["setId"]
    filter = leaf("in", "submitter_id", [f"set_id:{found}"])
    assert names(explorer, filter) == ["c2"]
    explorer.query(DELETE, ids=[found])
    code, _ = refused(explorer, "all", NAMES % ("case", "sex"), f=filter)
    assert code == "BAD_USER_INPUT"


def test_sets_go_with_the_account_and_not_to_the_next_of_the_name(
    explorer: Explorer, token: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, schema = explorer.running.app.database, explorer.running.app.schema
    migrate(database.engine, "auth", SCRIPTS, HEAD)
    minted = {"account": 0}
    monkeypatch.setattr(explorer, "_token", lambda user: token(user, sub=str(minted["account"])))

    def come() -> None:
        minted["account"] = database.call(users.admit, "auth", "all", True).id

    come()
    found = save(explorer, "all", sex("male"))["setId"]
    database.call(people.delete_user, "auth", "all", "hub", 60.0)
    come()
    assert listed(explorer, "all") == []
    assert explorer.query(DELETE, ids=[found]) == {"deleteSets": 0}
    code, message = refused(explorer, "all", NAMES % ("case", "sex"), f={"IN": {"submitter_id": [f"set_id:{found}"]}})
    assert (code, "no saved set" in message) == ("BAD_USER_INPUT", True)
    own = save(explorer, "all", sex("female"))["setId"]
    kept = sa.text(f"select id from {schema}.saved_set")
    eventually(lambda: database.call(lambda connection: connection.execute(kept).scalars().all()) == [own])
    # Without users, tokens of the other tests stand for accounts again.
    database.call(lambda connection: connection.execute(sa.text("drop schema auth cascade")))


@pytest.mark.parametrize("text", [SAVE, SETS, DELETE], ids=["save", "list", "delete"])
def test_nobody_has_no_sets(explorer: Explorer, text: str) -> None:
    code, message = refused(explorer, None, text, sqon={}, path="submitter_id", ids=[])
    assert (code, "Sign in" in message) == (401, True)


@pytest.mark.parametrize(
    ("sqon", "path", "word"),
    [
        (sex("male"), "nope", "nope"),
        (sex("male"), "age", "age"),
        (sex("male"), "samples.submitter_id", "samples.submitter_id"),
        (leaf("in", "nope", ["x"]), "submitter_id", "nope"),
        (leaf("in", "age", ["set_id:00000000-0000-4000-8000-000000000000"]), "submitter_id", "number"),
        (leaf("in", "sex", ["set_id:mine"]), "submitter_id", "mine"),
    ],
    ids=str,
)
def test_a_wrong_set_is_refused(explorer: Explorer, sqon: Any, path: str, word: str) -> None:
    code, message = refused(explorer, "all", SAVE, sqon=sqon, path=path)
    assert (code, word in message) == ("BAD_USER_INPUT", True)
    assert listed(explorer, "all") == []


def test_a_request_saves_one_set_and_names_a_few(explorer: Explorer) -> None:
    field = 'saveSet(type: case, sqon: {op: "in", content: {fieldName: "sex", value: "male"}}, path: "sex") { size }'
    _, message = refused(explorer, "all", f"mutation {{ a: {field} b: {field} }}")
    assert "one set" in message
    ids = [f"set_id:{number:08}-0000-4000-8000-000000000000" for number in range(11)]
    answer = explorer.post("graphql", {"query": NAMES % ("case", "sex"), "variables": {"f": {"IN": {"sex": ids}}}})
    assert (answer.status_code, "10 saved sets" in answer.text) == (400, True)


def test_the_list_is_never_an_old_one(explorer: Explorer) -> None:
    assert listed(explorer, "all") == []
    save(explorer, "all", sex("male"))
    assert len(listed(explorer, "all")) == 1
    assert "saveSet" not in json.dumps(listed(explorer, "equal"))
    assert listed(explorer, "equal") == []
