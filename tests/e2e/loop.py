"""The main job with the unmodified `gen3` SDK, as a researcher's script would do it.

Run by any interpreter that has `gen3` and nothing of ours: ``python loop.py CREDENTIALS PROGRAM``. Ends with a JSON
line of what it saw; any step that goes wrong raises.
"""

import json
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import requests
from gen3.auth import Gen3Auth
from gen3.file import Gen3File
from gen3.index import Gen3Index
from gen3.query import Gen3Query
from gen3.submission import Gen3Submission

PATIENCE_S = 60


def wait_for(what: str, look: Callable[[], Any]) -> tuple[Any, float]:
    """Ask again until there is an answer; the answer and the seconds it took."""
    start = time.monotonic()
    while time.monotonic() - start < PATIENCE_S:
        found = look()
        if found:
            return found, time.monotonic() - start
        time.sleep(0.25)
    raise TimeoutError(f"{what}: nothing within {PATIENCE_S} s")


def main(credentials: str, program: str) -> None:
    auth = Gen3Auth(refresh_file=credentials)
    submission, index, files, query = Gen3Submission(auth), Gen3Index(auth), Gen3File(auth), Gen3Query(auth)
    # Project codes are unique in a whole commons.
    code = f"{program}P1"
    project = f"{program}-{code}"

    submission.create_program({"type": "program", "name": program, "dbgap_accession_number": program})
    submission.create_project(
        program, {"type": "project", "code": code, "name": "Loop", "dbgap_accession_number": code}
    )
    case = {"type": "case", "submitter_id": "loop-case-1", "projects": {"code": code}}
    assert submission.submit_record(program, code, case)["success"]

    content = f"time,value\n0,{uuid.uuid4()}\n".encode() * 1000
    upload = files.upload_file("loop.csv")
    guid = upload["guid"]
    assert requests.put(upload["url"], data=content, timeout=60).status_code == 200
    record, verified_s = wait_for("verification", lambda: (r := index.get_record(guid)) and r["hashes"] and r)
    assert record["size"] == len(content)

    node = {
        "type": "measurement_file",
        "submitter_id": "loop-file-1",
        "object_id": guid,
        "file_name": "loop.csv",
        "file_size": record["size"],
        "md5sum": record["hashes"]["md5"],
        "data_category": "Clinical",
        "data_type": "Clinical measurements",
        "data_format": "CSV",
        "cases": {"submitter_id": "loop-case-1"},
    }
    answer = submission.submit_record(program, code, node)
    assert answer["success"], answer

    graph = submission.query(
        '{ measurement_file(project_id: "%s") { object_id file_name cases { submitter_id } } }' % project  # noqa: UP031
    )
    assert graph["data"]["measurement_file"] == [
        {"object_id": guid, "file_name": "loop.csv", "cases": [{"submitter_id": "loop-case-1"}]}
    ], graph

    flat, explored_s = wait_for(
        "the explorer",
        lambda: query.query("file", ["object_id", "file_name"], filters={"project_id": project})["data"].get("file"),
    )
    assert flat == [{"object_id": guid, "file_name": "loop.csv"}], flat

    with tempfile.TemporaryDirectory() as folder:
        assert files.download_single(guid, folder)
        (fetched,) = (path for path in Path(folder).rglob("*") if path.is_file())
        assert fetched.read_bytes() == content

    print(json.dumps({"gen3": version("gen3"), "guid": guid, "verified_s": verified_s, "explored_s": explored_s}))


if __name__ == "__main__":
    main(*sys.argv[1:])
