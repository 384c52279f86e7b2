"""Uploads that are resumed, by the protocol tus."""

import base64
import io
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from tests.submission_service import SMALL, SNAPSHOT
from tests.waiting import eventually
from tusclient.client import TusClient

from commonshub.submission.app import SubmissionApp

WITHIN_S = 60
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = {**TUS, "Content-Type": "application/offset+octet-stream"}
MOST = 3


@pytest.fixture(scope="module")
def running(run_service: Callable[..., Any]) -> Any:
    commons = {"dictionary": str(SMALL), "max_table_bytes": 10**7, "max_body_bytes": 10**6}
    settings = {"max_uploads": MOST, "report_s": 0.05, "lapse_s": 0.5}
    running = run_service(SubmissionApp, Commons=commons, SubmissionApp=settings)
    running.hold(SNAPSHOT)
    return running


@pytest.fixture
def folder(running: Any) -> Path:
    path: Path = running.app.job_settings.folder
    return path


@pytest.fixture(autouse=True)
def _no_file_is_left(folder: Path) -> Iterator[None]:
    yield
    for file in folder.glob("*"):
        file.unlink(missing_ok=True)


def rows(count: int, tag: str) -> bytes:
    lines = [f"case\t{n}{tag}\te\n" for n in range(count)]
    return ("type\tsubmitter_id\texperiments.submitter_id\n" + "".join(lines)).encode()


def begin(api: Any, length: int, kind: str = "text/tsv", **more: Any) -> requests.Response:
    told = f"filetype {base64.b64encode(kind.encode()).decode()},filename {base64.b64encode(b'my table').decode()}"
    headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": told, **more}
    answer: requests.Response = api("POST", "/P/one/uploads", headers=headers)
    return answer


def started(api: Any, length: int) -> str:
    answer = begin(api, length)
    assert answer.status_code == 201, answer.text
    return "/P/one/uploads/" + answer.headers["Location"].rpartition("/")[2]


def send(api: Any, where: str, offset: int, data: bytes, **more: str) -> requests.Response:
    answer: requests.Response = api("PATCH", where, data=data, headers={**PIECE, "Upload-Offset": str(offset), **more})
    return answer


def offset(api: Any, where: str) -> int:
    answer = api("HEAD", where, headers=TUS)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    return int(answer.headers["Upload-Offset"])


@pytest.fixture
def tag() -> str:
    return uuid.uuid4().hex


def test_what_the_protocol_can_do_is_told(api: Any) -> None:
    answer = api("OPTIONS", "/P/one/uploads")
    told = [answer.headers[f"Tus-{name}"] for name in ("Version", "Resumable", "Extension", "Max-Size")]
    assert (answer.status_code, told) == (204, ["1.0.0", "1.0.0", "creation,expiration,termination", "10000000"])


def test_a_table_is_sent_in_pieces_and_submitted(api: Any, folder: Path, sql: Any, tag: str) -> None:
    data = rows(500, tag)
    where = started(api, len(data))
    assert offset(api, where) == 0
    for start in range(0, len(data), 5000):
        answer = send(api, where, start, data[start : start + 5000])
        assert (answer.status_code, int(answer.headers["Upload-Offset"])) == (204, min(start + 5000, len(data)))
    id_ = where.rpartition("/")[2]
    tried = api("PUT", f"/P/one/_dry_run?upload={id_}").json()
    assert (tried["success"], tried["created_entity_count"]) == (True, 500)
    done = api("PUT", f"/P/one?upload={id_}").json()
    assert (done["success"], done["created_entity_count"]) == (True, 500)
    query = "select name, doc_format from graph.transaction_documents where transaction_id = :i"
    assert sql(query, i=done["transaction_id"]) == [("my table", "TSV")]
    assert api("HEAD", where, headers=TUS).status_code == 404
    assert list(folder.glob("*")) == []


def test_an_upload_is_submitted_without_a_client_as_well(api: Any, tag: str) -> None:
    data = rows(10, tag)
    where = started(api, len(data))
    send(api, where, 0, data)
    number = api("PUT", f"/P/one?async=true&upload={where.rpartition('/')[2]}").json()["transaction_id"]
    path = f"/P/one/transactions/{number}"
    eventually(lambda: api("GET", path).json()["state"] == "SUCCEEDED", WITHIN_S)
    assert f"9{tag}" in api.export("case")


def test_a_client_of_the_protocol_resumes_what_it_has_begun(api: Any, tag: str) -> None:
    file = io.BytesIO(rows(500, tag))
    client = TusClient(f"{api.url}/P/one/uploads", headers=api.headers)
    options = {"chunk_size": 4096, "metadata": {"filetype": "text/tsv"}}
    first = client.uploader(file_stream=file, **options)
    first.upload_chunk()
    second = client.uploader(file_stream=file, url=first.url, **options)
    assert second.offset == 4096
    second.upload()
    assert api("PUT", f"/P/one?upload={first.url.rpartition('/')[2]}").json()["created_entity_count"] == 500


