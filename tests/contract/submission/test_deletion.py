"""Deleting records, and properties of records."""

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.submission_service import POLICIES, SNAPSHOT, Api, aliquot, case, ids, only_error, sample
from tests.tokens import bearer

from commonshub.core.policy import Binding, Permission, Policy, Snapshot, User


def test_g42_a_leaf_is_deleted_at_once(api: Any, name: str) -> None:
    [id_] = ids(api.put(case(name)))
    response = api("DELETE", f"/P/one/entities/{id_}")
    answer = response.json()
    assert (response.status_code, answer["code"], answer["deleted_entity_count"]) == (200, 200, 1)
    assert answer["message"] == "Successfully deleted 1 entity"
    assert name not in api.export("case")


def test_g42_a_parent_is_kept_and_all_dependents_are_named(api: Any, name: str) -> None:
    one, two, three = ids(
        api.put(
            case(name), sample(name, name), {"type": "aliquot", "submitter_id": name, "samples": {"submitter_id": name}}
        )
    )
    answer = api("DELETE", f"/P/one/entities/{one}").json()
    [error] = answer["entities"][0]["errors"]
    assert (answer["code"], error["type"]) == (400, "INVALID_LINK")
    assert error["dependents"] == [{"id": two, "type": "sample"}, {"id": three, "type": "aliquot"}]
    assert set(answer["dependent_ids"].split(",")) == {two, three}
    assert name in api.export("case")
    together = api("DELETE", f"/P/one/entities/{one},{answer['dependent_ids']}").json()
    assert together["deleted_entity_count"] == 3


def test_a_child_with_another_parent_survives(api: Any, name: str) -> None:
    _, first, _, aliquot = ids(
        api.put(
            case(name),
            sample(f"1{name}", name),
            sample(f"2{name}", name),
            {
                "type": "aliquot",
                "submitter_id": name,
                "samples": [{"submitter_id": f"1{name}"}, {"submitter_id": f"2{name}"}],
            },
        )
    )
    assert api("DELETE", f"/P/one/entities/{first}").status_code == 200
    stored = api.export("aliquot")[name]
    assert (stored["id"], [each["submitter_id"] for each in stored["samples"]]) == (aliquot, [f"2{name}"])


def test_deleting_what_is_not_there_changes_nothing(api: Any, name: str) -> None:
    [id_] = ids(api.put(case(name)))
    response = api("DELETE", f"/P/one/entities/{id_},nothing")
    errors = [each["type"] for entity in response.json()["entities"] for each in entity["errors"]]
    assert (response.status_code, errors) == (400, ["NOT_FOUND"])
    assert name in api.export("case")


def test_a_dry_run_of_deleting_changes_nothing(api: Any, name: str) -> None:
    [id_] = ids(api.put(case(name)))
    answer = api("DELETE", f"/P/one/entities/_dry_run/{id_}").json()
    assert answer["message"] == "Dry run successful. Would have deleted 1 entity"
    assert name in api.export("case")


def test_no_child_is_left_without_the_parent_that_it_needs(api: Any, name: str) -> None:
    """A parent is deleted while a child is being linked to it: one of the two is refused."""
    for number in range(12):
        parent = f"{number}{name}"
        [id_] = ids(api.put(case(parent)))
        children = [sample(f"{n}-{parent}", parent) for n in range(20)]
        with ThreadPoolExecutor(2) as pool:
            linked = pool.submit(api.put, *children)
            deleted = pool.submit(api, "DELETE", f"/P/one/entities/{id_}")
        assert linked.result()["success"] is not (deleted.result().status_code == 200)


# -- properties of records ---------------------------------------------------------


