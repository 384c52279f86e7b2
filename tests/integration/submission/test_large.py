"""Submissions that are too large to wait for: bodies in files, progress, work without a client."""

import asyncio
import json
import os
import socket
import tempfile
import threading
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from tests.submission_service import SMALL, SNAPSHOT
from tests.waiting import eventually

from commonshub.core.errors import Unavailable
from commonshub.submission.app import SubmissionApp
from commonshub.submission.body import Body
from commonshub.submission.progress import Progress

MEMORY_BYTES = 1000
OF_USER = 8
TSV = {"Content-Type": "text/tsv"}
HEADER = "type\tsubmitter_id\texperiments.submitter_id\n"
WITHIN_S = 60


@pytest.fixture(scope="module")
def running(run_service: Callable[..., Any]) -> Any:
    settings = {"memory_bytes": MEMORY_BYTES, "chunk_records": 100, "report_s": 0.05, "lapse_s": 0.5}
    settings |= {"max_large_of_user": OF_USER, "project_wait_s": 0.2}
    commons = {"dictionary": str(SMALL), "max_table_bytes": 10**7}
    running = run_service(SubmissionApp, Commons=commons, SubmissionApp=settings)
    running.hold(SNAPSHOT)
    return running


@pytest.fixture(autouse=True)
def _no_file_is_left(running: Any, api: Any) -> Iterator[None]:
    yield
    folder = running.app.job_settings.folder
    eventually(lambda: not list(folder.glob("*")), WITHIN_S)


def rows(count: int, tag: str) -> str:
    return HEADER + "".join(f"case\t{n}{tag}\te\n" for n in range(count))


def submit(api: Any, text: str, query: str = "", path: str = "/P/one", method: str = "PUT") -> requests.Response:
    answer: requests.Response = api(method, path + query, data=text.encode(), headers=TSV, timeout=WITHIN_S)
    return answer


def look(api: Any, number: int) -> dict[str, Any]:
    answer: dict[str, Any] = api("GET", f"/P/one/transactions/{number}").json()
    assert "state" in answer, answer
    return answer


def finished(api: Any, number: int) -> dict[str, Any]:
    eventually(lambda: look(api, number)["state"] != "PENDING", WITHIN_S)
    return look(api, number)


@pytest.fixture
def tag() -> str:
    return uuid.uuid4().hex


def test_a_large_table_is_stored_and_its_body_kept_in_parts(api: Any, running: Any, sql: Any, tag: str) -> None:
    text = rows(1000, tag)
    answer = submit(api, text).json()
    assert (answer["success"], answer["created_entity_count"]) == (True, 1000)
    assert f"999{tag}" in api.export("case")
    number = answer["transaction_id"]
    [document] = sql("select doc, response_json from graph.transaction_documents where transaction_id = :i", i=number)
    assert (document.doc, document.response_json["created_entity_count"]) == ("", 1000)
    found = look(api, number)
    assert (found["state"], found["stage"], found["bytes"]) == ("SUCCEEDED", "done", len(text))
    assert [found[f"rows_{name}"] for name in ("read", "checked", "written")] == [1000] * 3


def test_what_is_large_in_json_is_worked_on_all_the_same(api: Any, tag: str) -> None:
    cases = [{"type": "case", "submitter_id": f"{n}{tag}", "experiments": {"submitter_id": "e"}} for n in range(300)]
    assert api.put(*cases)["created_entity_count"] == 300


def test_a_large_dry_run_can_be_committed(api: Any, tag: str) -> None:
    answer = submit(api, rows(300, tag), path="/P/one/_dry_run").json()
    assert answer["message"].startswith("Transaction would have been successful.")
    assert f"1{tag}" not in api.export("case")
    done = api("PUT", f"/P/one/transactions/{answer['transaction_id']}/commit").json()
    assert done["created_entity_count"] == 300
    assert f"1{tag}" in api.export("case")


def test_a_large_table_that_is_wrong_is_told_of_as_a_small_one(api: Any, tag: str) -> None:
    answer = submit(api, rows(300, tag) + "case\tlast\tnobody\n")
    assert (answer.status_code, answer.json()["entity_error_count"]) == (400, 1)
    assert look(api, answer.json()["transaction_id"])["state"] == "FAILED"
    answer = submit(api, rows(300, tag) + 'case\t"no end\n')
    assert (answer.status_code, "302" in answer.json()["message"]) == (400, True)
    assert f"1{tag}" not in api.export("case")


