"""``commonshub index import|export`` on a real database, beside a running service."""

import csv
import os
import signal
import subprocess
import sys
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.waiting import eventually

from commonshub.core import records
from commonshub.core.records import Draft
from commonshub.index import commands, manifest

Run = Callable[..., int]


@pytest.fixture
def run(running: Any, database_url: str, tmp_path: Path) -> Run:
    """Run a command: ``run("import", "file.csv")``; its exit status."""

    def start(*words: str) -> int:
        return commands.main([*words, f"--data-dir={tmp_path}", f"--DatabaseSettings.url={database_url}"])

    return start


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write a manifest of rows as dictionaries; its path."""

    def table(*rows: dict[str, Any], name: str = "manifest.csv") -> str:
        path = tmp_path / name
        with path.open("w", newline="") as file:
            names = list(dict.fromkeys(key for row in rows for key in row))
            writer = csv.DictWriter(file, names, delimiter="\t" if name.endswith(".tsv") else ",")
            writer.writeheader()
            writer.writerows(rows)
        return str(path)

    return table


@pytest.fixture
def engine(running: Any, database_url: str) -> Iterator[sa.Engine]:
    made = sa.create_engine(database_url)
    with made.begin() as connection:
        connection.execute(sa.text("truncate index.record cascade"))
    yield made
    made.dispose()


def count(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.text("select count(*) from index.record")).scalar_one())


def row(**values: Any) -> dict[str, Any]:
    guid = str(uuid.uuid4())
    return {"guid": guid, "md5": uuid.uuid4().hex, "size": 5, "urls": f"s3://b/{guid}", "authz": "/open", **values}


def test_the_rows_of_a_manifest_become_records(
    run: Run, write: Callable[..., str], engine: sa.Engine, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = row(md5="0CC175B9C0F1B6A831C399E269772661", acl="['a', 'b']", file_name="a b.bam", note="mine")
    assert run("import", write(given, row(), name="m.tsv")) == 0
    told = capsys.readouterr()
    assert told.out == "2 created, 0 there already, 0 faulty\n"
    assert "ignored: note" in told.err
    record = requests.get(f"{url}/index/index/{given['guid']}", timeout=60).json()
    assert record["hashes"] == {"md5": "0cc175b9c0f1b6a831c399e269772661"}
    assert (record["size"], record["form"], record["file_name"]) == (5, "object", "a b.bam")
    assert (record["urls"], record["acl"], record["authz"]) == ([given["urls"]], ["a", "b"], ["/open"])


def test_an_import_can_be_repeated(
    run: Run, write: Callable[..., str], engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(row(), row(), row(guid="", urls="s3://b/1 gs://b/1"), row(guid="", urls="", authz=""))
    for expected in ["4 created, 0 there already, 0 faulty\n", "0 created, 4 there already, 0 faulty\n"]:
        assert run("import", path) == 0
        assert capsys.readouterr().out == expected
    assert count(engine) == 4


@pytest.mark.parametrize("options", [[], ["--dry-run"]], ids=["stored", "dry run"])
def test_a_row_without_a_guid_that_stands_there_twice_is_one_record(
    run: Run, write: Callable[..., str], engine: sa.Engine, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    once = row(guid="")
    assert run("import", write(once, row(guid=""), once), *options) == 0
    assert capsys.readouterr().out.endswith("created, 1 there already, 0 faulty\n")
    assert count(engine) == (0 if options else 2)


def test_faulty_rows_are_named_by_their_lines_and_the_others_stored(
    run: Run, write: Callable[..., str], engine: sa.Engine, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    old = row()
    assert run("import", write(old)) == 0
    capsys.readouterr()
    path = write(
        row(),
        row(md5="zz"),
        row(size="big"),
        old | {"size": 6, "urls": "s3://else"},
        row(prev_guid=str(uuid.uuid4())),
        row(record_type="package"),
        row(),
    )
    errors = tmp_path / "errors.txt"
    assert run("import", path, "--errors", str(errors)) == 1
    told = capsys.readouterr()
    assert told.out == "2 created, 0 there already, 5 faulty\n"
    assert told.err == ""
    lines = {line.partition(": ")[0]: line for line in errors.read_text().splitlines()}
    assert set(lines) == {"line 3", "line 4", "line 5", "line 6", "line 7"}
    assert "hashes.md5 must be md5" in lines["line 3"]
    assert "size must be an integer" in lines["line 4"]
    assert f"{old['guid']} is there already and has another size, another urls" in lines["line 5"]
    assert "version of" in lines["line 6"]
    assert count(engine) == 3
    assert run("import", path) == 1
    assert "line 3: hashes.md5" in capsys.readouterr().err


def test_a_dry_run_says_the_same_and_stores_nothing(
    run: Run, write: Callable[..., str], engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    old = row()
    run("import", write(old))
    capsys.readouterr()
    path = write(old, row(), row(size=-1), old | {"size": 6})
    assert run("import", path, "--dry-run") == 1
    told = capsys.readouterr()
    assert told.out == "1 would be created, 1 there already, 2 faulty\n"
    assert "line 4" in told.err
    assert "line 5" in told.err
    assert count(engine) == 1


def test_a_row_may_name_the_record_of_an_earlier_one(
    run: Run, write: Callable[..., str], engine: sa.Engine, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first, other = row(prev_guid=""), row(prev_guid="")
    second = row(prev_guid=first["guid"])
    assert run("import", write(first, other, second, first, first | {"size": 6})) == 1
    told = capsys.readouterr()
    assert told.out == "3 created, 1 there already, 1 faulty\n"
    assert told.err.startswith("line 6: ")
    versions = requests.get(f"{url}/index/index/{second['guid']}/versions", timeout=60).json()
    assert [each["did"] for each in versions.values()] == [first["guid"], second["guid"]]


def test_a_dry_run_knows_what_earlier_rows_would_have_made(
    run: Run, write: Callable[..., str], engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    first = row(prev_guid="")
    second = row(prev_guid=first["guid"])
    path = write(first, second, row(prev_guid=second["guid"]), first, first | {"size": 6}, row(prev_guid=row()["guid"]))
    said = []
    for options in (["--dry-run"], ["--dry-run"], []):
        assert run("import", path, *options) == 1
        said.append(capsys.readouterr())
    assert {each.out.replace("would be ", "") for each in said} == {"3 created, 1 there already, 2 faulty\n"}
    assert len({each.err for each in said}) == 1
    assert count(engine) == 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "must name the columns"),
        (b"guid,md5\n", "size, urls"),
        (b"md5,size,urls\n\xff\n", "Line 2 is not UTF-8"),
        (b'md5,size,urls\n"open\n', "Line 2: "),
    ],
)
def test_what_is_no_manifest_is_refused(
    run: Run, tmp_path: Path, content: bytes, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(content)
    assert run("import", str(path)) == 1
    assert words in capsys.readouterr().err


def test_what_cannot_be_read_or_reached_is_told_in_one_line(
    run: Run, write: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("import", str(tmp_path / "absent.csv")) == 1
    assert run("import", write(row()), "--errors", str(tmp_path / "no" / "folder")) == 1
    assert run("export", str(tmp_path / "no" / "folder")) == 1
    assert (
        commands.main(["export", f"--data-dir={tmp_path}", "--DatabaseSettings.url=postgresql:///?host=/absent"]) == 1
    )
    assert len(capsys.readouterr().err.splitlines()) == 4


def test_an_export_can_be_imported_without_loss(
    run: Run, engine: sa.Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strange = ["s3://b/a%20b", "s3://b/a b", 's3://b/"quoted", [x]', "s3://b/ümläut"]
    drafts = [
        Draft(
            size=n,
            hashes={"md5": uuid.uuid4().hex, "sha256": "0" * 64},
            urls=[url],
            acl=[url, "x\n", "''"],
            file_name="a,\tb",
        )
        for n, url in enumerate(strange)
    ]
    with engine.begin() as connection:
        records.create(connection, "index", [*drafts, Draft(file_name="blank", form=None)])
    for name in ("all.csv", "all.tsv"):
        assert run("export", str(tmp_path / name)) == 0
        assert f"{len(strange)} records" in capsys.readouterr().err
        assert run("import", str(tmp_path / name)) == 0
        assert capsys.readouterr().out == f"0 created, {len(strange)} there already, 0 faulty\n"
    with engine.begin() as connection:
        connection.execute(sa.text("truncate index.record cascade"))
    assert run("import", str(tmp_path / "all.csv")) == 0
    with engine.connect() as connection:
        stored = connection.execute(sa.text("select urls, acl, hashes from index.record order by size")).all()
    assert [each.urls for each in stored] == [[url] for url in strange]
    assert [each.acl for each in stored] == [draft.acl for draft in drafts]
    assert [dict(each.hashes) for each in stored] == [dict(draft.hashes) for draft in drafts]
    assert not list(tmp_path.glob("*.part"))


def test_an_export_goes_to_standard_output_too(
    run: Run, engine: sa.Engine, write: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    given = row()
    run("import", write(given))
    capsys.readouterr()
    assert run("export", "--tsv") == 0
    header, line = capsys.readouterr().out.splitlines()
    assert header.split("\t") == list(manifest.EXPORTED)
    assert line.split("\t")[:3] == [given["guid"], given["md5"], "5"]


def test_memory_stays_flat(run: Run, engine: sa.Engine, tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        path = tmp_path / f"{rows}.csv"
        with path.open("w") as file:
            file.write("guid,md5,size,urls\n")
            file.writelines(f"{uuid.uuid4()},{uuid.uuid4().hex},1,s3://b/{n}\n" for n in range(rows))
        tracemalloc.start()
        assert run("import", str(path)) == 0
        assert run("export", str(tmp_path / "out.csv")) == 0
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10)
    assert peak(12_000) < 1.5 * peak(4_000)


def test_a_killed_import_is_finished_by_the_next(
    engine: sa.Engine, write: Callable[..., str], database_url: str, tmp_path: Path, run: Run
) -> None:
    path = write(*(row(file_name="x" * 500) for _ in range(8000)))
    command = [sys.executable, "-P", "-m", "commonshub.index", "import", path]
    process = subprocess.Popen([*command, f"--data-dir={tmp_path}", f"--DatabaseSettings.url={database_url}"])
    eventually(lambda: count(engine))
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    assert count(engine) % 1000 == 0
    assert run("import", path) == 0
    assert count(engine) == 8000
