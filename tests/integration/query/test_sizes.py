"""An answer that is made as a whole has a size that it may have, and what goes beyond is not sent to the service."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.integration.query.conftest import READERS, Client, readers, writing

from commonshub.query.app import QueryApp

MOST = 100_000
COUNT = 60
# With what is written around it.
ROW_BYTES = 4_000


@pytest.fixture(scope="module")
def client(run_service: Callable[..., Any], dictionary_file: Path, token: Callable[..., str]) -> Client:
    """A service that sends little at once, on cases with long texts that are all of one study."""
    running = run_service(QueryApp, Commons={"dictionary": str(dictionary_file)}, QueryApp={"max_answer_bytes": MOST})
    running.hold(readers(READERS))
    with writing(running) as connection:
        connection.execute(sa.text("insert into graph.node_study (node_id, _props) values ('st', '{}')"))
        connection.execute(
            sa.text(
                "insert into graph.node_case (node_id, _props) select 'n' || n,"
                " jsonb_build_object('submitter_id', repeat('ä', :chars)) from generate_series(1, :count) n"
            ),
            {"count": COUNT, "chars": (ROW_BYTES - 40) // 2},
        )
        connection.execute(
            sa.text(
                "insert into graph.edge_casepartofstudy (src_id, dst_id)"
                " select 'n' || n, 'st' from generate_series(1, :count) n"
            ),
            {"count": COUNT},
        )
    return Client(running, token)


REFUSED = {
    "one list": "{ case(first: 50) { submitter_id } }",
    "several lists": "{ a: case(first: 15) { submitter_id } b: case(first: 15) { submitter_id } _case_count }",
    "a list in a list": "{ study(first: 1) { cases(first: 50) { submitter_id } } }",
    "an item of a long list": "{ study(first: 0) { cases(first: 50) { submitter_id } } }",
    "a list beside a long one": "{ case(first: 0) { id } b: case(first: 50) { submitter_id } }",
    "lists beside a long one": (
        "{ case(first: 0) { id } a: case(first: 15) { submitter_id } b: case(first: 15) { submitter_id } }"
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_an_answer_that_is_too_large_is_refused(client: Client, kind: str) -> None:
    assert f"more than the {MOST} that are sent at once" in client.faults(REFUSED[kind])[0]


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
@pytest.mark.parametrize("kind", ["one list", "a list in a list", "an item of a long list"])
def test_a_table_that_is_too_large_is_refused(client: Client, kind: str, form: str) -> None:
    assert f"more than the {MOST} that are sent at once" in client.faults(REFUSED[kind], format=form)[0]


SENT = {
    "what fits": ("{ case(first: 20) { submitter_id } }", 20),
    "a long list of small items": ("{ case(first: 0) { submitter_id } }", COUNT),
}


@pytest.mark.parametrize("kind", SENT)
def test_what_fits_is_sent_and_a_long_list_always(client: Client, kind: str) -> None:
    query, count = SENT[kind]
    assert len(client.ask(query)["case"]) == count


def test_all_answers_of_a_batch_count(client: Client) -> None:
    body = [{"query": "{ case(first: 15) { submitter_id } }"}] * 2
    assert client.post(body[:1]).status_code == 200
    answer = client.post(body)
    assert answer.status_code == 400
    assert "more than the" in answer.json()["errors"][0]
