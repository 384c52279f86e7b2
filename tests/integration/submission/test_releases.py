"""Releases: a project frozen at a moment, read, compared, and never changed again."""

import json
import re
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import orjson
import pytest
import requests
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.checksums import published
from tests.submission_service import SMALL, SNAPSHOT, Api
from tests.waiting import eventually

from commonshub.submission.app import SubmissionApp

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
LABELS = ("project", "experiment", "case", "sample", "aliquot")
WITHIN_S = 60


@pytest.fixture(scope="module")
def running(run_service: Callable[..., Any]) -> Any:
    limits = {"export_page_rows": 3, "report_s": 0.05, "lapse_s": 0.5}
    running = run_service(SubmissionApp, Commons={"dictionary": str(SMALL)}, SubmissionApp=limits)
    running.hold(SNAPSHOT)
    return running


class Project:
    """A project with a few records, as the administrator sees it."""

    def __init__(self, api: Api, *, empty: bool = False) -> None:
        self.api = api
        self.code = f"r-{uuid.uuid4().hex[:8]}"
        self.path = f"/P/{self.code}"
        project = {"type": "project", "code": self.code, "name": self.code, "dbgap_accession_number": self.code}
        assert api("PUT", "/P", project).status_code == 200
        if not empty:
            self.fill()

    def fill(self) -> None:
        self.put(
            {"type": "experiment", "submitter_id": "e", "projects": {"code": self.code}},
            *(case(name, primary_site="lung") for name in ("a", "b", "c", "d")),
            {"type": "sample", "submitter_id": "s", "cases": {"submitter_id": "a"}, "longest_dimension": 1e-7},
            {"type": "sample", "submitter_id": "t", "cases": {"submitter_id": "b"}, "longest_dimension": 1e21},
            {"type": "aliquot", "submitter_id": "x", "samples": [{"submitter_id": "s"}, {"submitter_id": "t"}]},
        )

    def put(self, *documents: Any) -> list[str]:
        answer = self.api.put(*documents, path=self.path)
        assert answer["success"], answer
        return [each["id"] for each in answer["entities"]]

    def id(self, label: str, name: str) -> str:
        return str(self.api.export(label, self.code)[name]["id"])

    def delete(self, *ids: str) -> None:
        answer = self.api("DELETE", f"{self.path}/entities/{','.join(ids)}")
        assert answer.status_code == 200, answer.text

    def freeze(self, **words: str) -> dict[str, Any]:
        answer = self.api("POST", f"{self.path}/releases", words)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def get(self, rest: str, **arguments: str) -> requests.Response:
        return self.api("GET", f"{self.path}/releases{rest}", params=arguments)

    def exported(self, release: str, kind: str = "json", **more: str) -> dict[str, bytes]:
        answers = {each: self.get(f"/{release}/export", node_label=each, format=kind, **more) for each in LABELS}
        assert {each.status_code for each in answers.values()} == {200}
        return {label: answer.content for label, answer in answers.items()}

    def diff(self, release: str, **arguments: str) -> dict[str, Any]:
        answer = self.get(f"/{release}/diff", **arguments)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def case(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "case", "submitter_id": name, "experiments": {"submitter_id": "e"}, **more}


@pytest.fixture
def project(api: Api) -> Project:
    return Project(api)


# -- freezing ------------------------------------------------------------------


def test_a_release_is_told_of_with_counts_and_checksum(project: Project) -> None:
    made = project.freeze(name="First", notes="All of it")
    del made["transaction_id"]
    assert (made["id"], made["number"]) == (f"P-{project.code}-1", 1)
    assert (made["name"], made["notes"], made["created_by"]) == ("First", "All of it", "admin")
    assert made["counts"] == {"project": 1, "experiment": 1, "case": 4, "sample": 2, "aliquot": 1}
    assert made["link_counts"] == {
        "project.programs": 1,
        "experiment.projects": 1,
        "case.experiments": 4,
        "sample.cases": 2,
        "aliquot.samples": 2,
    }
    assert re.fullmatch("[0-9a-f]{64}", made["checksum"])
    assert project.get(f"/{made['id']}").json() == made
    assert project.get("").json() == {"releases": [made]}


