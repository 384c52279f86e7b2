"""Long lists are sent while they are read: whole, or visibly broken off."""

import csv
import io
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import pytest
import requests
import sqlalchemy as sa
from tests.integration.query.conftest import GRAPHQL, Client, writing
from tests.tokens import bearer
from tests.waiting import eventually

COUNT = 4000
LONG = '{ c: case(first: 0, order_by_asc: "submitter_id") { submitter_id primary_site } x: __typename }'
# More than what the buffers of two sockets hold.
TEXT_CHARS = 4000
# The piece by which a reader takes what there is for all.
LAST = b"0\r\n\r\n"


@pytest.fixture(scope="module")
def long(empty_client: Client) -> Client:
    """A service on many cases with long texts."""
    with writing(empty_client.running) as connection:
        connection.execute(
            sa.text(
                "insert into graph.node_case (node_id, _props) select 'n' || n, jsonb_build_object('project_id', 'P-Q',"
                " 'submitter_id', lpad(n::text, 6, '0'), 'primary_site',"
                " repeat('ä\"', :chars / 2), 'created_datetime', '2020-01-01T00:00:00+00:00')"
                " from generate_series(1, :count) n"
            ),
            {"count": COUNT, "chars": TEXT_CHARS},
        )
    return empty_client


@pytest.fixture
def reader(long: Client) -> Iterator["Reader"]:
    with Reader(long) as reader:
        yield reader


class Reader:
    """Asks for a long list, or a table of it, and reads no more than the beginning of it."""

    def __init__(self, client: Client, form: str = "json") -> None:
        parts = urlsplit(client.running.url)
        assert parts.hostname
        assert parts.port
        body = json.dumps({"query": LONG, "format": form}).encode()
        head = f"POST {GRAPHQL} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(body)}\r\n"
        head += "".join(f"{key}: {value}\r\n" for key, value in bearer(client.token("alice")).items())
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=60)
        self.socket.sendall(head.encode() + b"\r\n" + body)

    def __enter__(self) -> "Reader":
        self.begun = self.socket.recv(1000)
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def rest(self) -> bytes:
        """All that comes until the connection ends."""
        parts = []
        while part := self.socket.recv(2**16):
            parts.append(part)
        return b"".join(parts)


# Clients alone: PostgreSQL tidies tables behind them in transactions of its own.
OTHERS = (
    "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    " and backend_type = 'client backend' and xact_start is not null"
)


def busy(client: Client) -> int:
    """How many others are in the middle of a transaction."""
    with writing(client.running) as connection:
        return int(connection.execute(sa.text(f"select count(*) {OTHERS}")).scalar_one())


