"""Submission: batches of 1,000, single records, deletion, and a million rows in one request.

Beside creation stands PostgreSQL's own COPY of the same rows.
"""

import io
import itertools
import json
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg2
from graph import API, DATA, DICTIONARY, load, project, put, records
from harness import Commons, Figure, milliseconds, tree

BATCH = 1000
BATCHES = 10
DELETED = 100
MILLION = 1_000_000
# Columns of the large table; the experiment is the same for all.
COLUMNS = ("primary_site", "disease_type")
SAMPLE_S = 0.2


def measure() -> Iterator[Figure]:
    commons = Commons(DICTIONARY if DICTIONARY.exists() else None)
    try:
        project(commons)
        rate = BATCH / statistics.median(load(commons, "case"))
        yield Figure("submission.json_1000", rate, "records/s", floor=copy_rate(commons), bound=8000, better="high")
        yield from _few(commons)
        if DATA.exists():
            yield _files(commons, rate)
        settle(commons)
        small = _json_s(commons)
        yield from million(commons)
        settle(commons)
        yield Figure("submission.scale_ratio", _json_s(commons) / small, "", bound=1.3)
    finally:
        commons.close()


def _few(commons: Commons) -> Iterator[Figure]:
    rate = BATCH / _seconds(lambda: put_table(commons, "".join(table(BATCH))))
    yield Figure("submission.tsv_1000", rate, "records/s", bound=8000, better="high")
    batches = itertools.cycle(_batches())
    rate = BATCH / _seconds(lambda: put(commons, "/BENCH/P1", next(batches)))
    yield Figure("submission.update_1000", rate, "records/s", bound=8000, better="high")
    yield Figure("submission.one_ms", milliseconds(lambda: _one(commons), runs=100, warm=10), "ms", bound=6)
    yield Figure("submission.delete_100_ms", 1000 * statistics.median(_deletions(commons)), "ms", bound=60)


def _one(commons: Commons) -> None:
    """One new record, past the proxy: the figure beside which it stands was measured without one, too."""
    url = f"{commons.service('submission')}{API}/BENCH/P1"
    answer = commons.session.put(url, json=fresh(1), timeout=60)
    if answer.status_code != 200:
        raise RuntimeError(f"{answer.status_code} {answer.text[:2000]}")


def _files(commons: Commons, rate: float) -> Figure:
    """File nodes with their index records, beside the rate of other records."""
    put(commons, "/BENCH/P1", records("core_metadata_collection"))
    for node in ("sample", "aliquot"):
        load(commons, node)
    files = BATCH / statistics.median(load(commons, "submitted_methylation"))
    return Figure("submission.files_1000", files, "records/s", floor=rate, bound=0.5, better="high", bound_on="ratio")


def _batches() -> list[list[dict[str, Any]]]:
    cases = records("case")
    return [cases[start : start + BATCH] for start in range(0, BATCH * BATCHES, BATCH)]


def fresh(count: int) -> list[dict[str, Any]]:
    """So many cases that are not there yet."""
    cases = itertools.cycle(records_once())
    return [{**next(cases), "submitter_id": f"case_{uuid.uuid4().hex[:16]}"} for _ in range(count)]


def records_once(made: list[list[dict[str, Any]]] = []) -> Sequence[dict[str, Any]]:  # noqa: B006 - read once
    if not made:
        made.append(records("case"))
    return made[0]


def table(count: int) -> Iterator[str]:
    """So many new cases as a TSV, line by line."""
    yield "\t".join(("type", "submitter_id", "experiments.submitter_id", *COLUMNS)) + "\n"
    tag = uuid.uuid4().hex[:8]
    for number, each in zip(range(count), itertools.cycle(records_once())):
        cells = (each.get(name) or "" for name in COLUMNS)
        yield "\t".join(("case", f"case_{tag}_{number}", each["experiments"]["submitter_id"], *cells)) + "\n"


def put_table(commons: Commons, body: Any) -> dict[str, Any]:
    headers = {"Content-Type": "text/tab-separated-values"}
    answer = commons.session.put(f"{commons.origin}{API}/BENCH/P1", data=body, headers=headers, timeout=3600)
    if answer.status_code != 200:
        raise RuntimeError(f"{answer.status_code} {answer.text[:2000]}")
    made: dict[str, Any] = answer.json()
    return made


def _seconds(function: Callable[[], Any]) -> float:
    return milliseconds(function, runs=BATCHES, warm=2) / 1000


def _json_s(commons: Commons) -> float:
    """Median time of a batch of new records, in seconds."""
    return _seconds(lambda: put(commons, "/BENCH/P1", fresh(BATCH)))


def _deletions(commons: Commons) -> Iterator[float]:
    for _ in range(BATCHES):
        answer = commons.session.put(f"{commons.origin}{API}/BENCH/P1", json=fresh(DELETED), timeout=60)
        ids = ",".join(entity["id"] for entity in answer.json()["entities"])
        begin = time.perf_counter()
        done = commons.session.delete(f"{commons.origin}{API}/BENCH/P1/entities/{ids}", timeout=60)
        yield time.perf_counter() - begin
        done.raise_for_status()


# -- a million rows ----------------------------------------------------------------


def million(commons: Commons, count: int = MILLION) -> Iterator[Figure]:
    """Time of so many rows in one request, and by how much the service grows meanwhile."""
    pid = int(commons.parts["submission"]["pid"])
    with tempfile.TemporaryFile() as file:
        for line in table(count):
            file.write(line.encode())
        file.seek(0)
        before = rss_mb(pid)
        growth = Growth(pid)
        begin = time.perf_counter()
        answer = put_table(commons, file)
        seconds = time.perf_counter() - begin
        most = growth.stop()
    if answer["created_entity_count"] != count:
        raise RuntimeError(f"{answer}"[:2000])
    yield Figure("submission.million_s", seconds, "s", bound=240)
    yield Figure("submission.million_mb", most - before, "MB", bound=150)


class Growth:
    """Watches how large a process gets."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._most = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_S):
            self._most = max(self._most, rss_mb(self._pid))

    def stop(self) -> float:
        """The most that it had, in MB."""
        self._over.set()
        self._thread.join()
        return self._most


def rss_mb(pid: int) -> float:
    """Resident memory of a process and all below it, in MB."""
    total = 0
    for each in tree(pid):
        lines = Path(f"/proc/{each}/status").read_text().splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    return total * 1024 / 1e6


def connect(commons: Commons) -> Any:
    """A connection to the database of a commons."""
    embedded = json.loads((commons.data_dir / "run" / "embedded.json").read_text())
    return psycopg2.connect(embedded["DatabaseSettings"]["url"].replace("postgresql+psycopg2:", "postgresql:"))


def settle(commons: Commons) -> None:
    """Do now what PostgreSQL would do beside the next measurement: clean up and count what has been written."""
    connection = connect(commons)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("set statement_timeout = 0")
            cursor.execute("vacuum analyze")
    finally:
        connection.close()


def copy_rate(commons: Commons) -> float:
    """Rows a second that COPY alone reaches for the same properties in a table of the same shape."""
    rows = [f"{uuid.uuid4()}\t{json.dumps(record)}\n" for record in records("case")[:BATCH]]
    connection = connect(commons)
    times = []
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("create temporary table floor (node_id text primary key, _props jsonb)")
            for _ in range(10):
                start = time.perf_counter()
                cursor.copy_expert("copy floor from stdin", io.StringIO("".join(rows).replace("\\", "\\\\")))
                times.append(time.perf_counter() - start)
                cursor.execute("truncate floor")
    finally:
        connection.close()
    return BATCH / statistics.median(times)
