"""What the workflow service tells of itself."""

import pytest

from commonshub.workflow.info import service_info

REQUIRED = {
    "id",
    "name",
    "type",
    "organization",
    "version",
    "workflow_type_versions",
    "supported_wes_versions",
    "supported_filesystem_protocols",
    "workflow_engine_versions",
    "default_workflow_engine_parameters",
    "system_state_counts",
    "auth_instructions_url",
    "tags",
}


def test_it_has_all_that_wes_1_1_requires() -> None:
    info = service_info("Commons", "https://data.example.org", "0.1.0")
    assert info.keys() >= REQUIRED
    assert info["type"] == {"group": "org.ga4gh", "artifact": "wes", "version": "1.1.0"}


def test_it_promises_no_engine() -> None:
    info = service_info("Commons", "https://data.example.org", "0.1.0")
    assert not info["workflow_engine_versions"]
    assert not info["workflow_type_versions"]


@pytest.mark.parametrize(
    ("origin", "identifier"),
    [("https://data.example.org", "org.example.data.wes"), ("http://127.0.0.1:8000", "127.0.0.1.wes")],
)
def test_the_id_is_the_host_in_reverse(origin: str, identifier: str) -> None:
    assert service_info("Commons", origin, "0.1.0")["id"] == identifier