def test_what_is_frozen_again_has_the_same_checksum_and_the_next_number(project: Project) -> None:
    first, second = project.freeze(), project.freeze()
    assert (first["checksum"], second["number"]) == (second["checksum"], 2)
    project.put(case("a", primary_site="skin"))
    assert project.freeze()["checksum"] != first["checksum"]
    assert [each["number"] for each in project.get("").json()["releases"]] == [3, 2, 1]


@pytest.mark.parametrize("kind", ["json", "tsv", "csv"])
def test_a_release_stays_as_it_was_whatever_becomes_of_the_project(project: Project, kind: str) -> None:
    release = project.freeze()["id"]
    before = project.exported(release, kind)
    for label in LABELS:
        assert before[label] == project.api("GET", f"{project.path}/export?node_label={label}&format={kind}").content
    moved = {"type": "sample", "submitter_id": "s", "cases": {"submitter_id": "b"}}
    project.put(case("a", primary_site="skin"), case("new"), moved)
    project.delete(project.id("aliquot", "x"), project.id("sample", "t"), project.id("case", "d"))
    assert project.exported(release, kind) == before


def test_an_export_of_a_release_can_be_submitted_to_an_empty_project(project: Project, api: Api) -> None:
    release = project.freeze()["id"]
    tables = project.exported(release, "tsv", without_id="true")
    other = Project(api, empty=True)
    for label in LABELS[1:]:
        table = tables[label].replace(project.code.encode(), other.code.encode())
        assert api.table(table, path=other.path)["success"]
    assert other.freeze()["counts"] == project.get(f"/{release}").json()["counts"]


def test_a_release_comes_as_a_workbook_too(project: Project, api: Api) -> None:
    release = project.freeze()["id"]
    book = project.get(f"/{release}/export", node_label="case", format="xlsx")
    assert (book.status_code, book.headers["Content-Type"]) == (200, XLSX)
    project.delete(project.id("case", "c"))
    assert project.get(f"/{release}/export", node_label="case", format="xlsx").status_code == 200
    sent = api("PUT", project.path, data=book.content, headers={"Content-Type": XLSX}).json()
    assert (sent["created_entity_count"], sent["updated_entity_count"]) == (1, 3)


def test_the_checksum_can_be_computed_again_from_the_export(project: Project) -> None:
    project.put(case('ü\u2028\x7f"\\', consent_codes=["z", "ä"]))
    made = project.freeze()
    checksum = published()["checksum"]
    exports = {label: data.decode() for label, data in project.exported(made["id"]).items()}
    assert checksum(exports.values()) == made["checksum"]
    exports["case"] = exports["case"].replace("lung", "long", 1)
    assert checksum(exports.values()) != made["checksum"]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(value=VALUES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_line_of_the_checksum_is_what_the_database_hashes(sql: Any, value: Any) -> None:
    query = "select jsonb_strip_nulls(cast(:v as jsonb))::text, cast(:v as jsonb)::text"
    [(line, stored)] = sql(query, v=json.dumps(value))
    exported = orjson.dumps(orjson.loads(stored)).decode()
    assert published()["canonical"](json.loads(exported, parse_float=Decimal)) == line


@pytest.mark.parametrize(
    "statement",
    [
        "update release.release_nodes set _props = '{}'",
        "delete from release.release_edges",
        "truncate release.release_nodes",
        "update release.releases set name = 'x'",
        "delete from release.releases",
        "truncate release.releases",
    ],
)
def test_the_database_itself_refuses_to_change_a_release(project: Project, sql: Any, statement: str) -> None:
    project.freeze()
    with pytest.raises(sa.exc.DBAPIError, match="a release never changes"):
        sql(statement)


def test_a_project_with_releases_is_not_deleted(api: Api) -> None:
    project = Project(api, empty=True)
    project.freeze()
    answer = api("DELETE", project.path)
    assert (answer.status_code, "it has releases" in answer.json()["message"]) == (400, True)
    assert len(project.get("").json()["releases"]) == 1


def test_projects_of_an_older_commons_that_share_an_id_are_not_frozen(api: Api, sql: Any) -> None:
    """Nobody could tell their records apart."""
    tag = uuid.uuid4().hex[:8]
    for program, code in ((tag, "B-C"), (f"{tag}-B", "C")):
        ids = {"p": f"{program}-p", "q": f"{program}-q", "name": program, "code": code}
        node = "insert into graph.node_{} (node_id, _props) values (:{}, jsonb_build_object('{}', cast(:{} as text)))"
        sql(node.format("program", "p", "name", "name"), **ids)
        sql(node.format("project", "q", "code", "code"), **ids)
        sql("insert into graph.edge_projectmemberofprogram (src_id, dst_id) values (:q, :p)", **ids)
    answer = api("POST", f"/{tag}/B-C/releases", {})
    assert (answer.status_code, "Two projects have the id" in answer.json()["message"]) == (409, True)
    assert api("GET", f"/{tag}/B-C/releases").json() == {"releases": []}


# -- beside others -------------------------------------------------------------


def test_two_who_freeze_at_once_get_a_release_each(project: Project) -> None:
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda _: project.freeze(), range(4)))
    assert sorted(each["number"] for each in made) == [1, 2, 3, 4]
    assert len({each["checksum"] for each in made}) == 1


