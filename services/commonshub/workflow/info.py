"""What this service tells about itself: WES 1.1's ``ServiceInfo``, an extension of GA4GH service-info 1.0."""

from typing import Any
from urllib.parse import urlsplit

WES_VERSION = "1.1.0"


def service_info(name: str, origin: str, release: str) -> dict[str, Any]:
    """The document of ``GET /service-info``.

    Every list of engines, languages and protocols is empty: this release runs no workflows yet, and says so rather than
    let a client find out by a failed run.

    Parameters
    ----------
    name
        Name of the commons.
    origin
        Scheme, host and port of the commons.
    release
        Version of the software.
    """
    host = urlsplit(origin).hostname or "localhost"
    return {
        "id": ".".join([*reversed(host.split(".")), "wes"]) if not _is_address(host) else f"{host}.wes",
        "name": f"{name} workflows",
        "type": {"group": "org.ga4gh", "artifact": "wes", "version": WES_VERSION},
        "description": "No workflow engine is connected yet: no runs are accepted.",
        "organization": {"name": name, "url": origin},
        "version": release,
        "workflow_type_versions": {},
        "supported_wes_versions": [WES_VERSION],
        "supported_filesystem_protocols": [],
        "workflow_engine_versions": {},
        "default_workflow_engine_parameters": [],
        "system_state_counts": {},
        "auth_instructions_url": f"{origin}/portal/profile",
        "tags": {},
    }


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()