def test_what_came_before_a_connection_broke_is_kept(running: Any, api: Any, tag: str) -> None:
    data = rows(40_000, tag)
    where = started(api, len(data))
    there = urlsplit(running.url)
    head = [
        f"PATCH /api/v0/submission{where} HTTP/1.1", f"Host: {there.netloc}", f"Content-Length: {len(data)}",
        "Upload-Offset: 0", *(f"{name}: {value}" for name, value in {**PIECE, **api.headers}.items()),
    ]  # fmt: skip
    with socket.create_connection((there.hostname, there.port)) as connection:
        connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode() + data[:1_200_000])
        eventually(lambda: offset(api, where) > 0, WITHIN_S)
        assert send(api, where, 0, b"x").status_code in (409, 423)
    eventually(lambda: offset(api, where) == 1_200_000, WITHIN_S)
    assert send(api, where, 1_200_000, data[1_200_000:]).status_code == 204
    assert api("PUT", f"/P/one/_dry_run?upload={where.rpartition('/')[2]}").json()["created_entity_count"] == 40_000


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"Upload-Offset": "3"}, 409),
        ({"Upload-Offset": "-1"}, 400),
        ({"Upload-Offset": "x"}, 400),
        ({"Upload-Offset": "²"}, 400),
        ({"Content-Type": "text/tsv"}, 415),
        ({"Tus-Resumable": "0.2.0"}, 412),
    ],
)
def test_a_piece_that_does_not_fit_is_refused_and_changes_nothing(api: Any, more: dict[str, str], status: int) -> None:
    where = started(api, 10)
    headers = {name: value.encode() for name, value in more.items()}
    assert send(api, where, 0, b"12345", **headers).status_code == status  # type: ignore[arg-type]
    assert offset(api, where) == 0


def test_more_than_was_announced_is_refused(api: Any) -> None:
    where = started(api, 4)
    assert send(api, where, 0, b"12345").status_code == 413
    assert offset(api, where) == 0


def test_who_is_answered_before_his_body_is_read_is_told_to_connect_anew(api: Any) -> None:
    """His next request would meet a connection that ends."""
    where, origin = started(api, 4), urlsplit(api.url)
    headers = "".join(f"{name}: {value}\r\n" for name, value in {**api.headers, **PIECE, "Upload-Offset": "0"}.items())
    request = f"PATCH {origin.path}{where} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: 5\r\n\r\n12345"
    with socket.create_connection((origin.hostname, origin.port), WITHIN_S) as client:
        client.sendall(request.encode())
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert (b" 413 " in answer[:20], b"\r\nConnection: close\r\n" in answer) == (True, True)


@pytest.mark.parametrize(
    ("length", "kind", "more", "status"),
    [
        (10**7 + 1, "text/tsv", {}, 413),
        (10**6 + 1, "application/json", {}, 413),
        (1, "text/tsv", {"Upload-Length": ""}, 400),
        (1, "text/tsv", {"Upload-Metadata": "filetype ???"}, 400),
        (1, "text/tsv", {"Tus-Resumable": "2"}, 412),
    ],
)
def test_an_upload_that_cannot_be_is_refused(
    api: Any, folder: Path, length: int, kind: str, more: dict[str, str], status: int
) -> None:
    assert begin(api, length, kind, **more).status_code == status
    assert list(folder.glob("*")) == []


def test_an_upload_that_is_not_whole_cannot_be_submitted(api: Any) -> None:
    where = started(api, 10)
    send(api, where, 0, b"12345")
    assert api("PUT", f"/P/one?upload={where.rpartition('/')[2]}").status_code == 409
    assert offset(api, where) == 5


def test_an_upload_belongs_to_its_user_and_project(caller: Callable[[str | None], Any], api: Any, tag: str) -> None:
    data = rows(1, tag)
    where = started(caller("alice"), len(data))
    id_ = where.rpartition("/")[2]
    for username, status in (("bob", 404), ("admin", 404), ("eve", 403), (None, 401)):
        other = caller(username)
        statuses = {
            other("HEAD", where, headers=TUS).status_code,
            other("DELETE", where, headers=TUS).status_code,
            send(other, where, 0, data).status_code,
            other("POST", f"/P/one?upload={id_}").status_code,
        }
        assert statuses == {status}
    assert begin(caller("eve"), 1).status_code == 403
    assert send(caller("alice"), where, 0, data).status_code == 204
    assert caller("alice")("HEAD", where.replace("one", "two"), headers=TUS).status_code == 403
    assert caller("alice")("PUT", f"/P/one?upload={id_}").json()["success"]


@pytest.mark.parametrize("id_", ["..", "%2e%2e", "a" * 32, "x", "../../x", "%00"])
def test_no_other_file_is_reached(api: Any, id_: str) -> None:
    assert api("HEAD", f"/P/one/uploads/{id_}", headers=TUS).status_code in (400, 404, 405)
    assert api("PUT", f"/P/one?upload={id_}").status_code in (400, 404)


def test_a_user_has_so_many_uploads_at_a_time(caller: Callable[[str | None], Any], api: Any) -> None:
    places = [started(api, 1) for _ in range(MOST)]
    assert begin(api, 1).status_code == 429
    assert begin(caller("alice"), 1).status_code == 201
    assert api("DELETE", places[0], headers=TUS).status_code == 204
    assert api("HEAD", places[0], headers=TUS).status_code == 404
    assert begin(api, 1).status_code == 201


def test_what_has_expired_goes(api: Any, folder: Path, running: Any) -> None:
    where = started(api, 1)
    stray = folder / uuid.uuid4().hex
    stray.write_bytes(b"x")
    old = time.time() - running.app.upload_expiry_s - 1
    for file in folder.glob("*"):
        os.utime(file, (old, old))
    assert api("HEAD", where, headers=TUS).status_code == 404
    eventually(lambda: not list(folder.glob("*")), WITHIN_S)
