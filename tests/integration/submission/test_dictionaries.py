"""The dictionary is changed while submission and query go on working."""

import copy
import json
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.dictionary_changes import ORIGINAL, WITHIN_S, Changes, Files, case, changes, files, tag
from tests.integration.query.conftest import GRAPHQL
from tests.submission_service import SMALL, SNAPSHOT, Api
from tests.tokens import bearer
from tests.waiting import eventually

from commonshub.query.app import QueryApp
from commonshub.submission.app import SubmissionApp

__all__ = ["changes", "files", "tag"]

SHOWN = 3
EVENTS = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def running(run_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    settings = {
        "report_s": 0.05, "max_previewed_records": SHOWN, "max_dictionary_bytes": 200_000, "dictionary_wait_s": 0.5,
        "chunk_records": 100, "memory_bytes": 1000,
    }  # fmt: skip
    source = tmp_path_factory.mktemp("source") / "dictionary.json"
    source.write_text(json.dumps(ORIGINAL))
    running = run_service(SubmissionApp, Commons={"dictionary": str(source)}, SubmissionApp=settings)
    running.hold(SNAPSHOT)
    return running


@pytest.fixture(scope="module")
def query(run_service: Callable[..., Any], api: Api) -> Any:
    running = run_service(QueryApp, Commons={"dictionary": str(SMALL)})
    running.hold(SNAPSHOT)
    return running


def ask(query: Any, token: Callable[..., str], text: str) -> Any:
    headers = bearer(token("admin"))
    return requests.post(query.url + GRAPHQL, json={"query": text}, headers=headers, timeout=WITHIN_S).json()


# -- in force without a restart -----------------------------------------------------


def test_a_new_property_is_taken_and_found_at_once(
    api: Api, query: Any, token: Callable[..., str], changes: Changes, files: Files, tag: str
) -> None:
    heavy = case(tag, weight=70)
    text = f'{{ case(submitter_id: "{tag}") {{ weight }} }}'
    assert not api.put(heavy)["success"]
    assert ask(query, token, text)["errors"]
    files["case.yaml"]["properties"]["weight"] = {"type": "integer"}
    seen = changes.seen(files)
    assert [(each["names"], each["effect"]) for each in seen["difference"]["changes"]] == [(["weight"], "wider")]
    assert (seen["invalid_record_count"], seen["needs_force"]) == (0, False)
    answer = changes.put(files, seen)
    assert (answer.status_code, answer.json()["number"]) == (200, seen["after"] + 1), answer.text
    assert api.put(heavy)["success"]
    eventually(lambda: ask(query, token, text).get("data") == {"case": [{"weight": 70}]}, WITHIN_S)
    assert api("GET", "/_dictionary/case").json()["properties"]["weight"] == {"type": "integer"}
    assert "weight" in api("GET", "/template/case").text
    assert api.export("case")[tag]["weight"] == 70


def test_a_new_node_type_has_its_tables_at_once(
    api: Api, query: Any, token: Callable[..., str], changes: Changes, files: Files, tag: str
) -> None:
    visit = copy.deepcopy(files["sample.yaml"])
    visit |= {"id": "visit", "title": "Visit"}
    visit["properties"]["type"] = {"enum": ["visit"]}
    visit["links"][0]["backref"] = "visits"
    files["visit.yaml"] = visit
    changes.apply(files)
    assert api.put(case(tag), {"type": "visit", "submitter_id": tag, "cases": {"submitter_id": tag}})["success"]
    text = f'{{ case(submitter_id: "{tag}") {{ visits {{ submitter_id }} }} }}'
    found = {"case": [{"visits": [{"submitter_id": tag}]}]}
    eventually(lambda: ask(query, token, text).get("data") == found, WITHIN_S)


def test_the_source_is_read_again_and_an_earlier_version_comes_back(
    api: Api, running: Any, changes: Changes, files: Files
) -> None:
    first = changes.versions()[0]["number"]
    files["case.yaml"]["properties"]["weight"] = {"type": "integer"}
    source = Path(running.app.commons.dictionary)
    source.write_text(json.dumps(files))
    assert changes.apply()["number"] == first + 1
    assert changes.apply(query=f"version={first}")["number"] == first + 2
    assert "weight" not in api("GET", "/_dictionary/case").json()["properties"]
    told = [(each["number"] - first, each["whence"], each["applied_by"]) for each in changes.versions()[:3]]
    assert told[:2] == [(2, f"version {first}", "admin"), (1, "source", "admin")]
    source.write_text(json.dumps(ORIGINAL))
    assert api("GET", "/_version").json()["dictionary"] == {
        "version": str(first + 2),
        "commit": changes.versions()[0]["digest"],
    }


# -- records that would not be valid any more --------------------------------------


def test_records_that_become_invalid_are_counted_and_named(api: Api, changes: Changes, files: Files, tag: str) -> None:
    names = [f"{n}{tag}" for n in range(5)]
    assert api.put(
        *(case(name, disease_type="glioma", primary_site="x" * 9) for name in names),
        case(tag, disease_type="melanoma"),
    )["success"]
    files["case.yaml"]["properties"]["disease_type"] = {"enum": ["melanoma"]}
    files["case.yaml"]["properties"]["primary_site"] = {"type": "string", "maxLength": 5}
    seen = changes.seen(files)
    [found] = seen["invalid"]
    assert (found["type"], found["invalid"], seen["invalid_record_count"]) == ("case", 5, 5)
    assert {(each["property"], each["rule"]): each["records"] for each in found["rules"]} == {
        ("disease_type", "enum"): 5,
        ("primary_site", "maxLength"): 5,
    }
    assert len(found["examples"]) == SHOWN
    example = found["examples"][0]
    assert example["submitter_id"] in names
    assert example["id"] == api.export("case")[example["submitter_id"]]["id"]
    assert {(*each["keys"], each["rule"]) for each in example["errors"]} == {
        ("disease_type", "enum"), ("primary_site", "maxLength"),
    }  # fmt: skip
    refused = changes.put(files, seen)
    assert (refused.status_code, "5 stored records" in refused.json()["message"]) == (409, True)
    assert changes.versions()[0]["number"] == seen["after"]
    assert changes.put(files, seen, "&force=true").status_code == 200


def test_what_was_wrong_before_is_no_news(api: Api, changes: Changes, files: Files, sql: Any, tag: str) -> None:
    sample = {"type": "sample", "submitter_id": tag, "longest_dimension": 5, "cases": {"submitter_id": tag}}
    assert api.put(case(tag), sample)["success"]
    schema = files["sample.yaml"]["properties"]["longest_dimension"]
    schema["maximum"] = 4
    assert changes.seen(files)["invalid_record_count"] == 1
    wrong = """update graph.node_sample set _props = _props || '{"longest_dimension": "long"}'"""
    sql(f"{wrong} where _props->>'submitter_id' = :t", t=tag)
    assert changes.seen(files)["invalid"] == []


def test_demands_on_links_are_looked_at(api: Api, changes: Changes, files: Files, tag: str) -> None:
    sample = {"type": "sample", "submitter_id": tag, "cases": {"submitter_id": tag}}
    more = {**sample, "submitter_id": f"{tag}2"}
    assert api.put(case(tag), sample, more)["success"]
    files["case.yaml"]["links"][1]["required"] = True
    files["sample.yaml"]["links"][0]["multiplicity"] = "one_to_one"
    found = {each["type"]: each for each in changes.seen(files)["invalid"]}
    [rule] = found["case"]["rules"]
    assert (rule["property"], rule["rule"]) == ("friends_of", "required")
    assert rule["records"] == found["case"]["records"] == found["case"]["invalid"]
    assert found["sample"]["rules"] == [{"property": "cases", "rule": "multiplicity", "records": 2}]


@pytest.mark.parametrize(
    ("demands", "rule", "broken"),
    [
        ({"required": True}, "required", {"none"}),
        ({"exclusive": True}, "exclusive", {"both"}),
        ({"exclusive": True, "required": True}, "exclusive", {"both"}),
    ],
)
def test_demands_on_groups_of_links_are_looked_at(
    api: Api, changes: Changes, files: Files, sql: Any, tag: str,
    demands: dict[str, bool], rule: str, broken: set[str],
) -> None:  # fmt: skip
    first, second = files["case.yaml"]["links"]
    first["required"] = False
    files["case.yaml"]["required"].remove("experiments")
    changes.apply(files)
    link = {"submitter_id": "e"}
    made = {"none": {}, "one": {"friends_of": link}, "both": {"friends_of": link, "experiments": link}}
    cases = [{"type": "case", "submitter_id": f"{name}{tag}", **links} for name, links in made.items()]
    assert api.put(*cases)["success"]
    files["case.yaml"]["links"] = [{**demands, "subgroup": [first, second]}]
    [found] = changes.seen(files)["invalid"]
    assert rule in {each["rule"] for each in found["rules"]}
    assert {each["property"] for each in found["rules"]} == {"experiments+friends_of"}
    # Whoever was stored by other tests has one link.
    assert broken <= {each["submitter_id"].removesuffix(tag) for each in found["examples"]}
    sql("delete from graph.node_case where _props->>'submitter_id' like :t", t=f"%{tag}")


def test_memory_does_not_grow_with_what_is_looked_at(changes: Changes, files: Files, sql: Any, tag: str) -> None:
    files["case.yaml"]["properties"]["primary_site"] = {"type": "string", "maxLength": 1}
    store = """
        insert into graph.node_case (node_id, _props) select gen_random_uuid(), jsonb_build_object(
          'project_id', 'P-one', 'submitter_id', n || :t, 'primary_site', 'lung') from generate_series(1, :n) n
    """

    def peak() -> int:
        tracemalloc.start()
        assert changes.seen(files)["invalid_record_count"]
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    sql(store, n=5000, t=f"a{tag}")
    peak()
    before = peak()
    # Enough that what each would leave is more than the page that may be read ahead or not.
    sql(store, n=50_000, t=f"b{tag}")
    assert peak() < before + 50_000 * 20
    sql("delete from graph.node_case where _props->>'submitter_id' like :t", t=f"%{tag}")


def test_what_an_earlier_dictionary_has_left_is_looked_at_when_it_comes_back(
    api: Api, changes: Changes, files: Files, sql: Any, tag: str
) -> None:
    original = copy.deepcopy(files)
    aliquot = {"type": "aliquot", "submitter_id": tag, "cases": {"submitter_id": tag}}
    sample = {"type": "sample", "submitter_id": tag, "is_ffpe": True, "cases": {"submitter_id": tag}}
    assert api.put(case(tag), sample, aliquot)["success"]
    del files["sample.yaml"]["properties"]["is_ffpe"]
    del files["aliquot.yaml"], files["reads_file.yaml"]
    changes.apply(files)
    assert changes.seen(original)["invalid"] == []
    original["sample.yaml"]["properties"]["is_ffpe"] = {"type": "integer"}
    original["aliquot.yaml"]["properties"]["amount"] = {"type": "integer"}
    original["aliquot.yaml"]["required"].append("amount")
    found = {each["type"]: each["rules"] for each in changes.seen(original)["invalid"]}
    assert found == {
        "aliquot": [{"property": "amount", "rule": "required", "records": 1}],
        "sample": [{"property": "is_ffpe", "rule": "type", "records": 1}],
    }
    for node in ("aliquot", "sample"):
        sql(f"delete from graph.node_{node} where _props->>'submitter_id' = :t", t=tag)


def test_what_would_be_out_of_sight_is_told(api: Api, changes: Changes, files: Files, tag: str) -> None:
    aliquot = {"type": "aliquot", "submitter_id": tag, "samples": {"submitter_id": tag}}
    sample = {"type": "sample", "submitter_id": tag, "is_ffpe": True, "cases": {"submitter_id": tag}}
    assert api.put(case(tag, friends_of={"submitter_id": "e"}), sample, aliquot)["success"]
    files["case.yaml"]["links"][1]["label"] = "likes"
    del files["sample.yaml"]["properties"]["is_ffpe"]
    del files["aliquot.yaml"], files["reads_file.yaml"]
    seen = changes.seen(files)
    assert seen["unseen"] == [
        {"type": "aliquot", "records": 1},
        {"type": "case", "link": "friends_of", "records": 1},
        {"type": "sample", "property": "is_ffpe", "records": 1},
    ]
    assert seen["needs_force"]
    assert changes.put(files, seen).status_code == 409


def test_a_unique_key_that_records_break_is_refused_whatever_is_accepted(
    api: Api, changes: Changes, files: Files, tag: str
) -> None:
    assert api.put(case(f"{tag}1", primary_site=tag), case(f"{tag}2", primary_site=tag))["success"]
    files["case.yaml"]["uniqueKeys"] = [["id"], ["project_id", "submitter_id"], ["primary_site"]]
    seen = changes.seen(files)
    [found] = seen["duplicates"]
    assert (found["type"], found["key"], [tag] in found["examples"]) == ("case", ["primary_site"], True)
    refused = changes.put(files, seen, "&force=true")
    assert (refused.status_code, "break unique keys" in refused.json()["message"]) == (409, True)
    assert changes.versions()[0]["number"] == seen["after"]


def test_a_record_that_comes_after_the_look_is_looked_at(
    api: Api, running: Any, changes: Changes, files: Files, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from commonshub.submission import dictionaries

    files["experiment.yaml"]["properties"]["nature"] = {"enum": ["wild"]}
    changes.apply(files)
    files["experiment.yaml"]["properties"]["nature"] = {"enum": ["mild"]}
    seen = changes.seen(files)
    assert seen["invalid_record_count"] == 0
    look = dictionaries.preview

    def then_store(*arguments: Any) -> Any:
        made = look(*arguments)
        document = {"type": "experiment", "submitter_id": tag, "nature": "wild", "projects": {"code": "one"}}
        assert api.put(document)["success"]
        return made

    monkeypatch.setattr(dictionaries, "preview", then_store)
    refused = changes.put(files, seen)
    assert (refused.status_code, f"experiment {tag} was stored meanwhile" in refused.json()["message"]) == (409, True)


# -- together with others ----------------------------------------------------------


def test_of_two_that_apply_together_one_does(changes: Changes, files: Files) -> None:
    wide, high = copy.deepcopy(files), copy.deepcopy(files)
    wide["case.yaml"]["properties"]["width"] = {"type": "integer"}
    high["case.yaml"]["properties"]["height"] = {"type": "integer"}
    drafts = [(each, changes.seen(each)) for each in (wide, high)]
    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(each.status_code for each in pool.map(lambda draft: changes.put(*draft), drafts))
    assert statuses == [200, 409]
    assert changes.versions()[0]["number"] == drafts[0][1]["after"] + 1


def test_what_was_not_previewed_is_not_applied(api: Api, changes: Changes, files: Files) -> None:
    seen = changes.seen(files)
    files["case.yaml"]["properties"]["weight"] = {"type": "integer"}
    assert changes.put(files, seen).status_code == 409
    assert changes.put(files, {**changes.seen(files), "after": seen["after"] - 1}).status_code == 409
    assert api("PUT", "/_dictionary", files).status_code == 400


def large(tag: str, site: str = "x") -> bytes:
    rows = "".join(f"case\t{n}{tag}\te\t{site}\n" for n in range(300))
    return f"type\tsubmitter_id\texperiments.submitter_id\tprimary_site\n{rows}".encode()


def test_a_submission_under_way_is_not_overtaken(
    api: Api, changes: Changes, files: Files, held: threading.Event, sql: Any, tag: str
) -> None:
    files["case.yaml"]["properties"]["weight"] = {"type": "integer"}
    seen = changes.seen(files)
    headers = {"Content-Type": "text/tsv"}
    number = api("PUT", "/P/one?async=true", data=large(tag), headers=headers).json()["transaction_id"]
    eventually(lambda: api("GET", f"/P/one/transactions/{number}").json()["rows_written"] == 300, WITHIN_S)
    refused = changes.put(files, seen)
    assert refused.status_code == 409
    assert f"{number} to P-one" in refused.json()["message"]
    held.set()
    eventually(lambda: api("GET", f"/P/one/transactions/{number}").json()["state"] == "SUCCEEDED", WITHIN_S)
    assert changes.put(files, seen).status_code == 200


def test_a_submission_that_was_read_by_another_dictionary_is_read_anew(
    api: Api, running: Any, changes: Changes, files: Files, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the old one takes for a text is a number to the new one."""
    files["case.yaml"]["properties"]["primary_site"] = {"type": "integer"}
    old = running.app.model
    changes.apply(files)
    monkeypatch.setattr(running.app, "model", old)
    running.app.jobs.use(old)
    monkeypatch.setattr(running.app, "renew", renewal(running))
    headers = {"Content-Type": "text/tsv"}
    text = large(tag, "7").splitlines()[:2]
    assert api("PUT", "/P/one", data=b"\n".join(text), headers=headers).json()["success"]
    assert api.export("case")[f"0{tag}"]["primary_site"] == 7
    running.app.jobs.use(old)
    monkeypatch.setattr(running.app, "model", old)
    monkeypatch.setattr(running.app.jobs, "_renew", renewal(running))
    assert api("PUT", "/P/one", data=large(tag, "8"), headers=headers).json()["success"]
    assert api.export("case")[f"299{tag}"]["primary_site"] == 8
    running.app.jobs.use(old)
    monkeypatch.setattr(running.app, "model", old)
    answer = api.put(case(tag, primary_site="a text"))
    assert answer["entities"][0]["errors"][0]["keys"] == ["primary_site"]
    assert tag not in api.export("case")
    project = {"type": "project", "code": "one", "name": "one", "dbgap_accession_number": "one"}
    monkeypatch.setattr(running.app, "model", old)
    assert api("PUT", "/P", project).status_code == 200


def renewal(running: Any) -> Callable[[], Any]:
    """Find the model in force, as who has not yet heard of it does."""

    async def renew() -> Any:
        running.app.model = running.app._model(running.app.follower.version)
        running.app.jobs.use(running.app.model)
        return running.app.model

    return renew


def test_nothing_that_one_version_allows_is_stored_under_another(
    api: Api, changes: Changes, files: Files, sql: Any, tag: str
) -> None:
    """Writers try two values all the time, of which each version allows one."""
    stop = threading.Event()

    def version(value: str) -> Files:
        files["case.yaml"]["properties"]["primary_site"] = {"enum": [value]}
        return copy.deepcopy(files)

    def write(number: int) -> int:
        stored = 0
        while not stop.is_set():
            for value in ("a", "b"):
                answer = api.put(case(f"{value}{stored}-{number}{tag}", primary_site=value))
                stored += answer["success"]
        return stored

    first = changes.apply(version("a"))["number"]
    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(write, number) for number in range(3)]
        for turn in range(8):
            changes.apply(version("ba"[turn % 2]))
        stop.set()
        assert all(each.result(WITHIN_S) for each in writers)
    # A version's transaction begins to write when nobody holds the one before it, and those that come wait for its end.
    stored = sql(
        """
        with stored as (
          select _props->>'primary_site' as value, xmin::text::bigint as at from graph.node_case
          where _props->>'submitter_id' like :t),
        versions as (
          select number, xmin::text::bigint as at, lead(xmin::text::bigint) over (order by number) as until
          from graph.dictionary_versions where number >= :first)
        select v.number, s.value, count(*) from stored s
        join versions v on s.at > v.at and (s.at < v.until or v.until is null) group by 1, 2 order by 1
        """,
        t=f"%{tag}",
        first=first,
    )
    assert {(row.number - first) % 2 for row in stored} == {0, 1}
    assert [row for row in stored if row.value != "ab"[(row.number - first) % 2]] == []


# -- progress ----------------------------------------------------------------------


def test_who_looks_for_long_is_told_how_far_it_is(api: Api, changes: Changes, files: Files, tag: str) -> None:
    assert api.put(*(case(f"{n}{tag}") for n in range(50)))["success"]
    files["case.yaml"]["properties"]["primary_site"] = {"type": "string", "maxLength": 5}
    answer = changes.preview(files, headers=EVENTS)
    assert answer.headers["Content-Type"] == "text/event-stream"
    events = [block.split("\n") for block in answer.text.strip().split("\n\n")]
    kinds = [event[0].removeprefix("event: ") for event in events]
    assert (kinds[0], kinds[-1], set(kinds)) == ("progress", "done", {"progress", "done"})
    seen = json.loads(events[-1][1].removeprefix("data: "))
    assert seen["records_looked_at"] >= 50
    answer = changes.put(files, {**seen, "after": 0}, headers=EVENTS)
    assert answer.text.rstrip().split("\n\n")[-1].startswith('event: failed\ndata: {"status":409,')


def test_one_preview_runs_at_a_time(
    changes: Changes, files: Files, running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.app, "previewing", True)
    assert changes.preview(files).status_code == 409