def test_of_a_submission_under_way_a_release_has_nothing(project: Project, sql: Any, held: threading.Event) -> None:
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(
            project.put, case("late"), {"type": "sample", "submitter_id": "l", "cases": {"submitter_id": "late"}}
        )
        waiting = (
            "select count(*) from pg_stat_activity where state = 'idle in transaction' and datname = current_database()"
        )
        eventually(lambda: sql(waiting)[0][0])
        without = project.freeze()["counts"]
        held.set()
        work.result(WITHIN_S)
    whole = project.freeze()["counts"]
    assert (without["case"], without["sample"]) == (4, 2)
    assert (whole["case"], whole["sample"]) == (5, 3)


def test_how_far_it_is_can_be_asked(project: Project) -> None:
    answer = project.api("POST", f"{project.path}/releases?async=true", {"name": "n"})
    assert answer.status_code == 202
    path = f"{project.path}/transactions/{answer.json()['transaction_id']}"
    eventually(lambda: project.api("GET", path).json()["stage"] == "done", WITHIN_S)
    found = project.api("GET", path).json()
    assert (found["state"], found["role"]) == ("SUCCEEDED", "release")
    [release] = project.get("").json()["releases"]
    assert (found["answer"]["release"], found["rows_written"]) == (release, 20)


# -- comparing -----------------------------------------------------------------


def test_nothing_differs_from_what_was_frozen(project: Project) -> None:
    release = project.freeze()["id"]
    same = project.freeze()["id"]
    for to in (same, "current"):
        assert project.diff(release, to=to) == {"from": release, "to": to, "changes": [], "counts": {}}


@pytest.fixture
def changed(project: Project) -> tuple[Project, str, str]:
    """A project with two releases and what lies between them."""
    first = project.freeze()["id"]
    project.put(case("a", primary_site="skin", disease_type="glioma"), case("new"))
    project.put({"type": "sample", "submitter_id": "s", "cases": {"submitter_id": "b"}})
    project.delete(project.id("case", "d"))
    return project, first, project.freeze()["id"]


def test_a_diff_tells_records_properties_and_links(changed: tuple[Project, str, str]) -> None:
    project, first, second = changed
    told = project.diff(first, to=second)
    assert told["counts"] == {
        "case": {"added": 1, "removed": 1, "changed": 1},
        "sample": {"added": 0, "removed": 0, "changed": 1},
    }
    found = {(each["type"], each["submitter_id"]): each for each in told["changes"]}
    assert {key: each["change"] for key, each in found.items()} == {
        ("case", "a"): "changed",
        ("case", "d"): "removed",
        ("case", "new"): "added",
        ("sample", "s"): "changed",
    }
    properties = found["case", "a"]["properties"]
    assert properties.pop("updated_datetime")
    assert properties == {
        "primary_site": {"old": "lung", "new": "skin"},
        "disease_type": {"old": None, "new": "glioma"},
    }
    [gone], [come] = (found["sample", "s"]["links"]["cases"][key] for key in ("removed", "added"))
    assert (gone["submitter_id"], come["submitter_id"]) == ("a", "b")
    assert come["node_id"] == project.id("case", "b")


def test_a_diff_to_now_and_backwards(changed: tuple[Project, str, str]) -> None:
    project, first, second = changed
    now, told = project.diff(first), project.diff(first, to=second)
    assert (now["to"], now["changes"]) == ("current", told["changes"])
    counts = project.diff(second, to=first, summary="true")
    assert counts["counts"] == told["counts"]
    assert "changes" not in counts