def test_a_long_list_is_whole_and_one_statement(long: Client) -> None:
    found = long.ask(LONG)
    assert [each["submitter_id"] for each in found["c"]] == [f"{number:06}" for number in range(1, COUNT + 1)]
    assert {each["primary_site"] for each in found["c"]} == {'ä"' * (TEXT_CHARS // 2)}
    assert found["x"] == "Root"


def test_it_is_sent_in_pieces_and_a_short_one_is_not(long: Client) -> None:
    assert long.post({"query": LONG}).headers["Transfer-Encoding"] == "chunked"
    short = long.post({"query": '{ case(first: 0, submitter_id: ["000007", "none"]) { id } }'})
    assert (short.headers["Content-Length"], short.json()) == (
        str(len(short.content)),
        {"data": {"case": [{"id": "n7"}]}},
    )
    assert long.ask('{ case(first: 0, submitter_id: "none") { id } }') == {"case": []}


ROW = "id type submitter_id project_id"
MANY = f"""{{
    before: _case_count
    all: case(first: 0, order_by_desc: "submitter_id") {{ submitter_id primary_site }}
    none: sample(first: 0) {{ id }}
    few: case(first: 2, order_by_asc: "submitter_id") {{ submitter_id }}
    __typename
    viewer {{ some: case(first: 2000, order_by_asc: "submitter_id") {{ submitter_id }} _sample_count }}
    node(first: 0, order_by_asc: "submitter_id") {{ {ROW} _cursor }}
    typed: node(first: 0, of_type: ["case", "study"]) {{ ... on case {{ age }} ... on study {{ id }} }}
    datanode(first: 0) {{ {ROW} }}
    log: transaction_log(first: 0) {{ id documents {{ doc }} }}
    after: _case_aggregate {{ _totalCount }}
}}"""


def test_several_lists_of_any_kind_are_sent_in_pieces_and_are_what_they_are_as_a_whole(long: Client) -> None:
    whole = long.post([{"query": MANY}]).json()[0]
    long.statements.texts.clear()
    answer = long.post({"query": MANY})
    assert (answer.status_code, answer.headers["Transfer-Encoding"]) == (200, "chunked")
    assert len(long.statements.texts) == 1
    assert answer.json() == whole
    assert list(answer.json()["data"]) == list(whole["data"])
    assert len(answer.json()["data"]["all"]) == len(answer.json()["data"]["node"]) == COUNT
    assert len(answer.json()["data"]["viewer"]["some"]) == 2000


def test_faults_of_fields_are_told_behind_long_lists(long: Client) -> None:
    answer = long.post({"query": '{ bad: case(with_links: ["x"]) { id } case(first: 0) { id primary_site } }'})
    assert (answer.status_code, answer.headers["Transfer-Encoding"]) == (400, "chunked")
    assert answer.json()["errors"] == ["Invalid link name 'x' on case."]
    assert answer.json()["data"]["bad"] is None
    assert len(answer.json()["data"]["case"]) == COUNT


@pytest.mark.parametrize(("lists", "counts", "times"), [(100, 30, 6), (1, 490, 3)])
def test_as_many_fields_as_there_may_be_are_rows_of_one_statement(
    long: Client, lists: int, counts: int, times: int
) -> None:
    listed = " ".join(f'a{number}: case(first: 0, id: "n{number % 2}") {{ id }}' for number in range(lists))
    counted = " ".join(f"b{number}: _case_count" for number in range(counts))
    asked = " ".join(f"v{number}: viewer {{ ...f }}" for number in range(times))
    data = long.ask(f"{{ {asked} }} fragment f on Root {{ {listed} {counted} }}")
    assert len(data) == times
    for found in data.values():
        assert [len(found[f"a{number}"]) for number in range(lists)] == [number % 2 for number in range(lists)]
        assert {found[f"b{number}"] for number in range(counts)} == {COUNT}


def test_batches_come_as_a_whole(long: Client) -> None:
    (answer,) = long.post([{"query": "{ case(first: 0) { id } }"}]).json()
    assert len(answer["data"]["case"]) == COUNT


def test_who_goes_away_ends_the_statement(long: Client, reader: Reader) -> None:
    assert reader.begun.startswith(b"HTTP/1.1 200")
    assert busy(long) == 1
    reader.socket.close()
    eventually(lambda: busy(long) == 0)


def test_who_reads_too_slowly_is_broken_off_visibly(long: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long.running.app, "max_stream_s", 1)
    with Reader(long) as reader:
        eventually(lambda: busy(long) == 0)
        assert not reader.rest().endswith(LAST)


def test_slow_readers_are_in_nobodys_way(long: Client) -> None:
    with ExitStack() as readers:
        for _ in range(long.running.app.streams_at_once):
            readers.enter_context(Reader(long))
        time.sleep(0.2)
        refused = long.post({"query": LONG})
        assert (refused.status_code, refused.headers["Retry-After"].isdigit()) == (503, True)
        assert "page" in refused.json()["errors"][0]
        assert len(long.ask('{ case(first: 0, submitter_id: "000001") { id } }')["case"]) == 1
        assert len(long.ask("{ case(first: 100) { id } }")["case"]) == 100
    eventually(lambda: busy(long) == 0)
    assert long.post({"query": LONG}).status_code == 200


def test_a_fault_in_the_middle_is_a_broken_answer(long: Client, reader: Reader) -> None:
    with writing(long.running) as connection:
        (ended,) = connection.execute(sa.text(f"select pg_terminate_backend(pid) {OTHERS}")).scalars()
    assert ended
    assert not reader.rest().endswith(LAST)
    assert long.post({"query": LONG}).status_code == 200


def as_table(client: Client, form: str) -> requests.Response:
    return client.post({"query": LONG, "format": form})


def cells(answer: requests.Response, form: str, folder: Path) -> list[tuple[str, ...]]:
    """The rows of a table."""
    if form == "ndjson":
        return [tuple(json.loads(line).values()) for line in answer.content.splitlines()]
    if form == "parquet":
        file = folder / "table.parquet"
        file.write_bytes(answer.content)
        with duckdb.connect() as connection:
            return connection.execute(f"from '{file}'").fetchall()
    _, *rows = csv.reader(io.StringIO(answer.text, newline=""), delimiter="\t" if form == "tsv" else ",")
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("form", ["tsv", "csv", "ndjson", "parquet"])
def test_a_long_table_is_whole(long: Client, form: str, tmp_path: Path) -> None:
    rows = cells(as_table(long, form), form, tmp_path)
    assert [row[0] for row in rows] == [f"{number:06}" for number in range(1, COUNT + 1)]
    assert all(row[1:] == ('ä"' * (TEXT_CHARS // 2), "Root") for row in rows)


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
def test_what_stands_beside_a_long_list_is_in_every_row_of_a_table(long: Client, form: str, tmp_path: Path) -> None:
    query = '{ viewer { case(first: 0, order_by_asc: "submitter_id") { submitter_id } _sample_count } n: _case_count }'
    rows = cells(long.post({"query": query, "format": form}), form, tmp_path)
    assert [(str(row[0]), *map(int, row[1:])) for row in rows] == [
        (f"{number:06}", 0, COUNT) for number in range(1, COUNT + 1)
    ]


def test_a_long_table_is_sent_in_pieces_and_a_file_is_not(long: Client) -> None:
    assert as_table(long, "csv").headers["Transfer-Encoding"] == "chunked"
    file = as_table(long, "parquet")
    assert file.headers["Content-Length"] == str(len(file.content))


def test_a_table_that_breaks_in_the_middle_is_visibly_broken(long: Client) -> None:
    with Reader(long, "csv") as reader:
        assert b"Content-Type: text/csv" in reader.begun
        with writing(long.running) as connection:
            (ended,) = connection.execute(sa.text(f"select pg_terminate_backend(pid) {OTHERS}")).scalars()
        assert ended
        assert not reader.rest().endswith(LAST)
