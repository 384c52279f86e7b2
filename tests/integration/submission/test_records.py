"""Submitting records, seen from within: statements, the log, and what goes wrong at the same time."""

import select
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.statements import noted
from tests.submission_service import case, fresh, sample


def test_submissions_that_cross_each_other_both_end(api: Any) -> None:
    names = [fresh() for _ in range(40)]
    batches = [[case(name) for name in names], [case(name) for name in reversed(names)]]
    api.put(*batches[0])
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda batch: api.put(*batch), batches * 3))
    assert all(answer["success"] for answer in answers), answers


def test_g18_a_fault_of_ours_stores_nothing_and_tells_nothing(
    api: Any, running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("secret internals")

    name = fresh()
    monkeypatch.setattr(running.app.model.tools.store.log, "document", fail)
    response = api("PUT", "/P/one", case(name))
    monkeypatch.undo()
    answer = response.json()
    assert (response.status_code, answer["code"], len(answer["transactional_errors"])) == (500, 500, 1)
    assert "secret" not in response.text
    assert name not in api.export("case")


# -- dry runs and the log ----------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "extra", "state", "snapshots"),
    [("/P/one", {}, "SUCCEEDED", 1), ("/P/one", {"foo": 1}, "FAILED", 0), ("/P/one/_dry_run", {}, "SUCCEEDED", 0)],
    ids=["success", "failure", "dry run"],
)
def test_every_transaction_is_logged(
    api: Any, sql: Any, path: str, extra: dict[str, Any], state: str, snapshots: int
) -> None:
    answer = api.put(case(fresh(), **extra), path=path)
    [log] = sql("select * from graph.transaction_logs where id = :i", i=answer["transaction_id"])
    assert (log.state, log.submitter, log.role, log.program, log.project) == (state, "admin", "update", "P", "one")
    assert log.is_dry_run is path.endswith("_dry_run")
    [document] = sql("select * from graph.transaction_documents where transaction_id = :i", i=log.id)
    assert document.response_json["transaction_id"] == log.id
    assert '"case"' in document.doc
    query = "select count(*) from graph.transaction_snapshots where transaction_id = :i"
    assert sql(query, i=log.id) == [(snapshots,)]


def test_the_number_of_statements_does_not_grow_with_the_records(api: Any, running: Any) -> None:
    counts = []
    for number in (1, 200):
        names = [f"{n}-{fresh()}" for n in range(number)]
        with noted(running.app.database.engine) as statements:
            answer = api.put(*[each for name in names for each in (case(name), sample(name, "x"))])
            assert not answer["success"]
            assert api.put(*[each for name in names for each in (case(name), sample(name, name))])["success"]
        counts.append(len(statements))
    assert counts[0] == counts[1] < 40


def test_keys_are_looked_up_by_an_index_however_few_records_there_are(api: Any, running: Any, sql: Any) -> None:
    """PostgreSQL by itself would go through all records of a type, up to some 50,000, for some hundred keys."""
    name = fresh()
    sql(
        "insert into graph.node_case (node_id, _props) select gen_random_uuid(),"
        " jsonb_build_object('submitter_id', :name || '-' || n, 'project_id', 'P-one') from generate_series(1, 3000) n",
        name=name,
    )
    sql("analyze graph.node_case")
    engine = running.app.database.engine
    cases = [case(f"{name}-{n}", primary_site="lung") for n in range(500)]
    with noted(engine) as asked:
        assert api.put(*cases)["success"]
        assert api.put(*(sample(f"{name}-{n}", f"{name}-{n}") for n in range(500)))["success"]
    with engine.begin() as connection:
        plans = [
            "\n".join(connection.exec_driver_sql(f"explain {statement}", parameters).scalars())
            for statement, parameters in asked
            if "node_case" in statement and " FOR " in statement
        ]
    sql("delete from graph.node_case where _props->>'submitter_id' like :name || '-%'", name=name)
    assert [("Index Scan" in plan, "Seq Scan" in plan) for plan in plans] == [(True, False)] * 2, plans


def test_a_submission_is_announced(api: Any, database_url: str) -> None:
    import psycopg2
    import sqlalchemy as sa

    connection = psycopg2.connect(sa.make_url(database_url).set(drivername="postgresql").render_as_string(False))
    connection.autocommit = True
    connection.cursor().execute("listen commonshub_graph")
    api.put(case(fresh()))
    select.select([connection], [], [], 10)
    connection.poll()
    assert [each.payload for each in connection.notifies] == ["P-one"]
    connection.close()
