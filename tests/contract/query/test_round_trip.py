"""Records of every type go in, are found by all that they are, and go out again."""

import uuid
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from gen3.submission import Gen3SubmissionQueryError
from tests.submission_sdk import home, sub, submission
from tests.submission_service import aliquot, case, demographic, fresh, sample

from commonshub.core import records

__all__ = ["home", "sub", "submission"]

MOMENT = "2020-02-29T23:59:59+00:00"
LINKS = {"projects", "experiments", "cases", "samples", "aliquots"}


def documents(name: str) -> list[dict[str, Any]]:
    """A record of each type, parents first."""
    file = {"file_name": "a.bam", "file_size": 2**40, "md5sum": uuid.uuid4().hex, "urls": "https://a.example/x"}
    return [
        {"type": "experiment", "submitter_id": name, "projects": {"code": "test"}, "number_of_cases": 1},
        {**case(name, primary_site="lung", disease_type="glioma"), "experiments": {"submitter_id": name}},
        demographic(name, name, gender="male", year_of_birth=1980, age=39.5, alive=True, seen_at=MOMENT),
        sample(name, name, is_ffpe=False, longest_dimension=2.5),
        aliquot(name, name),
        {"type": "reads_file", "submitter_id": name, "aliquots": {"submitter_id": name}, **file},
    ]


NAME = fresh()
DOCUMENTS = documents(NAME)


def counts(sub: Any) -> dict[str, int]:
    kinds = [document["type"] for document in DOCUMENTS]
    counted = " ".join(f'{kind}: _{kind}_count(project_id: "DEV-test")' for kind in kinds)
    found: dict[str, int] = sub.query(f"{{ {counted} }}")["data"]
    return found


@pytest.fixture(scope="module")
def submitted(sub: Any) -> None:
    """All of them are there, for tests that leave them there."""
    for document in DOCUMENTS:
        sub.submit_record("DEV", "test", document)


@pytest.mark.parametrize("place", range(1, len(DOCUMENTS) - 1), ids=lambda place: str(DOCUMENTS[place]["type"]))
def test_g69_no_record_is_taken_without_its_parent(sub: Any, place: int) -> None:
    document = {key: value for key, value in DOCUMENTS[place].items() if key not in LINKS}
    with pytest.raises(requests.HTTPError, match="400"):
        sub.submit_record("DEV", "test", {**document, "submitter_id": fresh()})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document["type"]))
def test_g69_every_property_comes_out_as_it_went_in(sub: Any, submitted: Any, document: dict[str, Any]) -> None:
    kind = document["type"]
    plain = {key: value for key, value in document.items() if key not in {*LINKS, "urls"}}
    query = f'{{ {kind}(submitter_id: "{NAME}") {{ {" ".join(plain)} }} }}'
    assert sub.query(query)["data"] == {kind: [plain]}
    for key, value in plain.items():
        if isinstance(value, str) and key != "type":
            found = sub.query(f'{{ {kind}(first: 0, {key}: "{value}") {{ submitter_id }} }}')["data"][kind]
            assert {"submitter_id": NAME} in found
    text = f'Cannot query field "prop_does_not_exist" on type "{kind}".'
    with pytest.raises(Gen3SubmissionQueryError, match=text):
        sub.query(f"{{ {kind} {{ prop_does_not_exist }} }}")
    assert sub.query(f'{{ {kind}(project_id: "DEV-nowhere") {{ id }} }}')["data"] == {kind: []}


def test_g69_the_first_leads_to_the_last_and_back(sub: Any, submitted: Any) -> None:
    for kind, other in (("experiment", "reads_file"), ("reads_file", "experiment")):
        path = f'with_path_to: {{type: "{other}", submitter_id: "{NAME}"}}'
        assert sub.query(f"{{ {kind}({path}) {{ submitter_id }} }}")["data"] == {kind: [{"submitter_id": NAME}]}


def test_g69_urls_of_a_file_are_those_of_its_object(sub: Any, submitted: Any, database_url: str) -> None:
    query = f'{{ reads_file(submitter_id: "{NAME}") {{ object_id }} }}'
    [file] = sub.query(query)["data"]["reads_file"]
    engine = sa.create_engine(database_url)

    def urls() -> list[str]:
        with engine.begin() as connection:
            found = records.get(connection, "index", file["object_id"])
        return list(found.urls) if found else []

    assert urls() == ["https://a.example/x"]
    sub.submit_record("DEV", "test", {**DOCUMENTS[-1], "urls": "https://b.example/x"})
    assert urls() == ["https://b.example/x"]
    engine.dispose()


def test_g69_each_record_is_counted_and_is_deleted_from_below(sub: Any) -> None:
    name, told = fresh(), []
    before = counts(sub)
    for number, document in enumerate(documents(name), 1):
        told += sub.submit_record("DEV", "test", document)["entities"]
        sent = [each["type"] for each in DOCUMENTS[:number]]
        assert counts(sub) == {kind: count + (kind in sent) for kind, count in before.items()}
    sub.delete_records("DEV", "test", [entity["id"] for entity in reversed(told)], batch_size=1)
    assert counts(sub) == before
    query = " ".join(f'{kind}(submitter_id: "{name}") {{ id }}' for kind in before)
    assert sub.query(f"{{ {query} }}")["data"] == {kind: [] for kind in before}
