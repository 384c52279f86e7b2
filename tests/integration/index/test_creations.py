"""Records that are created one by one, at the same time."""

import os
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests
from tests.tokens import bearer

from commonshub.index.validate import MAX_INDEXED_BYTES

Ask = Callable[..., requests.Response]


@pytest.fixture
def create(url: str, token: Callable[..., str]) -> Ask:
    def send(**values: Any) -> requests.Response:
        body = {"form": "object", "size": 1, "urls": [], "hashes": {"md5": uuid.uuid4().hex}, **values}
        headers = bearer(token("admin"))
        return requests.post(f"{url}/index/index", json=body, headers=headers, timeout=60)

    return send


def test_creations_that_arrive_together_each_have_their_own_outcome(create: Ask, url: str) -> None:
    taken = create().json()["did"]
    shared = str(uuid.uuid4())
    given = [{"did": taken}, {"did": shared}, {"size": -1}, {"did": shared}, *({"size": n} for n in range(20))]
    start = threading.Barrier(len(given))
    answers: dict[int, requests.Response] = {}

    def run(number: int) -> None:
        start.wait()
        answers[number] = create(**given[number])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(given))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = [answers[number].status_code for number in range(len(given))]
    assert statuses[0] == 409
    assert sorted([statuses[1], statuses[3]]) == [200, 409]
    assert statuses[2] == 400
    assert statuses[4:] == [200] * 20
    made = [answers[number].json()["did"] for number in range(4, len(given))]
    found = requests.post(f"{url}/index/bulk/documents", json=made, timeout=60).json()
    assert [each["size"] for each in found] == list(range(20))


def test_a_large_record_is_created_too(create: Ask, running: Any, url: str) -> None:
    metadata = {"text": "x" * running.app.max_batched_bytes}
    answer = create(metadata=metadata)
    assert answer.status_code == 200
    assert requests.get(f"{url}/index/index/{answer.json()['did']}", timeout=60).json()["metadata"] == metadata


@pytest.mark.parametrize("field", ["file_name", "version", "uploader", "urls", "acl"])
def test_what_is_too_long_to_be_looked_for_is_refused(create: Ask, field: str) -> None:
    # Random, so that the database cannot make it shorter.
    longest = "s3://b/" + os.urandom(MAX_INDEXED_BYTES).hex()[: MAX_INDEXED_BYTES - 7]
    values: dict[str, Callable[[str], Any]] = {"urls": lambda text: [text], "acl": lambda text: [text]}
    shaped = values.get(field, lambda text: text)
    assert create(**{field: shaped(longest)}).status_code == 200
    answer = create(**{field: shaped(longest + "x")})
    assert answer.status_code == 400
    assert answer.json()["details"][0]["field"] == field
