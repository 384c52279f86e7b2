"""The index with 100,000 and 1,000,000 records: single and bulk reads, lists at depth, lookups, and creation."""

import os
import random
import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
import psycopg2
from harness import Commons, Figure, floor_server, milliseconds, pss_mb, tree
from load import Call, Client, requests_per_second

SMALL, LARGE = 100_000, 1_000_000
SAMPLE = 5000
BULK = 1000
CREATED_TOGETHER = 5000
PAGE = 1024
PAGES = 1000
PAGE_OF_DEPTH = 500
# What one measurement of a rate takes, with its start.
LOAD_S = 4.5
CLOCK_TICK_S = 1 / os.sysconf("SC_CLK_TCK")

# Dates a second apart, 200 projects, one location and two checksums each.
RECORDS = """
insert into index.record
    (guid, baseid, rev, form, size, created_date, updated_date, file_name, uploader, hashes, acl, authz, urls,
     record_metadata, url_metadata, alias)
select md5('did' || n)::uuid, md5('base' || n)::uuid, left(md5('rev' || n), 8), 'object', n * 37 %% 1000003,
       timestamp '2024-01-01' + n * interval '1 second', timestamp '2024-01-01' + n * interval '1 second',
       'file-' || n || '.bam', 'user' || n %% 1000,
       jsonb_build_object('md5', md5(n::text), 'sha256', md5('a' || n) || md5('b' || n)),
       array['*'], array['/programs/p' || n %% 20 || '/projects/q' || n %% 200],
       array['s3://commons/' || md5('did' || n)::uuid || '/file-' || n || '.bam'],
       jsonb_build_object('batch', (n %% 1000)::text), '{}', '{}'
from generate_series(%s, %s) n
"""


def measure() -> Iterator[Figure]:
    commons = Commons()
    try:
        index = Index(commons)
        index.load(1, SMALL)
        yield from _single(index)
        yield from _many(index)
        small = index.hash_ms()
        index.load(SMALL + 1, LARGE)
        yield from _large(index, small)
        yield from _created(index)
        yield Figure("index.pss_mb", pss_mb([index.pid]), "MB")
    finally:
        commons.close()


class Index:
    """The index of a commons, past its proxy."""

    def __init__(self, commons: Commons) -> None:
        self.commons = commons
        self.url = commons.service("index")
        self.client = Client(self.url)
        self.bearer = str(commons.session.headers["Authorization"])
        self.pid = int((commons.data_dir / "run" / "index.pid").read_text())
        self.postgres = int((commons.data_dir / "postgres" / "postmaster.pid").read_text().split()[0])
        embedded = orjson.loads((commons.data_dir / "run" / "embedded.json").read_bytes())
        self.database = embedded["DatabaseSettings"]["url"].replace("postgresql+psycopg2:", "postgresql:")

    def load(self, first: int, last: int) -> None:
        """Make records by SQL, indexes and all, and let PostgreSQL count them."""
        connection = psycopg2.connect(self.database)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(RECORDS, (first, last))
            cursor.execute("vacuum analyze index.record")
        connection.close()

    def get(self, path: str) -> Any:
        """What is at a path, decoded."""
        return orjson.loads(self.client.send(Call(path)))

    def post(self, path: str, body: bytes) -> bytes:
        """The answer to a JSON document, as it comes."""
        return self.client.send(Call(path, body, {"Authorization": self.bearer}))

    def cpu_s(self) -> float:
        """Processor time that the index and PostgreSQL have used."""
        return sum(_cpu_s(pid) for pid in [self.pid, *tree(self.postgres)])

    def hash_ms(self) -> float:
        """Time to find a record by its checksum."""
        rng = random.Random(1)

        def find() -> None:
            md5 = _md5(str(rng.randint(1, SMALL)))
            assert len(self.get(f"/index/index?hash=md5:{md5}")["records"]) == 1

        return milliseconds(find, runs=200, warm=20)


def _md5(text: str) -> str:
    import hashlib

    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def guid(number: int) -> str:
    return str(uuid.UUID(_md5(f"did{number}")))


def _cpu_s(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) * CLOCK_TICK_S


def _sample(count: int) -> list[str]:
    return [guid(number) for number in random.Random(0).sample(range(1, SMALL + 1), count)]


