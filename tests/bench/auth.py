"""Decisions and presigned URLs, in a commons of 10,000 users, 2,000 resources and 500 policies."""

import random
import statistics
import time
import uuid
from collections.abc import Callable, Iterator

import orjson
import sqlalchemy as sa
from harness import Commons, Figure, floor_server
from load import Call, requests_per_second
from world import project_paths, user_yaml

from commonshub.core.grants import load
from commonshub.core.identity import Identity
from commonshub.core.policy import Request

FILES = 500
DECISIONS = 20_000
SERVICE, METHOD = "fence", "read-storage"


def measure() -> Iterator[Figure]:
    commons = Commons()
    try:
        yield from _imports(commons)
        yield _decisions(commons)
        yield from _requests(commons)
    finally:
        commons.close()


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _imports(commons: Commons) -> Iterator[Figure]:
    """The whole command as an operator calls it, the start of Python included."""
    file = commons.folder / "user.yaml"
    file.write_text(user_yaml())
    first = _seconds(lambda: commons.run("policy", "import", str(file)))
    yield Figure("auth.useryaml_import_s", first, "s", bound=10)
    again = _seconds(lambda: commons.run("policy", "import", str(file)))
    yield Figure("auth.useryaml_reimport_s", again, "s", bound=2)


def _decisions(commons: Commons) -> Figure:
    """Median of single decisions for users and paths at random, from a snapshot that has decided nothing yet."""
    engine = sa.create_engine(_database_url(commons))
    with engine.begin() as connection:
        snapshot = load(connection, "auth")
    engine.dispose()
    rng = random.Random(0)
    users, paths = list(snapshot.users), sorted(snapshot.resources)
    questions = [
        (Identity(rng.choice(users)), Request(SERVICE, METHOD, "/" + "/".join(rng.choice(paths))))
        for _ in range(DECISIONS)
    ]
    times = []
    for identity, request in questions:
        start = time.perf_counter_ns()
        snapshot.allows(identity, request)
        times.append(time.perf_counter_ns() - start)
    return Figure("auth.decision_us", statistics.median(times) / 1000, "µs", bound=20)


def _database_url(commons: Commons) -> str:
    embedded = orjson.loads((commons.data_dir / "run" / "embedded.json").read_bytes())
    return str(embedded["DatabaseSettings"]["url"]).replace("postgresql://", "postgresql+psycopg2://")


def _requests(commons: Commons) -> Iterator[Figure]:
    bearer = str(commons.session.headers["Authorization"])
    calls = [_decision_call(bearer.split()[1], each) for each in range(100)]
    downloads = [Call(f"/user/data/download/{guid}", headers={"Authorization": bearer}) for guid in _files(commons)]
    auth = commons.service("auth")
    with floor_server() as floor:
        empty = requests_per_second(floor, calls)
        rate = requests_per_second(auth, calls)
        yield Figure("auth.request", rate, "requests/s", empty, bound=0.45, better="high", bound_on="ratio")
        empty = requests_per_second(floor, downloads)
        rate = requests_per_second(auth, downloads)
        yield Figure("auth.download", rate, "requests/s", empty, bound=0.25, better="high", bound_on="ratio")


def _decision_call(token: str, number: int) -> Call:
    """What a service asks Arborist about its caller."""
    request = {"resource": project_paths()[number], "action": {"service": SERVICE, "method": METHOD}}
    return Call("/authz/auth/request", orjson.dumps({"user": {"token": token}, "request": request}))


def _files(commons: Commons) -> list[str]:
    """GUIDs of records whose bytes the administrator may have."""
    guids = [str(uuid.uuid4()) for _ in range(FILES)]
    for guid in guids:
        body = {
            "did": guid,
            "form": "object",
            "size": 1,
            "hashes": {"md5": uuid.uuid4().hex},
            "urls": [f"s3://commons/{guid}/data.bin"],
            "authz": [project_paths()[0]],
        }
        commons.session.post(f"{commons.origin}/index/index", json=body, timeout=30).raise_for_status()
    return guids
