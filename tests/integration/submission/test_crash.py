"""The service dies in the middle of large submissions: each is whole or absent, and a repeated request is safe."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.conftest import ORIGIN, free_port, wait_for_port
from tests.submission_service import SMALL, Api
from tests.tokens import bearer
from tests.waiting import eventually

ROOT = Path(__file__).parents[3]
WITHIN_S = 120
ROWS = 30_000
MANY = 100_000
MOST_MB = 60
STAGES = ["waiting", "records", "links", "commit", "done"]
TSV = {"Content-Type": "text/tab-separated-values"}

Start = Callable[[], subprocess.Popen[bytes]]


class Service:
    """The service on a port of its own, which may be killed and started again."""

    def __init__(self, port: int, options: dict[str, str]) -> None:
        self._port = port
        self._options = options
        self.url = f"http://127.0.0.1:{port}"
        self.start()

    def start(self) -> None:
        options = [f"--{name}={value}" for name, value in self._options.items()]
        command = [sys.executable, "-m", "tests.submission_process", *options]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        wait_for_port(self._port, WITHIN_S)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def rss_mb(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.fixture
def service(database_url: str, s3: dict[str, Any], jwks_file: Path, tmp_path: Path) -> Iterator[Service]:
    port = free_port()
    options = {
        "ServiceApplication.url": f"http://127.0.0.1:{port}",
        "Commons.origin": ORIGIN,
        "Commons.data_dir": str(tmp_path),
        "Commons.dictionary": str(SMALL),
        "DatabaseSettings.url": database_url,
        "TokenSettings.jwks_file": str(jwks_file),
        "SubmissionApp.report_s": "0.1",
        "SubmissionApp.lapse_s": "1",
    }
    made = Service(port, options)
    yield made
    made.kill()


@pytest.fixture
def mine(service: Service, token: Callable[..., str]) -> Api:
    return Api(service.url, bearer(token("admin"))).found()


def table(tag: str, rows: int = ROWS) -> bytes:
    """Samples before the cases that they come from."""
    samples = [f"sample\ts{n}{tag}\t\t{n}{tag}\n" for n in range(rows // 2)]
    cases = [f"case\t{n}{tag}\te\t\n" for n in range(rows // 2)]
    header = "type\tsubmitter_id\texperiments.submitter_id\tcases.submitter_id\n"
    return (header + "".join(samples) + "".join(cases)).encode()


def counts(sql: Any, tag: str) -> tuple[int, ...]:
    """Cases, samples, and the edges between them."""
    edges = "edge_samplederivedfromcase e join graph.node_case n on n.node_id = e.dst_id"
    queries = ("node_case n", "node_sample n", edges)
    return tuple(
        sql(f"select count(*) from graph.{query} where n._props->>'submitter_id' like :t", t=f"%{tag}")[0][0]
        for query in queries
    )


def written(sql: Any) -> Callable[[], bool]:
    """Whether a job is in the middle of its work."""
    query = "select count(*) from graph.transaction_jobs where finished is null and rows_written > 0"
    return lambda: bool(sql(query)[0][0])


def test_a_large_submission_takes_little_memory(service: Service, mine: Api, sql: Any) -> None:
    tag = uuid.uuid4().hex
    assert mine.table(table(tag, 1000))["success"]
    before, most = service.rss_mb(), 0.0
    answers: list[Any] = []
    work = Thread(target=lambda: answers.append(mine.table(table(tag + "x", MANY))))
    work.start()
    while work.is_alive():
        most = max(most, service.rss_mb())
        work.join(0.05)
    assert answers[0]["created_entity_count"] == MANY
    assert counts(sql, tag + "x") == (MANY // 2,) * 3
    assert most - before < MOST_MB


HUGE = 10**8


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (b"type\tsubmitter_id\ncase\t", b"\n", 2),
        (b'type\tsubmitter_id\n\ncase\t"', b'"\n', 3),
        (b"type\t", b"\ncase\ta\n", 1),
    ],
    ids=["plain", "quoted", "header"],
)
def test_a_cell_of_a_hundred_megabytes_is_refused_without_being_held(
    service: Service, mine: Api, before: bytes, after: bytes, line: int
) -> None:
    assert mine.table(table(uuid.uuid4().hex, 1000))["success"]
    rss = service.rss_mb()
    answer = mine("PUT", "/P/one", data=before + b"x" * HUGE + after, headers=TSV)
    told = f"the row that ends at line {line} or later is longer than"
    assert (answer.status_code, told in answer.json()["message"]) == (400, True), answer.text[:500]
    assert service.rss_mb() - rss < MOST_MB


def test_a_text_of_a_hundred_megabytes_in_json_is_refused_with_its_place(mine: Api) -> None:
    answer = mine("PUT", "/P/one", data=b'[{"type": "case", "submitter_id": "' + b"x" * HUGE + b'"}]')
    told = f"the text at /0/submitter_id has {HUGE} characters"
    assert (answer.status_code, told in answer.json()["message"]) == (400, True), answer.text[:500]


@pytest.mark.parametrize("stage", ["records", "links", "commit", "done"])
def test_a_service_that_is_killed_at_any_stage_leaves_all_or_nothing(
    service: Service, mine: Api, sql: Any, stage: str
) -> None:
    tag = uuid.uuid4().hex
    number = mine("PUT", "/P/one?async=true", data=table(tag), headers=TSV).json()["transaction_id"]
    reached = STAGES[STAGES.index(stage) :]
    query = "select stage from graph.transaction_jobs where transaction_id = :i"
    eventually(lambda: sql(query, i=number)[0][0] in reached, WITHIN_S)
    service.kill()
    [(state,)] = sql("select state from graph.transaction_logs where id = :i", i=number)
    expected = {"PENDING": 0, "SUCCEEDED": ROWS // 2}[state]
    assert counts(sql, tag) == (expected,) * 3
    snapshots = "select count(*) from graph.transaction_snapshots where transaction_id = :i"
    assert sql(snapshots, i=number) == [(2 * expected,)]


def test_a_killed_service_leaves_nothing_of_a_submission_and_takes_it_again(
    service: Service, mine: Api, sql: Any
) -> None:
    tag = uuid.uuid4().hex

    def send() -> None:
        with pytest.raises(requests.RequestException):
            mine.table(table(tag))

    work = Thread(target=send)
    work.start()
    eventually(written(sql), WITHIN_S)
    service.kill()
    work.join(WITHIN_S)
    assert counts(sql, tag) == (0, 0, 0)
    service.start()
    [(number,)] = sql("select max(transaction_id) from graph.transaction_jobs")
    path = f"/P/one/transactions/{number}"
    eventually(lambda: mine("GET", path).json()["state"] != "PENDING", WITHIN_S)
    found = mine("GET", path).json()
    assert (found["state"], "Send it again" in found["answer"]["message"]) == ("ERRORED", True)
    for created in (ROWS, 0):
        answer = mine.table(table(tag))
        assert (answer["success"], answer["created_entity_count"]) == (True, created)
        assert counts(sql, tag) == (ROWS // 2,) * 3


def test_detached_work_of_a_killed_service_is_finished_by_the_next(
    service: Service, mine: Api, sql: Any, tmp_path: Path
) -> None:
    tag = uuid.uuid4().hex
    number = mine("PUT", "/P/one?async=true", data=table(tag), headers=TSV).json()["transaction_id"]
    for _ in range(2):
        eventually(written(sql), WITHIN_S)
        service.kill()
        assert counts(sql, tag) == (0, 0, 0)
        sql("update graph.transaction_jobs set rows_written = 0")
        service.start()
    path = f"/P/one/transactions/{number}"
    eventually(lambda: mine("GET", path).json()["state"] != "PENDING", WITHIN_S)
    found = mine("GET", path).json()
    assert (found["state"], found["answer"]["created_entity_count"]) == ("SUCCEEDED", ROWS)
    assert counts(sql, tag) == (ROWS // 2,) * 3
    eventually(lambda: not list((tmp_path / "submissions").iterdir()), WITHIN_S)


def test_detached_work_that_ends_every_process_is_given_up(service: Service, mine: Api, sql: Any) -> None:
    tag = uuid.uuid4().hex
    number = mine("PUT", "/P/one?async=true", data=table(tag), headers=TSV).json()["transaction_id"]
    eventually(written(sql), WITHIN_S)
    service.kill()
    sql("update graph.transaction_jobs set claims = 99 where transaction_id = :i", i=number)
    service.start()
    path = f"/P/one/transactions/{number}"
    eventually(lambda: mine("GET", path).json()["state"] != "PENDING", WITHIN_S)
    assert mine("GET", path).json()["state"] == "ERRORED"
    assert counts(sql, tag) == (0, 0, 0)


def test_detached_work_whose_body_is_gone_or_changed_ends_with_a_word(
    service: Service, mine: Api, sql: Any, tmp_path: Path
) -> None:
    tag = uuid.uuid4().hex
    number = mine("PUT", "/P/one?async=true", data=table(tag), headers=TSV).json()["transaction_id"]
    eventually(written(sql), WITHIN_S)
    service.kill()
    [file] = (tmp_path / "submissions").iterdir()
    file.write_bytes(file.read_bytes().replace(b"case", b"CASE"))
    service.start()
    path = f"/P/one/transactions/{number}"
    eventually(lambda: mine("GET", path).json()["state"] != "PENDING", WITHIN_S)
    assert mine("GET", path).json()["state"] == "ERRORED"
    assert counts(sql, tag) == (0, 0, 0)
    assert not file.exists()


def test_a_killed_service_leaves_nothing_of_a_release_and_freezes_again(
    service: Service, mine: Api, sql: Any, database_url: str
) -> None:
    def freeze() -> None:
        with pytest.raises(requests.RequestException):
            mine("POST", "/P/one/releases", {"name": "n"})

    work, engine = Thread(target=freeze), sa.create_engine(database_url)
    with engine.connect() as other:
        # The records are copied, the links have to wait.
        other.execute(sa.text("lock table release.release_edges"))
        work.start()
        eventually(written(sql), WITHIN_S)
        service.kill()
        work.join(WITHIN_S)
    engine.dispose()
    service.start()
    eventually(lambda: not sql("select from graph.transaction_jobs where finished is null"), WITHIN_S)
    assert mine("GET", "/P/one/releases").json() == {"releases": []}
    assert sql("select from release.release_nodes") == []
    [(number,)] = sql("select max(transaction_id) from graph.transaction_jobs")
    assert mine("GET", f"/P/one/transactions/{number}").json()["state"] == "ERRORED"
    assert mine("POST", "/P/one/releases", {"name": "n"}).json()["id"] == "P-one-1"
