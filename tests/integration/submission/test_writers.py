"""Several writers of one project: none leaves duplicates, links to nothing or half a transaction."""

import hashlib
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.waiting import eventually

from commonshub.core import records

WITHIN_S = 60


@pytest.fixture
def name() -> str:
    return f"w-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def other(database_url: str) -> Iterator[sa.Connection]:
    """A writer with a connection of its own, who is patient: of two that wait for one another, the service gives up."""
    engine = sa.create_engine(database_url)
    with engine.connect() as connection:
        connection.execute(sa.text("set deadlock_timeout = '60s'"))
        yield connection
    engine.dispose()


@pytest.fixture
def failed(running: Any) -> Iterator[list[str]]:
    """SQLSTATEs of what the database has refused."""
    codes: list[str] = []

    def note(context: Any) -> None:
        codes.append(context.original_exception.pgcode)

    sa.event.listen(running.app.database.engine, "handle_error", note)
    yield codes
    sa.event.remove(running.app.database.engine, "handle_error", note)


def case(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "case", "submitter_id": name, "experiments": {"submitter_id": "e"}, **more}


def sample(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "sample", "submitter_id": name, "cases": {"submitter_id": name}, **more}


def ids(answer: dict[str, Any]) -> list[str]:
    assert answer["success"], answer
    return [entity["id"] for entity in answer["entities"]]


def waits(sql: Any) -> bool:
    return bool(
        sql("select 1 from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'commonshub'")
    )


def test_of_two_that_wait_for_one_another_the_service_tries_again(
    api: Any, sql: Any, other: sa.Connection, failed: list[str], name: str
) -> None:
    case_id, sample_id = ids(api.put(case(name), sample(name)))
    hold = "update graph.node_{} set acl = '{{held}}' where node_id = '{}'"
    other.exec_driver_sql(hold.format("sample", sample_id))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(api.put, case(name, primary_site="lung"), sample(name, is_ffpe=True))
        eventually(lambda: waits(sql), WITHIN_S)
        other.exec_driver_sql(hold.format("case", case_id))
        other.commit()
    assert answer.result()["updated_entity_count"] == 2
    assert failed == ["40P01"]
    assert (api.export("case")[name]["primary_site"], api.export("sample")[name]["is_ffpe"]) == ("lung", True)
    snapshots = "select action from graph.transaction_snapshots where entity_id = :i order by id"
    assert sql(snapshots, i=case_id) == [("create",), ("update",)]


def test_who_is_always_in_the_way_is_told_of(
    api: Any, running: Any, monkeypatch: pytest.MonkeyPatch, sql: Any, name: str
) -> None:
    before = sql("select count(*) from graph.node_case")
    tried = []

    def clash(*_: Any) -> None:
        tried.append(1)
        raise sa.exc.OperationalError("", {}, Clash())

    monkeypatch.setattr(running.app, "max_retries", 2)
    monkeypatch.setattr(running.app.model.tools.store.log, "document", clash)
    answer = api("PUT", "/P/one", case(name))
    assert (answer.status_code, len(tried)) == (409, 2)
    assert sql("select count(*) from graph.node_case") == before


def test_a_file_whose_object_is_registered_in_between_refers_to_it(
    api: Any, sql: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    guid, md5, add = str(uuid.uuid4()), hashlib.md5(name.encode()).hexdigest(), records.add
    file = {"type": "reads_file", "id": guid, "submitter_id": name, "file_name": "a", "file_size": 7, "md5sum": md5}
    tried = []

    def late(*arguments: Any) -> None:
        tried.append(1)
        if len(tried) == 1:
            register = "insert into index.record (guid, baseid, rev, size, hashes, authz) values "
            register += (
                "(:guid, :guid, '00000000', 7, jsonb_build_object('md5', :md5), array['/programs/P/projects/one'])"
            )
            sql(register, guid=guid, md5=md5)
        add(*arguments)

    monkeypatch.setattr(records, "add", late)
    answer = api.put(file)
    assert (answer["success"], len(tried)) == (True, 1), answer
    assert api.export("reads_file")[name]["object_id"] == guid


class Clash(Exception):
    """What PostgreSQL says of a deadlock."""

    pgcode = "40P01"


def mixed(api: Any, name: str) -> Callable[[int], requests.Response]:
    """Requests that create, change, link and delete the same few records."""

    def send(number: int) -> requests.Response:
        key = f"{name}-{number % 3}"
        if number % 4 == 3:
            found = {each["submitter_id"]: each["id"] for each in api.export("sample").values()}
            return api("DELETE", f"/P/one/entities/{found.get(key, 'nothing')}")
        documents = [case(key, primary_site=str(number)), sample(key, longest_dimension=number)]
        return api("PUT", "/P/one", documents if number % 2 else documents[::-1])

    return send


def test_writers_of_the_same_records_leave_each_once_and_every_link_whole(api: Any, sql: Any, name: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(mixed(api, name), range(60)))
    assert {answer.status_code for answer in answers} <= {200, 400, 409}
    for table in ("case", "sample"):
        keys = f"select lower(_props->>'submitter_id') from graph.node_{table} where _props->>'submitter_id' like :n"
        found = [key for (key,) in sql(keys, n=f"{name}%")]
        assert len(found) == len(set(found))
    linked = """select count(*), count(distinct s.node_id) from graph.node_sample s
        left join graph.edge_samplederivedfromcase e on e.src_id = s.node_id
        where s._props->>'submitter_id' like :n"""
    [(edges, samples)] = sql(linked, n=f"{name}%")
    lost = """select count(*) from graph.node_sample s where s._props->>'submitter_id' like :n and not exists (
        select from graph.edge_samplederivedfromcase e where e.src_id = s.node_id)"""
    assert (edges, sql(lost, n=f"{name}%")) == (samples, [(0,)])