def test_memory_stays_flat(api: Any) -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        assert submit(api, rows(count, uuid.uuid4().hex)).json()["success"]
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1000)
    # The text and the answer of a test are in this process, too: some 60 bytes a row.
    assert peak(12_000) < peak(6000) + 6000 * 200


# -- progress ----------------------------------------------------------------------


def test_who_asks_is_told_how_far_it_is(api: Any, held: threading.Event, tag: str) -> None:
    number = submit(api, rows(500, tag), "?async=true").json()["transaction_id"]
    eventually(lambda: look(api, number)["stage"] == "commit", WITHIN_S)
    found = look(api, number)
    assert (found["state"], found["submitter"], found["is_dry_run"]) == ("PENDING", "admin", False)
    assert [found[f"rows_{name}"] for name in ("read", "checked", "written")] == [500] * 3
    assert f"1{tag}" not in api.export("case")
    held.set()
    done = finished(api, number)
    assert (done["state"], done["answer"]["created_entity_count"]) == ("SUCCEEDED", 500)
    assert f"1{tag}" in api.export("case")


def events(answer: requests.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in answer.iter_lines(decode_unicode=True):
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def test_who_follows_is_told_until_the_end(api: Any, held: threading.Event, tag: str) -> None:
    number = submit(api, rows(500, tag), "?async=true").json()["transaction_id"]
    headers = {"Accept": "text/event-stream"}
    with api("GET", f"/P/one/transactions/{number}", headers=headers, stream=True, timeout=WITHIN_S) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        told = []
        for name, found in events(answer):
            told.append((name, found["state"]))
            if found.get("stage") == "commit":
                held.set()
    assert told[0] == ("progress", "PENDING")
    assert told[-1] == ("done", "SUCCEEDED")


def test_a_service_that_stops_sends_those_away_who_follow(
    api: Any, running: Any, held: threading.Event, monkeypatch: pytest.MonkeyPatch, tag: str
) -> None:
    number = submit(api, rows(1, tag), "?async=true").json()["transaction_id"]
    headers = {"Accept": "text/event-stream"}
    with api("GET", f"/P/one/transactions/{number}", headers=headers, stream=True, timeout=WITHIN_S) as answer:
        told = events(answer)
        assert next(told)[1]["state"] == "PENDING"
        monkeypatch.setattr(running.app, "closing", True)
        assert {name for name, _ in told} <= {"progress"}
    held.set()
    finished(api, number)


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_transactions_are_told_to_readers_and_to_their_submitters(
    api: Any, caller: Callable[[str | None], Any], accept: str, tag: str
) -> None:
    text = rows(1, tag)
    numbers = {
        "admin": submit(api, text).json()["transaction_id"],
        "bob": submit(caller("bob"), rows(1, tag + "b"), method="POST").json()["transaction_id"],
    }

    def status(username: str | None, number: int, project: str = "one") -> int:
        path = f"/P/{project}/transactions/{number}"
        answer: requests.Response = caller(username)("GET", path, headers={"Accept": accept})
        return answer.status_code

    asked = [("alice", "admin"), ("alice", "bob"), ("bob", "bob"), ("bob", "admin"), ("eve", "bob"), (None, "bob")]
    assert [status(username, numbers[owner]) for username, owner in asked] == [200, 200, 200, 403, 403, 401]
    assert [status("admin", numbers["bob"], "two"), status("admin", 999999999)] == [404, 404]
    assert status("alice", numbers["admin"], "two") == 403


# -- without a client --------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 500])
def test_the_work_goes_on_without_its_client(api: Any, count: int, tag: str) -> None:
    answer = submit(api, rows(count, tag), "?async=true")
    number = answer.json()["transaction_id"]
    assert (answer.status_code, answer.json()) == (
        200, {"code": 200, "message": "Transaction submitted.", "transaction_id": number},
    )  # fmt: skip
    done = finished(api, number)
    assert (done["state"], done["answer"]["created_entity_count"]) == ("SUCCEEDED", count)


def test_what_is_wrong_without_a_client_is_told_to_who_asks(api: Any, tag: str) -> None:
    wrong = submit(api, rows(300, tag) + "case\tlast\tnobody\n", "?async=true").json()["transaction_id"]
    done = finished(api, wrong)
    assert (done["state"], done["answer"]["entity_error_count"]) == ("FAILED", 1)
    unreadable = submit(api, rows(300, tag) + 'case\t"no end\n', "?async=true").json()["transaction_id"]
    done = finished(api, unreadable)
    assert (done["state"], "302" in done["answer"]["message"]) == ("FAILED", True)
    assert f"1{tag}" not in api.export("case")


def test_a_client_that_goes_away_does_not_take_the_work_with_it(
    api: Any, held: threading.Event, tag: str, sql: Any
) -> None:
    with pytest.raises(requests.Timeout):
        api("PUT", "/P/one", data=rows(500, tag).encode(), headers=TSV, timeout=1)
    held.set()
    eventually(lambda: f"1{tag}" in api.export("case"), WITHIN_S)


def test_a_fault_of_ours_is_logged_and_stores_nothing(
    api: Any, running: Any, monkeypatch: pytest.MonkeyPatch, tag: str
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("secret internals")

    monkeypatch.setattr(running.app.model.tools.store.log, "document", fail)
    response = submit(api, rows(300, tag))
    number = submit(api, rows(300, tag), "?async=true").json()["transaction_id"]
    done = finished(api, number)
    assert (response.status_code, done["state"], "secret" in json.dumps(done)) == (500, "ERRORED", False)
    assert f"1{tag}" not in api.export("case")


def test_a_user_has_so_many_large_submissions_at_a_time(
    api: Any, caller: Callable[[str | None], Any], running: Any, held: threading.Event, tag: str
) -> None:
    numbers = [submit(api, rows(1, f"{n}{tag}"), "?async=true").json()["transaction_id"] for n in range(OF_USER)]
    refused = submit(api, rows(1, tag), "?async=true")
    assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (429, True)
    other = submit(caller("alice"), rows(1, f"other{tag}"), "?async=true")
    held.set()
    for number in (*numbers, other.json()["transaction_id"]):
        assert finished(api, number)["state"] == "SUCCEEDED"
    assert submit(api, rows(1, tag), "?async=true").status_code == 200


# -- several writers ---------------------------------------------------------------


def test_two_writers_of_the_same_records_leave_each_once(api: Any, tag: str) -> None:
    lines = rows(600, tag).splitlines(keepends=True)
    texts = ["".join(lines), lines[0] + "".join(reversed(lines[1:]))]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda text: submit(api, text).json(), texts * 3))
    assert [answer["success"] for answer in answers] == [True] * 6, answers
    assert sorted(answer["created_entity_count"] for answer in answers) == [0] * 5 + [600]
    assert sum(name.endswith(tag) for name in api.export("case")) == 600