def test_properties_are_deleted_and_the_records_stay(api: Any, sql: Any, name: str) -> None:
    one, two = ids(api.put(case(name, primary_site="lung", disease_type="glioma"), case(f"2{name}")))
    before = api.export("case")[name]
    response = api("DELETE", f"/P/one/entities/{one},{two}?fields=primary_site,disease_type")
    answer = response.json()
    assert (response.status_code, answer["success"], answer["deleted_entity_count"]) == (200, True, 0)
    assert answer["message"] == "Successfully deleted primary_site, disease_type of 2 entities"
    assert [entity["action"] for entity in answer["entities"]] == ["update", "update"]
    stored = api.export("case")[name]
    assert stored.keys() & {"primary_site", "disease_type"} == set()
    assert stored["updated_datetime"] > before["updated_datetime"]
    assert stored["experiments"] == before["experiments"]
    snapshots = "select old_props->>'primary_site' from graph.transaction_snapshots where transaction_id = :i"
    assert ("lung",) in sql(snapshots, i=answer["transaction_id"])


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ("submitter_id", "INVALID_PROPERTY"),
        ("project_id", "INVALID_PROPERTY"),
        ("type", "INVALID_PROPERTY"),
        ("state", "INVALID_PROPERTY"),
        ("is_ffpe,nothing", "INVALID_PROPERTY"),
        ("cases", "INVALID_LINK"),
    ],
)
def test_what_a_record_cannot_be_without_is_not_deleted(api: Any, name: str, fields: str, kind: str) -> None:
    api.put(case(name))
    [id_] = ids(api.put(sample(name, name, is_ffpe=True)))
    response = api("DELETE", f"/P/one/entities/{id_}?fields={fields}")
    assert (response.status_code, only_error(response.json())["type"]) == (400, kind)
    assert api.export("sample")[name]["is_ffpe"] is True


def test_a_required_property_and_the_data_object_of_a_file_stay(api: Any, name: str) -> None:
    document = {"type": "reads_file", "submitter_id": name, "file_name": "x", "file_size": 1, "md5sum": "0" * 32}
    [id_] = ids(api.put(document))
    answer = api("DELETE", f"/P/one/entities/{id_}?fields=md5sum,object_id").json()
    assert [error["keys"] for error in answer["entities"][0]["errors"]] == [["md5sum"], ["object_id"]]
    assert api("DELETE", f"/P/one/entities/{id_}").status_code == 200


@pytest.mark.parametrize("fields", ["", "primary_site,", " "])
def test_no_record_is_deleted_for_want_of_a_name(api: Any, name: str, fields: str) -> None:
    [id_] = ids(api.put(case(name)))
    assert api("DELETE", f"/P/one/entities/{id_}?fields={fields}").status_code == 400
    assert name in api.export("case")


def test_a_dry_run_of_deleting_properties_commits_to_just_that(api: Any, name: str) -> None:
    [id_] = ids(api.put(case(name, primary_site="lung")))
    answer = api("DELETE", f"/P/one/entities/_dry_run/{id_}?fields=primary_site").json()
    assert answer["message"] == "Dry run successful. Would have deleted primary_site of 1 entity"
    assert api.export("case")[name]["primary_site"] == "lung"
    assert api("PUT", f"/P/one/transactions/{answer['transaction_id']}/commit").status_code == 200
    assert "primary_site" not in api.export("case")[name]


def test_properties_of_another_project_are_not_reached(
    api: Any, caller: Callable[[str | None], Any], name: str
) -> None:
    [id_] = ids(api.put(case(name, primary_site="lung"), path="/P/two"))
    alice = caller("alice")
    answer = alice("DELETE", f"/P/one/entities/{id_}?fields=primary_site")
    assert (answer.status_code, only_error(answer.json())["type"]) == (400, "NOT_FOUND")
    assert alice("DELETE", f"/P/two/entities/{id_}?fields=primary_site").status_code == 403
    assert api.export("case", "two")[name]["primary_site"] == "lung"


def test_who_may_delete_but_not_change_deletes_no_properties(api: Any, running: Any, token: Any, name: str) -> None:
    [id_] = ids(api.put(case(name, primary_site="lung")))
    deleter = Policy("deleter", frozenset({Permission("sheepdog", "delete")}), frozenset({("programs",)}))
    policies, users = {**POLICIES, "deleter": deleter}, {**SNAPSHOT.users, "dan": User((Binding("deleter"),))}
    running.hold(Snapshot(policies=policies, users=users))
    dan = Api(running.url, bearer(token("dan")))
    asked = [dan("DELETE", f"/P/one/entities/{id_}{query}").status_code for query in ("?fields=primary_site", "")]
    running.hold(SNAPSHOT)
    assert asked == [403, 200]


