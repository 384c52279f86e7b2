"""A release is read by the dictionary of its time."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from tests.integration.query.conftest import SUBMISSION, Commons, writing
from tests.tokens import bearer
from tests.waiting import eventually

from commonshub.core import versions
from commonshub.core.versions import Waits

AGES = '{ case(first: 0, order_by_asc: "submitter_id") { submitter_id age } }'
KINDS = "{ sample { kind cases { submitter_id } } }"


class Frozen(NamedTuple):
    """A release, and what it answered when it was made."""

    id: str
    answers: dict[str, Any]
    exports: dict[str, bytes]


def export(commons: Commons, release: str, label: str, kind: str) -> bytes:
    url = f"{commons.submission}{SUBMISSION}/P/Q/releases/{release}/export?node_label={label}&format={kind}"
    answer = requests.get(url, headers=bearer(commons.token("alice")), timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.content


def exports(commons: Commons, release: str) -> dict[str, bytes]:
    wanted = [(label, kind) for label in ("case", "sample") for kind in ("tsv", "json")]
    return {f"{label}.{kind}": export(commons, release, label, kind) for label, kind in wanted}


@pytest.fixture(scope="module")
def frozen(commons: Commons, dictionary_file: Path) -> Frozen:
    """A release of which the dictionary has lost a property and a node type since."""
    id_ = commons.send("POST", "/P/Q/releases", {})["id"]
    made = Frozen(id_, {query: commons.ask(query, id_) for query in (AGES, KINDS)}, exports(commons, id_))
    files = json.loads(dictionary_file.read_text())
    del files["case.yaml"]["properties"]["age"], files["sample.yaml"]
    for name in ("aliquot", "reading"):
        del files[f"{name}.yaml"]
    with writing(commons.client.running) as connection:
        versions.apply(connection, "graph", versions.draft_of_files(files, "a test"), Waits(), by=None, after=1)
    eventually(lambda: commons.client.post({"query": AGES}).status_code == 400)
    return made


@pytest.mark.parametrize("query", [AGES, KINDS])
def test_a_query_finds_what_the_dictionary_has_lost(commons: Commons, frozen: Frozen, query: str) -> None:
    assert commons.ask(query, frozen.id) == frozen.answers[query]
    assert commons.client.post({"query": query}).status_code == 400


def test_an_export_has_what_the_dictionary_has_lost(commons: Commons, frozen: Frozen) -> None:
    assert exports(commons, frozen.id) == frozen.exports


def test_a_diff_tells_what_the_dictionary_has_lost(commons: Commons, frozen: Frozen) -> None:
    counts = commons.send("GET", f"/P/Q/releases/{frozen.id}/diff?summary=true")["counts"]
    assert counts == {"sample": {"added": 0, "removed": 2, "changed": 0}}
    later = commons.send("POST", "/P/Q/releases", {})["id"]
    told = commons.send("GET", f"/P/Q/releases/{later}/diff?to={frozen.id}&summary=true")["counts"]
    assert told == {"sample": {"added": 2, "removed": 0, "changed": 0}}
