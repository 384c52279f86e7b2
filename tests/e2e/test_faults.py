"""Any single process may die at any moment: the others go on, it comes back, and nothing acknowledged is lost."""

import os
import signal
import threading
import time
import uuid
from typing import Any

import requests

BACK_WITHIN_S = 60


class Writer:
    """Creates index records without pause and remembers which were acknowledged."""

    def __init__(self, commons: Any) -> None:
        self.commons = commons
        self.acknowledged: list[str] = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.write)
        self.thread.start()

    def write(self) -> None:
        while not self.stopped.is_set():
            guid = str(uuid.uuid4())
            body = {"did": guid, "form": "object", "size": 1, "hashes": {"md5": uuid.uuid4().hex}, "urls": []}
            try:
                answer = requests.post(
                    f"{self.commons.origin}/index/index", json=body, headers=self.commons.admin, timeout=10
                )
                if answer.status_code == 200:
                    self.acknowledged.append(guid)
            except requests.RequestException:
                pass
            time.sleep(0.02)

    def stop(self) -> list[str]:
        self.stopped.set()
        self.thread.join(30)
        return self.acknowledged


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until_whole(commons: Any, killed: dict[str, int]) -> None:
    end = time.monotonic() + BACK_WITHIN_S
    while True:
        parts = commons.parts()
        waiting = [name for name, pid in killed.items() if parts[name]["pid"] in (None, pid)]
        waiting += [name for name, part in parts.items() if part["state"] != "running"]
        if not waiting:
            return
        assert time.monotonic() < end, f"not back within {BACK_WITHIN_S} s: {waiting}"
        time.sleep(0.5)


def test_every_process_may_be_killed(commons: Any) -> None:
    _ = commons.admin
    writer = Writer(commons)
    try:
        time.sleep(1)
        before = {name: part["pid"] for name, part in commons.parts().items() if part["pid"]}
        victims = [name for name in before if name != "supervisor"]
        for name in victims:
            os.kill(before[name], signal.SIGKILL)
            time.sleep(0.5)
            later = victims[victims.index(name) + 1 :]
            assert all(alive(before[other]) for other in later), f"killing {name} took others down"
        wait_until_whole(commons, {name: before[name] for name in victims})
    finally:
        acknowledged = writer.stop()
    assert len(acknowledged) > 20
    answer = requests.post(f"{commons.origin}/index/bulk/documents", json=acknowledged, timeout=60)
    assert {record["did"] for record in answer.json()} == set(acknowledged)


def test_a_killed_supervisor_leaves_the_commons_answering_and_up_takes_over(commons: Any) -> None:
    supervisor = commons.parts()["supervisor"]["pid"]
    os.kill(supervisor, signal.SIGKILL)
    time.sleep(1)
    assert requests.get(f"{commons.origin}/index/_status", timeout=10).text == "Healthy"
    commons.run("up", "--detach", "--port", str(commons.port))
    wait_until_whole(commons, {"supervisor": supervisor})
