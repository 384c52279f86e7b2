"""Records that would be their own ancestors, in a commons whose samples are derived from samples."""

import shutil
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import yaml
from tests.submission_service import SMALL, SNAPSHOT
from tests.waiting import eventually

from commonshub.core.dictionary import load
from commonshub.submission.app import SubmissionApp

PARENTS = {
    "name": "parents", "backref": "portions", "label": "derived_from", "target_type": "sample",
    "multiplicity": "many_to_many", "required": False,
}  # fmt: skip
# Two types that lead to one another.
ALIQUOTS = {**PARENTS, "name": "pools", "backref": "pooled", "target_type": "aliquot"}


@pytest.fixture(scope="module")
def dictionary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cyclic") / "dictionary"
    shutil.copytree(SMALL, folder)
    sample = yaml.safe_load((folder / "sample.yaml").read_text())
    sample["links"] += [PARENTS, ALIQUOTS]
    for link in (PARENTS, ALIQUOTS):
        sample["properties"][link["name"]] = {"$ref": "_definitions.yaml#/parent"}
    (folder / "sample.yaml").write_text(yaml.safe_dump(sample))
    return folder


@pytest.fixture(scope="module")
def running(run_service: Callable[..., Any], dictionary: Path) -> Any:
    running = run_service(SubmissionApp, Commons={"dictionary": str(dictionary)})
    running.hold(SNAPSHOT)
    return running


@pytest.fixture
def name(api: Any) -> str:
    name = f"c-{uuid.uuid4().hex[:12]}"
    assert api.put({"type": "case", "submitter_id": name, "experiments": {"submitter_id": "e"}})["success"]
    return name


def sample(name: str, number: int, *parents: int, **more: Any) -> dict[str, Any]:
    links = [{"submitter_id": f"{name}-{each}"} for each in parents]
    return {
        "type": "sample",
        "submitter_id": f"{name}-{number}",
        "cases": {"submitter_id": name},
        "parents": links,
        **more,
    }


def aliquot(name: str, number: int, parent: int) -> dict[str, Any]:
    return {"type": "aliquot", "submitter_id": f"a-{name}-{number}", "samples": {"submitter_id": f"{name}-{parent}"}}


def cycles(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (entity["unique_keys"][0]["submitter_id"], error["column"])
        for entity in answer["entities"]
        for error in entity["errors"]
        if error["rule"] == "cycle"
    ]


def test_the_links_that_can_make_circles_are_known(dictionary: Path) -> None:
    names = {(link.source, link.name) for link in load(str(dictionary)).cyclic_links}
    assert names == {("sample", "parents"), ("sample", "pools"), ("aliquot", "samples")}
    assert load(str(SMALL)).cyclic_links == ()


def test_a_record_that_is_its_own_parent_is_refused(api: Any, name: str) -> None:
    answer = api.put(sample(name, 1, 1))
    assert (answer["code"], cycles(answer)) == (400, [(f"{name}-1", "parents")])
    assert f"{name}-1" not in api.export("sample")


def test_a_circle_within_a_request_is_refused(api: Any, name: str) -> None:
    answer = api.put(sample(name, 1, 2), sample(name, 2, 3), sample(name, 3, 1), sample(name, 4, 1))
    assert cycles(answer) == [(f"{name}-{number}", "parents") for number in (1, 2, 3)]
    assert answer["created_entity_count"] == 0


def test_a_circle_through_what_is_stored_is_refused(api: Any, name: str) -> None:
    assert api.put(sample(name, 1), sample(name, 2, 1), sample(name, 3, 2))["success"]
    answer = api.put(sample(name, 1, 3), path="/P/one/_dry_run")
    assert cycles(answer) == [(f"{name}-1", "parents")]


def test_of_two_that_write_half_a_circle_each_the_second_is_refused(
    api: Any, running: Any, sql: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert api.put(sample(name, 1), sample(name, 2))["success"]
    log, first, ready = running.app.model.tools.store.log, Event(), Event()
    document = log.document

    def wait(*arguments: Any) -> None:
        if not ready.is_set():
            ready.set()
            assert first.wait(60)
        document(*arguments)

    monkeypatch.setattr(log, "document", wait)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(api.put, sample(name, 1, 2))
        assert ready.wait(60)
        two = pool.submit(api.put, sample(name, 2, 1))
        waiting = "select 1 from pg_locks where locktype = 'advisory' and not granted"
        eventually(lambda: two.done() or sql(waiting), 60)
        first.set()
    assert one.result()["success"]
    assert cycles(two.result()) == [(f"{name}-2", "parents")]


def test_a_circle_of_several_types_is_refused(api: Any, name: str) -> None:
    pooled = sample(name, 1, pools={"submitter_id": f"a-{name}-1"})
    assert [found for found, _ in cycles(api.put(pooled, aliquot(name, 1, 1)))] == [f"{name}-1", f"a-{name}-1"]


def test_records_that_meet_again_without_a_circle_are_stored(api: Any, name: str) -> None:
    diamond = [sample(name, 1), sample(name, 2, 1), sample(name, 3, 1), sample(name, 4, 2, 3)]
    answer = api.put(*diamond, aliquot(name, 1, 4))
    assert (answer["created_entity_count"], cycles(answer)) == (5, [])


def test_a_circle_over_several_chunks_is_refused(
    api: Any, running: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = running.app.model
    tools = replace(model.tools, sizes=replace(model.tools.sizes, chunk=1))
    monkeypatch.setattr(running.app, "model", replace(model, tools=tools))
    answer = api.put(sample(name, 1, 2), sample(name, 2, 3), sample(name, 3, 1), sample(name, 4, 1))
    [found] = answer["transactional_errors"]
    assert (answer["code"], found["rule"]) == (400, "cycle")
    assert all(f"'{name}-{number}'" in found["message"] for number in (1, 2, 3))
    assert f"{name}-4" not in found["message"]
    assert not any(each.startswith(name) for each in api.export("sample"))