def test_a_diff_as_a_table(changed: tuple[Project, str, str]) -> None:
    project, first, second = changed
    answer = project.get(f"/{first}/diff", to=second, format="tsv")
    assert answer.headers["Content-Type"].startswith("text/tab-separated-values")
    header, *lines = [line.split("\t") for line in answer.text.splitlines()]
    assert header == ["type", "id", "submitter_id", "change", "property", "old", "new"]
    told = [(line[0], *line[2:]) for line in lines if line[4] != "updated_datetime"]
    assert sorted(told) == [
        ("case", "a", "changed", "disease_type", "", "glioma"),
        ("case", "a", "changed", "primary_site", "lung", "skin"),
        ("case", "d", "removed", "", "", ""),
        ("case", "new", "added", "", "", ""),
        ("sample", "s", "changed", "cases", "a", "b"),
    ]
    counts = project.get(f"/{first}/diff", to=second, format="tsv", summary="true").text
    assert counts == "type\tadded\tremoved\tchanged\ncase\t1\t1\t1\nsample\t0\t0\t1\n"


def test_a_diff_of_one_type(changed: tuple[Project, str, str]) -> None:
    project, first, second = changed
    assert list(project.diff(first, to=second, node_label="sample")["counts"]) == ["sample"]


# -- who may, and what is refused ----------------------------------------------


def test_only_who_may_release_freezes_and_only_who_may_read_sees(api: Api, caller: Callable[..., Api]) -> None:
    made = api("POST", "/P/one/releases", {"name": "n"}).json()
    reader, other = caller("alice"), caller("bob")
    assert reader("POST", "/P/one/releases", {}).status_code == 403
    assert reader("GET", f"/P/one/releases/{made['id']}").status_code == 200
    for rest in ("", f"/{made['id']}", f"/{made['id']}/export?node_label=case", f"/{made['id']}/diff", "/P-one-99"):
        assert other("GET", f"/P/one/releases{rest}").status_code == 403
        assert caller(None)("GET", f"/P/one/releases{rest}").status_code == 401


def test_a_release_of_another_project_is_not_there(project: Project, caller: Callable[..., Api]) -> None:
    release = project.freeze()["id"]
    reader = caller("alice")
    assert reader("GET", f"{project.path}/releases/{release}").status_code == 403
    for rest in (release, f"{release}/export?node_label=case", f"{release}/diff", f"{release}/diff?to=current"):
        assert reader("GET", f"/P/one/releases/{rest}").status_code == 404
    own = project.api("POST", "/P/one/releases", {}).json()["id"]
    assert reader("GET", f"/P/one/releases/{own}/diff?to={release}").status_code == 404


@pytest.mark.parametrize(
    "id_",
    ["P-one-0", "' or true --", "%", "../../two", "1", "P-one-1;drop table release.releases", "é" * 500, "P-one-1%00"],
)
def test_an_id_that_is_none_is_not_found(api: Api, id_: str) -> None:
    quoted = requests.utils.quote(id_, safe="%") if "%00" in id_ else requests.utils.quote(id_, safe="")
    answers = [api("GET", f"/P/one/releases/{quoted}{rest}") for rest in ("/export?node_label=case", "/diff")]
    assert {answer.status_code for answer in answers} <= {400, 404}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ([], "JSON object"),
        ({"name": 1}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"notes": "a\0b"}, "notes"),
        ({"id": "mine"}, "'id'"),
    ],
)
def test_a_faulty_request_is_told_what_is_wrong_and_freezes_nothing(project: Project, body: Any, told: str) -> None:
    answer = project.api("POST", f"{project.path}/releases", body)
    assert answer.status_code == 400
    assert told in answer.json()["message"]
    assert project.get("").json() == {"releases": []}


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        ("export?node_label=program", "program"),
        ("export?node_label=nonsense", "nonsense"),
        ("export", "node_label"),
        ("export?node_label=case&format=xml", "format"),
        ("diff?format=csv", "format"),
        ("diff?node_label=nonsense", "nonsense"),
    ],
)
def test_what_cannot_be_read_is_said(project: Project, rest: str, told: str) -> None:
    answer = project.api("GET", f"{project.path}/releases/{project.freeze()['id']}/{rest}")
    assert (answer.status_code, told in answer.json()["message"]) == (400, True)


def test_a_project_that_is_not_there_has_no_releases(api: Api) -> None:
    assert api("GET", "/P/nowhere/releases").status_code == 404
    assert api("POST", "/P/nowhere/releases", {}).status_code == 404
