"""Graph queries: the first hundred of 10,000 cases, beside the same JSON by hand-written SQL."""

import json
from collections.abc import Iterator

import psycopg2
from graph import API, DICTIONARY, load, project
from harness import Commons, Figure, milliseconds

SQL = """select json_build_object('case', json_agg(json_build_object('submitter_id', _props->>'submitter_id')))
         from (select _props from graph.node_case where _props->>'project_id' = 'BENCH-P1' limit 100) t"""


def measure() -> Iterator[Figure]:
    commons = Commons(DICTIONARY if DICTIONARY.exists() else None)
    try:
        project(commons)
        load(commons, "case")
        url = f"{commons.service('query')}{API}/graphql"
        body = {"query": "{case(first:100){submitter_id}}"}

        def ask() -> None:
            answer = commons.session.post(url, json=body, timeout=30)
            assert len(answer.json()["data"]["case"]) == 100, answer.text

        yield Figure("query.first_100_ms", milliseconds(ask), "ms", floor=bare_sql(commons), bound=3)
    finally:
        commons.close()


def bare_sql(commons: Commons) -> float:
    embedded = json.loads((commons.data_dir / "run" / "embedded.json").read_text())
    connection = psycopg2.connect(embedded["DatabaseSettings"]["url"].replace("postgresql+psycopg2:", "postgresql:"))
    try:
        with connection.cursor() as cursor:
            return milliseconds(lambda: (cursor.execute(SQL), cursor.fetchall()))
    finally:
        connection.close()
