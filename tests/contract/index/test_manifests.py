"""Manifests between this commons and Gen3's SDK, which reads what we export and writes what we import."""

import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.index_service import PROJECT

from commonshub.core import records
from commonshub.core.records import Draft
from commonshub.index import commands

DOWNLOAD = """
import asyncio, sys
from gen3.tools.indexing import download_manifest
download_manifest.TMP_FOLDER, commons = sys.argv[1:]
asyncio.run(download_manifest._get_records_and_write_to_file(commons, ["0"], [], 1, 4))
"""


@pytest.fixture
def stored(running: Any) -> list[Draft]:
    drafts = [
        Draft(
            did=str(uuid.uuid4()),
            size=size,
            hashes={"md5": uuid.uuid4().hex},
            urls=[f"s3://b/{uuid.uuid4()}/a b.bam", f"gs://b/{uuid.uuid4()}"],
            authz=["/programs/p/projects/q", "/open"],
            acl=["p-q", "a b"],
            file_name="a b.bam",
        )
        for size in range(3)
    ]
    running.app.database.call(records.create, "index", drafts)
    return drafts


@pytest.fixture
def options(database_url: str, tmp_path: Path) -> list[str]:
    return [f"--data-dir={tmp_path}", f"--DatabaseSettings.url={database_url}"]


@pytest.mark.parametrize("name", ["all.csv", "all.tsv"])
def test_the_sdk_reads_what_is_exported(stored: list[Draft], options: list[str], tmp_path: Path, name: str) -> None:
    from gen3.tools.utils import get_and_verify_fileinfos_from_manifest
    from gen3.utils import get_urls

    path = tmp_path / name
    assert commands.main(["export", str(path), *options]) == 0
    found, _ = get_and_verify_fileinfos_from_manifest(str(path))
    rows = {each["guid"]: each for each in found}
    for draft in stored:
        row = rows[draft.did]
        assert (row["md5"], row["size"], row["file_name"]) == (draft.hashes["md5"], draft.size, draft.file_name)
        assert [get_urls(row[name]) for name in ("urls", "authz", "acl")] == [draft.urls, draft.authz, draft.acl]


@pytest.mark.parametrize("name", ["all.csv", "all.tsv"])
def test_the_sdk_calls_what_is_exported_valid(running: Any, options: list[str], tmp_path: Path, name: str) -> None:
    from gen3.tools.indexing.validate_manifest_format import is_valid_manifest_format

    places = [{"urls": [f"s3://b/{n}", f"gs://b/{n}"], "authz": [PROJECT]} for n in range(3)]
    drafts = [Draft(size=n, hashes={"md5": uuid.uuid4().hex}, **each) for n, each in enumerate(places)]
    running.app.database.call(records.create, "index", drafts)
    path = tmp_path / name
    assert commands.main(["export", str(path), *options]) == 0
    # URLs with blanks, which other tests store, are none to the validator.
    header, *rows = path.read_text().splitlines(keepends=True)
    ours = [row for row in rows if any(draft.hashes["md5"] in row for draft in drafts)]
    path.write_text(header + "".join(ours))
    assert len(ours) == 3
    assert is_valid_manifest_format(str(path), error_on_empty_url=True)


def test_what_the_sdk_merges_is_imported(
    running: Any, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from gen3.tools.indexing.merge_manifests import merge_bucket_manifests

    guid, md5 = str(uuid.uuid4()), uuid.uuid4().hex
    (tmp_path / "parts").mkdir()
    for name in "ab":
        row = f"guid,md5,size,authz,urls\n{guid},{md5},7,{PROJECT},s3://{name}/k\n"
        (tmp_path / "parts" / f"{name}.csv").write_text(row)
    merged = tmp_path / "merged.tsv"
    merge_bucket_manifests(directory=str(tmp_path / "parts"), output_manifest=str(merged))
    assert commands.main(["import", str(merged), *options]) == 0
    assert "1 created, " in capsys.readouterr().out
    [record] = running.app.database.call(records.get_many, "index", [guid]).values()
    assert (record.size, record.hashes, record.authz) == (7, {"md5": md5}, [PROJECT])
    assert sorted(record.urls) == ["s3://a/k", "s3://b/k"]


def test_what_the_sdk_downloads_is_there_already(
    running: Any,
    stored: list[Draft],
    options: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "output").mkdir()
    # The SDK itself runs this part in a process of its own; it would write into its own package.
    subprocess.run([sys.executable, "-c", DOWNLOAD, f"{tmp_path}/", running.url], check=True, timeout=120)
    [written] = (tmp_path / "output").glob("*.csv")
    header = "guid,urls,authz,acl,md5,file_size,file_name\n"
    written.write_text(header + written.read_text())
    with running.app.database.engine.begin() as connection:
        connection.execute(sa.text("delete from index.record where guid = :guid"), {"guid": stored[0].did})
    capsys.readouterr()
    assert commands.main(["import", str(written), *options]) == 0
    assert "1 created, " in capsys.readouterr().out
    [again] = running.app.database.call(records.get_many, "index", [stored[0].did]).values()
    assert (again.size, again.hashes, again.file_name) == (stored[0].size, stored[0].hashes, stored[0].file_name)
    for name in ("urls", "authz", "acl"):
        assert sorted(getattr(again, name)) == sorted(getattr(stored[0], name))
