"""Answers of the DRS against the published OpenAPI document of DRS 1.5.0 (``tests/data/drs``)."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import requests
from referencing import Registry
from referencing.jsonschema import DRAFT202012

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "drs" / "openapi.json").read_text())
BASE = "/ga4gh/drs/v1"
# The most particular first, as an id may hold slashes.
PATHS = {
    "/service-info": r"/service-info",
    "/objects": r"/objects",
    "/objects/access": r"/objects/access",
    "/objects/{object_id}/access/{access_id}": r"/objects/.+/access/[^/]+",
    "/objects/{object_id}": r"/objects/.+",
}
# What the document does not have, and Gen3's clients read.
GEN3 = {"form", "index_created_time", "index_updated_time", "message", "resolved_drs_objects"}

MORE_STATUSES = {413, 429, 502, 503}
SCHEMES = DOCUMENT["components"]["schemas"]["AccessMethod"]["properties"]["type"]["enum"]

_REGISTRY: Registry[Any] = Registry().with_resource("urn:drs", DRAFT202012.create_resource(DOCUMENT))


def faults(answer: requests.Response, status: int | None = None) -> list[str]:
    """What in an answer is not as the document says, by path.

    Parameters
    ----------
    status
        Take it for an answer of this status: Gen3 gives a summary also where no URL is due.
    """
    method, place = _asked(answer)
    where = ["paths", place, method, "responses", str(status or answer.status_code)]
    told: Any = DOCUMENT
    for name in where:
        if name not in told:
            return [f"{method} {place}: the document has no {name}"]
        told = told[name]
    if "$ref" in told:
        where = told["$ref"].split("/")[1:]
    if "content" not in DOCUMENT["components"]["responses"][where[-1]]:
        return []
    if answer.headers["Content-Type"] != "application/json":
        return [f"Content-Type: {answer.headers['Content-Type']}"]
    return _faults([*where, "content", "application/json", "schema"], answer.json())


def held(answer: requests.Response) -> requests.Response:
    """The answer, without a fault where it is of a route that the document has.

    What differs knowingly (docs/reference/gen3-differences.md) is none: statuses of any server, and schemes of URLs
    that the document does not know.
    """
    method, place = _asked(answer)
    if method in DOCUMENT["paths"].get(place, {}):
        beyond = answer.status_code in MORE_STATUSES
        found = schema_faults("Error", answer.json()) if beyond else faults(answer)
        assert [each for each in found if not each.endswith(f"is not one of {SCHEMES}")] == [], answer.text
    return answer


def _asked(answer: requests.Response) -> tuple[str, str]:
    """Method and path of a request, as the document has them; an empty path for what is none of DRS's."""
    path = urlsplit(answer.request.url or "").path
    inside = path.removeprefix(BASE).rstrip("/") if path.startswith(BASE) else ""
    place = next((each for each, form in PATHS.items() if re.fullmatch(form, inside)), "")
    return str(answer.request.method).lower(), place


def schema_faults(name: str, document: Any) -> list[str]:
    """What is wrong with a document of one of the schemas that the published document has under ``components``."""
    return _faults(["components", "schemas", name], document)


def _faults(where: list[str], document: Any) -> list[str]:
    pointer = "/".join(each.replace("~", "~0").replace("/", "~1") for each in where)
    checker = jsonschema.Draft202012Validator(
        {"$ref": f"urn:drs#/{pointer}"},
        registry=_REGISTRY,
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
    )
    wrong = [f"{error.json_path}: {error.message}" for error in checker.iter_errors(document)]
    return [*wrong, *(f"{name} is no field of DRS" for name in sorted(_fields(document) - _known()))]


def _fields(document: Any) -> set[str]:
    if isinstance(document, list):
        return {name for each in document for name in _fields(each)}
    if not isinstance(document, dict):
        return set()
    return {*document, *(name for each in document.values() for name in _fields(each))}


def _known() -> set[str]:
    return {name for properties in _properties(DOCUMENT) for name in properties} | GEN3


def _properties(document: Any) -> Iterator[dict[str, Any]]:
    """What the schemas of a document name, wherever they are in it."""
    if isinstance(document, dict):
        if isinstance(document.get("properties"), dict):
            yield document["properties"]
        document = list(document.values())
    for each in document if isinstance(document, list) else ():
        yield from _properties(each)
