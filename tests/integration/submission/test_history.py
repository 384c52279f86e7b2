"""What records and links were is kept as psqlgraph keeps it."""

import re
import uuid
from pathlib import Path
from typing import Any

import pytest

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "submission.md"


@pytest.fixture
def name() -> str:
    return f"h-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def nodes(sql: Any) -> Any:
    """Earlier states of a record: label, properties, annotations, access list, whether made when the record was."""

    def read(id_: str) -> list[Any]:
        query = """select label, properties, system_annotations, acl, voided > created as later
                   from graph._voided_nodes where node_id = :i order by key"""
        return [tuple(row) for row in sql(query, i=id_)]

    return read


@pytest.fixture
def edges(sql: Any) -> Any:
    """Earlier links of a child: label and parent."""

    def read(id_: str) -> list[Any]:
        query = "select label, dst_id from graph._voided_edges where src_id = :i order by key"
        return [tuple(row) for row in sql(query, i=id_)]

    return read


def case(name: str, experiment: str = "e", **more: Any) -> dict[str, Any]:
    return {"type": "case", "submitter_id": name, "experiments": {"submitter_id": experiment}, **more}


def ids(answer: dict[str, Any]) -> list[str]:
    assert answer["success"], answer
    return [entity["id"] for entity in answer["entities"]]


def plain(properties: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in properties.items() if not key.endswith("_datetime")}


def test_what_is_new_has_no_past(api: Any, nodes: Any, edges: Any, name: str) -> None:
    [id_] = ids(api.put(case(name)))
    assert (nodes(id_), edges(id_)) == ([], [])


def test_each_change_keeps_what_was_there_before(api: Any, nodes: Any, sql: Any, name: str) -> None:
    [id_] = ids(api.put(case(name, primary_site="lung")))
    sql("update graph.node_case set _sysan = '{\"a\": 1}', acl = '{open}' where node_id = :i", i=id_)
    for site in ("skin", "eye"):
        api.put(case(name, primary_site=site))
    assert [each["primary_site"] for _, each, *_ in nodes(id_)] == ["lung", "skin"]
    [first, _] = nodes(id_)
    properties = {"submitter_id": name, "project_id": "P-one", "state": "validated", "primary_site": "lung"}
    assert (first[0], plain(first[1]), first[2:]) == ("case", properties, ({"a": 1}, ["open"], True))


def test_an_access_list_that_was_never_written_is_empty(api: Any, nodes: Any, name: str) -> None:
    [id_] = ids(api.put(case(name)))
    api.put(case(name, primary_site="lung"))
    assert nodes(id_)[0][2:4] == ({}, [])


def test_a_link_that_goes_is_kept_and_one_that_stays_is_not(api: Any, edges: Any, name: str) -> None:
    [other] = ids(api.put({"type": "experiment", "submitter_id": name, "projects": {"code": "one"}}))
    [id_] = ids(api.put(case(name, experiment=name)))
    api.put(case(name, experiment=name, primary_site="lung"))
    assert edges(id_) == []
    api.put(case(name))
    assert edges(id_) == [("member_of", other)]


def test_a_link_that_stays_is_not_written_anew(api: Any, sql: Any, name: str) -> None:
    [id_] = ids(api.put(case(name)))
    version = "select xmin::text, ctid::text from graph.edge_casememberofexperiment where src_id = :i"
    before = sql(version, i=id_)
    assert ids(api.put(case(name, primary_site="lung"))) == [id_]
    assert sql(version, i=id_) == before


def test_the_end_of_a_record_keeps_it_with_all_its_links(api: Any, nodes: Any, edges: Any, name: str) -> None:
    parent, child = ids(api.put(case(name), {"type": "sample", "submitter_id": name, "cases": {"submitter_id": name}}))
    assert api("DELETE", f"/P/one/entities/{parent},{child}").status_code == 200
    assert [len(nodes(id_)) for id_ in (parent, child)] == [1, 1]
    assert edges(child) == [("derived_from", parent)]
    assert [label for label, _ in edges(parent)] == ["member_of"]


@pytest.mark.parametrize("path", ["/P/one/_dry_run", "/P/one"])
def test_what_is_only_tried_or_refused_leaves_no_past(api: Any, nodes: Any, name: str, path: str) -> None:
    [id_] = ids(api.put(case(name)))
    fault = [] if path.endswith("_dry_run") else [case("x", foo=1)]
    api.put(case(name, primary_site="lung"), *fault, path=path)
    assert nodes(id_) == []


def test_a_past_of_long_ago_can_be_deleted_as_the_reference_says(api: Any, nodes: Any, sql: Any, name: str) -> None:
    [command] = re.findall(r"`(delete from graph\._voided_nodes .*?)`", REFERENCE.read_text())
    old, young = ids(api.put(case(f"1{name}"), case(f"2{name}")))
    api.put(case(f"1{name}", primary_site="lung"), case(f"2{name}", primary_site="lung"))
    sql("update graph._voided_nodes set voided = now() - interval '2 years' where node_id = :i", i=old)
    sql(command)
    assert (len(nodes(old)), len(nodes(young))) == (0, 1)


def test_programs_and_projects_have_a_past(api: Any, nodes: Any, sql: Any, name: str) -> None:
    name = name.replace("-", "")
    program = {"type": "program", "name": name, "dbgap_accession_number": "1"}
    program_id = api("PUT", "/", program).json()["id"]
    api("PUT", "/", {**program, "dbgap_accession_number": "2"})
    project = {"type": "project", "code": name, "name": "first", "dbgap_accession_number": "1"}
    project_id = api("PUT", f"/{name}", project).json()["entities"][0]["id"]
    api("PUT", f"/{name}", {**project, "name": "second"})
    for step in ("review", "open"):
        assert api("PUT", f"/{name}/{name}/{step}").status_code == 200
    assert api("DELETE", f"/{name}/{name}").status_code == 204
    assert api("DELETE", f"/{name}").status_code == 204
    assert [each["dbgap_accession_number"] for _, each, *_ in nodes(program_id)] == ["1", "2"]
    told = [(each["name"], each["state"]) for _, each, *_ in nodes(project_id)]
    assert told == [("first", "open"), ("second", "open"), ("second", "review"), ("second", "open")]
    assert sql("select label from graph._voided_edges where src_id = :i", i=project_id) == [("member_of",)]
