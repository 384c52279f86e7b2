"""Manifests of files to upload, and the ways to upload that this commons leaves out."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from tests.submission_service import case, ids

ID = str(uuid.uuid4())
GOOD = {"id": ID, "file_name": "a.bam", "project_id": "P-one", "md5sum": "0" * 32, "file_size": 7}


def reads(name: str) -> dict[str, Any]:
    return {
        "type": "reads_file",
        "submitter_id": name,
        "file_name": "a.bam",
        "file_size": 7,
        "md5sum": uuid.uuid4().hex,
    }


@pytest.mark.parametrize("path", ["manifest", "upload_manifest"])
def test_a_manifest_lists_the_files_to_upload_and_is_valid(api: Any, name: str, path: str) -> None:
    [id_] = ids(api.put(reads(name)))
    response = api("GET", f"/P/one/{path}?ids={id_}")
    [file] = yaml.safe_load(response.text)["files"]
    assert (file["id"], file["local_file_path"], file["file_size"], file["type"]) == (id_, "a.bam", 7, "reads_file")
    validated = api("POST", "/validation/upload_manifest", data=response.content)
    assert (validated.status_code, validated.json()) == (200, {"valid": True, "errors": []})


def test_only_files_of_the_project_have_a_manifest(api: Any, caller: Callable[[str | None], Any], name: str) -> None:
    [record], [foreign] = ids(api.put(case(name))), ids(api.put(reads(name), path="/P/two"))
    alice = caller("alice")
    asked = [alice("GET", f"/P/one/manifest{query}").status_code for query in ("", f"?ids={record}", f"?ids={foreign}")]
    assert asked == [400, 400, 404]
    assert alice("GET", f"/P/two/manifest?ids={foreign}").status_code == 403


@pytest.mark.parametrize("write", [yaml.safe_dump, json.dumps], ids=["YAML", "JSON"])
@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        ({"files": [GOOD]}, []),
        ({"files": []}, []),
        ({}, []),
        ([], ["is not of type"]),
        ({"files": {}}, ["files: "]),
        ({"files": ["a"]}, ["files[0]: "]),
        ({"files": [GOOD, {**GOOD, "id": "1"}]}, ["files[1].id: "]),
        ({"files": [{**GOOD, "md5sum": "A" * 32, "file_size": "7"}]}, ["files[0].file_size: ", "files[0].md5sum: "]),
        ({"files": [{"id": ID, "project_id": "P-one"}]}, ["files[0]: "]),
        ({"files": [{"file_name": "x"}]}, ["files[0]: ", "files[0]: "]),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_manifest_is_told(
    api: Any, write: Callable[[Any], str], manifest: Any, told: list[str]
) -> None:
    answer = api("POST", "/validation/upload_manifest", data=write(manifest).encode()).json()
    assert (answer["valid"], len(answer["errors"])) == (not told, len(told)), answer
    assert all(start in error for start, error in zip(told, sorted(answer["errors"]), strict=True))


@pytest.mark.parametrize(
    "body",
    [b"\xff", b"{", b"a: [", b"a: &a [*a]", b"- !!python/object:os.system x", b"a: 1\n---\nb: 2"],
)
def test_what_is_no_manifest_is_refused(api: Any, body: bytes) -> None:
    response = api("POST", "/validation/upload_manifest", data=body)
    assert (response.status_code, "manifest" in response.json()["message"]) == (400, True)


def test_a_manifest_is_checked_for_those_who_are_signed_in(caller: Callable[[str | None], Any]) -> None:
    asked = [caller(user)("POST", "/validation/upload_manifest", {}).status_code for user in (None, "eve")]
    assert asked == [401, 200]


@pytest.mark.parametrize(
    ("method", "path", "instead"),
    [
        *((method, f"/P/one/files/{ID}", "/user/data/upload") for method in ("GET", "PUT", "POST", "DELETE")),
        ("PUT", f"/P/one/files/{ID}/_dry_run", "/user/data/upload"),
        ("PUT", f"/admin/P/one/files/{ID}/reassign", "/user/data/upload"),
        ("PUT", "/P/one/xml/biospecimen/bcr", "a workbook"),
        ("POST", "/P/one/xml/clinical/bcr/_dry_run", "a workbook"),
    ],
)
def test_what_is_left_out_says_what_there_is_instead(
    api: Any, caller: Callable[[str | None], Any], method: str, path: str, instead: str
) -> None:
    response = api(method, path)
    assert (response.status_code, instead in response.json()["message"]) == (501, True)
    assert caller(None)(method, path).status_code == 401
