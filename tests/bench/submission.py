"""Submission: JSON in batches of 1,000, beside PostgreSQL's own COPY of the same rows."""

import io
import json
import statistics
import time
import uuid
from collections.abc import Iterator

import psycopg2
from graph import DICTIONARY, load_cases, project, records
from harness import Commons, Figure

BATCH = 1000


def measure() -> Iterator[Figure]:
    commons = Commons(DICTIONARY if DICTIONARY.exists() else None)
    try:
        project(commons)
        rate = BATCH / statistics.median(load_cases(commons, BATCH))
        yield Figure("submission.json_1000", rate, "records/s", floor=copy_rate(commons), bound=8000, better="high")
    finally:
        commons.close()


def copy_rate(commons: Commons) -> float:
    """Rows a second that COPY alone reaches for the same properties in a table of the same shape."""
    embedded = json.loads((commons.data_dir / "run" / "embedded.json").read_text())
    url = embedded["DatabaseSettings"]["url"].replace("postgresql+psycopg2:", "postgresql:")
    rows = [f"{uuid.uuid4()}\t{json.dumps(record)}\n" for record in records("case")[:BATCH]]
    connection = psycopg2.connect(url)
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