def test_of_two_that_create_the_same_records_one_wins_and_the_other_leaves_nothing(api: Any, tag: str) -> None:
    lines = rows(600, tag).splitlines(keepends=True)
    texts = ["".join(lines) + f"case\t1st{tag}\te\n", lines[0] + "".join(reversed(lines[1:])) + f"case\t2nd{tag}\te\n"]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda text: submit(api, text, method="POST").json(), texts))
    assert sorted(answer["code"] for answer in answers) == [201, 400]
    assert sum(name.endswith(tag) for name in api.export("case")) == 601


@pytest.mark.parametrize(("method", "path"), [("PUT", "/review"), ("PUT", "/review/_dry_run"), ("DELETE", "")])
def test_a_project_is_not_changed_while_a_large_submission_runs(
    api: Any, held: threading.Event, tag: str, method: str, path: str
) -> None:
    number = submit(api, rows(500, tag), "?async=true").json()["transaction_id"]
    eventually(lambda: look(api, number)["rows_written"] == 500, WITHIN_S)
    answer = api(method, f"/P/one{path}")
    assert (answer.status_code, answer.json()["message"]) == (
        409, f"Transaction {number} (500 rows written) to project one is under way; try again when it is over.",
    )  # fmt: skip
    [_, running] = answer.json()["transactional_errors"]
    assert (running["transaction_id"], running["submitter"], running["rows_written"]) == (number, "admin", 500)
    held.set()
    assert finished(api, number)["state"] == "SUCCEEDED"