def _single(index: Index) -> Iterator[Figure]:
    guids = _sample(SAMPLE)
    gets = [f"/index/index/{each}" for each in guids]
    objects = [f"/ga4gh/drs/v1/objects/{each}" for each in guids]
    creates = [_create_call(index.bearer, number) for number in range(SAMPLE * 4)]
    with floor_server() as floor:
        yield _rate("index.get", floor, index.url, gets, bound=0.35)
        before = index.cpu_s()
        rate = requests_per_second(index.url, gets)
        yield Figure("index.get_cpu_ms", 1000 * (index.cpu_s() - before) / (rate * LOAD_S), "ms", bound=0.45)
        yield _rate("index.drs", floor, index.url, objects, bound=0.35)
        yield _rate("index.create", floor, index.url, creates, bound=0.15)


def _rate(name: str, floor: str, url: str, calls: Sequence[str | Call], bound: float) -> Figure:
    """Requests per second beside the floor's, in turns: what else the machine does then is the same for both."""
    turns = [
        (requests_per_second(url, calls, seconds=1), requests_per_second(floor, calls, seconds=1)) for _ in range(7)
    ]
    rate, empty = sorted(turns, key=lambda turn: turn[0] / turn[1])[len(turns) // 2]
    return Figure(name, rate, "requests/s", empty, bound=bound, better="high", bound_on="ratio")


def _draft(number: int) -> dict[str, Any]:
    return {
        "form": "object",
        "size": number,
        "file_name": f"new-{number}.bam",
        "hashes": {"md5": _md5(f"new{number}")},
        "urls": [f"s3://elsewhere/new-{number}.bam"],
        "authz": [f"/programs/p/projects/q{number % 200}"],
    }


def _create_call(bearer: str, number: int) -> Call:
    return Call("/index/index", orjson.dumps(_draft(number)), {"Authorization": bearer})


def _many(index: Index) -> Iterator[Figure]:
    """Bulk reads until the last byte, as for one who passes them on. Who reads a list must decode it to read on."""
    asked = orjson.dumps(_sample(BULK))
    assert len(orjson.loads(index.post("/index/bulk/documents", asked))) == BULK

    def read() -> None:
        index.post("/index/bulk/documents", asked)

    # Processor time besides, which a machine that does other things blurs less.
    runs = 30
    before = index.cpu_s()
    yield Figure("index.bulk_read_1000_ms", milliseconds(read, runs, warm=0), "ms", bound=12)
    yield Figure("index.bulk_read_1000_cpu_ms", 1000 * (index.cpu_s() - before) / runs, "ms")
    before = index.cpu_s()
    times = [_timed(lambda: _walk(index)) for _ in range(3)]
    yield Figure("index.list_100k_s", statistics.median(times), "s", bound=1)
    yield Figure("index.list_100k_cpu_s", (index.cpu_s() - before) / len(times), "s")


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _walk(index: Index) -> None:
    """Read 100,000 records as a client does who pages by the last GUID."""
    read, start = 0, ""
    while read < SMALL:
        page = index.get(f"/index/index?limit={PAGE}&start={start}")["records"]
        read += len(page)
        start = page[-1]["did"]


def _large(index: Index, small_ms: float) -> Iterator[Figure]:
    rng = random.Random(2)

    def by_url() -> None:
        number = rng.randint(1, LARGE)
        url = f"s3://commons/{guid(number)}/file-{number}.bam"
        assert len(index.get(f"/index/index?url={url}")["records"]) == 1

    def by_part_of_url() -> None:
        found = index.get(f"/index/_query/urls/q?include={guid(rng.randint(1, LARGE))}")
        assert len(found) == 1

    yield Figure("index.url_ms", milliseconds(by_url, runs=200), "ms", bound=3)
    yield Figure("index.url_part_ms", milliseconds(by_part_of_url, runs=3, warm=0), "ms")
    yield Figure("index.hash_scale_ratio", index.hash_ms(), "ms", small_ms, bound=1.5, bound_on="ratio")
    # Every page of a reader who goes through them in order; the last ten beside the first.
    times = [_timed(lambda page=page: _page(index, page)) for page in range(PAGES + 1)]
    first, last = (1000 * statistics.median(part) for part in (times[1:11], times[-10:]))
    yield Figure("index.page_depth_ratio", last, "ms", first, bound=1.3, bound_on="ratio")


def _page(index: Index, page: int) -> None:
    assert len(index.get(f"/index/index?limit={PAGE_OF_DEPTH}&page={page}")["records"]) == PAGE_OF_DEPTH


def _created(index: Index) -> Iterator[Figure]:
    """Bulk creation beside a million records."""
    rates = []
    for turn in range(4):
        drafts = orjson.dumps([_draft(10**6 * (turn + 1) + number) for number in range(CREATED_TOGETHER)])
        rates.append(CREATED_TOGETHER / _timed(lambda drafts=drafts: index.post("/index/bulk/records", drafts)))
    yield Figure("index.bulk_create", statistics.median(rates), "records/s", bound=10_000, better="high")
