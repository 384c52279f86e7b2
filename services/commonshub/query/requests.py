"""What a request asks: one query, or several at once, in a body or in the address."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from commonshub.core.errors import BadRequest, TooLarge

from .document import Invalid
from .formats import JSON, check


@dataclass(frozen=True)
class Asked:
    """One query, as its sender gives it.

    Attributes
    ----------
    name
        Which operation of the text is to run.
    release
        Id of the release that is read in place of the graph.
    form
        What the answer is: ``json``, or a format of tables.
    """

    text: str
    variables: Mapping[str, Any]
    name: str | None
    release: str | None
    form: str = JSON


def read(given: Any, release: str | None = None, form: str | None = None) -> Asked:
    """One query, of a body or of an address.

    Parameters
    ----------
    release, form
        What is read, and answered, where `given` does not say.

    Raises
    ------
    BadRequest
        It is no object, or something in it is no text, or no variables, or no format.
    """
    if not isinstance(given, dict):
        raise BadRequest("The body must be a JSON object.")
    text = given.get("query")
    if not isinstance(text, str):
        raise BadRequest("query must be a text.")
    texts = {
        "operationName": given.get("operationName"),
        "release": given.get("release", release),
        "format": given.get("format", form),
    }
    for key, value in texts.items():
        if value is not None and not isinstance(value, str):
            raise BadRequest(f"{key} must be a text.")
    variables, wanted = _variables(given.get("variables")), check(texts["format"] or JSON)
    return Asked(text, variables, texts["operationName"], texts["release"], wanted)


def read_batch(given: list[Any], most: int) -> list[Mapping[str, Any]]:
    """The entries of a batch.

    Raises
    ------
    BadRequest
        There are none, or one is no object.
    TooLarge
        There are more than `most`.
    """
    if not given:
        raise BadRequest("A batch is a list of queries; this one is empty.")
    if len(given) > most:
        raise TooLarge(f"The batch has {len(given)} queries; at most {most} are answered at once.")
    for place, each in enumerate(given):
        if not isinstance(each, dict):
            raise BadRequest(f"Entry {place} of the batch must be an object with a query.")
    return given


def _variables(given: Any) -> dict[str, Any]:
    """The variables of a request: an object, or its JSON as a text, or none."""
    if isinstance(given, str) and given.strip():
        try:
            given = orjson.loads(given)
        except orjson.JSONDecodeError as error:
            raise Invalid(["Unable to parse variables", f"variables: {error}"]) from error
    if not given:
        return {}
    if not isinstance(given, dict):
        raise Invalid(["Unable to parse variables", "variables must be a JSON object."])
    return given