def test_a_large_dry_run_is_committed_when_it_is_its_turn(api: Any, running: Any, tag: str) -> None:
    tried = submit(api, rows(300, tag), path="/P/one/_dry_run").json()["transaction_id"]
    slots = running.app.jobs.slots
    for _ in range(running.app.large_at_once):
        running.call(slots.acquire())
    with pytest.raises(requests.Timeout):
        api("PUT", f"/P/one/transactions/{tried}/commit", timeout=1)
    assert f"1{tag}" not in api.export("case")
    for _ in range(running.app.large_at_once):
        running.loop.call_soon_threadsafe(slots.release)
    eventually(lambda: f"1{tag}" in api.export("case"), WITHIN_S)


def test_small_writers_beside_a_large_one_leave_no_half(api: Any, tag: str) -> None:
    def samples(n: int) -> Any:
        case = {"type": "case", "submitter_id": f"{n}{tag}", "experiments": {"submitter_id": "e"}}
        return api.put({"type": "sample", "submitter_id": f"s{n}{tag}", "cases": {"submitter_id": f"{n}{tag}"}}, case)

    with ThreadPoolExecutor(5) as pool:
        large = pool.submit(submit, api, rows(800, tag))
        small = list(pool.map(samples, range(0, 800, 20)))
    # Whom others have been in the way of each time is told so, and tries again.
    assert large.result().status_code in (200, 409), large.result().text[:500]
    if large.result().status_code == 409:
        assert submit(api, rows(800, tag)).json()["success"]
    assert all(answer["success"] for answer in small), small
    assert sum(name.endswith(tag) for name in api.export("case")) == 800


# -- bodies ------------------------------------------------------------------------


def test_what_may_not_be_sent_is_refused_before_it_is_kept(
    api: Any, running: Any, caller: Callable[[str | None], Any], tag: str
) -> None:
    text = rows(2000, tag)
    statuses = [submit(caller(username), text).status_code for username in ("eve", None)]
    assert [*statuses, submit(caller("alice"), text, path="/P/two").status_code] == [403, 401, 403]
    assert submit(api, text, path="/P/none").status_code == 404


def test_who_asks_before_he_sends_is_refused_at_once(running: Any, caller: Callable[[str | None], Any]) -> None:
    where = urlsplit(running.url)
    head = [
        "PUT /api/v0/submission/P/one HTTP/1.1", f"Host: {where.netloc}", "Content-Length: 1000000",
        "Content-Type: text/tsv", "Expect: 100-continue", f"Authorization: {caller('eve').headers['Authorization']}",
    ]  # fmt: skip
    with socket.create_connection((where.hostname, where.port)) as connection:
        connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize("length", [True, False], ids=["declared", "chunked"])
def test_a_body_beyond_the_limit_is_refused(running: Any, caller: Callable[[str | None], Any], length: bool) -> None:
    where, size = urlsplit(running.url), 10**7 + 1
    head = [
        "PUT /api/v0/submission/P/one HTTP/1.1", f"Host: {where.netloc}", "Content-Type: text/tsv",
        f"Authorization: {caller('admin').headers['Authorization']}",
        f"Content-Length: {size}" if length else "Transfer-Encoding: chunked",
    ]  # fmt: skip
    with socket.create_connection((where.hostname, where.port)) as connection:
        connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
        if not length:
            try:
                for _ in range(20):
                    connection.sendall(b"%x\r\n%s\r\n" % (10**6, b"x" * 10**6))
            except OSError:
                return
        assert connection.recv(100).startswith(b"HTTP/1.1 4" if not length else b"HTTP/1.1 413 ")


def test_a_connection_that_breaks_leaves_nothing(running: Any, caller: Callable[[str | None], Any], sql: Any) -> None:
    where = urlsplit(running.url)
    before = sql("select count(*) from graph.transaction_logs")
    head = [
        "PUT /api/v0/submission/P/one?async=true HTTP/1.1", f"Host: {where.netloc}", "Content-Type: text/tsv",
        f"Authorization: {caller('admin').headers['Authorization']}", "Content-Length: 5000000",
    ]  # fmt: skip
    folder = running.app.job_settings.folder
    with socket.create_connection((where.hostname, where.port)) as connection:
        connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode() + rows(200_000, "x").encode())
        eventually(lambda: [file.stat().st_size > 0 for file in folder.glob("*")] == [True], WITHIN_S)
    eventually(lambda: not list(folder.glob("*")), WITHIN_S)
    assert sql("select count(*) from graph.transaction_logs") == before