# -- records that are hidden -------------------------------------------------------


def mark(api: Any, ids: str, flag: str, project: str = "one") -> Any:
    return api("DELETE", f"/admin/P/{project}/entities/{ids}/to_delete/{flag}")


def test_g42_a_record_is_marked_for_the_explorer_and_kept(api: Any, sql: Any, name: str) -> None:
    one, two = ids(api.put(case(name), case(f"2{name}")))
    marks = "select _sysan->'to_delete' from graph.node_case where node_id = any(:i)"
    answer = mark(api, f"{one},{two}", "true")
    assert (answer.status_code, answer.json()["deleted_entity_count"]) == (200, 0)
    assert answer.json()["message"] == "Successfully marked 2 entities as to_delete=true"
    assert sql(marks, i=[one, two]) == [(True,), (True,)]
    assert name in api.export("case")
    assert sql("select key from graph._voided_nodes where node_id = :i", i=one) != []
    assert mark(api, one, "False").status_code == 200
    assert sorted(sql(marks, i=[one, two])) == [(False,), (True,)]


def test_what_is_marked_stays_so_when_it_is_submitted_again(api: Any, sql: Any, name: str) -> None:
    [id_] = ids(api.put(case(name)))
    mark(api, id_, "true")
    api.put(case(name, primary_site="lung"))
    assert sql("select _sysan from graph.node_case where node_id = :i", i=id_) == [({"to_delete": True},)]


def test_what_cannot_be_marked_is_refused(api: Any, caller: Callable[[str | None], Any], sql: Any, name: str) -> None:
    [id_], [other] = ids(api.put(case(name))), ids(api.put(case(name), path="/P/two"))
    assert mark(api, id_, "maybe").json()["message"] == "to_delete value not true or false"
    assert only_error(mark(api, f"{id_},nothing", "true").json())["type"] == "NOT_FOUND"
    assert only_error(mark(api, f"{id_},{other}", "true").json())["type"] == "NOT_FOUND"
    asked = [mark(caller(user), id_, "true").status_code for user in (None, "eve", "bob")]
    assert asked == [401, 403, 403]
    assert mark(caller("alice"), other, "true", "two").status_code == 403
    assert sql("select _sysan from graph.node_case where node_id = any(:i)", i=[id_, other]) == [({},), ({},)]


def test_what_was_saved_with_its_children_comes_back_under_its_ids(api: Any, name: str) -> None:
    """As the page about taking back tells it."""
    file = {"type": "reads_file", "submitter_id": name, "file_name": "x", "file_size": 1, "md5sum": uuid.uuid4().hex}
    one, *_ = ids(
        api.put(
            case(name, consent_codes=["a", "b"]),
            sample(name, name, is_ffpe=True),
            aliquot(name, name),
            {**file, "aliquots": {"submitter_id": name}},
        )
    )
    saved = api("GET", f"/P/one/export?ids={one}&with_children=true&format=json").content
    tried = api("DELETE", f"/P/one/entities/_dry_run/{one}").json()
    # A file can be without its aliquot, and is left.
    kinds = {each["type"] for error in tried["entities"][0]["errors"] for each in error["dependents"]}
    assert kinds == {"sample", "aliquot"}
    assert api("DELETE", f"/P/one/entities/{one},{tried['dependent_ids']}").status_code == 200
    assert name not in api.export("case")
    answer = api("PUT", "/P/one", data=saved).json()
    assert (answer["created_entity_count"], answer["updated_entity_count"]) == (3, 1), answer
    again = api("GET", f"/P/one/export?ids={one}&with_children=true&format=json").json()

    def told(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        dates = ("created_datetime", "updated_datetime")
        return [{key: value for key, value in each.items() if key not in dates} for each in records]

    assert told(again) == told(json.loads(saved))
