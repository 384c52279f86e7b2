"""Errors as HTML, for people who open a link to data in a browser."""

import html
from http import HTTPStatus

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{status} {reason}</title>
<body><h1>{status} {reason}</h1><p>{message}</p><p>Request {request_id}</p></body></html>
"""


def prefers_html(accept: str) -> bool:
    """Whether an ``Accept`` header asks for HTML more than for JSON; who does not care gets JSON."""
    weights: dict[str, float] = {}
    for part in accept.split(","):
        kind, *parameters = (each.strip().lower() for each in part.split(";"))
        weights[kind] = max(weights.get(kind, 0.0), _weight(parameters))
    json = max(weights.get(kind, 0.0) for kind in ("application/json", "application/*", "*/*"))
    return weights.get("text/html", 0.0) > json or (
        "application/json" not in weights and weights.get("text/html", 0.0) > 0
    )


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def error_page(status: int, message: str, request_id: str) -> str:
    """A page that tells of one error."""
    # The apostrophe as Gen3 writes it: its test suite looks for messages in that form.
    text = html.escape(message).replace("&#x27;", "&#39;")
    return _PAGE.format(
        status=status, reason=HTTPStatus(status).phrase, message=text, request_id=html.escape(request_id)
    )
