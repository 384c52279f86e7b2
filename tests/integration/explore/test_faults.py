"""Whatever happens to a build, the index before keeps answering, and the next build mends what is left."""

import copy
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import eventually

from commonshub.core.dictionary import Source
from commonshub.core.versions import Waits, apply, draft_of_files, newest

from .builds import APART, MOUNT, SEEN, Builds
from .conftest import DICTIONARY, MAPPING, Builder, Explorer, etl

PHASES = ("reading", "loading", "flattening", "writing", "checking", "activating")


@pytest.fixture
def builds(explorer: Explorer, database_url: str) -> Builds:
    explorer.query(SEEN)
    return Builds(explorer, database_url)


@pytest.mark.parametrize("phase", PHASES)
def test_a_build_that_is_killed_changes_nothing(builds: Builds, phase: str) -> None:
    assert builds.befall(phase).returncode == -signal.SIGKILL
    assert builds.newest().state == "building"
    assert builds.explorer.query(SEEN)["case"]
    builds.mended()


@pytest.mark.parametrize("file_bytes", [10, 100_000], ids=["reading", "writing"])
def test_a_build_without_room_says_so_and_changes_nothing(builds: Builds, file_bytes: int) -> None:
    # A file that may not grow is refused in the same places as one on a full disk.
    done = builds.befall(file_bytes=file_bytes)
    assert done.returncode == 1
    assert "File too large" in done.stderr
    newest = builds.newest()
    assert (newest.state, "File too large" in newest.message) == ("failed", True), newest.message
    assert builds.explorer.query(SEEN)["case"]
    builds.mended()


def _can_mount(folder: Path) -> bool:
    try:
        return not subprocess.run([*APART, "sh", "-c", MOUNT, folder, "1m", "true"], capture_output=True).returncode
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("disk_bytes", [16 * 2**10, 2**20], ids=["reading", "writing"])
def test_a_build_on_a_full_disk_says_so_and_changes_nothing(builds: Builds, tmp_path: Path, disk_bytes: int) -> None:
    if not _can_mount(tmp_path):
        pytest.skip("A small file system needs Linux, and the right to mount one apart from all others.")
    done = builds.befall(disk_bytes=disk_bytes)
    newest = builds.newest()
    assert (done.returncode, newest.state) == (1, "failed")
    assert "No space left on device" in newest.message
    assert builds.explorer.query(SEEN)["case"]
    builds.mended()


def test_a_build_that_was_killed_is_told_from_one_in_progress(
    builds: Builds, database_url: str, tmp_path: Path
) -> None:
    builds.befall("writing")
    told = etl(database_url, tmp_path, "status").stdout.splitlines()
    assert (" killed " in told[0], "was killed" in told[-1]) == (True, True), told
    builds.mended()


def test_another_dictionary_in_the_middle_of_a_build_is_in_the_next(builds: Builds, graph: Builder) -> None:
    files = copy.deepcopy(Source(str(DICTIONARY)).files)
    files["case.yaml"]["properties"]["nickname"] = {"type": "string", "description": "What friends say."}
    applied: list[Any] = []

    def change(phase: str, done: int, of: int) -> None:
        if phase == "loading" and not applied:
            applied.append(builds.app.database.call(_apply, draft_of_files(files, "a test")))
            with graph.engine.begin() as connection:
                table = graph.graph.node("case")
                nickname = table.c._props.op("||")({"nickname": "Kit"})
                connection.execute(table.update().where(table.c.node_id == graph.ids["c1"]).values(_props=nickname))

    builds.run(change)
    assert applied
    assert builds.explorer.query(SEEN)["case"]
    # The service's own file, because the service builds, too: it has heard of the dictionary.
    more = "- {name: submitter_id}\n  - {name: nickname}\n"
    builds.app.settings.mapping.write_text(MAPPING.replace("- {name: submitter_id}\n", more, 1))
    builds.run()
    query = {"query": '{ case(filter: {eq: {submitter_id: "c1"}}) { nickname } }'}
    found = eventually(lambda: builds.explorer.post("graphql", query).json().get("data"), 30)
    assert found == {"case": [{"nickname": "Kit"}]}


def _apply(connection: Any, draft: Any) -> Any:
    current = newest(connection, "graph")
    return apply(connection, "graph", draft, Waits(), by=None, after=current.number if current else None)
