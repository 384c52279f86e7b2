"""From the graph to documents: a whole build of a million records, freshness, and swaps under load."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import million
import sqlalchemy as sa
from graph import put
from harness import COMMAND, Commons, Figure, free_port
from load import Call, Client
from submission import connect

from commonshub.explore import store

SWAPS = 10
REPLICAS = 4
LONGEST_S = 120
_COUNTS = "{ _aggregation { case { _totalCount } file { _totalCount } } }"
_ONE = '{ case(filter: {eq: {submitter_id: "%s"}}) { submitter_id } }'
Counts = tuple[int, int]


def measure() -> Iterator[Figure]:
    demo = Commons(demo=True)
    try:
        yield Figure("explore.freshness_demo_s", freshness(demo, "demo"), "s", bound=10)
    finally:
        demo.close()
    commons = Commons()
    try:
        with contextlib.closing(connect(commons)) as connection:
            million.fill(connection)
        seconds, mb = rebuild(commons)
        yield Figure("explore.rebuild_1m_s", seconds, "s", bound=60)
        yield Figure("explore.rebuild_1m_mb", mb, "MB", bound=2000)
        change(commons)
        seconds, _ = rebuild(commons, force=False)
        yield Figure("explore.rebuild_changed_s", seconds, "s")
        add_file(commons)
        yield Figure("explore.freshness_1m_s", freshness(commons, "fresh"), "s", bound=60)
        yield from Swapping(commons).measure()
    finally:
        commons.close()


def rebuild(commons: Commons, force: bool = True) -> tuple[float, float]:
    """Seconds of a build, whole or of what changed, and the most memory that it had, in MB."""
    begin = time.perf_counter()
    command = [str(COMMAND), "etl", "run", "--quiet", "--data-dir", str(commons.data_dir)]
    command += ["--force"] if force else []
    # Its own words would stand among the figures.
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"The build ended with {os.waitstatus_to_exitcode(status)}.")
    return time.perf_counter() - begin, usage.ru_maxrss * 1024 / 1e6


def freshness(commons: Commons, name: str) -> float:
    """Seconds from a submission, in a project of its own, until its record is in a flat answer."""
    put(commons, "/", {"type": "program", "name": name, "dbgap_accession_number": name})
    put(commons, f"/{name}", {"type": "project", "code": name, "name": name, "dbgap_accession_number": name})
    answers = Answers(commons.service("explore"), commons)
    begin = time.perf_counter()
    put(commons, f"/{name}/{name}", {"type": "case", "submitter_id": name, "projects": {"code": name}})
    while not answers.ask(_ONE % name)["case"]:
        if time.perf_counter() - begin > LONGEST_S:
            raise RuntimeError(f"The explorer does not show {name!r} after {LONGEST_S} s.")
        time.sleep(0.05)
    return time.perf_counter() - begin


def change(commons: Commons) -> None:
    """Change what one document type reads and the other does not, and tell nobody."""
    with contextlib.closing(connect(commons)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            'update graph.node_demographic set _props = _props || \'{"sex": "other"}\' '
            "where node_id in (select node_id from graph.node_demographic limit 10)"
        )


def add_file(commons: Commons) -> None:
    """One more file, so that the next run differs in each of its indices; the submission that follows tells of it."""
    with contextlib.closing(connect(commons)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "insert into graph.node_measurementfile (node_id, _props) select 'another', _props "
            '|| \'{"submitter_id": "another"}\' from graph.node_measurementfile limit 1'
        )


class Answers:
    """One client of an explore service."""

    def __init__(self, url: str, commons: Commons) -> None:
        self.client = Client(url)
        self.headers = {"Authorization": str(commons.session.headers["Authorization"])}

    def ask(self, query: str) -> dict[str, Any]:
        body = json.dumps({"query": query}).encode()
        answer = json.loads(self.client.send(Call("/guppy/graphql", body, self.headers)))
        if "errors" in answer:
            raise RuntimeError(f"{query} was answered with {answer['errors']}.")
        data: dict[str, Any] = answer["data"]
        return data

    def counts(self) -> Counts:
        """Cases and files, in one answer."""
        found = self.ask(_COUNTS)["_aggregation"]
        return found["case"]["_totalCount"], found["file"]["_totalCount"]


class Swapping:
    """The last two runs of a commons, which become active in turn."""

    def __init__(self, commons: Commons) -> None:
        self.commons = commons
        embedded = json.loads((commons.data_dir / "run" / "embedded.json").read_text())
        self.engine = sa.create_engine(embedded["DatabaseSettings"]["url"])
        with self.engine.connect() as connection:
            runs = [run for run in store.runs(connection, "explore", 10) if run.state == "ready"][:2]
        self.counts: dict[int, Counts] = {
            run.id: (run.counts["case"], run.counts["file"]) for run in runs if run.counts
        }
        if len(set(self.counts.values())) != 2:
            raise RuntimeError(f"The runs cannot be told apart: {self.counts}")

    def measure(self) -> Iterator[Figure]:
        answers = Answers(self.commons.service("explore"), self.commons)
        times = sorted(self.swap(number, answers) for number in list(self.counts) * (SWAPS // 2))
        yield Figure("explore.swap_ms", 1000 * times[len(times) // 2], "ms", bound=100)
        with replicas(self.commons) as urls:
            yield Figure("explore.swap_faults", self.faults(urls), "answers", bound=0)
        self.engine.dispose()

    def point(self, number: int) -> None:
        with self.engine.begin() as connection:
            store.go_back(connection, "explore", number)

    def swap(self, number: int, answers: Answers) -> float:
        """Seconds until a run that becomes active answers."""
        self.point(next(each for each in self.counts if each != number))
        while answers.counts() == self.counts[number]:
            pass
        begin = time.perf_counter()
        self.point(number)
        while answers.counts() != self.counts[number]:
            pass
        return time.perf_counter() - begin

    def faults(self, urls: list[str]) -> int:
        """Errors, and answers from a mixture of runs, of processes under load while runs become active in turn."""
        ended = threading.Event()
        faults: list[str] = []

        def load(url: str) -> None:
            answers = Answers(url, self.commons)
            while not ended.is_set():
                try:
                    if (found := answers.counts()) not in self.counts.values():
                        faults.append(f"mixed {found}")
                except (RuntimeError, OSError) as error:
                    faults.append(str(error))

        threads = [threading.Thread(target=load, args=(url,)) for url in urls for _ in range(2)]
        for thread in threads:
            thread.start()
        for number in list(self.counts) * (SWAPS // 2):
            time.sleep(0.3)
            self.point(number)
        time.sleep(1)
        ended.set()
        for thread in threads:
            thread.join()
        for fault in faults[:3]:
            print(fault, file=sys.stderr)
        return len(faults)


@contextlib.contextmanager
def replicas(commons: Commons) -> Iterator[list[str]]:
    """More processes of the explore service over the same index, as behind a load balancer; their addresses."""
    processes, urls = [], []
    try:
        for number in range(REPLICAS):
            folder = commons.folder / f"replica-{number}"
            (folder / "run").mkdir(parents=True)
            for shared in ("run/embedded.json", "keys", "explore", "dictionary", "commonshub_config.py"):
                if (commons.data_dir / shared).exists():
                    (folder / shared).symlink_to(commons.data_dir / shared)
            urls.append(f"http://127.0.0.1:{free_port()}")
            command = [sys.executable, "-P", "-m", "commonshub.explore", f"--url={urls[-1]}", f"--data-dir={folder}"]
            processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for url in urls:
            _answering(url, commons)
        yield urls
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)


def _answering(url: str, commons: Commons) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            Answers(url, commons).counts()
            return
        except (OSError, RuntimeError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
