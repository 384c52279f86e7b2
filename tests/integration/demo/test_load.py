"""The loader on the real services: what it loads, and how it goes on after a crash."""

from collections.abc import Callable
from typing import Any

import pytest

from commonshub.hub.demo import imaging
from commonshub.hub.demo.client import Refused
from commonshub.hub.demo.loader import load
from commonshub.hub.demo.study import Payload, Study

from .conftest import BrokenDown, Recording


def study(code: str) -> Study:
    """The imaging study as a project of its own, with files that no other project has."""
    whole = imaging.read()
    records = {
        node: [{**each, "projects": {"code": code}} if "projects" in each else each for each in group]
        for node, group in whole.records.items()
    }
    payloads = [Payload(each.content + code.encode(), each.description) for each in whole.payloads]
    return Study({**whole.project, "code": code, "dbgap_accession_number": code}, records, payloads)


def quiet(_: str) -> None:
    pass


def loaded(client: Recording, wanted: Study) -> None:
    """Check that a project holds exactly `wanted`, and that each of its files can be fetched."""
    for node, records in wanted.records.items():
        assert len(client.export("demo", wanted.code, node)) == len(records)
    files = {each["submitter_id"]: each for each in client.export("demo", wanted.code, "imaging_file")}
    assert len(files) == len(wanted.payloads)
    for payload in wanted.payloads:
        guid = files[payload.record["submitter_id"]]["object_id"]
        [document] = client.documents([guid])
        assert document["authz"] == [f"/programs/demo/projects/{wanted.code}"]
        url = client.call("GET", f"/user/data/download/{guid}")["url"]
        assert client._session.get(url).content == payload.content


def test_a_project_is_loaded_with_its_files_and_a_second_run_changes_nothing(client: Callable[..., Recording]) -> None:
    first, second, wanted = client(), client(), study("whole")
    load(first, [wanted], quiet)
    loaded(first, wanted)
    load(second, [wanted], quiet)
    assert second.changes == []


@pytest.mark.parametrize("breaks_at", [0, 1, 3, 5, 9, 11])
def test_a_run_after_a_crash_completes_the_load(client: Callable[..., Recording], breaks_at: int) -> None:
    wanted = study(f"crash{breaks_at}")
    with pytest.raises(BrokenDown):
        load(client(breaks_at=breaks_at), [wanted], quiet)
    again = client()
    load(again, [wanted], quiet)
    loaded(again, wanted)
    assert again.abandoned("admin") == []


def test_uploads_that_were_begun_and_never_sent_are_swept_away(
    client: Callable[..., Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, broken = study("unsent"), client()

    def put(*_: Any, **__: Any) -> None:
        raise BrokenDown

    monkeypatch.setattr(broken._session, "put", put)
    with pytest.raises(BrokenDown):
        load(broken, [wanted], quiet)
    assert broken.abandoned("admin")
    again = client()
    load(again, [wanted], quiet)
    loaded(again, wanted)
    assert again.abandoned("admin") == []


def test_a_changed_record_is_set_right(client: Callable[..., Recording]) -> None:
    wanted, other = study("change"), client()
    load(other, [wanted], quiet)
    changed: dict[str, Any] = {**wanted.records["demographic"][0], "sex": "unknown"}
    other.submit("demo", "change", [changed])
    again = client()
    load(again, [wanted], quiet)
    assert len(again.changes) == 1
    loaded(again, wanted)


def test_a_key_that_does_not_count_is_refused_in_words(endpoint: tuple[str, str]) -> None:
    with pytest.raises(Refused, match="401"):
        load(Recording((endpoint[0], "nonsense")), [study("none")], quiet)


def test_an_address_where_nothing_answers_is_named() -> None:
    with pytest.raises(Refused, match=r"http://127\.0\.0\.1:1"):
        load(Recording(("http://127.0.0.1:1", "x")), [study("none")], quiet)