def test_no_request_waits_for_the_disk_on_the_event_loop(
    api: Any, running: Any, monkeypatch: pytest.MonkeyPatch, tag: str
) -> None:
    where: dict[str, set[threading.Thread]] = {}

    def noted(name: str, function: Any) -> Any:
        def call(*arguments: Any, **more: Any) -> Any:
            where.setdefault(name, set()).add(threading.current_thread())
            return function(*arguments, **more)

        return call

    monkeypatch.setattr(os, "fsync", noted("fsync", os.fsync))
    monkeypatch.setattr(Path, "unlink", noted("unlink", Path.unlink))
    monkeypatch.setattr(tempfile, "TemporaryFile", noted("open", tempfile.TemporaryFile))
    monkeypatch.setattr(Body, "close", noted("close", Body.close))
    for count in (1, 500):
        number = submit(api, rows(count, f"{count}{tag}"), "?async=true").json()["transaction_id"]
        assert finished(api, number)["state"] == "SUCCEEDED"
    tried = submit(api, rows(500, tag), path="/P/one/_dry_run").json()["transaction_id"]
    assert api("PUT", f"/P/one/transactions/{tried}/commit").json()["success"]
    eventually(lambda: not list(running.app.job_settings.folder.glob("*")), WITHIN_S)
    assert where.keys() == {"fsync", "unlink", "open", "close"}
    assert {name for name, threads in where.items() if running.thread in threads} == set()


def test_a_report_that_comes_late_does_not_undo_the_end(api: Any, running: Any, tag: str) -> None:
    number = submit(api, rows(300, tag)).json()["transaction_id"]
    late = Progress(stage="commit", read=1)
    running.call(running.app.database.run(running.app.jobs.store.report, {number: late}))
    assert (look(api, number)["stage"], look(api, number)["rows_read"]) == ("done", 300)


# -- abandoned work ----------------------------------------------------------------


def test_detached_work_outlasts_a_moment_without_a_database(
    api: Any, running: Any, monkeypatch: pytest.MonkeyPatch, tag: str
) -> None:
    log, tries = running.app.model.tools.store.log, []
    document = log.document

    def fail_once(*arguments: Any) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise Unavailable("The database cannot be reached just now.")
        document(*arguments)

    monkeypatch.setattr(log, "document", fail_once)
    number = submit(api, rows(500, tag), "?async=true").json()["transaction_id"]
    assert finished(api, number)["state"] == "SUCCEEDED"
    assert (len(tries), f"1{tag}" in api.export("case")) == (2, True)


def test_jobs_are_watched_on_after_a_fault_of_ours(
    api: Any,
    running: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    held: threading.Event,
    tag: str,
) -> None:
    report, failed = running.app.jobs.store.report, []

    def fail_once(*arguments: Any) -> None:
        if not failed:
            failed.append(1)
            raise RuntimeError("this cannot be")
        report(*arguments)

    monkeypatch.setattr(running.app.jobs.store, "report", fail_once)
    number = submit(api, rows(500, tag), "?async=true").json()["transaction_id"]
    eventually(lambda: failed, WITHIN_S)
    eventually(lambda: look(api, number)["rows_written"] == 500, WITHIN_S)
    assert "this cannot be" in caplog.text
    held.set()
    finished(api, number)


@pytest.mark.parametrize("detached", [True, False])
def test_a_stopping_service_leaves_detached_work_to_the_next_and_ends_other(
    api: Any, run_service: Callable[..., Any], detached: bool, tag: str
) -> None:
    first = run_service(
        SubmissionApp, Commons={"dictionary": str(SMALL)}, SubmissionApp={"chunk_records": 100, "memory_bytes": 1000}
    )
    first.hold(SNAPSHOT)
    store, event = first.app.model.tools.store, threading.Event()
    begin = store.begin_large
    store.begin_large = lambda *arguments: (event.wait(WITHIN_S), begin(*arguments))
    theirs = type(api)(first.url, api.headers)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(submit, theirs, rows(500, tag), "?async=true" if detached else "")
        [job] = eventually(lambda: list(first.app.jobs._running), WITHIN_S)
        stopping = asyncio.run_coroutine_threadsafe(first.app.jobs.stop(), first.loop)
        eventually(lambda: job.progress.stopped, WITHIN_S)
        event.set()
        stopping.result(WITHIN_S)
    done = finished(api, job.number)
    assert answer.result().status_code == (200 if detached else 503)
    assert (done["state"], f"1{tag}" in api.export("case")) == ("SUCCEEDED" if detached else "FAILED", detached)
