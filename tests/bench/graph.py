"""What the submission and query groups share: a commons with the simulated set, loaded in batches of 1,000."""

import gzip
import json
import time
from typing import Any

from harness import SHARED, Commons

DICTIONARY = SHARED / "dictionaries" / "gen3-default"
DATA = SHARED / "data" / "graph-50k"
API = "/api/v0/submission"


def records(node: str) -> list[dict[str, Any]]:
    """Records of the simulated set, or the like of them where it is absent."""
    if DATA.exists():
        with gzip.open(DATA / f"{node}.json.gz") as file:
            found: list[dict[str, Any]] = json.load(file)
            return found
    if node == "experiment":
        return [{"type": "experiment", "submitter_id": "e1", "projects": {"code": "P1"}}]
    return [{"type": node, "submitter_id": f"{node}_{n}", "experiments": {"submitter_id": "e1"}} for n in range(10_000)]


def put(commons: Commons, path: str, body: Any) -> None:
    answer = commons.session.put(f"{commons.origin}{API}{path}", json=body, timeout=300)
    if answer.status_code != 200:
        raise RuntimeError(f"PUT {path}: {answer.status_code} {answer.text[:2000]}")


def project(commons: Commons) -> None:
    put(commons, "/", {"type": "program", "name": "BENCH", "dbgap_accession_number": "BENCH"})
    put(commons, "/BENCH", {"type": "project", "code": "P1", "name": "P1", "dbgap_accession_number": "P1"})
    put(commons, "/BENCH/P1", records("experiment"))


def load(commons: Commons, node: str, batch: int = 1000) -> list[float]:
    """Submit all records of a type; seconds of each batch."""
    those = records(node)
    times = []
    for start in range(0, len(those), batch):
        begin = time.perf_counter()
        put(commons, "/BENCH/P1", those[start : start + batch])
        times.append(time.perf_counter() - begin)
    return times
