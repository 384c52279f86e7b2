"""The index: reading one record by GUID."""

import uuid
from collections.abc import Iterator

from harness import Commons, Figure, floor_server
from load import requests_per_second

RECORDS = 500


def measure() -> Iterator[Figure]:
    commons = Commons()
    try:
        guids = [str(uuid.uuid4()) for _ in range(RECORDS)]
        for guid in guids:
            body = {"did": guid, "form": "object", "size": 1, "hashes": {"md5": uuid.uuid4().hex}, "urls": []}
            commons.session.post(f"{commons.origin}/index/index", json=body, timeout=30).raise_for_status()
        paths = [f"/index/index/{guid}" for guid in guids]
        with floor_server() as floor:
            empty = requests_per_second(floor, paths)
            rate = requests_per_second(commons.service("index"), paths)
        yield Figure("index.get", rate, "requests/s", floor=empty, bound=0.35, better="high", bound_on="ratio")
    finally:
        commons.close()
