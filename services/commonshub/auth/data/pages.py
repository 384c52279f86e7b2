"""Errors as HTML, for people who open a link to data in a browser."""

import html
from http import HTTPStatus

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{status} {reason}</title>
<body><h1>{status} {reason}</h1><p>{message}</p><p>Request {request_id}</p></body></html>
"""


def prefers_html(accept: str) -> bool:
    """Whether an ``Accept`` header names HTML, and no JSON that it would rather have; who takes anything gets JSON."""
    weights = {"text/html": 0.0, "application/json": 0.0}
    for part in accept.split(","):
        kind, *parameters = (each.strip().lower() for each in part.split(";"))
        weights[kind] = _weight(parameters)
    return weights["text/html"] > weights["application/json"]


def _weight(parameters: list[str]) -> float:
    given = next((each.partition("=")[2] for each in parameters if each.startswith("q=")), "1")
    try:
        return float(given)
    except ValueError:
        return 0.0


def error_page(status: int, message: str, request_id: str) -> str:
    """A page that tells of one error."""
    # The apostrophe as Gen3 writes it: its test suite looks for messages in that form.
    text = html.escape(message).replace("&#x27;", "&#39;")
    return _PAGE.format(
        status=status, reason=HTTPStatus(status).phrase, message=text, request_id=html.escape(request_id)
    )
