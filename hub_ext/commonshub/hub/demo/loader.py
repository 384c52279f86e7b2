"""Bring a commons to the state that the demo describes, however far an earlier run got.

Every step first asks what is there and then does only what is missing: a run after a finished one changes nothing, and
a run after a crash goes on where that one stopped. Files go the way of any client: upload by presigned URL, wait until
the index has verified size and checksum, then submit the record that describes them.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .client import Client, Refused
from .study import Payload, Record, Study

PROGRAM: Record = {"type": "program", "name": "demo", "dbgap_accession_number": "demo"}
BATCH = 1000
UPLOADS_AT_ONCE = 4
VERIFY_TIMEOUT_S = 60.0
POLL_S = 0.2

Report = Callable[[str], None]


def load(client: Client, studies: Sequence[Study], report: Report) -> None:
    """Load `studies`, telling `report` a line per step.

    Raises
    ------
    Refused
        The commons refused a step, or did not verify an upload in time. Running again goes on from there.
    """
    program = str(PROGRAM["name"])
    if program not in client.programs():
        client.create_program(PROGRAM)
        report(f"program {program}: created")
    codes = client.projects(program)
    for study in studies:
        if study.code not in codes:
            client.put_project(program, study.project)
            report(f"project {program}-{study.code}: created")
        for node, records in study.records.items():
            _submit(client, program, study.code, node, records, report)
    for study in studies:
        _store(client, program, study, report)


def _submit(client: Client, program: str, code: str, node: str, records: Iterable[Record], report: Report) -> None:
    """Submit those of `records` that the project does not have in this form."""
    stored = {str(record["submitter_id"]): record for record in client.export(program, code, node)}
    missing = [record for record in records if not says_the_same(stored.get(str(record["submitter_id"])), record)]
    for start in range(0, len(missing), BATCH):
        client.submit(program, code, missing[start : start + BATCH])
        report(f"{program}-{code}: {min(start + BATCH, len(missing))} of {len(missing)} {node} records")


def says_the_same(stored: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
    """Whether a stored record already has all that `wanted` says; links are compared by the names they point at."""
    return stored is not None and all(_plain(stored.get(key)) == _plain(value) for key, value in wanted.items())


def _plain(value: Any) -> Any:
    """A value as it can be compared: links as the set of names that they point at."""
    if isinstance(value, Mapping):
        value = [value]
    if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
        return frozenset(str(each.get("submitter_id") or each.get("code")) for each in value)
    return value


def _store(client: Client, program: str, study: Study, report: Report) -> None:
    """Store the bytes of a study's files, then submit their records."""
    nodes = sorted({str(payload.record["type"]) for payload in study.payloads})
    stored = {
        str(record["submitter_id"]): record for node in nodes for record in client.export(program, study.code, node)
    }
    missing = [
        payload
        for payload in study.payloads
        if not says_the_same(stored.get(str(payload.record["submitter_id"])), payload.record)
    ]
    if not missing:
        return
    guids = _upload(client, missing, report, f"{program}-{study.code}")
    records = [{**payload.record, "object_id": guid} for payload, guid in zip(missing, guids, strict=True)]
    for node in nodes:
        chosen = [record for record in records if record["type"] == node]
        if chosen:
            client.submit(program, study.code, chosen)
            report(f"{program}-{study.code}: {len(chosen)} {node} records")


def _upload(client: Client, payloads: Sequence[Payload], report: Report, label: str) -> list[str]:
    """GUIDs of the payloads' data objects, in order: those that an earlier run stored, or new and verified ones."""
    found = [client.find_verified(payload.md5, len(payload.content)) for payload in payloads]
    absent = [payload for payload, guid in zip(payloads, found, strict=True) if guid is None]
    if not absent:
        return [guid for guid in found if guid is not None]
    _sweep(client, {payload.name for payload in absent})
    with ThreadPoolExecutor(UPLOADS_AT_ONCE) as threads:
        uploaded = list(threads.map(lambda payload: client.upload(payload.name, payload.content), absent))
    report(f"{label}: {len(uploaded)} files uploaded, {sum(len(payload.content) for payload in absent)} bytes")
    _wait(client, dict(zip(uploaded, absent, strict=True)))
    fresh = iter(uploaded)
    return [guid if guid is not None else next(fresh) for guid in found]


def _sweep(client: Client, names: set[str]) -> None:
    """Discard the uploads of these files that an earlier run began and never finished."""
    for record in client.abandoned(client.username()):
        if record["file_name"] in names:
            client.discard(str(record["did"]))


def _wait(client: Client, expected: Mapping[str, Payload]) -> None:
    """Wait until the index has verified every upload.

    Raises
    ------
    Refused
        It took too long, or the stored bytes are not those sent.
    """
    end = time.monotonic() + VERIFY_TIMEOUT_S
    waiting = dict(expected)
    while waiting:
        for record in client.documents(waiting):
            md5 = (record.get("hashes") or {}).get("md5")
            if record["size"] is None or md5 is None:
                continue
            payload = waiting.pop(record["did"])
            if md5 != payload.md5:
                raise Refused(f"{payload.name} was stored with checksum {md5}, but was sent with {payload.md5}.")
        if waiting and time.monotonic() > end:
            names = ", ".join(sorted(payload.name for payload in waiting.values()))
            raise Refused(f"Not verified within {VERIFY_TIMEOUT_S:.0f} s: {names}. Run the loader again to go on.")
        if waiting:
            time.sleep(POLL_S)
