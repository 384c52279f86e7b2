"""A real node of OpenSearch for the tests, and the engines of the explorer, to run the same tests over each."""

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .waiting import eventually

PROGRAM = Path(__file__).parent / "data/opensearch/TestNode.java"
LIBRARIES = Path(__file__).parents[1] / ".venv/opensearch"
ENGINES = ["duckdb", "opensearch"]


class Node:
    """A node in a process of its own; it ends with its standard input, and so with whoever started it.

    Parameters
    ----------
    port
        Where it listens; 0 for any.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> None:
        port = self.folder / "port"
        port.unlink(missing_ok=True)
        command = ["java", "-Xms512m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", f"{LIBRARIES}/*",
                   str(PROGRAM), str(self.folder), str(self.port)]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
        process = self._process
        eventually(lambda: port.exists() or process.poll() is not None, 120)
        assert port.exists(), (self.folder / "log").read_text()[-4000:]
        self.url = f"http://127.0.0.1:{port.read_text()}"

    def stop(self) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.close()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def settings(self) -> dict[str, Any]:
        """Those of an explorer with indexes of its own in it."""
        return {
            "index_engine": "opensearch", "opensearch_url": self.url, "opensearch_replicas": 0,
            "opensearch_prefix": f"t{uuid.uuid4().hex[:12]}",
        }  # fmt: skip


@pytest.fixture(scope="session")
def opensearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One node for all tests."""
    if not LIBRARIES.is_dir() or not shutil.which("java"):
        pytest.skip("OpenSearch is not here: scripts/test installs it where there are Java 17 and Maven.")
    node = Node(tmp_path_factory.mktemp("opensearch"))
    node.start()
    yield node
    node.stop()


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Settings of the explorer that choose an engine; a module that imports this runs over each."""
    if request.param == "duckdb":
        return {}
    node: Node = request.getfixturevalue("opensearch")
    return node.settings()
